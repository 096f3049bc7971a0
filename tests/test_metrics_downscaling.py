"""Scores of downscaling: known answers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xocean_ml import metrics
from xocean_ml.errors import GridError
from xocean_ml.metrics.spectra import Rings, effective_resolution


def _field(n=64, times=6, slope=-2.5, seed=0) -> xr.DataArray:
    """Red noise near the equator, where rows and columns are equally far apart."""
    rng = np.random.default_rng(seed)
    k = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n))
    amplitude = np.where(k > 0, np.maximum(k, 1 / n), np.inf) ** (slope / 2 - 0.5)
    noise = np.fft.rfft2(rng.normal(size=(times, n, n)))
    values = np.fft.irfft2(noise * amplitude, s=(n, n))
    lat = xr.DataArray(np.linspace(-3, 3, n), dims="lat", attrs={"units": "degrees_north"})
    lon = xr.DataArray(np.linspace(0, 6, n), dims="lon", attrs={"units": "degrees_east"})
    time = xr.date_range("2000-01-01", periods=times)
    return xr.DataArray(
        values / values.std(), {"time": time, "lat": lat, "lon": lon}, attrs={"units": "m"}
    )


def test_the_truth_itself_is_perfect():
    truth = _field()
    score = metrics.downscaling(truth, truth, baseline=truth + 1)
    assert float(score.rmse) == float(score.rmse_ratio) == float(score.gradient_error) == 0
    np.testing.assert_allclose(score.coherence, 1)
    assert float(score.effective_resolution) == pytest.approx(1 / float(score.wavenumber[-1]))
    assert score.rmse.attrs["units"] == "m"


def test_rmse_is_weighted_by_area():
    truth = _field().assign_coords(lat=("lat", np.linspace(20, 70, 64), {"units": "degrees_north"}))
    other = truth + truth.lat / 50
    found = metrics.downscaling(other, truth, bootstrap=0).rmse
    weights = np.cos(np.deg2rad(truth.lat))
    expected = np.sqrt(((other - truth) ** 2).weighted(weights).mean())
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


def test_a_field_too_strong_by_a_tenth_errs_by_a_tenth_in_all():
    truth = _field()
    score = metrics.downscaling(1.1 * truth, truth, baseline=1.2 * truth)
    assert float(score.gradient_error) == pytest.approx(0.1)
    assert float(score.rmse_ratio) == pytest.approx(0.5)
    assert float(score.rmse_ratio_low) == pytest.approx(0.5)
    np.testing.assert_allclose(score.psd, 1.21 * score.psd_truth)
    np.testing.assert_allclose(score.psd_error, 0.01 * score.psd_truth, rtol=1e-9)
    np.testing.assert_allclose(score.coherence, 1)


@pytest.mark.parametrize("cut", [60.0, 100.0])
def test_a_field_without_its_short_waves_is_resolved_to_where_they_begin(cut):
    truth = _field(n=96, times=20)
    spacing = 6 / 95 * 111.19
    k = np.hypot(np.fft.fftfreq(96, spacing)[:, None], np.fft.rfftfreq(96, spacing))
    smooth = np.fft.irfft2(np.fft.rfft2(truth.values) * (k < 1 / cut), s=(96, 96))
    score = metrics.downscaling(truth.copy(data=smooth), truth, bootstrap=50)
    assert float(score.effective_resolution) == pytest.approx(cut, rel=0.15)
    low, high = float(score.effective_resolution_low), float(score.effective_resolution_high)
    assert low <= float(score.effective_resolution) <= high


def test_noise_that_is_not_the_truth_is_not_coherent():
    score = metrics.downscaling(_field(times=60, seed=1), _field(times=60), bootstrap=0)
    assert float(score.coherence[5:].max()) < 0.1
    assert np.isinf(float(score.effective_resolution))


def test_land_does_not_count():
    truth = _field()
    land = (truth.lat > 1) & (truth.lon > 2)
    other = 1.1 * truth
    one = metrics.downscaling(other.where(~land), truth, bootstrap=0)
    two = metrics.downscaling(other.where(~land, 1e3), truth.where(~land), bootstrap=0)
    xr.testing.assert_allclose(one, two)
    assert float(one.gradient_error) == pytest.approx(0.1)
    np.testing.assert_allclose(one.psd_error, 0.01 * one.psd_truth, rtol=1e-6)


def test_rings_hold_all_the_variance_they_should():
    rng = np.random.default_rng(0)
    rings = Rings((32, 48), (10.0, 10.0))
    fields = rng.normal(size=(400, 32, 48))
    modes = np.fft.rfft2(fields)
    found = rings.cross(modes, modes).mean(axis=0) / (32 * 48)
    down, along = np.fft.fftfreq(32, 10.0)[:, None], np.fft.fftfreq(48, 10.0)
    number = np.rint(np.hypot(down, along) / rings.step).astype(int)
    expected = np.bincount(number.ravel())[1 : rings.count + 1]
    np.testing.assert_allclose(found, expected, rtol=0.12)


def test_resolution_of_a_spectrum_that_is_wrong_throughout_is_infinite():
    k = np.array([1.0, 2.0])
    assert np.isinf(effective_resolution(k, np.ones(2), np.ones(2)))
    assert float(effective_resolution(k, np.zeros(2), np.ones(2))) == 0.5


def test_other_grids_are_refused():
    truth = _field()
    with pytest.raises(GridError, match="different grids"):
        metrics.downscaling(truth.isel(lat=slice(32)), truth)
    with pytest.raises(GridError, match="regular grid"):
        metrics.downscaling(truth.isel(lat=0, drop=True), truth.isel(lat=0, drop=True))
