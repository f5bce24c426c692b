"""A study: one experiment in several variants, each with several seeds."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

from pydantic import Field, field_validator

from kerasexp.config.code_keys import moved_code
from kerasexp.config.execution_section import ExecutionKeys
from kerasexp.config.experiment import Experiment
from kerasexp.config.search_section import Search, read_search, search_yaml, validated_settings
from kerasexp.config.section_base import Section, Seed
from kerasexp.config.section_validation import quoted, validated
from kerasexp.config.space_section import SEARCH, has_domains
from kerasexp.config.track_section import TRACK, Track
from kerasexp.config.variant_grid import variants_of_grid
from kerasexp.config.yaml_loading import EXECUTION_KEYS, MAPPING, STUDY_KEYS, existing, resolved, with_base
from kerasexp.config.yaml_merging import apply_overrides, merge, outer_first, set_key
from kerasexp.config.yaml_text import dump_yaml
from kerasexp.errors import Problem, UserError, listing

# What `--quick` limits a study to.
QUICK_SEEDS, QUICK_IMAGES = 2, 6000
MOST_RUNS = 1000
GRID = "grid"
# A folder of the study's own, in which no variant's runs may lie.
PLOTS = "plots"


class StudyKeys(Section):
    """The keys that make an experiment a study."""

    variants: dict[str, dict[str, Any]] | None = Field(
        None,
        min_length=1,
        description="By name, the keys that each variant changes, nested or dotted, including its `reported` metrics; or "
        "`grid:` with dotted keys and lists of values, each combination of which is a variant. The others are compared with "
        "the first variant.",
    )
    seeds: list[Seed] | None = Field(
        None, min_length=1, description="Seeds of the runs of each variant and of its upstream experiments."
    )

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: list[int] | None) -> list[int] | None:
        if seeds is not None and (twice := [seed for seed, times in Counter(seeds).items() if times > 1]):
            raise ValueError(f"seed {twice[0]} is given twice, and would give the same run")
        return seeds


@dataclass(frozen=True)
class Study:
    """Several runs that belong together.

    Attributes:
        name: name of the study.
        variants: by name, the experiment with the first seed.
        seeds: the seeds of the runs of each variant.
        quick: whether it was limited by `--quick`.
        execution: the executor of its runs.
    """

    name: str
    variants: dict[str, Experiment]
    seeds: list[int]
    quick: bool = False
    execution: ExecutionKeys = ExecutionKeys()

    def __repr__(self) -> str:
        return f"<Study {self.name}: variants {listing(self.variants)}; seeds {listing(self.seeds)}>"

    @property
    def track(self) -> Track:
        """The trackers of all its runs."""
        return next(iter(self.variants.values())).track

    def runs(self) -> Iterator[tuple[str, int, Experiment]]:
        """Yield variant, seed and experiment of each run: all variants with the first seed, then with the next one."""
        for seed in self.seeds:
            for name, experiment in self.variants.items():
                yield name, seed, with_seed(experiment, seed)


def load(path: str | Path, overrides: Sequence[str] = ()) -> Experiment | Study | Search:
    """Read an experiment, a study if the file has `variants` or `seeds`, or a search if it has domains.

    Args:
        path: the YAML file.
        overrides: `dotted.key=value` strings, applied last, to each variant.

    Raises:
        UserError: with every problem that was found, each with variant, file and key.
    """
    path, files = existing(Path(path)), {}
    return _asked(with_base(path, files), files, overrides, path)


def load_mapping(content: Mapping[str, Any], overrides: Sequence[str] = ()) -> Experiment | Study | Search:
    """Validate what `load` would read from a file; relative paths, also of bases, are looked for in the working folder.

    Args:
        content: the keys. Tuples, paths and NumPy scalars are taken for lists, strings and numbers.
        overrides: as in `load`.

    Raises:
        UserError: with every problem; in place of a file it names `<dict>`.
    """
    files: dict[tuple, str] = {}
    own = {"name": "experiment", **plain_values(content)}
    return _asked(with_base(MAPPING, files, own=own), files, overrides, MAPPING)


def plain_values(value: Any) -> Any:
    """Return a value as YAML would hold it: mappings, lists, strings and numbers, each of them new."""
    if isinstance(value, Mapping):
        return {key: plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    # NumPy is not imported for this.
    return value.tolist() if type(value).__module__ == "numpy" and hasattr(value, "tolist") else value


def _asked(
    raw: dict[str, Any], files: dict[tuple, str], overrides: Sequence[str], path: Path
) -> Experiment | Study | Search:
    """Return what the keys of a file, with the bases merged in, ask for."""
    for_all = [override for override in overrides if _first_key(override) in (*STUDY_KEYS, *EXECUTION_KEYS, SEARCH)]
    overrides = [override for override in overrides if override not in for_all]
    apply_overrides(raw, for_all, files)
    study = {key: value for key in STUDY_KEYS if (value := raw.pop(key, None)) is not None}
    execution = {key: raw.pop(key) for key in EXECUTION_KEYS if key in raw}
    settings = raw.pop(SEARCH, None)
    if has_domains(raw) or has_domains(_overridden(raw, overrides, files)):
        if study:
            message = "a study has no domains; a search trains its winner with the seeds of search.confirm"
            raise UserError(Problem(message, str(path), next(iter(study))))
        apply_overrides(raw, overrides, files)
        return read_search(raw, settings, files, path, validated(ExecutionKeys, execution, str(path), files))
    if settings is not None:
        validated_settings(settings, files, path)
    if not study:
        if execution:
            message = "is for studies and searches, and this is one run"
            raise UserError(Problem(message, str(path), next(iter(execution))))
        return resolved(raw, files, overrides, path.parent, path)
    keys = validated(StudyKeys, study, str(path), files)
    changes = _changes(keys.variants, str(path)) if keys.variants else {raw["name"]: {}}
    variants, problems = {}, []
    for name, changed in changes.items():
        try:
            variants[name] = _variant(raw, name, changed, files, overrides, path)
        except UserError as error:
            problems += [(name, problem) for problem in error.problems]
    if problems:
        raise UserError(*_merged(problems, len(changes)))
    seeds = keys.seeds or [next(iter(variants.values())).seed]
    if len(variants) * len(seeds) > MOST_RUNS:
        message = f"{len(variants)} variants with {len(seeds)} seeds are more than {MOST_RUNS:,} runs"
        raise UserError(Problem(message, str(path), "variants"))
    variants = {name: with_seed(variant, seeds[0]) for name, variant in variants.items()}
    return Study(raw["name"], variants, seeds, execution=validated(ExecutionKeys, execution, str(path), files))


def _overridden(raw: dict[str, Any], overrides: Sequence[str], files: dict[tuple, str]) -> dict[str, Any]:
    """Return a copy of the keys with the overrides applied, which a study applies to each variant only."""
    raw = copy.deepcopy(raw)
    apply_overrides(raw, overrides, dict(files))
    return raw


def quickened(study: Study) -> Study:
    """Return the study with fewer seeds and images: it shows that everything works, but its metrics mean little."""

    def quick(experiment: Experiment) -> Experiment:
        labels = experiment.data.labels
        if labels.at_most is not None and labels.at_most < QUICK_IMAGES:
            return experiment
        labels = labels.model_copy(update={"at_most": QUICK_IMAGES})
        return experiment.model_copy(update={"data": experiment.data.model_copy(update={"labels": labels})})

    variants = {name: quick(experiment) for name, experiment in study.variants.items()}
    return replace(study, variants=variants, seeds=study.seeds[:QUICK_SEEDS], quick=True)


def with_seed(experiment: Experiment, seed: int) -> Experiment:
    """Return the experiment with this seed, also in its upstream experiments, whose training is random as well."""
    init = experiment.init
    if init is not None:
        init = init.model_copy(update={"experiment": with_seed(init.experiment, seed)})
    return experiment.model_copy(update={"seed": seed, "init": init})


def resolved_yaml(asked: Experiment | Study | Search, moved: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return YAML that loads to an equal experiment, study or search.

    Every default is written out but those of the executor, and in a search those of the section `search` only. `moved` has the
    references of an experiment to code of users that are written in another way.
    """
    if isinstance(asked, Search):
        return search_yaml(asked)
    if isinstance(asked, Experiment):
        return dump_yaml(moved_code(asked.model_dump(mode="json"), moved))
    variants = {
        name: experiment.model_dump(mode="json", exclude={"name", "seed", "track"})
        for name, experiment in asked.variants.items()
    }
    track = asked.track.model_dump(mode="json")
    shared = {"name": asked.name, "seeds": asked.seeds, **asked.execution.changed(), "track": track}
    return dump_yaml({**shared, "variants": variants})


