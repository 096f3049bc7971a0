"""Small climates for the tests of assimilation: three fields that a few indices move together.

Nothing of `xocean_ml.simulate` is needed: a few patterns, a season, and noise at every cell.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import xarray as xr

import xocean_ml  # noqa: F401  its accessors

INDICES = 6
KEYS = ("sea_surface_temperature", "air_pressure_at_mean_sea_level", "precipitation")
NAMES = ("sst", "psl", "pr")
SST, PSL, PR = (
    {"standard_name": "sea_surface_temperature", "units": "degC", "long_name": "temperature"},
    {"standard_name": "air_pressure_at_mean_sea_level", "units": "hPa", "long_name": "pressure"},
    {"standard_name": "precipitation_flux", "units": "kg m-2 s-1", "long_name": "rain"},
)
"""Attributes of the fields."""

NOISE = 0.4
"""Standard deviation of what no index moves; of the whole, 1."""


def steps(first: float, last: float, size: float) -> np.ndarray:
    """Centres of cells between two edges."""
    return np.arange(first + size / 2, last, size)


GLOBE = steps(-90, 90, 15), steps(0, 360, 15)
REGION = steps(-20, 25, 5), steps(-25, 30, 5)
MONTHS = 240


def axes(lat: Any, lon: Any) -> dict[str, Any]:
    """Latitude and longitude as CF says them."""
    north = {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}
    east = {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}
    return {"lat": ("lat", np.asarray(lat), north), "lon": ("lon", np.asarray(lon), east)}


def months(count: int, start: str = "1990-01") -> xr.DataArray:
    """Middles of months."""
    first = np.datetime64(start, "M") + np.arange(count + 1)
    edges = first.astype("M8[ns]")
    values = edges[:-1] + np.diff(edges) // 2
    attrs = {"standard_name": "time", "axis": "T"}
    return xr.DataArray(values, dims="time", name="time", attrs=attrs)


def waves(lat: np.ndarray, lon: np.ndarray, number: int, seed: int = 0) -> np.ndarray:
    """Smooth patterns (number, rows, columns) of unit variance, on any grid."""
    random = np.random.default_rng(seed)
    phi, lam = np.deg2rad(lat)[:, None], np.deg2rad(lon)
    x, y, z = np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi) + 0 * lam
    turns, phases = random.normal(0, 1.8, (number, 3)), random.uniform(0, 2 * np.pi, number)
    return np.stack(
        [
            np.sqrt(2) * np.cos(a * x + b * y + c * z + phase)
            for (a, b, c), phase in zip(turns, phases, strict=True)
        ]
    )


def islands(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Where the sea is: all but two boxes, in degrees."""
    phi, lam = lat[:, None], (lon % 360)[None]
    one = (np.abs(phi - 5) < 16) & (np.abs(lam - 20) < 16)
    other = (phi < -60) & (lam < 200)
    return ~(one | other)


def climate(
    lat: np.ndarray = GLOBE[0],
    lon: np.ndarray = GLOBE[1],
    count: int = MONTHS,
    seed: int = 0,
    dtype: str = "f8",
) -> xr.Dataset:
    """Monthly temperature (NaN on islands), pressure, and rain, which is the cube of a normal."""
    random = np.random.default_rng(seed)
    time = months(count)
    index = random.standard_normal((count, INDICES)) / np.sqrt(INDICES)
    noise = NOISE * random.standard_normal((3, count, len(lat), len(lon)))
    share = np.sqrt(1 - NOISE**2)
    normal = [
        share * np.tensordot(index, waves(lat, lon, INDICES, k), 1) + noise[k] for k in range(3)
    ]
    season = np.cos(2 * np.pi * (np.arange(count) % 12) / 12)[:, None, None]
    phi = lat[:, None] + 0 * lon
    sst = 27 - 25 * np.sin(np.deg2rad(phi)) ** 2 - season * phi / 15 + normal[0]
    psl = 1012 + 5 * np.cos(np.deg2rad(3 * phi)) + (4 + season) * normal[1]
    wet = 1.4 + 0.4 * np.cos(np.deg2rad(phi)) + 0.1 * season
    pr = np.maximum(wet + 0.35 * normal[2], 0) ** 3 * 1e-5
    fields = {
        "sst": np.where(islands(lat, lon), sst, np.nan),
        "psl": psl,
        "pr": pr,
    }
    dims = ("time", "lat", "lon")
    made = {
        name: (dims, fields[name].astype(dtype), dict(attrs))
        for name, attrs in zip(NAMES, (SST, PSL, PR), strict=True)
    }
    return xr.Dataset(made, {"time": time, **axes(lat, lon)}, {"title": "a small climate"})


@functools.cache
def globe() -> xr.Dataset:
    return climate()


@functools.cache
def region() -> xr.Dataset:
    """On cells of 5 degrees, round which the globe does not close."""
    return climate(*REGION, seed=1)


@functools.cache
def model(name: str = "globe", latent: int = 8) -> Any:
    """Fitted to one of the climates."""
    from xocean_ml.assimilation.fit import fit

    return fit({"globe": globe, "region": region}[name](), "eof", latent=latent, rank=20)


def two_years() -> xr.Dataset:
    return globe().isel(time=slice(24))


def close(one: xr.Dataset, other: xr.Dataset, rtol: float = 1e-9) -> None:
    """All fields and spreads are the same, relative to what they vary by."""
    for name in NAMES:
        for each in (name, f"{name}_spread"):
            scale = float(other[each].std()) + 1e-30
            np.testing.assert_allclose(
                one[each].values, other[each].values, rtol=0, atol=rtol * scale
            )


def gappy(ds: xr.Dataset, share: float = 0.6, seed: int = 2) -> xr.Dataset:
    """The same with gaps, others at every time."""
    random = np.random.default_rng(seed)
    return ds.map(lambda each: each.where(random.random(each.shape) > share), keep_attrs=True)


def at_points(
    ds: xr.Dataset, name: str, lat: np.ndarray, lon: np.ndarray, time: np.ndarray
) -> xr.Dataset:
    """Values of one field, linear between cells, as a CF point Dataset: (obs)."""
    there, east = ds[name], ds.lon.values
    if np.isclose(east[-1] - east[0] + east[1] - east[0], 360):
        there = there.pad(lon=(1, 1), mode="wrap")
        there = there.assign_coords(lon=[east[-1] - 360, *east, east[0] + 360])
    turned = east[0] + (lon - east[0]) % 360
    values = [
        float(there.isel(time=int(t)).interp(lat=float(y), lon=float(x)))
        for y, x, t in zip(lat, turned, time, strict=True)
    ]
    return xr.Dataset(
        {name: ("obs", np.array(values), dict(ds[name].attrs))},
        {
            "time": ("obs", ds.time.values[time], {"standard_name": "time"}),
            "lat": ("obs", lat, {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": ("obs", lon, {"standard_name": "longitude", "units": "degrees_east"}),
        },
        {"featureType": "point"},
    )
