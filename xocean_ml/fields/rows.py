"""The look-up table: names that real files bear, one row a field.

Standard names and their aliases are those of the CF standard name table 93; variable names are
those of products (CMIP, NEMO, HYCOM, ERA5, Copernicus Marine, GHRSST, COADS, ROMS).
"""

from __future__ import annotations

import re
from dataclasses import replace

from xocean_ml.fields.row import Row
from xocean_ml.units import Equivalence

__all__ = ["ENSEMBLE_DIMS", "ERROR_VARIABLES", "ROWS"]

ENSEMBLE_DIMS = ("realization", "number", "member", "member_id", "ens")

_SALT: Equivalence = "practical_salinity"
_THETA, _CT, _TEMP = (
    "sea_water_potential_temperature",
    "sea_water_conservative_temperature",
    "sea_water_temperature",
)
_SALINITIES = ("sea_water_salinity", "sea_water_practical_salinity", "sea_water_absolute_salinity")
_THREE = "three different quantities: gsw converts; cp0 belongs to conservative temperature"


def _changes(*states: str) -> tuple[str, ...]:
    """Names of an increment of these states: a change, or a rate."""
    prefixes = ("change_over_time_in_", "tendency_of_")
    return tuple(prefix + state for prefix in prefixes for state in states)


def _other(text: str) -> str:
    """The other component's name: northward for eastward, y for x."""
    return re.sub(r"(^|_)x_", r"\1y_", text.replace("eastward", "northward"))


def _both(row: Row, *variables: str) -> tuple[Row, Row]:
    """A vector's row of the first component, and that of the second with its own variables."""
    other = replace(
        row,
        key=_other(row.key),
        names=tuple(map(_other, row.names)),
        weak=tuple((_other(name), span) for name, span in row.weak),
        variables=variables,
    )
    return row, other


_SPEED = ("m s-1",)
_GEO = "surface_geostrophic_eastward_sea_water_velocity"
_OLD_GEO = "surface_eastward_geostrophic_sea_water_velocity"
_MODEL_SSH = ("zos", "sossheig", "surf_el", "zeta")
_10M = (9.0, 11.0)

