r"""The denoiser of a Gaussian prior that is alike everywhere: exact for it, a start for others.

On a rectangle, cosines (DCT-II) are nearly what a field that is alike everywhere is made of,
whatever it does beyond the sides. Of each wave the fields have a covariance matrix C, the same on
a ring of wavenumbers, and noise of level :math:`\sigma` is taken from them by

.. math:: D(x, \sigma) = C (C + \sigma^2 I)^{-1} x.

Red spectra have a few large waves, which a network would have to learn to tell from noise at levels
of several hundred; so it adds to this, and at such levels next to nothing.

The mean of a domain is no wave among others: what all cells have in common (the ocean that the
domain lies in) grows with their number, so it has a covariance of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Wiener", "cosines", "faded", "rings", "waves"]

LEAST = 1e-6
"""Least variance of a wave, in units of a field's."""

FAINT = 1e-3
"""Of the largest error of a wave: what is less counts no more."""


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
    mean : Tensor, (fields, fields), optional
        Of means of domains; by default as the first ring tells of one of 64 x 64 cells.
    """

    covariance: Tensor
    mean: Tensor

    def __init__(self, covariance: Tensor, mean: Tensor | None = None) -> None:
        super().__init__()
        mean = covariance[0] / 64**2 if mean is None else mean
        self.register_buffer("covariance", covariance.to(torch.float32))
        self.register_buffer("mean", mean.to(torch.float32))
        self._known: dict[Any, tuple[Tensor, Tensor]] = {}

    @classmethod
    def fitted(cls, several: Sequence[Tensor], count: int = 24, *, tapered: bool = False) -> Wiener:
        """Of samples (samples, fields, rows, columns) of domains of one size or several.

        Zero where missing. Rings without a wave have the covariance of those beside them.

        The cosines of a smooth field that has a slope at the sides fall off slowly: what they have
        of short waves is of the sides. To take noise from such a field all of it is needed; for
        draws that look like the field inside, short waves are `tapered` to the variance that they
        have in windows which fade out.
        """
        plain = cls._rings(several, count)
        if not tapered:
            return plain
        less = cls._rings([faded(each) for each in several], count)
        size, inside = (
            each.covariance.diagonal(dim1=1, dim2=2).clamp(min=1e-30) for each in (plain, less)
        )
        share = (inside / size).clamp(max=1).sqrt()
        return cls(plain.covariance * share[:, :, None] * share[:, None, :], plain.mean)

    @classmethod
    def _rings(cls, several: Sequence[Tensor], count: int) -> Wiener:
        channels = several[0].shape[1]
        total, weight = torch.zeros(count, channels, channels), torch.zeros(count)
        means = torch.zeros(channels, channels)
        for fields in several:
            every = waves(fields).flatten(2)
            products = torch.einsum("bcn,bdn->ncd", every, every) / len(fields)
            means += products[0] / every.shape[-1] / len(several)
            place = rings(fields.shape[-2], fields.shape[-1], count).reshape(-1)[1:]
            low = place.floor().long()
            share = place - low
            for ring, part in ((low, 1 - share), ((low + 1).clamp(max=count - 1), share)):
                total.index_add_(0, ring, products[1:] * part[:, None, None])
                weight.index_add_(0, ring, part)
        there = weight > 1e-3
        made = total[there] / weight[there, None, None]
        at = torch.arange(count, dtype=torch.float32)
        nearest = (at[:, None] - at[there]).abs().argmin(dim=1)
        return cls(made[nearest], means)

    def over(self, scales: Tensor) -> Wiener:
        """Of the fields over scales (fields,)."""
        both = scales[:, None] * scales
        return Wiener(self.covariance / both, self.mean / both)

    def forward(self, x: Tensor, sigma: Tensor, power: float = 1.0) -> Tensor:
        """What is expected of fields (samples, fields, rows, columns) with noise (samples,).

        Or a power of that: 0.5 is the symmetric root.
        """
        vectors, values = self._modes(x.shape[-2:])
        share = values / (values + sigma.to(x)[:, None, None, None] ** 2)
        return _turned(x, vectors, share**power)

    def left(self, shape: Sequence[int], sigma: Tensor) -> Tensor:
        """Variance of a cell that is not known after that, (samples, fields)."""
        return self._left(shape, sigma).mean(dim=(2, 3))

    def weights(self, shape: Sequence[int], sigma: Tensor) -> Tensor:
        """What the square of an error counts, (samples, fields, rows, columns), of each wave.

        One over the root of what is expected of it, so that the few large waves do not drown the
        many small ones: their sum is 1 for each value if the errors are this denoiser's own. Waves
        of less than a thousandth of the largest count no more than these: they would tell of edges
        alone.
        """
        left = self._left(shape, sigma)
        weight = (left + FAINT * left.amax(dim=(2, 3), keepdim=True)).rsqrt()
        return weight / (weight * left).mean(dim=(2, 3), keepdim=True)

    def _left(self, shape: Sequence[int], sigma: Tensor) -> Tensor:
        """Variance of each wave that is not known after that, (samples, fields, rows, columns)."""
        vectors, values = self._modes(shape)
        square = sigma.to(values)[:, None, None, None] ** 2
        return _mixed(vectors.transpose(0, 1) ** 2, values * square / (values + square))

    def covary(self, x: Tensor) -> Tensor:
        """The covariance times fields (samples, fields, rows, columns)."""
        return _turned(x, *self._modes(x.shape[-2:]))

    def draw(self, white: Tensor, extra: float = 0.0) -> Tensor:
        """Fields of the prior, with white noise of a variance added, of white noise alike."""
        vectors, values = self._modes(white.shape[-2:])
        return _turned(white, vectors, (values + extra).sqrt())

    def _modes(self, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Of each wave principal directions, (directions, fields, rows, columns), and variances."""
        key = (*shape, self.covariance.device, self.covariance.data_ptr())
        if key not in self._known:
            self._known[key] = self._found(int(shape[0]), int(shape[1]))
        return self._known[key]

    @torch.no_grad()
    def _found(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        covariance = self.covariance
        count = len(covariance)
        place = rings(rows, columns, count).to(covariance.device)
        low = place.floor().long()
        share = (place - low)[..., None, None]
        high = (low + 1).clamp(max=count - 1)
        made = covariance[low] * (1 - share) + covariance[high] * share
        made[0, 0] = self.mean * (rows * columns)
        values, vectors = torch.linalg.eigh(made)
        vectors = vectors.permute(3, 2, 0, 1).contiguous()
        return vectors, values.clamp(min=LEAST).permute(2, 0, 1).contiguous()


def faded(fields: Tensor) -> Tensor:
    """Fields without their planes, times a window that fades out, of the same mean square."""
    rows, columns = fields.shape[-2:]
    y, x = (torch.linspace(-1, 1, n).to(fields) for n in (rows, columns))
    shapes = [torch.ones(rows, columns).to(fields)]
    shapes += [y[:, None].expand(rows, columns), x.expand(rows, columns)]
    for each in shapes:
        part = (fields * each).sum(dim=(-2, -1), keepdim=True) / (each**2).sum()
        fields = fields - part * each
    window = torch.cos(0.5 * math.pi * y)[:, None] * torch.cos(0.5 * math.pi * x)
    return fields * window / (window**2).mean().sqrt()


def _turned(x: Tensor, vectors: Tensor, factor: Tensor) -> Tensor:
    """Fields with each direction of each wave times a factor."""
    turned = _mixed(vectors, waves(x)) * factor
    return _fields(_mixed(vectors.transpose(0, 1), turned))


def _mixed(matrices: Tensor, waves: Tensor) -> Tensor:
    """A small matrix for each wave, (out, in, rows, columns), times (samples, in, rows, columns).

    As sums of whole fields: 20 times as fast as thousands of small products.
    """
    return torch.stack([(each * waves).sum(dim=1) for each in matrices], dim=1)


def waves(fields: Tensor) -> Tensor:
    """Cosines of fields, (..., rows, columns)."""
    rows, columns = (cosines(n).to(fields) for n in fields.shape[-2:])
    return rows @ fields @ columns.T


def _fields(waves: Tensor) -> Tensor:
    rows, columns = (cosines(n).to(waves) for n in waves.shape[-2:])
    return rows.T @ waves @ columns
