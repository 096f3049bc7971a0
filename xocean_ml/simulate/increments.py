"""Twins of assimilation increments: a century of cycles whose model error is known.

One level of one column is a scalar world of its own. Over a step of dt years that ends in
analysis k, the error of the model's state (truth minus model, K) grows by

    b_k   = rho b_{k-1} + eta_k              slow model error, K/year, rho = exp(-dt/drift_time)
    e_k   = phi (e_{k-1} - d_{k-1}) + b_k dt + q_k       error of the forecast, K

where phi = exp(-dt/restoring) is how the model forgets an error, eta keeps b at its standard
deviation `drift`, and q has variance noise^2 dt. The assimilation sees the mean of the step's
observations minus the forecast, and adds its increment to the model:

    d_k   = K_k (e_k + r_k)                  `temperature_increment`; 0 where nothing is observed
    K_k   = P_k / (P_k + R/n_k)              a scalar Kalman filter that knows of no drift

What assimilation must add is `true_increment` = b_k dt: nothing else keeps the model on the
truth for long, and over many years of dense observations sum(d) is sum(b dt) up to q and what the
model forgets. Where observations are rare, e grows for years, and the one that comes makes a
pulse. A step's time bounds are the interval over which its error grew.

- **Observations.** Each platform sends a Poisson number of profiles of random lengths, so counts
  never grow with depth. Coarse ones (surface, XBT) err `coarse` times as much as precise ones
  (casts, Argo). The assimilation gives all the same weight, as it assumes one error for all.
- **Spread** is the standard deviation of the increments of `members` members that draw forecast
  and observation errors from the filter's own statistics, K_k (P_k + R/n_k)^(1/2), with the
  sampling error (chi, members - 1 degrees of freedom). Members of different steps are independent.
- **optimum_a** is the Rauch-Tung-Striebel smoother on the increments, given the gain (d_k/K_k is
  e_k + r_k) and the error variance of an equal-weight mean. **optimum_b** takes the observations
  themselves, against a model run without assimilation, and weighs each by its precision. Where a
  step has observations of one kind only, both know the same, because a known gain hides nothing;
  so they lie close together. Both have the true parameters, which no user has.
- **Levels** are tied by correlated noise (exponential in log depth) in eta, q and r and by whole
  profiles, not by the gain. So each optimum is exact, but for a level by itself: a smoother that
  looks up and down the column may do better.
- **Near the surface** the model forgets within weeks and observations abound: increments are
  nearly white. **Below 2000 m** almost nothing is observed, and nearly all increments are zero.
- **Left out:** a seasonal cycle, errors correlated between columns, biased observations.

Parameters are those of `xocean_ml.simulate.families`: profiles over depth, times one random
factor per column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from ..errors import GridError
from ._kalman import Array
from ._world import World, draw_factors, ramps, simulate
from .families import DEPTH, FACTORS, Family, get_family

__all__ = ["increments"]

DAYS_PER_YEAR = 365.25
CELLS = 2_000_000  # steps x levels x columns at once: some 0.4 GB
ERAS = ("ship", "xbt", "argo")


def increments(
    family: str = "train",
    *,
    columns: int | Iterable[int] = 100,
    seed: int = 0,
    years: tuple[int, int] | None = None,
    step: str | Any = None,
    depth: Iterable[float] = DEPTH,
    calendar: str = "standard",
    dtype: DTypeLike = "float32",
    **overrides: Any,
) -> xr.Dataset:
    """Simulate assimilation increments whose true, systematic part is known.

    Parameters
    ----------
    family : str
        One of `xocean_ml.simulate.families.FAMILIES`: ``"train"``, ``"select"``, ``"test"``,
        ``"test_inside"``, ``"test_outside"``.
    columns : int or iterable of int
        Number of water columns, or which ones: a column is the same whatever others are asked.
    seed : int
        Another seed is another draw of the same family. A column's first years do not depend on
        the last year; they do depend on the first.
    years : (int, int), optional
        First and last year, inclusive; the family's when absent.
    step : str or sequence of times, optional
        Frequency of the cycles (``"MS"``, ``"10D"``), or the edges of uneven steps, `years`
        absent. The family's when absent.
    depth : iterable of float
        Levels, m, downward.
    calendar : str
        A CF calendar.
    dtype : dtype
        Of the floating-point variables; inside, all is float64.
    **overrides
        Fields of `Family`, e.g. ``density=(1, 1)`` or ``argo=1998``.

    Returns
    -------
    Dataset
        Dimensions (time, depth, column). In K: ``temperature_increment``,
        ``temperature_increment_spread``, ``true_increment``, ``optimum_a``, ``optimum_b``.
        Also ``number_of_observations``, ``gain`` (1), and the coordinates ``era`` (along time)
        and each column's factors.

    Raises
    ------
    ValueError, TypeError
        Unknown family; unknown override.
    GridError
        Levels or time edges that do not increase.

    Examples
    --------
    >>> twin = increments("train", columns=2, years=(1960, 2019))
    >>> dict(twin.sizes)
    {'time': 720, 'depth': 20, 'column': 2, 'bnds': 2}
    >>> twin["temperature_increment"].attrs["standard_name"]
    'change_over_time_in_sea_water_potential_temperature'

    A rare observation makes a pulse; the truth is smooth:

    >>> ship = twin.isel(time=twin["era"].values == 0).sel(depth=530, column=0)
    >>> step = ship.diff("time").std()
    >>> bool(step["true_increment"] < 0.2 * step["temperature_increment"])
    True
    """
    chosen = get_family(family, **overrides)
    edges = _edges(chosen, years, step, calendar)
    numbers = np.arange(columns) if isinstance(columns, int | np.integer) else np.array([*columns])
    levels = np.array([*depth], dtype=float)
    if levels.size == 0 or levels[0] <= 0 or (np.diff(levels) <= 0).any():
        raise GridError(f"depth must be positive, in m, and increase downward; found {levels}")

    world = World(chosen, seed, _years_between(edges), _decimal_year(edges[:-1]), levels)
    factors = np.empty((len(numbers), len(FACTORS)))
    for i, number in enumerate(numbers):
        factors[i] = draw_factors(world, number)
    shape = (len(world.dt), len(levels), len(numbers))
    counts = {"number_of_observations": "int32"}
    arrays = {name: np.empty(shape, counts.get(name, dtype)) for name in VARIABLES}
    size = max(1, CELLS // (shape[0] * shape[1]))
    for start in range(0, len(numbers), size):
        block = slice(start, start + size)
        for name, values in simulate(world, numbers[block], factors[block]).items():
            arrays[name][:, :, block] = values.transpose(0, 2, 1)

    ds = _labelled(arrays, edges, world, numbers, factors)
    ds.attrs |= {
        "history": f"simulated by xocean_ml.simulate.increments({family!r}, seed={seed})",
        "family": family,
        "seed": seed,
        "parameters": json.dumps(asdict(chosen)),
    }
    return ds


# -- time ------------------------------------------------------------------------------------


def _edges(chosen: Family, years: Any, step: Any, calendar: str) -> Any:
    """Edges of the steps, (time + 1,), as a DatetimeIndex or a CFTimeIndex."""
    if step is None or isinstance(step, str):
        first, last = years or chosen.years
        span = (f"{first:04d}-01-01", f"{last + 1:04d}-01-01")
        edges = xr.date_range(*span, freq=step or chosen.step, calendar=calendar)
    elif years is not None:
        raise GridError("years were given as well as the edges of all steps: give one of them")
    else:
        edges = xr.DataArray(np.asarray(step), dims="time").to_index()
        if not hasattr(edges, "year"):
            raise GridError(f"step must be a frequency, or the times of its edges; found {step!r}")
    if len(edges) < 2 or not edges.is_monotonic_increasing or not edges.is_unique:
        raise GridError(f"time edges must increase, and be two or more; found {edges!r}")
    return edges


def _years_between(edges: Any) -> Array:
    days = [length.total_seconds() / 86400 for length in (edges[1:] - edges[:-1])]
    return np.array(days) / DAYS_PER_YEAR


def _decimal_year(times: Any) -> Array:
    year, month, day = (np.asarray(getattr(times, part)) for part in ("year", "month", "day"))
    return year + (month - 1) / 12 + (day - 1) / DAYS_PER_YEAR


# -- labels ----------------------------------------------------------------------------------

CHANGE = "change_over_time_in_sea_water_potential_temperature"
DIFFERENCE = {"units": "K", "units_metadata": "temperature: difference"}
VARIABLES: dict[str, dict[str, str]] = {
    "temperature_increment": {
        "standard_name": CHANGE,
        "long_name": "temperature increment of the analysis",
        "ancillary_variables": "temperature_increment_spread number_of_observations",
        **DIFFERENCE,
    },
    "temperature_increment_spread": {
        "standard_name": CHANGE,
        "long_name": "ensemble spread of the temperature increment",
        "cell_methods": "realization: standard_deviation",
        "comment": "divided by members - 1",
        **DIFFERENCE,
    },
    "number_of_observations": {"standard_name": "number_of_observations", "units": "1"},
    # No standard name from here: the increment alone is the field that a smoother looks for.
    "gain": {"long_name": "gain of the analysis: increment over innovation", "units": "1"},
    "true_increment": {
        "long_name": "slow model error over the step: what assimilation must add",
        **DIFFERENCE,
    },
    "optimum_a": {
        "long_name": "best estimate of true_increment from increments and gain, level by level",
        **DIFFERENCE,
    },
    "optimum_b": {
        "long_name": "best estimate of true_increment from the observations, level by level",
        **DIFFERENCE,
    },
}
FACTOR_NAMES = {
    "drift": "factor on the standard deviation of the slow model error",
    "drift_time": "factor on the decorrelation time of the slow model error",
    "noise": "factor on the standard deviation of the fast model error",
    "restoring": "factor on the time in which the model forgets an error",
    "error": "factor on the error of a precise observation",
    "density": "factor on the number of observations",
    "tuning": "assumed over consistent forecast error of the assimilation",
    "coarse": "error of a coarse over that of a precise observation",
}


def _labelled(
    arrays: dict[str, NDArray[Any]], edges: Any, world: World, columns: Any, factors: Array
) -> xr.Dataset:
    """Put names, coordinates, bounds and attributes on the arrays."""
    dims = ("time", "depth", "column")
    along = {"long_name": "number of the water column", "units": "1"}
    ds = xr.Dataset(
        {name: (dims, arrays[name], attrs) for name, attrs in VARIABLES.items()},
        coords=_coordinates(edges, world)
        | {"column": ("column", columns, along)}
        | {
            f"{name}_factor": ("column", factors[:, i], {"long_name": text, "units": "1"})
            for i, (name, text) in enumerate(FACTOR_NAMES.items())
        },
    )
    ds.attrs = {
        "Conventions": "CF-1.11",
        "title": "Twin of temperature increments of ocean data assimilation",
        "source": "xocean_ml.simulate.increments",
        "comment": "Simulated: independent water columns whose true model error is known",
    }
    for name in ds.variables:
        ds[name].encoding["_FillValue"] = None  # nothing is missing, and CF forbids it on axes
    start = edges[0].strftime("%Y-%m-%d")
    ds["time"].encoding |= {"units": f"days since {start}", "dtype": "float64"}
    if ds["time"].dt.calendar in ("standard", "gregorian", "proleptic_gregorian", "julian"):
        ds["time"].attrs["units_metadata"] = "leap_seconds: none"
    return ds


def _coordinates(edges: Any, world: World) -> dict[str, Any]:
    middle = np.sqrt(world.depth[1:] * world.depth[:-1])  # half way in log depth
    walls = np.concatenate([[0.0], middle, [2 * world.depth[-1] - (0.0, *middle)[-1]]])
    flags = {
        "long_name": "era of the observing system",
        "flag_values": np.arange(len(ERAS), dtype="int8"),
        "flag_meanings": " ".join(ERAS),
    }
    vertical = {"standard_name": "depth", "units": "m", "positive": "down", "axis": "Z"}
    return {
        "time": (
            "time",
            edges[:-1] + (edges[1:] - edges[:-1]) / 2,
            {"standard_name": "time", "axis": "T", "bounds": "time_bnds"},
        ),
        "time_bnds": (("time", "bnds"), np.stack([edges[:-1], edges[1:]], axis=1)),
        "depth": ("depth", world.depth, vertical | {"bounds": "depth_bnds"}),
        "depth_bnds": (("depth", "bnds"), np.stack([walls[:-1], walls[1:]], axis=1)),
        "era": ("time", (ramps(world)[1:] >= 0.5).sum(0).astype("int8"), flags),
    }
