r"""Between grids: bicubic to a finer one, area means to a coarser one, land filled from the sea.

Bicubic is the cubic convolution of Keys (1981), with a = -1/2: third-order accurate, exact for
quadratic fields, and local: a value needs four cells a side.

Each value is found from its own neighbours in a fixed order, so a window of a field gives the same
bits as the whole field.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xocean_ml.kernels.lattice import Lattice

__all__ = [
    "BICUBIC_REACH",
    "FILL_REACH",
    "area_mean",
    "bicubic",
    "fill",
    "keys",
    "nearest",
    "taps",
    "tents",
]

BICUBIC_REACH = 2
"""Coarse cells that bicubic looks beyond a block."""

FILL_REACH = 4
"""Cells over which the sea is carried on into land."""


def keys(t: Any) -> list[Any]:
    """Weights of the four neighbours, `t` of the way from the second to the third; any array."""
    return [
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ]


def taps(places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours and weights of cubic convolution along an axis.

    Parameters
    ----------
    places : array, (n,)
        In units of cells, 0 at the centre of the first.
    count : int
        Cells of the axis; beyond its ends the last cell goes on.

    Returns
    -------
    index : array of int, (4, n)
    weight : array, (4, n)
        They add up to one.

    Examples
    --------
    >>> index, weight = taps(np.array([1.5]), 4)
    >>> index[:, 0], weight[:, 0]
    (array([0, 1, 2, 3]), array([-0.0625,  0.5625,  0.5625, -0.0625]))
    """
    left = np.floor(places)
    weight = np.stack(keys(places - left))
    index = left.astype(np.intp) + np.arange(-1, 3)[:, None]
    return np.clip(index, 0, count - 1), weight


def bicubic(coarse: np.ndarray, lattice: Lattice) -> np.ndarray:
    """Interpolate fields to the cells of a lattice.

    Parameters
    ----------
    coarse : array, (..., rows, columns)
        Without NaN; see `fill`.
    lattice : Lattice
        Where to.

    Returns
    -------
    array, (..., h, w)
        Of the dtype of `coarse`.

    Examples
    --------
    >>> from xocean_ml.kernels.lattice import regular
    >>> ramp = np.arange(5.0) * np.ones((5, 1))
    >>> bicubic(ramp, regular((5, 5), 2))[4, 4:7]
    array([1.75, 2.25, 2.75])
    """
    across = _along(coarse, *taps(lattice.columns, coarse.shape[-1]), axis=-1)
    return _along(across, *taps(lattice.rows, coarse.shape[-2]), axis=-2)


def _along(x: np.ndarray, index: np.ndarray, weight: np.ndarray, axis: int) -> np.ndarray:
    weight = weight.astype(x.dtype)
    if axis == -2:
        weight = weight[..., None]
    out = np.take(x, index[0], axis) * weight[0]
    for near, share in zip(index[1:], weight[1:], strict=True):
        out += np.take(x, near, axis) * share
    return out


def nearest(values: np.ndarray, lattice: Lattice) -> np.ndarray:
    """Each fine cell takes the value of the coarse cell that its centre lies in."""
    rows, columns = (
        np.clip(np.floor(places + 0.5).astype(np.intp), 0, count - 1)
        for places, count in zip((lattice.rows, lattice.columns), values.shape[-2:], strict=True)
    )
    return np.asarray(values[..., rows[:, None], columns])


def fill(values: np.ndarray, valid: np.ndarray, steps: int = FILL_REACH) -> np.ndarray:
    """Carry the sea on into land: each step fills cells that touch a filled one, by their mean.

    Parameters
    ----------
    values : array, (..., rows, columns)
        Anything where not valid.
    valid : array of bool
        Of the same shape, or of its last two axes.
    steps : int
        So many cells from the coast land is filled; the rest becomes 0.

    Returns
    -------
    array
        Of the shape and dtype of `values`.

    Examples
    --------
    >>> fill(np.array([[2.0, np.nan, np.nan]]), np.array([[True, False, False]]), steps=1)
    array([[2., 2., 0.]])
    """
    known = np.broadcast_to(valid, values.shape)
    filled = np.where(known, values, values.dtype.type(0))
    for _ in range(steps):
        if known.all():
            break
        number = _around(known.astype(values.dtype))
        mean = _around(filled) / np.maximum(number, 1)
        reached = ~known & (number > 0)
        filled = np.where(reached, mean, filled)
        known = known | reached
    return filled


def _around(x: np.ndarray) -> np.ndarray:
    """Sum over a cell and its eight neighbours; nothing lies beyond the edges."""
    widths = [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)]
    wide = np.pad(x, widths)
    across = wide[..., :-2] + wide[..., 1:-1] + wide[..., 2:]
    return np.asarray(across[..., :-2, :] + across[..., 1:-1, :] + across[..., 2:, :])


def area_mean(
    fine: np.ndarray, rows: np.ndarray, columns: np.ndarray, valid: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Means of a fine field over coarse cells, weighted by the area in common.

    Parameters
    ----------
    fine : array, (..., h, w)
    rows, columns : array, (H, h), (W, w)
        Lengths in common: `xocean_ml.kernels.lattice.overlaps`.
    valid : array of bool, optional
        Cells that count, (h, w) or of the shape of `fine`; by default those that are not NaN.

    Returns
    -------
    mean : array, (..., H, W)
        NaN where nothing counts.
    share : array, (..., H, W)
        Of the coarse cell's covered area that counts.
    """
    known = ~np.isnan(fine) if valid is None else np.broadcast_to(valid, fine.shape)
    area = rows @ known.astype(rows.dtype) @ columns.T
    total = rows @ np.where(known, fine, 0.0) @ columns.T
    covered = np.outer(rows.sum(axis=1), columns.sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(area > 0, total / area, np.nan)
        share = np.where(covered > 0, area / covered, 0.0)
    return mean.astype(fine.dtype), share


def tents(values: np.ndarray, valid: np.ndarray, lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Bring a field to another grid of about its own resolution, or a coarser one.

    Weights fall off linearly over the larger of the two cells: linear interpolation to a finer
    grid, averages without aliases to a coarser one. Only what is valid counts.

    Parameters
    ----------
    values : array, (..., rows, columns)
        Anything where not valid.
    valid : array of bool
        Of the same shape.
    lattice : Lattice
        The other grid's cells, in units of this one's.

    Returns
    -------
    mean : array, (..., h, w)
        0 where nothing counts.
    share : array, (..., h, w)
        Of the weight that counts.
    """
    rows = _tent(lattice.rows, lattice.size[0], values.shape[-2]).astype(values.dtype)
    columns = _tent(lattice.columns, lattice.size[1], values.shape[-1]).astype(values.dtype)
    share = rows @ valid.astype(values.dtype) @ columns.T
    total = rows @ np.where(valid, values, values.dtype.type(0)) @ columns.T
    return np.where(share > 1e-6, total / np.maximum(share, 1e-6), 0), share


def _tent(places: np.ndarray, size: float, count: int) -> np.ndarray:
    """Weights of the cells of an axis, (n, count); a row adds up to one, or is nothing."""
    weight = np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(count)) / max(size, 1.0))
    total = weight.sum(axis=1, keepdims=True)
    return np.divide(weight, total, out=np.zeros_like(weight), where=total > 1e-9)
