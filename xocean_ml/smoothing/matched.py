r"""Twins matched to the user's own increments: what a network without a truth is trained on.

A state space fitted to the data (`xocean_ml.smoothing.statespace`) says what kind of model and of
assimilation they come from. Here its equations run forwards, with new noise, at the data's own
times; increments are made where the data have them, with their counts, and the spread errs as
theirs does. Each cell's law is scattered about its level's, so that a network does not hang on
the estimate. The best answer is known: the smoother of the law that the twin was made with.
"""

from __future__ import annotations

import numpy as np

from xocean_ml.kernels import kalman
from xocean_ml.kernels.kalman import Array, Record
from xocean_ml.smoothing import _records as records
from xocean_ml.smoothing._likelihood import NO_DRIFT, OWN, SCALE
from xocean_ml.smoothing.own import YEAR, StateSpaceSmoother
from xocean_ml.smoothing.sample import Sample
from xocean_ml.smoothing.train import World, tensors
from xocean_ml.training import generator

__all__ = ["matched"]


def matched(some: Sample, laws: StateSpaceSmoother, cells: int, *key: int) -> World:
    """One draw of twins.

    Parameters
    ----------
    some : Sample
        The data.
    laws : StateSpaceSmoother
        Fitted to them.
    cells : int
        How many, spread over the levels as the data are.
    *key : int
        Position of the random numbers: seed, number of the draw.
    """
    rng = generator(*key)
    given = records.read(
        some.series, some.steps.length / YEAR, some.level, some.counts, some.spread
    )
    pick = rng.choice(np.flatnonzero(~given.dead), cells)
    group = given.groups[pick]
    record = _observed(given.record.cells(pick), laws, group, some.counts is None, rng)
    law = _scattered(laws, group, rng)
    increments, truth = _cycles(law, record, rng)
    record = record._replace(increment=increments)
    best, _ = kalman.smooth(law, record)
    spread = _spread(law, record, laws, group, rng) if some.spread is not None else None
    counts = np.where(record.state > 0, record.counts, 0.0) if some.counts is not None else None
    live = np.flatnonzero((increments != 0).sum(axis=1) > 2)
    return tensors(
        increments[live].T,
        some.steps.days,
        some.steps.length,
        some.depth_of_cells[pick][live],
        None if spread is None else spread[live].T,
        None if counts is None else counts[live].T,
        best[live].T,
        truth[live].T,
    )


def _observed(
    record: Record,
    laws: StateSpaceSmoother,
    group: np.ndarray,
    counting: bool,
    rng: np.random.Generator,
) -> Record:
    """The data's cells without their numbers: where increments are made, and of how many."""
    assert laws.laws is not None
    state = np.where(record.state > 0, 1, 0).astype(np.int8)
    counts = record.counts
    if counting and laws.laws.rate is not None:
        mean = records.expected(record, laws.laws.rate[group])
        # Of those that come at all: what an expectation above one has beyond the first.
        counts = 1.0 + rng.poisson(np.maximum(mean - 1.0, 0.0)).astype(np.float64)
    zero = np.zeros(len(state))
    return record._replace(state=state, counts=counts, loose=zero, spread=np.zeros(counts.shape))


def _scattered(laws: StateSpaceSmoother, group: np.ndarray, rng: np.random.Generator) -> Array:
    """A law for each cell in K, about its level's; without drift where none was found."""
    found = laws.laws
    assert found is not None
    size = np.log(found.size[group]) + OWN * rng.standard_normal(len(group))
    own = found.law[group] + OWN * rng.standard_normal((len(group), 7))
    law = np.asarray(own + size[:, None] * SCALE, dtype=np.float64)
    law[:, 0] = np.where(rng.random(len(law)) < found.slow[group], law[:, 0], NO_DRIFT)
    return law


def _cycles(law: Array, record: Record, rng: np.random.Generator) -> tuple[Array, Array]:
    """Increments and the true ones, (cell, time), by the equations of the state space."""
    drift, memory, noise, restoring = np.exp(law[:, :4]).T
    gain, variance = kalman.gains(law, record)
    lengths = record.lengths[record.kind]
    cells, steps = record.state.shape
    made, truth = np.zeros((cells, steps)), np.empty((cells, steps))
    b = drift * rng.standard_normal(cells)
    error, before = np.zeros(cells), np.zeros(cells)
    for k, dt in enumerate(lengths):
        keep = np.exp(-dt / memory)
        b = keep * b + drift * np.sqrt(1 - keep**2) * rng.standard_normal(cells)
        shock = noise * np.sqrt(dt) * rng.standard_normal(cells)
        error = np.exp(-dt / restoring) * (error - before) + b * dt + shock
        seen = np.where(gain[:, k] > 0, variance[:, k], 0.0)
        seen = error + np.sqrt(seen) * rng.standard_normal(cells)
        before = made[:, k] = gain[:, k] * seen
        truth[:, k] = b * dt
    return made, truth


def _spread(
    law: Array,
    record: Record,
    laws: StateSpaceSmoother,
    group: np.ndarray,
    rng: np.random.Generator,
) -> Array:
    """What the filter expects of its increments, with the data's own scatter about that."""
    assert laws.laws is not None
    gain, variance = kalman.gains(law, record)
    assumed = np.where(gain > 0, variance, 0.0) / np.exp(2 * law[:, 6:7])
    # K = P / (P + R), so K^2 (P + R) is K^2 R / (1 - K).
    expected = gain * np.sqrt(assumed / np.maximum(1 - gain, 1e-6))
    scatter = laws.laws.error[group][:, None] * rng.standard_normal(gain.shape)
    return expected * np.exp(0.5 * scatter)
