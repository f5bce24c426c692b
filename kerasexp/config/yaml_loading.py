"""From a YAML file to a resolved experiment: bases, overrides, upstream experiments, rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasexp.config.code_keys import locate_code, locate_paths
from kerasexp.config.experiment import Experiment
from kerasexp.config.experiment_catalog import ENDINGS, experiment_names, named_experiment, shipped_experiments
from kerasexp.config.experiment_rules import broken_rules
from kerasexp.config.model_section import IMAGENET
from kerasexp.config.section_validation import file_of, quoted, validated
from kerasexp.config.shipped_files import shipped_checkpoints
from kerasexp.config.space_section import SEARCH, has_domains
from kerasexp.config.yaml_merging import apply_overrides, merge
from kerasexp.config.yaml_paths import data_folder, find_file, is_there
from kerasexp.config.yaml_text import read_yaml
from kerasexp.errors import Problem, UserError, closest, listing
from kerasexp.storage import safe_name

# Keys of several runs of an experiment, and of their executor.
STUDY_KEYS, EXECUTION_KEYS = ("variants", "seeds"), ("executor", "ray")
# Stands for the file of an experiment that is given as a mapping: its relative paths are looked for in the working folder.
MAPPING = Path("<dict>")
# More bases or upstream experiments in a row are a mistake, such as that of a program that writes them.
LONGEST_CHAIN = 20


def load_experiment(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read, merge and validate one experiment.

    Args:
        path: the YAML file.
        overrides: `dotted.key=value` strings, applied last; values are read as YAML.

    Raises:
        UserError: with every problem that was found, each with file and key.
    """
    path, files = existing(Path(path)), {}
    raw = with_base(path, files)
    refuse_study(raw, path)
    return resolved(raw, files, overrides, path.parent, path)


def refuse_study(raw: dict[str, Any], path: Path) -> None:
    """Raise UserError if a file that must hold one experiment holds a study or a search; drop what only `search` reads."""
    raw.pop(SEARCH, None)
    for key in STUDY_KEYS:
        if raw.get(key) is None:
            raw.pop(key, None)
    _refuse_domains(raw, path)
    key = next((key for key in (*STUDY_KEYS, *EXECUTION_KEYS) if key in raw), None)
    if key is not None:
        message = (
            "is a study of several runs, and one experiment is needed here; `run`, `show` and `check` take studies"
        )
        raise UserError(Problem(message, str(path), key))


def _refuse_domains(raw: dict[str, Any], path: Path | None) -> None:
    """Raise UserError if there are domains where one experiment is needed; `--set` may have brought them in."""
    if has_domains(raw):
        message = "has domains to search, and one experiment is needed here"
        raise UserError(Problem(message, None if path is None else str(path)))


def experiment_from(raw: dict[str, Any], overrides: Sequence[str] = ()) -> Experiment:
    """Validate an experiment that is not in a file; as `load_experiment`, with paths relative to the working folder."""
    return resolved(raw, {}, overrides, Path.cwd(), None)


def _load(path: Path, overrides: Sequence[str], upstream_of: tuple[Path, ...]) -> Experiment:
    path = existing(path)
    if path in upstream_of:
        chain = " -> ".join(p.name for p in (*upstream_of[upstream_of.index(path) :], path))
        raise UserError(Problem(f"the upstream experiments form a circle: {chain}", str(path), "init.experiment"))
    if len(upstream_of) > LONGEST_CHAIN:
        message = f"more than {LONGEST_CHAIN} upstream experiments follow each other"
        raise UserError(Problem(message, str(path), "init.experiment"))
    files: dict[tuple, str] = {}
    raw = with_base(path, files)
    refuse_study(raw, path)
    return resolved(raw, files, overrides, path.parent, path, upstream_of)


def resolved(
    raw: dict[str, Any],
    files: dict[tuple, str],
    overrides: Sequence[str],
    beside: Path,
    path: Path | None,
    upstream_of: tuple[Path, ...] = (),
) -> Experiment:
    """Apply the overrides, load upstream experiments and validate.

    Args:
        raw: the keys, bases merged in; changed in place.
        files: the file that each key is from.
        overrides: `dotted.key=value` strings.
        beside: the folder in which relative paths are looked for first.
        path: the file, or None if there is none.
        upstream_of: the files of the experiments that this one is upstream of.

    Raises:
        UserError: with every problem.
    """
    file = None if path is None else str(path)
    apply_overrides(raw, overrides, files)
    _refuse_domains(raw, path)
    # What was not read from a file is from the command line, where files are named from the working folder.
    raw |= locate_code(raw, (Path.cwd(), beside))
    _locate_data(raw, beside)
    problems = []
    try:
        _load_upstream(raw, path or beside / "-", upstream_of, ())
    except UserError as error:
        problems += error.problems
        raw.pop("init")
    try:
        experiment = validated(Experiment, raw, file, files)
        for key, message in broken_rules(experiment):
            at = tuple(int(part) if part.isdecimal() else part for part in key.split("."))
            problems.append(Problem(message, file_of(at, files, file), key))
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError(*problems)
    return experiment


