"""The surface of a turbulent ocean: height, temperature, salinity, currents, wind.

Dynamics are two-layer quasi-geostrophic turbulence of an unstable mean flow (pyqg-jax, extra
``simulate``), run on a periodic domain of 1200 km of which a box of 800 km is shown. Temperature
and salinity are stirred on mean gradients of different direction, forgotten in weeks to months,
and forced on large scales. Height follows from the stream function with the local Coriolis
parameter; currents are geostrophic from that height, plus what curvature adds, plus what a
travelling wind drives. A coast may be laid over it. What is left out: tides, waves, submesoscale
instability, a mixed layer that deepens, and any effect of the coast on the flow.

A *world* is one draw of a family (`xocean_ml.simulate.surface_families`); it is given by its seed.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from ._qg import Flow, Tracer, run
from ._surface import (
    DEGREE,
    GRAVITY,
    OMEGA,
    coast,
    coriolis,
    cyclogeostrophic,
    ekman,
    geostrophic,
    red,
    waves,
)
from .surface_families import BOX, FACTORS, Family, get_family

__all__ = ["surface"]

KM = 1e3
STIRRED = ("sst", "sss")
DAY = 86400.0


def surface(
    family: str = "train",
    *,
    states: int = 20,
    every: int = 5,
    seed: int = 0,
    size: int = 144,
    start: str = "2000-01-01",
    dtype: DTypeLike = "float32",
    **overrides: Any,
) -> xr.Dataset:
    """Simulate the surface of an ocean box whose every field is known.

    Parameters
    ----------
    family : str
        One of `xocean_ml.simulate.surface_families.FAMILIES`: ``"train"``, ``"select"``,
        ``"test"``, ``"other"``, ``"tutorial"``.
    states : int
        How many times are given.
    every : int
        Days between them. A day is the same whatever other days are asked.
    seed : int
        Which world of the family: its parameters and its eddies.
    size : int
        Cells of the box's side, an even number. Another size is the same box, wind and coast, and
        begins with the same large eddies; but small ones differ, and soon all do.
    start : str
        First day.
    dtype : dtype
        Of the variables.
    **overrides
        Fields of `Family`, e.g. ``land=(0.2, 0.2)``.

    Returns
    -------
    Dataset
        Dimensions (time, latitude, longitude). ``ssh`` (anomaly, m), ``mdt`` (its mean, m, without
        time), ``sst`` (degC), ``sss`` (1e-3), ``u``, ``v`` (m s-1, total), ``u_geostrophic``,
        ``v_geostrophic`` (of ssh + mdt), ``wind_u``, ``wind_v`` (m s-1, over land too); NaN on
        land. The world's parameters are attributes.

    Raises
    ------
    ImportError
        Without pyqg-jax.
    ValueError
        Unknown family; an odd or tiny size; no states.
    TypeError
        Unknown override.

    Examples
    --------
    >>> ds = surface("train", states=2, size=32)  # doctest: +SKIP
    >>> ds.ssh.attrs["standard_name"]  # doctest: +SKIP
    'sea_surface_height_above_mean_sea_level'
    """
    chosen = get_family(family, **overrides)
    if size < 16 or size % 2 or states < 1 or every < 1:
        raise ValueError(
            f"size={size} must be even and at least 16, states={states} and every={every} at "
            "least 1"
        )
    _needs_core()
    world = _draw(chosen, seed)
    latitude, longitude = _coordinates(world, size)
    days = np.arange(states) * every
    fields = _fields(world, chosen, seed, size, days, latitude, longitude)
    ds = _labelled(fields, latitude, longitude, days, start, dtype)
    ds.attrs |= {
        "history": f"simulated by xocean_ml.simulate.surface({family!r}, seed={seed})",
        "family": family,
        "seed": seed,
        "parameters": json.dumps(asdict(chosen)),
        "world": json.dumps({name: round(value, 6) for name, value in world.items()}),
    }
    return ds


def _needs_core() -> None:
    try:
        import pyqg_jax  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "xocean_ml.simulate.surface needs pyqg-jax: install the extra, "
            'pip install "xocean_ml[simulate]"; xo.tutorial.open_dataset("surface") needs nothing'
        ) from error


def _rng(chosen: Family, seed: int, what: int) -> np.random.Generator:
    """Random numbers keyed by family, world and purpose."""
    return np.random.default_rng([chosen.key, seed, what])


def _draw(chosen: Family, seed: int) -> dict[str, float]:
    """The parameters of a world."""
    shares = _rng(chosen, seed, 0).random(len(FACTORS))
    ranges = [getattr(chosen, name) for name in FACTORS]
    return {
        name: float(low + share * (high - low))
        for name, (low, high), share in zip(FACTORS, ranges, shares, strict=True)
    }


def _coordinates(world: dict[str, float], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of cells' middles, degrees."""
    offsets = (np.arange(size) - (size - 1) / 2) * BOX["period"] * BOX["shown"] / size * KM
    latitude = world["latitude"] + offsets / DEGREE
    longitude = -40.0 + offsets / (DEGREE * np.cos(np.deg2rad(world["latitude"])))
    return latitude, longitude


