"""A Gaussian prior on a small map, whose denoiser and posterior are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

SIDE = 16
SHAPE = (1, SIDE, SIDE)
CELLS = SIDE * SIDE


@dataclass
class Prior:
    """Red: sums of Gaussian correlations of several lengths; variance 1 in each cell."""

    values: torch.Tensor
    vectors: torch.Tensor

    @classmethod
    def made(cls) -> Prior:
        row, column = np.divmod(np.arange(CELLS), SIDE)
        square = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2
        parts = [(0.6, 6.0), (0.3, 2.5), (0.1, 1.0)]
        covariance = sum(share * np.exp(-square / (2 * length**2)) for share, length in parts)
        values, vectors = torch.linalg.eigh(torch.from_numpy(covariance))
        return cls(values.clamp(min=1e-5), vectors)

    @property
    def covariance(self) -> torch.Tensor:
        return (self.vectors * self.values) @ self.vectors.T

    def draw(self, white: torch.Tensor, extra: float = 0.0) -> torch.Tensor:
        """Maps (members, 1, side, side) with more variance in every direction."""
        flat = white.reshape(len(white), -1) * (self.values + extra).sqrt()
        return (flat @ self.vectors.T).reshape(-1, *SHAPE)

    def denoise(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        share = self.values / (self.values + sigma**2)
        flat = (x.reshape(len(x), -1) @ self.vectors) * share
        return (flat @ self.vectors.T).reshape(x.shape)


@dataclass
class Rows:
    """What observations see, as a matrix (m, cells)."""

    matrix: torch.Tensor

    def __call__(self, fields: torch.Tensor) -> torch.Tensor:
        return fields.reshape(len(fields), -1) @ self.matrix.T

    def back(self, weights: torch.Tensor) -> torch.Tensor:
        return (weights @ self.matrix).reshape(-1, *SHAPE)


@dataclass
class Case:
    """Some cells with small errors, means over squares with larger ones; the posterior."""

    prior: Prior
    observe: Rows
    values: torch.Tensor
    variance: torch.Tensor
    mean: torch.Tensor
    covariance: torch.Tensor
    seen: np.ndarray

    @classmethod
    def made(cls, share: float = 0.08, seed: int = 0) -> Case:
        random, prior = np.random.default_rng(seed), Prior.made()
        seen = random.permutation(CELLS)[: round(share * CELLS)]
        points = np.eye(CELLS)[seen]
        squares = np.zeros((4, 4, 4, 4, CELLS))
        for cell in range(CELLS):
            row, column = divmod(cell, SIDE)
            squares[row // 4, column // 4, row % 4, column % 4, cell] = 1 / 16
        means = squares.sum(axis=(2, 3)).reshape(16, CELLS)
        matrix = torch.from_numpy(np.concatenate([points, means]))
        variance = torch.from_numpy(np.r_[np.full(len(seen), 0.05**2), np.full(16, 0.2**2)])
        truth = prior.draw(torch.from_numpy(random.standard_normal((1, CELLS)))).reshape(-1)
        noise = torch.from_numpy(random.standard_normal(len(matrix)))
        values = matrix @ truth + variance.sqrt() * noise
        c = prior.covariance
        gain = c @ matrix.T @ torch.linalg.inv(matrix @ c @ matrix.T + torch.diag(variance))
        return cls(
            prior, Rows(matrix), values, variance, gain @ values, c - gain @ matrix @ c, seen
        )