def existing(path: Path) -> Path:
    """Return the absolute path of an existing file, or of the experiment of that name.

    Raises:
        UserError: there is neither; it names the files and experiments that there are.
    """
    if is_there(path) and path.is_file():
        return path.resolve()
    if (named := named_experiment(path)) is not None:
        return named.path.resolve()
    if is_there(path):
        raise UserError(Problem(f"{_kind(path)}; an experiment is a YAML file", str(path)))
    near = _yaml_files(path.parent) or _yaml_files(Path("."))
    here = f"; here: {listing(near)}" if near else ""
    names, kind = experiment_names(), "file" if path.suffix in ENDINGS else "file or experiment"
    nearest = closest(path.name, near) or closest(path.as_posix(), names) or closest(path.stem, names)
    raise UserError(Problem(f"no such {kind}{nearest}{here}; `list` shows the shipped experiments", str(path)))


def _kind(path: Path) -> str:
    return "is a folder" if path.is_dir() else "is not a regular file"


def _yaml_files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("*.y*ml")) if is_there(folder) and folder.is_dir() else []


def named_file(name: str, file: Path, key: str) -> Path:
    """Return the YAML file that another file names under `key`."""
    found = find_file(name, file.parent)
    if found is not None and found.is_file():
        return found.resolve()
    if name in (shipped := shipped_experiments()):
        return shipped[name].resolve()
    if found is not None and name:
        raise UserError(Problem(f"'{name}' {_kind(found)}; a YAML file is needed here", str(file), key))
    parent = Path(name).parent
    near = [str(parent / other) for other in _yaml_files(file.parent / parent)]
    raise UserError(Problem(f"no such file: {quoted(name)}{closest(name, [*near, *shipped])}", str(file), key))


def with_base(
    path: Path, files: dict[tuple, str], below: tuple[Path, ...] = (), own: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Read a file and its bases, merged in their order; note in `files` the file of each key.

    The default name is made from that of the file.

    Args:
        path: the file.
        files: gains the file of each key.
        below: the files that this one is a base of.
        own: the content of the file, changed in place; None to read it.
    """
    if path in below:
        raise UserError(
            Problem(f"the bases form a circle: {' -> '.join(p.name for p in (*below, path))}", str(path), "base")
        )
    if len(below) > LONGEST_CHAIN:
        raise UserError(Problem(f"more than {LONGEST_CHAIN} bases follow each other", str(path), "base"))
    own = locate_code(read_yaml(path) if own is None else own, (path.parent,))
    names = own.pop("base", None)
    names = [] if names is None else [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(
            Problem(f"got {quoted(names)}; one YAML file or a list of them is needed here", str(path), "base")
        )
    merged: dict[str, Any] = {}
    for name in names:
        inherited = with_base(named_file(name, path, "base"), files, (*below, path))
        # The name of a base is not that of the experiments built on it.
        inherited.pop("name", None)
        merged = merge(merged, inherited, None, files)
    merged = merge(merged, own, str(path), files)
    merged.setdefault("name", name_of_file(path))
    return merged


def name_of_file(path: Path) -> str:
    """Return the default name of an experiment: the name of the file in letters that every system accepts."""
    return safe_name(path.stem, "experiment")


def _locate_data(raw: dict[str, Any], beside: Path) -> None:
    """Make the paths of data, weights and teachers absolute, so that the resolved experiment runs in any folder.

    A file in $KERASEXP_DATA keeps its short name, so that the experiment also runs on another machine.
    """
    data = raw.get("data")
    sections = (data, *((data.get("offline"), data.get("test")) if isinstance(data, dict) else ()))
    named = [(section, key) for section in sections for key in ("path", "images")]
    for section, key in (*named, (raw.get("model"), "weights")):
        if isinstance(section, dict) and isinstance(section.get(key), str) and section[key] != IMAGENET:
            section[key] = _located_file(section[key], beside)
    _locate_teachers(raw, beside)
    locate_paths(raw, lambda name: _located_file(name, beside))


def _locate_teachers(raw: dict[str, Any], beside: Path) -> None:
    def located(name: Any) -> Any:
        is_path = isinstance(name, str) and name not in shipped_checkpoints()
        return _located_file(name, beside) if is_path else name

    training = raw.get("training")
    distill = training.get("distill") if isinstance(training, dict) else None
    owner, key = (distill, "checkpoint") if isinstance(distill, dict) else (training, "distill")
    match owner.get(key) if isinstance(owner, dict) else None:
        case str(name):
            owner[key] = located(name)
        case [*names]:
            owner[key] = [located(name) for name in names]


def _located_file(name: str, beside: Path) -> str:
    found, folder = find_file(name, beside), data_folder()
    in_data = found is not None and folder is not None and found == folder / name
    return name if found is None or in_data else str(found.resolve())


def locate_files(raw: dict[str, Any], path: Path) -> None:
    """Make the paths of data, of code and of the upstream experiment absolute, unless they are domains."""
    raw |= locate_code(raw, (Path.cwd(), path.parent))
    _locate_data(raw, path.parent)
    init = raw.get("init")
    if isinstance(init, dict) and isinstance(init.get("experiment"), str):
        init["experiment"] = str(named_file(init["experiment"], path, "init.experiment"))


def _load_upstream(raw: dict[str, Any], path: Path, upstream_of: tuple[Path, ...], at: tuple[str, ...]) -> None:
    """Replace the file name of the upstream experiment by the resolved experiment, which may have an upstream itself."""
    init, at = raw.get("init"), (*at, "init", "experiment")
    upstream = init.get("experiment") if isinstance(init, dict) else None
    if isinstance(upstream, str):
        file = named_file(upstream, path, ".".join(at))
        init["experiment"] = _load(file, (), (*upstream_of, path)).model_dump(mode="json")
    elif isinstance(upstream, dict):
        _locate_data(upstream, path.parent)
        _load_upstream(upstream, path, upstream_of, at)
