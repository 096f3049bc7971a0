"""Scores of an analysed climate against the truth: how close, how sure, how often right."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from xocean_ml import grid
from xocean_ml.errors import FieldNotFound, GridError
from xocean_ml.metrics.bootstrap import blocks, interval

__all__ = ["assimilation"]

NINETY = 1.6448536269514722
"""Standard errors within which 90 % of normal errors lie."""

Sums = Mapping[str, np.ndarray]


def assimilation(
    full: xr.Dataset,
    truth: xr.Dataset,
    *,
    base: xr.Dataset | None = None,
    largest: int = 100,
    bootstrap: int = 500,
    seed: int = 0,
) -> xr.Dataset:
    """Score the fields of an analysis.

    Parameters
    ----------
    full : Dataset
        What `xocean_ml.assimilate` gives: fields and their ``<name>_spread``.
    truth : Dataset
        The same variables on the same times and grid, in the same units; NaN where there is none.
    base : Dataset, optional
        What would be said without observations, the climatology: ``ds.where(False).assimilate()``.
    largest : int
        Most blocks of neighbouring times that are resampled.
    bootstrap : int
        Resamplings, for the 95 % intervals.
    seed : int
        Of the resampling.

    Returns
    -------
    Dataset
        Along ``variable``: ``rmse`` (units of the variable), ``explained`` (share of the variance
        about `base`), ``correlation`` (of the differences from `base`), ``spread_over_error``
        (root mean squares) and ``within_90`` (share of the truth within 1.645 spreads), area
        weighted; ``rmse_low``, ``rmse_high`` and so on.

    Raises
    ------
    FieldNotFound
        No variable with a spread in both.
    GridError
        Other times or another grid.

    Examples
    --------
    >>> lat = ("lat", [-30.0, 0, 30], {"units": "degrees_north"})
    >>> lon = ("lon", [0.0, 90, 180, 270], {"units": "degrees_east"})
    >>> random = np.random.default_rng(0)
    >>> sst = xr.DataArray(random.normal(size=(200, 3, 4)), {"lat": lat, "lon": lon},
    ...                    ("time", "lat", "lon"))
    >>> truth = sst.to_dataset(name="sst")
    >>> full = (truth + 0.5 * random.normal(size=sst.shape)).assign(sst_spread=0 * sst + 0.5)
    >>> score = assimilation(full, truth, base=0 * truth).sel(variable="sst")
    >>> print(f"{float(score.rmse):.1f} {float(score.explained):.1f} {float(score.within_90):.1f}")
    0.5 0.8 0.9
    """
    names = [str(n) for n in truth.data_vars if n in full and f"{n}_spread" in full]
    if not names:
        raise FieldNotFound(
            f"no variable of truth, {sorted(map(str, truth.data_vars))}, is in full with its spread"
        )
    scored = [_scored(full, truth, base, name, largest, bootstrap, seed) for name in names]
    out = xr.concat(scored, xr.Variable("variable", names))
    out["rmse"].attrs["long_name"] = "root mean square error"
    return out


def _scored(
    full: xr.Dataset,
    truth: xr.Dataset,
    base: xr.Dataset | None,
    name: str,
    largest: int,
    bootstrap: int,
    seed: int,
) -> xr.Dataset:
    """All scores of one variable."""
    fields = {"field": full[name], "spread": full[f"{name}_spread"], "truth": truth[name]}
    if base is not None:
        fields["base"] = base[name]
    sums = _sums(fields, name)
    joined = blocks(sums, np.ones(sums["weight"].shape[-1], bool), largest)
    total = {key: value.sum(axis=-1, keepdims=True) for key, value in sums.items()}
    names = ["rmse", "spread_over_error", "within_90"]
    names += ["explained", "correlation"] if base is not None else []
    made = {}
    for each in names:

        def score(s: Sums, each: str = each) -> np.ndarray:
            return _score(each, s)

        low, high = interval(joined, score, samples=bootstrap, seed=seed)
        made[each] = ((), float(score(total).squeeze()))
        if bootstrap:
            made[f"{each}_low"] = ((), float(low.squeeze()))
            made[f"{each}_high"] = ((), float(high.squeeze()))
    return xr.Dataset(made)


def _sums(fields: dict[str, xr.DataArray], name: str) -> dict[str, np.ndarray]:
    """Sums of each time, (1, time)."""
    where = grid.axes(fields["truth"])
    if not {"Y", "X"} <= set(where):
        raise GridError(f"{name}{fields['truth'].dims}: a grid of latitude and longitude is needed")
    try:
        aligned = xr.align(*fields.values(), join="exact")
    except ValueError as wrong:
        raise GridError(f"{name}: times or grids differ: {wrong}") from wrong
    y, x = where["Y"], where["X"]
    dims = [*(d for d in fields["truth"].dims if d not in (y, x)), y, x]
    for key, each in fields.items():
        if {*each.dims} != {*dims}:
            raise GridError(f"{name}: {key} has {each.dims}, the truth {fields['truth'].dims}")
    arrays = {
        key: np.asarray(each.transpose(*dims).values, float).reshape(
            -1, each.sizes[y], each.sizes[x]
        )
        for key, each in zip(fields, aligned, strict=True)
    }
    latitude = np.asarray(grid.latitude(fields["truth"]).values, float)
    weight = np.cos(np.deg2rad(latitude))[:, None]
    known = np.isfinite(sum(arrays.values()))

    def total(values: np.ndarray) -> np.ndarray:
        return (np.where(known, values, 0.0) * weight).sum(axis=(1, 2))[None]

    error = arrays["field"] - arrays["truth"]
    sums = {
        "weight": total(np.ones(known.shape)),
        "square": total(error**2),
        "spread": total(arrays["spread"] ** 2),
        "inside": total(np.abs(error) <= NINETY * arrays["spread"]),
    }
    if "base" in arrays:
        away, found = arrays["truth"] - arrays["base"], arrays["field"] - arrays["base"]
        sums |= {"away": total(away**2), "found": total(found**2), "both": total(away * found)}
    return sums


def _score(name: str, sums: Sums) -> np.ndarray:
    """One score of totals."""
    with np.errstate(divide="ignore", invalid="ignore"):
        made = {
            "rmse": lambda: np.sqrt(sums["square"] / sums["weight"]),
            "spread_over_error": lambda: np.sqrt(sums["spread"] / sums["square"]),
            "within_90": lambda: sums["inside"] / sums["weight"],
            "explained": lambda: 1 - sums["square"] / sums["away"],
            "correlation": lambda: sums["both"] / np.sqrt(sums["away"] * sums["found"]),
        }[name]()
    return np.asarray(made)
