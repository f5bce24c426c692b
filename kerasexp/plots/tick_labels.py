"""Users' class names, in any script and of any length, as text that matplotlib can draw."""

from __future__ import annotations

import unicodedata
from collections import Counter
from contextlib import suppress
from typing import Any

from matplotlib import get_data_path, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.legend import Legend

# Cache: the font family that has a character, "" for the default family, None if no installed one has it. Opening all
# installed fonts takes seconds.
_families: dict[str, str | None] = {}


def drawable(names: list[str], longest: int = 24) -> list[str]:
    """Return the names as drawable text: each on one line, and distinct.

    A name with a character that no installed font has becomes `#7`: its position, counted from 0.

    Args:
        names: in the order of the classes, layers or runs.
        longest: number of characters after which a name is cut.
    """
    lines = [_one_line(name) for name in names]
    _look_up(set("".join(lines)))
    shown = [
        _shortened(line, longest) if line and all(_families[character] is not None for character in line) else f"#{k}"
        for k, line in enumerate(lines)
    ]
    times = Counter(shown)
    for k, (text, name) in enumerate(zip(shown, names, strict=True)):
        if times[text] > 1 and text != name:
            shown[k] = f"{_shortened(text, longest - 2 - len(str(k)))} #{k}"
    return [_isolated(text) for text in shown]


def verbatim(*texts: str) -> dict[str, Any]:
    """Return the settings with which matplotlib draws texts literally: `$` starts no formula, every glyph has a font.

    Args:
        texts: all texts drawn with these settings; names in them come from `drawable`.
    """
    characters = set("".join(texts))
    _look_up(characters)
    others = sorted({_families[character] or "" for character in characters} - {""})
    return {"parse_math": False, "fontfamily": [*rcParams["font.family"], *others]}


def tick_rotation(names: list[str], size: float, width: float) -> int:
    """Return the rotation of names on an axis, in degrees: 0 if they fit side by side, else 90.

    Args:
        names: on the axis.
        size: of the font, in points.
        width: of the axis, in inches.
    """
    return 0 if text_width(names, size) < width / len(names) else 90


def text_width(texts: list[str], size: float) -> float:
    """Return the approximate width of the longest text, in inches.

    Args:
        texts: of one line each.
        size: of the font, in points.
    """
    return max(map(len, texts)) * 0.62 * size / 72


def add_legend(place: Axes | Figure, handles: list[Any], names: list[str], **layout: Any) -> Legend:
    """Add a legend with names drawn literally.

    Args:
        place: axes or figure that it belongs to.
        handles: the lines, markers or bars.
        names: one per handle.
        layout: as for matplotlib's `legend`.
    """
    legend = place.legend(handles, names, **layout)
    for text in legend.get_texts():
        text.set(**verbatim(text.get_text()))
    return legend


def _one_line(name: str) -> str:
    # Control characters would break or reverse the line; only the two joiners are part of a word's spelling.
    kinds = {"Cc": "\ufffd", "Cs": "\ufffd", "Cf": ""}
    words = " ".join(name.split())
    return "".join(c if c in "\u200c\u200d" else kinds.get(unicodedata.category(c), c) for c in words)


def _shortened(line: str, longest: int) -> str:
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _isolated(name: str) -> str:
    # A name written from right to left would turn a `90%` beside it into `%90` and move it to the other side.
    if any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in name):
        return f"\u2068{name}\u2069"
    return name


def _look_up(characters: set[str]) -> None:
    unknown = {character for character in characters if character not in _families}
    if not unknown:
        return
    # Characters without width, such as the isolates of `_isolated`, need no glyph.
    _families.update({character: "" for character in unknown if unicodedata.category(character) in ("Cc", "Cf")})
    default = get_font(findfont(FontProperties()))
    _families.update({character: "" for character in unknown if default.get_char_index(ord(character))})
    missing = unknown - _families.keys()
    for font in fontManager.ttflist:
        # Matplotlib's own fonts are for formulas; last-resort fonts have a box for every character.
        unsuitable = font.fname.startswith(get_data_path()) or "lastresort" in font.name.lower().replace(" ", "")
        if not missing or unsuitable or font.style != "normal" or font.weight != 400:
            continue
        # A listed font may have been removed, or have a format that cannot be drawn.
        with suppress(OSError, RuntimeError):
            glyphs = get_font(font.fname)
            found = {character for character in missing if _has_outline(glyphs, character)}
            _families.update(dict.fromkeys(found, font.name))
            missing -= found
    _families.update(dict.fromkeys(missing))


def _has_outline(font: FT2Font, character: str) -> bool:
    # Matplotlib draws outlines only; those of colour emoji fonts are empty.
    return font.get_char_index(ord(character)) > 0 and any(font.load_char(ord(character)).bbox)
