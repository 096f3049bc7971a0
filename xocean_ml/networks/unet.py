"""A U-Net of fields at a level of noise: two halvings or more, residual blocks, attention below.

After the networks of Ho et al. 2020 and Song et al. 2021 (DDPM++), small. Convolutions see zeros
beyond the sides, and a channel that tells sea from land.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["UNet"]

GROUPS = 8
HEADS = 4


class _Level(nn.Module):
    """Numbers that tell the level of noise, from its logarithm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("waves", torch.exp(torch.linspace(0, math.log(64.0), width // 2)))
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, level: Tensor) -> Tensor:
        assert isinstance(self.waves, Tensor)
        angle = level[:, None] * self.waves
        made: Tensor = self.layers(torch.cat([angle.cos(), angle.sin()], dim=1))
        return made


class _Block(nn.Module):
    """Two convolutions and what they are added to; the level scales and shifts between them."""

    def __init__(self, into: int, out: int, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(GROUPS, into), nn.SiLU(), nn.Conv2d(into, out, 3, padding=1)
        )
        self.norm = nn.GroupNorm(GROUPS, out)
        self.turn = nn.Linear(width, 2 * out)
        self.second = nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Identity() if into == out else nn.Conv2d(into, out, 1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        scale, shift = self.turn(functional.silu(level))[:, :, None, None].chunk(2, dim=1)
        y = self.norm(self.first(x)) * (1 + scale) + shift
        made: Tensor = self.skip(x) + self.second(functional.silu(y))
        return made * math.sqrt(0.5)


class _Attention(nn.Module):
    """Every cell sees every other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.ask = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        many, channels, rows, columns = x.shape
        asked = self.ask(self.norm(x)).reshape(many, 3, HEADS, channels // HEADS, rows * columns)
        query, key, value = asked.transpose(-1, -2).unbind(dim=1)
        seen = functional.scaled_dot_product_attention(query, key, value)
        made: Tensor = self.out(seen.transpose(-1, -2).reshape(x.shape))
        return (x + made) * math.sqrt(0.5)


class UNet(nn.Module):
    """From fields with noise to what a preconditioned denoiser adds.

    Parameters
    ----------
    fields : int
        Channels in and out.
    beside : int
        Further channels in: land and sea, a linear answer.
    channels : sequence of int
        Of the levels, finest first; each is half as fine as the one before.
    blocks : int
        Of each level.
    width : int
        Of the numbers that tell the level of noise.
    fold : int
        Cells of a side that are channels of one cell inside: 2 is three times as fast as 1. Sides
        are multiples of it.
    """

    compiles = True

    def __init__(
        self,
        fields: int,
        beside: int,
        channels: Sequence[int] = (32, 64, 64),
        blocks: int = 2,
        width: int = 64,
        fold: int = 1,
    ) -> None:
        super().__init__()
        self.fold = fold
        self.level = _Level(width)
        self.first = nn.Conv2d((fields + beside) * fold**2, channels[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        kept, now = [channels[0]], channels[0]
        for number, each in enumerate(channels):
            for _ in range(blocks):
                self.down.append(_Block(now, each, width))
                now = each
                kept.append(now)
            if number + 1 < len(channels):
                self.down.append(nn.Conv2d(now, now, 3, stride=2, padding=1))
                kept.append(now)
        self.middle = nn.ModuleList([_Block(now, now, width), _Block(now, now, width)])
        self.attention = _Attention(now)
        for number, each in reversed(list(enumerate(channels))):
            for _ in range(blocks + 1):
                self.up.append(_Block(now + kept.pop(), each, width))
                now = each
            if number:
                self.up.append(nn.Conv2d(now, now, 3, padding=1))
        last = nn.Conv2d(now, fields * fold**2, 3, padding=1)
        self.last = nn.Sequential(nn.GroupNorm(GROUPS, now), nn.SiLU(), last)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Fields (samples, fields, rows, columns) of channels in and levels (samples,)."""
        told = self.level(level)
        x = self.first(functional.pixel_unshuffle(x, self.fold))
        kept = [x]
        for layer in self.down:
            x = layer(x, told) if isinstance(layer, _Block) else layer(x)
            kept.append(x)
        x = self.middle[1](self.attention(self.middle[0](x, told)), told)
        for layer in self.up:
            if isinstance(layer, _Block):
                x = layer(torch.cat([x, kept.pop()], dim=1), told)
            else:
                x = layer(functional.interpolate(x, size=kept[-1].shape[-2:], mode="nearest"))
        return functional.pixel_shuffle(self.last(x), self.fold)
