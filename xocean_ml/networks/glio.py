r"""A global-local implicit operator (GLIO): a guided network for any finer grid.

Local networks (LIIF, JIIF) get details right and levels wrong, spectral ones the reverse; the
report of the Sorbonne group ends by asking for both in one. Here they meet on grids that lie in
each other:

* *global*: Fourier layers on the whole coarse field, once;
* *local*: a U-Net on a middle lattice of 4 x 4 cells in every coarse cell. Its two halvings end on
  the coarse grid itself, where it takes up the global branch. So any window that starts at the edge
  of a coarse cell sees the same alignment as the whole field;
* *implicit*: at every output cell a small perceptron takes the features of the middle lattice, what
  the guide has there that the middle lattice cannot show, the place within the lattice, and the
  cell's size; it gives the rest of the residual and its standard error.

Sea surface height has next to no variance below half a coarse cell that its surroundings do not
tell, so features need not be finer than a quarter of one, and cost hardly grows with the factor.

What the network adds is then led back to the coarse field: where its means over coarse cells
differ from the input's, the difference is interpolated and taken off, twice. So large scales stay
what the input says, and the network is left with what is finer.

Fields and guides are seen as departures from their own surroundings, in units of how much they vary
there: weak eddies look like strong ones, and warm seas like cold ones. The answer is scaled back.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from xocean_ml.networks.where import Where, bands, bicubic, cell_means, split

__all__ = ["GLIO"]

FINER = 4
"""Middle cells in a coarse cell, along each axis."""

PERIOD = 20
"""Coarse cells of the longest wave that the global branch weighs by itself."""

AROUND = 3
"""Coarse cells on either side that make up a cell's surroundings."""

LED_BACK = 2
"""How often the answer is led back to the coarse field."""

DILATED = (2, 2)
"""Spacing of what the further layers on the coarse grid see."""

LEAST = 0.02
"""Least variation that is seen, in normalised units: below, a field is called flat."""


