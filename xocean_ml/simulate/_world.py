"""A twin world on plain arrays: what is drawn at random, and one block of columns run through.

Every random number is keyed by family, seed, column and process, never by the order of calls.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._kalman import Array, Law, Observed, gains, run_cycles, smooth
from .families import FACTORS, PLATFORMS, PROFILES, Family

__all__ = ["World", "draw_factors", "observe", "ramps", "simulate"]

STREAMS = (  # the order is part of the frozen worlds
    *("factors", "start", "shock", "noise", "ensemble"),
    *("precise count", "precise error", "coarse count", "coarse error"),
)


class World(NamedTuple):
    """What all columns of one call share."""

    family: Family
    seed: int
    dt: Array  # (time,), years
    year: Array  # (time,), decimal years
    depth: Array  # (depth,), m


def ramps(world: World) -> Array:
    """How far each era has come at each step, (era, time): 0 before its onset, 1 after."""
    chosen = world.family
    onsets = np.array([[-np.inf], [chosen.xbt], [chosen.argo]])
    return np.clip((world.year - onsets) / chosen.ramp + 0.5, 0, 1)


# -- what is drawn ---------------------------------------------------------------------------


def _stream(world: World, column: int, name: str) -> np.random.Generator:
    """Random numbers of one process in one column: keyed by position, never by call order."""
    where = (int(column), STREAMS.index(name))
    entropy = (world.family.key, world.seed)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy, spawn_key=where)))


def draw_factors(world: World, column: int) -> Array:
    """Draw the factors of one column, log-uniform in the family's ranges."""
    low, high = np.log([getattr(world.family, each) for each in FACTORS]).T
    return np.exp(low + (high - low) * _stream(world, column, "factors").random(len(FACTORS)))


def _profile(name: str, depth: Array) -> Array:
    return np.interp(np.log(depth), np.log(PROFILES["depth"]), PROFILES[name])


def _correlated(world: World) -> Array:
    """Square root of the correlation between levels, lower triangular: top levels come first."""
    position = np.log(world.depth)
    apart = np.abs(position[:, None] - position) / world.family.vertical
    return np.linalg.cholesky(np.exp(-apart))


def _normal(world: World, columns: NDArray[Any], name: str, rows: int, root: Array) -> Array:
    """Standard normal numbers correlated between levels, (rows, column, depth)."""
    out = np.empty((rows, len(columns), len(world.depth)))
    for i, column in enumerate(columns):
        out[:, i] = _stream(world, column, name).standard_normal((rows, len(world.depth))) @ root.T
    return out


def _rates(world: World, precise: bool) -> Array:
    """Profiles a step that end between a level and the next, (time, depth), at density 1."""
    eras = ramps(world)
    total = np.zeros((len(world.dt), len(world.depth)))
    for platform in PLATFORMS.values():
        if platform["precise"] is precise:
            monthly = np.diff(platform["rate"], prepend=0) @ eras
            reach = np.interp(world.depth, platform["depth"], platform["reach"], right=0)
            total += np.outer(monthly * world.dt * 12, reach - np.append(reach[1:], 0))
    return total


def _counts(world: World, columns: NDArray[Any], density: Array, kind: str) -> Array:
    """Draw how many profiles of a kind pass each level: (time, column, depth)."""
    rates = _rates(world, precise=kind == "precise")
    out = np.empty((len(world.dt), len(columns), len(world.depth)))
    for i, column in enumerate(columns):
        out[:, i] = _stream(world, column, f"{kind} count").poisson(rates * density[i])
    return out[..., ::-1].cumsum(axis=-1)[..., ::-1]  # a profile passes all levels above its end


def observe(counts: Array, noise: Array, error: Array, coarse: Array) -> Observed:
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


def simulate(world: World, columns: NDArray[Any], factors: Array) -> dict[str, Array]:
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
    observed = observe(counts, np.stack([normal(f"{kind} error") for kind in kinds]), error, coarse)

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
        "temperature_increment": cycles.increment,
        "temperature_increment_spread": spread * flat(_chi(world, columns)),
        "number_of_observations": count,
        "gain": gain,
        "true_increment": cycles.true,
        "optimum_a": optimum_a,
        "optimum_b": optimum_b,
    }
    return {name: values.reshape(shape) for name, values in out.items()}


def _chi(world: World, columns: NDArray[Any]) -> Array:
    """Sampling error of an ensemble's standard deviation, a factor: (time, column, depth)."""
    half = (world.family.members - 1) / 2
    shape = (len(world.dt), len(world.depth))
    draws = [_stream(world, each, "ensemble").standard_gamma(half, shape) for each in columns]
    return np.sqrt(np.stack(draws, axis=1) / half)
