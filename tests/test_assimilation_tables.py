"""From values to anomalies that are nearly normal, and back."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from xocean_ml.assimilation.tables import CUBE, Moment, Tables, climatology, raised, root
from xocean_ml.assimilation.when import dates, keys, of_keys

# ---- transforms ------------------------------------------------------------------------------


@given(st.floats(0, 1e6), st.sampled_from([1, CUBE]))
def test_there_and_back_is_the_same(value, power):
    back, spread = raised(root(np.array([value]), power), np.zeros(1), power)
    np.testing.assert_allclose(back, value, rtol=1e-12)
    np.testing.assert_array_equal(spread, 0)


def test_what_is_negative_by_mistake_is_nothing():
    np.testing.assert_array_equal(root(np.array([-8.0, 8.0]), CUBE), [0, 2])
    np.testing.assert_array_equal(root(np.array([-8.0, 8.0]), 1), [-8, 8])


@settings(max_examples=25)
@given(st.floats(-2, 4), st.floats(0.01, 2))
def test_moments_of_a_cube_are_those_of_quadrature(mean, deviation):
    """Gauss-Hermite, exact for polynomials of this degree."""
    node, weight = np.polynomial.hermite_e.hermegauss(12)
    cubes, weight = (mean + deviation * node) ** 3, weight / weight.sum()
    first = (weight * cubes).sum()
    second = (weight * (cubes - first) ** 2).sum()
    value, spread = raised(np.array([mean]), np.array([deviation**2]), CUBE)
    np.testing.assert_allclose(value, max(first, 0), atol=1e-9)
    np.testing.assert_allclose(spread, np.sqrt(second), rtol=1e-9)


@pytest.mark.parametrize("shape", [1.0, 2.0, 5.0])
def test_the_root_of_a_gamma_variate_is_nearly_normal(shape):
    """Wilson & Hilferty (1931)."""
    gamma = scipy.stats.gamma(shape)
    probability = (np.arange(4000) + 0.5) / 4000
    cubic, plain = root(gamma.ppf(probability), CUBE), gamma.ppf(probability)
    assert abs(scipy.stats.skew(cubic)) < 0.2
    assert scipy.stats.skew(plain) > 0.8
    normal = scipy.stats.norm(cubic.mean(), cubic.std())
    assert np.abs(normal.cdf(cubic) - probability).max() < 0.025


def test_normal_anomalies_come_back_as_values():
    random = np.random.default_rng(0)
    power = np.array([1, 1, CUBE, CUBE])
    tables = Tables(random.uniform(1, 3, (12, 4)), random.uniform(0.1, 0.5, (12, 4)), power)
    values, now = random.uniform(0.5, 20, (50, 4)), tables.at(7.0)
    anomaly = tables.normal(values, now)
    np.testing.assert_allclose(tables.values(anomaly, now), values, rtol=1e-12)


def test_what_is_expected_is_the_mean_of_draws():
    power = np.array([1, CUBE])
    now = Moment(np.array([280.0, 1.5]), np.array([2.0, 0.6]))
    tables = Tables(now.mean[None], now.scale[None], power)
    anomaly, variance = np.array([0.7, 0.7]), np.array([0.5, 0.5])
    drawn = anomaly + np.sqrt(variance) * np.random.default_rng(0).standard_normal((400_000, 2))
    # members of rain are not below zero, which hardly one of these would be
    values = tables.values(drawn, now)
    np.testing.assert_allclose(values.mean(0), tables.values(anomaly, now, variance), rtol=5e-3)
    np.testing.assert_allclose(values.std(0), tables.spread(anomaly, now, variance), rtol=1e-2)


# ---- seasons ---------------------------------------------------------------------------------


@given(st.floats(-0.5, 11.5))
def test_between_the_middles_of_months_it_is_linear(season):
    mean = np.arange(12.0)[:, None] ** 2
    found = Tables(mean, mean + 1, np.ones(1, int)).at(season)
    expected = np.interp(season, np.arange(-1, 13), np.append(mean[-1], np.append(mean, mean[0])))
    np.testing.assert_allclose(found.mean, expected, atol=1e-9)
    np.testing.assert_allclose(found.scale, expected + 1, atol=1e-9)


def test_without_season_all_times_are_alike():
    tables = Tables(np.array([[3.0]]), np.array([[2.0]]), np.ones(1, int))
    assert tables.at(5.5).mean == tables.at(0.0).mean == 3


def test_a_climatology_has_the_moments_of_each_month():
    random = np.random.default_rng(0)
    month = np.arange(12 * 400) % 12
    mean, scale = 10 * random.standard_normal((12, 3)), random.uniform(1, 1.2, (12, 3))
    values = mean[month] + scale[month] * random.standard_normal((len(month), 3))
    found, deviation = climatology(values, month, 1)
    np.testing.assert_allclose(found, mean, atol=0.25)
    around = 0.5 * scale**2 + 0.25 * (np.roll(scale, 1, 0) ** 2 + np.roll(scale, -1, 0) ** 2)
    np.testing.assert_allclose(deviation, np.sqrt(around), rtol=0.06)


def test_a_climatology_of_rain_is_of_its_root():
    random = np.random.default_rng(0)
    normal = 2 + 0.3 * random.standard_normal((5000, 2))
    mean, scale = climatology(normal**3, None, CUBE)
    np.testing.assert_allclose(mean, 2, atol=0.02)
    np.testing.assert_allclose(scale, 0.3, rtol=0.05)


def test_a_month_never_seen_is_as_the_year_and_land_is_silent():
    random = np.random.default_rng(0)
    month = np.arange(240) % 12
    values = random.standard_normal((240, 3))
    values[month == 4, 0] = np.nan
    values[:, 2] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean, scale = climatology(values, month, 1)
    np.testing.assert_allclose(mean[4, 0], np.nanmean(values[:, 0]))
    assert np.isfinite(scale[:, :2]).all()
    assert np.isnan(mean[:, 2]).all()


def test_what_never_varies_may_begin_to():
    """Under ice: a small standard deviation, never none."""
    values = np.random.default_rng(0).standard_normal((120, 5))
    values[:, 3] = -1.8
    _, scale = climatology(values, np.arange(120) % 12, 1)
    assert (scale[:, 3] > 0.02).all()
    assert (scale[:, 3] < 0.1).all()
    _, nothing = climatology(np.zeros((24, 2)), None, 1)
    np.testing.assert_array_equal(nothing, 1)


# ---- which observation belongs to which time -------------------------------------------------


@given(st.integers(-3000, 3000), st.integers(0, 27), st.sampled_from([28.0, 30.4, 31.0]))
def test_a_month_holds_all_its_days(number, day, step):
    month = np.datetime64("1970-01", "M") + number
    date = (month.astype("M8[D]") + day).astype("M8[ns]")
    found = keys(xr.DataArray([date], dims="time"), step)
    assert (of_keys(found, step).astype("M8[M]") == month).all()


@given(st.integers(-10_000, 10_000), st.sampled_from([1.0, 5.0, 8.0]))
def test_steps_of_days_come_back(number, step):
    date = of_keys(np.array([number]), step)
    assert keys(xr.DataArray(date, dims="time"), step)[0] == number


def test_dates_may_bear_another_name_than_their_dimension():
    time = np.array(["2000-01-01", "2000-02-01"], "M8[ns]")
    array = xr.DataArray([1.0, 2.0], {"valid": ("t", time)}, "t")
    assert dates(array, "t").name == "valid"
    named = array.assign_coords(t=time)
    assert dates(named, "t").name == "t"