def _flow(world: dict[str, float]) -> Flow:
    radius = world["radius"] * KM
    beta = 2 * OMEGA * np.cos(np.deg2rad(world["latitude"])) / (DEGREE * 180 / np.pi)
    return Flow(
        side=BOX["period"] * KM,
        radius=radius,
        shear=world["criticality"] * beta * radius**2,
        beta=float(beta),
        drag=world["drag"] / DAY,
        ratio=world["ratio"],
        upper=BOX["upper"],
    )


def _tracer(world: dict[str, float], name: str, rng: np.random.Generator) -> Tracer:
    size = world[f"{name}_gradient"] / (100 * KM)
    way = np.deg2rad(world[f"{name}_direction"])
    cells = int(BOX["coarsest"])
    # What stirring over 100 km makes of the gradient, times the share that is forced.
    forced = world["forcing"] * world[f"{name}_gradient"]
    return Tracer(
        gradient=(float(size * np.cos(way)), float(size * np.sin(way))),
        memory=world[f"{name}_memory"] * DAY,
        forcing=forced * red(rng, (2, cells, cells), BOX["period"], 700.0),
        turn=90 * DAY,
    )


def _fields(
    world: dict[str, float],
    chosen: Family,
    seed: int,
    size: int,
    days: np.ndarray,
    latitude: np.ndarray,
    longitude: np.ndarray,
) -> dict[str, np.ndarray]:
    """All variables, (time, rows, columns)."""
    flow = _flow(world)
    tracers = tuple(
        _tracer(world, name, _rng(chosen, seed, 1 + number)) for number, name in enumerate(STIRRED)
    )
    cells = round(size / BOX["shown"])
    rng = _rng(chosen, seed, 3)
    coarse = int(BOX["coarsest"])
    wave = 9 * flow.radius
    eddies = 0.1 * wave / (2 * np.pi) * red(rng, (coarse, coarse), flow.side, wave)
    both = np.stack([eddies, 0.5 * eddies])
    daily = run(flow, tracers, both, (BOX["spin_up"], BOX["refine"], cells))
    kept = [each for day, each in enumerate(islice(daily, int(days[-1]) + 1)) if day in set(days)]
    first = (cells - size) // 2
    shown = (..., slice(first, first + size), slice(first, first + size))
    stream = np.stack([psi for psi, _ in kept])[shown]
    anomalies = np.stack([each for _, each in kept])[shown]
    out = {}
    f = coriolis(latitude)[:, None]
    north = (latitude - world["latitude"]) * DEGREE
    east = (longitude - longitude.mean()) * DEGREE * np.cos(np.deg2rad(world["latitude"]))
    out["ssh"] = f * stream / GRAVITY
    out["mdt"] = np.broadcast_to(-f * flow.shear * north[:, None] / GRAVITY, (size, size))
    for number, (name, tracer) in enumerate(zip(STIRRED, tracers, strict=True)):
        mean = tracer.gradient[0] * east + tracer.gradient[1] * north[:, None]
        level = 35.0 if name == "sss" else 30.0 - 0.4 * abs(world["latitude"])
        out[name] = level + mean + anomalies[:, number]
    wind_rng = _rng(chosen, seed, 4)
    for name in ("wind_u", "wind_v"):
        blows = waves(wind_rng, days.astype(float), north / KM, east / KM)
        out[name] = world["wind"] * blows + (0.5 * world["wind"] if name == "wind_u" else 0.0)
    u, v = geostrophic(out["ssh"] + out["mdt"], latitude, longitude)
    curved = cyclogeostrophic(u, v, latitude, longitude)
    driven = ekman(out["wind_u"], out["wind_v"], latitude, world["ekman"])
    out |= {"u_geostrophic": u, "v_geostrophic": v}
    out |= {"u": u + curved[0] + driven[0], "v": v + curved[1] + driven[1]}
    land = coast(_rng(chosen, seed, 5), size, world["land"])
    for name in out:
        if not name.startswith("wind"):
            out[name] = np.where(land, np.nan, out[name])
    return out


