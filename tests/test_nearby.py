"""Local interpolation against optimal interpolation with whole matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xocean_ml.kernels.nearby import EARTH_RADIUS_KM, crowding, interpolate, places

LENGTH = 400.0


def _around(count: int, seed: int, size: float = 8.0) -> np.ndarray:
    """Places within some degrees of one on the date line."""
    random = np.random.default_rng(seed)
    lat, lon = random.uniform(-size, size, (2, count))
    return places(40 + lat, (180 + lon + 180) % 360 - 180)


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return EARTH_RADIUS_KM * np.linalg.norm(one[:, None] - other[None], axis=-1)


def _correlation(one: np.ndarray, other: np.ndarray, length: float) -> np.ndarray:
    return np.exp(-(_apart(one, other) ** 2) / (2 * length**2))


def _optimal(
    targets: np.ndarray,
    deviation: np.ndarray,
    points: np.ndarray,
    seen: np.ndarray,
    error: np.ndarray,
    values: np.ndarray,
    length: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Gandin (1963) with all observations."""
    inside = seen[:, None] * seen * _correlation(points, points, length) + np.diag(error)
    across = deviation[:, None] * seen * _correlation(targets, points, length)
    weights = across @ np.linalg.inv(inside)
    return values @ weights.T, deviation**2 - (weights * across).sum(axis=1)


def _case(m: int, n: int = 40, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "targets": _around(n, seed + 1),
        "deviation": random.uniform(0.5, 2, n),
        "points": _around(m, seed + 2),
        "seen": random.uniform(0.5, 2, m),
        "error": random.uniform(0.05, 1, m),
        "values": random.standard_normal((3, m)),
    }


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 24), st.integers(0, 1000), st.floats(800, 5000))
def test_with_few_observations_it_is_optimal_interpolation(m, seed, length):
    """Lengths so that all lie within three of them."""
    case = _case(m, seed=seed)
    field, variance = interpolate(**case, length=length)
    expected, left = _optimal(**case, length=length)
    np.testing.assert_allclose(field, expected, atol=1e-9)
    np.testing.assert_allclose(variance, left, atol=1e-9)


def test_of_many_observations_the_nearest_are_enough():
    """Each field is one that may be: a draw of the very covariance."""
    case = _case(150)
    every = np.concatenate([case["targets"], case["points"]])
    covariance = _correlation(every, every, LENGTH) + 1e-9 * np.eye(len(every))
    drawn = np.random.default_rng(5).standard_normal((3, len(every)))
    field = drawn @ np.linalg.cholesky(covariance).T
    case["deviation"], case["seen"] = np.ones(40), np.ones(150)
    case["error"] = np.full(150, 0.1)
    noise = np.random.default_rng(6).standard_normal((3, 150)) * np.sqrt(0.1)
    case["values"] = field[:, 40:] + noise
    found, variance = interpolate(**case, length=LENGTH)
    expected, left = _optimal(**case, length=LENGTH)
    assert np.sqrt(((found - expected) ** 2).mean()) < 0.5 * np.sqrt(left.mean())
    assert (variance >= left - 1e-9).all()
    assert variance.mean() < 1.3 * left.mean()


def test_each_place_sees_only_the_nearest():
    case = _case(40)
    field, variance = interpolate(**case, length=1000.0, nearest=5)
    near = np.argsort(_apart(case["targets"], case["points"]), axis=1)[:, :5]
    for number, mine in enumerate(near):
        some = {k: case[k][mine] for k in ("points", "seen", "error")}
        one, left = _optimal(
            case["targets"][[number]],
            case["deviation"][[number]],
            **some,
            values=case["values"][:, mine],
            length=1000.0,
        )
        np.testing.assert_allclose(field[:, number], one[:, 0], atol=1e-9)
        np.testing.assert_allclose(variance[number], left[0], atol=1e-9)


def test_far_from_all_nothing_is_known():
    case = _case(10) | {"targets": places(np.array([-50.0, 20.0]), np.zeros(2))}
    case["deviation"] = np.array([0.7, 1.3])
    field, variance = interpolate(**case, length=LENGTH)
    np.testing.assert_array_equal(field, 0)
    np.testing.assert_allclose(variance, [0.49, 1.69])


