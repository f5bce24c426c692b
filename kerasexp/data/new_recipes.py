"""The preprocessing, networks and trainings that `new` writes, with their reasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kerasexp.config.model_section import IMAGENET, MobileNet
from kerasexp.config.shipped_files import PHOTO_WEIGHTS
from kerasexp.data.dataset_statistics import Survey

# Added on each side of the window around the ink, as a fraction of the page.
MARGIN = 0.02
# Share of images in colour from which images are photographs.
PHOTOGRAPHS = 0.05
# The network of the shipped weights for photographs: the blocks of experiments/tiny_imagenet/backbone.yaml.
RESIDUAL_BLOCKS = [
    {"filters": 32, "stride": 2, "batch_norm": True},
    {"filters": 64, "convolutions": 2, "stride": 2, "batch_norm": True, "shortcut": True},
    {"filters": 128, "convolutions": 2, "stride": 2, "batch_norm": True, "shortcut": True},
    {"filters": 256, "stride": 2, "batch_norm": True},
    {"kind": "mobile", "filters": 256, "shortcut": True},
]
# Training images above which random weights are expected to do as well.
ENOUGH = {IMAGENET: 200_000, PHOTO_WEIGHTS: 20_000}
# Accuracy on 600 other images after 100 cats and 100 dogs, from each kind of weights; None: random ones. Means of three draws.
CATS_AND_DOGS = {IMAGENET: 0.98, PHOTO_WEIGHTS: 0.77, None: 0.63}
# The network whose ImageNet weights are taken: small, and fast without a GPU.
IMAGENET_NETWORK, IMAGENET_SIDE = MobileNet(name="mobilenet_v2"), 224


@dataclass(frozen=True)
class Choice:
    """A section of the experiment, and the comment that gives the reason for it."""

    value: dict
    reason: str


@dataclass(frozen=True)
class Recipe:
    """The sections of an experiment that do not follow from the place of the images."""

    preprocessing: Choice
    augmentation: Choice
    model: Choice
    training: Choice


def are_photographs(found: Survey) -> bool:
    """Return whether images are photographs; drawings, scans and digits are grey."""
    return found.colour >= PHOTOGRAPHS


def suggest_preprocessing(found: Survey) -> Choice:
    """Return preprocessing that suits the images."""
    side = int(np.median(np.minimum(found.heights, found.widths)))
    one_size = len(set(found.heights)) == 1 and len(set(found.widths)) == 1
    grey = not are_photographs(found)
    if grey and found.bright_border > 0.5 and side > 40 and one_size:
        top, left, bottom, right = found.ink
        edges = top - MARGIN, left - MARGIN, bottom + MARGIN, right + MARGIN
        window = [round(float(np.clip(edge, 0, 1)), 3) for edge in edges]
        return Choice(
            {"size": [64, 64], "channels": 1, "framing": "window", "window": window}
            | {"invert": "auto", "contrast": "stretch"},
            "Dark ink on bright pages of one size: one window that contains the ink of all pages keeps size and position.",
        )
    if grey:
        ink = {"invert": "auto"} if found.bright_border > 0.05 else {}
        return Choice(
            {"size": [28, 28] if side <= 40 else [64, 64], "channels": 1, "framing": "fit", **ink},
            "Grey images: resized with their aspect ratio kept.",
        )
    size = 32 if side <= 40 else 64 if side < 200 else 96
    return Choice(
        {"size": [size, size], "channels": 3, "framing": "fit"}, "Colour images: resized with their aspect ratio kept."
    )


def small_net(found: Survey) -> Recipe:
    """Return a small network for grey images, with random weights."""
    blocks = [{"filters": f, "convolutions": 2, "batch_norm": True, "pool": 2} for f in (32, 64, 128)]
    return Recipe(
        suggest_preprocessing(found),
        Choice(
            {"rotation": 8, "shift": 0.05, "zoom": 0.1, "shear": 5},
            "Mild random changes, so that writing stays legible.",
        ),
        Choice(
            {"name": "cnn", "blocks": blocks, "pooling": "average", "head": {"dropout": 0.3}},
            "A small convolutional network for few images. If you have many, use more filters.",
        ),
        _from_scratch(found),
    )


def residual_net(found: Survey) -> Recipe:
    """Return a network for photographs with random weights."""
    return Recipe(
        _photo_preprocessing(suggest_preprocessing(found).value["size"][0]),
        _photo_augmentation(),
        Choice(
            {"name": "cnn", "blocks": RESIDUAL_BLOCKS, "pooling": "average", "head": {"dropout": 0.3}},
            "A small residual network that starts from random weights.",
        ),
        _from_scratch(found),
    )


def pretrained_net(found: Survey, weights: str) -> Recipe:
    """Return a network for photographs that starts from `imagenet` weights or from the shipped ones, by their name."""
    if weights == IMAGENET:
        size, model = IMAGENET_SIDE, {"name": IMAGENET_NETWORK.name, "weights": IMAGENET, "head": {"dropout": 0.2}}
        named, share = (
            "MobileNet v2 with its ImageNet weights",
            {"unfreeze": 6, "depth_decay": 0.5, "batch_norm": "frozen"},
        )
        epochs, rate = _epochs(found, 20_000, 15), 0.001
    else:
        blocks = {"blocks": RESIDUAL_BLOCKS, "pooling": "average"}
        size, model = 96, {"name": "cnn", "weights": weights, **blocks, "head": {"dropout": 0.3}}
        named, share = (
            f"A small residual network with the shipped weights of the checkpoint {weights}",
            {"depth_decay": 0.8, "batch_norm": "trained"},
        )
        epochs, rate = _epochs(found, 30_000, 40), 0.003
    head = max(epochs // 5, 1)
    return Recipe(
        _photo_preprocessing(size),
        _photo_augmentation(),
        Choice(model, f"{named}; its head is new."),
        Choice(
            _training(found, epochs, rate) | {"fine_tune": {"head_epochs": head, **share}, "checkpoint": "last"},
            f"First the head alone, for {head} epochs, then the layers below it, the lower the slower.",
        ),
    )


def expected_better(found: Survey, weights: str, pretrained: str, baseline: str) -> str:
    """Return a sentence on which of two experiments is expected to be better, and why.

    Args:
        found: the images.
        weights: those that the first experiment starts from.
        pretrained, baseline: the files of the two.
    """
    total = found.images["train"]
    if total > ENOUGH[weights]:
        return (
            f"expected to be about equal: {total:,} training images are enough to learn from random weights, "
            f"and {baseline} may catch up with {pretrained}"
        )
    return (
        f"expected to be better: {pretrained}; {total:,} training images are few to learn from random weights. "
        f"After 200 images of cats and dogs, such a start was right on {CATS_AND_DOGS[weights]:.0%} of others, "
        f"and random weights on {CATS_AND_DOGS[None]:.0%}"
    )


def _photo_preprocessing(side: int) -> Choice:
    # With MobileNet v2 and 160 images of cats and dogs, `fit` had 0.979 where `stretch` had 0.984 (means of 10 draws).
    return Choice(
        {"size": [side, side], "channels": 3, "framing": "stretch"},
        "The whole image fills the frame; framing: fit keeps its aspect ratio, where that tells classes apart.",
    )


def _photo_augmentation() -> Choice:
    return Choice(
        {"flip": True, "rotation": 10, "shift": 0.1, "zoom": 0.2, "color": 0.3, "fill": "reflect"},
        "Random changes of position, size, angle and colour, and mirroring; flip: false where left and right differ.",
    )


def _from_scratch(found: Survey) -> Choice:
    epochs, total = _epochs(found, 60_000, 60), found.images["train"]
    return Choice(
        _training(found, epochs, 0.002),
        f"Training shows about {epochs * total:,} images in total. More epochs help as long as val_loss falls.",
    )


def _training(found: Survey, epochs: int, rate: float) -> dict:
    return {
        "epochs": epochs,
        "batch_size": int(np.clip(found.images["train"] // 8, 2, 64)),
        "optimizer": {"name": "adamw", "learning_rate": rate, "weight_decay": 0.01},
        "schedule": {"name": "cosine", "warmup": 0.1},
    }


def _epochs(found: Survey, shown: int, most: int) -> int:
    """Return the epochs that show about `shown` images in total: at least 5, at most `most`."""
    return int(np.clip(shown // found.images["train"], 5, most))
