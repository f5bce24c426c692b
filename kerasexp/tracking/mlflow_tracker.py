"""Runs in MLflow: on a server, or in a store on this machine."""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kerasexp.config.track_section import Mlflow
from kerasexp.errors import without_credentials
from kerasexp.tracking.tracker import Point, RecordFile, RunRecord, TrackerDown

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Unless the user says otherwise. A server that does not answer within seconds counts as down; MLflow itself would try for many
# minutes.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
# Its pages for training, not those for language models, are opened first.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
# What MLflow takes in one request, of a name and of a value. Earlier servers take 500 characters of a value.
MOST_METRICS, MOST_PARAMETERS, MOST_TAGS = 1000, 100, 100
LONGEST_KEY, LONGEST_VALUE = 250, 500
FORBIDDEN = re.compile(r"[^\w\-. /]|[^\x00-\x7f]")
STATUS = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED"}
STOPPED = "KILLED"
# How the address of a store in a file of SQLite begins; its path follows.
SQLITE = "sqlite:///"
# Of the texts of libraries, what they come down to.
REASONS = {
    "refused": "connection refused",
    "timed out": "it does not answer in time",
    "read timeout": "it does not answer in time",
    "resolve": "no such host",
    "Name or service not known": "no such host",
    "reset by peer": "connection reset",
}
# MLflow's own names of tags, which its pages show.
OWN_TAGS = {
    "kerasexp.file": "mlflow.source.name",
    "kerasexp.git.commit": "mlflow.source.git.commit",
    "kerasexp.git.branch": "mlflow.source.git.branch",
    "kerasexp.git.remote": "mlflow.source.git.repoURL",
}


