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
  step has observations of one kind only, both know the same. Both have the true parameters, which
  no user has.
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
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from ..errors import GridError
from ._kalman import Array, Law, Observed, gains, run_cycles, smooth
from .families import DEPTH, FACTORS, PLATFORMS, PROFILES, Family, get_family

__all__ = ["increments"]

DAYS_PER_YEAR = 365.25
CELLS = 2_000_000  # steps x levels x columns at once: some 0.4 GB
ERAS = ("ship", "xbt", "argo")
STREAMS = (  # the order is part of the frozen worlds
    *("factors", "start", "shock", "noise", "ensemble"),
    *("precise count", "precise error", "coarse count", "coarse error"),
)
OUTPUTS = ("increment", "spread", "gain", "count", "true", "optimum_a", "optimum_b")


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
    {'time': 720, 'depth': 20, 'column': 2}
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

    world = _World(chosen, seed, _years_between(edges), _decimal_year(edges[:-1]), levels)
    factors = np.array([_factors(world, number) for number in numbers]).reshape(-1, len(FACTORS))
    shape = (len(world.dt), len(levels), len(numbers))
    arrays = {each: np.empty(shape, "int32" if each == "count" else dtype) for each in OUTPUTS}
    size = max(1, CELLS // (shape[0] * shape[1]))
    for start in range(0, len(numbers), size):
        block = slice(start, start + size)
        for each, values in _simulate(world, numbers[block], factors[block]).items():
            arrays[each][:, :, block] = values.transpose(0, 2, 1)

    ds = _labelled(arrays, edges, world, numbers, factors)
    ds.attrs |= {"family": family, "seed": seed, "parameters": json.dumps(asdict(chosen))}
    return ds


class _World(NamedTuple):
    """What all columns of one call share."""

    family: Family
    seed: int
    dt: Array  # (time,), years
    year: Array  # (time,), decimal years
    depth: Array  # (depth,), m


# -- time ------------------------------------------------------------------------------------


def _edges(chosen: Family, years: Any, step: Any, calendar: str) -> Any:
    """Edges of the steps, (time + 1,), as a DatetimeIndex or a CFTimeIndex."""
    if step is not None and not isinstance(step, str):
        edges = xr.DataArray(np.asarray(step), dims="time").to_index()
        edges = edges if hasattr(edges, "year") else xr.CFTimeIndex(edges)
    else:
        first, last = years or chosen.years
        span = (f"{first:04d}-01-01", f"{last + 1:04d}-01-01")
        edges = xr.date_range(*span, freq=step or chosen.step, calendar=calendar)
    if len(edges) < 2 or not edges.is_monotonic_increasing or not edges.is_unique:
        raise GridError(f"time edges must increase, and be two or more; found {edges!r}")
    return edges


def _years_between(edges: Any) -> Array:
    days = [length.total_seconds() / 86400 for length in (edges[1:] - edges[:-1])]
    return np.array(days) / DAYS_PER_YEAR


def _decimal_year(times: Any) -> Array:
    return np.asarray(times.year) + (np.asarray(times.dayofyear) - 1) / DAYS_PER_YEAR


def _ramps(world: _World) -> Array:
    """How far each era has come at each step, (era, time): 0 before its onset, 1 after."""
    chosen = world.family
    onsets = np.array([[-np.inf], [chosen.xbt], [chosen.argo]])
    return np.clip((world.year - onsets) / chosen.ramp + 0.5, 0, 1)


# -- what is drawn ---------------------------------------------------------------------------


def _stream(world: _World, column: int, name: str) -> np.random.Generator:
    """Random numbers of one process in one column: keyed by position, never by call order."""
    where = (int(column), STREAMS.index(name))
    entropy = (world.family.key, world.seed)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy, spawn_key=where)))


def _factors(world: _World, column: int) -> Array:
    """Draw the factors of one column, log-uniform in the family's ranges."""
    low, high = np.log([getattr(world.family, each) for each in FACTORS]).T
    return np.exp(low + (high - low) * _stream(world, column, "factors").random(len(FACTORS)))


