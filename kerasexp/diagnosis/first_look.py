"""`diagnose --look-only`: what the data alone show, without TensorFlow, without a model, and without a page."""

from __future__ import annotations

import json
from dataclasses import replace

from kerasexp.console import Console
from kerasexp.diagnosis.advice import advise
from kerasexp.diagnosis.diagnosis_summary import as_json, as_text, data_facts
from kerasexp.diagnosis.results import Diagnosis, dataset_overview
from kerasexp.diagnosis.target import Target, check_files, load_target

NOT_LOOKED_AT = (
    "The labels were not assessed, and the images of train and test were not compared: --look-only trains nothing."
)


def look(target: Target, format: str, seed: int, console: Console) -> str:
    """Return counts, sizes, duplicates, broken and unusual images, and what to change, as text or JSON.

    Args:
        target: the data. Images that cannot be read are listed, whatever `data.on_corrupt` is.
        format: `table` or `json`.
        seed: of samples.
        console: shows the progress.

    Raises:
        UserError: the data are not available.
    """
    lenient = target.experiment.data.model_copy(update={"on_corrupt": "skip"})
    target = replace(target, experiment=target.experiment.model_copy(update={"data": lenient}))
    stored, preprocessing = check_files(target, console)
    data = load_target(target, preprocessing, console)
    overview = dataset_overview(data.splits, data.class_names, seed, trains=False)
    diagnosis = Diagnosis(overview, [], stored, [NOT_LOOKED_AT])
    section = target.experiment.data.model_copy(update={"preprocessing": preprocessing})
    training, model = (target.experiment.training, target.experiment.model) if target.from_file else (None, None)
    advice = advise(diagnosis, section, data.folders, training, model)
    if format == "json":
        values = {**data_facts(target.source, data), **as_json(diagnosis, advice), "page": None}
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    return "\n".join(as_text(diagnosis, advice))
