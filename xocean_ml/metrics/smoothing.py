"""Scores of smoothed analysis increments, for each depth band and era.

A score is a function of sums over time, levels and columns, so fields are read in blocks of
columns, and an interval comes from resampling the columns' sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.metrics import bootstrap as resampling
from xocean_ml.metrics import series
from xocean_ml.metrics.sums import PULSE, YEARS, Plan, sum_blocks

__all__ = ["smoothing"]


def smoothing(
    smoothed: xr.DataArray,
    raw: xr.DataArray,
    *,
    truth: xr.DataArray | None = None,
    optimum: xr.DataArray | None = None,
    weights: xr.DataArray | None = None,
    conserve: Any = None,
    eras: series.Eras = None,
    bands: Sequence[float] | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Score smoothed increments against the raw ones and, in a twin experiment, the truth.

    Steps, levels and columns are pooled: a score is the ratio (or correlation) of weighted sums
    over all values of a band and era where every given field is finite. Computes dask arrays.

    Parameters
    ----------
    smoothed, raw : DataArray
        Increments with a time dimension (dates), optionally depth (metres), and any others
        ("columns"), in any order; NaN on land. Same units.
    truth : DataArray, optional
        True (model-error) increments of a twin experiment.
    optimum : DataArray, optional
        The best estimate that the same inputs allow, e.g. of a Kalman smoother.
    weights : DataArray, optional
        Mass or area of each value, along any of the dimensions; equal by default.
    conserve : array_like of int, or str, optional
        Windows over which amounts are to be conserved: a label for each step, or a frequency in
        years or months such as ``"5YS"``.
    eras : mapping of str to slice, or DataArray, optional
        Slices of times by name, or a label for each step. By default the coordinate ``era``
        along time, else the observing system by year (ship, from 1970 xbt, from 2004 argo).
    bands : sequence of float, optional
        Edges of depth bands in metres; by default 0, 20, 300, 800, 2000 and deeper.
    bootstrap : int
        Resamplings of columns (in blocks of neighbours), or of five-year windows where there is
        one column, for 95 % intervals; 0 for none.
    seed : int
        Seed of the resampling.

    Returns
    -------
    Dataset
        Dimensions (band, era); each score's definition is in its attributes, its interval in
        ``<score>_low`` and ``<score>_high``. Scores whose input is not given are left out.

    Raises
    ------
    GridError
        Coordinates that differ, or no dates.

    Examples
    --------
    A running mean over 5 months cuts the month-to-month noise of white increments to a fifth:

    >>> from xocean_ml.metrics import running_mean
    >>> noise = np.random.default_rng(0).standard_normal((600, 20))
    >>> time = xr.date_range("1970-01-01", periods=600, freq="MS")
    >>> raw = xr.DataArray(noise, dims=("time", "column"), coords={"time": time})
    >>> score = smoothing(running_mean(raw, 5), raw, bootstrap=0)
    >>> float(score.noise_ratio.sel(band="all", era="all").round(1))
    0.2
    """
    given = {"smoothed": smoothed, "raw": raw, "truth": truth, "optimum": optimum}
    fields = {name: value for name, value in given.items() if value is not None}
    if eras is None:
        eras = _era_coordinate(fields)
    ds = series.stack(fields, weights)
    plan = Plan.of(ds, conserve=conserve, eras=eras, bands=bands)
    sums = sum_blocks(ds, plan)
    units = resampling.blocks(sums, sums["weight"].sum(axis=(0, 1)) > 0)
    out = xr.Dataset(coords={"band": list(plan.bands), "era": list(plan.eras)})
    for name, score in SCORES.items():
        if not set(score.needs) <= set(units):
            continue
        attrs = {"long_name": score.long_name, "units": score.units, "definition": score.definition}
        if score.units == "same":
            attrs["units"] = str(raw.attrs.get("units", "1"))
        parts = {need: units[need] for need in score.needs}
        value = score({need: _whole(need, part) for need, part in parts.items()})
        low, high = resampling.interval(parts, score, samples=bootstrap, seed=seed)
        out[name] = (("era", "band"), value, attrs)
        for side, bound, text in (("low", low, "lower"), ("high", high, "upper")):
            if bootstrap:
                named = {"long_name": f"{text} end of the 95 % interval of {score.long_name}"}
                out[f"{name}_{side}"] = (("era", "band"), bound, {**attrs, **named})
    out["band"].attrs = {"long_name": "depth band", "comment": "metres"}
    out["era"].attrs = {"long_name": "era of the observing system"}
    return out.transpose("band", "era")


