"""From a YAML file to a resolved experiment: bases, overrides, upstream experiments, rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasexp.config.experiment import Experiment
from kerasexp.config.files import data_folder, find_file, is_there
from kerasexp.config.rules import broken_rules
from kerasexp.config.validation import file_of, shown, validated
from kerasexp.config.yaml_text import dump_yaml, is_text, parse_yaml, read_yaml
from kerasexp.errors import Problem, UserError, closest, listing

# Where a section's kind changes, what belongs to the old kind goes: the keys of an mlp mean nothing to a cnn (all of
# them), nor the path of one source to another (these only; how pictures are split and preprocessed stays).
KIND_KEYS = ("name", "source")
SOURCE_KEYS = ("path", "class_names")
# The key that a plain word stands for where a mapping may be written: `optimizer: adam` is `optimizer: {name: adam}`.
SHORT_FORMS = {
    "optimizer": "name",
    "loss": "name",
    "schedule": "name",
    "checkpoint": "keep",
    "offline": "source",
    "test": "source",
}

# So many bases or upstream experiments after each other are a mistake of whoever writes them by program.
LONGEST_CHAIN = 20


def load_experiment(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read, merge and validate one experiment.

    Args:
        path: the YAML file.
        overrides: `dotted.key=value` strings, applied last; values are read as YAML.

    Raises:
        UserError: with every problem that was found, each with file and key.
    """
    return _load(Path(path), overrides, upstream_of=())


def experiment_from(raw: dict[str, Any], overrides: Sequence[str] = ()) -> Experiment:
    """Validate an experiment that stands in no file; as `load_experiment`, with the working folder for the file's."""
    return _resolved(raw, {}, overrides, Path.cwd(), None, ())


def resolved_yaml(experiment: Experiment) -> str:
    """Return the experiment as YAML with every default written out; it loads to an equal experiment."""
    return dump_yaml(experiment.model_dump(mode="json"))


def _load(path: Path, overrides: Sequence[str], upstream_of: tuple[Path, ...]) -> Experiment:
    path = _existing(path)
    if path in upstream_of:
        chain = " -> ".join(p.name for p in (*upstream_of[upstream_of.index(path) :], path))
        raise UserError(
            Problem(f"the upstream experiments lead back to where they began: {chain}", str(path), "init.experiment")
        )
    if len(upstream_of) > LONGEST_CHAIN:
        message = f"more than {LONGEST_CHAIN} upstream experiments follow each other"
        raise UserError(Problem(message, str(path), "init.experiment"))
    files: dict[tuple, str] = {}
    raw = _with_base(path, files, ())
    raw.setdefault("name", path.stem)
    return _resolved(raw, files, overrides, path.parent, path, upstream_of)


def _resolved(
    raw: dict[str, Any],
    files: dict[tuple, str],
    overrides: Sequence[str],
    beside: Path,
    path: Path | None,
    upstream_of: tuple[Path, ...],
) -> Experiment:
    """Change, complete and validate what was read from `path`, or from no file."""
    file = None if path is None else str(path)
    # Kinds first: what is set together with a kind is meant for it, whichever was written first.
    for override in sorted(overrides, key=lambda text: text.partition("=")[0].rpartition(".")[2] not in KIND_KEYS):
        _apply_override(raw, override, files)
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
            at = tuple(int(part) if part.isdigit() else part for part in key.split("."))
            problems.append(Problem(message, file_of(at, files, file), key))
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError(*problems)
    return experiment


def _existing(path: Path) -> Path:
    if is_there(path) and path.is_file():
        return path.resolve()
    if is_there(path):
        raise UserError(Problem(f"{_kind(path)}; an experiment is a YAML file", str(path)))
    near = _yaml_files(path.parent) or _yaml_files(Path("."))
    here = f"; here: {listing(near)}" if near else ""
    raise UserError(Problem(f"no such file{closest(path.name, near)}{here}", str(path)))


def _kind(path: Path) -> str:
    return "is a folder" if path.is_dir() else "is no regular file"


def _yaml_files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("*.y*ml")) if is_there(folder) and folder.is_dir() else []


def _named_file(name: str, file: Path, key: str) -> Path:
    """Return the YAML file that another one names under `key`."""
    found = find_file(name, file.parent)
    if found is not None and found.is_file():
        return found.resolve()
    if found is not None and name:
        raise UserError(Problem(f"'{name}' {_kind(found)}; a YAML file is needed here", str(file), key))
    parent = Path(name).parent
    near = [str(parent / other) for other in _yaml_files(file.parent / parent)]
    raise UserError(Problem(f"no such file: {shown(name)}{closest(name, near)}", str(file), key))


