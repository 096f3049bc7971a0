"""A planet's climate, month by month: sea temperature, pressure, air temperature, rain.

**The sea** has an El Nino (a recharge oscillator whose warm events grow larger, and the larger the
further east), slow modes of its basins, anomalies that fade, and those that the weather leaves in
it. **Pressure** is the air's own weather, strongest in winter, and what tropical heating makes:
Gill's response, and wave trains out of the tropics. **Air temperature** follows the sea and what
the geostrophic wind carries. **Rain** is a non-linear function of both fields: moisture grows as
after Clausius and Clapeyron, deep convection sets in at 26.5 degC, and it rains where air rises:
over heating, under lows, and in belts that move to the warmer hemisphere and with the pressure.

Chance has 66 series; a few parts in a hundred of each variable's variance are white noise besides.
What rain makes of them is far from linear: the best linear function of the anomalies of sea
temperature and pressure explains about two thirds of its variance, a network more than 90 %.

It is a world to test methods on, not a model of the Earth, whose continents it copies roughly; the
belts move further than the Earth's. What is left out: what the air does to El Nino but for noise,
sea ice that changes, trends, mountains, budgets of heat and water.

All worlds are on one planet (`xocean_ml.simulate.climate_planet`). A *world* is one draw of a
family (`xocean_ml.simulate.climate_families`) and its chance; it is given by its seed.

Sources:

- Gill 1980, Some simple solutions for heat-induced tropical circulation, Q. J. R. Meteorol. Soc.
  106.
- Graham and Barnett 1987, Sea surface temperature, surface wind divergence, and convection over
  tropical oceans, Science 238.
- Hasselmann 1976, Stochastic climate models Part I, Tellus 28.
- Jin 1997, An equatorial ocean recharge paradigm for ENSO Part I, J. Atmos. Sci. 54.
- Jin et al. 2007, Ensemble-mean dynamics of the ENSO recharge oscillator under state-dependent
  stochastic forcing, Geophys. Res. Lett. 34.
- Johnson and Xie 2010, Changes in the sea surface temperature threshold for tropical convection,
  Nat. Geosci. 3.
- Schneider et al. 2014, Migrations and dynamics of the intertropical convergence zone, Nature
  513.
- Stein et al. 2010, Seasonal synchronization of ENSO events in a linear stochastic model, J.
  Climate 23.
- Takahashi et al. 2011, ENSO regimes: reinterpreting the canonical and Modoki El Nino, Geophys.
  Res. Lett. 38.
- Thompson and Wallace 2000, Annular modes in the extratropical circulation Part I, J. Climate 13.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, DTypeLike

from . import climate_planet as frozen
from ._atmosphere import Air, air
from ._climate import Draw, anomalies, noise
from ._globe import Array, Globe
from ._planet import Planet
from .climate_families import FACTORS, Family, get_family

__all__ = ["climate"]

STREAMS = (  # the order is part of the frozen worlds
    *("world", "pacific", "basins", "red", "weather"),
    *("sst", "slp", "t2m", "precipitation"),
)
LEAST = 16
"""Rows and columns under which the shapes of the planet are lost."""


def climate(
    family: str = "train",
    *,
    years: int = 40,
    seed: int = 0,
    shape: tuple[int, int] = (32, 64),
    start: str = "1950-01-01",
    sst_offset: ArrayLike | xr.DataArray = 0.0,
    dtype: DTypeLike = "float32",
    **overrides: Any,
) -> xr.Dataset:
    """Simulate monthly means of a planet's climate.

    Parameters
    ----------
    family : str
        One of `xocean_ml.simulate.climate_families.FAMILIES`: ``"train"``, ``"select"``,
        ``"test"``, ``"other"``, ``"tutorial"``.
    years : int
        How many. A month is the same whatever follows.
    seed : int
        Which world of the family: its parameters and its chance.
    shape : (int, int)
        Rows, an even number, and columns of the globe. Another shape is the same world, but for
        white noise and what finer cells see of coasts.
    start : str
        First day of the first month.
    sst_offset : array-like or DataArray
        What is added to the temperature of the sea, K: a number, (rows, columns), or (time, rows,
        columns). A DataArray bears the names of the Dataset. NaN is 0 on land.
        Chance stays as it is, so what the offset changes in pressure, air temperature and rain is
        the true response to it; the sea itself changes by the offset and nothing else.
    dtype : dtype
        Of the variables.
    **overrides
        Fields of `Family`, e.g. ``warming=(0.5, 0.5)``.

    Returns
    -------
    Dataset
        Monthly means in the standard calendar, dimensions (time, latitude, longitude): ``sst``
        (degC, NaN on land), ``slp`` (Pa), ``t2m`` (K), ``precipitation`` (kg m-2 s-1, positive),
        with bounds of time, latitude and longitude, and the height of ``t2m``. The world's
        parameters are attributes.

    Raises
    ------
    ValueError
        Unknown family; no years; a shape that is odd or tiny; a start within a month; an offset
        that does not fit.
    TypeError
        Unknown override.

    Examples
    --------
    What a sea that is warmer by one kelvin makes of the rain:

    >>> plain = climate("test", years=1, shape=(16, 32))
    >>> warm = climate("test", years=1, shape=(16, 32), sst_offset=1.0)
    >>> bool((warm - plain).precipitation.mean() > 0)
    True
    """
    chosen = get_family(family, **overrides)
    edges = _edges(start, years)
    season = edges[:-1].astype("M8[M]").astype(int) % 12
    planet = Planet(_globe(shape))
    offset = _offset(sst_offset, planet, len(season))

    def draw(what: str, year: int) -> np.random.Generator:
        return _rng(chosen, seed, what, year)

    world = _draw(chosen, seed)
    anomaly, weather = anomalies(planet, season, draw, world)
    known = air(planet, anomaly, offset, weather, season, world)
    ds = _labelled(_noisy(planet, known, draw), planet.globe, edges, dtype)
    ds.attrs |= {
        "history": f"simulated by xocean_ml.simulate.climate({family!r}, seed={seed})",
        "family": family,
        "seed": seed,
        "parameters": json.dumps(asdict(chosen)),
        "world": json.dumps({name: round(value, 6) for name, value in world.items()}),
    }
    return ds


# -- what is asked ---------------------------------------------------------------------------


def _globe(shape: tuple[int, int]) -> Globe:
    rows, columns = shape if np.shape(shape) == (2,) else (0, 0)
    if rows % 2 or min(rows, columns) < LEAST:
        raise ValueError(
            f"shape={shape} must be (rows, columns), each at least {LEAST} and the rows even"
        )
    return Globe(int(rows), int(columns))


def _edges(start: str, years: int) -> np.ndarray:
    """First instants of the months and of the one after, datetime64[ns]."""
    first = np.datetime64(start, "s")
    if years < 1 or first != first.astype("M8[M]"):
        raise ValueError(
            f"years={years} must be at least 1, and start={start!r} the first of a month"
        )
    months = first.astype("M8[M]") + np.arange(12 * years + 1)
    if not np.datetime64("1678", "M") <= months[0] <= months[-1] <= np.datetime64("2262", "M"):
        raise ValueError(f"years={years} from {start} do not lie between 1678 and 2262")
    return months.astype("M8[ns]")


def _offset(offset: ArrayLike | xr.DataArray, planet: Planet, months: int) -> Array:
    """The offset as an array that broadcasts."""
    globe = planet.globe
    if isinstance(offset, xr.DataArray):
        offset = _ordered(offset, globe)
    values = np.asarray(offset, float)
    fields = (globe.rows, globe.columns)
    if values.shape not in ((), fields, (months, *fields)):
        raise ValueError(
            f"sst_offset has shape {values.shape}; give a number, {fields} or {(months, *fields)}"
        )
    values = np.where(planet.land, 0.0, values)
    if not np.isfinite(values).all():
        raise ValueError("sst_offset is not finite at sea; give 0 where nothing is added")
    return values


def _ordered(offset: xr.DataArray, globe: Globe) -> xr.DataArray:
    """The same with dimensions in order, if it lies on the grid."""
    known = ("time", "latitude", "longitude")
    if not set(offset.dims) <= set(known):
        raise ValueError(f"sst_offset has dimensions {offset.dims}; {known} are known")
    for name, places in (("latitude", globe.latitude), ("longitude", globe.longitude)):
        given = offset.coords.get(name)
        if given is not None and not (
            given.shape == places.shape and np.allclose(given, places, atol=1e-4)
        ):
            raise ValueError(f"sst_offset lies on another {name} than cells of this shape")
    return offset.transpose(*(name for name in known if name in offset.dims))


# -- chance ------------------------------------------------------------------------------------


def _rng(chosen: Family, seed: int, what: str, year: int) -> np.random.Generator:
    """Random numbers keyed by family, world, process and year."""
    return np.random.default_rng([chosen.key, seed, STREAMS.index(what), year])


def _draw(chosen: Family, seed: int) -> dict[str, float]:
    """The parameters of a world."""
    shares = _rng(chosen, seed, "world", 0).random(len(FACTORS))
    ranges = [getattr(chosen, name) for name in FACTORS]
    return {
        name: float(low + share * (high - low))
        for name, (low, high), share in zip(FACTORS, ranges, shares, strict=True)
    }


def _noisy(planet: Planet, known: Air, draw: Draw) -> dict[str, Array]:
    """Variables in the units of the Dataset, with white noise."""
    p, years, cells = frozen.WHITE, len(known.sst) // 12, planet.land.shape
    sine = np.sin(np.deg2rad(planet.globe.north)) ** 2
    sizes: dict[str, Array | float] = {
        "sst": p["sst"],
        "slp": p["slp equator"] + (p["slp pole"] - p["slp equator"]) * sine,
        "t2m": np.where(planet.land, p["t2m land"], p["t2m sea"]),
    }
    white = {name: noise(draw, name, years, *cells) * size for name, size in sizes.items()}
    shape = p["precipitation"] ** -2
    rains = [draw("precipitation", k).gamma(shape, 1 / shape, (12, *cells)) for k in range(years)]
    return {
        "sst": np.where(planet.land, np.nan, known.sst + white["sst"]),
        "slp": known.slp + white["slp"],
        "t2m": known.t2m + 273.15 + white["t2m"],
        "precipitation": known.precipitation * np.concatenate(rains) / 86400,
    }


# -- labels ------------------------------------------------------------------------------------

VARIABLES: dict[str, dict[str, str]] = {
    "sst": {
        "standard_name": "sea_surface_temperature",
        "long_name": "sea surface temperature",
        "units": "degC",
        "units_metadata": "temperature: on_scale",
    },
    "slp": {
        "standard_name": "air_pressure_at_mean_sea_level",
        "long_name": "air pressure at mean sea level",
        "units": "Pa",
    },
    "t2m": {
        "standard_name": "air_temperature",
        "long_name": "air temperature at 2 m",
        "units": "K",
        "units_metadata": "temperature: on_scale",
    },
    "precipitation": {
        "standard_name": "precipitation_flux",
        "long_name": "precipitation",
        "units": "kg m-2 s-1",
    },
}
HEIGHT = {"standard_name": "height", "units": "m", "axis": "Z", "positive": "up"}


def _labelled(
    fields: dict[str, Array], globe: Globe, edges: np.ndarray, dtype: DTypeLike
) -> xr.Dataset:
    """Put names, coordinates, bounds and attributes on the arrays."""
    dims = ("time", "latitude", "longitude")
    time = {"axis": "T", "units_metadata": "leap_seconds: none"}
    middles = edges[:-1] + np.diff(edges) // 2
    north, east = np.linspace(-90, 90, globe.rows + 1), np.linspace(0, 360, globe.columns + 1)
    ds = xr.Dataset(
        {
            name: (dims, fields[name].astype(dtype), {**attrs, "cell_methods": "time: mean"})
            for name, attrs in VARIABLES.items()
        },
        coords={
            **_axis("time", middles, edges, time),
            **_axis("latitude", globe.latitude, north, {"units": "degrees_north", "axis": "Y"}),
            **_axis("longitude", globe.longitude, east, {"units": "degrees_east", "axis": "X"}),
            "height": ((), 2.0, HEIGHT),
        },
        attrs={
            "Conventions": "CF-1.11",
            "title": "Simulated climate of a planet, monthly means",
            "source": "xocean_ml.simulate.climate",
            "comment": "El Nino, weather and what the air makes of them; not data",
        },
    )
    for name in ds.variables:
        fill = np.array(np.nan, dtype)[()]
        ds[name].encoding["_FillValue"] = None if name in ds.coords else fill
        if name in VARIABLES and name != "t2m":  # nothing else is at 2 m
            ds[name].encoding["coordinates"] = None
    units = f"days since {np.datetime_as_string(edges[0], 'D')}"
    ds["time"].encoding |= {"units": units, "dtype": "float64"}
    return ds


def _axis(
    name: str, middles: np.ndarray, edges: np.ndarray, attrs: dict[str, str]
) -> dict[str, tuple[Any, ...]]:
    bounds = np.stack([edges[:-1], edges[1:]], axis=1)
    attrs = {"standard_name": name, **attrs, "bounds": f"{name}_bnds"}
    return {name: (name, middles, attrs), f"{name}_bnds": ((name, "bnds"), bounds)}
