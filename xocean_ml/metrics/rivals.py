"""The simplest rivals of any smoother, as plain functions of a DataArray."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from xocean_ml import grid

__all__ = ["running_mean", "whittaker"]


def running_mean(da: xr.DataArray, steps: int, *, dim: str | None = None) -> xr.DataArray:
    """Average each value with its neighbours in time, centred.

    An even window weighs its two ends by half, so that it stays centred (the "2 x 12" mean of
    monthly data). Near an end of the series the window shrinks to what lies inside.

    Parameters
    ----------
    da : DataArray
        Any dimensions, one of them time; NaN stays NaN and is left out of its neighbours' means.
    steps : int
        Length of the window in steps.
    dim : str, optional
        Dimension to average along; by default the one with dates.

    Returns
    -------
    DataArray
        Same dimensions, dtype and units; lazy where the input was.

    Examples
    --------
    >>> da = xr.DataArray([0.0, 3.0, 0.0, 0.0, 3.0], dims="time")
    >>> running_mean(da, 3, dim="time").values
    array([1.5, 1. , 1. , 1. , 1.5])
    """
    if steps < 1:
        raise ValueError(f"steps must be 1 or more; got {steps}")
    return _along_time(lambda x: _running_mean(x, int(steps)), da, dim)


def whittaker(da: xr.DataArray, lam: float, *, dim: str | None = None) -> xr.DataArray:
    """Smooth by penalised least squares (Whittaker 1922; Hodrick and Prescott 1997).

    Minimises ``sum (y - x)^2 + lam * sum (y[k-1] - 2 y[k] + y[k+1])^2`` for each series: straight
    lines pass unchanged, and so do the sum and the first moment of a series without gaps.

    Parameters
    ----------
    da : DataArray
        Any dimensions, one of them time, evenly spaced; NaN stays NaN and is bridged.
    lam : float
        Penalty; a period of ``2 pi lam ** 0.25`` steps is halved.
    dim : str, optional
        Dimension to smooth along; by default the one with dates.

    Returns
    -------
    DataArray
        Same dimensions, dtype and units; lazy where the input was.

    Examples
    --------
    >>> line = xr.DataArray([1.0, 2.0, 3.0, 4.0, 5.0], dims="time")
    >>> whittaker(line, 100.0, dim="time").values.round(6)
    array([1., 2., 3., 4., 5.])
    """
    if lam < 0:
        raise ValueError(f"lam must not be negative; got {lam}")
    return _along_time(lambda x: _whittaker(x, float(lam)), da, dim)


def _along_time(
    smoother: Callable[[np.ndarray], np.ndarray], da: xr.DataArray, dim: str | None
) -> xr.DataArray:
    dim = grid.dimension(da, "T") if dim is None else dim

    def block(x: np.ndarray) -> np.ndarray:
        series = np.moveaxis(x, -1, 0).astype(float)
        out = smoother(series.reshape(len(series), -1)).reshape(series.shape)
        return np.moveaxis(np.where(np.isnan(series), np.nan, out), 0, -1).astype(dtype)

    dtype = np.result_type(da.dtype, np.float32)
    if da.chunks is not None:
        da = da.chunk({dim: -1})
    out = xr.apply_ufunc(
        block,
        da,
        input_core_dims=[[dim]],
        output_core_dims=[[dim]],
        dask="parallelized",
        output_dtypes=[dtype],
        keep_attrs=True,
    )
    return out.transpose(*da.dims)


def _running_mean(x: np.ndarray, steps: int) -> np.ndarray:
    valid = np.isfinite(x)
    total, count = np.where(valid, x, 0.0), valid.astype(float)
    with np.errstate(invalid="ignore"):
        return _window_sum(total, steps) / _window_sum(count, steps)


def _window_sum(x: np.ndarray, steps: int) -> np.ndarray:
    """Sum over a centred window; an even one is the mean of the two that lean either way."""
    half = steps // 2
    ends = np.concatenate([np.zeros_like(x[:1]), np.cumsum(x, axis=0)])
    k, size = np.arange(len(x)), len(x)
    high = ends[np.minimum(k + half + 1, size)]
    low = ends[np.maximum(k - half, 0)]
    if steps % 2:
        return high - low
    shorter = ends[np.minimum(k + half, size)] - ends[np.maximum(k - half + 1, 0)]
    return 0.5 * (high - low + shorter)


def _whittaker(x: np.ndarray, lam: float) -> np.ndarray:
    """Solve (W + lam D'D) y = W x for all columns at once, D second differences, W 0 in gaps."""
    size = len(x)
    if size < 3 or lam == 0:
        return x
    valid = np.isfinite(x)
    # A series of fewer than two values has no line of its own: hold it as it is.
    hold = valid.sum(axis=0) < 2
    weight = np.where(hold, 1.0, valid)
    y = np.where(valid, x, 0.0)
    main, first, second = _penalty(size, lam)
    d, e, f = np.empty_like(y), np.zeros_like(y), np.zeros_like(y)
    # L D L' of a pentadiagonal matrix (Eilers 2003), forward, then back.
    for k in range(size):
        d[k] = weight[k] + main[k]
        near = np.full(y.shape[1:], first[k])
        if k > 0:
            d[k] -= e[k - 1] ** 2 * d[k - 1]
            near -= d[k - 1] * e[k - 1] * f[k - 1]
            y[k] -= e[k - 1] * y[k - 1]
        if k > 1:
            d[k] -= f[k - 2] ** 2 * d[k - 2]
            y[k] -= f[k - 2] * y[k - 2]
        e[k], f[k] = near / d[k], second[k] / d[k]
    y /= d
    for k in range(size - 2, -1, -1):
        y[k] -= e[k] * y[k + 1]
        if k < size - 2:
            y[k] -= f[k] * y[k + 2]
    return np.where(hold, x, y)


def _penalty(size: int, lam: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the diagonals of lam D'D, each of length `size`."""
    rows = np.arange(size - 2)
    main, first, second = np.zeros(size), np.zeros(size), np.zeros(size)
    for offset, value in enumerate((1.0, -2.0, 1.0)):
        main[rows + offset] += value**2
    first[rows] -= 2.0
    first[rows + 1] -= 2.0
    second[rows] += 1.0
    return lam * main, lam * first, lam * second
