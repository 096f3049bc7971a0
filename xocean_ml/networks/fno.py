"""Fourier neural operator (FNO; Li et al. 2021) on the output lattice.

Convolutions are products of Fourier coefficients; only the longest waves are kept, counted in
cycles per padded domain. So the weights belong to waves, not to cells, and hold for any lattice on
the same domain.

A box of the sea does not close on itself as Fourier waves do. It is made longer, by a share of its
length that is rounded to whole coarse cells (so that it is the same length on every lattice); there
the field, mirrored at its end, passes over into the field mirrored at its start.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from xocean_ml.networks.where import Where, bicubic

__all__ = ["FNO", "Spectral"]


class Spectral(nn.Module):
    """A convolution by a product in Fourier space, for waves up to `modes` along each axis."""

    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        shape = (2, channels, channels, 2 * modes + 1, modes + 1)
        self.weight = nn.Parameter(torch.randn(shape) / channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix x (batch, channels, rows, columns)."""
        shape = x.shape[-2:]
        hats = torch.fft.rfft2(x, norm="forward")
        # A small field has fewer waves than there are weights. Its shortest does not count: a
        # lattice cannot tell it from its mirror image.
        low, wide = (min(self.modes, (n - 1) // 2) for n in shape)
        rows = torch.cat([torch.arange(low + 1), torch.arange(-low, 0)]).to(x.device)
        weight = torch.complex(*self.weight)[:, :, rows, : wide + 1]
        mixed = torch.einsum("bixy,ioxy->boxy", hats[:, :, rows, : wide + 1], weight)
        out = torch.zeros_like(hats)
        out[:, :, rows, : wide + 1] = mixed
        return torch.fft.irfft2(out, s=shape, norm="forward")


class Layer(nn.Module):
    """A Fourier layer: spectral convolution, a path beside it, GELU."""

    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        self.spectral = Spectral(channels, modes)
        self.beside = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine x (batch, channels, rows, columns)."""
        return nn.functional.gelu(self.spectral(x) + self.beside(x))


class FNO(nn.Module):
    """The network; for its forward pass see `xocean_ml.networks.where`.

    Parameters
    ----------
    fields, guides : int
        Fields to make finer, and fields that are fine already; 0 guides for none.
    channels, layers : int
        Width, and Fourier layers.
    modes : int
        Waves along each axis of the padded domain.
    padding : float
        Length added to the domain, as a share of its own: 0 to 1.
    """

    reach = None

    def __init__(
        self,
        fields: int,
        guides: int,
        channels: int = 32,
        layers: int = 4,
        modes: int = 16,
        padding: float = 0.25,
    ) -> None:
        super().__init__()
        if not 0 <= padding <= 1:
            raise ValueError(f"padding is a share from 0 to 1, not {padding}")
        self.guided, self.padding = guides > 0, padding
        shown = guides + 1 if guides else 0
        self.lift = nn.Conv2d(fields + 1 + shown, channels, 1)
        self.layers = nn.Sequential(*(Layer(channels, modes) for _ in range(layers)))
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
        rows, columns = x.shape[-2:]
        x = self.lift(x)
        for axis, size in zip((-2, -1), where.size.tolist(), strict=True):
            x = _longer(x, axis, self._cells(x.shape[axis], size))
        x = self.layers(x)[..., :rows, :columns]
        return self.leave(nn.functional.gelu(self.project(x))), None

    def _cells(self, count: int, size: float) -> int:
        """Cells to add to an axis of `count` cells of a size."""
        length = math.ceil(self.padding * count * size - 1e-6)
        return min(round(length / size), count)


def _longer(x: torch.Tensor, axis: int, cells: int) -> torch.Tensor:
    """Add cells that lead from an axis's end back to its start."""
    if not cells:
        return x
    end = x.narrow(axis, x.shape[axis] - cells, cells).flip(axis)
    start = x.narrow(axis, 0, cells).flip(axis)
    share = (torch.arange(cells, device=x.device, dtype=x.dtype) + 0.5) / cells
    share = share.reshape(-1, *[1] * (-axis - 1))
    return torch.cat([x, torch.lerp(end, start, share)], axis)
