"""Windows: how the axes of an input follow the blocks of the output."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import dask.array as da

__all__ = [
    "Along",
    "Grid",
    "Index",
    "Input",
    "Output",
    "Place",
    "Sizes",
    "halo",
    "indices",
    "own",
    "scaled",
    "selected",
    "starts",
    "touched",
    "whole",
]

Sizes = tuple[int, ...]
Grid = tuple[Sizes, ...]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Along:
    """How the windows of one input axis follow the blocks of the grid.

    Parameters
    ----------
    axis : int or None
        Grid axis that is followed; None if every block sees the same window.
    bounds : tuple of (int, int)
        Half-open window in the input's indices, one for each block along `axis`.
    wrap : bool
        Whether a window that goes over an end continues at the other (else it is clipped).
    """

    axis: int | None
    bounds: tuple[tuple[int, int], ...]
    wrap: bool = False

    def of(self, index: Index) -> tuple[int, int]:
        """Window for the block at `index` of the grid."""
        return self.bounds[0 if self.axis is None else index[self.axis]]


def starts(sizes: Sequence[int]) -> tuple[int, ...]:
    """First index of each block, and the end.

    Examples
    --------
    >>> starts((3, 3, 2))
    (0, 3, 6, 8)
    """
    return (0, *itertools.accumulate(sizes))


def whole(size: int) -> Along:
    """Every block sees the whole axis."""
    return Along(None, ((0, size),))


def own(axis: int, sizes: Sequence[int]) -> Along:
    """Each block sees its own part."""
    return halo(axis, sizes, 0)


def halo(axis: int, sizes: Sequence[int], reach: int, *, wrap: bool = False) -> Along:
    """Each block sees its own part and `reach` cells on either side.

    Examples
    --------
    >>> halo(0, (4, 4), 1).bounds
    ((-1, 5), (3, 9))
    """
    edges = starts(sizes)
    return Along(axis, tuple((a - reach, b + reach) for a, b in itertools.pairwise(edges)), wrap)


def scaled(
    axis: int, sizes: Sequence[int], scale: float, reach: int = 0, *, wrap: bool = False
) -> Along:
    """Each block of the fine output sees the coarse cells under it, and `reach` more.

    Examples
    --------
    >>> scaled(0, (9, 9), 9.0, 1).bounds
    ((-1, 2), (0, 3))
    """
    edges = starts(sizes)
    bounds = tuple(
        (floor(a / scale) - reach, ceil(b / scale) + reach) for a, b in itertools.pairwise(edges)
    )
    return Along(axis, bounds, wrap)


def selected(axis: int, bounds: Sequence[tuple[int, int]]) -> Along:
    """Any window per block: observations of the block's times, a guide's own grid."""
    return Along(axis, tuple(bounds))


@dataclass(frozen=True)
class Input:
    """A dask array and, for each of its axes, where the windows lie."""

    array: da.Array
    along: tuple[Along, ...]


@dataclass(frozen=True)
class Output:
    """One array that the tasks give.

    Parameters
    ----------
    chunks : tuple of tuple of int
        Chunk sizes of each axis; they may be finer than the grid's blocks, never across them.
    axes : tuple of int or None
        Grid axis that each axis follows; None where it is in one piece.
    meta : array
        Empty array of the right kind (numpy or cupy) and dtype.
    """

    chunks: Grid
    axes: tuple[int | None, ...]
    meta: Any


@dataclass(frozen=True)
class Place:
    """Where a block lies in the grid: its index and, for each grid axis, its slice."""

    index: Index
    slices: tuple[slice, ...]


def indices(grid: Grid) -> Iterator[Index]:
    """Every block index of a grid, last axis fastest."""
    return itertools.product(*(range(len(sizes)) for sizes in grid))


def touched(
    sizes: Sequence[int], low: int, high: int, *, wrap: bool
) -> tuple[list[int], tuple[slice, ...]]:
    """Chunks that the window ``[low, high)`` touches, and the slice of each, in window order.

    An empty window has one chunk and an empty slice of it.

    Examples
    --------
    >>> touched((4, 4), 3, 6, wrap=False)
    ([0, 1], (slice(3, 4, None), slice(0, 2, None)))
    >>> touched((4, 4), -1, 2, wrap=True)
    ([1, 0], (slice(3, 4, None), slice(0, 2, None)))
    """
    edges = starts(sizes)
    size = edges[-1]
    if not wrap:
        low, high = max(low, 0), min(high, size)
    numbers: list[int] = []
    parts: list[slice] = []
    if low >= high:
        # An empty window still takes its kind and dtype from a chunk.
        number = min(bisect_right(edges, min(max(low, 0), size)), len(sizes)) - 1
        return [number], (slice(0, 0),)
    at = low
    while at < high:
        inside = at % size
        number = bisect_right(edges, inside) - 1
        stop = min(edges[number + 1], inside + high - at)
        numbers.append(number)
        parts.append(slice(inside - edges[number], stop - edges[number]))
        at += stop - inside
    return numbers, tuple(parts)
