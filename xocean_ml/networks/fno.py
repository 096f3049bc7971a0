"""Fourier neural operator (FNO; Li et al. 2021) on the output lattice.

Convolutions are products of Fourier coefficients; only the longest waves are kept. Weights belong
to waves of a length in coarse cells, not to waves of a domain as those of Li et al. do: so they
hold for any lattice, and for a domain of any size.

A box of the sea does not close on itself as Fourier waves do. It is made longer, by whole coarse
cells (so that it is the same length on every lattice); there the field, mirrored at its end, passes
over into the field mirrored at its start.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from xocean_ml.networks.where import Where, bicubic

__all__ = ["FNO", "PERIOD", "Spectral"]

PERIOD = 10
"""Coarse cells of the longest wave that is weighed by itself."""

MIXED = 1 << 22
"""Numbers of interpolated weights that are made at a time."""


class Spectral(nn.Module):
    """A convolution by a product in Fourier space, which mixes channels.

    Weights are given at wavenumbers of up to `modes` waves in `PERIOD` coarse cells along each
    axis, are linear in between, and fall to zero beyond.
    """

    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        shape = (2, channels, channels, 2 * modes + 1, modes + 1)
        self.weights = nn.Parameter(torch.randn(shape) / channels)

    def forward(self, x: torch.Tensor, size: tuple[float, float]) -> torch.Tensor:
        """Mix x (batch, channels, rows, columns) of cells of a size in coarse cells."""
        # Neither transforms nor complex numbers can do with half of their digits.
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.weights.dtype)
            hats = torch.fft.rfft2(x, norm="forward")
            waves = torch.fft.fftfreq(x.shape[-2]), torch.fft.rfftfreq(x.shape[-1])
            rows, tall = self._kept(waves[0].to(x.device), size[0])
            columns, wide = self._kept(waves[1].to(x.device), size[1])
            along, across = self._between(tall, -self.modes), self._between(wide, 0)
            given, out = self._given(), torch.zeros_like(hats)
            # Interpolated weights of all waves of a large field would fill the memory.
            many = max(1, MIXED // (len(columns) * given[0, ..., 0, 0].numel()))
            for some, part in zip(rows.split(many), along.split(many), strict=True):
                weight = torch.complex(*(part @ each @ across.T for each in given))
                seen = hats[:, :, some[:, None], columns]
                out[:, :, some[:, None], columns] = torch.einsum("bixy,ioxy->boxy", seen, weight)
            return torch.fft.irfft2(out, s=x.shape[-2:], norm="forward")

    def _given(self) -> torch.Tensor:
        """The weights, real and imaginary parts, rows from -modes to modes.

        Where columns have no wave, a wave and its opposite are one, and so are their weights: else
        they would jump there.
        """
        first = self.weights[..., :1]
        opposite = first.flip(-2) * first.new_tensor([1, -1]).reshape(2, 1, 1, 1, 1)
        return torch.cat([(first + opposite) / 2, self.weights[..., 1:]], -1)

    def _kept(self, waves: torch.Tensor, size: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Which waves (per cell) weigh, and how many of each go into `PERIOD`.

        A lattice's shortest does not: the lattice cannot tell it from its mirror image.
        """
        many = PERIOD / size * waves
        kept = torch.nonzero((many.abs() < self.modes + 1) & (waves.abs() < 0.5))[:, 0]
        return kept, many[kept]

    def _between(self, many: torch.Tensor, first: int) -> torch.Tensor:
        """Shares of the given weights, from `first` on, in those of some waves."""
        given = torch.arange(first, self.modes + 1, device=many.device)
        return torch.relu(1 - (many[:, None] - given).abs())


class Layer(nn.Module):
    """A Fourier layer: spectral convolution, a path beside it, GELU."""

    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        self.spectral = Spectral(channels, modes)
        self.beside = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor, size: tuple[float, float]) -> torch.Tensor:
        """Refine x (batch, channels, rows, columns) of cells of a size in coarse cells."""
        return nn.functional.gelu(self.spectral(x, size) + self.beside(x))


class FNO(nn.Module):
    """The network; for its forward pass see `xocean_ml.networks.where`.

    Parameters
    ----------
    fields, guides : int
        Fields to make finer, and fields that are fine already; 0 guides for none.
    channels, layers : int
        Width, and Fourier layers.
    modes : int
        Waves in `PERIOD` coarse cells, along each axis, of the shortest that are mixed.
    padding : float
        Length added to the domain, as a share of `PERIOD`, 0 to 1; at most the domain's own.
    """

    reach = None

    def __init__(
        self,
        fields: int,
        guides: int,
        channels: int = 32,
        layers: int = 4,
        modes: int = 8,
        padding: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0 <= padding <= 1:
            raise ValueError(f"padding is a share from 0 to 1, not {padding}")
        self.guided, self.padding = guides > 0, padding
        shown = guides + 1 if guides else 0
        self.lift = nn.Conv2d(fields + 1 + shown, channels, 1)
        self.layers = nn.ModuleList([Layer(channels, modes) for _ in range(layers)])
        self.project = nn.Conv2d(channels, 2 * channels, 1)
        self.leave = nn.Conv2d(2 * channels, fields, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, coarse: torch.Tensor, guide: torch.Tensor | None, where: Where
    ) -> tuple[torch.Tensor, None]:
        """Give the residual over bicubic."""
        x = bicubic(coarse, where)
        if guide is not None and self.guided:
            x = torch.cat([x, guide], 1)
        shape, sizes = x.shape[-2:], where.size.tolist()
        x = self.lift(x)
        for axis, size in zip((-2, -1), sizes, strict=True):
            x = _longer(x, axis, self._cells(x.shape[axis], size))
        for layer in self.layers:
            x = layer(x, (sizes[0], sizes[1]))
        x = x[..., : shape[0], : shape[1]]
        return self.leave(nn.functional.gelu(self.project(x))), None

    def _cells(self, count: int, size: float) -> int:
        """Cells to add to an axis of `count` cells of a size."""
        return min(round(math.ceil(self.padding * PERIOD) / size), count)


def _longer(x: torch.Tensor, axis: int, cells: int) -> torch.Tensor:
    """Add cells that lead from an axis's end back to its start."""
    if not cells:
        return x
    end = x.narrow(axis, x.shape[axis] - cells, cells).flip(axis)
    start = x.narrow(axis, 0, cells).flip(axis)
    share = (torch.arange(cells, device=x.device, dtype=x.dtype) + 0.5) / cells
    share = share.reshape(-1, *[1] * (-axis - 1))
    return torch.cat([x, torch.lerp(end, start, share)], axis)
