"""Images of 62 pen-written characters, 0-9A-Za-z: the offline stand-in for a folder of handwritten scans.

The shapes are the centre lines of glyphs in matplotlib's fonts. Each writer has fonts, slant, proportions, pen and position
on the page, a common distortion of all letters, and a small variation of each letter.
Lengths are in cap heights, x to the right and y down with the baseline at 0, until the last step scales them to the page.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import cv2
import numpy as np

CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# Fonts whose centre lines look handwritten. Not DejaVuSansMono for 0, O and Q: its 0 has a dot, its O and Q are as narrow as 0.
_UPRIGHT = ("DejaVuSans", "cmss10", "DejaVuSansMono")
_CURSIVE = {"cmti10": 0.25, "STIXGeneralItalic": 0.28, "cmmi10": 0.25}  # their slant, replaced by the writer's

# Handwritten shapes that these fonts lack.
_FLAG_ONE = ((-0.22, -0.72), (-0.10, -0.84), (0.0, -1.0), (0.0, 0.0))
_LOOP_L = ((-0.2, -0.25), (0.0, -0.46), (0.16, -0.75), (0.15, -0.97), (0.04, -1.05), (-0.06, -0.93), (-0.08, -0.55),
           (-0.06, -0.2), (0.0, 0.0), (0.1, 0.02), (0.2, -0.1))  # fmt: skip
_TAIL_L = ((0.0, -1.0), (0.0, -0.2), (0.03, -0.03), (0.12, 0.01), (0.22, -0.07))
_BARS = {"0": (0.1, 0.9), "7": (0.5, 0.46), "Z": (0.52, 0.5), "z": (0.3, 0.28)}  # height of a bar at its start and end
_BAR_SHARE = 0.25  # of the writers draw these bars

# In the scans, every pen is 38 pixels wide. Thinner pens are included because bad downsampling loses them.
_PEN_WIDTHS = (4, 40)
_MARGIN = 24  # pixels between ink and page edge, at 900x1200

_CAP_PIXELS = 160  # cap height at which a glyph is thinned; its strokes are then about 20 pixels wide
_X_HEIGHT = 0.6  # of stored lower-case letters; drawing replaces it by the writer's
_STEP = 0.025  # distance between points of a stroke
_FREETYPE = threading.Lock()  # a FreeType face must not be used by two threads at once


def render_character(character: str, writer: int, seed: int = 0, *, height: int = 900, width: int = 1200) -> np.ndarray:
    """Draw one character of one writer: black pen on a white page. The result depends on the arguments only.

    Sizes and positions follow the EnglishHnd scans: a cap height of about half the page, smaller lower-case letters on the
    same baseline.

    Returns:
        uint8 RGB [height, width, 3].

    Raises:
        ValueError: `character` is not in `CHARACTERS`, a number is negative, or a side is shorter than 32 pixels.
    """
    if not isinstance(character, str) or len(character) != 1 or character not in CHARACTERS:
        raise ValueError(f"character must be one of {CHARACTERS}, got {character!r}")
    if writer < 0 or seed < 0:
        raise ValueError(f"writer and seed must be 0 or more, got writer={writer} and seed={seed}")
    if min(height, width) < 32:
        raise ValueError(f"height and width must be at least 32 pixels, got height={height} and width={width}")

    hand = np.random.default_rng((seed, writer))  # the same for all letters, so draws always have the same order
    touch = np.random.default_rng((seed, writer, ord(character)))  # specific to this letter
    strokes = _choose_strokes(character, hand, touch)
    lengths = np.cumsum([len(stroke) for stroke in strokes])[:-1]

    slant, stretch = np.clip(hand.normal(0.12, 0.13), -0.12, 0.36), hand.uniform(0.75, 1.1)
    x_height, descender = hand.uniform(0.48, 0.68), hand.uniform(0.8, 1.3)
    roundness = hand.uniform(0.5, 2.2)
    cap = np.clip(hand.normal(440, 75), 280, 600)
    place = hand.normal((580, 685), (40, 35)) + touch.normal(0, 8, 2)
    pen = hand.uniform(*_PEN_WIDTHS)

    points = np.concatenate([_smoothed(stroke, roundness) + touch.normal(0, 0.007, 2) for stroke in strokes])
    if character.islower():
        points[:, 1] = np.interp(points[:, 1], (-2, -1, -_X_HEIGHT, 0, 1), (-2, -1, -x_height, 0, descender))
    points += _bend(points, hand, 0.025) + _bend(points, touch, 0.018)
    points[:, 0] = (stretch + touch.normal(0, 0.04)) * points[:, 0] - (slant + touch.normal(0, 0.03)) * points[:, 1]
    points *= cap * (1 + touch.normal(0, 0.03))

    scale = min(height / 900, width / 1200)
    pen = max(1, round(pen * scale))
    place += ((width / scale - 1200) / 2, (height / scale - 900) / 2)  # on a page of another shape, stay in the centre
    points = _inside((points + place) * scale, height, width, _MARGIN * scale + pen / 2)
    page = np.full((height, width), 255, np.uint8)
    fixed_point = [np.round(stroke * 16).astype(np.int32) for stroke in np.split(points, lengths)]
    cv2.polylines(page, fixed_point, False, 0, pen, cv2.LINE_AA, shift=4)
    return cv2.cvtColor(page, cv2.COLOR_GRAY2RGB)


def _choose_strokes(character: str, hand: np.random.Generator, touch: np.random.Generator) -> list[np.ndarray]:
    """Return the strokes [n, 2] of a character: one font per writer and case, with rules for look-alikes."""
    fonts = (*_UPRIGHT, *_CURSIVE)
    capital, digit, oval, small = (fonts[i] for i in hand.integers((3, 3, 2, 6)))
    serif_one, serif_i, barred = hand.random() < 0.5, hand.random() < 0.75, hand.random(len(_BARS)) < _BAR_SHARE
    # A plain stroke is an I for some writers and an l for others, never both.
    ell = (_LOOP_L, _TAIL_L, None)[hand.integers(3 if serif_i else 2)]
    odd = touch.random() < 0.08  # some letters come from another font

    drawn = {"1": None if serif_one else _FLAG_ONE, "l": ell}.get(character)
    if drawn is not None:
        return [_resampled(np.array(drawn), _STEP)]
    if character in "0OQ":
        font = oval
    elif character in "1Il":
        font = "DejaVuSansMono" if character == "1" or character == "I" and serif_i else "DejaVuSans"
    elif character.isdigit():
        font = _UPRIGHT[touch.integers(3)] if odd else digit
    elif character.isupper():
        font = _UPRIGHT[touch.integers(3)] if odd else capital
    else:
        font = fonts[touch.integers(6)] if odd else small
    with _FREETYPE:
        strokes = list(_glyph_strokes(font, character))
    if character in _BARS and barred[list(_BARS).index(character)]:
        half = 0.3 * np.ptp(np.concatenate(strokes)[:, 0])
        start, end = _BARS[character]
        strokes.append(_resampled(np.array([(-half, -start), (half, -end)]), _STEP))
    return strokes


def _bend(points: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """Return displacements [n, 2] of a smooth random field; nearby points move together, so strokes stay connected."""
    waves = points @ rng.uniform(-5, 5, (2, 4)) + rng.uniform(0, 2 * np.pi, 4)
    return np.sin(waves) @ rng.normal(0, size, (4, 2))


def _inside(points: np.ndarray, height: int, width: int, margin: float) -> np.ndarray:
    """Move the points [n, 2] into the page inside its margin; shrink them only if needed."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.maximum(np.array((width, height)) - 1 - 2 * margin, 1)
    middle, half = (low + high) / 2, (high - low) / 2
    shrink = min(1.0, *(room / np.maximum(2 * half, 1e-6)))
    half *= shrink
    return (points - middle) * shrink + np.clip(middle, margin + half, margin + room - half)


