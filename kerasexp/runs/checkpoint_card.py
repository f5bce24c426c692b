"""The card of a checkpoint, its `README.md`: a model card in the format of Hugging Face, written from what the run measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from kerasexp.config import Experiment
from kerasexp.config.track_section import TRACK
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.runs.directory import RunDirectory
from kerasexp.runs.reject_results import reject_sentence
from kerasexp.runs.results import Results
from kerasexp.runs.stroke_width_results import stroke_width_sentence
from kerasexp.storage import write_text

# Metrics of the table: key and label. Rows that a run does not have are left out.
METRICS = {
    "accuracy": "accuracy",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
    "macro_average_precision": "macro average precision",
    "case_insensitive_accuracy": "accuracy without letter case",
    "ece_calibrated": "calibration error, calibrated",
}
# Metrics of the model index, with the names that Hugging Face has for them.
INDEXED = {"accuracy": "accuracy", "macro_f1": "f1"}
# Classes and pairs that are named as weak, and most classes that are listed.
WEAKEST, LISTED = 5, 100
LOADING = """
    import keras

    model = keras.models.load_model("model_raw.keras")
    image = keras.utils.img_to_array(keras.utils.load_img("image.png"))
    probabilities = model.predict(image[None])[0]  # in the order of the classes in classes.json
