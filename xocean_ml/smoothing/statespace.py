r"""A state space fitted to the increments by maximum likelihood, run as a smoother.

It learns nothing but a handful of physical numbers for each group of cells (a level, say), from
the user's own increments and without any truth. Over a step of dt years, in one cell,

.. math::
    b_k &= \rho\, b_{k-1} + \eta_k \\
    e_k &= \phi\, (e_{k-1} - d_{k-1}) + b_k\, dt + q_k \\
    d_k &= K_k\, (e_k + r_k)

with the slow model error b (K/year), the error e of the forecast, what the model cannot foresee q,
observation errors r of variance :math:`R/n_k`, and the increment d. The gain K is that of a
scalar Kalman filter that knows of no drift, :math:`K = P / (P + R/n)`. What assimilation must add
is b dt: the smoother returns its mean and standard deviation given all increments.

Seven parameters (`xocean_ml.kernels.kalman.LAW`) say all. They are fitted in two stages:

1. Pooled: one law for the cells of a group, each scaled by its own root mean square. Increments
   give their likelihood by the innovations of the Kalman filter, spread a second one:
   log(spread^2) is what the filter expects, :math:`K^2 (P + R/n)`, plus sampling error.
2. Own: each cell moves away from its group's law as far as its own increments ask for, held by a
   Gaussian prior (a factor 1.5, and the same again for its scale).

Both climb by Fisher scoring. What is known of the gain:

- **counts** are n. Where they are absent, their expectation is taken: the share of steps without
  an increment, a group's running mean over four years, tells the rate of observations, of
  which a Poisson number comes each step. Where no step is without, n is constant.
- **spread** without counts tells in the last pass what n was at each step: a Gaussian prior in
  log n about the expectation, updated by the step's spread.
- Counts at which observations of different error are lumped together are taken at face value.

White increments hold no slow part. The likelihood then says so (`StateSpace.slow`, and a
warning) and the estimate is shrunk to zero.

Limits: there is no seasonal cycle and no constant error in the model (a cycle is best taken out
before). Near the surface, where b forgets within weeks, it is hard to tell from q: with a spread
but no counts, the estimate there may be worse than none at all. The standard deviation takes the
law as known.

References
----------
Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter, ch. 3-4 (the
likelihood, scoring); Durbin & Koopman (2012), Time Series Analysis by State Space Methods, ch. 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xocean_ml.errors import ValuesError, warn
from xocean_ml.kernels import kalman
from xocean_ml.kernels.kalman import Array, Record
from xocean_ml.smoothing import _likelihood as likelihood
from xocean_ml.smoothing import _records as records
from xocean_ml.smoothing._likelihood import SCALE

__all__ = ["Smoothed", "StateSpace", "fit"]

FLOOR = 0.2  # least standard deviation of log(spread^2): about that of 50 members


class Smoothed(NamedTuple):
    """What the smoother knows of b dt.

    Parameters
    ----------
    mean, deviation : array (time, cell)
        Mean and standard deviation given all increments and the law, K. Steps without an
        increment have them too; cells without any are NaN.
    law : array (cell, 7)
        Natural logarithms of the parameters, see `xocean_ml.kernels.kalman.LAW`.
    """

    mean: Array
    deviation: Array
    law: Array


@dataclass(frozen=True, eq=False)
class StateSpace:
    """Laws of groups of cells, fitted by `fit`.

    Parameters
    ----------
    law : array (group, 7)
        Logarithms of parameters, of increments over `size`.
    size : array (group,)
        Root mean square of the increments, K.
    rate : array (group, time) or None
        Expected observations of a step; None where counts were given.
    error, loose : array (group,)
        Standard deviations of log(spread^2) and of log(count).
    slow : array (group,)
        Evidence for a slow part, from 0 (none) to 1 (beyond doubt). What is found of one is
        multiplied by it, so that noise shrinks to zero; the deviation tells what was taken.
    free : array of int
        Which parameters were fitted: without a spread, `ratio` is 1.
    """

    law: Array
    size: Array
    rate: Array | None
    error: Array
    loose: Array
    slow: Array
    free: NDArray[np.int64]

    def smooth(
        self,
        increment: ArrayLike,
        years: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        counts: ArrayLike | None = None,
        spread: ArrayLike | None = None,
        own: bool = True,
    ) -> Smoothed:
        """Smooth cells of the groups that were fitted, each by itself.

        Parameters
        ----------
        increment, years, groups, counts, spread
            As in `fit`, for any cells over the same steps.
        own : bool
            Whether each cell gets a law of its own (stage 2). Without it it has its group's, and
            costs a fiftieth.

        Returns
        -------
        Smoothed
        """
        given = records.read(increment, years, groups, counts, spread)
        which = given.groups
        if which.max(initial=0) >= len(self.law):
            raise ValuesError(f"group {which.max()} was not fitted: there are {len(self.law)}")
        record, size = _scaled(given.record, self, which, counts is None)
        law = self.law[which]
        if own:
            law = likelihood.own_laws(law, record, self.free).law
        loose = self.loose[which]
        error = np.where(loose > 0, FLOOR, record.error)
        mean, deviation = kalman.smooth(law, record._replace(loose=loose, error=error))
        slow = self.slow[which][:, None]
        deviation = np.hypot(deviation, (1 - slow) * mean) * size[:, None]
        mean *= slow * size[:, None]
        mean[given.dead] = deviation[given.dead] = np.nan
        return Smoothed(mean.T, deviation.T, law + np.log(size)[:, None] * SCALE)


def fit(
    increment: ArrayLike,
    years: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    counts: ArrayLike | None = None,
    spread: ArrayLike | None = None,
    most: int = 40,
) -> StateSpace:
    """Fit the laws of groups of cells by maximum likelihood.

    Parameters
    ----------
    increment : array (time, cell)
        K per step; exactly 0 where nothing was assimilated, NaN where it is not known.
    years : array (time,)
        Length of each step, years.
    groups : array of int (cell,), optional
        Cells that share a law, from 0: their level. All share one when absent.
    counts : array (time, cell), optional
        Number of observations. An increment without any counts as of one observation.
    spread : array (time, cell), optional
        Ensemble spread of the increment, K.
    most : int
        Cells of a group that are used, evenly spaced in their order.

    Returns
    -------
    StateSpace

    Raises
    ------
    ValuesError
        Infinite increments, negative spread or counts, lengths that are not above zero.

    Warns
    -----
    UserWarning
        Groups without a detectable slow part.

    Examples
    --------
    >>> from xocean_ml.simulate import increments
    >>> twin = increments("test_inside", columns=8, years=(1980, 2019), depth=(500.0,))
    >>> raw, true = (twin[f"{name}_increment"].values[:, 0] for name in ("temperature", "true"))
    >>> years = np.full(len(raw), 1 / 12)
    >>> out = fit(raw, years).smooth(raw, years)
    >>> bool((out.mean - true).std() < 0.3 * (raw - true).std())
    True
    """
    given = records.read(increment, years, groups, counts, spread)
    count = int(given.groups.max()) + 1
    model = StateSpace(
        law=np.empty((count, 7)),
        size=records.group_sizes(given.record, given.groups, count),
        rate=records.rates(given, count) if counts is None else None,
        error=np.full(count, records.UNSURE),
        loose=np.zeros(count),
        slow=np.ones(count),
        free=np.arange(7 if spread is not None else 6),
    )
    used = records.thinned(given.groups, most)
    which = given.groups[used]
    record, _ = _scaled(given.record.cells(used), model, which, counts is None)
    found, slow = likelihood.pooled_laws(record, which, count, model.free)
    _warn(slow)
    model = replace(model, law=found.law, slow=slow)
    return model if spread is None else _explained(model, record, which, found.misfit)


def _scaled(
    record: Record, model: StateSpace, which: NDArray[np.int64], counting: bool
) -> tuple[Record, Array]:
    """The record over the size of each cell, and that size; counts told where they are not."""
    record = record._replace(error=model.error[which])
    if counting and model.rate is not None:
        record = record._replace(counts=records.expected(record, model.rate[which]))
    size = records.sizes(record, model.size[which])
    return records.over(record, size), size


def _explained(
    model: StateSpace, record: Record, which: NDArray[np.int64], misfit: Array
) -> StateSpace:
    """The model with how well it explains the spread; what sampling does not, counts do.

    Cells of a group differ: what a law leaves unexplained is known once each has its own.
    """

    def typical(misfit: Array) -> Array:
        return np.maximum(likelihood.medians(misfit, which, model.error**2) ** 0.5, FLOOR)

    error = typical(misfit)
    for _ in range(2):
        own = likelihood.own_laws(model.law[which], record._replace(error=error[which]), model.free)
        error = typical(own.misfit)
    loose = model.loose if model.rate is None else np.sqrt(error**2 - FLOOR**2)
    return replace(model, error=error, loose=loose)


def _warn(slow: Array) -> None:
    if (slow < 1).any():
        which = ", ".join(str(g) for g in np.flatnonzero(slow < 1))
        warn(
            f"no slow part is detectable in the increments of group {which}: the smoothed "
            "increments shrink towards zero",
        )
