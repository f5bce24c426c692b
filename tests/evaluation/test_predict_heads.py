"""What `predict` reads of files before it classifies them."""

from __future__ import annotations

from pathlib import Path

from kerasexp.data.image_files import several_images
from kerasexp.data.image_headers import START_BYTES
from kerasexp.evaluation.file_predictions import image_files


def test_the_note_on_several_pages_reads_the_first_bytes_of_ordinary_files(images):
    file = images / "disc" / "00.png"
    alone, *folder = image_files([file, images])
    assert alone.head() == file.read_bytes()[:START_BYTES] and len(folder) > 1
    assert all(found.head() == Path(found.name).read_bytes()[:START_BYTES] for found in folder)
    by_name, whole = {found.name: found for found in folder}, []
    assert several_images(list(by_name), lambda name: by_name[name].head(), whole.append) is None
    assert whole == []
