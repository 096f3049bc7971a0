"""A domain of many tiles, of a Gaussian whose posterior is known: no seam, and the right spread."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from xocean_ml.generative.diffusion import Near
from xocean_ml.networks.edm import Denoiser
from xocean_ml.networks.tiles import starts
from xocean_ml.networks.wiener import Wiener
from xocean_ml.solvers.diffusion import levels, sample
from xocean_ml.solvers.guidance import Exact
from xocean_ml.solvers.operators import Sparse

PATCH, ROWS, COLUMNS, MEMBERS = 24, 24, 66, 240
SIGMAS = levels(32, 200.0, 0.005)
SEA = torch.ones(1, 1, ROWS, COLUMNS)


def covariance(rows: int, columns: int) -> torch.Tensor:
    """Of all cells: two lengths, both much shorter than a tile."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    square = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2
    made = 0.7 * np.exp(-square / (2 * 2.5**2)) + 0.3 * np.exp(-square / (2 * 1.2**2))
    return torch.from_numpy(made + 1e-6 * np.eye(len(made)))


class Exactly(torch.nn.Module):
    """What is expected of a tile that alone is seen, less the linear answer, in its units."""

    def __init__(self, wiener: Wiener) -> None:
        super().__init__()
        self.values, self.vectors = torch.linalg.eigh(covariance(PATCH, PATCH))
        self.wiener = wiener

    def forward(self, seen: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        sigma = torch.exp(level)
        x = seen[:, :1] * (1 + sigma[:, None, None, None] ** 2).sqrt()
        share = self.values / (self.values + sigma[:, None].double() ** 2)
        flat = (x.flatten(1).double() @ self.vectors) * share
        made = (flat @ self.vectors.T).reshape(x.shape).float()
        scale = self.wiener.left((ROWS, COLUMNS), sigma).sqrt()[:, :, None, None]
        return (made - seen[:, 1:2]) / scale


@cache
def denoiser() -> Denoiser:
    half = torch.linalg.cholesky(covariance(ROWS, COLUMNS))
    random = torch.Generator().manual_seed(5)
    draws = (torch.randn(400, len(half), generator=random, dtype=torch.float64) @ half.T).float()
    wiener = Wiener.fitted([draws.reshape(-1, 1, ROWS, COLUMNS)])
    return Denoiser(wiener, Exactly(wiener), PATCH).eval()


def denoise(x: torch.Tensor, sigma: float) -> torch.Tensor:
    return denoiser()(x, x.new_full((len(x),), sigma), SEA)


def white(seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(MEMBERS, 1, ROWS, COLUMNS, generator=random)


def borders() -> np.ndarray:
    """Columns in which one tile fades into the next."""
    at = starts(COLUMNS, PATCH)
    fading = np.zeros(COLUMNS, bool)
    for start in at[1:]:
        before = max(each for each in at if each < start)
        fading[start : before + PATCH] = True
    return fading


def test_without_observations_the_variance_is_the_same_along_borders_and_away():
    start = denoiser().wiener.draw(white(1), SIGMAS[0] ** 2)
    made = sample(denoise, start, SIGMAS)[:, 0]
    variance = made.var(dim=0).mean(dim=0).numpy()
    fading = borders()
    assert 0.2 < fading.mean() < 0.8
    assert variance.mean() == pytest.approx(1, abs=0.05)
    assert variance[fading].mean() / variance[~fading].mean() == pytest.approx(1, abs=0.05)
    # and what neighbours have in common goes on across them
    step = ((made[:, :, 1:] - made[:, :, :-1]) ** 2).mean(dim=(0, 1)).numpy()
    assert step[fading[1:]].mean() / step[~fading[1:]].mean() == pytest.approx(1, abs=0.05)


def test_the_posterior_of_a_tiled_domain_is_right():
    """Error of the mean at most 0.05 posterior deviations, variance within five per cent."""
    random = np.random.default_rng(0)
    prior = covariance(ROWS, COLUMNS)
    count = 150
    cell = torch.from_numpy(random.permutation(ROWS * COLUMNS)[:count])
    observe = Sparse(torch.arange(count), cell, torch.ones(count), count, (1, ROWS, COLUMNS))
    variance = torch.full((count,), 0.04)
    truth = torch.linalg.cholesky(prior) @ torch.from_numpy(random.standard_normal(len(prior)))
    values = truth[cell] + 0.2 * torch.from_numpy(random.standard_normal(count))
    seen = prior[:, cell]
    gain = torch.linalg.solve(prior[cell][:, cell] + 0.04 * torch.eye(count), seen.T).T
    mean = (gain @ values).reshape(ROWS, COLUMNS)
    left = (prior - gain @ seen.T).diagonal().reshape(ROWS, COLUMNS)

    guided = Exact(denoise, observe, values.float(), variance, 1, Near(denoiser().wiener, SEA))
    start = denoiser().wiener.draw(white(2), SIGMAS[0] ** 2)
    made = sample(guided, start, SIGMAS)[:, 0].double()
    away = (made.mean(dim=0) - mean) / left.sqrt()
    error = max(float((away**2).mean()) - 1 / MEMBERS, 0) ** 0.5
    ratio = (made.var(dim=0) / left).numpy()
    fading = borders()
    at = np.zeros(ROWS * COLUMNS, bool)
    at[cell.numpy()] = True
    at = at.reshape(ROWS, COLUMNS)
    assert error <= 0.05
    assert 0.95 <= ratio[at].mean() <= 1.05
    assert 0.95 <= ratio[~at].mean() <= 1.05
    assert ratio[:, fading].mean() / ratio[:, ~fading].mean() == pytest.approx(1, abs=0.05)
