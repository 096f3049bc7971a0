"""Total currents taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr

from xocean_ml import metadata, units
from xocean_ml.currents import gains, parts, reading
from xocean_ml.currents.gains import Gain
from xocean_ml.currents.reading import Height, Vector
from xocean_ml.errors import FieldNotFound
from xocean_ml.grid import axes, latitude

__all__ = ["split"]

Ekman = Literal["auto", "fit", "parametric"] | xr.Dataset | None
LONG = 30
"""Times from which a gain is fitted unless told otherwise."""


def split(
    ds: xr.Dataset,
    wind: xr.Dataset | None = None,
    *,
    ekman: Ekman = "auto",
    smooth: float = parts.WIDTH,
    fields: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Split surface currents into geostrophic, Ekman and what is left.

    Parameters
    ----------
    ds : Dataset
        Total current near the surface, eastward and northward (m s-1 or like units), and the
        height of the sea surface (m): absolute, or an anomaly with the mean dynamic topography.
        On one-dimensional latitude and longitude and any other dimensions; NaN on land. Fields
        are found by CF name, the mean topography also as ``mdt``.
    wind : Dataset, optional
        Wind at 10 m, or its stress, on the same cells and times; by default that of `ds`. With
        none in either, there is no Ekman part.
    ekman : {"auto", "fit", "parametric"}, Dataset or None
        Gain of the Ekman current: ``"fit"``, by least squares over time in each cell;
        ``"parametric"``, that of Rio et al. (2014) at the depth of the current (15 m where no
        coordinate tells it); a Dataset that `split` made, its gain; None, no Ekman part.
        ``"auto"`` fits from 30 times on.
    smooth : float
        Standard deviation, in cells, over which the slopes of the height are smoothed; 0: not.
    fields : mapping of str to str, optional
        Names of variables that metadata do not tell, by key of `xocean_ml.fields.table`, or
        ``"mean_dynamic_topography"``.

    Returns
    -------
    Dataset
        In place of the current ``u`` (and of ``v``, by whatever names they have):

        - ``u_geostrophic``: of the slope of the sea surface, see `geostrophy`;
        - ``u_ekman``: gain times stress, plus the intercept of a fit;
        - ``u_ageostrophic``: the rest, so that the parts add up to the current;

        in the units, dimension order and precision of the current, lazy if it was, NaN where one
        of them is not known. With an Ekman part also ``ekman_gain_real`` and ``ekman_gain_imag``
        (m s-1 Pa-1), and of a fit ``ekman_intercept_eastward`` and ``_northward`` (m s-1).
        Everything else is carried along.

    Raises
    ------
    FieldNotFound, AmbiguousField, UnitsError
        As `xocean_ml.fields.find` does; a wind that `ekman` needs is missing.
    GridError
        A curvilinear grid; a single row or column; several levels; heights or winds of other
        cells or times; a fit to fewer than three times.
    ValuesError
        Infinite values (of lazy arrays, when they are computed).

    Warns
    -----
    UserWarning
        The height is an anomaly without mean topography: the geostrophic current is one too.

    Notes
    -----
    A fit sees all times of a cell, and dask then holds the ageostrophic currents until it has
    them all. For more than fits in memory, fit to a part and give the result as `ekman`.

    An intercept holds whatever of the mean current is neither geostrophic nor proportional to
    the stress: with heights that are anomalies, the mean geostrophic current too.

    References
    ----------
    Martin, Manucharyan & Klein (2025), Generative data assimilation for surface ocean state
    estimation from multi-modal satellite observations, J. Adv. Model. Earth Syst.,
    10.1029/2025MS005063: these parts, a gain for each cell, smoothing over 1.5 cells.

    Examples
    --------
    >>> from xocean_ml import currents, tutorial
    >>> ds = tutorial.open_dataset("surface")
    >>> out = currents.split(ds)
    >>> [name for name in out if name.startswith("u")]
    ['u_geostrophic', 'u_ekman', 'u_ageostrophic']
    >>> float(out.u_ageostrophic.var() / ds.u.var()) < 0.1
    True
    """
    plain, quantities = units.dequantify(ds)
    _check(ekman, smooth)
    current, height = reading.currents(plain, fields), reading.height(plain, fields)
    east = current.parts[0]
    slope = parts.geostrophic(height, east, smooth)
    made = {parts.GEOSTROPHIC: slope}
    rest = _less(current.parts, slope)
    blowing = _wind(plain, wind, ekman, fields)
    gain = None
    if blowing is not None:
        tau = parts.stress(blowing, east)
        gain = _gain(ekman, plain, current, rest, tau)
        made[parts.EKMAN] = parts.drift_of(gain, tau, slope[0])
        rest = _less(rest, made[parts.EKMAN])
    made[parts.REST] = rest
    changed = _changed(plain, current, made, height.total, smooth)
    changed |= {} if gain is None else gain.variables(**{parts.SMOOTH: float(smooth)})
    out = metadata.finish(
        plain.drop_vars(current.names), changed, line=_line(height, blowing, gain, smooth)
    )
    return units.requantify(out, quantities | _quantified(quantities, current.names, made))


