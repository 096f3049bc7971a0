"""Laws of the state space by maximum likelihood: Fisher scoring, the priors, the test for drift."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xocean_ml.kernels import kalman
from xocean_ml.kernels.kalman import Array, Record

__all__ = ["SCALE", "Climbed", "climb", "evidence", "medians", "own_laws", "pooled_laws"]

SCALE = np.array([1.0, 0, 1, 0, 1, 1, 0])
"""Which parameters of a law are in K: all of these grow with the scale of a cell."""
RATIO = 6
WIDE = 1.5  # prior of a group's law about typical values: standard deviation of a logarithm
OWN = 0.4  # prior of a cell's law about its group's; the same again for its scale
DOUBTFUL, SURE = 3.0, 10.0  # likelihood ratios (2 x log) for a slow part
NO_DRIFT = -20.0  # logarithm of a drift that nobody sees
ENOUGH = 0.1  # a row stops where its log-likelihood gains less
PRIOR = np.eye(7) / WIDE**2
PRIOR_OWN = np.asarray(np.linalg.inv(np.eye(7) + np.outer(SCALE, SCALE)) / OWN**2, np.float64)


class Climbed(NamedTuple):
    """Where a climb has ended."""

    law: Array  # (row, 7)
    value: Array  # (row,), log of likelihood times prior
    misfit: Array  # (cell,)


def pooled_laws(
    record: Record, groups: NDArray[np.int64], count: int, free: NDArray[np.int64]
) -> Climbed:
    """One law for the cells of each group."""
    centre = _typical(record, count)
    return climb(centre, record, groups, centre, PRIOR, free)


def own_laws(law: Array, record: Record, free: NDArray[np.int64]) -> Climbed:
    """A law for each cell, near its group's."""
    return climb(law, record, np.arange(len(law)), law, PRIOR_OWN, free, rounds=6)


def evidence(
    found: Climbed, record: Record, groups: NDArray[np.int64], free: NDArray[np.int64]
) -> Array:
    """Evidence for a slow part in each group: 0 none, 1 beyond doubt.

    A ramp in the likelihood ratio (2 x log) to the best law without one, `DOUBTFUL` to `SURE`:
    its two parameters make some 3 of it out of nothing.
    """
    law = found.law.copy()
    law[:, 0] = NO_DRIFT
    others = free[free > 1]
    without = climb(law, record, groups, _typical(record, len(law)), PRIOR, others)
    ratio = 2 * (found.value - without.value)
    return np.clip((ratio - DOUBTFUL) / (SURE - DOUBTFUL), 0.0, 1.0)


def _typical(record: Record, count: int) -> Array:
    """Where the climb begins, and the centre of the prior: increments have size 1."""
    lengths = record.lengths[record.kind]
    dt, slow = float(np.median(lengths)), min(3.0, float(lengths.sum()) / 10)
    values = [0.3 / dt, slow, 0.5 / dt**0.5, slow / 1.5, 2.0, 0.5 / dt**0.5, 1.0]
    return np.tile(np.log(values), (count, 1))


def climb(
    law: Array,
    record: Record,
    row: NDArray[np.int64],
    centre: Array,
    precision: Array,
    free: NDArray[np.int64],
    rounds: int = 15,
) -> Climbed:
    """Maximise likelihood times prior by damped Fisher scoring, all rows side by side.

    A row stops by itself, so that no cell's law depends on which others are climbing.

    Parameters
    ----------
    law, centre : array (row, 7)
        Where to begin, and the centre of the prior.
    record : Record
    row : array of int (cell,)
        Which law each cell has.
    precision : array (7, 7)
        Of the prior.
    free : array of int
        Parameters that may move.
    """
    look = partial(_look, record, row, centre, precision, free)
    here = look(law)
    damping, going = np.full(len(law), 1e-3), np.ones(len(law), np.bool_)
    for _ in range(rounds):
        there = law.copy()
        there[:, free] += _step(here, damping)
        new = look(there)
        better = going & (new.value >= here.value)
        going &= ~better | (new.value - here.value > ENOUGH)
        law = np.where(better[:, None], there, law)
        here = _Slope(
            np.where(better, new.value, here.value),
            np.where(better[:, None], new.gradient, here.gradient),
            np.where(better[:, None, None], new.information, here.information),
            np.where(better[row], new.misfit, here.misfit),
        )
        damping = np.where(better, np.maximum(damping / 5, 1e-6), damping * 10)
        if not going.any():
            break
    return Climbed(law, here.value, here.misfit)


class _Slope(NamedTuple):
    value: Array  # (row,)
    gradient: Array  # (row, free)
    information: Array  # (row, free, free)
    misfit: Array  # (cell,)


def _look(
    record: Record,
    row: NDArray[np.int64],
    centre: Array,
    precision: Array,
    free: NDArray[np.int64],
    law: Array,
) -> _Slope:
    """Likelihood times prior, and how it changes."""
    value, gradient, information, misfit = kalman.score(law[row], record, free)
    held = precision[np.ix_(free, free)]
    off = (law - centre)[:, free]
    pull = off @ held
    return _Slope(
        _added(value, row, len(law)) - 0.5 * (pull * off).sum(axis=1),
        _added(gradient, row, len(law)) - pull,
        _added(information, row, len(law)) + held,
        misfit,
    )


def _step(here: _Slope, damping: Array) -> Array:
    """Damped step of each row; no parameter changes by more than a factor e at once."""
    size = np.einsum("gii->gi", here.information)
    damped = here.information + (damping[:, None] * size)[:, :, None] * np.eye(size.shape[1])
    step = np.linalg.solve(damped, here.gradient[:, :, None])[:, :, 0]
    return step / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1)


def _added(values: Array, row: NDArray[np.int64], count: int) -> Array:
    total = np.zeros((count, *values.shape[1:]))
    np.add.at(total, row, values)
    return total


def medians(misfit: Array, groups: NDArray[np.int64], without: Array) -> Array:
    """Median over the cells of each group; `without` where none has a spread."""
    found = without.copy()
    for g in range(len(found)):
        inside = misfit[(groups == g) & np.isfinite(misfit)]
        if inside.size:
            found[g] = np.median(inside)
    return found