class Pair(nn.Module):
    """Two convolutions of 3 x 3 with a residual."""

    def __init__(self, inputs: int, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.enter = nn.Conv2d(inputs, channels, 3, padding=1)
        self.leave = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.beside = nn.Conv2d(inputs, channels, 1) if inputs != channels else nn.Identity()
        # What goes by the side keeps its size, so that many of these can follow each other.
        for each, gain in ((self.enter, 1.0), (self.leave, 0.3)):
            nn.init.kaiming_normal_(each.weight, nonlinearity="relu")
            each.weight.data *= gain
        if isinstance(self.beside, nn.Conv2d):
            nn.init.kaiming_normal_(self.beside.weight, nonlinearity="linear")
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine x (batch, inputs, rows, columns)."""
        inner = nn.functional.relu(self.enter(x))
        return nn.functional.relu(self.leave(inner) + self.beside(x))


class Mix(nn.Linear):
    """A convolution of 1 x 1, as one product: torch's own is slow on large fields."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix the channels of x (batch, channels, rows, columns)."""
        mixed = self.weight @ x.flatten(2)
        if self.bias is not None:
            mixed = mixed + self.bias[:, None]
        return mixed.unflatten(2, x.shape[2:])


class Spectral(nn.Module):
    """A Fourier layer: each channel's waves are weighed by their length, then channels are mixed.

    Weights are given at wavenumbers of so many waves in `PERIOD` cells and are linear in between,
    so that they mean the same on a domain of any size.
    """

    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(0.3 * torch.randn(2, channels, 2 * modes + 1, modes + 1))
        self.mix = Mix(channels, channels)
        self.beside = Mix(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Filter and mix x (batch, channels, rows, columns), taken as periodic."""
        size = x.shape[-2:]
        rows = self._between(torch.fft.fftfreq(size[0], device=x.device), -self.modes)
        columns = self._between(torch.fft.rfftfreq(size[1], device=x.device), 0)
        weight = torch.complex(*(rows @ part @ columns.T for part in self.weight))
        filtered = torch.fft.irfft2(torch.fft.rfft2(x) * weight, s=size)
        return nn.functional.gelu(self.mix(filtered) + self.beside(x))

    def _between(self, waves: torch.Tensor, first: int) -> torch.Tensor:
        """Weights of the given wavenumbers for each wavenumber of a field (per cell)."""
        given = torch.arange(first, self.modes + 1, device=waves.device)
        return torch.relu(1 - (PERIOD * waves[:, None] - given).abs())


class _Shown(NamedTuple):
    """A guide on the middle lattice, its share of sea, and on the coarse grid how it varies."""

    averaged: torch.Tensor
    share: torch.Tensor
    varies: torch.Tensor


class GLIO(nn.Module):
    """The network; for its forward pass see `xocean_ml.networks.where`.

    Parameters
    ----------
    fields, guides : int
        Fields to make finer, and fields that are fine already; 0 guides for none.
    channels : int
        On the middle lattice; three and four times as many below.
    modes : int
        Waves that the global branch tells apart, along each axis; 0 for no such branch.
    hidden : int
        Width of the perceptron.
    """

    def __init__(
        self, fields: int, guides: int, channels: int = 32, modes: int = 6, hidden: int = 48
    ) -> None:
        super().__init__()
        self.fields, self.guided, self.channels = fields, guides > 0, channels
        shown = guides + 1 if guides else 0
        half, deep, varies = 3 * channels, 4 * channels, fields + guides
        self.start = Pair(fields + 1 + shown, channels)
        self.middle = Pair(channels, half)
        self.bottom = nn.Sequential(
            Pair(half + channels + varies, deep), *(Pair(deep, deep, wide) for wide in DILATED)
        )
        self.to_half = nn.Conv2d(deep, half, 1)
        self.rise = Pair(2 * half, half)
        self.to_middle = nn.Conv2d(half, channels, 1)
        self.end = Pair(2 * channels, channels)
        self.coarse = Mix(fields + 1, channels)
        self.spectral = nn.ModuleList([Spectral(channels, modes) for _ in range(2 * (modes > 0))])
        self.residual = Mix(channels, fields)
        self.shown = Mix(channels, hidden)
        self.detail = Mix(shown + 4, hidden, bias=False)
        self.inner = Mix(hidden, hidden)
        self.leave = Mix(hidden, 2 * fields)
        for parameter in (*self.residual.parameters(), *self.leave.parameters()):
            nn.init.zeros_(parameter)

    @property
    def reach(self) -> int:
        """Coarse cells that the local branch sees beyond a block."""
        middle, half, coarse = (2 + 2) / 4, (2 + 2) / 2, 2 + sum(1 + wide for wide in DILATED)
        interpolation = 2
        local = int(-(-(middle + half + coarse + interpolation) // 1)) + 2 * AROUND
        return local + self.beside

    @property
    def beside(self) -> int:
        """Coarse cells around a place whose answers the place's own depends on."""
        return LED_BACK * (2 + 1)

    def context(self, coarse: torch.Tensor, wraps: bool = False) -> torch.Tensor:
        """The global branch on the whole field, (batch, channels, rows, columns).

        `wraps` tells whether columns close on themselves.
        """
        seam = 2 * AROUND if wraps else 0
        coarse = nn.functional.pad(coarse, (seam, seam, 0, 0), mode="circular")
        sea = coarse[:, -1:]
        departure, _ = _departures(coarse[:, :-1], sea)
        x = self.coarse(torch.cat([departure, sea], 1))
        x = x[..., seam : x.shape[-1] - seam]
        if not len(self.spectral):
            return x
        rows, columns = x.shape[-2:]
        # Fourier waves close on themselves, a box of the sea does not.
        margin = PERIOD // 2
        x = nn.functional.pad(x, (0, 0 if wraps else margin, 0, margin))
        for layer in self.spectral:
            x = layer(x)
        return x[..., :rows, :columns]

    def forward(
        self,
        coarse: torch.Tensor,
        guide: torch.Tensor | None,
        where: Where,
        context: torch.Tensor | None = None,
        asked: tuple[slice, slice] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the residual over bicubic, and the logarithm of its standard error.

        `asked` are rows and columns of the lattice for which answers are wanted, with
        `beside` coarse cells around those that are to be right; all by default.
        """
        with torch.autocast(coarse.device.type, enabled=False):
            return self._forward(coarse, guide, where, context, asked)

    def _forward(
        self,
        coarse: torch.Tensor,
        guide: torch.Tensor | None,
        where: Where,
        context: torch.Tensor | None,
        asked: tuple[slice, slice] | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        middle = split(coarse.shape[-2:], FINER, coarse.device)
        context = self.context(coarse) if context is None else context
        sea = coarse[:, -1:]
        departure, size = _departures(coarse[:, :-1], sea)
        seen = [bicubic(departure, middle), _repeated(sea)]
        sizes, shown = [size], None
        if guide is not None:
            averaged, share = _averaged(guide, where, middle)
            level, varies = _surroundings(averaged, share)
            sizes.append(varies)
            relative = (averaged - bicubic(level, middle)) / torch.exp(bicubic(varies, middle))
            seen += [relative * (share > 0), share]
            shown = _Shown(averaged, share, varies)
        features = self._features(torch.cat(seen, 1), torch.cat([context, *sizes], 1))
        if asked is not None:
            where = Where(where.rows[asked[0]], where.columns[asked[1]], where.size)
            guide = None if guide is None else guide[..., asked[0], asked[1]]
        maps = self.shown(features), self.residual(features), size
        parts = [
            self._answers(maps, shown, None if guide is None else guide[..., rows, :], part)
            for rows, part in bands(where)
        ]
        rest, log_std = (torch.cat(each, -2) for each in zip(*parts, strict=True))
        return self._led_back(rest, coarse, guide, where), log_std

    def _answers(
        self,
        maps: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        shown: _Shown | None,
        guide: torch.Tensor | None,
        where: Where,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The perceptron at some output cells: residual, and logarithm of the spread."""
        features, residual, size = maps
        here = [_places(where, len(features)).to(features.dtype)]
        if guide is not None and shown is not None:
            scale = torch.exp(bicubic(shown.varies, where))
            finer = (guide[:, :-1] - _between(shown.averaged, where)) / scale * guide[:, -1:]
            here = [finer, guide[:, -1:] - _between(shown.share, where), *here]
        hidden = nn.functional.relu(_between(features, where) + self.detail(torch.cat(here, 1)))
        hidden = nn.functional.relu(self.inner(hidden))
        rest, log_std = self.leave(hidden).chunk(2, dim=1)
        fine = bicubic(size, where)
        return (rest + _between(residual, where)) * torch.exp(fine), log_std + fine

    def _led_back(
        self, rest: torch.Tensor, coarse: torch.Tensor, guide: torch.Tensor | None, where: Where
    ) -> torch.Tensor:
        """Take off what makes means over coarse cells differ from the input's."""
        sea = None if guide is None else guide[:, -1:]
        count = (coarse.shape[-2], coarse.shape[-1])
        given = coarse[:, :-1]
        means, whole = cell_means(bicubic(given, where), where, count, sea)
        wanted = given - means
        for _ in range(LED_BACK):
            means, _ = cell_means(rest, where, count, sea)
            rest = rest + bicubic((wanted - means) * coarse[:, -1:] * whole, where)
        return rest

    def _features(self, seen: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
        """The U-Net on the middle lattice; trained in bfloat16 where that is fast.

        All else is sums over cells and places, which need their digits.
        """
        mixed = self.training and torch.is_grad_enabled() and _fast_bfloat16(seen)
        with torch.autocast(seen.device.type, torch.bfloat16, enabled=mixed, cache_enabled=False):
            if mixed:
                seen = seen.contiguous(memory_format=torch.channels_last)
            return self._unet(seen, below).to(below.dtype)

    def _unet(self, seen: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
        halved, doubled = nn.functional.avg_pool2d, nn.functional.interpolate
        first = self.start(seen)
        second = self.middle(halved(first, 2))
        x = self.bottom(torch.cat([halved(second, 2), below], 1))
        x = doubled(self.to_half(x), scale_factor=2.0)
        x = doubled(self.to_middle(self.rise(torch.cat([x, second], 1))), scale_factor=2.0)
        return self.end(torch.cat([x, first], 1))


def _fast_bfloat16(x: torch.Tensor) -> bool:
    """Whether convolutions in bfloat16 are faster: on GPUs, and on processors that know it."""
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(x.is_cuda or (known is not None and known()))


def _departures(x: torch.Tensor, sea: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Coarse fields as departures from their surroundings in units of how they vary there.

    Also the logarithm of that unit.
    """
    level, varies = _local(x, sea)
    return (x - level) / torch.exp(varies) * sea, varies


def _surroundings(averaged: torch.Tensor, share: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Level of a guide, and the logarithm of how it varies, on the coarse grid."""
    pool = nn.functional.avg_pool2d
    known = pool(share, FINER)
    means = pool(averaged * share, FINER) / known.clamp_min(1e-3)
    return _local(means, known)


def _local(x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean, and logarithm of the standard deviation, over a cell's surroundings."""

    def around(values: torch.Tensor) -> torch.Tensor:
        width = 2 * AROUND + 1
        return nn.functional.avg_pool2d(values, width, 1, AROUND, count_include_pad=False)

    total = around(weight).clamp_min(1e-3)
    level = around(x * weight) / total
    variance = around((x - level) ** 2 * weight) / total
    return level, 0.5 * torch.log(variance + LEAST**2)


def _repeated(x: torch.Tensor) -> torch.Tensor:
    return x.repeat_interleave(FINER, -1).repeat_interleave(FINER, -2)


def _averaged(
    guide: torch.Tensor, where: Where, middle: Where
) -> tuple[torch.Tensor, torch.Tensor]:
    """The guide on the middle lattice, averages of the sea or linear in between; share of sea."""
    rows = _tents(middle.rows, where.rows, where.size[0]).to(guide.dtype)
    columns = _tents(middle.columns, where.columns, where.size[1]).to(guide.dtype)
    sea = guide[:, -1:]
    share = rows @ sea @ columns.T
    means = rows @ (guide[:, :-1] * sea) @ columns.T
    return means / share.clamp_min(1e-3), share


def _tents(to: torch.Tensor, places: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Weights of neighbours along an axis, (to, places); rows add up to one."""
    width = torch.clamp_min(size, 1.0 / FINER)
    weight = torch.relu(1 - (to[:, None] - places).abs() / width)
    return weight / weight.sum(1, keepdim=True).clamp_min(1e-6)


def _between(x: torch.Tensor, where: Where) -> torch.Tensor:
    """Features of the middle lattice at the output cells, linear in between."""
    for axis, places in ((-2, where.rows), (-1, where.columns)):
        at = ((places + 0.5) * FINER - 0.5).clamp(0, x.shape[axis] - 1)
        left = at.floor().long().clamp_max(x.shape[axis] - 2)
        share = (at - left).reshape(-1, *[1] * (-axis - 1)).to(x.dtype)
        low = x.index_select(x.ndim + axis, left)
        x = torch.lerp(low, x.index_select(x.ndim + axis, left + 1), share)
    return x


def _places(where: Where, batch: int) -> torch.Tensor:
    """Place within the middle cell, and size, of each output cell, (batch, 4, h, w)."""
    rows, columns = ((at + 0.5) * FINER - 0.5 for at in (where.rows, where.columns))
    shape = (batch, 1, len(rows), len(columns))
    # A place half-way between two cells belongs to the latter, whatever rounding makes of it.
    rows, columns = (at - torch.floor(at + 0.501) for at in (rows, columns))
    made = [
        rows[:, None].expand(shape),
        columns[None].expand(shape),
        *(torch.log(size).expand(shape) for size in where.size),
    ]
    return torch.cat(made, 1)
