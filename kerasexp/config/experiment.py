"""The experiment: one YAML file, resolved into a typed, validated object."""

from __future__ import annotations

from html import escape
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from kerasexp.config.custom_code import CustomMetric
from kerasexp.config.data_section import Data
from kerasexp.config.loss_section import MULTI_LABEL_LOSS
from kerasexp.config.model_section import Cnn, Model
from kerasexp.config.report_section import Report
from kerasexp.config.runtime_section import Runtime
from kerasexp.config.section_base import Section, ShortForm
from kerasexp.config.track_section import Track, TrackerWords
from kerasexp.config.training_section import Training
from kerasexp.config.yaml_text import dump_yaml


class Init(Section):
    """Weights to start from: those of another experiment, which is run first unless it has been run already."""

    experiment: str | Experiment = Field(description="The upstream experiment: a YAML file, or an experiment in full.")
    layers: Literal["all_but_head", "all_but_classes", "all", "none"] | list[str] = Field(
        "all_but_head",
        description="Layers whose weights are taken over: all_but_head (all before the dense head), all_but_classes (all but the "
        "last layer), all, none, or layer names.",
    )
    pseudo_labels: bool = Field(
        False,
        description="Learn from the predictions of the upstream model instead of labels that say what an image is NOT; a "
        "prediction is never the excluded class.",
    )
    freeze: list[str] = Field([], description="Names of layers that are not trained; `*` stands for any characters.")


class Experiment(Section):
    """One experiment: the data, the model, its training, and the metrics that a paper reports for it."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="Name of the experiment; default: the name of the file, with `_` for spaces.",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of weights, shuffling, augmentation and dropout.")
    data: Annotated[Data, ShortForm("source")] = Field(Data(), description="Images and labels.")
    model: Model = Field(Cnn(), description="The network.")
    init: Init | None = Field(None, description="Weights to start from; null: random ones.")
    training: Training = Field(Training(), description="How the network is trained.")
    metrics: list[Annotated[CustomMetric, ShortForm()]] = Field(
        [], description="Metrics of your own, which are measured on val and test beside the others."
    )
    runtime: Annotated[Runtime, ShortForm("devices")] = Field(Runtime(), description="The devices.")
    report: Report = Field(Report(), description="What the run report shows.")
    track: Annotated[Track, TrackerWords()] = Field(
        Track(),
        description="Trackers that the run is sent to: mlflow, wandb, or a list of both; they change no result.",
    )
    reported: dict[str, float | str] = Field(
        {}, description="Metrics that a paper reports, such as val_accuracy, and a note; shown beside ours, never used."
    )

    @model_validator(mode="before")
    @classmethod
    def _loss_of_several_labels(cls, raw: Any) -> Any:
        """Several labels an image have one loss, which needs no name."""
        match raw:
            case {"data": {"multi_label": True}}:
                training = raw.get("training", {})
                loss = training.get("loss", {}) if isinstance(training, dict) else None
                if isinstance(loss, dict):
                    return {**raw, "training": {**training, "loss": {"name": MULTI_LABEL_LOSS, **loss}}}
        return raw

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the experiment as YAML, without the keys that have their default."""
        return f"<pre>{escape(dump_yaml(self.changed()), quote=False)}</pre>"


Init.model_rebuild()
