"""Passes over columns: compiled loops against whole-array expressions, as a GPU computes them."""

from __future__ import annotations

import types

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import clean_increments

from xocean_ml.kernels import closure, columns
from xocean_ml.smoothing import blocks, dong, tiles


class _Other(types.ModuleType):
    """numpy by another name: code that asks "is it numpy?" takes its general way."""

    def __getattr__(self, name):
        return getattr(np, name)


@pytest.fixture
def general(monkeypatch):
    """Make the layers under `ml_smooth` take the way that cupy arrays take."""
    other = _Other("other")
    for module in (columns, closure, blocks, dong, tiles):
        if hasattr(module, "namespace"):
            monkeypatch.setattr(module, "namespace", lambda array: other)


def _case(seed, dtype="f8"):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 7, 3) + np.array([2, 0, 0]))
    values = rng.normal(size=shape).astype(dtype)
    values[rng.random(shape) < 0.2] = np.nan
    return rng, values


def _both(function, *arguments):
    """The compiled answer and the general one."""
    compiled = function(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "namespace", lambda array: _Other("other"))
        return compiled, function(*arguments)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999), dtype=st.sampled_from(["f4", "f8", ">f4", ">f8"]))
def test_amounts(seed, dtype):
    rng, values = _case(seed, dtype)
    scale = rng.uniform(0.5, 2, len(values))
    one, two = _both(columns.amounts, values[::-1], scale)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    expected = np.nan_to_num(values[::-1].astype("f8")) * scale[:, None, None]
    np.testing.assert_array_equal(one[0], expected)
    assert one[2] is two[2] is False


@pytest.mark.parametrize("wrong", [np.inf, -np.inf])
def test_infinite_values_are_seen(wrong):
    values = np.zeros((3, 2, 4))
    values[1, 1, 2] = wrong
    one, two = _both(columns.amounts, values, np.ones(3))
    assert one[2] is two[2] is True


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999))
def test_the_other_passes(seed):
    rng, values = _case(seed)
    valid = np.isfinite(values)
    values = np.nan_to_num(values)
    steps = len(values)
    passed, inflow = rng.random(steps), rng.normal(size=values.shape[1:])
    for a, b in zip(*_both(columns.backward, values, valid, passed, inflow), strict=True):
        np.testing.assert_array_equal(a, b)
    segments = np.sort(rng.integers(0, 3, steps))
    segments = np.unique(segments, return_inverse=True)[1]
    for front in (1, steps):
        weights = rng.random((front, 1, values.shape[2]))
        a, b = _both(columns.window_sums, values, 0.5 * values, weights, segments)
        np.testing.assert_allclose(a, b, atol=1e-13)
    a, b = _both(columns.steady, valid)
    np.testing.assert_array_equal(a, b)
    for extra in (None, rng.normal(size=(steps, values.shape[2]))):
        outs = np.empty((2, *values.shape))
        for out, other in zip(outs, (False, True), strict=True):
            with pytest.MonkeyPatch.context() as patch:
                if other:
                    patch.setattr(columns, "namespace", lambda array: _Other("other"))
                share = rng.random(values.shape[1:]) * 0 + 0.7
                columns.corrected(values, passed + 1, extra, share, valid, out)
        np.testing.assert_allclose(outs[0], outs[1], atol=1e-14)


@pytest.mark.parametrize("over", ["cell", "column", "global"])
@pytest.mark.parametrize("spread", [None, "spread"])
def test_the_general_way_gives_the_answer_of_the_compiled_one(over, spread, request):
    ds = clean_increments(steps=60)
    ds = ds.assign({n: ds[n].astype("f8") for n in ("increment", "spread")})
    ds.increment[5, 1, 1, 1] = np.nan
    options = {"decay": "90D", "conserve": "YS", "conserve_over": over, "spread": spread}
    compiled = ds.ml_smooth("dong", **options)
    request.getfixturevalue("general")
    general = ds.ml_smooth("dong", **options)
    xr.testing.assert_allclose(general.increment, compiled.increment, rtol=1e-12, atol=1e-13)