def result_yaml(study: Study) -> str:
    """Return as YAML what decides the results of a study: all but its trackers and those of upstream experiments."""
    variants = {
        name: _untracked(experiment.model_dump(mode="json", exclude={"name", "seed"}))
        for name, experiment in study.variants.items()
    }
    return dump_yaml({"name": study.name, "seeds": study.seeds, "variants": variants})


def _untracked(content: dict[str, Any]) -> dict[str, Any]:
    del content[TRACK]
    if content["init"] is not None:
        _untracked(content["init"]["experiment"])
    return content


def folder_of(variant: str) -> str:
    """Return the name of the folder of a variant."""
    return re.sub(r"[^A-Za-z0-9._=+-]+", "_", variant).lstrip(".") or "_"


def _first_key(override: str) -> str:
    return override.partition("=")[0].strip().split(".")[0]


def _changes(variants: dict[str, dict[str, Any]], file: str) -> dict[str, dict[str, Any]]:
    """Return the changes of each variant by name; a variant of a grid is named by its values."""
    if GRID in variants:
        if len(variants) > 1:
            raise UserError(Problem("is beside named variants; a study has one or the other", file, "variants.grid"))
        variants = variants_of_grid(variants[GRID], file)
    folders = Counter(folder_of(name) for name in variants)
    for name in variants:
        if not name.strip() or len(name) > 80 or not name.isprintable():
            raise UserError(
                Problem(
                    f"{quoted(name)} is not a name of a variant, which has 1 to 80 printable characters",
                    file,
                    "variants",
                )
            )
        if folder_of(name) == PLOTS:
            message = f"{quoted(name)} would share the folder of the study's plots; give it another name"
            raise UserError(Problem(message, file, "variants"))
        if folders[folder_of(name)] > 1:
            message = (
                f"{quoted(name)} and another variant would share the folder {folder_of(name)}; change one's letters"
            )
            raise UserError(Problem(message, file, "variants"))
    return variants


