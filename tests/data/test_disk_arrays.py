"""Images that stay on disk: every access gives the same as in memory."""

import pickle

import numpy as np
import pytest

from kerasexp.config.data_section import Preprocessing
from kerasexp.data import image_cache, lazy_images
from kerasexp.data.disk_arrays import ImagesOnDisk, ImagesWriter
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.image_cache import decode_cached
from kerasexp.data.lazy_images import chunks
from kerasexp.data.pipeline import evaluation_batches, training_batches
from kerasexp.data.prepared_data import Split
from kerasexp.data.source import BrokenImage, ChangedImage, Images

STORED = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3)).astype(np.uint8)


@pytest.fixture
def images(tmp_path) -> ImagesOnDisk:
    np.save(tmp_path / "images.npy", STORED)
    return ImagesOnDisk(tmp_path / "images.npy")


@pytest.fixture
def little_memory(monkeypatch, tmp_path):
    """More than ten images of 6x5 stay on disk, and four are decoded at a time."""
    monkeypatch.setenv("KERASEXP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(image_cache, "MAX_IN_MEMORY", 10 * 6 * 5 * 3)
    monkeypatch.setattr(lazy_images, "CHUNK_IMAGES", 4)


@pytest.mark.parametrize(
    "key",
    [
        3,
        -1,
        slice(10, 20),
        slice(None),
        slice(40, 5, -3),
        [7, 8, 9, 3, 3],
        np.array([], np.int64),
        STORED[:, 0, 0, 0] > 99,
    ],
    ids=["one", "the last", "neighbours", "all", "backwards", "any order, one twice", "none", "by truth"],
)
def test_indexing_equals_that_of_an_array(images, key):
    assert np.array_equal(images[key], STORED[key]) and images[key].dtype == np.uint8


def test_take_does_not_read(images):
    order = np.random.default_rng(1).permutation(50)[:30]
    taken = images.take(order).take(np.arange(29, -1, -2))
    assert taken.shape == (15, 6, 5, 3) and len(taken) == 15
    assert np.array_equal(taken[2:9], STORED[order][::-2][2:9])
    assert np.array_equal(np.asarray(taken), STORED[order][::-2])


def test_pickling_gives_an_array(images):
    sent = pickle.loads(pickle.dumps(images.take(np.array([4, 2]))))
    assert isinstance(sent, np.ndarray) and np.array_equal(sent, STORED[[4, 2]])


def test_a_file_that_is_deleted_can_still_be_read(images, tmp_path):
    (tmp_path / "images.npy").unlink()
    assert np.array_equal(images[:], STORED)


def test_chunks_cover_all_images_in_order(images, monkeypatch):
    monkeypatch.setattr(lazy_images, "CHUNK_IMAGES", 7)
    for stored in (images, STORED):
        parts = list(chunks(stored))
        assert [len(part) for part in parts] == [7] * 7 + [1]
        assert np.array_equal(np.concatenate(parts), STORED)


@pytest.mark.parametrize(
    "content", [STORED.astype(np.float32), STORED[0], np.asfortranarray(STORED)], ids=["float", "3d", "columns"]
)
def test_a_file_of_another_format_is_refused(tmp_path, content):
    np.save(tmp_path / "other.npy", content)
    with pytest.raises(ValueError):
        ImagesOnDisk(tmp_path / "other.npy")


def test_a_file_that_is_cut_off_is_refused(images, tmp_path):
    whole = (tmp_path / "images.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-1])
    with pytest.raises(ValueError):
        ImagesOnDisk(tmp_path / "cut.npy")


def test_fewer_images_than_announced_may_be_written(tmp_path):
    with ImagesWriter(tmp_path / "written.npy", 10**9, (6, 5, 3)) as file:
        file.write(STORED[:20])
        file.write(STORED[20:33, ::-1])
    assert np.array_equal(np.load(tmp_path / "written.npy")[:20], STORED[:20])
    assert np.array_equal(ImagesOnDisk(tmp_path / "written.npy")[20:], STORED[20:33, ::-1])


def source(count: int, broken: tuple[int, ...] = (), error=BrokenImage) -> Images:
    def read(position, min_side=None):
        if position in broken:
            raise error("spoilt")
        return STORED[position]

    return Images([f"{i:02d}" for i in range(count)], np.arange(count) % 2, read, lambda: "content")


HOW = Preprocessing(size=[6, 5], channels=3)


def test_many_images_stay_on_disk_and_few_in_memory(little_memory):
    assert isinstance(decode_cached(source(10), HOW).images, np.ndarray)
    progress = []
    for _ in range(2):
        found = decode_cached(source(11, broken=(0, 5)), HOW, lambda *done: progress.append(done))
        kept = [1, 2, 3, 4, 6, 7, 8, 9, 10]
        assert found.kept.tolist() == kept and np.array_equal(found.images[:], STORED[kept])
        assert found.faults == [("00", "spoilt"), ("05", "spoilt")]
    assert progress == [(done, 11) for done in range(1, 12)]
    assert isinstance(decode_cached(source(12), HOW).images, ImagesOnDisk)


def test_images_that_change_while_being_read_are_not_cached(little_memory, tmp_path):
    found = decode_cached(source(12, broken=(3,), error=ChangedImage), HOW)
    assert np.array_equal(found.images[:], np.delete(STORED[:12], 3, axis=0))
    assert list((tmp_path / "cache" / "images").glob("*/*")) == []


def test_without_a_writable_cache_images_stay_in_memory(little_memory, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERASEXP_CACHE", str(tmp_path / "file"))
    images = decode_cached(source(12), HOW).images
    assert isinstance(images, np.ndarray) and np.array_equal(images, STORED[:12])


def test_batches_from_disk_equal_those_from_memory(images):
    labels = np.arange(50) % 3
    splits = [Split(stored, labels, [""] * 50) for stored in (images, STORED)]
    streams = [training_batches(split, Sampling(8), 0, None, 2) for split in splits]
    streams += [evaluation_batches(split.images, labels, 8) for split in splits]
    streams += [evaluation_batches(split.images, None, 8).map(lambda shown: (shown, shown)) for split in splits]
    for ours, theirs in zip(streams[::2], streams[1::2], strict=True):
        assert ours.element_spec == theirs.element_spec
        for mine, other in zip(ours, theirs, strict=True):
            assert np.array_equal(mine[0], other[0]) and np.array_equal(mine[1], other[1])


def test_what_a_system_reads_in_parts_is_read_to_its_end(images):
    class Short:
        """Reads at most 100 bytes in a call, as Linux does at most 2 GiB."""

        def __init__(self, file):
            self.file, self.name, self.seek = file, file.name, file.seek

        def readinto(self, target):
            return self.file.readinto(target[:100])

    images._file = Short(images._file)
    assert np.array_equal(np.asarray(images), STORED)


def test_large_images_are_held_in_smaller_parts():
    assert lazy_images.images_at_once((28, 28, 1)) == 1000
    assert lazy_images.images_at_once((1024, 1024, 3)) == 42
    assert lazy_images.images_at_once((100_000, 100_000, 3)) == 1
