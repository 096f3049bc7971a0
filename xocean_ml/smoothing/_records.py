"""What is known of the cells, as the state space takes it: checked, scaled, counts filled in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xocean_ml.errors import ValuesError
from xocean_ml.kernels.kalman import Array, Record

__all__ = ["Given", "expected", "group_sizes", "over", "rates", "read", "sizes", "thinned"]

AROUND = 4.0  # years over which a rate of observations is told
FEW = 5  # values, or steps, that a group's scale or rate counts for in that of a cell
UNSURE = 0.7  # standard deviation of log(spread^2) before it is known


class Given(NamedTuple):
    record: Record
    groups: NDArray[np.int64]  # (cell,)
    dead: NDArray[np.bool_]  # (cell,), never an increment, not even 0


def read(
    increment: ArrayLike,
    years: ArrayLike,
    groups: ArrayLike | None,
    counts: ArrayLike | None,
    spread: ArrayLike | None,
) -> Given:
    """Check what was given, and turn it to float64 (cell, time)."""
    d = _cells("increment", increment)
    dt = np.asarray(years, dtype=np.float64)
    if dt.shape != d.shape[1:] or not (dt > 0).all():
        raise ValuesError(
            f"years must be the length of each of {d.shape[1]} steps, above 0; found {dt}"
        )
    of_group = np.zeros(len(d), np.int64) if groups is None else np.asarray(groups, np.int64)
    if of_group.shape != d.shape[:1] or of_group.min(initial=0) < 0:
        raise ValuesError(f"groups must be a number from 0 for each of {len(d)} cells")
    n = None if counts is None else _cells("counts", counts, d.shape, lowest=0)
    s = np.zeros_like(d) if spread is None else _cells("spread", spread, d.shape, lowest=0)
    s = np.nan_to_num(s)
    lost = np.isnan(d)
    state = (~lost & (d != 0)).astype(np.int8)
    told = (s > 0) if n is None else (s > 0) | (n > 0)
    state[lost & told] = 2
    lengths, kind = np.unique(dt, return_inverse=True)
    n = np.ones_like(d) if n is None else np.where(n > 0, n, 1.0)
    zero = np.zeros(len(d))
    record = Record(np.nan_to_num(d), state, n, s * (state > 0), lengths, kind, zero, zero + UNSURE)
    return Given(record, of_group, np.asarray(lost.all(axis=1)))


def _cells(
    name: str, values: ArrayLike, shape: tuple[int, ...] | None = None, lowest: float = -np.inf
) -> Array:
    found = np.array(np.asarray(values, dtype=np.float64).T, order="C")
    if found.ndim != 2 or (shape is not None and found.shape != shape):
        like = "" if shape is None else f" like the increments, {shape[::-1]}"
        raise ValuesError(f"{name} must be (time, cell){like}; found {found.shape[::-1]}")
    bad = np.isinf(found) | (found < lowest)
    if bad.any():
        cell, step = np.argwhere(bad)[0]
        raise ValuesError(f"{name} is {found[cell, step]} at step {step} of cell {cell}")
    return found


def thinned(groups: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many cells of each group, evenly spaced."""
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    return np.concatenate(
        [m[np.linspace(0, len(m) - 1, min(most, len(m))).round().astype(int)] for m in members]
    )


# -- scales ----------------------------------------------------------------------------------


def group_sizes(record: Record, groups: NDArray[np.int64], count: int) -> Array:
    """Root mean square of a group's increments, of those that are not 0."""
    squares, known = _squares(record)
    total, many = (np.bincount(groups, x, count) for x in (squares, known))
    whole = total.sum() / max(many.sum(), 1) or 1.0
    return np.sqrt(np.where(total > 0, total, whole) / np.where(total > 0, many, 1))


def sizes(record: Record, of_group: Array) -> Array:
    squares, known = _squares(record)
    return np.sqrt((squares + FEW * of_group**2) / (known + FEW))


def _squares(record: Record) -> tuple[Array, Array]:
    return (record.increment**2).sum(axis=1), (record.state == 1).sum(axis=1).astype(float)


def over(record: Record, size: Array) -> Record:
    """The record with increments and spread in units of each cell's size."""
    per = 1 / size[:, None]
    return record._replace(increment=record.increment * per, spread=record.spread * per)


# -- counts that were not given --------------------------------------------------------------


def rates(given: Given, count: int) -> Array:
    """Expected observations of a step in each group, (group, time), from steps without."""
    state, lengths = given.record.state, given.record.lengths[given.record.kind]
    half = max(1, round(AROUND / 2 / float(np.median(lengths))))
    steps = np.arange(state.shape[1])
    low, high = np.maximum(steps - half, 0), np.minimum(steps + half + 1, len(steps))
    rate = np.empty((count, len(steps)))
    for g in range(count):
        seen = state[given.groups == g] > 0
        total = np.concatenate([[0], seen.sum(axis=0).cumsum()])
        share = (total[high] - total[low] + 0.5) / (len(seen) * (high - low) + 1)
        rate[g] = -np.log1p(-share)
    return rate


def expected(record: Record, rate: Array) -> Array:
    """Expected count of each step that has any, (cell, time).

    A cell's rate is a multiple of its group's, such that as many of its steps have observations
    as do; with a pull to 1, since cells that always have some do not tell.
    """
    seen = (record.state > 0).sum(axis=1)
    log = np.zeros(len(rate))
    for _ in range(30):
        own = np.exp(log)[:, None] * rate
        without = np.exp(-own)
        off = (1 - without).sum(axis=1) - seen + FEW * log
        log -= np.clip(off / ((own * without).sum(axis=1) + FEW), -1, 1)
    own = np.exp(log)[:, None] * rate
    return own / -np.expm1(-own)