# -- labels ----------------------------------------------------------------------------------

VARIABLES: dict[str, dict[str, str]] = {
    "ssh": {
        "standard_name": "sea_surface_height_above_mean_sea_level",
        "long_name": "sea surface height anomaly",
        "units": "m",
    },
    "mdt": {"long_name": "mean dynamic topography", "units": "m"},
    "sst": {
        "standard_name": "sea_surface_temperature",
        "long_name": "sea surface temperature",
        "units": "degC",
        "units_metadata": "temperature: on_scale",
    },
    "sss": {
        "standard_name": "sea_surface_salinity",
        "long_name": "sea surface salinity",
        "units": "1e-3",
    },
    "u": {
        "standard_name": "surface_eastward_sea_water_velocity",
        "long_name": "eastward current near the surface",
        "units": "m s-1",
    },
    "v": {
        "standard_name": "surface_northward_sea_water_velocity",
        "long_name": "northward current near the surface",
        "units": "m s-1",
    },
    "u_geostrophic": {
        "standard_name": "surface_geostrophic_eastward_sea_water_velocity",
        "long_name": "geostrophic eastward current of ssh + mdt",
        "units": "m s-1",
    },
    "v_geostrophic": {
        "standard_name": "surface_geostrophic_northward_sea_water_velocity",
        "long_name": "geostrophic northward current of ssh + mdt",
        "units": "m s-1",
    },
    "wind_u": {
        "standard_name": "eastward_wind",
        "long_name": "eastward wind at 10 m",
        "units": "m s-1",
    },
    "wind_v": {
        "standard_name": "northward_wind",
        "long_name": "northward wind at 10 m",
        "units": "m s-1",
    },
}


def _labelled(
    fields: dict[str, np.ndarray],
    latitude: np.ndarray,
    longitude: np.ndarray,
    days: np.ndarray,
    start: str,
    dtype: DTypeLike,
) -> xr.Dataset:
    """Put names, coordinates, bounds and attributes on the arrays."""
    times = xr.date_range(start, periods=int(days[-1]) + 1, freq="D")[days]
    dims = ("time", "latitude", "longitude")
    ds = xr.Dataset(
        {
            name: (dims[-fields[name].ndim :], fields[name].astype(dtype), attrs)
            for name, attrs in VARIABLES.items()
        },
        coords={
            "time": ("time", times, {"standard_name": "time", "axis": "T"}),
            "latitude": _axis(latitude, "latitude", "degrees_north", "Y"),
            "longitude": _axis(longitude, "longitude", "degrees_east", "X"),
            "latitude_bnds": _bounds(latitude, "latitude"),
            "longitude_bnds": _bounds(longitude, "longitude"),
        },
        attrs={
            "Conventions": "CF-1.11",
            "title": "Simulated surface of a turbulent ocean box",
            "source": "xocean_ml.simulate.surface",
            "comment": "Two-layer quasi-geostrophic turbulence and stirred tracers; not data",
        },
    )
    for name in ds.variables:
        fill = np.array(np.nan, dtype)[()]
        ds[name].encoding["_FillValue"] = None if name in ds.coords else fill
    ds["time"].encoding |= {"units": f"days since {start}", "dtype": "float64"}
    ds["time"].attrs["units_metadata"] = "leap_seconds: none"
    return ds


def _axis(values: np.ndarray, name: str, units: str, axis: str) -> tuple[Any, ...]:
    attrs = {"standard_name": name, "units": units, "axis": axis, "bounds": f"{name}_bnds"}
    return name, values, attrs


def _bounds(values: np.ndarray, name: str) -> tuple[tuple[str, str], np.ndarray]:
    half = (values[1] - values[0]) / 2
    return (name, "bnds"), np.stack([values - half, values + half], axis=1)
