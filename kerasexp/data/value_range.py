"""The range of a source's stored values, found in its data or given by `data.range`, and the conversion to uint8."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from kerasexp.data.source import BrokenImage
from kerasexp.errors import Problem, UserError

KEY = "data.range"
# Values may lie outside a range by this share of it, after resizing and rounding; they are clipped.
TOLERANCE = 1e-3
# A largest value up to this is ambiguous: a small range, such as 0..16, or dark values of 0..255.
DARK = 64
BYTES, SIXTEEN_BITS = (0, 255), (0, 65535)
# Files of 16 bits with a value from here on use all bits; others may hold 12 or 14 bits.
UPPER_HALF = 2**15
# Values are narrow if they span less than 1/NARROW of a range.
NARROW = 4
CHUNK = 1000
# Images of each split whose values are counted. Fewer different values than FEW_VALUES, or a span of less than SMALL_SPAN, are
# reported.
COUNTED, FEW_VALUES, SMALL_SPAN = 100, 4, 16


class OutsideRange(BrokenImage):
    """A value of an image lies outside the range of its source."""


class UnknownRange(UserError):
    """The range cannot be found from the values.

    Attributes:
        suggested: the smallest usual range that holds them.
        of: whether they are values of arrays or of files.
        found: the smallest and the largest value.
    """

    def __init__(
        self, problem: Problem, suggested: list[float], of: Literal["arrays", "files"], found: tuple[float, float]
    ):
        super().__init__(problem)
        self.suggested, self.of, self.found = suggested, of, found


@dataclass(frozen=True)
class ValueRange:
    """The stored values that become 0 and 255.

    Attributes:
        low, high: these values.
        source: whether the range was found in the data or given by `data.range`.
        of: whether it is a range of arrays or of files. A range of files within 0..255 applies to all files, a larger one only
            to files of 16 bits.
    """

    low: float
    high: float
    source: Literal["detected", "given"]
    of: Literal["arrays", "files"]

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"

    @property
    def bounds(self) -> tuple[float, float]:
        """`low` and `high`."""
        return self.low, self.high

    @property
    def applies_to_16_bit_files(self) -> bool:
        """Whether the range applies to files of 16 bits: any range of files does, one of arrays only if it exceeds 8 bits."""
        return self.of == "files" or self.high > 255

    def first_outside(self, values: np.ndarray) -> int | None:
        """Return the position, in the flattened values, of the first value outside the range; None if all are inside."""
        margin = TOLERANCE * (self.high - self.low)
        low, high = float(values.min()), float(values.max())
        if low >= self.low - margin and high <= self.high + margin:  # false for NaN
            return None
        return int(np.argmin((values >= self.low - margin) & (values <= self.high + margin)))

    def to_uint8(self, values: np.ndarray) -> np.ndarray:
        """Return values inside the range as uint8: scaled and rounded; of full 16-bit values, the upper 8 bits."""
        if self.bounds == BYTES and values.dtype == np.uint8:
            return values
        if self.bounds == SIXTEEN_BITS:
            return (np.clip(values, *SIXTEEN_BITS).astype(np.uint16) >> 8).astype(np.uint8)
        # In this order and in 64 bits, so that no pixel depends on the stored type.
        scaled = (values.astype(np.float64) - self.low) * 255 / (self.high - self.low)
        return np.rint(scaled).clip(0, 255).astype(np.uint8)

    def file_to_uint8(self, values: np.ndarray) -> np.ndarray:
        """Return the decoded samples of a file, uint8 or uint16, as uint8.

        Raises:
            OutsideRange: a value lies outside the range.
        """
        if values.dtype == np.uint8 and self.high > 255:
            return values
        if (at := self.first_outside(values)) is not None:
            raise OutsideRange(f"has the value {values.flat[at]}, which is outside the range {self} of {KEY}")
        return _table(self)[values]

    def sentence(self) -> str:
        """Return what is done with the values, and the key that changes it."""
        if self.bounds == SIXTEEN_BITS:
            done = "the upper 8 bits are kept"
        else:
            done = f"scaled by {255 / self.high:g}" if self.low == 0 else "scaled to 0..255"
        of = "files of 16 bits: " if self.of == "files" and self.high > 255 else ""
        return f"{of}values {self}, {done} ({KEY}{' changes that' if self.source == 'detected' else ''})"


@cache
def _table(found: ValueRange) -> np.ndarray:
    """Return what each value of 16 bits becomes: a look-up takes less time and memory than the arithmetic."""
    return found.to_uint8(np.arange(2**16))


@dataclass(frozen=True)
class StoredPixels:
    """Pixels as an array source stores them.

    Attributes:
        values: [n, ...], one image per row, of any type.
        file: where they come from, for error messages.
        place: returns the place of an image in the file, such as `line 7`.
    """

    values: np.ndarray
    file: str
    place: Callable[[int], str]

    def problem(self, at: int, reason: str) -> Problem:
        """Return the problem of one value, given its position among all values."""
        image = at // (self.values.size // len(self.values))
        return Problem(f"{self.place(image)} has the pixel {self.values.flat[at]:g}{reason}", self.file, KEY)


def arrays_to_uint8(
    parts: Sequence[StoredPixels], given: Sequence[float] | None
) -> tuple[list[np.ndarray], ValueRange | None]:
    """Convert the arrays of all splits of a source, which have one range.

    Returns:
        uint8 arrays of the same shapes, and their range; None if it is 0..255.

    Raises:
        UserError: values are not numbers, or outside the given range; without one, see `UnknownRange`.
    """
    for part in parts:
        if part.values.dtype.kind not in "biuf":
            message = f"has pixels of type {part.values.dtype}; numbers are needed, best uint8"
            raise UserError(Problem(message, part.file))
    found = _range_of_arrays(parts) if given is None else ValueRange(*given, "given", "arrays")
    for part in parts:
        if (at := found.first_outside(part.values)) is not None:
            raise UserError(part.problem(at, f", which is outside the range {found}"))
    converted = [_in_chunks(part.values, found) for part in parts]
    return converted, None if found.bounds == BYTES else found


def _in_chunks(values: np.ndarray, found: ValueRange) -> np.ndarray:
    if found.bounds == BYTES and values.dtype == np.uint8:
        return values
    result = np.empty(values.shape, np.uint8)
    for first in range(0, len(values), CHUNK):
        result[first : first + CHUNK] = found.to_uint8(values[first : first + CHUNK])
    return result


def _range_of_arrays(parts: Sequence[StoredPixels]) -> ValueRange:
    lows, highs = zip(*((float(part.values.min()), float(part.values.max())) for part in parts), strict=True)
    for part, low, high in zip(parts, lows, highs, strict=True):
        if not (math.isfinite(low) and math.isfinite(high)):
            raise UserError(part.problem(int(np.argmin(np.isfinite(part.values))), ", which is not a number"))
    low, high = min(lows), max(highs)
    if low >= -TOLERANCE and high <= 1 + TOLERANCE:
        return ValueRange(0, 1, "detected", "arrays")
    if low >= -255 * TOLERANCE and DARK < high <= 255 * (1 + TOLERANCE):
        return ValueRange(*BYTES, "detected", "arrays")
    wanted, examples = usual_ranges(low, high)
    if low >= 0 and high <= 255:
        part = parts[highs.index(high)]
        message = f"the pixels are {low:g} to {high:g}, which may be all of their range or a dark part of 0 to 255"
        raise UnknownRange(Problem(f"{message}; write {examples}", part.file, KEY), wanted, "arrays", (low, high))
    part, extreme = (parts[lows.index(low)], np.argmin) if low < 0 else (parts[highs.index(high)], np.argmax)
    reason = f"; pixels are 0 to 255, or 0 to 1, unless you write {examples}"
    raise UnknownRange(part.problem(int(extreme(part.values)), reason), wanted, "arrays", (low, high))


def file_range(low: int, high: int, file: str, count: int) -> ValueRange:
    """Return the range of files of 16 bits.

    Args:
        low, high: smallest and largest value in the sample.
        file: the file with the largest value.
        count: number of files of 16 bits in the sample.

    Raises:
        UnknownRange: the values do not reach the upper half of 16 bits.
    """
    if high >= UPPER_HALF:
        return ValueRange(*SIXTEEN_BITS, "detected", "files")
    wanted, examples = usual_ranges(low, high, SIXTEEN_BITS[1])
    if high - low < wanted[1] / NARROW:
        examples += f"; range: [{low}, {max(high, low + 1)}] gives the most contrast"
    examined = "" if count == 1 else f", as have all {count} that were examined"
    message = f"has 16 bits and only values from {low} to {high}{examined}"
    raise UnknownRange(Problem(f"{message}; write {examples}", file, KEY), wanted, "files", (low, high))


def lone_file_to_uint8(values: np.ndarray) -> np.ndarray:
    """Return the samples of a file as uint8 where no range is known: 8 bits as they are, the upper 8 of full 16 bits.

    Raises:
        BrokenImage: the file has 16 bits and does not reach their upper half.
    """
    if values.dtype == np.uint8:
        return values
    if values.max(initial=0) < UPPER_HALF:
        raise BrokenImage(f"has 16 bits and only values from {values.min()} to {values.max()}; its range is not known")
    return (values >> 8).astype(np.uint8)


def usual_ranges(low: float, high: float, most: int = 255) -> tuple[list[float], str]:
    """Return the smallest usual range that holds these values, and a text of all that do; `most` is the largest value."""
    if low < 0:
        pairs = [(-1, 1), (-128, 127), (math.floor(low), math.ceil(high))]
        pairs = [next(pair for pair in pairs if pair[0] <= low + TOLERANCE and high <= pair[1] + TOLERANCE)]
    else:
        whole = max(math.ceil(high), 1)
        full = 2 ** whole.bit_length() - 1
        tops = {whole if whole <= DARK else full, full, max(full, most if whole <= most else SIXTEEN_BITS[1])}
        pairs = [(0, top) for top in sorted(tops)]
    written = [f"{KEY.removeprefix('data.')}: [{first}, {last}]" for first, last in pairs]
    return list(map(float, pairs[0])), " or ".join([", ".join(written[:-1]), written[-1]] if written[1:] else written)


def range_sentences(ranges: dict[str, ValueRange | None]) -> Iterator[str]:
    """Yield a sentence for each range that some splits have."""
    for found in dict.fromkeys(found for found in ranges.values() if found is not None):
        splits = [name for name, own in ranges.items() if own == found]
        yield ("" if len(splits) == len(ranges) else f"{' and '.join(splits)}: ") + found.sentence()


def few_values(samples: Sequence[np.ndarray]) -> str | None:
    """Return a sentence if these preprocessed images hold few different values, or only similar ones; else None."""
    count = sum(map(len, samples))
    values = np.unique(np.concatenate([np.unique(sample) for sample in samples]))
    if count == 0 or (len(values) >= FEW_VALUES and values[-1] - values[0] >= SMALL_SPAN):
        return None
    held = ", ".join(map(str, values)) if len(values) < FEW_VALUES else f"{values[0]} to {values[-1]}"
    return f"the preprocessed images hold only the values {held} of 0..255 ({count} examined)"