def _profile(name: str, depth: Array) -> Array:
    return np.interp(np.log(depth), np.log(PROFILES["depth"]), PROFILES[name])


def _correlated(world: _World) -> Array:
    """Square root of the correlation between levels, lower triangular: top levels come first."""
    position = np.log(world.depth)
    apart = np.abs(position[:, None] - position) / world.family.vertical
    return np.linalg.cholesky(np.exp(-apart))


def _normal(world: _World, columns: NDArray[Any], name: str, rows: int, root: Array) -> Array:
    """Standard normal numbers correlated between levels, (rows, column, depth)."""
    out = np.empty((rows, len(columns), len(world.depth)))
    for i, column in enumerate(columns):
        out[:, i] = _stream(world, column, name).standard_normal((rows, len(world.depth))) @ root.T
    return out


def _rates(world: _World, precise: bool) -> Array:
    """Profiles a step that end between a level and the next, (time, depth), at density 1."""
    ramps = _ramps(world)
    total = np.zeros((len(world.dt), len(world.depth)))
    for platform in PLATFORMS.values():
        if platform["precise"] is precise:
            monthly = np.diff(platform["rate"], prepend=0) @ ramps
            reach = np.interp(world.depth, platform["depth"], platform["reach"], right=0)
            total += np.outer(monthly * world.dt * 12, reach - np.append(reach[1:], 0))
    return total


def _counts(world: _World, columns: NDArray[Any], density: Array, kind: str) -> Array:
    """Draw how many profiles of a kind pass each level: (time, column, depth)."""
    rates = _rates(world, precise=kind == "precise")
    out = np.empty((len(world.dt), len(columns), len(world.depth)))
    for i, column in enumerate(columns):
        out[:, i] = _stream(world, column, f"{kind} count").poisson(rates * density[i])
    return out[..., ::-1].cumsum(axis=-1)[..., ::-1]  # a profile passes all levels above its end


def _observed(counts: Array, noise: Array, error: Array, coarse: Array) -> Observed:
    """Means of a step's observations by equal weights and by precision.

    Parameters
    ----------
    counts, noise : array (2, time, n)
        Observations, and a standard normal number for the mean of each kind, precise first.
    error, coarse : array (n,)
        Error of a precise observation, K; of a coarse one over it.
    """
    spread = np.stack([np.ones_like(coarse), coarse])[:, None]  # (2, 1, n)
    sums = np.sqrt(counts) * spread * noise * error  # of the errors of all observations, K
    weights = spread**-2
    with np.errstate(divide="ignore"):
        equal = 1 / counts.sum(0)
        best = 1 / (weights * counts).sum(0)
    some = np.isfinite(equal)
    return Observed(
        equal=np.where(some, sums.sum(0), 0) * np.where(some, equal, 0),
        equal_variance=np.where(some, (spread**2 * counts).sum(0) * error**2, np.inf)
        * np.where(some, equal, 1) ** 2,
        best=(weights * sums).sum(0) * np.where(some, best, 0),
        best_variance=best * error**2,
    )


# -- one block of columns --------------------------------------------------------------------


