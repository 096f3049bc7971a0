r"""The denoiser of a Gaussian prior that is alike everywhere: exact for it, a start for others.

On a rectangle, cosines (DCT-II) are nearly what a field that is alike everywhere is made of,
whatever it does beyond the sides. Of each wave the fields have a covariance matrix C, the same on
a ring of wavenumbers, and noise of level :math:`\sigma` is taken from them by

.. math:: D(x, \sigma) = C (C + \sigma^2 I)^{-1} x.

Red spectra have a few large waves, which a network would have to learn to tell from noise at levels
of several hundred; so it adds to this, and at such levels next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

__all__ = ["Wiener", "cosines", "rings"]

LEAST = 1e-6
"""Least variance of a wave, in units of a field's."""


@lru_cache(maxsize=32)
def cosines(size: int) -> Tensor:
    """The orthonormal DCT-II, (waves, cells), of a side."""
    cell, wave = torch.arange(size, dtype=torch.float64), torch.arange(size, dtype=torch.float64)
    made = torch.cos(math.pi / size * (cell + 0.5) * wave[:, None]) * math.sqrt(2 / size)
    made[0] /= math.sqrt(2)
    return made.to(torch.float32)


def rings(rows: int, columns: int, count: int) -> Tensor:
    """Place of each wave, (rows, columns), among `count` rings, as a number with a fraction.

    Rings are even in the root of the wavenumber (in cycles per two cells, 0 to 1), so that few long
    waves have as many as the many short ones; a side of another length has other waves, and the
    same rings.
    """
    y = torch.arange(rows, dtype=torch.float32)[:, None] / rows
    x = torch.arange(columns, dtype=torch.float32) / columns
    return torch.hypot(y, x).clamp(max=1).sqrt() * (count - 1)


class Wiener(nn.Module):
    """Waves of fields, and what of them is signal.

    Parameters
    ----------
    covariance : Tensor, (rings, fields, fields)
        Of the waves of each ring, per wave of the orthonormal transform.
    """

    def __init__(self, covariance: Tensor) -> None:
        super().__init__()
        self.register_buffer("covariance", covariance.to(torch.float32))

    @classmethod
    def fitted(cls, fields: Tensor, count: int = 24) -> Wiener:
        """Of samples (samples, fields, rows, columns), zero where missing.

        Rings without a wave have the covariance of those beside them.
        """
        waves = _waves(fields)
        place = rings(fields.shape[-2], fields.shape[-1], count).reshape(-1)
        flat = waves.flatten(2)
        low = place.floor().long()
        share = place - low
        channels = fields.shape[1]
        total, weight = torch.zeros(count, channels, channels), torch.zeros(count)
        products = torch.einsum("bcn,bdn->ncd", flat, flat) / len(fields)
        for ring, part in ((low, 1 - share), ((low + 1).clamp(max=count - 1), share)):
            total.index_add_(0, ring, products * part[:, None, None])
            weight.index_add_(0, ring, part)
        there = weight > 1e-3
        made = total[there] / weight[there, None, None]
        at = torch.arange(count, dtype=torch.float32)
        nearest = (at[:, None] - at[there]).abs().argmin(dim=1)
        return cls(made[nearest])

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """What is expected of fields (samples, fields, rows, columns) with noise (samples,)."""
        vectors, values = self._modes(x.shape[-2:])
        turned = torch.einsum("hwcd,bchw->bdhw", vectors, _waves(x))
        share = values / (values + sigma.to(x)[:, None, None, None] ** 2)
        back = torch.einsum("hwcd,bdhw->bchw", vectors, turned * share)
        return _fields(back)

    def left(self, shape: Sequence[int], sigma: Tensor) -> Tensor:
        """Variance of a cell that is not known after that, (samples, fields)."""
        vectors, values = self._modes(shape)
        square = sigma.to(values)[:, None, None, None] ** 2
        left = values * square / (values + square)
        return torch.einsum("hwcd,bdhw->bc", vectors**2, left) / (shape[0] * shape[1])

    def draw(self, white: Tensor, extra: float = 0.0) -> Tensor:
        """Fields of the prior, with white noise of a variance added, of white noise alike."""
        vectors, values = self._modes(white.shape[-2:])
        turned = torch.einsum("hwcd,bchw->bdhw", vectors, _waves(white)) * (values + extra).sqrt()
        return _fields(torch.einsum("hwcd,bdhw->bchw", vectors, turned))

    def _modes(self, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Of each wave the fields' principal directions (rows, columns, fields, directions)."""
        covariance = self.covariance
        assert isinstance(covariance, Tensor)
        count = len(covariance)
        place = rings(shape[0], shape[1], count).to(covariance.device)
        low = place.floor().long()
        share = (place - low)[..., None, None]
        high = (low + 1).clamp(max=count - 1)
        made = covariance[low] * (1 - share) + covariance[high] * share
        values, vectors = torch.linalg.eigh(made)
        values = values.clamp(min=LEAST).permute(2, 0, 1)
        return vectors, values


def _waves(fields: Tensor) -> Tensor:
    rows, columns = (cosines(n).to(fields) for n in fields.shape[-2:])
    return rows @ fields @ columns.T


def _fields(waves: Tensor) -> Tensor:
    rows, columns = (cosines(n).to(waves) for n in waves.shape[-2:])
    return rows.T @ waves @ columns