def _check(ekman: Ekman, smooth: float) -> None:
    told = isinstance(ekman, str) and ekman not in ("auto", "fit", "parametric")
    if told or not (ekman is None or isinstance(ekman, str | xr.Dataset)):
        raise ValueError(
            f"ekman={ekman!r}: choose 'auto', 'fit', 'parametric', None, or a Dataset with a gain"
        )
    parts.check_smooth(smooth)


def _less(whole: parts.Pair, part: parts.Pair) -> parts.Pair:
    east, north = (a - b for a, b in zip(whole, part, strict=True))
    return east, north


def _wind(ds: xr.Dataset, wind: xr.Dataset | None, ekman: Ekman, fields: Any) -> Vector | None:
    """The wind, unless no Ekman part is wanted; missing, only where nobody asked for it."""
    if ekman is None:
        return None
    found = reading.wind(ds if wind is None else units.dequantify(wind)[0], fields)
    if found is None and (wind is not None or ekman != "auto"):
        raise FieldNotFound(
            "no wind, which the Ekman current needs: neither eastward_wind nor "
            "eastward_wind_stress, with their northward ones, was found in "
            f"{'the Dataset' if wind is None else 'wind='}. Name them: "
            "fields={'eastward_wind': NAME, 'northward_wind': NAME}, or give ekman=None"
        )
    return found


def _gain(
    ekman: Ekman, ds: xr.Dataset, current: Vector, rest: parts.Pair, tau: xr.DataArray
) -> Gain:
    like = current.parts[0]
    if isinstance(ekman, xr.Dataset):
        return gains.given(ekman, like)
    time = axes(like).get("T")
    if ekman == "fit" or (ekman == "auto" and time is not None and like.sizes[time] >= LONG):
        return gains.fitted(rest[0] + 1j * rest[1], tau)
    return gains.published(like, latitude(like), reading.depth_of(ds, current.names[0]))


def _changed(
    ds: xr.Dataset,
    current: Vector,
    made: Mapping[str, parts.Pair],
    total: bool,
    smooth: float,
) -> dict[str, xr.DataArray]:
    """The parts in the current's units, with names and attributes."""
    changed = {}
    for which, name in enumerate(current.names):
        old = ds[name]
        unit = str(units.units_of(old))
        back = units.conversion("m s-1", unit)
        dtype = np.result_type(old.dtype, np.float32)
        for part, pair in made.items():
            array = parts.ordered(pair[which], old).astype(dtype)
            attrs = parts.described(old.attrs, unit, part, which, total)
            if part != parts.EKMAN:
                attrs[parts.SMOOTH] = float(smooth)
            if part == parts.REST:
                attrs |= parts.remembered(old.attrs)
            array = array.copy(data=back(array.data))
            changed[f"{name}_{part}"] = array
            array.attrs = attrs
    return changed


def _line(height: Height, wind: Vector | None, gain: Gain | None, smooth: float) -> str:
    return metadata.history_line(
        "currents.split",
        height="+".join(height.names) + ("" if height.total else " (anomaly)"),
        wind="none: no Ekman part" if wind is None else "+".join(wind.names),
        ekman=None if gain is None else gain.note,
        smooth=smooth,
    )


def _quantified(
    quantities: Mapping[Any, Any], names: tuple[str, str], made: Mapping[str, parts.Pair]
) -> dict[Any, Any]:
    """Units of the parts of currents that were Quantities."""
    return {f"{n}_{part}": quantities[n] for n in names if n in quantities for part in made}
