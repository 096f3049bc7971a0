"""What a prior is trained on: windows of several sizes, a tile of each, and noise of all levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xocean_ml.training import generator

__all__ = ["LARGEST", "LEAST", "Batch", "Windows", "normed"]

LARGEST, LEAST = 200.0, 0.002
"""Levels of noise between which samples are drawn, in standard deviations of a field."""

CENTRE, WIDTH = -1.2, 1.9
"""Of the logarithms of the levels that are trained most: where a Gaussian is not enough."""

EVEN = 0.15
"""Share of the levels that is drawn evenly instead."""

Batch = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]


def normed(values: np.ndarray, fields: Sequence[Any]) -> np.ndarray:
    """Fields (samples, fields, rows, columns) less their means, in standard deviations."""
    mean, std = (
        np.array([each[name] for each in fields], np.float32)[:, None, None]
        for name in ("mean", "std")
    )
    return np.asarray((values - mean) / std)


@dataclass(frozen=True, eq=False)
class Windows:
    """Batches from domains.

    Parameters
    ----------
    domains : sequence of array, (samples, fields, rows, columns)
        Normalised; NaN on land.
    patch : int
        Cells of a tile's side.
    batch : int
    seed : int
    """

    domains: Sequence[np.ndarray]
    patch: int
    batch: int
    seed: int

    def __call__(self, step: int) -> Batch:
        """Clean fields, the sea, noise, its level, and where the tile lies in the window."""
        random = generator(self.seed, step)
        least = min(min(each.shape[-2:]) for each in self.domains)
        size = self.patch
        if least > size and random.random() < 0.5:
            size = int(random.integers(size, least + 1) // 8 * 8)
        clean = np.stack([self._window(random, size) for _ in range(self.batch)])
        sigma = np.exp(self._levels(random)).astype(np.float32)
        noise = random.standard_normal(clean.shape, np.float32)
        at = tuple(int(each) for each in random.integers(0, size - self.patch + 1, 2))
        return (*_parts(clean), noise, sigma, (at[0], at[1]))

    def fixed(self, many: int) -> Batch:
        """Tiles to score by: always the same, at levels all along the range."""
        random = generator(self.seed, -1)
        clean = np.stack([self._window(random, self.patch) for _ in range(many)])
        even = (np.arange(many) + 0.5) / many
        low, high = math.log(2 * LEAST), math.log(20.0)
        sigma = np.exp(low + (high - low) * even).astype(np.float32)
        noise = random.standard_normal(clean.shape, np.float32)
        return (*_parts(clean), noise, sigma, (0, 0))

    def _window(self, random: np.random.Generator, size: int) -> np.ndarray:
        weights = np.array([len(each) for each in self.domains], float)
        domain = self.domains[random.choice(len(self.domains), p=weights / weights.sum())]
        fields = domain[random.integers(len(domain))]
        row, column = (int(random.integers(0, max(n - size, 0) + 1)) for n in fields.shape[-2:])
        part = fields[:, row : row + size, column : column + size]
        more = [(0, size - n) for n in part.shape[-2:]]
        return np.pad(part, [(0, 0), *more], constant_values=np.nan)

    def _levels(self, random: np.random.Generator) -> np.ndarray:
        usual = random.normal(CENTRE, WIDTH, self.batch)
        low, high = math.log(0.8 * LEAST), math.log(1.2 * LARGEST)
        even = random.uniform(low, high, self.batch)
        return np.clip(np.where(random.random(self.batch) < EVEN, even, usual), low, high)


def _parts(clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sea = np.isfinite(clean).all(axis=1, keepdims=True)
    return np.where(sea, clean, 0).astype(np.float32), sea.astype(np.float32)
