"""Images that `pack` writes are read back unchanged, and so are the predictions of `predict`."""

from pathlib import Path

import numpy as np
import pytest
from folder_trees import images, write_folder, write_zip
from tables import labelled, load

from kerasexp.config import experiment_from
from kerasexp.console import QuietConsole
from kerasexp.data.image_export import export_images
from kerasexp.data.prepared_data import prepare
from kerasexp.errors import UserError
from kerasexp.evaluation.file_predictions import format_predictions, image_files

QUIET = QuietConsole()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_table_of_packed_images_gives_the_same_data(channels):
    write_folder(Path("d"), images("cat", "dog, old", "猫", each=10))
    how = {"size": [6, 6], "channels": channels}
    raw = {"source": "image_folder", "path": "d", "validation": 0.2, "test": 0.2, "preprocessing": how}
    experiment = experiment_from({"name": "e", "data": raw})
    assert export_images(experiment, Path("packed"), QUIET) == Path("packed")
    data = prepare(experiment.data)
    again = prepare(
        experiment_from(
            {"name": "e", "data": {"source": "table", "path": "packed/table.csv", "preprocessing": how}}
        ).data
    )
    assert again.class_names == data.class_names
    for name, split in data.splits.items():
        # Images have the order of their classes.
        order = np.argsort(split.labels, kind="stable")
        assert np.array_equal(again.splits[name].images, np.asarray(split.images)[order])
        assert np.array_equal(again.splits[name].labels, split.labels[order])


def test_groups_are_packed_as_well():
    write_folder(Path("d"), images("", each=12))
    lines = [f"{n}.png,{'ab'[n % 2]},w{n // 2}" for n in range(12)]
    Path("d/t.csv").write_text("\n".join(["image,label,group", *lines]))
    raw = {"source": "table", "path": "d/t.csv", "validation": 0.3, "test": 0.3, "preprocessing": {"size": [6, 6]}}
    export_images(experiment_from({"name": "e", "data": raw}), Path("packed"), QUIET)
    groups = [of.groups for of in load(Path("packed/table.csv")).splits.values()]
    assert sorted(group for own in groups for group in own) == sorted(f"w{n // 2}" for n in range(12))


def test_groups_of_names_are_packed_too():
    write_folder(Path("d"), images("a", "b", each=6))
    raw = {"source": "image_folder", "path": "d", "groups": r"(\d)\.png", "validation": 0.3, "test": 0.3}
    how = {"preprocessing": {"size": [6, 6]}}
    export_images(experiment_from({"name": "e", "data": raw | how}), Path("packed"), QUIET)
    splits = load(Path("packed/table.csv")).splits
    assert sorted(group for of in splits.values() for group in of.groups) == sorted("012345" * 2)
    assert sum(len(set(of.groups)) for of in splits.values()) == 6


@pytest.mark.parametrize("names", [None, {"0": "label", "1": "split", "2": "image", "3": "first"}])
def test_several_labels_an_image_are_packed_as_columns_and_an_image_may_have_none(names):
    values = np.random.default_rng(0).integers(0, 256, (40, 6, 6), np.uint8)
    labels = np.random.default_rng(1).integers(0, 2, (40, 4), np.uint8)
    labels[::5] = 0
    np.savez("p.npz", x=values, y=labels)
    how = {"multi_label": True, "preprocessing": {"size": [6, 6]}}
    raw = {"source": "npz", "path": "p.npz", "validation": 0.3, "test": 0.3, "class_names": names}
    experiment = experiment_from({"name": "e", "data": raw | how})
    export_images(experiment, Path("packed"), QUIET)
    data = prepare(experiment.data)
    table = {"source": "table", "path": "packed/table.csv"}
    again = prepare(experiment_from({"name": "e", "data": table | how}).data)
    assert sorted(again.class_names) == sorted(data.class_names)
    columns = [again.class_names.index(name) for name in data.class_names]
    for name, split in data.splits.items():
        found = again.splits[name]
        order = np.argsort(found.names)
        assert np.array_equal(found.labels[order][:, columns], split.labels)
        assert np.array_equal(np.asarray(found.images)[order], np.asarray(split.images))


def test_an_existing_folder_is_kept():
    Path("packed").mkdir()
    with pytest.raises(UserError, match="packed: --output: already exists"):
        export_images(experiment_from({"name": "e", "data": {"source": "digits"}}), Path("packed"), QUIET)


@pytest.mark.parametrize("place", ["d", "d.zip"])
def test_predictions_as_csv_are_a_table_of_labels(place):
    content = images("x", "y", each=3)
    (write_folder if place == "d" else write_zip)(Path(place), content)
    files = image_files([Path(place)])
    predictions = [
        {"file": file.name, "class": kind, "probability": 0.9, "top": [{"class": kind, "probability": 0.9}] * 2}
        for file, kind in zip(files, ["cat, old", "dog"] * 3, strict=True)
    ]
    Path("predicted.csv").write_text(format_predictions(predictions, "csv"))
    source = load(Path("predicted.csv"), **({} if place == "d" else {"images": "d.zip"}))
    expected = {file.name.removeprefix(f"{place}/"): p["class"] for file, p in zip(files, predictions, strict=True)}
    assert labelled(source) == expected
