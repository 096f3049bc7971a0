"""Whole currents, seen by a prior that knows the height of the sea and what is left of currents.

The geostrophic part is linear in the height, so an observed current is one more weighted sum of
cells: of the rest where it is, and of heights around.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from xocean_ml.assimilation.rows import Rows
from xocean_ml.assimilation.state import State
from xocean_ml.currents.geostrophy import Places, geostrophic
from xocean_ml.units import conversion

__all__ = ["matrices", "whole"]

REACH = 4
"""Cells to either side that slopes are made of, where they are not smoothed."""

DEVIATIONS = 5
"""Of a smoothing, after which nothing is left of a cell."""

BATCH = 64


def matrices(state: State, smooth: float) -> tuple[sparse.csr_array, sparse.csr_array]:
    """From heights, m, to geostrophic currents, m s-1: (cells, cells) each, eastward first.

    Found by what single cells raised by a metre do, many at a time, far enough from each other.
    """
    sea = state.known[0]
    rows, columns = sea.shape
    apart = 2 * (REACH + int(np.ceil(DEVIATIONS * smooth))) + 1
    places = Places(state.latitude, state.longitude, state.wraps)
    row, column = np.indices(sea.shape)
    parts: list[list[Any]] = [[], []]
    # of a closed parallel, a number of columns that the spacing divides; else cells would meet
    widths = [n for n in range(apart, columns + 1) if columns % n == 0] if state.wraps else [apart]
    wide = widths[0] if widths else columns
    starts = list(itertools.product(range(min(apart, rows)), range(min(wide, columns))))
    for first in range(0, len(starts), BATCH):
        some = starts[first : first + BATCH]
        raised = np.stack([(row % apart == i) & (column % wide == j) for i, j in some])
        height = np.where(sea, raised.astype(float), np.nan)
        for part, made in zip(parts, geostrophic(height, places, smooth), strict=True):
            for (i, j), current in zip(some, made, strict=True):
                part.append(_entries(np.nan_to_num(current), (i, j), (apart, wide), state.wraps))
    count = rows * columns
    both = []
    for part in parts:
        to, come, weight = (np.concatenate(each) for each in zip(*part, strict=True))
        both.append(sparse.csr_array((weight, (to, come)), shape=(count, count)))
    return both[0], both[1]


def _entries(
    current: np.ndarray, start: tuple[int, int], apart: tuple[int, int], wraps: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells with a current, the raised cell that each is of (the nearest), and the current."""
    to = np.argwhere(current != 0)
    raised = []
    for axis, (at, step, size) in enumerate(zip(start, apart, current.shape, strict=True)):
        nearest = at + np.rint((to[:, axis] - at) / step).astype(int) * step
        if axis == 1 and wraps:
            raised.append(nearest % size)
        else:
            last = at + (size - 1 - at) // step * step
            raised.append(np.clip(nearest, at, last))
    columns = current.shape[1]
    flat = to[:, 0] * columns + to[:, 1]
    return flat, raised[0] * columns + raised[1], current[to[:, 0], to[:, 1]]


def whole(
    rows: Rows,
    matrix: sparse.csr_array,
    state: State,
    numbers: tuple[int, int],
    config: Mapping[str, Any],
    mdt: np.ndarray | None,
) -> tuple[Rows, np.ndarray]:
    """Rows of observed whole currents, and what the mean topography has of each.

    Parameters
    ----------
    rows : Rows
        Of the rest of the current.
    matrix : sparse array
        As of `matrices`, of this component.
    state : State
    numbers : (int, int)
        Of the current and of the height among the fields.
    config : mapping
        Of the model: weights of heights are of normalised ones.
    mdt : array, (rows, columns), optional
        m; what lies between the height that the prior knows and that of the current.

    Returns
    -------
    Rows
    array, (m,)
        Currents of the mean topography, in the model's units.
    """
    current, height = numbers
    told = config["fields"]
    speed = float(conversion("m s-1", told[current]["units"]).factor)
    metre = float(conversion(told[height]["units"], "m").factor)
    flat = np.flatnonzero(state.known[current])
    start = state.parts[current].start
    count = len(rows)
    entry, corner = np.nonzero(rows.weight)
    cells = flat[rows.cell[entry, corner] - start]
    picked = sparse.csr_array(
        (rows.weight[entry, corner], (entry, cells)), shape=(count, matrix.shape[0])
    )
    slopes = (picked @ matrix).tocsr() * speed
    mean = np.zeros(count) if mdt is None else np.asarray(slopes @ np.nan_to_num(mdt).ravel())
    scale = metre * told[height]["std"] / told[current]["std"]
    return _with(rows, slopes * scale, state, height), mean


def _with(rows: Rows, heights: sparse.csr_array, state: State, field: int) -> Rows:
    """Rows that see heights too."""
    counts = np.diff(heights.indptr)
    most = int(counts.max()) if len(counts) else 0
    own = state.index[field].ravel()
    cell = np.zeros((len(rows), most), np.int64)
    weight = np.zeros((len(rows), most))
    for number in range(len(rows)):
        part = slice(heights.indptr[number], heights.indptr[number + 1])
        at = own[heights.indices[part]]
        keep = at >= 0
        cell[number, : keep.sum()] = at[keep]
        weight[number, : keep.sum()] = heights.data[part][keep]
    return Rows(
        np.concatenate([rows.cell, cell], axis=1),
        np.concatenate([rows.weight, weight], axis=1),
        rows.field,
        rows.point,
    )
