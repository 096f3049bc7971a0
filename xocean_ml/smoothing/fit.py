r"""Fitting the Dong smoother: the decay time that the increments themselves ask for.

There is no truth to compare with, but increments tell what they are made of: a slow part, which
is correlated from step to step, and noise, which is not (an optimal filter's increments would be
white). The covariance at lags :math:`l \ge 1`, averaged over cells, belongs to the slow part; it
is fitted by :math:`C(l) = s^2 \phi^l`, and what is left at lag 0 is noise :math:`n^2`. The
expected error of the smoother's weights :math:`w_l = (1-g) g^l` as an estimate of the slow part,

.. math:: E(g) = s^2 \Big(1 - 2 \sum_l w_l \phi^l + \sum_{lm} w_l w_m \phi^{|l-m|}\Big)
          + n^2 \sum_l w_l^2 ,

is then minimised over `g`. If no slow part is detectable the longest decay is taken, and told.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import chunked
from xocean_ml.device import to_numpy
from xocean_ml.smoothing.dong import Dong
from xocean_ml.smoothing.tiles import Job

__all__ = ["best_decay", "fit", "fitted_decay"]

LAGS = 24
COLUMNS = 4096
LONGEST = 1000.0
"""Decay, in steps, that stands for a series without a detectable slow part."""


def fit(
    ds: xr.Dataset,
    kind: str = "dong",
    *,
    fields: Any = None,
    also: Sequence[xr.Dataset] = (),
    **options: Any,
) -> Dong:
    """Fit a smoother to increments; this computes.

    Parameters
    ----------
    ds : Dataset
        As for `xocean_ml.smooth`.
    kind : str
        ``"dong"``, whose decay time is fitted.
    fields, also
        As for `xocean_ml.smooth`.
    **options
        ``head``, ``tail``: as for `xocean_ml.smooth`.

    Returns
    -------
    Dong
        With ``decay_days`` fitted; ``.save(path)`` keeps it.

    Raises
    ------
    ValueError
        If `kind` is not known.

    Examples
    --------
    >>> from xocean_ml.simulate import increments
    >>> twin = increments("test_inside", columns=2, years=(1990, 2010))
    >>> 30 < fit(twin).decay_days < 3000
    True
    """
    if kind != "dong":
        raise ValueError(f'kind={kind!r} is not known; known: "dong"')
    from xocean_ml.smoothing.smooth import prepare

    ready = prepare(ds, "dong", {**options, "decay": "fit"}, fields=fields, also=also)
    # Which ends are repaired depends on the call, so it is left open unless it was said.
    return replace(Dong(**options), decay_days=chunked.compute(ready.node()).decay_days)


def fitted_decay(model: Dong, work: Sequence[tuple[Any, Job]]) -> chunked.Tasks:
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
    return chunked.once(_fitted, model, float(np.median(steps.gaps)), *sums)


def best_decay(covariance: np.ndarray) -> float:
    """Decay, in steps, with the least expected error, from covariances at lags 0, 1, ...

    Parameters
    ----------
    covariance : array, (lags,)
        Autocovariance of increments.

    Examples
    --------
    A slow part of correlation 0.95 a step under noise of four times its variance:

    >>> lags = np.arange(24)
    >>> round(best_decay(0.95**lags + 4.0 * (lags == 0)), 1)
    6.1
    """
    lags = np.arange(1, len(covariance))
    slow, keep = _slow_part(covariance, lags)
    if slow <= 0:
        return LONGEST
    noise = max(covariance[0] - slow, 0.0)
    decays = np.geomspace(0.1, LONGEST, 400)
    g = np.exp(-1 / decays)
    # Closed forms of the sums over an endless record.
    cross = (1 - g) / (1 - g * keep)
    square = (1 - g) / (1 + g)
    both = square * (1 + g * keep) / (1 - g * keep)
    error = slow * (1 - 2 * cross + both) + noise * square
    return float(decays[np.argmin(error)])


def _slow_part(covariance: np.ndarray, lags: np.ndarray) -> tuple[float, float]:
    """Variance and correlation per step of the slow part: the best of a range of correlations."""
    best = (np.inf, 0.0, 0.0)
    for keep in 1 - np.geomspace(1e-3, 0.9, 200):
        shape = keep**lags
        size = float(shape @ covariance[1:] / (shape @ shape))
        misfit = float(((covariance[1:] - size * shape) ** 2).sum())
        if misfit < best[0]:
            best = (misfit, size, float(keep))
    _, size, keep = best
    # Covariances of white noise scatter about zero: a slow part must stand out from them.
    return (size, keep) if size > 0.005 * covariance[0] else (0.0, 0.0)


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
    values = np.where(valid, values, 0.0)
    mean = values.sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
    values = np.where(valid, values - mean, 0.0)
    lags = range(min(LAGS, len(values) - 1))
    products = [(values[lag:] * values[: len(values) - lag]).sum() for lag in lags]
    counts = [(valid[lag:] & valid[: len(valid) - lag]).sum() for lag in lags]
    return np.array([products, counts], dtype=np.float64)


def _added(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.sum(list(parts), axis=0)


def _fitted(model: Dong, step: float, *sums: Sequence[np.ndarray]) -> Dong:
    products, counts = sum(each[0] / max(each[0][0, 0], 1e-300) for each in sums)
    decay = best_decay(products / np.maximum(counts, 1e-300))
    if decay >= LONGEST:
        warnings.warn(
            "no slow part is detectable in the increments: they are averaged as widely as "
            "can be (shrunk towards their long-term mean)",
            stacklevel=2,
        )
    return model.with_options(decay_days=decay * step)
