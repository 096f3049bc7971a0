"""A convolutional variational autoencoder of fields on a grid, beside a linear one.

The decoder is ``G(z) = P^T z + N(z)``: patterns P and a convolutional network N that ends in
zeros before it has learnt anything, so that it can only add to what the linear path makes. The
encoder is built likewise: a projection, and a network of the fields and of where they are.
Stride-2 convolutions halve the grid until few cells are left, as in Brohan's networks; longitude
is periodic where the grid is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Decoder", "Encoder", "coarsest"]

LEAST = -6.0
"""Least logarithm of an encoded variance."""


def coarsest(shape: Sequence[int], levels: int) -> tuple[int, int]:
    """Rows and columns after so many halvings, rounded up."""
    rows, columns = (-(-n // 2**levels) for n in shape)
    return rows, columns


class _Conv(nn.Module):
    """A 3x3 convolution; beyond the ends lies the other end, or what lies at the end."""

    def __init__(self, into: int, out: int, wraps: bool, stride: int = 1) -> None:
        super().__init__()
        self.mode = "circular" if wraps else "replicate"
        self.conv = nn.Conv2d(into, out, 3, stride)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv(self.padded(x))
        return made

    def tangent(self, t: Tensor) -> Tensor:
        """What a change of the input changes."""
        return functional.conv2d(self.padded(t), self.conv.weight, stride=self.conv.stride)

    def padded(self, x: Tensor) -> Tensor:
        """One cell more on each side."""
        x = functional.pad(x, (1, 1, 0, 0), self.mode)
        return functional.pad(x, (0, 0, 1, 1), "replicate")


class Decoder(nn.Module):
    """What the latent adds to its linear part.

    Parameters
    ----------
    latent : int
        Size of the latent.
    phases : int
        Numbers that tell where in the year it is: the same sea makes other rain in other months.
    fields : int
        Channels of the result.
    shape : (int, int)
        Rows and columns.
    wraps : bool
        Whether columns are periodic.
    channels : sequence of int
        Of the levels, coarsest first; each but the last is twice as fine as the one before.
    hidden : int
        Width of the layer between the latent and the coarsest level.
    halved : int
        How often the grid is halved to that of the last level, from which it is interpolated.
    """

    def __init__(
        self,
        latent: int,
        phases: int,
        fields: int,
        shape: Sequence[int],
        wraps: bool,
        channels: Sequence[int] = (48, 32, 16),
        hidden: int = 512,
        halved: int = 0,
    ) -> None:
        super().__init__()
        self.shape = (int(shape[0]), int(shape[1]))
        self.wraps, self.halved = wraps, halved
        self.levels = len(channels) - 1
        self.channels = int(channels[0])
        self.base = coarsest(self.shape, self.levels + halved)
        first = self.channels * self.base[0] * self.base[1]
        self.widen, self.spread = nn.Linear(latent + phases, hidden), nn.Linear(hidden, first)
        self.convs = nn.ModuleList(
            _Conv(into, out, wraps) for into, out in itertools.pairwise(channels)
        )
        self.last = _Conv(channels[-1], fields, wraps)
        nn.init.zeros_(self.last.conv.weight)
        assert self.last.conv.bias is not None
        nn.init.zeros_(self.last.conv.bias)

    def forward(self, z: Tensor, phase: Tensor) -> Tensor:
        """Fields (samples, fields, rows, columns) of latents (samples, latent) at their phases."""
        x = functional.silu(self.widen(torch.cat([z, phase], dim=1)))
        x = functional.silu(self.spread(x))
        x = x.reshape(-1, self.channels, *self.base)
        for number, conv in enumerate(self.convs):
            x = functional.silu(conv(self._finer(x, number)))
        return self._whole(self.last(x))

    def linearized(self, z: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """Fields of one latent, and what each of its numbers changes.

        Forward-mode differentiation by hand: all tangents go through each layer as one batch, at
        the price of as many decodings as the latent has numbers.

        Parameters
        ----------
        z : Tensor, (latent,)
        phase : Tensor, (phases,)

        Returns
        -------
        Tensor, (fields, rows, columns)
        Tensor, (latent, fields, rows, columns)
        """
        x = self.widen(torch.cat([z, phase])[None])
        x, t = _silu(x, self.widen.weight[:, : len(z)].T)
        x, t = _silu(self.spread(x), t @ self.spread.weight.T)
        x, t = (each.reshape(-1, self.channels, *self.base) for each in (x, t))
        for number, conv in enumerate(self.convs):
            assert isinstance(conv, _Conv)
            x, t = (self._finer(each, number) for each in (x, t))
            x, t = _silu(conv(x), conv.tangent(t))
        return self._whole(self.last(x))[0], self._whole(self.last.tangent(t))

    def _finer(self, x: Tensor, number: int) -> Tensor:
        size = coarsest(self.shape, self.halved + self.levels - 1 - number)
        return functional.interpolate(x, size=size, mode="nearest")

    def _whole(self, x: Tensor) -> Tensor:
        """On the grid itself, if the last level is coarser: linear between its cells."""
        if not self.halved:
            return x
        if self.wraps:
            x = functional.pad(x, (1, 1, 0, 0), "circular")
        rows, columns = self.shape
        share = columns / (x.shape[-1] - 2 * self.wraps)
        wide = round(columns + 2 * share * self.wraps)
        x = functional.interpolate(x, size=(rows, wide), mode="bilinear", align_corners=False)
        first = (wide - columns) // 2
        return x[..., first : first + columns]


def _silu(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The activation, and its slope times tangents."""
    gate = torch.sigmoid(x)
    return x * gate, t * (gate * (1 + x * (1 - gate)))


class Encoder(nn.Module):
    """What fields add to the projection of their anomalies: means and variances of the latent.

    Parameters
    ----------
    latent, fields, shape, wraps
        As of the `Decoder`.
    channels : sequence of int
        Of the levels, finest first; each is twice as coarse as the one before.
    halved : int
        How often means over four cells are taken before: finer than that the decoder is not.
    """

    def __init__(
        self,
        latent: int,
        fields: int,
        shape: Sequence[int],
        wraps: bool,
        channels: Sequence[int] = (16, 32, 64),
        halved: int = 0,
    ) -> None:
        super().__init__()
        self.halved, sizes = halved, [2 * fields, *channels]
        self.convs = nn.ModuleList(
            _Conv(into, out, wraps, stride=2) for into, out in itertools.pairwise(sizes)
        )
        rows, columns = coarsest(shape, len(channels) + halved)
        self.dense = nn.Linear(channels[-1] * rows * columns, 2 * latent)
        nn.init.zeros_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)
        self.spread = nn.Parameter(torch.full((latent,), -2.0))

    def forward(self, fields: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Means less the projection's, and logarithms of variances, (samples, latent) each.

        Parameters
        ----------
        fields, there : Tensor, (samples, fields, rows, columns)
            Normalised anomalies, zero where missing; ones where they are.
        """
        x = torch.cat([fields, there], dim=1)
        if self.halved:
            x = functional.avg_pool2d(x, 2**self.halved, ceil_mode=True, count_include_pad=False)
        for conv in self.convs:
            x = functional.silu(conv(x))
        mean, log_variance = self.dense(x.flatten(1)).chunk(2, dim=1)
        return mean, (log_variance + self.spread).clamp(LEAST, 2.0)