def _variant(
    raw: dict[str, Any],
    name: str,
    changes: dict[str, Any],
    files: dict[tuple, str],
    overrides: Sequence[str],
    path: Path,
) -> Experiment:
    """Resolve one variant; it does not inherit the `reported` metrics."""
    raw, files = copy.deepcopy(raw), dict(files)
    raw["reported"] = {}
    for key, value in sorted(changes.items(), key=lambda item: outer_first(item[0])):
        if key in ("name", "base", "seed", *STUDY_KEYS) or key.partition(".")[0] == TRACK:
            raise UserError(Problem("is the same for all variants; write it beside `variants`", str(path), key))
        if "." in key:
            set_key(raw, key, copy.deepcopy(value), str(path), files)
        else:
            raw = merge(raw, {key: copy.deepcopy(value)}, str(path), files)
    return resolved(raw, files, overrides, path.parent, path)


def _merged(problems: list[tuple[str, Problem]], variants: int) -> list[Problem]:
    """Return each problem once, with the name of the variant unless all variants have it."""
    counts = Counter(problem for _, problem in problems)
    merged = {}
    for name, problem in problems:
        if counts[problem] < variants:
            problem = replace(problem, message=f"in variant '{name}': {problem.message}")
        merged.setdefault(problem)
    return list(merged)
