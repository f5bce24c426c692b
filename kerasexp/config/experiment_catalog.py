"""The experiments of a folder by name, those that are shipped, and the question that each answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasexp.config.shipped_files import shipped_checkpoints, shipped_folder
from kerasexp.config.yaml_paths import is_there
from kerasexp.errors import Problem, UserError

# The folder of the working folder whose experiments have names, as the shipped ones have.
OWN = Path("experiments")
ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class NamedExperiment:
    """An experiment that was asked for by name.

    Attributes:
        path: its file.
        hidden: the shipped experiment of the same name, which the file replaces; None if there is none.
    """

    path: Path
    hidden: Path | None = None


def experiments_in(folder: Path) -> dict[str, Path]:
    """Return the experiments below a folder by name, `mlp/mlp` for `mlp/mlp.yaml`; folders that begin with _ hold bases."""
    paths = sorted(path for path in folder.rglob("*.y*ml") if path.suffix in ENDINGS) if folder.is_dir() else []
    within = [path.relative_to(folder) for path in paths]
    return {
        path.with_suffix("").as_posix(): folder / path
        for path in within
        if not any(part.startswith(("_", ".")) for part in path.parts)
    }


def shipped_experiments() -> dict[str, Path]:
    """Return the shipped experiments by name."""
    return experiments_in(shipped_folder("experiments"))


def named_experiment(name: str | Path) -> NamedExperiment | None:
    """Return the experiment of a name, such as `part1_digits` or `mlp/mlp`; None if there is none.

    It is looked for in the working folder, then in `./experiments`, then among the shipped ones.
    """
    name = Path(name)
    if name.is_absolute() or name.suffix in ENDINGS or ".." in name.parts:
        return None
    shipped = shipped_experiments().get(name.as_posix())
    for folder in (Path(), OWN):
        for ending in ENDINGS:
            path = folder / f"{name}{ending}"
            if is_there(path) and path.is_file():
                is_same = shipped is not None and path.samefile(shipped)
                return NamedExperiment(path, None if is_same else shipped)
    return None if shipped is None else NamedExperiment(shipped)


def experiment_names() -> list[str]:
    """Return the names of `./experiments` and of the shipped experiments."""
    return list(dict.fromkeys([*experiments_in(OWN), *shipped_experiments()]))


def experiment_lines(folder: Path) -> Iterator[str]:
    """Yield one line per experiment of a folder: its path and its question.

    Raises:
        UserError: there is no such folder, or no experiment in it.
    """
    if not folder.is_dir():
        raise UserError(Problem("no such folder", str(folder)))
    experiments = experiments_in(folder)
    if not experiments:
        raise UserError(Problem("holds no experiment (*.yaml)", str(folder)))
    yield from _lines({str(path): path for path in experiments.values()})


def named_lines() -> Iterator[str]:
    """Yield a line per experiment of `./experiments`, per shipped experiment and per shipped checkpoint, by name."""
    own, shipped = experiments_in(OWN), shipped_experiments()
    if own and not OWN.samefile(shipped_folder("experiments")):
        yield f"experiments in ./{OWN}"
        yield from _lines(own, indent="  ")
    yield "experiments shipped with kerasexp: `run NAME` takes one from any folder, `new --example NAME` copies it"
    yield from _lines(shipped, indent="  ")
    yield "checkpoints shipped with kerasexp: `predict NAME IMAGE`"
    for name, folder in shipped_checkpoints().items():
        yield f"  {_title(folder / 'README.md', name)}"


def _lines(experiments: dict[str, Path], indent: str = "") -> Iterator[str]:
    width = max(map(len, experiments), default=0)
    for name, path in experiments.items():
        yield f"{indent}{name:<{width}}  {question_of(path)}".rstrip()


def question_of(path: Path) -> str:
    """Return the first line of an experiment's comment."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            comments = [line[1:].strip() for line in file if line.startswith("#")]
    except OSError:
        return "(cannot be read)"
    return next((c for c in comments if c and not c.startswith("yaml-language-server")), "")


def _title(page: Path, name: str) -> str:
    """Return the heading of a Markdown page, or the name where there is none."""
    try:
        first = page.read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return name
    return first.removeprefix("#").strip() or name
