r"""Fitting the Dong smoother: the decay time that the increments themselves ask for.

There is no truth to compare with, but increments tell what they are made of: a slow part, which
stays correlated over many steps, and noise. An analysis that follows noise takes it back later
on, so that the noise of increments adds up to nothing in the long run: it is anticorrelated over
the memory of the filter, and hides the slow part at short lags. The covariance at lags
:math:`l \ge 1`, averaged over cells (each scaled to variance one), is fitted by

.. math:: C(l) = s^2 \phi^l - \tfrac12 n^2 (1-\rho) \rho^{l-1}, \qquad C(0) = s^2 + n^2 ,

whose second part has the sum over all lags zero; white noise is its limit :math:`\rho \to 1`.
The expected error of the smoother's weights :math:`w_l = (1-g) g^l` as an estimate of the slow
part,

.. math:: E(g) = s^2 \Big(1 - 2 \frac{1-g}{1-g\phi}
          + \frac{1-g}{1+g} \, \frac{1+g\phi}{1-g\phi}\Big)
          + n^2 \frac{1-g}{1+g} \, \frac{1-g}{1-g\rho} ,

is then minimised over `g`. If no slow part is detectable the longest decay is taken, and told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import chunked
from xocean_ml.device import to_numpy
from xocean_ml.errors import warn
from xocean_ml.smoothing.dong import Dong
from xocean_ml.smoothing.tiles import Job

__all__ = ["best_decay", "fit_dong", "fitted_decay"]

LAGS = 40
"""How many lags, spaced evenly in their logarithm up to a quarter of the record."""
COLUMNS = 4096
LONGEST = 1000.0
"""Decay, in steps, that stands for a series without a detectable slow part."""


def fit_dong(
    ds: xr.Dataset, *, fields: Any = None, also: Sequence[xr.Dataset] = (), **options: Any
) -> Dong:
    """Fit the decay; see `xocean_ml.smoothing.fit.fit`."""
    from xocean_ml.smoothing.prepare import prepare

    ready = prepare(ds, "dong", {**options, "decay": "fit"}, fields=fields, also=also)
    # Which ends are repaired depends on the call, so it is left open unless it was said.
    fitted = chunked.compute(ready.node())
    return replace(Dong(**options), decay_days=fitted.decay_days)


def fitted_decay(model: Any, work: Sequence[tuple[Any, Job]]) -> chunked.Tasks:
    """One task that gives `model` with its decay fitted to the increments, lazily.

    Parameters
    ----------
    model : Dong
        Its other settings are kept.
    work : sequence of (dask array, Job)
        Increments of each variable. At most 4096 columns, evenly spaced, are used.
    """
    sums = []
    for array, job in work:
        thin = _thinned(array, job.time)
        grid = tuple((sum(c),) if a == job.time else c for a, c in enumerate(thin.chunks))
        along = tuple(chunked.own(a, sizes) for a, sizes in enumerate(grid))
        found = chunked.tasks(
            _products, grid, [chunked.Input(thin, along)], shared={"time": job.time}
        )
        sums.append(chunked.reduced(found, _added, keep=()))
    steps = work[0][1].steps
    return chunked.once(_fitted, model, len(steps), float(np.median(steps.gaps)), *sums)


def best_decay(lags: np.ndarray, covariance: np.ndarray) -> float:
    """Decay, in steps, with the least expected error.

    Parameters
    ----------
    lags : array of int, (lags,)
        0, 1, ... in steps; not all need be there.
    covariance : array, (lags,)
        Autocovariance of increments.

    Examples
    --------
    A slow part of correlation 0.95 a step under noise of four times its variance:

    >>> lags = np.arange(100)
    >>> round(best_decay(lags, 0.95**lags + 4.0 * (lags == 0)), 1)
    7.3
    """
    slow, phi, noise, rho = _parts(lags, covariance)
    if slow <= 0:
        return LONGEST
    decays = np.geomspace(0.1, LONGEST, 400)
    g = np.exp(-1 / decays)
    square = (1 - g) / (1 + g)
    missed = 1 - 2 * (1 - g) / (1 - g * phi) + square * (1 + g * phi) / (1 - g * phi)
    error = slow * missed + noise * square * (1 - g) / (1 - g * rho)
    return float(decays[np.argmin(error)])


def _parts(lags: np.ndarray, covariance: np.ndarray) -> tuple[float, float, float, float]:
    """Slow variance and its correlation per step, noise variance and its memory per step."""
    at, values, total = lags[1:].astype(float), covariance[1:], covariance[0]
    best, without = (np.inf, 0.0, 0.0, 1.0), np.inf
    for memory in np.geomspace(0.2, 1e4, 60):
        rho = np.exp(-1 / memory)
        taken_back = 0.5 * (1 - rho) * rho ** (at - 1)
        for scale in np.geomspace(2.0, 2.0 * lags[-1], 40):
            phi = np.exp(-1 / scale)
            shape = phi**at + taken_back
            target = values + total * taken_back
            size = min(max(float(shape @ target / (shape @ shape)), 0.0), total)
            misfit = float(((target - size * shape) ** 2).sum())
            if misfit < best[0]:
                best = (misfit, size, float(phi), float(rho))
        without = min(without, float((target**2).sum()))
    misfit, slow, phi, rho = best
    # Covariances of noise scatter about zero, and any curve fits scatter a little better.
    found = misfit < 0.6 * without and slow > 2e-3 * total
    return (slow, phi, total - slow, rho) if found else (0.0, 0.0, total, rho)


def _thinned(array: Any, time: int) -> Any:
    cells = array.size // array.shape[time]
    cut = [slice(None)] * array.ndim
    for axis in np.argsort(array.shape)[::-1]:
        if axis == time or cells <= COLUMNS:
            continue
        stride = min(array.shape[axis], int(np.ceil(cells / COLUMNS)))
        cut[axis] = slice(stride // 2, None, stride)
        cells = cells // array.shape[axis] * len(range(*cut[axis].indices(array.shape[axis])))
    return array[tuple(cut)]


def _products(place: chunked.Place, increments: Any, time: int) -> np.ndarray:
    """Sums of products at each lag and how many there are, (2, lags)."""
    values = np.moveaxis(to_numpy(increments), time, 0).astype(np.float64)
    values = values.reshape(values.shape[0], -1)
    valid = np.isfinite(values)
    counts = np.maximum(valid.sum(axis=0), 1)
    values = np.where(valid, values, 0.0)
    values = np.where(valid, values - values.sum(axis=0) / counts, 0.0)
    spread = np.sqrt((values**2).sum(axis=0) / counts)
    values = values / np.where(spread > 0, spread, 1.0)
    lags = _lags(len(values))
    products = [(values[lag:] * values[: len(values) - lag]).sum() for lag in lags]
    pairs = [(valid[lag:] & valid[: len(valid) - lag]).sum() for lag in lags]
    return np.array([products, pairs], dtype=np.float64)


def _lags(steps: int) -> np.ndarray:
    return np.unique(np.r_[0, np.geomspace(1, max(2, steps // 4), LAGS).round().astype(int)])


def _added(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.sum(list(parts), axis=0)


def _fitted(model: Dong, steps: int, gap: float, *sums: Sequence[np.ndarray]) -> Dong:
    products, pairs = np.sum([each[0] for each in sums], axis=0)
    decay = best_decay(_lags(steps), products / np.maximum(pairs, 1))
    if decay >= LONGEST:
        warn(
            "no slow part is detectable in the increments: they are averaged as widely as "
            "can be (shrunk towards their long-term mean)",
        )
    return replace(model, decay_days=decay * gap)