@dataclass(frozen=True)
class Score:
    """A score: what it is called, what it means, and its function of the sums it needs."""

    long_name: str
    units: str
    definition: str
    needs: tuple[str, ...]
    of: Callable[..., np.ndarray] = field(repr=False)

    def __call__(self, sums: Any) -> np.ndarray:
        """Return the score of totals, element by element; NaN where there are no data."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.of(*(sums[need] for need in self.needs))


def _root_ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(a / b)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a / b


def _correlation(xy: np.ndarray, xx: np.ndarray, yy: np.ndarray) -> np.ndarray:
    return xy / np.sqrt(xx * yy)


def _edge_ratio(
    edge: np.ndarray, step: np.ndarray, edges: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    return (edge / edges) / ((step - edge) / (steps - edges))


_MULTIYEAR = (
    f"correlation of {YEARS}-year means of deseasonalised, detrended increments, each series "
    "about its mean in the era, pooled over levels and columns; windows at least half full, at "
    "least three of them"
)
_PULSES = (
    f"fraction of values further from the truth than {PULSE:g} standard deviations (over time) of "
    "the true increments"
)
_EDGES = "mean absolute step across the windows' edges over that inside the windows"

SCORES: dict[str, Score] = {
    "noise_ratio": Score(
        "high-frequency noise ratio",
        "1",
        "root mean square of step-to-step differences of deseasonalised, detrended increments, "
        "smoothed over raw; a step belongs to the era in which it ends",
        ("step_smoothed", "step_raw"),
        _root_ratio,
    ),
    "correlation_truth": Score(
        "multi-year correlation with the truth",
        "1",
        f"{_MULTIYEAR}; smoothed with truth",
        ("cross_truth", "window_smoothed", "window_truth"),
        _correlation,
    ),
    "correlation_raw": Score(
        "multi-year correlation with the raw increments",
        "1",
        f"{_MULTIYEAR}; smoothed with raw",
        ("cross_raw", "window_smoothed", "window_raw"),
        _correlation,
    ),
    "rmse": Score(
        "root-mean-square error against the truth",
        "same",
        "root mean square of smoothed minus truth, nothing removed",
        ("error_smoothed", "weight"),
        _root_ratio,
    ),
    "rmse_ratio": Score(
        "error over the optimum's error",
        "1",
        "rmse of the smoothed over rmse of the optimum, both against the truth",
        ("error_smoothed", "error_optimum"),
        _root_ratio,
    ),
    "pulse": Score(
        "frequency of spurious pulses",
        "1",
        f"{_PULSES}; smoothed",
        ("pulse_smoothed", "weight"),
        _ratio,
    ),
    "pulse_raw": Score(
        "frequency of spurious pulses in the raw increments",
        "1",
        f"{_PULSES}; raw",
        ("pulse_raw", "weight"),
        _ratio,
    ),
    "closure_residual": Score(
        "relative closure residual",
        "1",
        "largest, over windows and series, of |sum m (smoothed - raw)| / sum |m raw| with m the "
        "weights (where the raw are all zero: over that sum's mean of the series' other windows); "
        "a window belongs to the era in which it begins",
        ("max_closure",),
        lambda residual: np.where(residual < 0, np.nan, residual),
    ),
    "edge_ratio": Score(
        "edge-to-inner step ratio",
        "1",
        f"{_EDGES}; smoothed",
        ("edge_smoothed", "jump_smoothed", "edges", "steps"),
        _edge_ratio,
    ),
    "edge_ratio_correction": Score(
        "edge-to-inner step ratio of the correction",
        "1",
        f"{_EDGES}; smoothed minus raw",
        ("edge_correction", "jump_correction", "edges", "steps"),
        _edge_ratio,
    ),
}


def _era_coordinate(fields: dict[str, xr.DataArray]) -> xr.DataArray | None:
    found = [value.coords["era"] for value in fields.values() if "era" in value.coords]
    return found[0] if found and found[0].ndim == 1 else None


def _whole(name: str, value: np.ndarray) -> np.ndarray:
    if name.startswith("max_"):
        return value.max(axis=-1, initial=-np.inf)
    return value.sum(axis=-1)
