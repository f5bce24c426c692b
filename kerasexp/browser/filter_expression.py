"""The filter of runs, such as `test.accuracy > 0.99 and model.name = cnn`: a small language that is parsed, never executed.

    filter     = all, {"or", all}
    all        = one, {"and", one}
    one        = "not", one | "(", filter, ")" | comparison
    comparison = key, ("=" | "!=" | "<" | "<=" | ">" | ">=" | "~"), value

`~` asks whether a text contains another. `null` stands for a value that is not there.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn, Protocol

from kerasexp.errors import Problem, UserError

# What a run has under a key; None if there is nothing.
Value = float | int | str | None
ORDERS: dict[str, Callable[[float | str, float | str], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
OPERATORS = ("=", "!=", *ORDERS, "~")
# Signs of other languages, and what they are here; the first is understood, the others are named in the message.
SAME_SIGN = {"==": "="}
FOREIGN = {"<>": "!=", "=~": "~", "&&": "and", "||": "or", "&": "and", "|": "or", "!": "not"}
EXAMPLE = "test.accuracy > 0.99 and model.name = cnn"
TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|(?P<sign>[()]|[=!<>~&|]+)|(?P<word>[^\s()=!<>~&|"']+)|(?P<open>["']))"""
)
# Parentheses within each other; more would be a mistake of a program.
DEEPEST = 50


@dataclass(frozen=True)
class Token:
    """A word, a sign or a quoted text of a filter, and the place of its first character, from 1."""

    text: str
    place: int
    is_quoted: bool = False


class Filter(Protocol):
    """A filter: its comparisons, and whether a run with these values passes it."""

    def comparisons(self) -> Iterator[Comparison]: ...

    def passes(self, values: Mapping[str, Value]) -> bool: ...


@dataclass(frozen=True)
class Comparison:
    """A key compared with a value; `text` is the value as it was typed, and `place` that of the key in the text."""

    key: str
    sign: str
    value: Value
    text: str
    place: int

    def comparisons(self) -> Iterator[Comparison]:
        yield self

    def passes(self, values: Mapping[str, Value]) -> bool:
        """Return whether the comparison holds; nothing is smaller or larger than a missing value."""
        held = values.get(self.key)
        if self.sign in ("=", "!="):
            # A name or a tag may look like a number.
            is_text = isinstance(held, str) and isinstance(self.value, float)
            return _is_same(held, self.text if is_text else self.value) == (self.sign == "=")
        if held is None or self.value is None:
            return False
        if self.sign == "~":
            return self.text.casefold() in str(held).casefold()
        return isinstance(held, str) == isinstance(self.value, str) and ORDERS[self.sign](held, self.value)


@dataclass(frozen=True)
class Not:
    """The opposite of a filter."""

    inner: Filter

    def comparisons(self) -> Iterator[Comparison]:
        return self.inner.comparisons()

    def passes(self, values: Mapping[str, Value]) -> bool:
        return not self.inner.passes(values)


@dataclass(frozen=True)
class Several:
    """Filters joined by `and` (all must pass) or `or` (one must)."""

    parts: tuple[Filter, ...]
    join: Callable[[Iterator[bool]], bool]

    def comparisons(self) -> Iterator[Comparison]:
        for part in self.parts:
            yield from part.comparisons()

    def passes(self, values: Mapping[str, Value]) -> bool:
        return self.join(part.passes(values) for part in self.parts)


def parse_filter(text: str, full_key: Callable[[str], str], option: str = "--filter") -> Filter | None:
    """Parse a filter; an empty text is none.

    Args:
        text: such as `test.accuracy > 0.99 and model.name = cnn`.
        full_key: returns a key in full; raises KeyError with the reason if there is none.
        option: what messages call the filter.

    Raises:
        UserError: with the place of the first mistake, and what is allowed there.
    """
    # A line end would move the mark under the text.
    text = re.sub(r"\s", " ", text)
    return _Parser(text, full_key, option).whole() if text.strip() else None


def in_quotes(text: str) -> str:
    """Return a text as a value of a filter, in the quotation marks that it does not hold itself; one with both has none."""
    mark = '"' if "'" in text else "'"
    return f"{mark}{text}{mark}"


