"""From a YAML file to a resolved experiment: bases, overrides, upstream experiments, rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasexp.config.experiment import Experiment
from kerasexp.config.files import data_folder, find_file, is_there
from kerasexp.config.rules import broken_rules
from kerasexp.config.validation import file_of, validated
from kerasexp.config.yaml_text import dump_yaml, parse_yaml, read_yaml
from kerasexp.errors import Problem, UserError, closest, listing

# Where a section's kind changes, what belongs to the old kind goes: the keys of an mlp mean nothing to a cnn (all of
# them), nor the path of one source to another (these only; how pictures are split and preprocessed stays).
KIND_KEYS = ("name", "source")
SOURCE_KEYS = ("path", "class_names")
# The key that a plain word stands for where a mapping may be written: `optimizer: adam` is `optimizer: {name: adam}`.
SHORT_FORMS = {"optimizer": "name", "loss": "name", "schedule": "name", "checkpoint": "keep", "offline": "source", "test": "source"}


def load_experiment(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read, merge and validate one experiment.

    Args:
        path: the YAML file.
        overrides: `dotted.key=value` strings, applied last; values are read as YAML.

    Raises:
        UserError: with every problem that was found, each with file and key.
    """
    return _load(Path(path), overrides, upstream_of=())


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
    files: dict[tuple, str] = {}
    raw = _with_base(path, files, ())
    raw.setdefault("name", path.stem)
    # Kinds first: what is set together with a kind is meant for it, whichever was written first.
    for override in sorted(overrides, key=lambda text: text.partition("=")[0].rpartition(".")[2] not in KIND_KEYS):
        _apply_override(raw, override, files)
    _locate_data(raw, path.parent)
    problems = []
    try:
        _load_upstream(raw, path, upstream_of)
    except UserError as error:
        problems += error.problems
        raw.pop("init")
    try:
        experiment = validated(Experiment, raw, str(path), files)
        for key, message in broken_rules(experiment):
            at = tuple(int(part) if part.isdigit() else part for part in key.split("."))
            problems.append(Problem(message, file_of(at, files, str(path)), key))
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError(*problems)
    return experiment


def _existing(path: Path) -> Path:
    if is_there(path) and path.is_file():
        return path.resolve()
    if is_there(path):
        raise UserError(Problem("is a folder; an experiment is a YAML file", str(path)))
    folder = path.parent if path.parent.is_dir() else Path(".")
    near = [p.name for p in folder.glob("*.y*ml")]
    raise UserError(
        Problem(
            f"no such file{closest(path.name, near)}" + (f"; here: {listing(sorted(near))}" if near else ""), str(path)
        )
    )


def _with_base(path: Path, files: dict[tuple, str], below: tuple[Path, ...]) -> dict[str, Any]:
    """Read a file and what it is based on, merged in their order; note in `files` where each key came from."""
    if path in below:
        raise UserError(
            Problem(f"the bases lead in a circle: {' -> '.join(p.name for p in (*below, path))}", str(path), "base")
        )
    own = read_yaml(path)
    names = own.pop("base", None)
    names = [] if names is None else [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(Problem(f"got {names!r}; one YAML file or a list of them is needed here", str(path), "base"))
    merged: dict[str, Any] = {}
    for name in names:
        base = find_file(name, path.parent)
        if base is None or not base.is_file():
            raise UserError(Problem(f"no such file: '{name}'", str(path), "base"))
        inherited = _with_base(base.resolve(), files, (*below, path))
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
    if not equals or not dotted.strip():
        raise UserError(Problem(f"got '{override}'; write dotted.key=value, such as training.epochs=3", "--set"))
    *parents, last = dotted.strip().split(".")
    here: Any = raw
    for depth, part in enumerate(parents):
        key = _list_index(here, part, dotted) if isinstance(here, list) else part
        if isinstance(here, dict) and not isinstance(here.get(key), dict | list):
            if parents[: depth + 1] == ["init", "experiment"]:
                raise UserError(Problem("the keys of an upstream experiment are set in its own file", "--set", dotted))
            # A short form such as `optimizer: adam` becomes a mapping, so that a key can be added to it.
            here[key] = {} if here.get(key) is None else {SHORT_FORMS.get(part, "name"): here[key]}
        here = here[key]
        if not isinstance(here, dict | list):
            raise UserError(Problem(f"'{part}' is {here!r}, which has no keys", "--set", dotted))
    value = parse_yaml(text, f"--set {dotted}")
    key = _list_index(here, last, dotted) if isinstance(here, list) else last
    if isinstance(here, dict) and isinstance(here.get(key), dict) and isinstance(value, dict):
        value = _merged(here[key], value, "--set", files, (*parents, last))
    elif last in KIND_KEYS and isinstance(here, dict) and parents:
        _change_kind(here, last, value)
    here[key] = value
    _note_file(value, "--set", files, (*parents, last))


def _list_index(items: list, part: str, dotted: str) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise UserError(Problem(f"'{part}' is no position in a list of {len(items)}, counted from 0", "--set", dotted))
    return int(part)


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


def _load_upstream(raw: dict[str, Any], path: Path, upstream_of: tuple[Path, ...]) -> None:
    """Put the upstream experiment, resolved, where its file's name was."""
    init = raw.get("init")
    if not isinstance(init, dict) or not isinstance(init.get("experiment"), str):
        return
    upstream = find_file(init["experiment"], path.parent)
    if upstream is None:
        raise UserError(Problem(f"no such file: '{init['experiment']}'", str(path), "init.experiment"))
    experiment = _load(upstream, (), (*upstream_of, path))
    raw["init"] = {**init, "experiment": experiment.model_dump(mode="json")}
