"""Sizes of blocks: neighbouring chunks joined, arrays in memory cut into tiles."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import ceil

import numpy as np

from xocean_ml.chunked.windows import Grid, Sizes

__all__ = ["groups", "tiles"]


def groups(sizes: Sequence[int], most: int) -> tuple[Sizes, tuple[int, ...]]:
    """Join neighbouring chunks into blocks of at most `most` cells (a larger chunk stays alone).

    Returns
    -------
    blocks : tuple of int
        Sizes of the joined blocks.
    counts : tuple of int
        How many chunks are in each.

    Examples
    --------
    >>> groups((1, 1, 1, 1, 1), 2)
    ((2, 2, 1), (2, 2, 1))
    """
    blocks: list[int] = []
    counts: list[int] = []
    for size in sizes:
        if blocks and blocks[-1] + size <= most:
            blocks[-1] += size
            counts[-1] += 1
        else:
            blocks.append(size)
            counts.append(1)
    return tuple(blocks), tuple(counts)


def tiles(shape: Sequence[int], whole_axes: Sequence[int], most: int) -> Grid:
    """Chunks for an in-memory array: some axes whole, the others cut to at most `most` cells.

    The axes in front are cut first, so that tiles stay contiguous.

    Examples
    --------
    >>> tiles((10, 100, 50), (0,), 10 * 25 * 50)
    ((10,), (25, 25, 25, 25), (50,))
    """
    room = max(1, most // max(1, int(np.prod([shape[a] for a in whole_axes], dtype=np.int64))))
    chunks: list[Sizes] = [(size,) for size in shape]
    for axis in reversed([a for a in range(len(shape)) if a not in whole_axes]):
        size = max(1, min(shape[axis], room))
        count = max(1, ceil(shape[axis] / size))
        chunks[axis] = tuple(
            b - a for a, b in itertools.pairwise(shape[axis] * i // count for i in range(count + 1))
        )
        room = max(1, room // max(1, shape[axis]))
    return tuple(chunks)
