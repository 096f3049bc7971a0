"""Scores of an analysis: known answers."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from climates import axes, months

from xocean_ml import metrics
from xocean_ml.errors import FieldNotFound, GridError


def truth(times: int = 300, seed: int = 0) -> xr.Dataset:
    random = np.random.default_rng(seed)
    coords = {**axes(np.arange(-60.0, 61, 20), np.arange(0.0, 360, 30)), "time": months(times)}
    dims = ("time", "lat", "lon")
    a = xr.DataArray(random.normal(size=(times, 7, 12)), coords, dims, attrs={"units": "K"})
    return xr.Dataset({"sst": a.where(a.lat > -50), "psl": 3 * a})


def analysed(size: float, told: float) -> xr.Dataset:
    """The truth with errors of a size, told as another."""
    ds = truth()
    noise = size * np.random.default_rng(1).normal(size=ds.psl.shape)
    spreads = {f"{name}_spread": 0 * ds[name] + told for name in ds}
    return (ds + noise).assign(spreads)


def test_known_answers():
    score = metrics.assimilation(analysed(0.5, 0.25), truth(), base=0 * truth())
    assert list(score.variable.values) == ["sst", "psl"]
    np.testing.assert_allclose(score.rmse, 0.5, rtol=0.02)
    np.testing.assert_allclose(score.spread_over_error, 0.5, rtol=0.02)
    np.testing.assert_allclose(score.explained, [1 - 0.25, 1 - 0.25 / 9], rtol=0.02)
    np.testing.assert_allclose(score.correlation, [1 / np.sqrt(1.25), 3 / np.sqrt(9.25)], rtol=0.02)
    # P(|x| < 1.645 / 2) of a normal variate
    np.testing.assert_allclose(score.within_90, 0.589, atol=0.01)


def test_ninety_in_a_hundred():
    score = metrics.assimilation(analysed(0.5, 0.5), truth())
    np.testing.assert_allclose(score.within_90, 0.9, atol=0.01)
    assert (score.within_90_low < 0.9).all()
    assert (score.within_90_high > 0.9).all()
    assert "explained" not in score


def test_errors_are_weighted_by_area():
    ds = truth()
    full = (ds + ds.lat / 50).assign(sst_spread=0 * ds.sst + 1)
    found = metrics.assimilation(full, ds, bootstrap=0).rmse.sel(variable="sst")
    weight = np.cos(np.deg2rad(ds.lat))
    expected = np.sqrt((((ds.lat / 50) + 0 * ds.sst) ** 2).weighted(weight).mean())
    assert float(found) == pytest.approx(float(expected))


def test_bad_input_is_told():
    with pytest.raises(FieldNotFound, match="spread"):
        metrics.assimilation(truth(), truth())
    with pytest.raises(GridError, match="sst"):
        metrics.assimilation(analysed(1, 1), truth().isel(time=slice(2, None)))
