"""Many small images in one array."""

from __future__ import annotations

import numpy as np

# Shades of the frame around each tile and of the gap between tiles.
FRAME, GAP = 0.6, 1.0
# Tiles are enlarged to about this many pixels, so that frames are equally thin around kernels of all sizes.
SIDE = 48


def mosaic(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Return the tiles side by side, row by row, each in a thin frame.

    Args:
        tiles: float [n, height, width, 3] in 0 to 1.
        columns: tiles per row.

    Returns:
        float [rows * tile height, columns * tile width, 3].
    """
    count, height, width, colours = tiles.shape
    times = max(SIDE // max(height, width), 1)
    tiles = tiles.repeat(times, axis=1).repeat(times, axis=2)
    for thickness, shade in ((1, FRAME), (2, GAP)):
        around = 2 * (thickness * max(round(max(tiles.shape[1:3]) / SIDE), 1),)
        tiles = np.pad(tiles, ((0, 0), around, around, (0, 0)), constant_values=shade)
    rows = -(-count // columns)
    grid = np.full((rows * columns, *tiles.shape[1:]), GAP)
    grid[:count] = tiles
    _, height, width, _ = tiles.shape
    return grid.reshape(rows, columns, height, width, colours).swapaxes(1, 2).reshape(rows * height, -1, colours)
