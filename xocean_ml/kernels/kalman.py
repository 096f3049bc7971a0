"""Compiled passes of the scalar state space of assimilation: gain, likelihood, smoother.

Each cell is a world of its own with a state (e, b): the error of the forecast and the slow model
error that feeds it. `xocean_ml.smoothing.statespace` states the model; here it runs, cell by cell,
in loops that release the GIL. Arrays are (cell, time), so that a cell lies in one piece.

A law is a row of natural logarithms, in the order of `LAW`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["LAW", "Record", "gains", "score", "smooth"]

LAW = ("drift", "drift_time", "noise", "restoring", "error", "growth", "ratio")
"""Parameters of a cell; K and years.

drift, drift_time : standard deviation (K/year) and decorrelation time (years) of b.
noise : intensity of the fast model error, K/year^(1/2).
restoring : time in which the model forgets an error, years.
error : error that the assimilation assumes of one observation, K.
growth : intensity of the model error that the assimilation assumes, K/year^(1/2).
ratio : error of an observation over the assumed one.
"""

Array = NDArray[np.float64]


class Record(NamedTuple):
    """What is known of the cells.

    Parameters
    ----------
    increment : array (cell, time)
        K; 0 where there is none.
    state : array of int8 (cell, time)
        0 where nothing was assimilated, 1 where the increment is known, 2 where it is lost.
    counts : array (cell, time)
        Observations, as far as known; above 0 where `state` is.
    spread : array (cell, time)
        Ensemble spread of the increment, K; 0 where unknown.
    lengths : array (kinds,)
        The lengths of step that occur, years.
    kind : array of int (time,)
        Which of them each step has.
    loose : array (cell,)
        Standard deviation of the logarithm of the counts: 0 where they are known. Above 0, the
        spread of a step tells them too.
    error : array (cell,)
        Standard deviation of log(spread^2): sampling error, and what the model cannot explain.
    """

    increment: Array
    state: NDArray[np.int8]
    counts: Array
    spread: Array
    lengths: Array
    kind: NDArray[np.int64]
    loose: Array
    error: Array

    def cells(self, which: Any) -> Record:
        """The record of some cells."""
        return self._replace(
            increment=self.increment[which],
            state=self.state[which],
            counts=self.counts[which],
            spread=self.spread[which],
            loose=self.loose[which],
            error=self.error[which],
        )


def gains(law: Array, record: Record) -> tuple[Array, Array]:
    """Gain of the filter that made the increments, as far as it can be told.

    Parameters
    ----------
    law : array (cell, 7)
        Logarithms, see `LAW`.
    record : Record

    Returns
    -------
    gain : array (cell, time)
        0 where nothing was assimilated.
    variance : array (cell, time)
        Error variance of the mean observation, K2: `ratio` squared times the assumed one.
    """
    found = np.empty(record.increment.shape), np.empty(record.increment.shape)
    from xocean_ml.kernels import _kalman

    _kalman.all_gains(law, *record, *found)
    return found


def score(law: Array, record: Record, active: Any) -> tuple[Any, ...]:
    """Log-likelihood of each cell, its gradient and Fisher information.

    The likelihood of the increments comes from the innovations of the Kalman filter. Where the
    gain is told by counts and there is a spread too, log(spread^2) is a second, independent
    measurement, of the spread that the filter expects.

    Parameters
    ----------
    law : array (cell, 7)
        Logarithms, see `LAW`.
    record : Record
    active : array of int
        Which parameters are differentiated.

    Returns
    -------
    value : array (cell,)
        Log-likelihood.
    gradient : array (cell, active)
    information : array (cell, active, active)
    misfit : array (cell,)
        Mean square of log(spread^2) less what the filter expects; NaN where there is none.
    """
    cells, many = len(law), len(active)
    found = (
        np.zeros(cells),
        np.zeros((cells, many)),
        np.zeros((cells, many, many)),
        np.full(cells, np.nan),
    )
    from xocean_ml.kernels import _kalman

    _kalman.score(law, *record, np.asarray(active), *found)
    return found


def smooth(law: Array, record: Record) -> tuple[Array, Array]:
    """Mean and standard deviation of b dt given all increments, each (cell, time), K.

    Rauch-Tung-Striebel smoother in the form of Bryson and Frazier, which inverts no covariance.
    """
    found = np.empty(record.increment.shape), np.empty(record.increment.shape)
    from xocean_ml.kernels import _kalman

    _kalman.smooth(law, *record, *found)
    return found
