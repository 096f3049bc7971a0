r"""Means over coarse cells made those of the input, without blocks showing.

A constant per cell would do it, with a step at every edge. Instead what a coarse mean lacks is
interpolated to the fine cells and added, again and again (iterated back-projection, Irani & Peleg
1991); what is left in the end is too small to show, and is added as a constant.

.. math:: x \leftarrow x + B (y - M x), \qquad M \text{ area means over the sea}, B \text{ bicubic}.

Right where the input holds area means. Gridded altimetry (DUACS) does not: there it is left out.
"""

from __future__ import annotations

import numpy as np

from xocean_ml.kernels.lattice import Lattice
from xocean_ml.kernels.resample import BICUBIC_REACH, area_mean, bicubic, nearest

__all__ = ["CONSERVE_REACH", "ROUNDS", "closed"]

ROUNDS = 4
"""How often means are compared."""

CONSERVE_REACH = ROUNDS * (BICUBIC_REACH + 1)
"""Coarse cells that the correction looks beyond a block."""


def closed(
    fine: np.ndarray,
    coarse: np.ndarray,
    sea: np.ndarray,
    lattice: Lattice,
    lengths: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Correct a fine field.

    Parameters
    ----------
    fine : array, (samples, fields, h, w)
    coarse : array, (samples, fields, rows, columns)
        Means to be reached; NaN over land.
    sea : array of bool, (samples, fields, h, w)
        Fine cells that count.
    lattice : Lattice
    lengths : (array, array), (rows, h) and (columns, w)
        Lengths in common of coarse and fine cells; areas are their products.

    Returns
    -------
    array, as `fine`
        Means over the sea of each coarse cell that is wholly on the lattice are those of `coarse`:
        to rounding where fine cells lie in coarse ones (a whole factor); else to what four rounds
        leave, some thousandths of what varies between neighbours.
    """
    x = fine.astype(np.float64)
    for turn in range(ROUNDS + 1):
        mean, _ = area_mean(x, *lengths, sea)
        lacking = np.nan_to_num(coarse - mean)
        x += bicubic(lacking, lattice) if turn < ROUNDS else nearest(lacking, lattice)
    return x