def _with_base(path: Path, files: dict[tuple, str], below: tuple[Path, ...]) -> dict[str, Any]:
    """Read a file and what it is based on, merged in their order; note in `files` where each key came from."""
    if path in below:
        raise UserError(
            Problem(f"the bases lead in a circle: {' -> '.join(p.name for p in (*below, path))}", str(path), "base")
        )
    if len(below) > LONGEST_CHAIN:
        raise UserError(Problem(f"more than {LONGEST_CHAIN} bases are built on each other", str(path), "base"))
    own = read_yaml(path)
    names = own.pop("base", None)
    names = [] if names is None else [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(
            Problem(f"got {shown(names)}; one YAML file or a list of them is needed here", str(path), "base")
        )
    merged: dict[str, Any] = {}
    for name in names:
        inherited = _with_base(_named_file(name, path, "base"), files, (*below, path))
        # A base has a name of its own, which is not that of the experiments built on it.
        inherited.pop("name", None)
        merged = _merged(merged, inherited, None, files, ())
    return _merged(merged, own, str(path), files, ())


def _merged(base: Any, own: Any, file: str | None, files: dict[tuple, str], at: tuple) -> Any:
    if isinstance(own, dict) and isinstance(base, str) and at and at[-1] in SHORT_FORMS:
        base = {SHORT_FORMS[at[-1]]: base}
    if not (isinstance(base, dict) and isinstance(own, dict)):
        _note_file(own, file, files, at)
        return own
    result = dict(base)
    for key in KIND_KEYS:
        if at and key in own:
            _change_kind(result, key, own[key])
    for key, value in own.items():
        if key in result:
            result[key] = _merged(result[key], value, file, files, (*at, key))
        else:
            result[key] = value
            _note_file(value, file, files, (*at, key))
    return result


def _note_file(value: Any, file: str | None, files: dict[tuple, str], at: tuple) -> None:
    if file is None:  # noted when it was read
        return
    files[at] = file
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        _note_file(item, file, files, (*at, key))


def _change_kind(section: dict[str, Any], key: str, kind: Any) -> None:
    """Drop from a section what belongs to its old kind, where `kind` is another."""
    if section.get(key, kind) != kind:
        for name in SOURCE_KEYS if key == "source" else list(section):
            section.pop(name, None)


def _apply_override(raw: dict[str, Any], override: str, files: dict[tuple, str]) -> None:
    dotted, equals, text = override.partition("=")
    *parents, last = dotted.strip().split(".")
    if not equals or not all((*parents, last)) or not is_text(dotted):
        raise UserError(Problem(f"got {shown(override)}; write dotted.key=value, such as training.epochs=3", "--set"))
    if dotted.strip() == "base":
        raise UserError(Problem("is read before anything is set; write it into the file", "--set", "base"))
    here: Any = raw
    at: tuple = ()
    for part in parents:
        at = (*at, _key_in(here, part, dotted))
        here = _opened(here, at, files, dotted)
    value = parse_yaml(text, f"--set {dotted}")
    key = _key_in(here, last, dotted)
    at = (*at, key)
    if isinstance(here, dict) and isinstance(here.get(key), dict) and isinstance(value, dict):
        here[key] = _merged(here[key], value, "--set", files, at)
        return
    if parents and key in KIND_KEYS:
        _change_kind(here, key, value)
    here[key] = value
    _note_file(value, "--set", files, at)


def _key_in(here: dict | list, part: str, dotted: str) -> str | int:
    if isinstance(here, dict):
        return part
    positions = {str(position): position for position in range(len(here))}
    if part not in positions:
        raise UserError(
            Problem(f"{shown(part)} is no position in a list of {len(here)}, counted from 0", "--set", dotted)
        )
    return positions[part]


def _opened(here: dict | list, at: tuple, files: dict[tuple, str], dotted: str) -> dict | list:
    """Return what is under the last key of `at`, as a mapping where it is a short form or nothing yet."""
    key = at[-1]
    found = here.get(key) if isinstance(here, dict) else here[key]
    if isinstance(found, dict | list):
        return found
    if at == ("init", "experiment"):
        raise UserError(Problem("the keys of an upstream experiment are set in its own file", "--set", dotted))
    if found is None:
        here[key] = {}
        files[at] = "--set"
    elif key in SHORT_FORMS and isinstance(found, str):
        here[key] = {SHORT_FORMS[key]: found}
    else:
        raise UserError(Problem(f"'{key}' is {shown(found)}, which has no keys; set it as a whole", "--set", dotted))
    return here[key]


def _locate_data(raw: dict[str, Any], beside: Path) -> None:
    """Make the paths of `data` absolute, so that the resolved experiment runs from anywhere.

    A file in $KERASEXP_DATA keeps its short name: that variable is how an experiment moves to another machine.
    """
    data = raw.get("data")
    for section in (data, *((data.get("offline"), data.get("test")) if isinstance(data, dict) else ())):
        if isinstance(section, dict) and isinstance(section.get("path"), str):
            found = find_file(section["path"], beside)
            folder = data_folder()
            if found is not None and not (folder is not None and found == folder / section["path"]):
                section["path"] = str(found.resolve())


def _load_upstream(raw: dict[str, Any], path: Path, upstream_of: tuple[Path, ...], at: tuple[str, ...]) -> None:
    """Put the upstream experiment, resolved, where its file's name was; one that is written out may have one as well."""
    init, at = raw.get("init"), (*at, "init", "experiment")
    upstream = init.get("experiment") if isinstance(init, dict) else None
    if isinstance(upstream, str):
        file = _named_file(upstream, path, ".".join(at))
        init["experiment"] = _load(file, (), (*upstream_of, path)).model_dump(mode="json")
    elif isinstance(upstream, dict):
        _locate_data(upstream, path.parent)
        _load_upstream(upstream, path, upstream_of, at)
