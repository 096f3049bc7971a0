"""Accessors one after the other, on one lazy Dataset, written to Zarr."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr
from compliance import findings
from samples import clean_increments

import xocean_ml as xo
from xocean_ml.downscaling.coarsen import coarsen


def doubled(steps: int) -> xr.Dataset:
    """Increments in double precision."""
    ds = clean_increments(steps=steps)
    return ds.assign(increment=ds["increment"].astype("f8"))


def refuse(*args, **kwargs):
    raise AssertionError("something was computed before it was asked for")


def chain(ds: xr.Dataset) -> xr.Dataset:
    smooth = ds.ml_smooth("dong", decay="90D", conserve="5YS")
    return smooth.downscale("bicubic", factor=3, conserve=True)


@pytest.mark.parametrize("chunks", [{"time": 12}, {"lat": 2, "lon": 3}, {"time": 7, "depth": 1}])
def test_smoothed_and_downscaled_lazily_to_zarr(chunks, tmp_path):
    ds = doubled(72)
    lazy = ds.chunk(chunks).assign({n: ds[n] for n in ds.data_vars if str(n).endswith("_bnds")})
    with dask.config.set(scheduler=refuse):
        lazy = chain(lazy)
    lazy.to_zarr(tmp_path / "fine.zarr", consolidated=False)
    with xr.open_zarr(tmp_path / "fine.zarr", consolidated=False) as written:
        eager = chain(ds)
        xr.testing.assert_allclose(written["increment"].load(), eager["increment"], rtol=1e-9)
        assert written["increment"].sizes["lat"] == 3 * ds.sizes["lat"]
        said = written.attrs["history"].splitlines()[-2:]
    assert "ml_smooth(" in said[0]
    assert "downscale(" in said[1]


def test_heat_stays_where_it_was_in_time_and_in_space():
    ds = doubled(120)
    fine = chain(ds)
    back = coarsen(fine[["increment"]], 3)["increment"].transpose(*ds["increment"].dims)
    sums = [each.resample(time="5YS").sum(skipna=False).values for each in (ds["increment"], back)]
    np.testing.assert_allclose(sums[1], sums[0], atol=1e-9 * np.nanmax(np.abs(ds["increment"])))


def test_the_written_chain_follows_the_conventions(tmp_path):
    ds = clean_increments(steps=36)
    ds.to_netcdf(tmp_path / "in.nc")
    chain(ds).to_netcdf(tmp_path / "out.nc")
    assert findings(tmp_path / "out.nc") - findings(tmp_path / "in.nc") == set()


def test_a_trained_model_in_the_chain():
    fine = xo.tutorial.open_dataset("surface")[["ssh"]].isel(time=slice(0, 6))
    model = fine.downscale.fit(
        "liif", factor=3, steps=2, progress=False, sizes={"channels": 8, "blocks": 1, "hidden": 8}
    )
    coarse = coarsen(fine, 3).chunk(time=2, latitude=20)
    out = coarse.downscale(model, factor=3).downscale("bicubic", factor=2)
    assert out["ssh"].chunks is not None
    assert out["ssh"].sizes["latitude"] == 2 * fine.sizes["latitude"]
    assert out.compute()["ssh"].notnull().any()
