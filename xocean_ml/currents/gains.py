"""Gains of the Ekman current: fitted over time in each cell, published, or given.

A gain G and an intercept c make of a stress the current G tau + c. The intercept is what the mean
of the ageostrophic current has beyond that of the wind; left out, it would be lost from a model of
the rest, whose mean it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import units
from xocean_ml.currents.cells import placed
from xocean_ml.currents.drift import DROGUE, published_gain
from xocean_ml.currents.geostrophy import batches
from xocean_ml.errors import FieldNotFound, GridError
from xocean_ml.grid import axes

__all__ = ["LEAST", "NAMES", "Gain", "fitted", "given", "published"]

GAIN = ("ekman_gain_real", "ekman_gain_imag")
INTERCEPT = ("ekman_intercept_eastward", "ekman_intercept_northward")
NAMES = (*GAIN, *INTERCEPT)
"""Variables that hold a gain."""
PER_STRESS, SPEED = "m s-1 Pa-1", "m s-1"
LEAST = 3
"""Times below which two complex numbers are not fitted."""


@dataclass(frozen=True)
class Gain:
    """What makes a current of a stress.

    Parameters
    ----------
    gain : DataArray, complex
        m s-1 Pa-1, of latitude or of each cell.
    intercept : DataArray, complex, or None
        m s-1.
    note : str
        Where it comes from.
    """

    gain: xr.DataArray
    intercept: xr.DataArray | None
    note: str

    def of(self, stress: xr.DataArray) -> xr.DataArray:
        """The current, complex, m s-1, of a stress in Pa; in its precision."""
        current = self.gain.astype(stress.dtype) * stress
        if self.intercept is None:
            return current
        return current + self.intercept.astype(stress.dtype)

    def variables(self, **more: Any) -> dict[str, xr.DataArray]:
        """Two real variables for each complex one, with their attributes and some more."""
        pairs = [(GAIN, self.gain, PER_STRESS, "gain of the Ekman current")]
        if self.intercept is not None:
            pairs.append((INTERCEPT, self.intercept, SPEED, "intercept of the Ekman current"))
        made = {}
        for names, pair, unit, title in pairs:
            for name, part, which in zip(names, (pair.real, pair.imag), _WHICH[unit], strict=True):
                made[name] = part.copy()
                made[name].attrs = {"long_name": f"{title}, {which}", "units": unit}
                made[name].attrs |= {"comment": self.note, **more}
        return made


_WHICH = {
    PER_STRESS: ("along the wind's stress", "to the left of the wind's stress"),
    SPEED: ("eastward", "northward"),
}


def fitted(current: xr.DataArray, stress: xr.DataArray) -> Gain:
    """The gain and intercept of least squares over time, in each cell.

    Parameters
    ----------
    current, stress : DataArray, complex
        Ageostrophic current, m s-1; stress, Pa. Times where either is missing are passed over.

    Returns
    -------
    Gain
        NaN in a cell with fewer than three times, or a stress that does not change.

    Raises
    ------
    GridError
        No time axis, or fewer than three times.
    """
    dim = axes(current).get("T")
    count = current.sizes[dim] if dim else 1
    if dim is None or dim not in stress.dims or count < LEAST:
        there = f"the current has {count}" if count < LEAST else "the wind has none"
        raise GridError(
            f"ekman='fit' needs {LEAST} times at least, of current and wind: {there}. Give "
            "ekman='parametric', or a Dataset that holds a gain"
        )
    gain, intercept = xr.apply_ufunc(
        _solve,
        *_moments(current, stress, dim),
        output_core_dims=[[], []],
        dask="parallelized",
        output_dtypes=[np.complex128] * 2,
    )
    return Gain(gain, intercept, f"least squares over {count} times")


def _moments(current: xr.DataArray, stress: xr.DataArray, dim: str) -> list[xr.DataArray]:
    """Sums over time: how many, of a, t, |t|^2 and conj(t) a; of arrays in memory by batches."""
    lazy = current.chunks is not None or stress.chunks is not None
    count = current.sizes[dim]
    cells = current.size // max(count, 1)
    total: list[Any] = [0.0] * 5
    for some in [slice(None)] if lazy else batches(count, cells):
        a, t = (each.isel({dim: some}).astype(np.complex128) for each in (current, stress))
        known = a.notnull() & t.notnull()
        a, t = a.where(known, 0), t.where(known, 0)
        moments = (known, a, t, t.real**2 + t.imag**2, t.conj() * a)
        total = [one + each.sum(dim) for one, each in zip(total, moments, strict=True)]
    return total


def _solve(
    count: np.ndarray, a: np.ndarray, t: np.ndarray, square: np.ndarray, product: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gain and intercept of sums over time: of a, t, |t|^2 and conj(t) a, and how many."""
    n = np.maximum(count, 1)
    varies = square / n - np.abs(t / n) ** 2
    # Less is rounding of the sums, which are of float64.
    found = (count >= LEAST) & (varies > 1e-10 * square / n)
    gain = (product / n - t.conj() / n * (a / n)) / np.where(found, varies, 1)
    none = complex(np.nan, np.nan)
    return np.where(found, gain, none), np.where(found, a / n - gain * t / n, none)


def published(like: xr.DataArray, latitude: xr.DataArray, depth: float | None) -> Gain:
    """The gain of Rio et al. (2014) at a depth; 15 m where none is told."""
    at = DROGUE if depth is None else depth
    values = published_gain(np.asarray(latitude.values, np.float64), at)
    note = f"Rio et al. (2014), global mean, at {at:g} m{'' if depth is not None else ' (assumed)'}"
    dims = latitude.dims
    coords = {dim: like.coords[dim] for dim in dims if dim in like.coords}
    return Gain(xr.DataArray(values, coords, dims), None, note)


def given(ds: xr.Dataset, like: xr.DataArray) -> Gain:
    """The gain that a Dataset of `split` holds.

    Raises
    ------
    FieldNotFound
        It holds none.
    GridError
        It is of other cells.
    """
    ds, _ = units.dequantify(ds)
    missing = [name for name in GAIN if name not in ds.variables]
    if missing:
        raise FieldNotFound(
            f"no {' and no '.join(missing)} among {', '.join(map(str, ds.data_vars))}: give as "
            "gain a Dataset that xocean_ml.currents.split made with a wind"
        )
    gain = _complex(ds, GAIN, PER_STRESS, like)
    held = all(name in ds.variables for name in INTERCEPT)
    intercept = _complex(ds, INTERCEPT, SPEED, like) if held else None
    return Gain(gain, intercept, str(ds[GAIN[0]].attrs.get("comment", "given")))


def _complex(ds: xr.Dataset, names: tuple[str, str], unit: str, like: xr.DataArray) -> xr.DataArray:
    parts = []
    for name in names:
        convert = units.conversion(units.units_of(ds[name]) or unit, unit, variable=name)
        parts.append(placed(ds[name].copy(data=convert(ds[name].data)), like, name, "Y"))
    return parts[0] + 1j * parts[1]