def test_beyond_three_lengths_nothing_is_said():
    """Which is 1 % of a correlation at most."""
    here = places(np.zeros(1), np.zeros(1))
    one = np.ones(1)
    for apart, said in ((2.99, True), (3.01, False)):
        there = places(np.zeros(1), np.rad2deg(np.array([apart * LENGTH / EARTH_RADIUS_KM])))
        field, _ = interpolate(here, one, there, one, one, np.ones((1, 1)), LENGTH)
        assert bool(field[0, 0]) == said
        assert field[0, 0] < 0.01


def test_what_is_observed_exactly_is_met():
    case = _case(8)
    case["error"] = np.zeros(8)
    case |= {"targets": case["points"], "deviation": case["seen"]}
    field, variance = interpolate(**case, length=LENGTH)
    np.testing.assert_allclose(field, case["values"], atol=1e-6)
    np.testing.assert_allclose(variance, 0, atol=1e-6)


def test_two_exact_observations_of_one_place_are_one():
    here, one = places(np.zeros(1), np.zeros(1)), np.ones(1)
    twice = np.repeat(here, 2, axis=0)
    field, variance = interpolate(
        here, one, twice, np.ones(2), np.zeros(2), np.full((1, 2), 3.0), LENGTH
    )
    np.testing.assert_allclose(field, 3, atol=1e-4)
    np.testing.assert_allclose(variance, 0, atol=1e-4)


def test_more_observations_never_make_it_less_sure():
    case = _case(12)
    few = case | {k: case[k][..., :6] for k in ("seen", "error", "values")}
    few["points"] = case["points"][:6]
    some, more = (interpolate(**each, length=LENGTH)[1] for each in (few, case))
    assert (more <= some + 1e-12).all()
    assert (some <= case["deviation"] ** 2 + 1e-12).all()


def test_the_seam_and_the_pole_are_no_edges():
    """The same cluster anywhere on the sphere gives the same answer."""
    case = _case(10)
    random = np.random.default_rng(3)
    turn = np.linalg.qr(random.standard_normal((3, 3)))[0]
    turned = case | {k: case[k] @ turn for k in ("targets", "points")}
    for one, other in zip(
        interpolate(**case, length=LENGTH), interpolate(**turned, length=LENGTH), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(0, 100), st.floats(50, 2000))
def test_crowding_counts_neighbours(m, seed, length):
    points = _around(m, seed)
    neighbours = (_apart(points, points) <= 1.5 * length).sum(axis=1) - 1
    np.testing.assert_allclose(crowding(points, length), 1 + neighbours * 2 / 1.5**2)


def test_crowding_is_the_sum_of_correlations():
    """On an even, dense field of observations: what an average over them would find."""
    step = 0.5
    lat, lon = np.meshgrid(np.arange(-12, 12, step), np.arange(-12, 12, step), indexing="ij")
    points = places(lat.ravel(), lon.ravel())
    middle = np.argmin(np.abs(lat.ravel()) + np.abs(lon.ravel()))
    whole = _correlation(points[[middle]], points, 200.0).sum()
    assert crowding(points, 200.0)[middle] == pytest.approx(whole, rel=0.1)


def test_what_has_large_errors_of_its_own_does_not_crowd():
    """The good observation counts as if it were alone, the bad ones as so many."""
    points = places(np.zeros(21), np.linspace(0, 2, 21))
    shared = np.r_[1.0, np.full(20, 1e-4)]
    found = crowding(points, 500.0, shared)
    assert found[0] == pytest.approx(1, abs=0.02)
    assert (found[1:] > 18).all()


@pytest.mark.parametrize("share", [1.0, 0.4, 1e-5])
def test_of_errors_alike_only_the_number_counts(share):
    points = _around(50, 0)
    np.testing.assert_allclose(
        crowding(points, LENGTH, np.full(50, share)), crowding(points, LENGTH), rtol=1e-12
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 50), st.integers(0, 100))
def test_shares_are_summed_to_a_factor_of_two(m, seed):
    points = _around(m, seed)
    shared = np.random.default_rng(seed).uniform(1e-3, 1, m)
    near = _apart(points, points) <= 1.5 * LENGTH
    exact = ((near * shared).sum(axis=1) / shared - 1) * 2 / 1.5**2
    found = crowding(points, LENGTH, shared) - 1
    assert (found <= 2 * exact + 2 / 1.5**2 + 1e-9).all()
    assert (found >= exact / 2 - 2 / 1.5**2 - 1e-9).all()
