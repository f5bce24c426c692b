"""62 characters drawn at 900x1200 as if by pen: the offline stand-in for handwritten scans."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from kerasexp.config.data_section import DataSource
from kerasexp.data import handwriting
from kerasexp.data.handwriting import CHARACTERS, render_character
from kerasexp.data.source import Images, Source, assign_labels, resolve_classes

WRITERS = 40


def load_rendered_scans(data: DataSource) -> Source:
    """Return 40 images of each of 0-9, A-Z and a-z, in folders named like those of the scans; an image is drawn when read."""
    folders = [f"Sample{number:03d}" for number in range(1, len(CHARACTERS) + 1)]
    by_folder = resolve_classes(folders, data.class_names or dict(zip(folders, CHARACTERS, strict=True)))
    stored = np.repeat(folders, WRITERS)
    kept, labels, names = assign_labels(stored, by_folder)
    writers = np.tile(np.arange(1, WRITERS + 1), len(folders))

    def read(position: int, min_side: int | None = None) -> np.ndarray:
        folder, writer = str(stored[kept[position]]), int(writers[kept[position]])
        return render_character(CHARACTERS[folders.index(folder)], writer)

    paths = [f"{stored[i]}/img{stored[i][-3:]}-{writers[i]:03d}.png" for i in kept]
    # The images depend only on the drawing code, so its text is their digest.
    digest = hashlib.sha256(Path(handwriting.__file__).read_bytes()).hexdigest
    return Source("characters drawn from fonts", names, by_folder, {"train": Images(paths, labels, read, digest)})
