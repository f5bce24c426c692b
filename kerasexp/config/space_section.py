"""Domains in place of values: the space of a search."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, Literal

from pydantic import Field

from kerasexp.config.section_base import Section
from kerasexp.config.section_validation import file_of, quoted, validated
from kerasexp.errors import Problem, UserError, closest, listing

KINDS = ("choice", "int", "float", "bool")
OPTIONS = ("step", "sampling", "when")
VARIABLES = "variables"
# The section with the settings of a search; of its keys only `variables` holds domains.
SEARCH = "search"

Values = Mapping[str, Any]
_ABSENT = object()


class DomainKeys(Section):
    """Values that a search may choose from; one of the first four keys is its kind."""

    choice: list[Any] | None = Field(None, min_length=1, description="One of these values, lists and mappings too.")
    whole: list[int] | None = Field(
        None, alias="int", min_length=2, max_length=2, description="A whole number from the first to the last."
    )
    number: list[float | int] | None = Field(
        None, alias="float", min_length=2, max_length=2, description="A number between these."
    )
    truth: None = Field(None, alias="bool", description="true or false.")
    step: float | None = Field(None, gt=0, description="Distance between two values.")
    sampling: Literal["linear", "log"] = Field("linear", description="log: uniform by order of magnitude.")
    when: dict[str, Any] | None = Field(
        None,
        description="Condition: the domain or block only counts if other domains or variables have these values, each one "
        "value or a list.",
    )


@dataclass(frozen=True)
class Domain:
    """The values that a key may have.

    Attributes:
        name: dotted key, or the name of a variable.
        kind: `choice`, `int`, `float` or `bool`.
        values: the values of a choice.
        low, high, step: smallest and largest number, and the distance between two; None for any.
        log: whether numbers are uniform by order of magnitude.
        when: conditions, each the name of another domain and the values for which this domain counts.
    """

    name: str
    kind: str
    values: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def extremes(self) -> list[Any]:
        """Return all values of a choice, and the ends of a range."""
        if self.kind == "choice":
            return list(self.values)
        return [False, True] if self.kind == "bool" else [self.low, self.high]

    def holds(self, value: Any) -> bool:
        """Return whether a value is one of this domain."""
        if self.kind in ("choice", "bool"):
            return value in self.extremes()
        return isinstance(value, int | float) and self.low <= value <= self.high

    def nearest(self, value: Any) -> Any:
        """Return a number without what rounding has added: within the range, and plain at steps; any other value as it is."""
        if self.kind in ("choice", "bool"):
            return value
        if self.kind == "float" and self.step is not None:
            value = float(f"{value:.12g}")
        return min(max(value, self.low), self.high)

    def __str__(self) -> str:
        if self.kind == "bool":
            text = "true or false"
        elif self.kind == "choice":
            text = f"one of {listing(map(quoted, self.values))}"
        else:
            text = f"{self.kind} from {self.low:g} to {self.high:g}"
            text += (f" by {self.step:g}" if self.step else "") + (" (log)" if self.log else "")
        conditions = " and ".join(f"{name} is {listing(map(quoted, values))}" for name, values in self.when)
        return f"{text}, when {conditions}" if conditions else text


@dataclass(frozen=True)
class Space:
    """The space of a search.

    Attributes:
        raw: the keys of the experiment, some of them domains.
        domains: by name, each after those that it depends on.
    """

    raw: dict[str, Any]
    domains: dict[str, Domain]

    def active(self, values: Values) -> dict[str, Any]:
        """Return the values of the domains whose conditions are met."""
        found: dict[str, Any] = {}
        for name, domain in self.domains.items():
            if name in values and _met(domain.when, found):
                found[name] = values[name]
        return found

    def keys_at(self, values: Values) -> dict[str, Any]:
        """Return the keys of the experiment with these values for its domains; domains that do not count are left out."""
        return _filled(self.raw, (), self.active(values))

    def corners(self, limit: int) -> Iterator[dict[str, Any]]:
        """Yield combinations of extreme values: all if they are at most `limit`, else each extreme once, then random ones."""
        extremes = {name: domain.extremes() for name, domain in self.domains.items()}
        count, seen = 1, set()
        for values in extremes.values():
            count *= len(values)
        if count <= limit:
            found = (dict(zip(extremes, values, strict=True)) for values in product(*extremes.values()))
        else:
            found = islice(_some_corners(extremes), limit)
        for corner in map(self.active, found):
            if repr(corner) not in seen:
                seen.add(repr(corner))
                yield corner

    def differences(self, other: Space) -> list[str]:
        """Return a line for each domain in which another space differs."""
        lines = []
        for name in {**self.domains, **other.domains}:
            here, there = self.domains.get(name), other.domains.get(name)
            if here != there:
                lines.append(f"{name}: {there or 'not searched'}, and now {here or 'not searched'}")
        return lines


def _some_corners(extremes: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    first = {name: values[0] for name, values in extremes.items()}
    yield first
    for name, values in extremes.items():
        yield from ({**first, name: value} for value in values[1:])
    generator = random.Random(0)
    while True:
        yield {name: generator.choice(values) for name, values in extremes.items()}


def has_domains(raw: Any) -> bool:
    """Return whether there is a domain, or a block with a condition, among these keys."""
    return next(_places(raw, ()), None) is not None


def read_space(raw: dict[str, Any], variables: dict[str, Any], file: str, files: dict[tuple, str]) -> Space:
    """Find the domains among the keys of an experiment.

    Args:
        raw: the keys, bases merged in, without the section `search`.
        variables: domains that only conditions refer to.
        file: the file to name for a key that `files` does not have.
        files: the file that each key is from.

    Raises:
        UserError: with every invalid domain, and every condition that can never be met.
    """
    problems: list[Problem] = []
    domains: dict[str, Domain] = {}
    conditions: dict[tuple, dict[str, Any]] = {}
    found = [((SEARCH, VARIABLES, name), name, value) for name, value in variables.items()]
    found += [(path, dotted(path), value) for path, value in _places(raw, ())]
    for path, name, value in found:
        try:
            if path[0] == SEARCH and not is_domain(value):
                raise UserError(Problem(f"got {quoted(value)}; a variable is a domain, such as {{int: [1, 3]}}"))
            if value.get("when") is not None:
                conditions[path] = value["when"]
            if is_domain(value):
                # A domain within a block with a condition only counts if the block does.
                around = [when for place, when in conditions.items() if place == path[: len(place)] and place != path]
                domains[name] = _domain(name, value, around, file_of(path, files, file), files)
        except UserError as error:
            problems += [Problem(p.message, file_of(path, files, file), dotted(path)) for p in error.problems]
    for path, when in conditions.items():
        problems += [
            Problem(message, file_of(path, files, file), f"{dotted(path)}.when")
            for message in _wrong_conditions(when, domains)
        ]
    ordered = _ordered(domains)
    if not problems and len(ordered) < len(domains):
        circle = [name for name in domains if name not in ordered]
        problems.append(
            Problem(f"these depend on each other in a circle: {listing(circle)}", file, f"{circle[0]}.when")
        )
    if problems:
        raise UserError(*problems)
    return Space(raw, ordered)


def is_domain(value: Any) -> bool:
    """Return whether a value is a domain."""
    return isinstance(value, dict) and any(kind in value for kind in KINDS) and set(value) <= {*KINDS, *OPTIONS}


def dotted(path: tuple) -> str:
    """Return a key's path with dots."""
    return ".".join(map(str, path))