_ROWS = [
    Row(
        "sea_surface_height_above_geoid",
        (
            "sea_surface_height_above_geoid",
            "sea_surface_elevation",
            "sea_surface_elevation_anomaly",
        ),
        ("adt", *_MODEL_SSH),
        ("m",),
        level="surface",
        loose=("sea_surface_height",),
        misused=(("sea_surface_height_above_geoid", ("mdt",)),),
        trap="mdt may bear the same standard name; not an anomaly without an MDT",
    ),
    Row(
        "sea_level_anomaly",
        (
            "sea_surface_height_above_mean_sea_level",
            "sea_surface_height_above_sea_level",
            "sea_surface_height",
        ),
        ("sla", "sla_filtered", "sla_unfiltered", "ssha", "ssha_karin", "ssha_karin_2"),
        ("m",),
        role="difference",
        level="surface",
        misused=(("sea_surface_height", ("adt", *_MODEL_SSH)),),
        trap="never merged with ADT without an MDT; models misuse sea_surface_height",
    ),
    Row(
        "sea_surface_temperature",
        ("sea_surface_temperature",),
        ("analysed_sst", "tos", "sst", "sosstsst"),
        ("K",),
        level="surface",
        family=(
            "sea_surface_foundation_temperature",
            "sea_surface_skin_temperature",
            "sea_surface_subskin_temperature",
        ),
        weak=(("surface_temperature", None), ("surface_temperature_where_open_sea", None)),
        trap="surface_temperature only with a sea mask; top level of 3-D only when asked",
    ),
    *(
        Row(
            f"sea_surface_{kind}_temperature",
            (f"sea_surface_{kind}_temperature",),
            units=("K",),
            level="surface",
        )
        for kind in ("foundation", "skin", "subskin")
    ),
    Row(
        "sea_water_temperature",
        (_TEMP, _THETA, _CT),
        ("thetao", "votemper", "bigthetao", "water_temp", "TEMP"),
        ("K",),
        level="depth",
        trap=f"any of the three; {_THREE}",
    ),
    Row(
        "potential_temperature",
        (_THETA,),
        ("thetao", "votemper"),
        ("K",),
        level="depth",
        trap=_THREE,
    ),
    Row("conservative_temperature", (_CT,), ("bigthetao",), ("K",), level="depth", trap=_THREE),
    Row(
        "in_situ_temperature", (_TEMP,), ("water_temp", "TEMP"), ("K",), level="depth", trap=_THREE
    ),
    Row(
        "sea_water_salinity",
        _SALINITIES,
        ("so", "vosaline", "PSAL"),
        ("1", "g kg-1"),
        level="depth",
        equivalence=_SALT,
        trap="any of the three; 35 in 1e-3, psu and 1 is one number, g/kg (absolute) needs gsw",
    ),
    Row(
        "practical_salinity",
        ("sea_water_practical_salinity", "sea_water_salinity"),
        ("so", "vosaline", "PSAL"),
        level="depth",
        equivalence=_SALT,
        trap="35 in 1e-3, psu and 1 is the same number; absolute (g/kg) needs gsw",
    ),
    Row(
        "absolute_salinity",
        ("sea_water_absolute_salinity",),
        units=("g kg-1",),
        level="depth",
        trap="practical salinity is another quantity: gsw.SA_from_SP",
    ),
    Row(
        "sea_surface_salinity",
        ("sea_surface_salinity",),
        ("sos",),
        level="surface",
        equivalence=_SALT,
        trap="35 in 1e-3, psu and 1 is the same number; absolute (g/kg) needs gsw",
    ),
    *_both(
        Row(
            "eastward_sea_water_velocity",
            ("eastward_sea_water_velocity", "surface_eastward_sea_water_velocity"),
            ("uo", "water_u"),
            _SPEED,
            trap="surface or with depth: keep the depth",
        ),
        *("vo", "water_v"),
    ),
    *_both(
        Row(
            "surface_eastward_sea_water_velocity",
            ("surface_eastward_sea_water_velocity",),
            units=_SPEED,
            level="surface",
            weak=(("eastward_sea_water_velocity", (0.0, 1.0)),),
            trap="a velocity with a scalar depth of at most 1 m is taken too",
        )
    ),
    *_both(
        Row(
            "sea_water_x_velocity",
            ("sea_water_x_velocity", "x_sea_water_velocity", "surface_sea_water_x_velocity"),
            ("vozocrtx",),
            _SPEED,
            trap="along the grid: needs rotation",
        ),
        "vomecrty",
    ),
    *_both(
        Row(
            _GEO,
            (_GEO, _OLD_GEO),
            ("ugos",),
            _SPEED,
            level="surface",
            trap="total: never mixed with the anomaly",
        ),
        "vgos",
    ),
    *_both(
        Row(
            f"{_GEO}_anomaly",
            (
                f"{_GEO}_assuming_mean_sea_level_for_geoid",
                f"{_GEO}_assuming_sea_level_for_geoid",
                f"{_OLD_GEO}_assuming_sea_level_for_geoid",
            ),
            ("ugosa",),
            _SPEED,
            role="difference",
            level="surface",
            trap="anomaly: never mixed with the total",
        ),
        "vgosa",
    ),
    *_both(
        Row(
            "ekman_eastward_velocity",
            ("eastward_sea_water_velocity_due_to_ekman_drift",),
            units=_SPEED,
        )
    ),
    *_both(
        Row(
            "eastward_wind",
            (),
            ("uas", "u10", "UWND", "eastward_wind"),
            _SPEED,
            level="surface",
            weak=(("eastward_wind", _10M),),
            trap="needs the height, 10 m",
        ),
        *("vas", "v10", "VWND", "northward_wind"),
    ),
    *_both(
        Row(
            "x_wind",
            (),
            units=_SPEED,
            level="surface",
            weak=(("x_wind", _10M), ("grid_eastward_wind", _10M)),
            trap="along the grid: needs rotation; needs the height, 10 m",
        )
    ),
    *_both(
        Row(
            "eastward_wind_stress",
            ("surface_downward_eastward_stress",),
            ("tauu",),
            ("Pa",),
            level="surface",
            trap="downward is positive",
        ),
        "tauv",
    ),
    *_both(
        Row(
            "x_wind_stress",
            ("surface_downward_x_stress", "downward_x_stress_at_sea_water_surface"),
            ("tauuo",),
            ("Pa",),
            level="surface",
            trap="along the grid: needs rotation; downward is positive",
        ),
        "tauvo",
    ),
    Row(
        "air_pressure_at_mean_sea_level",
        ("air_pressure_at_mean_sea_level", "air_pressure_at_sea_level"),
        ("psl", "msl", "slp", "prmsl", "SLP"),
        ("Pa",),
        level="surface",
        long_names=("sea level pressure", "mean sea level pressure"),
        trap="not surface_air_pressure; MB and mb are millibar",
    ),
    Row(
        "air_temperature_2m",
        (),
        ("tas", "t2m", "air"),
        ("K",),
        level="surface",
        weak=(("air_temperature", (1.5, 2.5)),),
        trap="needs the height, 2 m",
    ),
    Row(
        "precipitation",
        ("precipitation_flux", "lwe_precipitation_rate"),
        ("pr", "prate", "precip"),
        ("kg m-2 s-1",),
        level="surface",
        equivalence="liquid_water",
        trap="mm/day to a flux by 1000 kg/m3; an accumulated amount needs its period",
    ),
    Row(
        "precipitation_amount",
        ("precipitation_amount", "lwe_thickness_of_precipitation_amount"),
        ("tp", "precip"),
        ("kg m-2",),
        level="surface",
        equivalence="liquid_water",
        trap="accumulated: divide by its period for a flux",
    ),
    Row(
        "temperature_increment",
        _changes(_THETA, _CT, _TEMP),
        ("bckint",),
        ("K",),
        role="difference",
        states=(_TEMP, _THETA, _CT),
        rates=True,
        trap="never a plain state; a change needs its time bounds, a tendency is per time",
    ),
    Row(
        "salinity_increment",
        _changes(*_SALINITIES),
        ("bckins",),
        ("1", "g kg-1"),
        role="difference",
        rates=True,
        equivalence=_SALT,
        trap="never a plain state; a change needs its time bounds, a tendency is per time",
    ),
    Row(
        "ensemble_spread",
        (),
        units=(),
        role="spread",
        trap="the field's name with cell_methods realization: standard_deviation: find_spread",
    ),
    Row(
        "observation_error",
        (),
        units=(),
        role="spread",
        trap="<name> standard_error through ancillary_variables: find_error",
    ),
    Row("number_of_observations", ("number_of_observations",), role="count"),
    Row(
        "cell_area",
        ("cell_area",),
        ("areacello",),
        ("m2",),
        role="weight",
        trap="NEMO: e1t * e2t",
    ),
    Row("cell_x_length", ("cell_x_length",), ("e1t",), ("m",), role="weight"),
    Row("cell_y_length", ("cell_y_length",), ("e2t",), ("m",), role="weight"),
    Row("cell_thickness", ("cell_thickness",), ("thkcello", "e3t"), ("m",), role="weight"),
]

ROWS: dict[str, Row] = {row.key: row for row in _ROWS}

ERROR_VARIABLES: dict[str, tuple[str, ...]] = {
    "err_sla": ("sea_level_anomaly",),
    "analysis_error": ("sea_surface_temperature",),
    "analysed_sst_uncertainty": ("sea_surface_temperature",),
    "sses_standard_deviation": ("sea_surface_temperature",),
}
"""Error variables of products that no attribute links to their field: name, keys of the field."""
