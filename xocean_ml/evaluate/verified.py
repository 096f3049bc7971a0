"""Scores of members at points where something was observed, with errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xocean_ml import grid
from xocean_ml.assimilation.rows import Rows
from xocean_ml.errors import GridError
from xocean_ml.evaluate.points import Cells, Points
from xocean_ml.generative.when import nearby, ns_of, times_of
from xocean_ml.metrics import proper
from xocean_ml.metrics.bootstrap import blocks, interval
from xocean_ml.metrics.ensemble import Score

__all__ = ["verified"]

_UNITS = ", in the units of the variable"
Sums = dict[str, np.ndarray]


def _point_score(above: str, below: str, long_name: str, root: bool = False) -> Score:
    return Score(above, below, long_name, root=root, along=())


SCORES = {
    "crps": _point_score("crps", "count", f"fair continuous ranked probability score{_UNITS}"),
    "rmse": _point_score("square", "count", f"root mean square error of the mean{_UNITS}", True),
    "rmse_corrected": _point_score(
        "square_corrected", "count", f"rmse of the mean of infinitely many members{_UNITS}", True
    ),
    "bias": _point_score("error", "count", f"mean error of the mean{_UNITS}"),
    "spread_over_error": _point_score(
        "spread", "square", "spread, with errors of observations, over error", True
    ),
    "within_90": _point_score("inside", "count", "observations between quantiles of 5 % and 95 %"),
    "rank_histogram": Score("ranks", "count", "share of points of a rank", along=("rank",)),
}


@dataclass(frozen=True, eq=False)
class _Matched:
    """Points of one variable, and which of them each time of the members is judged by.

    Parameters
    ----------
    points : Points
        Those on the grid.
    rows : Rows
        Cells around them.
    times : tuple of array of int
        Numbers of points.
    """

    points: Points
    rows: Rows
    times: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, points: Points, cells: Cells, times: np.ndarray) -> _Matched:
        rows, inside = cells.around(points.latitude, points.longitude)
        some = points.some(inside)
        return cls(some, rows, tuple(pick for pick, _ in nearby(some.time, times, None)))

    def sums(self, members: np.ndarray, number: int, seed: int) -> Sums:
        """Sums of one time, of members (M, rows, columns)."""
        pick = self.times[number]
        values = self.rows.some(pick).weighted(members.reshape(len(members), -1)).T
        there = np.isfinite(values).all(axis=0)
        return _sums(values[:, there], self.points.some(pick[there]), seed)


def verified(
    members: xr.Dataset, observed: Mapping[str, Points], *, seed: int, bootstrap: int
) -> xr.Dataset:
    """Score members by observations at points.

    Parameters
    ----------
    members : Dataset
        On time, an ensemble dimension, latitude and longitude, by the names and in the units of
        the observations. Dask arrays are computed a time at once.
    observed : mapping of str to Points
        By variable.
    seed : int
    bootstrap : int

    Returns
    -------
    Dataset
        Scores along ``variable`` (and ``rank``), with ``points`` and ``left_out``.

    Raises
    ------
    GridError
        Members without time, or where none of the points is.
    """
    names = [name for name in observed if name in members]
    cells, where = Cells.of(members), grid.axes(members)
    time = times_of(members[names[0]])
    if time is None:
        raise GridError(f"members have no time: {dict(members.sizes)}. Use expand_dims(time=[...])")
    matched = {name: _Matched.of(observed[name], cells, ns_of(time)) for name in names}
    sums: dict[str, list[Sums]] = {name: [] for name in names}
    for number in range(time.size):
        used = [name for name in names if len(matched[name].times[number])]
        if used:
            slab = members[used].isel({where["T"]: number}).compute()
        for name in used:
            values = cells.ascending(slab[name].transpose(where["E"], ...))
            sums[name].append(matched[name].sums(values.astype(float), number, seed))
    count = members.sizes[where["E"]]
    scored = [_scored(sums[name], len(observed[name]), count, seed, bootstrap) for name in names]
    out = xr.concat(scored, xr.Variable("variable", names))
    if not out["points"].any():
        raise GridError(
            f"none of {int(out['left_out'].sum())} withheld observations lies within half a step "
            f"of a time of the members, {time.values[0]} to {time.values[-1]}, and between cells "
            "of their sea"
        )
    return out.assign(members=((), count, {"long_name": "members", "units": "1"}))


def _sums(members: np.ndarray, points: Points, seed: int) -> Sums:
    """Sums over points, of members (M, m) in any order."""
    count = len(members)
    noise, uniform = points.chance(count, seed)
    # Noise goes to members by their order, not their numbers: it is independent of both.
    ordered = np.sort(members, axis=0)
    noisy = ordered + points.error * noise
    rank = proper.ranks(noisy, points.values, uniform)
    error = ordered.mean(axis=0) - points.values
    missing = np.full(error.shape, np.nan)
    variance = ordered.var(axis=0, ddof=1) if count > 1 else missing
    values = {
        "count": np.ones(error.shape),
        "crps": proper.crps(noisy if count > 1 else ordered, points.values),
        "square": error**2,
        "square_corrected": error**2 - variance / count,
        "error": error,
        "spread": (1 + 1 / count) * variance + points.error**2,
        "inside": proper.inside(noisy, points.values, rank),
    }
    sums = {name: np.atleast_1d(each.sum()) for name, each in values.items()}
    return sums | {"ranks": np.bincount(rank, minlength=count + 1).astype(float)}


def _scored(parts: list[Sums], given: int, members: int, seed: int, bootstrap: int) -> xr.Dataset:
    """Scores of one variable, of sums of each time."""
    nothing = _sums(np.zeros((members, 0)), Points("", *[np.zeros(0)] * 5), seed)
    sums = {name: np.stack([p[name] for p in parts or [nothing]], axis=-1) for name in nothing}
    joined = blocks(sums, sums["count"][0] > 0)
    total = {name: each.sum(axis=-1, keepdims=True) for name, each in sums.items()}
    used = int(total["count"][0, 0])
    about = {"long_name": "members below the observation", "units": "1"}
    out = xr.Dataset(coords={"rank": ("rank", np.arange(members + 1), about)})
    for name, score in SCORES.items():
        shape = tuple(out.sizes[dim] for dim in score.along)
        out[name] = (score.along, score(total).reshape(shape), {"long_name": score.long_name})
        ends = {each: joined[each] for each in (score.above, score.below)}
        bounds = interval(ends, score, samples=bootstrap, seed=seed)
        for side, bound in zip(("low", "high"), bounds, strict=True):
            if bootstrap:
                told = {"long_name": f"{side} end of the 95 % interval of {name}"}
                out[f"{name}_{side}"] = (score.along, bound.reshape(shape), told)
    counts = {
        "points": (used, "observations that are verified"),
        "left_out": (given - used, "observations outside the members' sea or times"),
    }
    for name, (number, long_name) in counts.items():
        out[name] = ((), number, {"long_name": long_name, "units": "1"})
    return out