def _has_condition(node: dict[str, Any], path: tuple) -> bool:
    """Return whether this is a part of a list that counts only `when` other values are met; not an argument of a user's code."""
    is_of_user = any(key in ("callbacks", "metrics", "layers") for key in path[-2:-1])
    return "when" in node and bool(path) and isinstance(path[-1], int) and not is_of_user


def _places(node: Any, path: tuple) -> Iterator[tuple[tuple, dict[str, Any]]]:
    """Yield the path and content of each domain, and of each item of a list with a condition."""
    if is_domain(node):
        yield path, node
        return
    if isinstance(node, dict):
        if _has_condition(node, path):
            yield path, node
        for key, value in node.items():
            yield from _places(value, (*path, key))
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from _places(value, (*path, position))


def _domain(name: str, raw: dict[str, Any], around: list[Any], file: str | None, files: dict[tuple, str]) -> Domain:
    keys = validated(DomainKeys, raw, file, files)
    kinds = [kind for kind in KINDS if kind in raw]
    if len(kinds) > 1:
        raise UserError(Problem(f"got {listing(kinds)}; a domain is of one kind"))
    kind, conditions = kinds[0], [*(when for when in around if isinstance(when, dict)), keys.when or {}]
    when = tuple((name, _several(value)) for when in conditions for name, value in when.items())
    if kind in ("choice", "bool"):
        if keys.step is not None or keys.sampling != "linear":
            raise UserError(Problem(f"step and sampling are for numbers, and this is a {kind}"))
        if kind == "choice" and keys.choice is None:
            raise UserError(Problem("got no values; choice is a list of values"))
        return Domain(name, kind, tuple(keys.choice or ()), when=when)
    ends = keys.whole if kind == "int" else keys.number
    if ends is None or ends[0] >= ends[1]:
        raise UserError(Problem(f"got {quoted(ends)}; the first of the two numbers must be smaller"))
    if keys.sampling == "log" and (ends[0] <= 0 or keys.step is not None):
        why = "a step" if keys.step is not None else f"{ends[0]:g}"
        raise UserError(Problem(f"got {why} with sampling: log, which needs positive numbers without a step"))
    if kind == "int" and keys.step is not None and keys.step != int(keys.step):
        raise UserError(Problem(f"got the step {keys.step:g}; the step of whole numbers must be a whole number"))
    low, high = (float(end) if kind == "float" else end for end in ends)
    return Domain(name, kind, (), low, high, keys.step, keys.sampling == "log", when)


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _met(when: tuple[tuple[str, tuple[Any, ...]], ...], values: Values) -> bool:
    return all(name in values and values[name] in allowed for name, allowed in when)


