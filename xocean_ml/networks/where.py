"""A lattice as tensors, and interpolation on it: shared by all networks that downscale.

Every such network has the same forward pass:

    forward(coarse, guide, where) -> (residual, log_std or None)

``coarse`` (batch, fields + 1, rows, columns) holds normalised fields, land filled, and last the
share of sea; ``guide`` (batch, guides + 1, h, w) lies on the output lattice, normalised, and last
the share of sea, or is None; ``where`` is the lattice. ``residual`` (batch, fields, h, w) is what
to add to the bicubic field, in normalised units. ``network.reach`` is how many coarse cells
beyond a block it looks; None if it needs the whole field.

A network with ``beside`` also takes ``asked=(rows, columns)``, and then answers for that part of
the lattice alone, right but for ``beside`` coarse cells at its edges: features need all that it
sees, a perceptron at each fine cell does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

from xocean_ml.kernels.lattice import Lattice
from xocean_ml.kernels.resample import keys

__all__ = ["Where", "bands", "bicubic", "cell_means", "linear", "neighbour", "split", "where"]


WHOLE = 0.9
"""Share of a coarse cell that fine ones must cover for their mean to be its."""


BAND, CUDA_BAND = 1 << 13, 1 << 21
"""Output cells that a perceptron answers at a time in prediction."""


class Where(NamedTuple):
    """A `xocean_ml.kernels.lattice.Lattice` as tensors.

    In float64, for a window's places differ from the whole field's by an offset, and what is seen
    must not. What is made of places becomes float32 before it meets fields.

    Attributes
    ----------
    rows, columns : Tensor, (h,), (w,)
        Centres of the fine cells in units of coarse cells.
    size : Tensor, (2,)
        Height and width of a fine cell in coarse cells.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    size: torch.Tensor


def where(lattice: Lattice, device: torch.device | str = "cpu") -> Where:
    """Put a lattice on a device, in float64."""
    values = (lattice.rows, lattice.columns, lattice.size)
    return Where(*(torch.as_tensor(each, dtype=torch.float64, device=device) for each in values))


def bicubic(x: torch.Tensor, places: Where) -> torch.Tensor:
    """Cubic convolution to the lattice, as `xocean_ml.kernels.resample.bicubic`.

    Parameters
    ----------
    x : Tensor, (batch, channels, rows, columns)
    places : Where

    Returns
    -------
    Tensor, (batch, channels, h, w)
    """
    across = x @ _matrix(places.columns, x.shape[-1]).to(x.dtype).T
    return _matrix(places.rows, x.shape[-2]).to(x.dtype) @ across


def _matrix(places: torch.Tensor, count: int) -> torch.Tensor:
    """Weights of all cells of an axis, (n, count)."""
    left = torch.floor(places)
    t = places - left
    weight = torch.stack(
        keys(t),
        dim=1,
    )
    index = left.long()[:, None] + torch.arange(-1, 3, device=places.device)
    matrix = weight.new_zeros(len(places), count)
    return matrix.scatter_add_(1, index.clamp(0, count - 1), weight)


def split(size: torch.Size, finer: int, device: torch.device) -> Where:
    """The lattice that cuts every cell of a coarse grid (rows, columns) into `finer` a side."""
    rows, columns = (
        (torch.arange(finer * n, device=device, dtype=torch.float64) + 0.5) / finer - 0.5
        for n in size
    )
    return Where(rows, columns, rows.new_full((2,), 1.0 / finer))


def bands(where: Where) -> Iterator[tuple[slice, Where]]:
    """Rows of the lattice, some at a time: so many cells that a processor's cache holds them.

    All at once where gradients are wanted, which keep all anyway, and on a GPU, in large parts.
    """
    rows, columns, size = where
    cells = CUDA_BAND if rows.is_cuda else BAND
    many = len(rows) if torch.is_grad_enabled() else max(1, cells // max(1, len(columns)))
    for start in range(0, len(rows), many):
        band = slice(start, start + many)
        yield band, Where(rows[band], columns, size)


def neighbour(
    places: torch.Tensor, side: int, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The cell before (side 0) or after (1) each place along an axis.

    Returns
    -------
    cell, way, weight : Tensor, (n,)
        Its number; the way from its centre, in cells; the share of the length opposite.
    """
    # A place on a centre belongs to that cell, whatever rounding makes of it: learned weights do
    # not vanish for the far cell.
    before = torch.floor(places + 1e-6)
    weight = places - before if side else 1 - (places - before)
    cell = (before + side).long().clamp(0, count - 1)
    return cell, places - cell, weight


def cell_means(
    fine: torch.Tensor, places: Where, count: tuple[int, int], sea: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Area means over the coarse cells, as `xocean_ml.kernels.resample.area_mean`.

    Parameters
    ----------
    fine : Tensor, (batch, channels, h, w)
    places : Where
    count : (int, int)
        Coarse rows and columns.
    sea : Tensor, (batch, 1, h, w), optional
        What counts; by default all.

    Returns
    -------
    means : Tensor, (batch, channels, rows, columns)
        0 where nothing counts.
    whole : Tensor of bool, (rows, columns)
        Whether the cell lies on the lattice, `WHOLE` of it at least.
    """
    rows = _overlap(places.rows, places.size[0], count[0]).to(fine.dtype)
    columns = _overlap(places.columns, places.size[1], count[1]).to(fine.dtype).T
    total = rows.sum(1)[:, None] * columns.sum(0)
    counted = total if sea is None else rows @ sea @ columns
    means = rows @ (fine if sea is None else fine * sea) @ columns / counted.clamp_min(1e-6)
    return means, total > WHOLE


def _overlap(places: torch.Tensor, size: torch.Tensor, count: int) -> torch.Tensor:
    """Length that each fine cell has in each coarse one, (count, n)."""
    cells = torch.arange(count, device=places.device)[:, None]
    upper = torch.minimum(cells + 0.5, places + size / 2)
    lower = torch.maximum(cells - 0.5, places - size / 2)
    return torch.relu(upper - lower)


def linear(to: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Weights of linear interpolation along an axis.

    Parameters
    ----------
    to, places : Tensor, (N,), (n,)
        Where to, and where values are; they increase. Beyond the ends the last value goes on.

    Returns
    -------
    Tensor, (N, n)

    Examples
    --------
    >>> linear(torch.tensor([-1.0, 0.5, 2.5]), torch.tensor([0.0, 2.0, 3.0]))
    tensor([[1.0000, 0.0000, 0.0000],
            [0.7500, 0.2500, 0.0000],
            [0.0000, 0.5000, 0.5000]])
    """
    if len(places) == 1:
        return torch.ones_like(to)[:, None]
    right = torch.searchsorted(places, to).clamp(1, len(places) - 1)
    left = right - 1
    share = ((to - places[left]) / (places[right] - places[left])).clamp(0, 1)
    index, weight = torch.stack([left, right], 1), torch.stack([1 - share, share], 1)
    return to.new_zeros(len(to), len(places)).scatter_(1, index, weight)
