"""Coarse fields from fine ones: means, and the contract on what is kept."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

from xocean_ml import GridError
from xocean_ml.downscaling.coarsen import coarsen


def fine(down: bool = False, dtype: str = "f4") -> xr.Dataset:
    lat = np.linspace(-69.5, 69.5, 140)[:: -1 if down else 1]
    lon = np.arange(0.5, 60)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 140, 60)).astype(dtype)
    values[:, :20, 10:30] = np.nan
    told = {"standard_name": "sea_surface_temperature", "units": "degC", "valid_min": -2.0}
    return xr.Dataset(
        {
            "sst": (("time", "lat", "lon"), values, told),
            "flag": (("lat", "lon"), np.ones((140, 60), "i1")),
            "index": ("time", np.arange(3)),
        },
        {
            "time": xr.date_range("2000-01-01", periods=3),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
        {"history": "made"},
    )


def test_means_are_weighted_by_area_and_the_sea_alone_counts():
    ds = fine(dtype="f8")
    out = coarsen(ds, 5).sst
    area = np.cos(np.deg2rad(ds.lat)).where(ds.sst.notnull())
    boxes = {"lat": 5, "lon": 5}
    wanted = (ds.sst * area).coarsen(boxes).sum() / area.coarsen(boxes).sum()
    # Between the sines of a cell's edges, which cosines of its centre only nearly weigh.
    np.testing.assert_allclose(out, wanted.where(np.isfinite(out)), atol=2e-4)
    assert (np.isnan(out) == np.isnan(wanted)).all()


@pytest.mark.parametrize("factor", [1, 2.5, 7])
def test_a_constant_stays_and_the_whole_mean_too(factor):
    ds = fine(dtype="f8").fillna(0.0)
    out = coarsen(ds.assign(one=ds.sst * 0 + 3.0), factor)
    np.testing.assert_allclose(out.one, 3.0)
    edges = {name: np.sin(np.deg2rad(each.lat_bnds)) for name, each in {"out": out}.items()}
    weight = xr.DataArray(np.diff(edges["out"], axis=1)[:, 0], dims="lat")
    ends = np.sin(np.deg2rad(np.arange(-70.0, 71)))
    before = (ds.sst.mean("lon") * xr.DataArray(np.diff(ends), dims="lat")).sum("lat")
    np.testing.assert_allclose((out.sst.mean("lon") * weight).sum("lat"), before, atol=1e-12)


def test_order_direction_dtype_and_attributes_are_kept():
    ds = fine(down=True).transpose("lon", "time", "lat")
    out = coarsen(ds, 5)
    assert out.sst.dims == ("lon", "time", "lat")
    assert out.sst.dtype == "f4"
    assert (np.diff(out.lat) < 0).all()
    assert (out.lat_bnds[:, 0] > out.lat_bnds[:, 1]).all()
    assert out.sst.attrs == {"standard_name": "sea_surface_temperature", "units": "degC"}
    assert out.history.startswith("made\n")
    assert "coarsen(factor=5)" in out.history
    assert "index" in out
    assert "flag" not in out
    up = coarsen(fine(down=True).sortby("lat"), 5).sst.transpose("lon", "time", "lat")
    xr.testing.assert_allclose(out.sst.sortby("lat"), up, atol=1e-6)


def test_lazy_fields_stay_lazy_whatever_their_chunks():
    def never(*_args, **_named):
        raise AssertionError("computed")

    ds = fine()
    with dask.config.set(scheduler=never):
        out = coarsen(ds.chunk(time=2, lat=33, lon=11), 5)
    assert out.sst.chunks is not None
    assert out.sst.chunksizes["time"] == (2, 1)
    np.testing.assert_array_equal(out.sst, coarsen(ds, 5).sst)


def test_quantities_stay_quantities():
    pytest.importorskip("pint_xarray")
    out = coarsen(fine().pint.quantify(lat=None, lon=None), 5)
    assert str(out.sst.pint.units) == "degree_Celsius"


@pytest.mark.parametrize("factor", [0, 0.5, 50, 200])
def test_factors_that_cannot_be(factor):
    with pytest.raises(GridError, match=f"factor={factor}: l(at|on) has"):
        coarsen(fine(), factor)
