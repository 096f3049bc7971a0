"""A denoiser is told of as much noise as lets fields come back as rough as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xocean_ml.generative.roughness import SHARES, share_of
from xocean_ml.networks.edm import Denoiser
from xocean_ml.networks.unet import UNet
from xocean_ml.networks.wiener import Wiener

PATCH = 16


def fields(seed: int = 0) -> np.ndarray:
    """Red fields of two kinds, (samples, 2, rows, columns)."""
    random = np.random.default_rng(seed)
    k = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(64)) * 64
    hats = np.fft.rfft2(random.standard_normal((24, 2, 64, 64))) * (1 + k) ** -1.5
    # cut from larger ones, as a part of an ocean is
    made = np.fft.irfft2(hats)[..., :PATCH, :PATCH]
    return np.asarray(made / made.std(axis=(0, 2, 3), keepdims=True), np.float32)


class Calm(Denoiser):
    """Takes a share of the details of what it expects for noise."""

    gain = 1.0

    def forward(self, x, sigma, sea, origin=(0, 0)):
        made = super().forward(x, sigma, sea, origin)
        level = (0.5 * sigma)[:, None, None, None]
        large = self.wiener(made, level.flatten())
        return large + self.gain * (made - large)


def denoiser(gain: float = 1.0) -> Calm:
    wiener = Wiener.fitted([torch.from_numpy(fields())])
    made = Calm(wiener, UNet(2, 5, channels=(8, 8), blocks=1, width=8), PATCH).eval()
    made.gain = gain
    return made


def test_of_the_nearest_gaussian_it_is_all():
    assert share_of(denoiser(), [fields()], PATCH, 0) >= 0.98


def test_a_calm_denoiser_is_told_of_less():
    shares = [share_of(denoiser(gain), [fields()], PATCH, 0) for gain in (1.0, 0.8, 0.6)]
    assert shares[0] > shares[1] > shares[2] >= SHARES[-1], shares


def test_what_the_denoiser_has_already_does_not_count():
    one, other = denoiser(0.95), denoiser(0.95)
    other.share = 0.9
    assert share_of(one, [fields()], PATCH, 0) == share_of(other, [fields()], PATCH, 0)
    assert other.share == 0.9


def test_land_and_constant_fields_do_not_count():
    wet = fields()
    coast = wet.copy()
    coast[..., :, 10:] = np.nan
    coast[:, 1] = np.where(np.isfinite(coast[:, 1]), 0.0, np.nan)
    assert share_of(denoiser(), [coast], PATCH, 0) in SHARES


def test_told_of_less_noise_more_is_kept():
    x = torch.from_numpy(fields()[:2])
    sigma, sea = torch.full((2,), 0.5), torch.ones(1, 1, PATCH, PATCH)
    plain = denoiser()
    all_, less = plain(x, sigma, sea), None
    plain.share = 0.9
    less = plain(x, sigma, sea)
    assert (less**2).mean() > (all_**2).mean()
    plain.share = 1.0
    torch.testing.assert_close(plain(x, 0.9 * sigma, sea), less)


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_same_each_time(seed):
    assert share_of(denoiser(0.95), [fields()], PATCH, seed) == share_of(
        denoiser(0.95), [fields()], PATCH, seed
    )
