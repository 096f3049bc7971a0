"""Argo profiles: flags, data modes and adjusted values to conservative temperature.

Source: Argo user's manual 3.x (doi 10.13155/29825), reference tables 2 (flags), 2a and 19 (modes).
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from xocean_ml.errors import FieldNotFound
from xocean_ml.seawater import depth_of_pressure, teos10

__all__ = ["argo"]


def argo(ds: xr.Dataset) -> xr.Dataset:
    """Return the good data of an Argo profile file as conservative temperature and salinity.

    Adjusted values are taken from profiles in mode A or D, raw values from those in mode R, each
    where its own flag is 1 or 2 (good, probably good), and temperature only where salinity and
    pressure are good too, since all three make conservative temperature (TEOS-10, by gsw). Times
    and positions may also be flagged 5 or 8 (changed, estimated): many floats have no others.

    Parameters
    ----------
    ds : xarray.Dataset
        A core profile file of format 3, dimensions (N_PROF, N_LEVELS).

    Returns
    -------
    xarray.Dataset
        ``conservative_temperature`` (degC), ``absolute_salinity`` (g kg-1) and their standard
        errors ``..._error`` (delayed-mode values only, else NaN), with coordinates ``depth`` (m,
        positive down), ``pressure`` (dbar), ``time``, ``latitude`` and ``longitude``; NaN where
        not good. Lazy where the input is.

    Raises
    ------
    FieldNotFound
        Variables of the Argo format that are missing: all of them at once.

    Examples
    --------
    >>> levels, profile = ("N_PROF", "N_LEVELS"), ("N_PROF",)
    >>> raw = {"PRES": [5.0, 1000.0], "TEMP": [15.0, 5.0], "PSAL": [35.0, 34.5]}
    >>> data = {name: (levels, [values]) for name, values in raw.items()}
    >>> data |= {f"{name}_QC": (levels, [[b"1", b"1"]]) for name in raw}
    >>> data |= {f"{name}_ADJUSTED": data[name] for name in raw}
    >>> data |= {f"{name}_ADJUSTED_QC": (levels, [[b"1", b"4"]]) for name in raw}
    >>> data |= {"JULD": (profile, np.array(["2010-05-01"], "M8[ns]"))}
    >>> data |= {"JULD_QC": (profile, [b"8"])}
    >>> data |= {"LATITUDE": (profile, [40.0]), "LONGITUDE": (profile, [330.0])}
    >>> data |= {"POSITION_QC": (profile, [b"1"]), "DATA_MODE": (profile, [b"D"])}
    >>> argo(xr.Dataset(data))["conservative_temperature"].values.round(3)
    array([[14.989,    nan]])
    """
    _require_argo(ds)
    position = _flagged(ds["POSITION_QC"], "1258")
    latitude, longitude = (ds[name].where(position) for name in ("LATITUDE", "LONGITUDE"))
    pressure, temperature, salinity = (_best(ds, name) for name in ("PRES", "TEMP", "PSAL"))
    depth = depth_of_pressure(pressure, latitude)
    absolute = teos10("SA_from_SP", salinity, pressure, longitude, latitude)
    conservative = teos10("CT_from_t", absolute, temperature, pressure)
    # dCT/dt and dSA/dSP are 1 to within 1 %: far finer than a standard error is known.
    errors = {name: _best_error(ds, name) for name in ("TEMP", "PSAL")}
    data = {
        "conservative_temperature": (conservative, "sea_water_conservative_temperature", "degC"),
        "absolute_salinity": (absolute, "sea_water_absolute_salinity", "g kg-1"),
    }
    out = xr.Dataset(attrs={"featureType": "trajectoryProfile"})
    for (name, (values, standard, units)), error in zip(data.items(), errors.values(), strict=True):
        attrs = {"standard_name": standard, "units": units, "ancillary_variables": f"{name}_error"}
        out[name] = values.assign_attrs(attrs)
        out[f"{name}_error"] = error.where(values.notnull()).assign_attrs(
            standard_name=f"{standard} standard_error", units=units
        )
    out["conservative_temperature"].attrs["units_metadata"] = "temperature: on_scale"
    out["conservative_temperature_error"].attrs["units_metadata"] = "temperature: difference"
    return out.assign_coords(
        time=ds["JULD"].where(_flagged(ds["JULD_QC"], "1258")).assign_attrs(standard_name="time"),
        latitude=latitude.assign_attrs(standard_name="latitude", units="degrees_north"),
        longitude=longitude.assign_attrs(standard_name="longitude", units="degrees_east"),
        depth=depth.assign_attrs(standard_name="depth", units="m", positive="down"),
        pressure=pressure.assign_attrs(standard_name="sea_water_pressure", units="dbar"),
    )


def _require_argo(ds: xr.Dataset) -> None:
    wanted = ["JULD", "JULD_QC", "LATITUDE", "LONGITUDE", "POSITION_QC", "DATA_MODE"]
    wanted += [
        f"{name}{adjusted}{flag}"
        for name in ("PRES", "TEMP", "PSAL")
        for adjusted in ("", "_ADJUSTED")
        for flag in ("", "_QC")
    ]
    if missing := [name for name in wanted if name not in ds.variables]:
        raise FieldNotFound(
            f"not an Argo core profile file: it lacks {', '.join(missing)}; "
            f"it has {sorted(map(str, ds.variables))}"
        )


def _flagged(flags: xr.DataArray, good: str) -> xr.DataArray:
    """Whether each flag is one of `good`; flags are bytes, strings or digits, missing ones NaN."""
    return xr.apply_ufunc(
        lambda each: np.isin(each.astype("S1"), np.array(list(good), "S1")),
        flags,
        dask="parallelized",
        output_dtypes=[bool],
    )


def _best(ds: xr.Dataset, name: str) -> xr.DataArray:
    raw = _flagged(ds["DATA_MODE"], "R")
    sides = (
        ds[each].where(_flagged(ds[f"{each}_QC"], "12")) for each in (name, f"{name}_ADJUSTED")
    )
    plain, adjusted = sides
    return plain.where(raw, adjusted).astype(float)


def _best_error(ds: xr.Dataset, name: str) -> xr.DataArray:
    error = f"{name}_ADJUSTED_ERROR"
    if error not in ds.variables:
        return xr.full_like(ds[name], np.nan, dtype=float)
    return ds[error].where(_flagged(ds["DATA_MODE"], "AD")).astype(float)
