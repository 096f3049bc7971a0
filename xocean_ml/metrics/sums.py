"""Sums over time and levels of which the scores of smoothing are functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.metrics import series

__all__ = ["PULSE", "YEARS", "Plan", "sum_blocks"]

PULSE = 3.0
"""A pulse is an error larger than this many standard deviations of the true increments."""

YEARS = 5
"""Length of the means whose correlation is scored; counted from year 0."""

_BLOCK = 2**21  # values of one field in memory at a time
_FEWEST = 3  # windows of which a correlation means anything

Sums = dict[str, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """How steps and levels fall into eras, windows and bands.

    A segment is a run of steps of the same eras and five-year window: sums over time are taken
    over segments once, and any era is a sum of segments.
    """

    bands: dict[str, np.ndarray]
    eras: dict[str, np.ndarray]
    season: np.ndarray
    year: np.ndarray
    starts: np.ndarray
    window: np.ndarray
    conserve: np.ndarray | None
    single: bool

    @classmethod
    def of(
        cls, ds: xr.Dataset, *, conserve: Any, eras: series.Eras, bands: Sequence[float] | None
    ) -> Plan:
        """Plan the sums over a Dataset from `series.stack`."""
        time = ds["time"]
        members = series.era_members(time, eras)
        window = time.dt.year.values // YEARS
        return cls(
            bands=_bands(ds, bands),
            eras=members,
            season=series.months(time),
            year=time.dt.decimal_year.values,
            starts=_starts(window, *members.values()),
            window=window,
            conserve=None if conserve is None else series.window_labels(time, conserve),
            single=ds.sizes["column"] == 1,
        )

    @property
    def member(self) -> np.ndarray:
        """Whether a segment is in an era, 0 or 1, shape (era, segment)."""
        return np.stack([steps[self.starts] for steps in self.eras.values()]).astype(float)

    @property
    def level(self) -> np.ndarray:
        """Whether a level is in a band, 0 or 1, shape (band, depth)."""
        return np.stack(list(self.bands.values())).astype(float)

    @property
    def fullness(self) -> float:
        """Fewest steps of a window that counts: half of a full one."""
        step = float(np.median(np.diff(self.year))) if self.year.size > 1 else YEARS
        return 0.5 * YEARS / step

    def over_segments(self, x: np.ndarray) -> np.ndarray:
        """Sum steps, shape (time, ...) -> (segment, ...)."""
        return np.add.reduceat(x, self.starts, axis=0)

    def over_eras(self, x: np.ndarray) -> np.ndarray:
        """Sum levels and segments, shape (segment, depth, column) -> (era, band, unit).

        A unit is what the bootstrap resamples: a column or, where there is one only, a segment.
        """
        x = np.einsum("bd,sdc->sbc", self.level, x)
        if self.single:
            return self.member[:, None, :] * x[None, :, :, 0].swapaxes(1, 2)
        return np.einsum("es,sbc->ebc", self.member, x)


def _bands(ds: xr.Dataset, edges: Sequence[float] | None) -> dict[str, np.ndarray]:
    if "depth" in ds.coords:
        return series.depth_bands(ds["depth"].values, edges)
    return {"all": np.ones(ds.sizes["depth"], bool)}


def _starts(*labels: np.ndarray) -> np.ndarray:
    keys = np.stack(labels)
    return np.concatenate([[0], 1 + np.flatnonzero(np.any(keys[:, 1:] != keys[:, :-1], axis=0))])


def sum_blocks(ds: xr.Dataset, plan: Plan) -> Sums:
    """Return the sums of a Dataset from `series.stack`, read some columns at a time.

    Returns
    -------
    dict of str to ndarray, shape (era, band, unit)
        Sums; maxima where the name starts with ``max_``.
    """
    columns = max(1, _BLOCK // (ds.sizes["time"] * ds.sizes["depth"]))
    parts = []
    for start in range(0, ds.sizes["column"], columns):
        part = ds.isel(column=slice(start, start + columns)).compute().as_numpy()
        # float64 from here on: scores are differences of nearly equal numbers.
        parts.append(_sums({str(k): np.asarray(v, float) for k, v in part.items()}, plan))
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}


def _sums(x: dict[str, np.ndarray], plan: Plan) -> Sums:
    weights = x.pop("weights", np.ones(()))
    valid = np.logical_and.reduce([np.isfinite(value) for value in x.values()])
    x = {name: np.where(valid, value, 0.0) for name, value in x.items()}
    mass = weights * valid
    free = {
        name: series.anomalies(value, valid, plan.season, plan.year)
        for name, value in x.items()
        if name != "optimum"
    }
    out = {"weight": plan.over_eras(plan.over_segments(mass))}
    out |= _step_sums(x, free, mass, plan)
    out |= _window_sums(free, valid, mass, plan)
    if "truth" in x:
        out |= _error_sums(x, valid, mass, plan)
    if plan.conserve is not None:
        out["max_closure"] = _closure(x, mass, plan)
    return out


def _step_sums(x: Sums, free: Sums, mass: np.ndarray, plan: Plan) -> Sums:
    """Sums of steps between neighbours; a step belongs to the segment in which it ends."""
    both = np.zeros_like(mass)
    both[1:] = mass[1:] * (mass[:-1] > 0)

    def total(steps: np.ndarray) -> np.ndarray:
        return plan.over_eras(plan.over_segments(steps))

    out = {f"step_{name}": total(both * _step(free[name]) ** 2) for name in ("smoothed", "raw")}
    if plan.conserve is None:
        return out
    edge = np.zeros((plan.year.size, 1, 1))
    edge[_starts(plan.conserve)[1:]] = 1.0
    out |= {"steps": total(both), "edges": total(both * edge)}
    for name, value in (("smoothed", x["smoothed"]), ("correction", x["smoothed"] - x["raw"])):
        steps = both * np.abs(_step(value))
        out |= {f"jump_{name}": total(steps), f"edge_{name}": total(steps * edge)}
    return out


def _step(x: np.ndarray) -> np.ndarray:
    return np.diff(x, axis=0, prepend=x[:1])


def _window_sums(free: Sums, valid: np.ndarray, mass: np.ndarray, plan: Plan) -> Sums:
    """Products of multi-year means, each series about its mean in the era."""
    count = plan.over_segments(valid.astype(float))
    total = {name: plan.over_segments(value) for name, value in free.items()}
    weight = plan.over_segments(mass).sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    parts = [_era_products(steps, count, total, weight, plan) for steps in plan.member > 0]
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


def _era_products(
    inside: np.ndarray, count: np.ndarray, total: Sums, weight: np.ndarray, plan: Plan
) -> Sums:
    # Segments of one window, cut by the borders of other eras, make one mean.
    labels, slot = np.unique(plan.window[plan.starts], return_inverse=True)
    join = (np.arange(labels.size)[:, None] == slot) * inside

    def windows(segments: np.ndarray) -> np.ndarray:
        return np.einsum("ws,sdc->wdc", join, segments)

    counts = windows(count)
    used = counts >= plan.fullness
    used &= used.sum(axis=0) >= _FEWEST
    number = np.maximum(used.sum(axis=0), 1)
    mean = {name: used * windows(value) / np.maximum(counts, 1) for name, value in total.items()}
    about = {name: used * (value - value.sum(axis=0) / number) for name, value in mean.items()}

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        bands = np.einsum("bd,wdc->wbc", plan.level, weight * a * b)
        if not plan.single:
            return bands.sum(axis=0)
        out = np.zeros((bands.shape[1], plan.starts.size))
        out[:, np.unique(slot, return_index=True)[1]] = bands[:, :, 0].T
        return out

    out = {f"window_{name}": product(value, value) for name, value in about.items()}
    others = set(about) - {"smoothed"}
    return out | {f"cross_{name}": product(about["smoothed"], about[name]) for name in others}


def _error_sums(x: Sums, valid: np.ndarray, mass: np.ndarray, plan: Plan) -> Sums:
    truth = x["truth"]
    count = np.maximum(valid.sum(axis=0), 1)
    mean = truth.sum(axis=0) / count
    limit = PULSE * np.sqrt(np.sum(valid * (truth - mean) ** 2, axis=0) / count)
    out = {}
    for name in sorted(set(x) - {"truth"}):
        error = x[name] - truth
        out[f"error_{name}"] = plan.over_eras(plan.over_segments(mass * error**2))
        if name != "optimum":
            spurious = mass * (np.abs(error) > limit)
            out[f"pulse_{name}"] = plan.over_eras(plan.over_segments(spurious))
    return out


def _closure(x: Sums, mass: np.ndarray, plan: Plan) -> np.ndarray:
    """Largest relative residual, shape (era, band, unit); -1 where there is no window."""
    assert plan.conserve is not None
    starts = _starts(plan.conserve)
    amount = np.add.reduceat(mass * np.abs(x["raw"]), starts, axis=0)
    left = np.abs(np.add.reduceat(mass * (x["smoothed"] - x["raw"]), starts, axis=0))
    present = np.add.reduceat(mass, starts, axis=0) > 0
    # A window in which nothing was observed has no amount of its own: take the usual one.
    usual = amount.sum(axis=0) / np.maximum((amount > 0).sum(axis=0), 1)
    amount = np.where(amount > 0, amount, usual)
    ratio = np.divide(left, amount, out=np.where(left > 0, np.inf, 0.0), where=amount > 0)
    ratio = np.where(present, ratio, -1.0)
    bands = np.stack([ratio[:, levels].max(axis=1) for levels in plan.bands.values()])
    segment = np.searchsorted(plan.starts, starts, side="right") - 1
    out = np.full(
        (len(plan.eras), len(bands), plan.starts.size if plan.single else ratio.shape[2]), -1.0
    )
    for era, inside in enumerate(plan.eras.values()):
        for window in np.flatnonzero(inside[starts]):
            unit = segment[window] if plan.single else slice(None)
            value = bands[:, window, 0] if plan.single else bands[:, window]
            out[era][:, unit] = np.maximum(out[era][:, unit], value)
    return out
