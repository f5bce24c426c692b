"""The section `track`: the trackers that a run is sent to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter
from pydantic_core import core_schema

from kerasexp.config.section_base import Section, ShortForm
from kerasexp.errors import closest, without_credentials

# The section.
TRACK = "track"
# Its files are always written.
TENSORBOARD = "tensorboard"
CHECKPOINT = "Whether the checkpoint is sent too."


def _no_credentials(uri: str) -> str:
    if without_credentials(uri) != uri:
        raise ValueError(
            "holds a user name or a password, which each run directory would then hold too; "
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
        )
    return uri


class Mlflow(Section):
    """An MLflow server, or an MLflow store on this machine."""

    uri: Annotated[str, Field(min_length=1), AfterValidator(_no_credentials)] | None = Field(
        None,
        description="Address of the server, such as http://127.0.0.1:5000, or of the store, such as sqlite:///mlflow.db; "
        "null: MLFLOW_TRACKING_URI, or else MLflow's default.",
    )
    experiment: str | None = Field(
        None,
        min_length=1,
        description="Name of MLflow's experiment; null: MLFLOW_EXPERIMENT_NAME, or else the name of this experiment.",
    )
    with_checkpoint: bool = Field(True, description=CHECKPOINT)


class Wandb(Section):
    """Weights & Biases; the API key is that of `wandb login` or WANDB_API_KEY."""

    project: str | None = Field(None, min_length=1, description="Project; null: WANDB_PROJECT, or else kerasexp.")
    entity: str | None = Field(
        None, min_length=1, description="User or team; null: WANDB_ENTITY, or else the default of the account."
    )
    mode: Literal["online", "offline"] | None = Field(
        None,
        description="offline: files in `wandb/` of the run directory, for `wandb sync`; null: WANDB_MODE, or else online.",
    )
    with_checkpoint: bool = Field(True, description=CHECKPOINT)


class Track(Section):
    """The trackers: `track: mlflow`, `track: [mlflow, wandb]`, or a mapping with their keys.

    A tracker that does not answer neither stops nor slows a training; `track sync` sends what is missing.
    """

    mlflow: Mlflow | None = Field(None, description="MLflow (pip install 'kerasexp[mlflow]'); null: not used.")
    wandb: Wandb | None = Field(None, description="Weights & Biases (pip install 'kerasexp[wandb]'); null: not used.")
    tensorboard: Literal[True] = Field(
        True, description="TensorBoard's files, which are always written, to `tensorboard/` of the run directory."
    )

    @property
    def remote(self) -> dict[str, Mlflow | Wandb]:
        """The settings of the trackers that a run is sent to, by name."""
        settings = {"mlflow": self.mlflow, "wandb": self.wandb}
        return {name: setting for name, setting in settings.items() if setting is not None}


class TrackerWords(ShortForm):
    """Annotation of `track`, for which the name of a tracker or a list of names may stand."""

    def in_full(self, value: Any) -> Any:
        """Return the mapping that one or more names stand for; anything else stays as it is."""
        if isinstance(value, str):
            return {value: True if value == TENSORBOARD else {}}
        if isinstance(value, list) and value and all(isinstance(item, str | dict) for item in value):
            return {name: keys for item in value for name, keys in self.in_full(item).items()}
        return value

    def _checked(self, value: Any) -> Any:
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str) and item not in Track.model_fields:
                given = f"{without_credentials(item)!r:.60}"
                raise ValueError(
                    f"got {given}{closest(item, Track.model_fields)}; allowed: {', '.join(Track.model_fields)}"
                )
        return self.in_full(value)

    def __get_pydantic_core_schema__(self, source, handler):
        return core_schema.no_info_before_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, core, handler):
        full, words = handler(core), {"type": "string", "enum": list(Track.model_fields)}
        return {"anyOf": [full, words, {"type": "array", "minItems": 1, "items": {"anyOf": [words, full]}}]}


def read_track(raw: Mapping[str, Any]) -> Track:
    """Return the section of the keys of an experiment, a study or a search.

    Raises:
        ValueError: it is not valid.
    """
    return _TRACK.validate_python(raw.get(TRACK, {}))


_TRACK: TypeAdapter[Track] = TypeAdapter(Annotated[Track, TrackerWords()])