def _simulate(world: _World, columns: NDArray[Any], factors: Array) -> dict[str, Array]:
    """Run the cycles and the optima of some columns: arrays (time, column, depth)."""
    factor = {each: factors[:, i, None] for i, each in enumerate(FACTORS)}
    shape = (len(world.dt), len(columns), len(world.depth))

    def cells(name: str) -> Array:
        return (_profile(name, world.depth) * factor[name]).ravel()

    def flat(values: Array) -> Array:
        return values.reshape(len(values), -1)

    def normal(name: str, rows: int = shape[0]) -> Array:
        return flat(_normal(world, columns, name, rows, root))

    root = _correlated(world)
    law = Law(*(cells(name) for name in ("drift", "drift_time", "noise", "restoring")))
    error, coarse = cells("error"), np.repeat(factor["coarse"], shape[2])
    kinds = ("precise", "coarse")
    counts = np.stack([flat(_counts(world, columns, factor["density"], kind)) for kind in kinds])
    observed = _observed(
        counts, np.stack([normal(f"{kind} error") for kind in kinds]), error, coarse
    )

    count = counts.sum(0)
    with np.errstate(divide="ignore"):
        assumed_error = error**2 * coarse / count  # one error for all, between both kinds'
    consistent = 2 * law.stationary()[0] / law.restoring
    growth = consistent * np.repeat(factor["tuning"], shape[2]) ** 2
    gain, spread = gains(law, world.dt, assumed_error, growth)
    noise = {"start": normal("start", 2), "shock": normal("shock"), "noise": normal("noise")}
    cycles = run_cycles(law, world.dt, gain, observed, noise)

    seen = np.divide(cycles.increment, gain, out=np.zeros_like(gain), where=gain > 0)
    optimum_a = smooth(law, world.dt, seen, observed.equal_variance, cycles.increment)
    optimum_b = smooth(law, world.dt, cycles.free + observed.best, observed.best_variance)
    out = {
        "increment": cycles.increment,
        "spread": spread * flat(_chi(world, columns)),
        "gain": gain,
        "count": count,
        "true": cycles.true,
        "optimum_a": optimum_a,
        "optimum_b": optimum_b,
    }
    return {name: values.reshape(shape) for name, values in out.items()}


def _chi(world: _World, columns: NDArray[Any]) -> Array:
    """Sampling error of an ensemble's standard deviation, a factor: (time, column, depth)."""
    half = (world.family.members - 1) / 2
    shape = (len(world.dt), len(world.depth))
    draws = [_stream(world, each, "ensemble").standard_gamma(half, shape) for each in columns]
    return np.sqrt(np.stack(draws, axis=1) / half)


# -- labels ----------------------------------------------------------------------------------

CHANGE = "change_over_time_in_sea_water_potential_temperature"
DIFFERENCE = {"units": "K", "units_metadata": "temperature: difference"}
VARIABLES: dict[str, tuple[str, dict[str, str]]] = {
    "increment": (
        "temperature_increment",
        {
            "standard_name": CHANGE,
            "long_name": "temperature increment of the analysis",
            "ancillary_variables": "temperature_increment_spread number_of_observations",
            **DIFFERENCE,
        },
    ),
    "spread": (
        "temperature_increment_spread",
        {
            "standard_name": CHANGE,
            "long_name": "ensemble spread of the temperature increment",
            "cell_methods": "realization: standard_deviation",
            **DIFFERENCE,
        },
    ),
    "count": (
        "number_of_observations",
        {"standard_name": "number_of_observations", "units": "1"},
    ),
    "gain": (
        "gain",
        {"long_name": "gain of the analysis: increment over innovation", "units": "1"},
    ),
    # No standard name on these: the increment alone is the field that a smoother looks for.
    "true": (
        "true_increment",
        {"long_name": "slow model error over the step: what assimilation must add", **DIFFERENCE},
    ),
    "optimum_a": (
        "optimum_a",
        {"long_name": "best estimate of true_increment from increments and gain", **DIFFERENCE},
    ),
    "optimum_b": (
        "optimum_b",
        {"long_name": "best estimate of true_increment from the observations", **DIFFERENCE},
    ),
}


def _labelled(
    arrays: dict[str, NDArray[Any]], edges: Any, world: _World, columns: Any, factors: Array
) -> xr.Dataset:
    """Put names, coordinates, bounds and attributes on the arrays."""
    dims = ("time", "depth", "column")
    ds = xr.Dataset(
        {name: (dims, arrays[key], attrs) for key, (name, attrs) in VARIABLES.items()},
        coords=_coordinates(edges, world)
        | {"column": ("column", columns, {"long_name": "water column", "units": "1"})}
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
    return ds


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


def _coordinates(edges: Any, world: _World) -> dict[str, Any]:
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
        "era": ("time", (_ramps(world)[1:] >= 0.5).sum(0).astype("int8"), flags),
    }
