"""Scores of downscaled fields against the truth on the fine grid."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xocean_ml import grid
from xocean_ml.errors import GridError
from xocean_ml.metrics.bootstrap import blocks, interval
from xocean_ml.metrics.spectra import EARTH, Rings, effective_resolution

__all__ = ["downscaling"]

Sums = dict[str, np.ndarray]


def downscaling(
    field: xr.DataArray,
    truth: xr.DataArray,
    *,
    baseline: xr.DataArray | None = None,
    bootstrap: int = 500,
    seed: int = 0,
) -> xr.Dataset:
    """Score a downscaled field.

    Parameters
    ----------
    field, truth : DataArray
        On one regular grid of latitude and longitude, with time or not; NaN on land. Scores are
        taken where all have values.
    baseline : DataArray, optional
        What a user would pick instead, usually bicubic interpolation of the same coarse field.
    bootstrap : int
        Resamplings, of blocks of neighbouring times, for the 95 % intervals.
    seed : int
        Of the resampling.

    Returns
    -------
    Dataset
        ``rmse`` (the field's units, area-weighted), ``rmse_ratio`` (over the baseline's),
        ``gradient_error`` (root mean square of the error's gradient over the truth's),
        ``effective_resolution`` (km: where the error's spectrum reaches half of the truth's),
        each with ``_low`` and ``_high``; and along ``wavenumber`` (cycles per km) ``psd``,
        ``psd_truth``, ``psd_error`` (relative units) and ``coherence``.

    Raises
    ------
    GridError
        If the fields do not share a regular grid.

    Examples
    --------
    >>> lat, lon = np.linspace(30, 40, 64), np.linspace(0, 12, 64)
    >>> rng = np.random.default_rng(0)
    >>> coords = {"lat": ("lat", lat, {"units": "degrees_north"}),
    ...           "lon": ("lon", lon, {"units": "degrees_east"})}
    >>> truth = xr.DataArray(rng.normal(size=(5, 64, 64)).cumsum(1).cumsum(2), coords,
    ...                      ("time", "lat", "lon"))
    >>> score = downscaling(truth + rng.normal(size=truth.shape), truth, bootstrap=0)
    >>> print(f"{float(score.rmse):.1f}")
    1.0
    """
    fields = {"field": field, "truth": truth} | ({} if baseline is None else {"base": baseline})
    where = grid.axes(truth)
    if not {"Y", "X"} <= set(where):
        raise GridError(f"{truth.name}{truth.dims}: a regular grid of latitude and longitude")
    y, x = where["Y"], where["X"]
    arrays = _arrays(fields, y, x)
    latitude = np.asarray(grid.latitude(truth).values, float)
    longitude = np.asarray(grid.longitude(truth).values, float)
    rings = Rings.of(latitude, longitude)
    sums = _sums(arrays, latitude, longitude, rings)
    names = ["rmse", *(["rmse_ratio"] if baseline is not None else [])]
    names += ["gradient_error", "effective_resolution"]
    used = np.ones(len(arrays["truth"]), bool)
    joined = blocks(sums, used)
    total = {name: value.sum(axis=-1, keepdims=True) for name, value in sums.items()}
    out = xr.Dataset(coords={"wavenumber": ("wavenumber", rings.wavenumber, {"units": "km-1"})})
    for name in names:

        def score(s, name=name):  # type: ignore[no-untyped-def]
            return _score(name, s, rings)

        low, high = interval(joined, score, samples=bootstrap, seed=seed)
        units = {"rmse": truth.attrs.get("units", ""), "effective_resolution": "km"}
        attrs = {"units": units.get(name, "1")}
        out[name] = ((), score(total).squeeze(), attrs)
        if bootstrap:
            out[f"{name}_low"], out[f"{name}_high"] = ((), low.squeeze()), ((), high.squeeze())
    for name in ("psd", "psd_truth", "psd_error"):
        out[name] = ("wavenumber", total[name][:, 0])
    shared = total["cospectrum"][:, 0] ** 2
    out["coherence"] = ("wavenumber", shared / (total["psd"] * total["psd_truth"])[:, 0])
    return out


def _arrays(fields: dict[str, xr.DataArray], y: str, x: str) -> dict[str, np.ndarray]:
    """(time, rows, columns) of all, NaN where any has none."""
    try:
        aligned = dict(zip(fields, xr.align(*fields.values(), join="exact"), strict=True))
    except ValueError as error:
        raise GridError(f"fields to be compared lie on different grids: {error}") from error
    out = {}
    for name, each in aligned.items():
        each = each.transpose(..., y, x)
        out[name] = np.asarray(each.values, float).reshape(-1, *each.shape[-2:])
    missing = np.isnan(sum(out.values()))
    return {name: np.where(missing, np.nan, each) for name, each in out.items()}


def _sums(
    arrays: dict[str, np.ndarray], latitude: np.ndarray, longitude: np.ndarray, rings: Rings
) -> Sums:
    """Sums of each time, (..., time), of which all scores are functions."""
    truth, error = arrays["truth"], arrays["field"] - arrays["truth"]
    weights = np.cos(np.deg2rad(latitude))[:, None]
    sea = np.isfinite(truth)

    def total(values: np.ndarray) -> np.ndarray:
        return np.nansum(values * weights, axis=(1, 2))[None]

    modes = {n: rings.transform(a, sea) for n, a in {**arrays, "error": error}.items()}
    sums = {
        "weight": total(np.where(sea, 1.0, np.nan)),
        "square": total(error**2),
        "gradient": total(_slope(error, latitude, longitude)),
        "gradient_truth": total(_slope(truth, latitude, longitude)),
        "psd": rings.cross(modes["field"], modes["field"]).T,
        "psd_truth": rings.cross(modes["truth"], modes["truth"]).T,
        "psd_error": rings.cross(modes["error"], modes["error"]).T,
        "cospectrum": rings.cross(modes["field"], modes["truth"]).T,
    }
    if "base" in arrays:
        sums["square_base"] = total((arrays["base"] - truth) ** 2)
    return sums


def _slope(field: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Square of the gradient, per km squared; NaN beside land."""
    degree = np.pi / 180 * EARTH
    north = np.gradient(field, latitude * degree, axis=1)
    east = np.gradient(field, longitude * degree, axis=2) / np.cos(np.deg2rad(latitude))[:, None]
    return north**2 + east**2


def _score(name: str, s: Sums, rings: Rings) -> np.ndarray:
    """A score as a function of totals, (1, samples)."""
    if name == "rmse":
        return np.sqrt(s["square"] / s["weight"])
    if name == "rmse_ratio":
        return np.sqrt(s["square"] / s["square_base"])
    if name == "gradient_error":
        return np.sqrt(s["gradient"] / s["gradient_truth"])
    return effective_resolution(rings.wavenumber, s["psd_error"], s["psd_truth"])[None]
