r"""Twins matched to the user's own increments: what a network without a truth is trained on.

A state space fitted to the data (`xocean_ml.smoothing.statespace`) says what kind of model and of
assimilation they come from. Here its equations run forwards, with new noise, at the data's own
times; increments are made where the data have them, with their counts, and the spread errs as
theirs does. Each twin has the law of a cell of the data, scattered, so that a network does not hang
on the estimate. The best answer is known: the smoother of the law that the twin was made with.
"""

from __future__ import annotations

import numpy as np

from xocean_ml.kernels import kalman
from xocean_ml.kernels.kalman import Array, Record
from xocean_ml.smoothing import _records as records
from xocean_ml.smoothing._likelihood import NO_DRIFT
from xocean_ml.smoothing.own import YEAR, StateSpaceSmoother
from xocean_ml.smoothing.sample import Sample
from xocean_ml.smoothing.statespace import StateSpace
from xocean_ml.smoothing.train import World, tensors
from xocean_ml.training import generator

__all__ = ["Matched"]

SCATTER = 0.15
"""Standard deviation of the logarithms of parameters about those of a cell."""


class Matched:
    """Twins of some data.

    Parameters
    ----------
    some : Sample
        The data.
    laws : StateSpaceSmoother
        Fitted to them.
    """

    def __init__(self, some: Sample, laws: StateSpaceSmoother) -> None:
        assert laws.laws is not None
        years = some.steps.length / YEAR
        self.some, self.laws = some, laws.laws
        self.given = records.read(some.series, years, some.level, some.counts, some.spread)
        # The law that each cell's own increments ask for, in K.
        self.law = self.laws.smooth(
            some.series, years, some.level, counts=some.counts, spread=some.spread
        ).law

    def draw(self, cells: int, *key: int) -> World:
        """One draw, of cells spread over the levels as the data are.

        Parameters
        ----------
        cells : int
            How many.
        *key : int
            Position of the random numbers: seed, number of the draw.
        """
        rng = generator(*key)
        some, steps = self.some, self.some.steps
        pick = rng.choice(np.flatnonzero(~self.given.dead), cells)
        group = self.given.groups[pick]
        record = _observed(self.given.record.cells(pick), self.laws, group, some, rng)
        law = self.law[pick] + SCATTER * rng.standard_normal((cells, 7))
        none = rng.random(cells) >= self.laws.slow[group]
        law[none, 0] = NO_DRIFT
        increments, truth = _cycles(law, record, rng)
        record = record._replace(increment=increments)
        best, _ = kalman.smooth(law, record)
        spread = counts = None
        if some.spread is not None:
            spread = _spread(law, record, self.laws.error[group], rng)
        if some.counts is not None:
            counts = np.where(record.state > 0, record.counts, 0.0)
        live = np.flatnonzero((increments != 0).sum(axis=1) > 2)
        return tensors(
            increments[live].T,
            steps.days,
            steps.length,
            some.depth_of_cells[pick][live],
            None if spread is None else spread[live].T,
            None if counts is None else counts[live].T,
            best[live].T,
            truth[live].T,
        )


def _observed(
    record: Record,
    laws: StateSpace,
    group: np.ndarray,
    some: Sample,
    rng: np.random.Generator,
) -> Record:
    """The data's cells without their numbers: where increments are made, and of how many."""
    state = np.where(record.state > 0, 1, 0).astype(np.int8)
    counts = record.counts
    if some.counts is None and laws.rate is not None:
        mean = records.expected(record, laws.rate[group])
        # Of those that come at all: what an expectation above one has beyond the first.
        counts = 1.0 + rng.poisson(np.maximum(mean - 1.0, 0.0)).astype(np.float64)
    zero = np.zeros(len(state))
    return record._replace(state=state, counts=counts, loose=zero, spread=np.zeros(counts.shape))


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


def _spread(law: Array, record: Record, error: np.ndarray, rng: np.random.Generator) -> Array:
    """What the filter expects of its increments, with the data's own scatter about that."""
    gain, variance = kalman.gains(law, record)
    assumed = np.where(gain > 0, variance, 0.0) / np.exp(2 * law[:, 6:7])
    # K = P / (P + R), so K^2 (P + R) is K^2 R / (1 - K).
    expected = gain * np.sqrt(assumed / np.maximum(1 - gain, 1e-6))
    return expected * np.exp(0.5 * error[:, None] * rng.standard_normal(gain.shape))
