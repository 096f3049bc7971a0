"""A small surface of the ocean, what sees it, and models of it that are made in a second."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import xarray as xr

import xocean_ml as xo
from xocean_ml.generative.fit import fit

SSH, SST = "sea_level_anomaly", "sea_surface_temperature"
HEIGHT, SSS = "sea_surface_height_above_geoid", "sea_surface_salinity"
FIELDS = ("ssh", "sst", "sss", "u", "v")
ROWS, COLUMNS, TIMES = 24, 28, 3
TINY: dict[str, Any] = {
    "steps": 2,
    "patch": 24,
    "sizes": {"channels": [8, 8], "blocks": 1, "width": 8},
    "progress": False,
}
"""Of a diffusion prior, which need not be good."""


@functools.cache
def truth() -> xr.Dataset:
    """Twelve times, five days apart."""
    ds = xo.tutorial.open_dataset("surface")
    return ds.isel(latitude=slice(ROWS), longitude=slice(COLUMNS))


@functools.cache
def like() -> xr.Dataset:
    """Where and when members are wanted."""
    return truth()[["ssh", "sst", "mdt"]].isel(time=slice(TIMES))


@functools.cache
def coast() -> xr.DataArray:
    """True over the sea: land in a corner, and an island."""
    land = np.zeros((ROWS, COLUMNS), bool)
    land[:7, :9] = land[13:16, 17:21] = True
    mdt = truth().mdt
    return mdt.copy(data=~land).drop_attrs(deep=False).rename("sea")


@functools.cache
def model(kind: str, **options: Any) -> Any:
    """A prior of the whole `truth`, remembered."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return fit(truth(), kind, **(TINY if kind == "diffusion" else {}), **options)


@functools.cache
def two(kind: str = "oi") -> Any:
    """A prior of sea level and temperature alone."""
    return fit(truth(), kind, fields=[SSH, SST], **(TINY if kind == "diffusion" else {}))


@functools.cache
def seen() -> tuple[xr.Dataset, ...]:
    """Tracks of sea level, cloudy temperature, a coarse map of salinity."""
    every = xo.simulate.observe(truth().isel(time=slice(TIMES)), nadirs=6, coarse={SSS: 30.0})
    return tuple(every.values())


def tracks(ds: xr.Dataset, count: int = 40, name: str = "ssh", seed: int = 0) -> xr.Dataset:
    """Values at random points, one time each, exactly as bilinear sampling has them."""
    random = np.random.default_rng(seed)
    lat = random.uniform(*ds.latitude.values[[0, -1]], count)
    lon = random.uniform(*ds.longitude.values[[0, -1]], count)
    time = random.integers(0, ds.sizes["time"], count)
    at = {"time": time, "latitude": lat, "longitude": lon}
    numbered = ds[name].assign_coords(time=np.arange(ds.sizes["time"]))
    values = numbered.interp({k: xr.DataArray(v, dims="obs") for k, v in at.items()}).values
    return as_points(ds, name, lat, lon, values, ds.time.values[time])


def as_points(ds: xr.Dataset, name: str, lat: Any, lon: Any, values: Any, time: Any) -> xr.Dataset:
    """Points with the metadata of a variable."""
    attrs = dict(ds[name].attrs)
    coords = {
        "time": ("obs", np.asarray(time, "M8[ns]")),
        "latitude": ("obs", np.asarray(lat, float)),
        "longitude": ("obs", np.asarray(lon, float)),
    }
    return xr.Dataset({name: ("obs", np.asarray(values, float), attrs)}, coords)


TURNS = ("descending latitude", "descending longitude", "0 to 360", "transposed")


def turned(ds: xr.Dataset, how: str) -> xr.Dataset:
    """The same numbers at the same places, stored otherwise."""
    if "obs" in ds.dims:
        if how != "0 to 360":
            return ds
    elif how == "descending latitude":
        return ds.isel(latitude=slice(None, None, -1))
    elif how == "descending longitude":
        return ds.isel(longitude=slice(None, None, -1))
    elif how == "transposed":
        return ds.transpose("longitude", "latitude", ...)
    if how == "0 to 360":
        bounds = [n for n in ds.variables if str(n) == "longitude_bnds"]
        moved = (ds.longitude % 360).assign_attrs(ds.longitude.attrs)
        return ds.drop_vars(bounds).assign_coords(longitude=moved)
    return ds


def draw(model: Any, first: xr.Dataset | None = None, **options: Any) -> xr.Dataset:
    """Members from `seen`, or from other observations."""
    given, *more = seen() if first is None else (first,)
    options = {"members": 2, "like": like(), "also": more} | options
    if "diffusion" in repr(model).lower():
        options = {"steps": 2} | options
    return xo.genda(given, model, **options)


def close(one: xr.Dataset, other: xr.Dataset, tolerance: float = 1e-3) -> None:
    """The same members, in units of each field's size; by position.

    Optimal interpolation is solved to 1e-4 of what is to be explained, from which rounding, or the
    other members of a group, take members a few times as far.
    """
    for name in set(one.data_vars) - {"observations"}:
        a, b = one[name].values, other[name].values
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        size = float(truth()[name].std()) if name in FIELDS else float(np.nanstd(b))
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * size, err_msg=str(name))
    np.testing.assert_array_equal(one.observations, other.observations)


def no_compute(*args: Any, **kwargs: Any) -> None:
    """A scheduler that refuses to run."""
    raise AssertionError("something was computed before it was asked for")
