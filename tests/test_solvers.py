"""Samplers and guidance against a Gaussian prior, of which all is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gaussian_prior import CELLS, SHAPE, Case, Prior

from xocean_ml.solvers.diffusion import levels, sample
from xocean_ml.solvers.guidance import Exact, Published

MEMBERS = 600
SIGMAS = levels(32, 200.0, 0.005)


def white(members: int = MEMBERS, seed: int = 1) -> torch.Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.standard_normal((members, *SHAPE)))


def drawn(case: Case, guide: str = "exact", stochastic: bool = False, **options) -> torch.Tensor:
    """Members, (members, cells), of 32 steps."""
    kind = {"exact": Exact, "sda": Published}[guide]
    guided = kind(case.prior.denoise, case.observe, case.values, case.variance, **options)
    noise = (lambda step: white(seed=100 + step)) if stochastic else None
    return sample(guided, SIGMAS[0] * white(), SIGMAS, noise).reshape(MEMBERS, -1)


def scores(made: torch.Tensor, case: Case) -> tuple[float, float, float]:
    """Error of the mean in posterior deviations, and ratios of variances where seen and away."""
    variance = case.covariance.diagonal()
    away = (made.mean(dim=0) - case.mean) / variance.sqrt()
    error = max(float((away**2).mean()) - 1 / len(made), 0) ** 0.5
    ratio = (made.var(dim=0) / variance).numpy()
    seen = np.zeros(CELLS, bool)
    seen[case.seen] = True
    return error, float(ratio[seen].mean()), float(ratio[~seen].mean())


@pytest.mark.parametrize("stochastic", [False, True])
def test_the_posterior_of_a_gaussian_prior_is_right(stochastic):
    """The bar: 0.05 posterior deviations, 0.95 to 1.05 of the variance, at and off observations."""
    case = Case.made()
    error, at, off = scores(drawn(case, stochastic=stochastic), case)
    assert error <= 0.05
    assert 0.95 <= at <= 1.05
    assert 0.95 <= off <= 1.05


def test_what_is_published_is_not():
    """A number in place of the covariance: kept for comparison."""
    case = Case.made()
    exact = scores(drawn(case), case)
    for gamma in (0.1, 1.0):
        error, at, off = scores(drawn(case, "sda", gamma=gamma), case)
        assert error > 3 * exact[0] + 0.1
        assert not 0.9 < at < 1.1 or not 0.9 < off < 1.1


def test_without_observations_members_have_the_prior_s_covariance():
    prior = Prior.made()
    made = sample(prior.denoise, SIGMAS[0] * white(2000), SIGMAS).reshape(2000, -1)
    spectrum = ((made @ prior.vectors) ** 2).mean(dim=0) / prior.values
    assert float(spectrum[-20:].mean()) == pytest.approx(1, abs=0.06)  # the largest patterns
    assert float(spectrum[100:200].mean()) == pytest.approx(1, abs=0.06)


def test_more_iterations_change_little():
    """Three, from the solution of the level before, are nearly the exact solution."""
    case = Case.made()
    three, many = drawn(case), drawn(case, iterations=30)
    size = case.covariance.diagonal().mean().sqrt()
    assert float(((three - many) ** 2).mean().sqrt() / size) < 0.12


def test_a_member_is_the_same_whatever_others_are_drawn():
    case = Case.made()

    def some(keep):
        guided = Exact(case.prior.denoise, case.observe, case.values, case.variance)
        return sample(guided, SIGMAS[0] * white()[keep], SIGMAS)

    torch.testing.assert_close(some([3, 5]), some([5, 2, 3])[[2, 0]], rtol=1e-9, atol=1e-9)


def test_halving_the_step_quarters_the_error():
    """Second order, of a scalar whose path is known."""

    def error(steps: int) -> float:
        sigmas = levels(steps, 20.0, 0.5)
        start = torch.tensor([1.0], dtype=torch.float64)
        made = sample(lambda x, s: x / (1 + s**2) if s > 0.50001 else x, start, sigmas)
        return abs(float(made) - (1.25 / 401) ** 0.5)

    # with linear denoisers x scales as the root of 1 + sigma^2
    assert error(80) < 0.3 * error(40)


def test_the_seen_is_seen():
    """Without errors worth the name, members go through the observations."""
    case = Case.made(share=0.03)
    made = drawn(case, iterations=8)
    away = (made - case.mean)[:, case.seen].abs().mean()
    assert float(away) < 0.06


@pytest.mark.parametrize(("steps", "ends"), [(1, (2.0, 1.0)), (5, (1.0, 2.0)), (5, (1.0, 0.0))])
def test_levels_fall(steps, ends):
    with pytest.raises(ValueError, match="falling"):
        levels(steps, *ends)
