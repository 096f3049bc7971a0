"""A world's mirror image is a world: balances hold, fluxes have their sign, twice is once."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import xarray as xr

from xocean_ml import tutorial
from xocean_ml.simulate import _surface
from xocean_ml.simulate.mirror import mirrored

NAMES = ["ssh", "mdt", "sst", "sss", "u", "v"]


@cache
def world() -> xr.Dataset:
    ds = tutorial.open_dataset("surface").isel(time=slice(3))
    return ds.sel(longitude=ds.longitude[ds.ssh.notnull().all(("time", "latitude"))])


@cache
def image() -> xr.Dataset:
    return mirrored(world())


def places() -> tuple[np.ndarray, np.ndarray]:
    return world().latitude.values, world().longitude.values


def test_twice_is_once():
    """But for the sample's rounding; and its columns are cut where land begins."""
    inside = {"longitude": slice(4, -4), "latitude": slice(4, -4)}
    again, once = (each.isel(inside) for each in (mirrored(image()), world()))
    for name in NAMES:
        size = 0.01 * float(once[name].std())
        np.testing.assert_allclose(again[name], once[name], atol=size, err_msg=name)


def test_eddies_are_of_the_other_sign_and_the_mean_flow_is_not():
    turned = world().ssh.values[:, ::-1]
    assert np.corrcoef(image().ssh.values.ravel(), turned.ravel())[0, 1] < -0.99
    np.testing.assert_allclose(image().mdt, world().mdt, atol=1e-4)


def test_currents_are_those_of_the_height_its_curves_and_the_same_wind():
    lat, lon = places()
    height = (image().ssh + image().mdt).values.astype(float)
    u, v = _surface.geostrophic(height, lat, lon)
    curved = _surface.cyclogeostrophic(u, v, lat, lon)
    wind = [world()[name].values.astype(float) for name in ("wind_u", "wind_v")]
    driven = _surface.ekman(*wind, lat, json.loads(world().attrs["world"])["ekman"])
    np.testing.assert_allclose(image().u, u + curved[0] + driven[0], atol=1e-5)
    np.testing.assert_allclose(image().v, v + curved[1] + driven[1], atol=1e-5)


def test_the_north_stays_cold_and_eddies_carry_what_they_carried():
    def flux(ds: xr.Dataset, name: str) -> float:
        mean = ds[name].mean(("time", "longitude"))
        return float(((ds[name] - mean) * (ds.v - ds.v.mean())).mean())

    for ds in (world(), image()):
        assert float(ds.sst.isel(latitude=0).mean()) > float(ds.sst.isel(latitude=-1).mean())
    assert np.isclose(flux(image(), "sst"), flux(world(), "sst"), rtol=0.25)
    assert np.isclose(flux(image(), "sss"), -flux(world(), "sss"), rtol=0.25, atol=1e-3)
    assert np.isclose(image().sst.mean(), world().sst.mean(), rtol=1e-6)


def test_coasts_are_mirrored_and_a_little_wider():
    whole = tutorial.open_dataset("surface").isel(time=slice(1))
    image_ = mirrored(whole)
    land = np.isnan(whole.ssh.values[0][::-1])
    wide = np.isnan(image_.ssh.values[0])
    assert wide[land].all()
    assert land.sum() < wide.sum() < 1.5 * land.sum()
    assert all((np.isnan(image_[name]).any() == wide.any()) for name in NAMES)
    near = xr.DataArray(land).rolling(dim_0=9, dim_1=9, center=True, min_periods=1).max().values
    assert not (wide & (near == 0)).any()


def test_names_units_and_grid_are_kept():
    xr.testing.assert_identical(
        image().drop_vars(NAMES).drop_attrs(deep=False),
        world().drop_vars(NAMES).drop_attrs(deep=False),
    )
    for name in NAMES:
        assert image()[name].attrs == world()[name].attrs
        assert image()[name].dtype == world()[name].dtype
    assert image().attrs["history"].endswith("mirrored")