"""


def write_card(run: RunDirectory, results: Results, manifest: dict[str, Any]) -> None:
    """Write the card: use, data, metrics with intervals, limits, training, and a field for the licence.

    Raises:
        RunError: the disk is full.
    """
    parts = [
        _front_matter(results, manifest),
        f"# {manifest['name']}",
        _purpose(results, manifest),
        "## Use",
        *_use(results, manifest),
        "## Data",
        *_data(manifest),
        "## Metrics",
        *_metrics(results.metrics, manifest.get("continues_finished", False)),
        "## Limits",
        "\n".join(f"- {sentence}" for sentence in _limits(results, manifest)),
        "## Training",
        *_training(results.experiment, results.metrics, manifest),
        "## Licence",
        _licence(results.experiment),
    ]
    write_text(run.card, "\n\n".join(part.strip("\n") for part in parts) + "\n")


def _front_matter(results: Results, manifest: dict[str, Any]) -> str:
    """Return the metadata that Hugging Face reads; a result has what its model index needs."""
    test = results.metrics["test"]
    found = [(key, test[key]) for key in INDEXED if test.get(key) is not None]
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"name": manifest["data"]["origin"], "type": results.experiment.data.source_name, "split": "test"},
        "metrics": [{"type": INDEXED[key], "name": METRICS[key], "value": round(value, 4)} for key, value in found],
    }
    content = {
        "license": results.experiment.report.license or "unknown",
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["keras", "kerasexp"],
        "model-index": [{"name": manifest["name"], "results": [result]}],
    }
    return f"---\n{dump_yaml(content)}---"


def _purpose(results: Results, manifest: dict[str, Any]) -> str:
    names, test = manifest["data"]["class_names"], results.metrics["test"]
    what = "Names the labels of an image" if results.experiment.data.multi_label else "Classifies images"
    rate = "exact match" if results.experiment.data.multi_label else "accuracy"
    stand_ins = "".join(
        f"\n\n**Stand-in: {sentence}. No metric is of the real data.**" for sentence in manifest["stand_ins"]
    )
    return (
        f"{what}: {len(names)} classes, test {rate} {test['accuracy']:.4f} on {test['images']:,} images (95 % interval "
        f"{test['accuracy_low']:.4f} to {test['accuracy_high']:.4f}).{stand_ins}"
    )


def _use(results: Results, manifest: dict[str, Any]) -> Iterator[str]:
    experiment, metrics = results.experiment, results.metrics
    raw, size, classes = manifest["raw_model"], experiment.data.preprocessing, len(results.test.class_names)
    calibrated = ", calibrated by the temperature in `calibration.json`" if metrics.get("temperature", 1) != 1 else ""
    yield f"Image files in, answers out{calibrated}:\n\n    python -m kerasexp predict THIS_FOLDER image.png"
    yield raw["sentence"]
    if raw["written"]:
        own = f"\n    import {', '.join(raw['imports'])}  # it has layers of kerasexp" if raw["imports"] else ""
        yield own + LOADING
    kind = "a probability of each label" if experiment.data.multi_label else "the probabilities of the classes"
    shape = ", ".join(map(str, (*size.size, size.channels)))
    yield (
        f"`model.keras` takes uint8 images [n, {shape}] that are preprocessed as `preprocessing.json` says, and gives {kind} of "
        f"`classes.json`, float32 [n, {classes}], as trained."
    )


def _data(manifest: dict[str, Any]) -> Iterator[str]:
    data = manifest["data"]
    counts = ", ".join(f"{count:,} {split}" for split, count in data["images"].items())
    yield f"{data['origin']}: {counts}."
    names, more = data["class_names"][:LISTED], len(data["class_names"]) - LISTED
    rest = f" and {more:,} more" if more > 0 else ""
    yield "Classes: " + ", ".join(f"`{name}`" if "`" not in name else name for name in names) + f"{rest}."
    notes = [*data["label_edits"], *([data["absence"]] if data["absence"] else []), *data["notes"]]
    if notes:
        yield "\n".join(f"- {note}" for note in notes)


def _metrics(metrics: dict[str, Any], continued: bool) -> Iterator[str]:
    rows = ["| metric | val | test | 95 % interval of test |", "|---|---|---|---|"]
    test = metrics["test"]
    for key, label in METRICS.items():
        if test.get(key) is not None:
            low, high = test.get(f"{key}_low"), test.get(f"{key}_high")
            interval = "" if low is None else f"{low:.4f} to {high:.4f}"
            val = metrics["val"].get(key)
            rows.append(f"| {label} | {'' if val is None else f'{val:.4f}'} | {test[key]:.4f} | {interval} |")
    yield "\n".join(rows)
    chosen_by = "cross-validation on train" if metrics.get("cross_validation") else "val"
    when = "after each training, which more epochs have continued" if continued else "once, after training"
    yield f"The test split was read {when}; what was chosen was chosen by {chosen_by}."
    if metrics["val"].get("macro_f1") is None and "thresholds" not in metrics:
        yield "The labels of val say what an image is NOT: the accuracy on val is estimated."


def _limits(results: Results, manifest: dict[str, Any]) -> Iterator[str]:
    metrics = results.metrics
    sure = bool(metrics.get("reject", {}).get("threshold"))
    answer = "may get one of them all the same, if it is not `unknown`" if sure else "gets one of them all the same"
    yield f"It knows these classes only. An image of anything else {answer}."
    yield (
        f"It was measured on {manifest['data']['origin']}. Images from other cameras, scanners, pens or people may be "
        "read worse; measure it on some of yours: `python -m kerasexp evaluate THIS_FOLDER --data image_folder --data-path IMAGES`."
    )
    rows = [
        (row["recall"], name, row["support"]) for name, row in metrics["test"]["per_class"].items() if row["support"]
    ]
    if weak := [row for row in sorted(rows)[:WEAKEST] if row[0] < 1]:
        yield "Lowest recall on test: " + ", ".join(f"`{name}` {recall:.4f} of {n:,}" for recall, name, n in weak) + "."
    if results.pairs:
        names = results.test.class_names
        pairs = (f"`{names[pair.first]}` and `{names[pair.second]}`" for pair in results.pairs[:WEAKEST])
        yield "Most confused on test: " + ", ".join(pairs) + "."
    yield from filter(None, (reject_sentence(metrics), stroke_width_sentence(metrics)))


def _training(experiment: Experiment, metrics: dict[str, Any], manifest: dict[str, Any]) -> Iterator[str]:
    versions, hardware = manifest["versions"], manifest["hardware"]
    yield (
        f"{manifest['parameters']:,} parameters, {metrics['epochs']:,} epochs in {metrics['train_seconds']:,.0f} s on "
        f"{', '.join(hardware['gpus']) or hardware['processor']}; kerasexp {versions['kerasexp']}, Keras {versions['keras']}. "
        "`python -m kerasexp run experiment.yaml` with this file, and the data beside it, trains it again:"
    )
    yield f"```yaml\n{dump_yaml(shared_keys(experiment)).strip()}\n```"


def shared_keys(experiment: Experiment) -> dict[str, Any]:
    """Return the keys that are not the default, without trackers and without the folders of this machine."""
    return _without_folders({key: value for key, value in experiment.changed().items() if key != TRACK})


def _without_folders(value: Any) -> Any:
    """Return the keys with only the last name of each absolute path, because other machines do not have its folders."""
    if isinstance(value, dict):
        # The name of a class may look like a path.
        return {key: inner if key == "class_names" else _without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_folders(inner) for inner in value]
    is_path = isinstance(value, str) and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute())
    return PureWindowsPath(value).name or value if is_path else value


def _licence(experiment: Experiment) -> str:
    if experiment.report.license is not None:
        return f"{experiment.report.license}. The data may have terms of their own."
    return "Not stated: set `report.license`, or write it here and in the first lines. The data may have terms of their own."