def _wrong_conditions(when: Any, domains: dict[str, Domain]) -> Iterator[str]:
    if not isinstance(when, dict):
        yield f"got {quoted(when)}; a mapping from other domains to their values is needed here"
        return
    for name, values in when.items():
        if name not in domains:
            yield f"there is no domain {quoted(name)}{closest(name, domains)}; there: {listing(domains)}"
            continue
        for value in _several(values):
            if not domains[name].holds(value):
                yield f"{name} is never {quoted(value)}: it is {domains[name]}"


def _ordered(domains: dict[str, Domain]) -> dict[str, Domain]:
    """Return each domain after those that it depends on, without domains that depend on each other in a circle."""
    ordered: dict[str, Domain] = {}
    while True:
        ready = [
            domain
            for name, domain in domains.items()
            if name not in ordered and all(other in ordered for other, _ in domain.when)
        ]
        if not ready:
            return ordered
        ordered |= {domain.name: domain for domain in ready}


def _filled(node: Any, path: tuple, values: Values) -> Any:
    if is_domain(node):
        return copy.deepcopy(values[dotted(path)]) if dotted(path) in values else _ABSENT
    if isinstance(node, dict):
        if _has_condition(node, path):
            if not _met(tuple((name, _several(v)) for name, v in node["when"].items()), values):
                return _ABSENT
            node = {key: value for key, value in node.items() if key != "when"}
        filled = {key: _filled(value, (*path, key), values) for key, value in node.items()}
        return {key: value for key, value in filled.items() if value is not _ABSENT}
    if isinstance(node, list):
        filled = [_filled(value, (*path, position), values) for position, value in enumerate(node)]
        return [value for value in filled if value is not _ABSENT]
    return copy.deepcopy(node)
