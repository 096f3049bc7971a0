"""The closure: what it must keep, and the same numbers from dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xocean_ml.kernels.closure import Windows
from xocean_ml.kernels.lowpass import Running


def _case(seed: int, lengths: list[int], columns: int = 3):
    rng = np.random.default_rng(seed)
    segments = np.repeat(np.arange(len(lengths)), lengths)
    weights = rng.uniform(0.5, 2.0, (len(segments), columns))
    weights[rng.random(weights.shape) < 0.1] = 0.0
    cheap = rng.uniform(0.1, 3.0, weights.shape)
    missing = rng.normal(size=(len(lengths), columns))
    # A window without any weight lacks nothing.
    empty = np.add.reduceat(weights, np.flatnonzero(np.diff(segments, prepend=-1))) == 0
    return segments, weights, cheap, np.where(empty, 0.0, missing)


def _dense(segments, m, a, missing):
    """The minimiser, from the Karush-Kuhn-Tucker matrix of each window."""
    valid = m > 0

    def cheap(w):
        inside = (segments == w) & valid
        level = a[inside].mean() if inside.any() else 1.0
        return np.where(inside, np.maximum(a / level, 1e-2), 0.0)

    def alone(w, t):
        total = (m * cheap(w)).sum()
        return cheap(w)[t] * missing[w] / total if total else 0.0

    found = np.zeros(len(m))
    last = segments.max()
    for w in range(last + 1):
        at = np.flatnonzero(segments == w)
        gradient = np.diff(np.eye(len(at)), axis=0)
        here = m[at]
        mean = here.sum() / max((here > 0).sum(), 1) or 1.0
        price = here / mean / np.where(here > 0, cheap(w)[at], 1.0)
        stiff = float(len(at)) ** 2
        cost = np.diag(price) + stiff * gradient.T @ gradient
        pull = np.zeros(len(at))
        for end, step, edge in ((0, -1, w > 0), (-1, 1, w < last)):
            if edge:
                t = at[end]
                border = (alone(w, t) + alone(w + step, t + step)) / 2
                cost[end, end] += 2 * stiff
                pull[end] += 2 * stiff * border
        row = m[at][None]
        system = np.block([[cost, -row.T], [row, np.zeros((1, 1))]])
        found[at] = np.linalg.lstsq(system, np.r_[pull, missing[w]], rcond=None)[0][:-1]
    return np.where(valid, found, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_correction_is_the_minimiser(seed):
    segments, weights, cheap, missing = _case(seed, [20, 18, 12])
    found = Windows(segments).correct(missing, weights, cheap)
    for column in range(weights.shape[1]):
        dense = _dense(segments, weights[:, column], cheap[:, column], missing[:, column])
        np.testing.assert_allclose(found[:, column], dense, atol=1e-13)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), lengths=st.lists(st.integers(1, 15), min_size=1, max_size=6))
def test_windows_get_their_sum_back(seed, lengths):
    segments, weights, cheap, missing = _case(seed, lengths)
    windows = Windows(segments)
    for extra in (None, cheap):
        found = windows.correct(missing, weights, extra)
        assert (found[weights == 0] == 0).all()
        given_back = windows.sums(weights * found)
        scale = np.abs(weights * found).sum(axis=0) + 1.0
        assert (np.abs(given_back - missing) <= 1e-13 * scale).all()


def test_shared_weights_are_one_matrix_for_all_columns():
    segments, _, _, missing = _case(1, [12, 12, 12], columns=7)
    weights = np.random.default_rng(2).uniform(28, 31, (36, 1))
    windows = Windows(segments)
    one = windows.operator(weights) @ missing
    each = windows.correct(missing, np.broadcast_to(weights, (36, 7)) + 0.0, None)
    np.testing.assert_allclose(one, each, atol=1e-14)


def test_a_correction_reaches_no_further_than_the_neighbouring_windows():
    windows = Windows(np.repeat(np.arange(6), 10))
    operator = windows.operator(np.ones((60, 1)))
    touched = np.abs(np.add.reduceat(np.abs(operator), np.arange(0, 60, 10), axis=0)) > 0
    near = np.abs(np.subtract.outer(np.arange(6), np.arange(6))) <= 1
    np.testing.assert_array_equal(touched, near)


def test_borders_are_smooth_where_a_constant_per_window_jumps():
    windows = Windows(np.repeat(np.arange(20), 60))
    missing = np.random.default_rng(0).normal(size=(20, 200))
    found = windows.correct(missing, np.ones((1200, 1)))
    steps = np.abs(np.diff(found, axis=0)).mean(axis=1)
    at_border = np.zeros(1199, bool)
    at_border[59::60] = True
    constant = np.repeat(missing / 60, 60, axis=0)
    jumps = np.abs(np.diff(constant, axis=0)).mean(axis=1)
    assert steps[at_border].mean() < 0.05 * jumps[at_border].mean()
    # Smooth across: a step at a border is as large as those on either side of it.
    beside = (np.roll(at_border, 2) | np.roll(at_border, -2)) & ~at_border
    assert steps[at_border].mean() == pytest.approx(steps[beside].mean(), rel=0.1)


def test_closing_twice_is_closing_once():
    windows = Windows(np.repeat(np.arange(4), 25))
    rng = np.random.default_rng(0)
    raw, smoothed = rng.normal(size=(2, 100, 5))
    weights = np.ones((100, 1))
    once = smoothed + windows.correct(windows.sums(raw - smoothed), weights)
    again = windows.correct(windows.sums(raw - once), weights)
    np.testing.assert_allclose(again, 0.0, atol=1e-14)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 999),
    steps=st.integers(2, 40),
    length=st.floats(0.5, 200),
    gaps=st.booleans(),
)
def test_running_mean_keeps_the_total_of_every_column(seed, steps, length, gaps):
    rng = np.random.default_rng(seed)
    days = rng.uniform(0.5, 3.0, steps)
    weights = np.repeat(days[:, None], 3, axis=1)
    if gaps:
        weights[1:][rng.random((steps - 1, 3)) < 0.3] = 0.0
    missing = rng.normal(size=(steps, 3)) * (weights > 0)
    found = Running(days, length).correct(missing, weights)
    assert (found[weights == 0] == 0).all()
    np.testing.assert_allclose(
        (weights * found).sum(axis=0), missing.sum(axis=0), atol=1e-12 * np.abs(missing).sum()
    )


def test_a_trend_passes_whole():
    days = np.random.default_rng(0).uniform(0.5, 3.0, 50)
    middle = np.cumsum(days) - days / 2
    rate = 1.7 - 0.2 * middle
    found = Running(days, 9.0).correct((days * rate)[:, None], days[:, None])
    np.testing.assert_allclose(found[:, 0], rate, rtol=1e-9)


def test_the_slow_part_is_the_dense_minimiser():
    rng = np.random.default_rng(1)
    days = rng.uniform(0.5, 3.0, 40)
    weights = days[:, None] * (rng.random((40, 3)) > 0.2)
    missing = rng.normal(size=(40, 3)) * (weights > 0)
    found = Running(days, 12.0).correct(missing, weights)
    between = (days[1:] + days[:-1]) / 2
    curvature = np.diff(np.diff(np.eye(40), axis=0) / between[:, None], axis=0)
    stiff = (6.0 / (2 * np.pi)) ** 4 * curvature.T @ (curvature / days[1:-1, None])
    for column in range(3):
        slow = np.linalg.solve(np.diag(weights[:, column]) + stiff, missing[:, column])
        valid = weights[:, column] > 0
        np.testing.assert_allclose(found[valid, column], slow[valid], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("period", "passes"), [(6.0, 0.5), (12.0, 0.941), (30.0, 0.998)])
def test_how_much_of_a_period_passes(period, passes):
    time = np.arange(2400) / 10
    wave = np.sin(2 * np.pi * time / period)
    days = np.full(2400, 0.1)
    found = Running(days, 12.0).correct((0.1 * wave)[:, None], days[:, None])[:, 0]
    inside = slice(600, 1800)
    assert found[inside] @ wave[inside] / (wave[inside] @ wave[inside]) == pytest.approx(
        passes, abs=2e-3
    )


def test_no_valid_step_is_no_correction():
    found = Running(np.ones(9), 4.0).correct(np.zeros((9, 2)), np.zeros((9, 2)))
    assert (found == 0).all()