def _resampled(points: np.ndarray, step: float) -> np.ndarray:
    """Return the polyline [n, 2] resampled to points about `step` apart, with the same ends."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0, along[-1], max(2, round(along[-1] / step) + 1))
    return np.stack([np.interp(at, along, points[:, i]) for i in (0, 1)], axis=1)


def _smoothed(points: np.ndarray, sigma: float) -> np.ndarray:
    """Return the polyline [n, 2] smoothed by a Gaussian of `sigma` points; point reflection keeps its ends."""
    reach = min(int(3 * sigma) + 1, len(points) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    before, after = 2 * points[0] - points[reach:0:-1], 2 * points[-1] - points[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, points, after])
    return np.stack([np.convolve(padded[:, i], kernel / kernel.sum(), "valid") for i in (0, 1)], axis=1)


@cache
def _font(name: str):
    """Return a matplotlib font at `_CAP_PIXELS`, and its x-height, ascender and descender in pixels."""
    import matplotlib
    from PIL import ImageFont

    path = str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf"))
    size = round(200 * _CAP_PIXELS / -ImageFont.truetype(path, 200).getbbox("H", anchor="ls")[1])
    font = ImageFont.truetype(path, size)
    x_height, ascender = (-font.getbbox(letter, anchor="ls")[1] for letter in "xd")
    return font, x_height, ascender, font.getbbox("p", anchor="ls")[3]


@cache
def _glyph_strokes(name: str, character: str) -> tuple[np.ndarray, ...]:
    """Return the centre lines of a glyph as pen strokes [n, 2], in cap heights, centred at x = 0."""
    from PIL import Image, ImageDraw

    font, x_height, ascender, descender = _font(name)
    left, top, right, bottom = font.getbbox(character, anchor="ls")
    image = Image.new("L", (right - left + 8, bottom - top + 8))  # thinning needs a border
    ImageDraw.Draw(image).text((4 - left, 4 - top), character, font=font, fill=255, anchor="ls")
    strokes = []
    for pixels in _traced((np.asarray(image) > 127).astype(np.uint8)):
        points = (pixels - (4 - left, 4 - top)) / _CAP_PIXELS
        points[:, 0] += _CURSIVE.get(name, 0.0) * points[:, 1]
        if character.islower():
            knots = np.array((-2 * ascender, -ascender, -x_height, 0, descender, 2 * descender)) / _CAP_PIXELS
            points[:, 1] = np.interp(points[:, 1], knots, (-2, -1, -_X_HEIGHT, 0, 0.38, 0.76))
        strokes.append(_smoothed(_resampled(points, _STEP), 1.0))
    x = np.concatenate(strokes)[:, 0]
    return tuple(stroke - ((x.min() + x.max()) / 2, 0) for stroke in strokes)


def _thinned(mask: np.ndarray) -> np.ndarray:
    """Return the one-pixel skeleton of a 0/1 mask (Zhang and Suen 1984), with each pass as one table look-up."""
    weights = np.array(
        [[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32
    )  # bit k: the k-th neighbour, clockwise from the north
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    north, east, south, west = bits[:, 0::2].T
    edge = (bits.sum(1) >= 2) & (bits.sum(1) <= 6) & (((bits == 0) & (np.roll(bits, -1, axis=1) == 1)).sum(1) == 1)
    passes = (edge & (north * east * south == 0) & (east * south * west == 0),
              edge & (north * east * west == 0) & (north * south * west == 0))  # fmt: skip
    mask, before = mask.copy(), None
    while before is None or np.any(mask != before):
        before = mask.copy()
        for table in passes:
            neighbours = cv2.filter2D(mask, cv2.CV_8U, weights, borderType=cv2.BORDER_CONSTANT)
            mask &= 1 - cv2.LUT(neighbours, table.astype(np.uint8))
    return mask


def _skeleton_paths(skeleton: np.ndarray) -> list[list[tuple[int, int]]]:
    """Return the skeleton as paths of (y, x) between ends and junctions; a ring starts and ends at its topmost pixel."""
    pixels = dict.fromkeys(map(tuple, np.argwhere(skeleton).tolist()))
    links = {}
    for y, x in pixels:
        straight = [p for p in ((y - 1, x), (y, x + 1), (y + 1, x), (y, x - 1)) if p in pixels]
        # Diagonal steps only where no straight one leads around the corner; otherwise every corner is a junction.
        diagonal = [(v, u) for v in (y - 1, y + 1) for u in (x - 1, x + 1)
                    if (v, u) in pixels and (v, x) not in pixels and (y, u) not in pixels]  # fmt: skip
        links[y, x] = straight + diagonal or [(y, x)]

    paths, walked = [], set()
    nodes = [p for p in links if len(links[p]) != 2]
    for start in [*nodes, *links]:  # after the nodes, only rings are left
        for step in links[start]:
            if (start, step) in walked:
                continue
            path = [start, step]
            while len(links[path[-1]]) == 2 and path[-1] != start:
                one, other = links[path[-1]]
                path.append(other if one == path[-2] else one)
            walked.update(pairwise(path), pairwise(path[::-1]))
            paths.append(path)
    return paths


def _traced(mask: np.ndarray) -> list[np.ndarray]:
    """Return the centre lines of a 0/1 mask as few long strokes [n, 2] of (x, y) that continue through junctions."""
    half_width = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    paths = _skeleton_paths(_thinned(mask))

    # Spurs shorter than the stroke width are artefacts of corners in the outline.
    degree = Counter(end for path in paths for end in (path[0], path[-1]))
    paths = [path for path in paths
             if not any(degree[tip] == 1 and degree[root] > 2 and len(path) < 1.3 * half_width[root]
                        for tip, root in ((path[0], path[-1]), (path[-1], path[0])))]  # fmt: skip

    # Where wide strokes cross, the skeleton has two junctions with a short link: merge them into one node in the middle.
    node = {end: end for end in degree}
    for path in paths:
        one, other = node[path[0]], node[path[-1]]
        if degree[path[0]] > 2 and degree[path[-1]] > 2 and len(path) < 1.6 * half_width[path[0]]:
            node.update({end: one for end in node if node[end] == other})
    paths = [path for path in paths if node[path[0]] != node[path[-1]] or path[0] == path[1]
             or len(path) > 3 * half_width[path[0]]]  # fmt: skip
    meeting = defaultdict(list)  # node -> the (path number, 0 for its start or -1 for its end) that meet there
    for number, path in enumerate(paths):
        for side in (0, -1):
            meeting[node[path[side]]].append((number, side))

    lines = []
    for path in paths:
        line = np.array(path, float)[:, ::-1]
        usual = np.median(half_width[tuple(np.transpose(path))])
        dot = max(degree[path[0]], degree[path[-1]]) <= 2 and len(path) <= usual
        for side in (0, -1):
            reach, at = half_width[path[side]], node[path[side]]
            if dot:  # a short dash
                line = np.concatenate([[line[0] - (1 + 2 * side) * reach * np.array((0.2, 0.5))], line])
            elif len(meeting[at]) > 1:  # a skeleton bends towards a junction: replace the bend by a straight line
                centre = np.mean([end[::-1] for end in node if node[end] == at], axis=0)
                outside = np.hypot(*(line - centre).T) > reach
                line = np.concatenate([[centre], line[outside.argmax() if outside.any() else -1 :]])
            else:  # a skeleton turns towards a corner of the outline and ends before the stroke: extend it
                cut = int(min(1.5 * usual, len(line) / 4))
                line, back = line[cut:], line[cut] - line[min(cut + 8, len(line) - 1)]
                line = np.concatenate([[line[0] + (cut + 0.7 * reach) * back / np.hypot(*back)], line])
            line = line[::-1]
        lines.append(line)
    return _joined(lines, list(meeting.values()))


def _joined(lines: list[np.ndarray], meeting: list[list[tuple[int, int]]]) -> list[np.ndarray]:
    """Join lines into strokes where a pen would continue; `meeting` has (line, 0 for its start or -1 for its end)."""

    def turn(pair) -> float:
        """Return the cosine between the directions of two ends away from their node: -1 if the pen goes straight on."""
        one, other = (lines[number][:: 1 + 2 * side][[0, min(3, len(lines[number]) - 1)]] for number, side in pair)
        one, other = one[1] - one[0], other[1] - other[0]
        return float(one @ other / max(np.hypot(*one) * np.hypot(*other), 1e-9))

    follows = {}
    for ends in meeting:
        for one, other in sorted(combinations(ends, 2), key=turn):
            free = one not in follows and other not in follows and one[0] != other[0]
            if free and (len(ends) == 2 or turn((one, other)) < -0.5):
                follows[one], follows[other] = other, one

    strokes, drawn = [], set()
    for at in sorted(sum(meeting, []), key=lambda end: end in follows):  # free ends first; then only rings are left
        stroke = []
        while at is not None and at[0] not in drawn:
            drawn.add(at[0])
            stroke.append(lines[at[0]][:: 1 + 2 * at[1]])
            at = follows.get((at[0], -1 - at[1]))
        if stroke:
            stroke = np.concatenate(stroke)
            closed = len(stroke) > 8 and np.array_equal(stroke[0], stroke[-1])
            strokes.append(np.concatenate([stroke, stroke[1:9]]) if closed else stroke)  # the pen overlaps its start
    return strokes
