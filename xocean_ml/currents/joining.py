"""Currents put together again from their parts."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from xocean_ml import metadata, units
from xocean_ml.currents import gains, parts, reading
from xocean_ml.currents.cells import checked
from xocean_ml.errors import FieldNotFound

__all__ = ["join"]


def join(
    ds: xr.Dataset,
    *,
    ssh: xr.Dataset | None = None,
    wind: xr.Dataset | None = None,
    gain: xr.Dataset | None = None,
    smooth: float | None = None,
    fields: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Put currents together again from what `split` made of them, or a model of the rest.

    Parameters
    ----------
    ds : Dataset
        The rest of the current, ``u_ageostrophic`` and ``v_ageostrophic`` (as `split` named them),
        and the other parts where they are not made anew. Further dimensions, such as those of an
        ensemble, are carried through.
    ssh : Dataset, optional
        Height of the sea surface (and the mean topography, if it is an anomaly), of which the
        geostrophic part is made anew; may be `ds` itself.
    wind : Dataset, optional
        Wind at 10 m or its stress, of which the Ekman part is made anew; may be `ds` itself.
    gain : Dataset, optional
        Any Dataset that `split` made, whose gain is taken; by default that of `ds`.
    smooth : float, optional
        As for `split`; by default as attributes of the rest or of the gain tell, else 1.5 cells.
    fields : mapping of str to str, optional
        As for `split`.

    Returns
    -------
    Dataset
        The currents in place of their parts (``u`` for ``u_ageostrophic``), in the units,
        dimension order and precision of the rest, lazy where one of the parts was; NaN where one
        is missing. Everything else is carried along, but the gain.

    Raises
    ------
    FieldNotFound, AmbiguousField, UnitsError
        No rest; a part that is neither there nor can be made.
    GridError
        Heights, winds or gains on other cells or times than the rest.
    ValuesError
        Infinite values (of lazy arrays, when they are computed).

    Examples
    --------
    >>> from xocean_ml import currents, tutorial
    >>> ds = tutorial.open_dataset("surface")
    >>> out = currents.split(ds)
    >>> bool(abs(currents.join(out).u - ds.u).max() < 1e-6)
    True

    An ensemble of the rest, as a model makes it, with heights of its own:

    >>> names = ["u_ageostrophic", "v_ageostrophic", "ssh", "mdt"]
    >>> members = out[names].expand_dims(realization=2)
    >>> currents.join(members, ssh=members, wind=ds, gain=out).u.sizes["realization"]
    2
    """
    plain, quantities = units.dequantify(ds)
    rest = _rest(plain)
    smooth = _smooth(rest[0], plain if gain is None else gain, smooth)
    slope = _geostrophic(plain, ssh, rest, smooth, fields)
    drift = _ekman(plain, wind, gain, rest, slope, fields)
    names = [str(array.name).removesuffix(f"_{parts.REST}") for array in rest]
    sums = [
        _sum(array, [pair[which] for pair in (slope, drift) if pair is not None], which)
        for which, array in enumerate(rest)
    ]
    gone = [name for name in [*_parts_of(rest), *gains.NAMES] if name in plain.variables]
    line = metadata.history_line(
        "currents.join",
        geostrophic=None if ssh is None else "anew",
        ekman="none" if drift is None else None if wind is None and gain is None else "anew",
        smooth=None if ssh is None else smooth,
    )
    out = metadata.finish(plain.drop_vars(gone), dict(zip(names, sums, strict=True)), line=line)
    pairs = zip(names, rest, strict=True)
    known = {name: quantities[array.name] for name, array in pairs if array.name in quantities}
    return units.requantify(out, quantities | known)


def _smooth(rest: xr.DataArray, gain: xr.Dataset, smooth: float | None) -> float:
    """The width that is given, or that attributes tell."""
    told = [rest.attrs, *(gain[name].attrs for name in gains.NAMES if name in gain.variables)]
    widths = [float(attrs[parts.SMOOTH]) for attrs in told if parts.SMOOTH in attrs]
    width = smooth if smooth is not None else widths[0] if widths else parts.WIDTH
    parts.check_smooth(width)
    return width


