"""The image cache: images are decoded once, damaged entries are replaced, and no run needs the cache."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.data.image_cache import decode_cached
from kerasexp.data.source import BrokenImage, Images, PassingFault
from kerasexp.environment import cache_folder

HOW = Preprocessing(size=[8, 8])


class Stored:
    """Four images of 16x16, number `broken` of them unreadable; counts how often one is read."""

    def __init__(self, digest: str = "content", broken: int | None = None, names: str = "abcd", fault=BrokenImage):
        self.reads = 0
        self.broken, self.fault = broken, fault
        self.images = Images(list(names), np.arange(4), self.read, lambda: digest)

    def read(self, position: int, min_side: int | None) -> np.ndarray:
        self.reads += 1
        if position == self.broken:
            raise self.fault("a hole in it \udcff")
        return np.full((16, 16, 1), 50 * position, np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("KERASEXP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


def entry(cache: Path) -> Path:
    (folder,) = cache.glob("*/*")
    return folder


def shades(decoded) -> list[int]:
    return decoded.images[:, 0, 0, 0].tolist()


def test_images_are_decoded_once():
    stored = Stored()
    first = decode_cached(stored.images, HOW)
    assert stored.reads == 4
    again = decode_cached(stored.images, HOW)
    assert stored.reads == 4
    assert np.array_equal(first.images, again.images)
    assert first.images.shape == (4, 8, 8, 1) and first.images.dtype == np.uint8
    assert shades(again) == [0, 50, 100, 150]
    assert again.kept.tolist() == [0, 1, 2, 3] and again.faults == []


def test_progress_is_reported_while_decoding_but_not_from_the_cache():
    progress = []
    decode_cached(Stored().images, HOW, lambda done, total: progress.append((done, total)))
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    decode_cached(Stored().images, HOW, lambda done, total: progress.append((done, total)))
    assert len(progress) == 4


@pytest.mark.parametrize(
    "change",
    [{"size": [8, 9]}, {"channels": 3}, {"framing": "fit"}, {"invert": "auto"}, {"contrast": "stretch"}],
    ids=str,
)
def test_other_preprocessing_is_decoded_again(change):
    decode_cached(Stored().images, HOW)
    stored = Stored()
    decode_cached(stored.images, HOW.model_copy(update=change))
    assert stored.reads == 4


@pytest.mark.parametrize("other", [{"digest": "other content"}, {"names": "abce"}], ids=str)
def test_other_content_is_decoded_again(other):
    decode_cached(Stored().images, HOW)
    stored = Stored(**other)
    decode_cached(stored.images, HOW)
    assert stored.reads == 4


def test_a_subset_has_its_own_entry():
    stored = Stored()
    decode_cached(stored.images, HOW)
    assert shades(decode_cached(stored.images.take(np.array([3, 1])), HOW)) == [150, 50]


def test_faults_are_cached():
    stored = Stored(broken=2)
    first, again = decode_cached(stored.images, HOW), decode_cached(stored.images, HOW)
    assert stored.reads == 4
    for decoded in (first, again):
        assert decoded.kept.tolist() == [0, 1, 3]
        assert decoded.faults == [("c", "a hole in it \udcff")]
        assert shades(decoded) == [0, 50, 150]


def test_faults_that_may_pass_are_not_cached():
    decoded = decode_cached(Stored(broken=2, fault=PassingFault).images, HOW)
    assert shades(decoded) == [0, 50, 150] and decoded.faults == [("c", "a hole in it \udcff")]
    assert shades(decode_cached(Stored().images, HOW)) == [0, 50, 100, 150]


def test_a_set_without_readable_images_is_cached():
    def broken(position: int, min_side: int | None):
        raise BrokenImage("no")

    images = Images(["a", "b"], np.arange(2), broken, lambda: "content")
    for _ in range(2):
        decoded = decode_cached(images, HOW)
        assert len(decoded.images) == len(decoded.kept) == 0 and len(decoded.faults) == 2


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", ["images.npy", "meta.json"])
def test_a_truncated_entry_is_replaced(cache, name, share):
    decode_cached(Stored().images, HOW)
    file = entry(cache) / name
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    stored = Stored()
    assert shades(decode_cached(stored.images, HOW)) == [0, 50, 100, 150]
    assert stored.reads == 4
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("images.npy", b"garbage" * 40),
        ("images.npy", bytes(400)),
        ("images.npy", b"PK\x03\x04" + bytes(400)),
        (
            "images.npy",
            b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (" + b" " * 60 + b"\n",
        ),
        ("meta.json", b"\xff\xfe"),
        ("meta.json", bytes(60)),
        ("meta.json", b"{}"),
        ("meta.json", b"[]"),
        ("meta.json", b"null"),
        ("meta.json", b'{"kept": {"0": 1}, "faults": []}'),
        ("meta.json", b'{"kept": [0, 1, 2, 3], "faults": 5}'),
        ("meta.json", b'{"kept": [0, 1, 2], "faults": []}'),
        ("meta.json", b'{"kept": [0, 1, 2, 4], "faults": []}'),
    ],
    ids=str,
)
def test_a_damaged_entry_is_replaced(cache, name, content):
    decode_cached(Stored().images, HOW)
    (entry(cache) / name).write_bytes(content)
    stored = Stored()
    assert shades(decode_cached(stored.images, HOW)) == [0, 50, 100, 150]
    assert stored.reads == 4


def test_an_entry_of_another_shape_is_replaced(cache):
    decode_cached(Stored().images, HOW)
    np.save(entry(cache) / "images.npy", np.zeros((4, 2, 2), np.float64))
    assert decode_cached(Stored().images, HOW).images.shape == (4, 8, 8, 1)


@pytest.mark.parametrize("name", ["images.npy", "meta.json"])
def test_an_incomplete_entry_is_replaced(cache, name):
    decode_cached(Stored().images, HOW)
    (entry(cache) / name).unlink()
    assert shades(decode_cached(Stored().images, HOW)) == [0, 50, 100, 150]
    assert (entry(cache) / name).exists()


def test_nothing_is_left_beside_the_entry(cache):
    for _ in range(2):
        decode_cached(Stored().images, HOW)
        (entry(cache) / "meta.json").write_text("damaged")
    decode_cached(Stored(broken=0).images, HOW)
    assert sorted(path.name for path in entry(cache).iterdir()) == ["images.npy", "meta.json"]
    assert len(json.loads((entry(cache) / "meta.json").read_text())["kept"]) == 3


def test_objects_in_a_forged_cache_are_not_unpickled(cache, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    decode_cached(Stored().images, HOW)
    np.save(entry(cache) / "images.npy", np.array([Trap()] * 4, dtype=object), allow_pickle=True)
    assert shades(decode_cached(Stored().images, HOW)) == [0, 50, 100, 150]
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("place", ["cache", "cache/images"])
def test_an_unwritable_cache_is_not_needed(tmp_path, place):
    blocked = tmp_path / place
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("a file where a folder should be")
    for _ in range(2):
        stored = Stored(broken=1)
        assert shades(decode_cached(stored.images, HOW)) == [0, 100, 150]
        assert stored.reads == 4
    assert blocked.read_text() == "a file where a folder should be"


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("KERASEXP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "kerasexp"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "kerasexp"
