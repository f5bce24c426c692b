"""The results of a study, from runs that are made up instead of trained."""

from pathlib import Path

import numpy as np

from kerasexp.config.study_section import load_mapping
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.finished_run import FinishedRun
from kerasexp.studies.results import RunOutcome, gather_results
from kerasexp.studies.table import difference_sentences


def made_up(experiment, accuracy: float, **images: str) -> FinishedRun:
    """A run of an accuracy; `images` identifies those of a split where they are not the usual ones."""
    identities = {"train": "usual", "val": "usual", "test": "usual", **images}
    data = {"identities": identities, "absence": None, "images": {"train": 9}}
    split = {"accuracy": accuracy, "macro_recall": accuracy, "macro_f1": accuracy}
    metrics = {"kept_epoch": 1, "val": split, "test": split, "epochs": 1, "train_seconds": 1.0}
    history = {"epoch": np.array([1.0]), "accuracy": np.array([accuracy])}
    manifest = {"stand_ins": [], "parameters": 1, "data": data}
    return FinishedRun(RunDirectory(Path("run")), experiment, manifest, metrics, history, None)


def test_accuracies_on_other_images_are_not_compared():
    images = {"first": {}, "same": {}, "tested": {"test": "others"}, "validated": {"val": "others"}}
    study = load_mapping({"data": "digits", "seeds": [0, 1], "variants": {name: {} for name in images}})
    places = [(name, seed) for name in images for seed in study.seeds]
    outcomes = [RunOutcome(name, seed, f"{name}/{seed}", "finished") for name, seed in places]
    runs = {(name, seed): made_up(study.variants[name], 0.5 + seed / 10, **images[name]) for name, seed in places}
    found = gather_results(study, outcomes, runs)
    compared = {
        v.name: {metric for metric, given in v.differences.items() if given is not None} for v in found.variants
    }
    both = {"test_accuracy", "val_accuracy"}
    assert compared == {"first": set(), "same": both, "tested": {"val_accuracy"}, "validated": {"test_accuracy"}}
    assert [sentence.partition(" ")[0] for sentence in difference_sentences(found)] == ["same", "validated"]
    assert [(note.kind, note.text) for note in found.notes] == [
        ("warning", "tested: other test images than first, so no difference on test is given."),
        ("remark", "validated: other val images than first, so no difference on val is given."),
    ]