def _rest(ds: xr.Dataset) -> parts.Pair:
    """The rest, as it is stored, eastward first."""
    ending = f"_{parts.REST}"
    names = [str(name) for name in ds.data_vars if str(name).endswith(ending)]
    east, north = ([n for n in names if _which(ds[n], n) == which] for which in (0, 1))
    if len(east) != 1 or len(north) != 1:
        raise FieldNotFound(
            f"join needs one eastward and one northward variable named ...{ending}, as "
            "xocean_ml.currents.split names them; found "
            f"{', '.join(names) or 'none'} among {', '.join(map(str, ds.data_vars))}"
        )
    for name in (east[0], north[0]):
        if units.units_of(ds[name]) is None:
            raise FieldNotFound(f"{name} has no units: ds[{name!r}].attrs['units'] = 'm s-1'")
    return checked(ds[east[0]]), checked(ds[north[0]])


def _which(array: xr.DataArray, name: str) -> int | None:
    """0 for an eastward variable, 1 for a northward one: by its attributes, else by its name."""
    told = f"{array.attrs.get('total_standard_name', '')} {array.attrs.get('long_name', '')}"
    for which, word in enumerate(reading.COMPONENTS):
        if word in told.lower():
            return which
    return {"u": 0, "v": 1}.get(name[:1].lower())


def _parts_of(rest: parts.Pair) -> list[str]:
    bases = [str(array.name).removesuffix(parts.REST) for array in rest]
    return [base + part for base in bases for part in (parts.GEOSTROPHIC, parts.EKMAN, parts.REST)]


def _stored(ds: xr.Dataset, rest: parts.Pair, part: str) -> parts.Pair | None:
    """A part that is there, in the units of the rest."""
    found = []
    for array in rest:
        name = str(array.name).removesuffix(parts.REST) + part
        if name not in ds.variables:
            return None
        own, unit = units.units_of(ds[name]), str(units.units_of(array))
        convert = units.conversion(own or unit, unit, variable=name)
        found.append(checked(ds[name].copy(data=convert(ds[name].data))))
    return found[0], found[1]


def _geostrophic(
    ds: xr.Dataset,
    ssh: xr.Dataset | None,
    rest: parts.Pair,
    smooth: float,
    fields: Mapping[str, str] | None,
) -> parts.Pair:
    if ssh is not None:
        height = reading.height(units.dequantify(ssh)[0], fields)
        return _as(parts.geostrophic(height, rest[0], smooth), rest)
    found = _stored(ds, rest, parts.GEOSTROPHIC)
    if found is None:
        raise FieldNotFound(
            f"no geostrophic part of {rest[0].name} among {', '.join(map(str, ds.data_vars))}: "
            "give the height it is made of, ssh=DATASET"
        )
    return found


def _ekman(
    ds: xr.Dataset,
    wind: xr.Dataset | None,
    gain: xr.Dataset | None,
    rest: parts.Pair,
    known: parts.Pair,
    fields: Mapping[str, str] | None,
) -> parts.Pair | None:
    """The Ekman part: that of the Dataset, or made anew; None for currents that had none."""
    found = _stored(ds, rest, parts.EKMAN)
    if wind is None and gain is None and (found is not None or gains.NAMES[0] not in ds.variables):
        return found
    blowing = reading.wind(ds if wind is None else units.dequantify(wind)[0], fields)
    if blowing is None:
        raise FieldNotFound(
            "there is a gain but no wind, which the Ekman current needs: give it, wind=DATASET, "
            "or name it: fields={'eastward_wind': NAME, 'northward_wind': NAME}"
        )
    law = gains.given(ds if gain is None else gain, rest[0])
    return _as(parts.drift_of(law, parts.stress(blowing, rest[0]), known[0]), rest)


def _as(pair: parts.Pair, rest: parts.Pair) -> parts.Pair:
    """Currents in m s-1 in the units of the rest."""
    made = []
    for array, like in zip(pair, rest, strict=True):
        convert = units.conversion("m s-1", str(units.units_of(like)))
        made.append(array.copy(data=convert(array.data)))
    return made[0], made[1]


def _sum(rest: xr.DataArray, added: list[xr.DataArray], which: int) -> xr.DataArray:
    total = rest
    for each in added:
        total = total + each
    total = parts.ordered(total, rest).astype(rest.dtype)
    attrs = parts.recalled(rest.attrs, which)
    total.attrs = metadata.describe(attrs, role="state", units=str(units.units_of(rest)))
    return total
