"""The posterior of Gaussian coefficients, against dense matrices and its own draws."""

from __future__ import annotations

import numpy as np
import pytest

from xocean_ml.kernels.gaussian import posterior


def _problem(seed: int, m: int = 30, k: int = 6, many: int = 4):
    random = np.random.default_rng(seed)
    return (
        random.standard_normal((m, k)),
        random.standard_normal((m, many)),
        random.uniform(0.1, 3, m),
        random,
    )


def _precision(random: np.random.Generator, k: int) -> np.ndarray:
    half = random.standard_normal((k, 2 * k))
    return half @ half.T / k


@pytest.mark.parametrize("m", [1, 3, 30])
@pytest.mark.parametrize("prior", [False, True])
def test_it_is_the_kalman_update(m, prior):
    """In the observations' space: P H^T (H P H^T + R)^-1, here with matrices written out."""
    design, values, variance, random = _problem(m, m)
    precision = _precision(random, 6) if prior else None
    before = np.eye(6) if precision is None else np.linalg.inv(precision)
    gain = before @ design.T @ np.linalg.inv(design @ before @ design.T + np.diag(variance))
    found = posterior(design, values, variance, precision)
    np.testing.assert_allclose(found.mean, gain @ values, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.covariance, before - gain @ design @ before, atol=1e-12)


def test_nothing_observed_is_the_prior():
    precision = _precision(np.random.default_rng(0), 4)
    found = posterior(np.empty((0, 4)), np.empty((0, 3)), np.empty(0), precision)
    np.testing.assert_array_equal(found.mean, np.zeros((4, 3)))
    np.testing.assert_allclose(found.covariance, np.linalg.inv(precision), rtol=1e-10)


def test_sums_of_patterns_have_the_variance_of_the_covariance():
    design, values, variance, random = _problem(1)
    found = posterior(design, values, variance, None)
    patterns = random.standard_normal((6, 50))
    expected = np.einsum("kn,kl,ln->n", patterns, found.covariance, patterns)
    np.testing.assert_allclose(found.variance(patterns), expected, rtol=1e-10)
    single = found.variance(patterns.astype(np.float32))
    assert single.dtype == np.float64
    np.testing.assert_allclose(single, expected, rtol=1e-5)


def test_draws_have_the_covariance():
    design, values, variance, random = _problem(2)
    found = posterior(design, values, variance, _precision(random, 6))
    drawn = found.draw(random.standard_normal((6, 200_000)))
    np.testing.assert_allclose(drawn.mean(axis=1), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(drawn), found.covariance, atol=0.02 * found.covariance.max())


def test_more_observations_never_say_less():
    design, values, variance, _ = _problem(3)
    patterns = np.eye(6)
    some = posterior(design[:10], values[:10], variance[:10], None).variance(patterns)
    more = posterior(design, values, variance, None).variance(patterns)
    assert (more <= some + 1e-12).all()
    assert (some <= 1 + 1e-12).all()


def test_times_seen_together_are_those_seen_alone():
    design, values, variance, _ = _problem(4)
    together = posterior(design, values, variance, None).mean
    alone = [posterior(design, each[:, None], variance, None).mean[:, 0] for each in values.T]
    np.testing.assert_allclose(together, np.stack(alone, axis=1), rtol=1e-10)
