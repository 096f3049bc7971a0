"""Laws of the state space by maximum likelihood: Fisher scoring, the priors, the test for drift."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xocean_ml.kernels import kalman
from xocean_ml.kernels.kalman import Array, Record

__all__ = ["SCALE", "Climbed", "climb", "medians", "own_laws", "pooled_laws"]

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
) -> tuple[Climbed, Array]:
    """One law for the cells of each group, and the evidence that it needs a slow part.

    The likelihood has more than one summit: a second climb begins at the best law without a slow
    part, and the higher summit is taken. Evidence is a ramp in the likelihood ratio (2 x log) of
    the two laws, 0 at `DOUBTFUL` to 1 at `SURE`: two parameters make some 3 of it out of nothing.
    """
    centre = _typical(record, count)

    def begin(law: Array, **values: Any) -> Array:
        law = law.copy()
        for name, value in values.items():
            law[:, kalman.LAW.index(name)] = value
        return law

    found = climb(centre, record, groups, centre, PRIOR, free)
    without = climb(begin(found.law, drift=NO_DRIFT), record, groups, centre, PRIOR, free[free > 1])
    small = begin(without.law, drift=centre[:, 0] - 2, drift_time=centre[:, 1])
    found = _higher(found, climb(small, record, groups, centre, PRIOR, free), groups)
    ratio = 2 * (found.value - without.value)
    return found, np.clip((ratio - DOUBTFUL) / (SURE - DOUBTFUL), 0.0, 1.0)


def _higher(one: Climbed, other: Climbed, row: NDArray[np.int64]) -> Climbed:
    better = other.value > one.value
    return Climbed(
        np.where(better[:, None], other.law, one.law),
        np.maximum(other.value, one.value),
        np.where(better[row], other.misfit, one.misfit),
    )


def own_laws(law: Array, record: Record, free: NDArray[np.int64]) -> Climbed:
    """A law for each cell, near its group's."""
    return climb(law, record, np.arange(len(law)), law, PRIOR_OWN, free, rounds=6)


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
    rounds: int = 40,
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
    law, held = law.copy(), precision[np.ix_(free, free)]
    here = _look(law, record, row, centre[:, free], held, free)
    damping, going = np.full(len(law), 1e-3), np.arange(len(law))
    for _ in range(rounds):
        there = law[going]
        there[:, free] += _step(here.gradient[going], here.information[going], damping[going])
        cells = np.flatnonzero(np.isin(row, going))
        rows = np.searchsorted(going, row[cells])
        new = _look(there, record.cells(cells), rows, centre[going][:, free], held, free)
        gained = new.value - here.value[going]
        better = gained >= 0
        law[going[better]] = there[better]
        for old, fresh in zip(here[:3], new[:3], strict=True):
            old[going[better]] = fresh[better]
        here.misfit[cells[better[rows]]] = new.misfit[better[rows]]
        damping[going] = np.where(better, np.maximum(damping[going] / 5, 1e-6), damping[going] * 10)
        going = going[~better | (gained > ENOUGH)]
        if not going.size:
            break
    return Climbed(law, here.value, here.misfit)


class _Slope(NamedTuple):
    value: Array  # (row,)
    gradient: Array  # (row, free)
    information: Array  # (row, free, free)
    misfit: Array  # (cell,)


def _look(
    law: Array,
    record: Record,
    row: NDArray[np.int64],
    centre: Array,
    held: Array,
    free: NDArray[np.int64],
) -> _Slope:
    """Likelihood times prior, and how it changes with the free parameters."""
    value, gradient, information, misfit = kalman.score(law[row], record, free)
    off = law[:, free] - centre
    pull = off @ held
    return _Slope(
        _added(value, row, len(law)) - 0.5 * (pull * off).sum(axis=1),
        _added(gradient, row, len(law)) - pull,
        _added(information, row, len(law)) + held,
        misfit,
    )


def _step(gradient: Array, information: Array, damping: Array) -> Array:
    """Damped step of each row; no parameter changes by more than a factor e at once."""
    size = np.einsum("gii->gi", information)
    damped = information + (damping[:, None] * size)[:, :, None] * np.eye(size.shape[1])
    step = np.linalg.solve(damped, gradient[:, :, None])[:, :, 0]
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
