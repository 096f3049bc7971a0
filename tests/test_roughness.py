"""A denoiser is told of as much noise as lets fields come back as rough as they were."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from xocean_ml.generative.roughness import SHARES, shares_of
from xocean_ml.networks.edm import Denoiser
from xocean_ml.networks.unet import UNet
from xocean_ml.networks.wiener import Wiener

PATCH = 32


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("xocean_ml.generative.roughness.MANY", 32)


@cache
def fields(seed: int = 0) -> np.ndarray:
    """Red fields of two kinds, (samples, 2, rows, columns)."""
    random = np.random.default_rng(seed)
    k = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(96)) * 96
    hats = np.fft.rfft2(random.standard_normal((64, 2, 96, 96))) * (2 + k) ** -2.0
    # cut from larger ones, as a part of an ocean is
    made = np.fft.irfft2(hats)[..., :PATCH, :PATCH]
    return np.asarray(made / made.std(axis=(0, 2, 3), keepdims=True), np.float32)


class Calm(Denoiser):
    """Takes a share of the details of what it expects for noise, of each field."""

    gains = (1.0, 1.0)

    def forward(self, x, sigma, sea, origin=(0, 0)):
        made = super().forward(x, sigma, sea, origin)
        level = (0.5 * sigma)[:, None, None, None]
        large = self.wiener(made, level.flatten())
        return large + torch.tensor(self.gains)[:, None, None] * (made - large)


def denoiser(*gains: float) -> Calm:
    wiener = Wiener.fitted([torch.from_numpy(fields())])
    made = Calm(wiener, UNet(2, 5, channels=(8, 8), blocks=1, width=4), PATCH).eval()
    made.gains = gains or (1.0, 1.0)
    return made


def test_of_the_nearest_gaussian_it_is_all():
    assert min(shares_of(denoiser(), [fields()], PATCH, 0)) >= 0.98


def test_a_calm_denoiser_is_told_of_less():
    several = [shares_of(denoiser(gain, gain), [fields()], PATCH, 0) for gain in (1.0, 0.8, 0.6)]
    first, second, third = map(sum, several)
    assert first > second > third, several
    assert {*several[2]} <= {*SHARES}


def test_the_calm_field_alone_is_told_of_less():
    one, other = shares_of(denoiser(1.0, 0.5), [fields()], PATCH, 0)
    assert one >= 0.98 > 0.97 > other


def test_what_the_denoiser_has_already_does_not_count():
    one, other = denoiser(0.95, 0.95), denoiser(0.95, 0.95)
    other.shares = [0.9, 0.95]
    assert shares_of(one, [fields()], PATCH, 0) == shares_of(other, [fields()], PATCH, 0)
    assert other.shares == [0.9, 0.95]


def test_land_and_constant_fields_do_not_count():
    wet = fields()
    coast = wet.copy()
    coast[..., :, 20:] = np.nan
    coast[:, 1] = np.where(np.isfinite(coast[:, 1]), 0.0, np.nan)
    assert set(shares_of(denoiser(), [coast], PATCH, 0)) <= {*SHARES}


def test_told_of_less_noise_more_is_kept():
    x = torch.from_numpy(fields()[:2])
    sigma, sea = torch.full((2,), 0.5), torch.ones(1, 1, PATCH, PATCH)
    plain = denoiser()
    every = plain(x, sigma, sea)
    plain.shares = [0.9, 0.9]
    less = plain(x, sigma, sea)
    assert (less**2).mean() > (every**2).mean()
    plain.shares = [0.9, 1.0]
    kept = (plain(x, sigma, sea) ** 2).mean(dim=(0, 2, 3)) / (every**2).mean(dim=(0, 2, 3))
    assert kept[0] - 1 > 2 * (kept[1] - 1).abs()
    plain.shares = [1.0, 1.0]
    torch.testing.assert_close(plain(x, 0.9 * sigma, sea), less)


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_same_each_time(seed):
    several = [shares_of(denoiser(0.95, 0.9), [fields()], PATCH, seed) for _ in range(2)]
    assert several[0] == several[1]
