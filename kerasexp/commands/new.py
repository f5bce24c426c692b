"""`new`: an experiment for a user's own images, or a copy of a shipped one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from kerasexp.commands.options import complete_example, with_homes
from kerasexp.errors import Problem, UserError


class Weights(StrEnum):
    """What a network for photographs starts from."""

    auto = "auto"
    imagenet = "imagenet"
    tiny_imagenet = "tiny_imagenet"
    none = "none"


def new(
    folder: Annotated[
        Optional[Path],  # noqa: UP045 (typer reads it)
        typer.Argument(
            metavar="FOLDER",
            help="Folder or zip archive with one folder of images per class, or a table of images.",
            callback=with_homes,
        ),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="YAML file to write; default: NAME.yaml here.", callback=with_homes),
    ] = None,
    label: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="COLUMN", help="Column of the labels, for a table with several that may be."),
    ] = None,
    weights: Annotated[
        Weights,
        typer.Option(
            help="Weights that a network for photographs starts from. auto: ImageNet's where they are found or can be downloaded, "
            "else the shipped ones of tiny_imagenet; none: random ones."
        ),
    ] = Weights.auto,
    example: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME",
            help="Instead of FOLDER: copy this shipped experiment, bases merged in, to a file to edit; `list` shows the names.",
            autocompletion=complete_example,
        ),
    ] = None,
):
    """Write an experiment for your own images.

    It follows from their classes, counts, sizes, colour and faults. `run` takes the experiment as it is. Photographs get two:
    NAME.yaml starts from pretrained weights, NAME_scratch.yaml is the baseline with random ones; drawings and digits get a
    small network.

    A table (CSV, TSV or Parquet) with the paths of images and their labels, one or several an image, is found in or beside
    their folder. With --example, a shipped experiment is copied instead, to begin with: new --example part1_digits

    Example: python -m kerasexp new my_images
    """
    if (folder is None) == (example is None):
        given = "both are given" if example is not None else "neither is given"
        raise UserError(Problem(f"write either a folder of images, or --example NAME; {given}", "new"))
    if example is not None:
        if label is not None or weights is not Weights.auto:
            key = "--weights" if label is None else "--label"
            raise UserError(Problem("is for a folder of images; --example copies an experiment as it is", key=key))
        from kerasexp.config.experiment_copy import copy_example

        print(copy_example(example, output))
        return
    from kerasexp.console import standard_console
    from kerasexp.data.new_experiment import write_new_experiment
    from kerasexp.training.imagenet_files import imagenet_origin

    print(write_new_experiment(folder, output, standard_console(), label, weights.value, imagenet_origin))
