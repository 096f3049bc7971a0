"""The denoiser: right for a Gaussian before it has learnt anything."""

from __future__ import annotations

import pytest
import torch

from xocean_ml.networks.edm import Denoiser
from xocean_ml.networks.unet import UNet
from xocean_ml.networks.wiener import Wiener, cosines, rings

FIELDS, SHAPE, RINGS = 2, (12, 16), 10
SIGMAS = (0.05, 1.0, 30.0)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def covariance() -> torch.Tensor:
    """Red, and two fields that go together in long waves."""
    at = torch.linspace(0, 1, RINGS)
    size, together = 40 * torch.exp(-6 * at), 0.8 * (1 - at)
    made = torch.empty(RINGS, 2, 2)
    made[:, 0, 0], made[:, 1, 1] = size, 0.5 * size
    made[:, 0, 1] = made[:, 1, 0] = together * (0.5**0.5) * size
    return made


def wiener() -> Wiener:
    return Wiener(covariance())


def dense() -> torch.Tensor:
    """The covariance of all cells of both fields, (n, n)."""
    unit = torch.eye(FIELDS * SHAPE[0] * SHAPE[1]).reshape(-1, FIELDS, *SHAPE)
    half = wiener().draw(unit).flatten(1)
    return half.T @ half


def denoiser() -> Denoiser:
    return Denoiser(wiener(), UNet(FIELDS, 2 * FIELDS + 1, channels=(8, 16), blocks=1, width=16))


def sigma(value: float, many: int = 1) -> torch.Tensor:
    return torch.full((many,), value)


SEA = torch.ones(1, 1, *SHAPE)


def awake(network: torch.nn.Module) -> torch.nn.Module:
    """With weights that begin at zero made random."""
    for each in network.parameters():
        if each.ndim > 1 and not each.any():
            torch.nn.init.normal_(each, std=0.1)
    return network


def test_cosines_are_orthonormal():
    for size in (1, 2, 7, 64):
        torch.testing.assert_close(
            cosines(size) @ cosines(size).T, torch.eye(size), atol=1e-5, rtol=0
        )


def test_rings_are_of_wavelengths_whatever_the_side():
    """A wave of so many cells lies on the same ring in domains of any size."""
    one, other = rings(32, 32, 9), rings(64, 96, 9)
    torch.testing.assert_close(one[8, 0], other[16, 0])
    torch.testing.assert_close(one[0, 8], other[0, 24])
    assert float(one.max()) == 8


@pytest.mark.parametrize("value", SIGMAS)
def test_it_is_the_mean_of_a_gaussian(value):
    c, x = dense(), random(3, FIELDS, *SHAPE)
    gain = c @ torch.linalg.inv(c + value**2 * torch.eye(len(c)))
    expected = (x.flatten(1) @ gain.T).reshape(x.shape)
    torch.testing.assert_close(wiener()(x, sigma(value, 3)), expected, atol=2e-4, rtol=2e-3)


@pytest.mark.parametrize("value", SIGMAS)
def test_what_is_left_is_the_posterior_s_variance(value):
    c = dense()
    left = (c - c @ torch.linalg.inv(c + value**2 * torch.eye(len(c))) @ c).diagonal()
    expected = left.reshape(FIELDS, -1).mean(dim=1)
    found = wiener().left(SHAPE, sigma(value))[0]
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=1e-4)


def test_a_fit_finds_the_covariance():
    fields = wiener().draw(random(600, FIELDS, *SHAPE))
    found = Wiener.fitted([fields], RINGS)
    x = random(2, FIELDS, *SHAPE, seed=1)
    for value in SIGMAS:
        one, other = (each(x, sigma(value, 2)) for each in (found, wiener()))
        assert float((one - other).norm() / other.norm()) < 0.12


def test_it_serves_domains_of_any_size():
    made = Wiener.fitted([wiener().draw(random(200, FIELDS, *SHAPE))], RINGS)
    large = made.draw(random(40, FIELDS, 30, 41))
    small = made.draw(random(40, FIELDS, *SHAPE))
    assert float(large.std() / small.std()) == pytest.approx(1, abs=0.2)


def test_before_training_the_denoiser_is_linear():
    x = random(2, FIELDS, *SHAPE)
    torch.testing.assert_close(denoiser()(x, sigma(0.7, 2), SEA), wiener()(x, sigma(0.7, 2)))


@pytest.mark.parametrize("value", SIGMAS)
def test_told_of_a_share_of_each_fields_noise_it_is_right_for_that(value):
    """As dense matrices have it, with noise of two levels."""
    shares = torch.tensor([0.9, 0.6])
    told = denoiser()
    told.shares = shares.tolist()
    x, c = random(1, FIELDS, *SHAPE), dense()
    noise = ((value * shares) ** 2).repeat_interleave(SHAPE[0] * SHAPE[1])
    expected = c @ torch.linalg.solve(c + noise.diag(), x.flatten())
    made = told(x, sigma(value), SEA).detach().flatten()
    torch.testing.assert_close(made, expected, atol=1e-3, rtol=0)
    left = (c - c @ torch.linalg.solve(c + noise.diag(), c)).diagonal().unflatten(0, (FIELDS, -1))
    out = told.out(torch.Size(SHAPE), sigma(value)).flatten()
    torch.testing.assert_close(out, left.mean(dim=1).sqrt(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("value", SIGMAS)
def test_before_training_errors_are_of_unit_size(value):
    """At each level of noise: the network never has to learn a scale."""
    clean = wiener().draw(random(80, FIELDS, *SHAPE))
    loss = denoiser().loss(clean, random(80, FIELDS, *SHAPE, seed=1), sigma(value, 80), SEA)
    assert float(loss.detach()) == pytest.approx(1, abs=0.1)


def test_land_has_no_part():
    """Neither in the answer over the sea, nor in the loss."""
    network = awake(denoiser())
    sea = (random(1, 1, *SHAPE) > -0.8).float()
    x = random(2, FIELDS, *SHAPE, seed=2)
    other = torch.where(sea > 0, x, 100.0)
    one, two = (network(each, sigma(0.5, 2), sea) for each in (x, other))
    torch.testing.assert_close(one, two)
    noise = random(2, FIELDS, *SHAPE, seed=3)
    losses = [network.loss(each, noise, sigma(0.5, 2), sea) for each in (x, other)]
    torch.testing.assert_close(*losses)
    missing = torch.where(sea > 0, x, torch.nan)
    torch.testing.assert_close(network.loss(missing, noise, sigma(0.5, 2), sea), losses[0])


@pytest.mark.parametrize("shape", [(8, 8), (12, 16), (13, 18)])
def test_each_sample_by_itself_at_any_size(shape):
    network = awake(UNet(2, 1, channels=(8, 16), blocks=1, width=16))
    x, level = random(3, 3, *shape), torch.tensor([-3.0, 0.0, 4.0])
    with torch.no_grad():
        every = network(x, level)
        alone = network(x[1:2], level[1:2])
    assert every.shape == (3, 2, *shape)
    torch.testing.assert_close(every[1:2], alone, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(network(x[:1], level[:1]), network(x[:1], level[1:2]))


def test_every_weight_learns():
    network = awake(denoiser())
    clean = wiener().draw(random(4, FIELDS, *SHAPE))
    level = torch.tensor([0.1, 0.5, 2.0, 9.0])
    network.loss(clean, random(4, FIELDS, *SHAPE, seed=1), level, SEA).backward()
    for name, each in network.named_parameters():
        assert each.grad is not None, name
        if "norm" not in name and "ask.bias" not in name:
            assert float(each.grad.abs().max()) > 0, name
