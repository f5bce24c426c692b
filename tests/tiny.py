"""A tiny experiment and its images, for tests that need them outside a fixture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

TINY = """
data:
  source: image_folder
  path: images
  test: 0.2
  validation: 0.2
  preprocessing: {size: [16, 16], framing: fit, invert: auto, contrast: stretch}
  augmentation: {shift: 0.1, rotation: 5}
model:
  name: cnn
  blocks: [{filters: 8, pool: 2, batch_norm: true}, {filters: 8, pool: 2}]
  head: {units: [16], dropout: 0.2}
training: {epochs: 3, batch_size: 8, optimizer: {name: adam, learning_rate: 0.01}}
reported: {val_accuracy: 0.5, note: made up}
report: {plots: false}
"""


def draw_images(folder: Path) -> Path:
    """Draw 3 classes x 20 grey images of 60x80: a bar across, a bar upright, a disc, dark on white."""
    generator = np.random.default_rng(0)
    for name in ("across", "upright", "disc"):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            page = np.full((60, 80), 255, np.uint8)
            x, y = (int(v) for v in generator.integers((25, 20), (55, 40)))
            if name == "disc":
                cv2.circle(page, (x, y), int(generator.integers(8, 14)), 0, -1)
            else:
                step = (20, 2) if name == "across" else (2, 18)
                cv2.line(page, (x - step[0], y - step[1]), (x + step[0], y + step[1]), 0, int(generator.integers(3, 7)))
            cv2.imwrite(str(folder / name / f"{number:02d}.png"), page)
    return folder
