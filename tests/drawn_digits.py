"""The digits as somebody draws them with a mouse: two hands, the second smaller, slanted and not in the middle of the paper."""

from __future__ import annotations

from math import cos, radians, sin

Point = tuple[float, float]
Stroke = list[Point]
# Distance of two points of a stroke, in shares of the paper's width.
STEP = 0.02


def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> Stroke:
    """Return points of an ellipse around (x, y), from angle to angle in degrees; 0 is right, 90 below."""
    angles = [radians(start + (end - start) * k / 24) for k in range(25)]
    return [(x + width * cos(angle), y + height * sin(angle)) for angle in angles]


FIRST = {
    0: [arc(0.5, 0.5, 0.2, 0.32, -90, 270)],
    1: [[(0.5, 0.15), (0.5, 0.85)]],
    2: [[*arc(0.5, 0.35, 0.2, 0.18, -170, 40), (0.3, 0.82), (0.74, 0.82)]],
    3: [[*arc(0.48, 0.33, 0.19, 0.17, -150, 90), *arc(0.48, 0.67, 0.22, 0.17, -90, 150)]],
    4: [[(0.42, 0.15), (0.28, 0.55), (0.75, 0.55)], [(0.62, 0.3), (0.62, 0.87)]],
    5: [[(0.7, 0.16), (0.38, 0.16), (0.35, 0.45), *arc(0.48, 0.63, 0.2, 0.2, -110, 140)]],
    6: [[(0.62, 0.14), (0.44, 0.32), (0.33, 0.58), *arc(0.49, 0.66, 0.17, 0.17, 180, 540)]],
    7: [[(0.28, 0.18), (0.72, 0.18), (0.44, 0.85)]],
    8: [[*arc(0.5, 0.32, 0.15, 0.16, 90, -270), *arc(0.5, 0.67, 0.19, 0.19, -90, 270)]],
    9: [[*arc(0.5, 0.34, 0.17, 0.18, 0, 360), (0.66, 0.6), (0.6, 0.86)]],
}
SECOND = {
    0: [arc(0.5, 0.5, 0.26, 0.33, -60, 290)],
    1: [[(0.36, 0.34), (0.52, 0.16), (0.52, 0.85)]],
    2: [[(0.3, 0.3), (0.4, 0.18), (0.6, 0.18), (0.7, 0.33), (0.58, 0.55), (0.28, 0.84), (0.5, 0.8), (0.74, 0.86)]],
    3: [[(0.3, 0.18), (0.68, 0.18), (0.48, 0.42), *arc(0.48, 0.63, 0.2, 0.21, -80, 150)]],
    4: [[(0.62, 0.86), (0.62, 0.14), (0.26, 0.62), (0.78, 0.62)]],
    5: [[(0.38, 0.18), (0.36, 0.46), *arc(0.46, 0.65, 0.23, 0.2, -100, 130)], [(0.38, 0.18), (0.7, 0.16)]],
    6: [[*arc(0.6, 0.5, 0.26, 0.36, -80, -180), *arc(0.5, 0.66, 0.16, 0.2, 180, 500)]],
    7: [[(0.26, 0.22), (0.74, 0.18), (0.46, 0.86)], [(0.4, 0.54), (0.72, 0.52)]],
    8: [
        [
            (0.66, 0.24),
            *arc(0.5, 0.32, 0.17, 0.16, -30, -200),
            (0.6, 0.52),
            *arc(0.5, 0.67, 0.18, 0.18, -30, 200),
            (0.64, 0.36),
        ]
    ],
    9: [[(0.68, 0.3), *arc(0.5, 0.34, 0.18, 0.17, -20, -330), (0.68, 0.24), (0.64, 0.86)]],
}


def second_hand(stroke: Stroke) -> Stroke:
    """Return a stroke that is slanted, smaller, and up and left on the paper."""
    return [(0.08 + 0.55 * (x + 0.2 * (0.5 - y)), 0.06 + 0.55 * y) for x, y in stroke]


def drawn_digits() -> list[tuple[int, list[Stroke]]]:
    """Return twenty digits with their strokes, in shares of the paper's width from its upper left corner."""
    second = {digit: [second_hand(stroke) for stroke in strokes] for digit, strokes in SECOND.items()}
    return [(digit, [dense(stroke) for stroke in hand[digit]]) for hand in (FIRST, second) for digit in hand]


def dense(stroke: Stroke) -> Stroke:
    """Return a stroke with points as close as a mouse reports them."""
    points = stroke[:1]
    for (x, y), (to_x, to_y) in zip(stroke, stroke[1:], strict=False):
        count = max(round(max(abs(to_x - x), abs(to_y - y)) / STEP), 1)
        points += [(x + (to_x - x) * k / count, y + (to_y - y) * k / count) for k in range(1, count + 1)]
    return points