def filter_problem(text: str, place: int, message: str, option: str = "--filter") -> UserError:
    """Return the error of a filter: a message, and below the text a mark under the place, from 1."""
    return UserError(Problem(f"{message}\n  {text}\n  {' ' * (place - 1)}^", key=option))


def _is_same(held: Value, value: Value) -> bool:
    """Return whether values are equal; tags, which are joined by commas, equal each of theirs."""
    if isinstance(held, str) and isinstance(value, str) and held != value:
        return value in held.split(", ")
    return held == value


def _value_of(token: Token) -> Value:
    """Return the value that a word or a quoted text stands for."""
    if token.is_quoted:
        return token.text
    if token.text == "null":
        return None
    try:
        number = float(token.text.removesuffix("%"))
    except ValueError:
        return token.text
    if number != number:  # NaN is no number to compare with
        return token.text
    return number / 100 if token.text.endswith("%") else number


class _Parser:
    """Reads a filter from left to right: each method takes its part of the tokens."""

    def __init__(self, text: str, full_key: Callable[[str], str], option: str):
        self._text, self._full_key, self._option = text, full_key, option
        self._tokens, self._depth = list(self._split()), 0

    def whole(self) -> Filter:
        found = self._any()
        if self._tokens:
            self._fail("`and`, `or` or the end", self._tokens[0])
        return found

    def _any(self) -> Filter:
        parts = [self._all()]
        while self._takes("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Several(tuple(parts), any)

    def _all(self) -> Filter:
        parts = [self._one()]
        while self._takes("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Several(tuple(parts), all)

    def _one(self) -> Filter:
        start = self._tokens[0] if self._tokens else None
        if self._takes("not"):
            return Not(self._nested(start, self._one))
        if self._takes("("):
            inner = self._nested(start, self._any)
            if not self._takes(")"):
                self._fail("`)`", self._tokens[0] if self._tokens else None)
            return inner
        return self._comparison()

    def _nested(self, start: Token, read: Callable[[], Filter]) -> Filter:
        self._depth += 1
        if self._depth > DEEPEST:
            raise filter_problem(self._text, start.place, f"is nested deeper than {DEEPEST} levels", self._option)
        found = read()
        self._depth -= 1
        return found

    def _comparison(self) -> Filter:
        key = self._word("a key, such as test.accuracy,")
        token = self._tokens.pop(0) if self._tokens else None
        sign = None if token is None or token.is_quoted else SAME_SIGN.get(token.text, token.text)
        if sign not in OPERATORS:
            self._fail(f"one of {' '.join(OPERATORS)} after `{key.text}`", token)
        try:
            full_key = self._full_key(key.text)
        except KeyError as error:
            raise filter_problem(self._text, key.place, error.args[0], self._option) from None
        typed = self._word(f"a value after `{sign}`, such as 0.99, cnn or 'two words',")
        return Comparison(full_key, sign, _value_of(typed), typed.text, key.place)

    def _word(self, wanted: str) -> Token:
        token = self._tokens.pop(0) if self._tokens else None
        if token is None or not token.is_quoted and (token.text in "()" or token.text[0] in "=!<>~&|"):
            self._fail(wanted, token)
        return token

    def _takes(self, word: str) -> bool:
        if self._tokens and not self._tokens[0].is_quoted and self._tokens[0].text.lower() == word:
            self._tokens.pop(0)
            return True
        return False

    def _split(self) -> Iterator[Token]:
        for found in TOKEN.finditer(self._text):
            place = found.start(found.lastgroup) + 1
            if found.lastgroup == "open":
                raise filter_problem(self._text, place, "a quotation mark is not closed", self._option)
            quoted = found["quoted"]
            yield Token(found[found.lastgroup] if quoted is None else quoted[1:-1], place, quoted is not None)

    def _fail(self, wanted: str, token: Token | None) -> NoReturn:
        got = "the filter ends" if token is None else f"got `{token.text}`"
        meant = FOREIGN.get(token.text) if token is not None and not token.is_quoted else None
        advice = f"; write `{meant}`" if meant else f"; an example: {EXAMPLE}"
        place = len(self._text.rstrip()) + 1 if token is None else token.place
        raise filter_problem(self._text, place, f"{wanted} is needed here, but {got}{advice}", self._option)
