"""What is needed to repeat a run, beside its experiment and its data: command, repository, packages, environment."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from kerasexp.config.experiment_catalog import named_experiment
from kerasexp.errors import without_credentials
from kerasexp.runs.git_state import GitState, git_state
from kerasexp.saving.saved_files import RunFiles
from kerasexp.storage import write_text

# Variables that change results, by the beginning of their names.
VARIABLES = (
    "CUDA_", "NVIDIA_TF32", "TF_CUDNN", "TF_DETERMINISTIC", "TF_DISABLE", "TF_ENABLE", "TF_FORCE", "TF_GPU", "TF_NUM", "TF_USE",
    "TF_XLA", "XLA_", "KERAS_BACKEND", "KERASEXP_DATA", "OMP_", "MKL_", "OPENBLAS_", "ONEDNN_", "DNNL_", "PYTHONHASHSEED",
)  # fmt: skip
# What no record may hold, should a variable be named so.
SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD")


@dataclass(frozen=True)
class Provenance:
    """Where a run comes from.

    Attributes:
        command: the words of the command line.
        folder: the working folder.
        file: the experiment's file; None if it is not read from one.
        git: the repository of the experiment's folder, or of the working folder; None outside of one.
        packages: what is installed, as `pip freeze` prints it.
        environment: variables that change results.
    """

    command: list[str]
    folder: str
    file: str | None
    git: GitState | None
    packages: list[str]
    environment: dict[str, str]

    def manifest_entry(self) -> dict[str, Any]:
        """Return what the manifest has of it: the diff is a file beside it."""
        git = None
        if self.git is not None:
            git = {key: value for key, value in vars(self.git).items() if key != "diff"}
            diff = self.git.diff
            git["changed"] = None if diff is None else bool(diff)
            git["diff_sha256"] = hashlib.sha256(diff.encode()).hexdigest() if diff else None
        return {**vars(self), "git": git}

    def write_diff(self, run: RunFiles) -> None:
        """Write `uncommitted.diff`; no file if nothing was uncommitted."""
        if self.git is not None and self.git.diff:
            write_text(run.diff, self.git.diff + "\n")


def find_provenance(place: str | None) -> Provenance:
    """Return the provenance of what this process is asked to run.

    Args:
        place: file or name of the experiment; None, or anything else, if it is not read from a file.
    """
    file = None if place is None else _file(place)
    # A shipped experiment lies in the repository of kerasexp, which is not the user's.
    own = file is not None and Path(place).is_file()
    folder = file.parent if own else Path.cwd()
    program = "kerasexp" if Path(sys.argv[0]).stem in ("kerasexp", "__main__") else sys.argv[0]
    return Provenance(
        [without_credentials(word) for word in (program, *sys.argv[1:])],
        str(Path.cwd()),
        None if file is None else str(file),
        git_state(folder),
        installed_packages(),
        {
            name: without_credentials(value)
            for name, value in sorted(os.environ.items())
            if name.startswith(VARIABLES) and not any(word in name for word in SECRETS)
        },
    )


def installed_packages() -> list[str]:
    """Return the installed packages as `pip freeze` prints them: `name==version`, or `name @ address`."""
    found = {_requirement(each) for each in distributions() if each.metadata["Name"]}
    return sorted(found, key=str.casefold)


def _requirement(package: Distribution) -> str:
    name = package.metadata["Name"]
    with suppress(ValueError, TypeError, OSError):
        source = json.loads(package.read_text("direct_url.json") or "null")
        if source is not None:
            version = source.get("vcs_info", {}).get("commit_id")
            return f"{name} @ {without_credentials(source['url'])}" + (
                f"@{version}" if version else f" ({package.version})"
            )
    return f"{name}=={package.version}"


def _file(place: str) -> Path | None:
    path = Path(place)
    with suppress(OSError, ValueError):
        if path.is_file():
            return path.resolve()
        named = named_experiment(path)
        return None if named is None else named.path.resolve()
    return None


# Of the command that this process executes; a task of a study or a search brings that of its own command.
_of_command: list[Provenance] = []


def remember_provenance(provenance: Provenance) -> None:
    """Let the runs that follow in this process have this provenance."""
    _of_command[:] = [provenance]


def provenance() -> Provenance:
    """Return the provenance of the runs of this process; it is found once, before anything is trained."""
    if not _of_command:
        remember_provenance(find_provenance(None))
    return _of_command[0]
