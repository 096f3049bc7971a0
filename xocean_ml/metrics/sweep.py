"""The frontier: error against truth at equal noise, each method swept over its parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import xarray as xr

from xocean_ml.metrics import series
from xocean_ml.metrics.smoothing import smoothing

__all__ = ["at_noise", "frontier", "inside"]

Method: TypeAlias = Callable[[float], xr.DataArray] | Sequence[tuple[float, xr.DataArray]]
"""A smoother as a function of its parameter, or its results as (parameter, smoothed) pairs."""

_SILENCE = 1e-300  # stands for no noise at all, which has no logarithm


def frontier(
    raw: xr.DataArray,
    truth: xr.DataArray,
    methods: Mapping[str, Method],
    *,
    parameters: Mapping[str, Sequence[float]] | None = None,
    optimum: xr.DataArray | None = None,
    weights: xr.DataArray | None = None,
    eras: series.Eras = None,
    bands: Sequence[float] | None = None,
) -> xr.Dataset:
    """Sweep methods over their parameters: error against truth and noise ratio of each.

    Parameters
    ----------
    raw, truth : DataArray
        Raw and true increments, see `smoothing`.
    methods : mapping of str to callable or sequence
        For each method a function of its parameter that returns smoothed increments, or pairs of
        parameter and smoothed increments.
    parameters : mapping of str to sequence of float, optional
        Parameters at which each function is called.
    optimum : DataArray, optional
        Best possible estimate; adds ``optimum_rmse`` and ``optimum_noise_ratio``.
    weights, eras, bands
        As for `smoothing`.

    Returns
    -------
    Dataset
        ``rmse`` and ``noise_ratio``, dimensions (smoother, parameter, band, era), and the
        coordinate ``value`` (smoother, parameter) with the parameters; NaN where a method has
        fewer than another.

    Examples
    --------
    >>> from xocean_ml.metrics import running_mean
    >>> rng = np.random.default_rng(0)
    >>> time = xr.date_range("1970-01-01", periods=600, freq="MS")
    >>> truth = xr.DataArray(np.sin(np.arange(600) / 30), dims="time", coords={"time": time})
    >>> raw = truth + rng.standard_normal(600)
    >>> sweep = frontier(
    ...     raw,
    ...     truth,
    ...     {"running mean": lambda n: running_mean(raw, int(n))},
    ...     parameters={"running mean": [1, 13, 25]},
    ... )
    >>> sweep.rmse.sel(era="all").isel(smoother=0, band=0).values.round(1)
    array([1. , 0.3, 0.2])
    """

    def score(x: xr.DataArray) -> xr.Dataset:
        out = smoothing(x, raw, truth=truth, weights=weights, eras=eras, bands=bands, bootstrap=0)
        return out[["rmse", "noise_ratio"]]

    rows = []
    for name, method in methods.items():
        values, scores = [], []
        for value, smoothed in _sweep(name, method, parameters or {}):
            values.append(value)
            scores.append(score(smoothed))
        row = xr.concat(scores, "parameter", combine_attrs="override")
        rows.append(row.assign_coords(value=("parameter", values)))
    longest = max(row.sizes["parameter"] for row in rows)
    padded = [row.pad(parameter=(0, longest - row.sizes["parameter"])) for row in rows]
    out = xr.concat(padded, "smoother", combine_attrs="override")
    # Not "method": Dataset.sel has an argument of that name, and would take the label for it.
    out = out.assign_coords(smoother=list(methods))
    out["value"].attrs["long_name"] = "parameter of the smoother"
    if optimum is not None:
        best = score(optimum)
        out = out.assign({f"optimum_{name}": best[name] for name in best})
    return out.transpose("smoother", "parameter", "band", "era")


def _sweep(
    name: str, method: Method, parameters: Mapping[str, Sequence[float]]
) -> Sequence[tuple[float, xr.DataArray]]:
    if not callable(method):
        return method
    if name not in parameters:
        raise ValueError(f"method {name!r} is a function: give its values in parameters[{name!r}]")
    return [(value, method(value)) for value in parameters[name]]


def at_noise(frontier: xr.Dataset, noise_ratio: float | xr.DataArray) -> xr.DataArray:
    """Return each method's error at equal noise, interpolated along its sweep.

    Between neighbouring parameters the error is taken as linear in the logarithm of the noise;
    where a sweep crosses the noise twice, its smaller error counts.

    Parameters
    ----------
    frontier : Dataset
        From `frontier`.
    noise_ratio : float or DataArray
        Noise ratio at which to compare, e.g. that of one's own method by band and era.

    Returns
    -------
    DataArray
        Error, dimensions (smoother, band, era); NaN outside the noise that a method's sweep spans.

    Examples
    --------
    >>> sweep = xr.Dataset(
    ...     {
    ...         "noise_ratio": (("smoother", "parameter"), [[0.1, 0.3]]),
    ...         "rmse": (("smoother", "parameter"), [[2.0, 1.0]]),
    ...     }
    ... )
    >>> at_noise(sweep, 0.2).values.round(3)
    array([1.369])
    """
    out = xr.apply_ufunc(
        _interpolate,
        frontier["noise_ratio"],
        frontier["rmse"],
        noise_ratio,
        input_core_dims=[["parameter"], ["parameter"], []],
        vectorize=True,
    )
    out.attrs = {**frontier["rmse"].attrs, "long_name": "error against truth at equal noise"}
    return out


def _interpolate(noise: np.ndarray, error: np.ndarray, wanted: float) -> float:
    """Smallest error where the sweep, straight between its points, crosses the wanted noise."""
    known = np.isfinite(noise) & np.isfinite(error)
    x, y = np.log(np.maximum(noise[known], _SILENCE)), error[known]
    at = np.log(max(wanted, _SILENCE))
    found = [last for near, last in zip(x, y, strict=True) if abs(near - at) < 1e-12]
    for (x0, y0), (x1, y1) in pairwise(zip(x, y, strict=True)):
        if (x0 - at) * (x1 - at) < 0:
            found.append(y0 + (y1 - y0) * (at - x0) / (x1 - x0))
    return float(min(found, default=np.nan))


def inside(frontier: xr.Dataset, method: str) -> xr.DataArray:
    """Tell where a method lies on or inside the frontier of the others.

    A setting is outside if any other method, at no more noise, has a smaller error (its sweep
    interpolated at equal noise).

    Parameters
    ----------
    frontier : Dataset
        From `frontier`.
    method : str
        Name of the method to judge.

    Returns
    -------
    DataArray of bool
        Dimensions (parameter, band, era); use ``.any("parameter")`` for "somewhere".

    Examples
    --------
    >>> sweep = xr.Dataset(
    ...     {
    ...         "noise_ratio": (("smoother", "parameter"), [[0.1, 0.3], [0.2, 0.4]]),
    ...         "rmse": (("smoother", "parameter"), [[2.0, 1.0], [1.3, 1.2]]),
    ...     },
    ...     coords={"smoother": ["rival", "mine"]},
    ... )
    >>> inside(sweep, "mine").values
    array([ True, False])
    """
    mine = frontier[["rmse", "noise_ratio"]].sel(smoother=method, drop=True)
    mine = mine.reset_coords(drop=True).rename(parameter="setting")
    others = frontier[["rmse", "noise_ratio"]].drop_sel(smoother=method).reset_coords(drop=True)
    equal = at_noise(others, mine["noise_ratio"]).min("smoother")
    quieter = others["rmse"].where(others["noise_ratio"] <= mine["noise_ratio"])
    best = equal.fillna(np.inf).clip(max=quieter.min(["smoother", "parameter"]).fillna(np.inf))
    out = mine["rmse"] <= best * (1 + 1e-9)
    out = out.rename(setting="parameter")
    return out.assign_attrs(long_name=f"{method} on or inside the frontier of the other methods")