class MlflowTracker:
    """An MLflow server or store.

    Args:
        settings: the section `track.mlflow`.
        where: where the run was sent before, or None. The key `uri` and the environment go before it, but a relative path
            stays in the folder from which the run was sent first.
    """

    def __init__(self, settings: Mlflow, where: str | None):
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        import mlflow

        named = settings.uri or os.environ.get("MLFLOW_TRACKING_URI")
        self._uri = _store(named, where) if named else _absolute(where or mlflow.get_tracking_uri())
        self._experiment = settings.experiment
        self.where = without_credentials(self._uri)
        self._client = mlflow.MlflowClient(self._uri)

    def open(self, record: RunRecord, id: str | None, parent: str | None) -> MlflowRun:
        with _down_if_unreachable():
            if id is None:
                return MlflowRun(self._client, self.where, self._begin(record, parent))
            run = self._client.get_run(id)
            if run.info.lifecycle_stage == "deleted":
                raise ValueError(
                    f"the run {id} was deleted there; remove tracking.json of its directory to send it anew"
                )
            return MlflowRun(self._client, self.where, run)

    def _begin(self, record: RunRecord, parent: str | None):
        experiment = os.environ.get("MLFLOW_EXPERIMENT_ID") if self._experiment is None else None
        if parent is not None:
            experiment = self._client.get_run(parent).info.experiment_id
        if experiment is None:
            name = self._experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or record.experiment
            experiment = self._experiment_id(name)
        nested = {} if parent is None else {"mlflow.parentRunId": parent}
        with suppress(KeyError, OSError):  # an account without a name
            nested["mlflow.user"] = getpass.getuser()
        return self._client.create_run(
            experiment,
            start_time=round(record.started * 1000),
            tags={"mlflow.source.type": "LOCAL", **nested},
            run_name=record.name,
        )

    def _experiment_id(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        try:
            return self._client.create_experiment(name, tags=EXPERIMENT_TAGS)
        except MlflowException:
            found = self._client.get_experiment_by_name(name)  # another run was faster
            if found is None:
                raise
            return found.experiment_id


class MlflowRun:
    """A run in MLflow; see `TrackerRun`."""

    is_confirmed = True  # it answers each request

    def __init__(self, client: MlflowClient, where: str, run):
        self._client, self._known = client, dict(run.data.params)
        self.id = run.info.run_id
        is_server = where.startswith(("http://", "https://"))
        page = f"{where.rstrip('/')}/#/experiments/{run.info.experiment_id}/runs/{self.id}"
        self.link = page if is_server else f"{where}, which `mlflow ui --backend-store-uri {where}` shows"

    def send_parameters(self, parameters: Mapping[str, Any]) -> None:
        from mlflow.entities import Param, RunTag

        named = {key: _cut(_text(value), LONGEST_VALUE) for key, value in _keys(parameters)}
        new = [Param(key, value) for key, value in named.items() if key not in self._known]
        # MLflow lets no parameter change, as `training.epochs` does when a run is resumed for more.
        changed = [(key, value) for key, value in named.items() if self._known.get(key, value) != value]
        tags = [RunTag(_cut(f"kerasexp.changed.{key}", LONGEST_KEY), value) for key, value in changed]
        with _down_if_unreachable():
            for part in _parts(new, MOST_PARAMETERS):
                self._client.log_batch(self.id, params=part)
            for part in _parts(tags, MOST_TAGS):
                self._client.log_batch(self.id, tags=part)
        self._known |= {param.key: param.value for param in new}

    def send_tags(self, tags: Mapping[str, str], note: str) -> None:
        from mlflow.entities import RunTag

        found = {**tags, **{OWN_TAGS[key]: value for key, value in tags.items() if key in OWN_TAGS}}
        if note:
            found["mlflow.note.content"] = note
        sent = [
            RunTag(key, _cut(value, LONGEST_VALUE if key != "mlflow.note.content" else 5000))
            for key, value in found.items()
        ]
        with _down_if_unreachable():
            for part in _parts(sent, MOST_TAGS):
                self._client.log_batch(self.id, tags=part)

    def send_points(self, points: Sequence[Point]) -> None:
        from mlflow.entities import Metric

        sent = [
            Metric(key, value, round(point.time * 1000), point.step)
            for point in points
            for key, value in _keys(point.values)
        ]
        with _down_if_unreachable():
            for part in _parts(sent, MOST_METRICS):
                self._client.log_batch(self.id, metrics=part)

    def send_summary(self, end: Point) -> None:
        # MLflow draws metrics of step 0 alone as bars.
        self.send_points([Point(0, end.time, end.values)])

    def send_file(self, file: RecordFile) -> None:
        with _down_if_unreachable():
            if file.path is None:
                self._client.log_text(self.id, file.text, file.name)
            else:
                folder = file.name.rpartition("/")[0]
                self._client.log_artifact(self.id, str(file.path), folder or None)

    def set_status(self, status: str, ended: float | None) -> None:
        with _down_if_unreachable():
            if ended is None:
                self._client.update_run(self.id, STATUS.get(status, STOPPED))
            else:
                self._client.set_terminated(self.id, STATUS.get(status, STOPPED), round(ended * 1000))

    def close(self) -> None:
        """Nothing is open between requests."""


def _store(named: str, where: str | None) -> str:
    """Return the address of a store; one on this machine is the one of before, if that has this name in another folder."""
    found, tail = _absolute(named), os.sep + os.path.normpath(named.removeprefix(SQLITE))
    is_same = where is not None and found != named and where.startswith(SQLITE) == named.startswith(SQLITE)
    # A folder that was moved took its store along.
    return where if is_same and where.endswith(tail) and os.path.exists(where.removeprefix(SQLITE)) else found


def _absolute(uri: str) -> str:
    """Return the address of a store on this machine so that it is the same in any working folder."""
    for scheme in (SQLITE, ""):
        path = uri.removeprefix(scheme)
        if uri.startswith(scheme) and "://" not in path and not path.startswith("databricks") and ":" not in path:
            return scheme + os.path.abspath(path)
    return uri


@contextmanager
def _down_if_unreachable() -> Iterator[None]:
    """Turn an error of the connection, which MLflow's own error was raised from, into TrackerDown."""
    import requests

    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, requests.RequestException | ConnectionError | TimeoutError):
                raise TrackerDown(_reason(cause)) from None
            cause = cause.__cause__ or cause.__context__
        raise


def _reason(error: BaseException) -> str:
    """Return what went wrong in a connection, without the layers of libraries around it."""
    text = str(error)
    return next((reason for sign, reason in REASONS.items() if sign in text), text)


def _keys(values: Mapping) -> Iterator[tuple[str, object]]:
    """Yield names that MLflow accepts, each once, and their values."""
    used: set[str] = set()
    for key, value in values.items():
        plain = name = _cut(FORBIDDEN.sub("_", key), LONGEST_KEY)
        number = 1
        while name in used:
            number += 1
            name = f"{plain[: LONGEST_KEY - 8]}_{number}"
        used.add(name)
        yield name, value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _parts(items: list, length: int) -> Iterator[list]:
    for start in range(0, len(items), length):
        yield items[start : start + length]
