"""`data.cache`: the same splits, pixels, faults and batches with each; without a cache no image is held decoded."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from broken_images import make_set

from kerasexp.config import load_experiment
from kerasexp.config.augmentation_section import Augmentation, Crop
from kerasexp.config.data_section import Data, Preprocessing
from kerasexp.data.epoch_sampling import Sampling
from kerasexp.data.images_in_files import ImagesInFiles
from kerasexp.data.lazy_images import LazyImages
from kerasexp.data.pipeline import evaluation_batches, training_batches
from kerasexp.data.prepared_data import PreparedData, prepare
from kerasexp.environment import cache_folder
from kerasexp.errors import RunError, UserError
from kerasexp.runs.identity import identify
from kerasexp.training.callbacks import History
from kerasexp.training.training_state import TrainingState

CACHES = ("packed", "memory", "none")
SMALL = Preprocessing(size=[12, 16], channels=3, framing="fit")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Path:
    """Good images of every format, with broken ones among them."""
    folder = tmp_path_factory.mktemp("mixed") / "images"
    make_set(folder, 120, 20)
    return folder


@pytest.fixture
def readings(monkeypatch) -> list[str]:
    """The names of the images that are read from now on, with repetitions."""
    names, original = [], ImagesInFiles._one

    def counted(self, position, crop=None):
        names.append(self._stored.names[position])
        return original(self, position, crop)

    monkeypatch.setattr(ImagesInFiles, "_one", counted)
    return names


def prepared(path: Path, cache: str, **keys) -> PreparedData:
    return prepare(Data(**{"source": "image_folder", "path": str(path), "preprocessing": SMALL, **keys}, cache=cache))


def assert_equal(one: PreparedData, other: PreparedData) -> None:
    assert one.fingerprint == other.fingerprint and one.split_digests == other.split_digests
    assert sorted(one.faults) == sorted(other.faults) and one.notes == other.notes
    for name, split in one.splits.items():
        assert split.names == other.splits[name].names
        assert np.array_equal(split.labels, other.splits[name].labels)
        assert np.array_equal(np.asarray(split.images), np.asarray(other.splits[name].images))


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_each_cache_gives_the_same_splits_pixels_faults_and_notes(mixed, cache):
    packed = prepared(mixed, "packed")
    assert len(packed.faults) == 20 and len(packed.fingerprint) == 64
    for _ in range(2):
        assert_equal(prepared(mixed, cache), packed)


@pytest.mark.parametrize("labels", [{"few_shot": 20}, {"noise": 0.3}])
def test_edited_labels_and_other_splits_are_the_same_too(mixed, labels):
    for keys in ({}, {"split_seed": 3}):
        assert_equal(prepared(mixed, "none", labels=labels, **keys), prepared(mixed, "packed", labels=labels, **keys))


def test_without_a_cache_images_are_read_once_at_the_first_start_and_not_at_the_next(images, readings):
    first = prepared(images, "none")
    assert isinstance(first.splits["train"].images, ImagesInFiles)
    # Once for the digest of all pixels; a sample is compared for near duplicates and for few values.
    once = len(readings)
    assert {readings.count(name) for split in first.splits.values() for name in split.names} <= {1, 2, 3}
    again = prepared(images, "none")
    assert len(readings) == once
    assert again.fingerprint == first.fingerprint and again.notes == first.notes and again.faults == first.faults
    assert prepared(images, "none", split_seed=1).fingerprint != first.fingerprint
    assert len(readings) > once


def test_faults_are_remembered(mixed, readings):
    first, once = prepared(mixed, "none"), len(readings)
    assert sorted(prepared(mixed, "none").faults) == sorted(first.faults)
    assert len(readings) == once


def test_memory_writes_nothing_and_none_writes_no_image(images):
    prepared(images, "memory")
    assert not (cache_folder() / "images").exists()
    prepared(images, "none")
    written = [path for path in cache_folder().rglob("*") if path.is_file()]
    assert written and {path.suffix for path in written} == {".json"}


def test_a_file_that_changes_after_the_first_reading_is_named(images):
    data = prepared(images, "none")
    train = data.splits["train"]
    changed = images / train.names[3]
    cv2.imwrite(str(changed), np.zeros((60, 80), np.uint8))
    assert len(train.images[:3]) == 3
    with pytest.raises(RunError, match=f"{train.names[3]}: the file was changed or removed"):
        train.images[:5]
    assert prepared(images, "none").fingerprint != data.fingerprint


def test_an_image_that_changes_while_it_is_read_first_is_not_remembered(images, monkeypatch):
    original = ImagesInFiles._one
    spoilt = images / "disc" / "00.png"

    def spoil(self, position, crop=None):
        spoilt.touch()
        return original(self, position, crop)

    monkeypatch.setattr(ImagesInFiles, "_one", spoil)
    assert [name for name, _ in prepared(images, "none").faults] == ["disc/00.png"]
    monkeypatch.setattr(ImagesInFiles, "_one", original)
    assert prepared(images, "none").faults == []


@pytest.mark.parametrize("cache", ["packed", "none"])
def test_a_format_is_tried_again_once_its_package_is_installed(images, monkeypatch, cache):
    (images / "disc" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    for is_installed, reason in ((False, "which needs pip install"), (True, "is damaged or cut off")):
        missing = [] if is_installed else ["pillow_heif"]
        monkeypatch.setattr("kerasexp.data.image_cache.missing_of", lambda extra, missing=missing: missing)
        monkeypatch.setattr("kerasexp.data.pillow_decoding._reads_heif", lambda missing=missing: not missing)
        ((name, fault),) = prepared(images, cache).faults
        assert name == "disc/phone.heic" and reason in fault


def test_an_unwritable_cache_is_not_needed(mixed, tmp_path, monkeypatch):
    packed = prepared(mixed, "packed")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERASEXP_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        assert_equal(prepared(mixed, "none"), packed)


@pytest.mark.parametrize("content", ["", "[]", '{"0": ', '{"999": "x"}', '{"fingerprint": 1}'])
def test_a_damaged_record_is_replaced(images, content):
    first = prepared(images, "none")
    for file in (cache_folder() / "images").rglob("*.json"):
        file.write_text(content)
    for file in (cache_folder() / "facts").rglob("*.json"):
        file.write_text(content)
    assert_equal(prepared(images, "none"), first)


@pytest.mark.parametrize("cache", CACHES)
def test_faults_stop_where_they_are_errors_and_where_nothing_is_left(mixed, images, cache):
    with pytest.raises(RunError, match="20 images cannot be read, and data.on_corrupt is error"):
        prepared(mixed, cache, on_corrupt="error")
    for file in images.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(UserError, match="none of the 60 images can be read"):
        prepared(images, cache)


def test_arrays_are_in_memory_anyway():
    np.savez("p.npz", x=np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8), y=np.arange(60) % 2)
    for size, is_lazy in (([8, 8], False), ([6, 6], True)):
        keys = {"source": "npz", "path": "p.npz", "preprocessing": Preprocessing(size=size)}
        data = [prepare(Data(**keys, cache=cache)) for cache in CACHES]
        assert isinstance(data[2].splits["train"].images, LazyImages) is is_lazy
        assert len({found.fingerprint for found in data}) == 1


def test_the_same_pixels_are_the_same_run_except_that_crops_of_stored_images_are_others(tiny_yaml):
    found = {}
    for crop in ("null", "{}"):
        for cache in CACHES:
            changes = [f"data.cache={cache}", f"data.augmentation.crop={crop}"]
            experiment = load_experiment(tiny_yaml, changes)
            found[crop, cache] = identify(experiment, prepare(experiment.data), None).run
    assert len({found["null", cache] for cache in CACHES}) == 1
    assert found["{}", "packed"] == found["{}", "memory"] != found["{}", "none"]
    assert found["null", "none"] not in (found["{}", "packed"], found["{}", "none"])


def test_a_wrong_cache_is_refused_with_the_allowed_ones(cli, tiny_yaml):
    answer = cli("check", tiny_yaml, "--set", "data.cache=disk")
    assert answer.code == 2 and "data.cache" in answer.err
    assert all(cache in answer.err for cache in CACHES) and "Traceback" not in answer.err


# Batches


CROPPED = Augmentation(crop=Crop(), rotation=10)


def stream(data: PreparedData, augmentation: Augmentation | None, start: tuple[int, int] = (0, 0)) -> list[np.ndarray]:
    batches = training_batches(data.splits["train"], Sampling(8), 5, augmentation, 3, start)
    return [part.numpy() for batch in batches for part in batch]


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def test_batches_are_the_same_with_each_cache_until_images_are_cropped(images):
    for augmentation, are_equal in ((None, True), (Augmentation(rotation=10), True), (CROPPED, False)):
        packed, memory, none = (stream(prepared(images, cache), augmentation) for cache in CACHES)
        assert equal(packed, memory) and equal(packed, none) is are_equal


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("start", [(1, 0), (1, 3), (2, 1)])
def test_batches_follow_from_seed_and_epoch_with_each_cache(images, cache, start):
    data = prepared(images, cache)
    unbroken, steps = stream(data, CROPPED), -(-len(data.splits["train"]) // 8)
    assert equal(stream(data, CROPPED, start), unbroken[2 * (start[0] * steps + start[1]) :])
    assert not equal(unbroken[: 2 * steps], unbroken[2 * steps : 4 * steps])


def test_a_crop_of_a_stored_image_has_its_detail(tmp_path):
    """Of lines that are too fine for the input, a crop of the stored image shows more than one of the small image."""
    lines = np.zeros((256, 256), np.uint8)
    lines[:, ::16] = 255
    for kind in ("a", "b"):
        (tmp_path / "lines" / kind).mkdir(parents=True)
        for number in range(10):
            cv2.imwrite(str(tmp_path / "lines" / kind / f"{number}.png"), lines)
    small = Preprocessing(size=[16, 16])
    how = Augmentation(crop=Crop(area=[0.05, 0.1]))
    contrast = {}
    for cache in ("memory", "none"):
        data = prepared(tmp_path / "lines", cache, preprocessing=small)
        contrast[cache] = np.mean([part.std() for part in stream(data, how) if part.ndim == 4])
    assert contrast["memory"] < 1 and contrast["none"] > 20


def test_framing_by_ink_crops_the_framed_image(images):
    center = Preprocessing(size=[16, 16], framing="center", invert="auto")
    packed, none = (stream(prepared(images, cache, preprocessing=center), CROPPED) for cache in ("packed", "none"))
    assert equal(packed, none)


def test_evaluation_batches_of_files_equal_those_of_memory(images):
    memory, none = (prepared(images, cache).splits["train"] for cache in ("memory", "none"))
    for labels in (None, memory.labels):
        found = [list(evaluation_batches(split.images, labels, 10)) for split in (memory, none)]
        one, other = ([part if labels is None else part[0] for part in batches] for batches in found)
        assert all(map(np.array_equal, one, other)) and len(one) == len(other)


@pytest.mark.parametrize(("owner", "method"), [(History, "on_epoch_end"), (TrainingState, "finish")])
def test_a_file_that_vanishes_during_or_after_a_training_ends_the_run_with_its_name(
    cli, tiny_yaml, monkeypatch, owner, method
):
    original = getattr(owner, method)

    def vanish(*arguments):
        for file in Path("images").rglob("*.png"):
            file.unlink(missing_ok=True)
        original(*arguments)

    monkeypatch.setattr(owner, method, vanish)
    answer = cli("run", tiny_yaml, "--set", "data.cache=none", "--run-dir", "here")
    assert answer.code == 1 and ".png: the file was changed or removed" in answer.err
    assert "Traceback" not in answer.err and answer.err.startswith("error: ")


def test_evaluate_takes_a_cache_and_gives_the_same(cli, finished_runs, images):
    (images / "disc" / "broken.png").write_bytes(b"")
    checkpoint = finished_runs / "runs" / "tiny" / "1"
    arguments = ["evaluate", checkpoint, "--data", "image_folder", "--data-path", images, "--format", "json"]
    packed, *others = (cli(*arguments, "--set", f"data.cache={cache}") for cache in CACHES)
    assert packed.code == 0, packed.err
    assert "disc/broken.png" in packed.out + packed.err
    found = [json.loads(answer.out) for answer in (packed, *others)]
    assert found[0]["accuracy"] > 0.5 and all(metrics == found[0] for metrics in found)
