"""`new --example`: a copy of a shipped experiment, in one file, to edit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasexp.config.experiment_catalog import shipped_experiments
from kerasexp.config.new_file import refuse_existing, write_new_file
from kerasexp.config.shipped_files import shipped_folder
from kerasexp.config.study_section import load
from kerasexp.config.yaml_loading import name_of_file, with_base
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.console import command_line
from kerasexp.errors import Problem, UserError, closest, listing

# Lines of an example's comment that hold for the shipped file only.
ITS_OWN = ("python -m kerasexp", "yaml-language-server")


def copy_example(name: str, output: Path | None) -> Path:
    """Write a shipped experiment to a file of one's own, and return the file.

    Its bases are merged in. Another experiment that it starts from stays the shipped one, by name.

    Args:
        name: such as `part1_digits` or `mlp/mlp`.
        output: the file; None for its own name in the working folder.

    Raises:
        UserError: there is no such example, or the file exists already or cannot be written.
    """
    examples = shipped_experiments()
    name = name.removesuffix(".yaml")
    if name not in examples:
        message = f"no such example: '{name}'{closest(name, examples)}; examples: {listing(examples)}"
        raise UserError(Problem(message, key="--example"))
    source = examples[name]
    output = output or Path(source.name)
    refuse_existing(output)
    raw = with_base(source, {})
    if raw["name"] == name_of_file(source):
        del raw["name"]  # the copy has that of its own file
    _name_experiments(raw, source.parent)
    command = command_line("search" if "search" in raw else "run", output)
    comment = [*_comment(source), f"Copied from kerasexp's {name}, bases merged in. Run it with: {command}"]
    write_new_file(output, "".join(f"# {line}\n" for line in comment) + dump_yaml(raw))
    load(output)
    return output


def _name_experiments(section: dict[str, Any], beside: Path) -> None:
    """Replace the files of other experiments by their names, in variants too; changed in place.

    These are what an experiment starts from, and what a search compares its winner with.
    """
    for key, value in section.items():
        if key in ("experiment", "against") and isinstance(value, str):
            file = (beside / value).resolve()
            section[key] = file.relative_to(shipped_folder("experiments").resolve()).with_suffix("").as_posix()
        elif isinstance(value, dict):
            _name_experiments(value, beside)


def _comment(source: Path) -> Iterator[str]:
    """Yield the lines at the top of an example that also hold for its copy."""
    for line in source.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            return
        text = line[1:].strip()
        if not text.startswith(ITS_OWN):
            yield text
