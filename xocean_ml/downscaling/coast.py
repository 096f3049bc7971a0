"""Which cells of the target are sea: the one place where this is decided.

A fine cell is sea if the coarse cell that its centre lies in is (nothing is drawn that the input
did not know of). With a guide it is sea, too, where the guide has values and one of the eight
coarse neighbours is sea: so a finer coast can be followed outwards. A hole in a guide (a cloud)
never makes land.
"""

from __future__ import annotations

import numpy as np

from xocean_ml.kernels.lattice import Lattice
from xocean_ml.kernels.resample import nearest

__all__ = ["COAST_REACH", "sea"]

COAST_REACH = 1
"""Coarse cells that the decision looks beyond a block."""


def sea(coarse: np.ndarray, lattice: Lattice, guide: np.ndarray | None = None) -> np.ndarray:
    """Tell which fine cells are sea.

    Parameters
    ----------
    coarse : array of bool, (..., rows, columns)
        Sea of the coarse field.
    lattice : Lattice
    guide : array of bool, (..., h, w), optional
        Where the guide has values.

    Examples
    --------
    >>> from xocean_ml.kernels.lattice import regular
    >>> coarse = np.array([[True, False], [True, False]])
    >>> sea(coarse, regular((2, 2), 2))[0]
    array([ True,  True, False, False])
    >>> guide = np.array([[True, True, True, False]] * 4)
    >>> sea(coarse, regular((2, 2), 2), guide)[0]
    array([ True,  True,  True, False])
    """
    inside = nearest(coarse, lattice)
    if guide is None:
        return inside
    wide = np.pad(coarse, [(0, 0)] * (coarse.ndim - 2) + [(1, 1), (1, 1)])
    rows, columns = coarse.shape[-2:]
    shifts = [wide[..., i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return inside | (guide & nearest(np.logical_or.reduce(shifts), lattice))
