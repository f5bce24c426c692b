"""Frames of videos that lie in several splits are announced; images that are only alike are not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from kerasexp.config import experiment_from
from kerasexp.data.near_duplicates import near_duplicates
from kerasexp.data.prepared_data import Split, prepare


@pytest.fixture
def frames() -> str:
    """Four videos of each of two classes: a disc that moves over a still background, with the noise of a camera."""
    generator = np.random.default_rng(0)
    for kind, ink in (("bright", 255), ("dark", 0)):
        Path("frames", kind).mkdir(parents=True)
        for video in range(4):
            coarse = generator.integers(0, 256, (8, 8, 3)).astype(np.uint8)
            still = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
            for number in range(30):
                frame = cv2.circle(still.copy(), (10 + 2 * number, 48), 8, (ink,) * 3, -1)
                noisy = np.clip(frame + generator.normal(0, 6, frame.shape), 0, 255).astype(np.uint8)
                cv2.imwrite(f"frames/{kind}/v{video}_{number:03d}.png", noisy)
    return "frames"


def notes_of(source: str, path: str | None = None, **keys) -> list[str]:
    data = {"source": source, "preprocessing": {"size": [48, 48], "channels": 3}, **keys}
    section = experiment_from({"name": "x", "data": data | ({} if path is None else {"path": path})}).data
    return [note for note in prepare(section).notes if "nearly the same" in note]


def test_frames_of_one_video_in_several_splits_are_announced_and_groups_keep_them_together(frames):
    (note,) = notes_of("image_folder", frames)
    assert "compared images of val and " in note and "data.groups keeps images that belong together" in note
    assert notes_of("image_folder", frames, groups="(v[0-9])_", validation=0.25, test=0.25) == []


def test_digits_are_alike_and_no_near_duplicates():
    assert notes_of("digits", preprocessing={"size": [28, 28]}) == []


@pytest.mark.parametrize("shade", [0, 3, 128])
def test_nearly_black_and_blank_images_are_no_near_duplicates(shade):
    """Each has the same shade but for a little noise, as most of a microscope's field does."""
    images = (shade + np.random.default_rng(0).integers(0, 4, (60, 32, 32, 1))).astype(np.uint8)
    names, labels = [f"{k}.png" for k in range(60)], np.zeros(60, np.int64)
    splits = {"train": Split(images[:40], labels[:40], names[:40]), "val": Split(images[40:], labels[40:], names[40:])}
    assert near_duplicates(splits) is None


def test_equal_images_are_left_to_the_sentence_about_them():
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1)).astype(np.uint8)
    split = Split(images, np.zeros(40, np.int64), [f"{k}.png" for k in range(40)])
    assert near_duplicates({"train": split, "val": split}) is None
