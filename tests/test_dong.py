"""The Dong smoother against its recursion, against scipy, and at its ends."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import xarray as xr
from scipy.signal import lfilter

from xocean_ml.kernels.columns import backward
from xocean_ml.smoothing.dong import Dong, days_of
from xocean_ml.smoothing.steps import Steps
from xocean_ml.smoothing.tiles import Columns


def _dataset(values, times=None, **attrs):
    values = np.asarray(values)
    if times is None:
        times = xr.date_range("2000-01-01", periods=len(values), freq="D")
    attrs = {
        "standard_name": "change_over_time_in_sea_water_potential_temperature",
        "units": "K",
    } | attrs
    dims = ("time", "cell")[: values.ndim]
    return xr.Dataset({"dT": (dims, values, attrs)}, {"time": times})


def _uneven(steps, seed=0):
    days = np.random.default_rng(seed).integers(1, 9, steps).cumsum()
    return np.datetime64("2000-01-01", "ns") + days.astype("timedelta64[D]")


def test_both_modes_follow_their_recursion_in_exact_arithmetic():
    rng = np.random.default_rng(0)
    d = [Fraction(int(v), 64) for v in rng.integers(-99, 99, 30)]
    a = [Fraction(int(v), 64) for v in rng.integers(-99, 99, 30)]
    times = _uneven(30)
    gaps = np.diff(times).astype("timedelta64[D]").astype(float)
    g = [Fraction(float(x)) for x in np.exp(-gaps / 20.0)]
    # x^s_k = x^a_k + u_k, u_k = g_k (d_{k+1} + u_{k+1}), u_N = 0
    u = [Fraction(0)] * 30
    for k in reversed(range(29)):
        u[k] = g[k] * (d[k + 1] + u[k + 1])
    state = [float(x + y) for x, y in zip(a, u, strict=True)]
    # s_k = c_k - u_{k-1}, c_k = d_k + u_k
    kept = [float(d[k] + u[k] - (u[k - 1] if k else 0)) for k in range(30)]

    ds = _dataset([float(x) for x in d], times)
    ds["T"] = ("time", [float(x) for x in a])
    ds["T"].attrs = {"standard_name": "sea_water_potential_temperature", "units": "K"}
    options = {"decay": "20D", "conserve": None}
    smoothed = ds.ml_smooth("dong", head=True, tail=False, **options)
    np.testing.assert_allclose(smoothed.dT, kept, rtol=0, atol=1e-15)
    np.testing.assert_allclose(
        ds.ml_smooth("dong", mode="state", **options).T, state, rtol=0, atol=4e-15
    )


def test_even_steps_are_a_one_pole_filter_run_backwards():
    d = np.random.default_rng(1).normal(size=(400, 7))
    g = np.exp(-1 / 30)
    expected = lfilter([1 - g], [1, -g], d[::-1], axis=0)[::-1]
    ds = _dataset(d)
    plain = ds.ml_smooth("dong", decay="30D", conserve=None, head=False, tail=False)
    np.testing.assert_allclose(plain.dT, expected, atol=1e-14)


def test_head_repair_gives_the_lost_amount_to_step_0_alone():
    d = np.random.default_rng(2).normal(size=(50, 3))
    ds = _dataset(d)
    options = {"decay": "10D", "conserve": None, "tail": False}
    without = ds.ml_smooth("dong", head=False, **options).dT
    repaired = ds.ml_smooth("dong", head=True, **options).dT
    np.testing.assert_array_equal(repaired[1:], without[1:])
    np.testing.assert_allclose(repaired.sum("time"), d.sum(axis=0), atol=1e-14)
    # What step j hands out sums to 1 - g^(j+1) without the repair.
    lost = 1 - np.array([_response(j, head=False, tail=False).sum() for j in range(10)])
    np.testing.assert_allclose(lost, np.exp(-(np.arange(10) + 1) / 10), atol=1e-15)


def test_tail_repair_gives_rows_that_sum_to_one():
    ones = _dataset(np.ones(50))
    options = {"decay": "10D", "conserve": None, "head": False}
    rows = ones.ml_smooth("dong", tail=False, **options).dT
    # Row sums fall from one to 1 - g at the last step.
    np.testing.assert_allclose(rows, 1 - np.exp(-(50 - np.arange(50)) / 10), atol=1e-15)
    np.testing.assert_allclose(ones.ml_smooth("dong", tail=True, **options).dT, 1.0, atol=1e-14)


def _response(step, **repairs):
    impulse = np.zeros(50)
    impulse[step] = 1.0
    out = _dataset(impulse).ml_smooth("dong", decay="10D", conserve=None, **repairs)
    return out.dT.values


def test_missing_steps_keep_nothing_and_lose_nothing():
    d = np.random.default_rng(3).normal(size=(60, 20))
    d[np.random.default_rng(4).random(d.shape) < 0.3] = np.nan
    options = {"decay": "10D", "conserve": None, "head": True, "tail": False}
    out = _dataset(d).ml_smooth("dong", **options).dT.values
    np.testing.assert_array_equal(np.isnan(out), np.isnan(d))
    first = np.isfinite(d[0])
    np.testing.assert_allclose(
        np.nansum(out, axis=0)[first], np.nansum(d, axis=0)[first], atol=1e-13
    )


def test_a_part_of_the_record_with_its_inflow_is_the_whole():
    rng = np.random.default_rng(5)
    d, valid = rng.normal(size=(40, 1, 6)), rng.random((40, 1, 6)) < 0.9
    d = np.where(valid, d, 0.0)
    days = rng.uniform(1, 5, 40).cumsum()
    steps = Steps(days - days[0], np.full(40, 3.0))
    model = Dong(15.0, head=True, tail=True)

    def smooth(part, inflow=None):
        now = Columns(d[part], valid[part], None, None, None)
        return model.smooth(now, steps, part, inflow)

    whole, late = smooth(slice(0, 40)), smooth(slice(25, 40))
    early = smooth(slice(0, 25), late.outflow)
    for name in ("smoothed", "flux"):
        parts = [getattr(each, name) for each in (early, late)]
        np.testing.assert_array_equal(np.concatenate(parts), getattr(whole, name))


def test_flux_is_the_running_sum_of_smoothed_minus_raw():
    d = np.random.default_rng(6).normal(size=(40, 1, 3))
    passed = np.r_[0.0, np.full(39, 0.8)]
    smoothed, flux, _ = backward(d, np.ones(d.shape, bool), passed, np.zeros((1, 3)))
    np.testing.assert_allclose((smoothed - d).cumsum(axis=0), flux, atol=1e-14)


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_calendars(calendar):
    times = xr.date_range("2000-01-01", periods=36, freq="MS", calendar=calendar, use_cftime=True)
    ds = _dataset(np.random.default_rng(7).normal(size=36), times)
    out = ds.ml_smooth("dong", decay="90D", conserve="YS")
    for year in range(3):
        part = slice(12 * year, 12 * year + 12)
        assert float(out.dT[part].sum() - ds.dT[part].sum()) == pytest.approx(0, abs=1e-14)


def test_rates_are_weighted_by_the_length_of_their_step():
    times = xr.date_range("2001-01-01", periods=25, freq="MS")
    bounds = np.stack([times[:-1], times[1:]], axis=1)
    d = np.random.default_rng(8).normal(size=24) * 1e-7
    name = "tendency_of_sea_water_potential_temperature"
    ds = _dataset(d, times[:-1], standard_name=name, units="K s-1")
    ds["time_bnds"] = ("time", "bnds"), bounds
    ds.time.attrs["bounds"] = "time_bnds"
    days = np.diff(times) / np.timedelta64(1, "D")
    out = ds.ml_smooth("dong", decay="90D", conserve="YS").dT
    for part in (slice(0, 12), slice(12, 24)):
        assert (out[part] * days[part]).sum() == pytest.approx((d * days)[part].sum(), abs=1e-20)


@pytest.mark.parametrize(
    ("text", "days"),
    [("30D", 30), ("36h", 1.5), (np.timedelta64(2, "D"), 2)],
)
def test_lengths_of_time(text, days):
    assert days_of(text) == days


@pytest.mark.parametrize("bad", ["soon", 30, "-3D", "0D"])
def test_bad_lengths_of_time_are_told(bad):
    with pytest.raises(ValueError, match="decay"):
        _dataset(np.zeros(9)).ml_smooth("dong", decay=bad)


def test_fitted_decay_is_near_the_best_on_a_series_of_known_law():
    rng = np.random.default_rng(9)
    keep, steps = 0.97, 3000
    slow = lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.normal(size=(steps, 40)), axis=0)
    raw = slow + 2.0 * rng.normal(size=slow.shape)
    ds = _dataset(raw)

    def error(decay):
        out = ds.ml_smooth("dong", decay=decay, conserve=None).dT.values
        return float(np.sqrt(((out - slow)[200:-200] ** 2).mean()))

    best = min(error(f"{n}D") for n in (3, 5, 7, 9, 12, 16, 22, 30))
    assert error("fit") < 1.02 * best
    fitted = ds.ml_smooth.fit("dong")
    lazy = ds.chunk({"cell": 10}).ml_smooth("dong", decay="fit", conserve=None)
    eager = ds.ml_smooth(fitted, conserve=None)
    np.testing.assert_allclose(lazy.dT, eager.dT, atol=1e-12)


def test_white_increments_are_told_to_have_no_slow_part():
    ds = _dataset(np.random.default_rng(10).normal(size=(500, 50)))
    with pytest.warns(UserWarning, match="no slow part"):
        assert ds.ml_smooth.fit("dong").decay_days > 500
