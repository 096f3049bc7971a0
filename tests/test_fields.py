"""Fields: every name of the table and every variable of real files, found or rightly refused."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from xocean_ml import fields
from xocean_ml.errors import (
    AmbiguousField,
    FieldNotFound,
    UnitsError,
    XOceanErrorGroup,
)
from xocean_ml.fields import search
from xocean_ml.fields.rows import ENSEMBLE_DIMS, ROWS
from xocean_ml.spec import FieldSpec


@pytest.fixture(autouse=True)
def _forget_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_warned", set())


def boom(block):
    raise AssertionError("computed")


def lazy(dims: tuple[str, ...]) -> da.Array:
    """Data that must not be computed."""
    data = da.zeros((2,) * len(dims), chunks=1, dtype="float32")
    return data.map_blocks(boom, dtype="float32", meta=np.empty((0,) * len(dims), "float32"))


T, Z, Y, X = "time", "depth", "lat", "lon"
SURFACE, DEEP, TRACK = (T, Y, X), (T, Z, Y, X), (T,)


def variable(dims: tuple[str, ...] = SURFACE, units: str | None = None, **attrs: str):
    if units is not None:
        attrs["units"] = units
    return dims, lazy(dims), attrs


def one(name: str, dims=SURFACE, units=None, coords=None, **attrs) -> xr.Dataset:
    return xr.Dataset({name: variable(dims, units, **attrs)}, coords=coords)


# Standard names accepted: key, unit as files write it, names (with a height where one is needed).
STANDARD_NAMES = """
sea_surface_height_above_geoid m:
    sea_surface_height_above_geoid sea_surface_elevation sea_surface_elevation_anomaly
sea_level_anomaly cm:
    sea_surface_height_above_mean_sea_level sea_surface_height_above_sea_level
    sea_surface_height
sea_surface_temperature degC:
    sea_surface_temperature sea_surface_foundation_temperature sea_surface_skin_temperature
    sea_surface_subskin_temperature
sea_surface_foundation_temperature K: sea_surface_foundation_temperature
sea_surface_skin_temperature K: sea_surface_skin_temperature
sea_surface_subskin_temperature K: sea_surface_subskin_temperature
sea_water_temperature Celsius:
    sea_water_potential_temperature sea_water_conservative_temperature sea_water_temperature
potential_temperature degC: sea_water_potential_temperature
conservative_temperature degC: sea_water_conservative_temperature
in_situ_temperature degree_Celsius: sea_water_temperature
sea_water_salinity 1e-3: sea_water_salinity sea_water_practical_salinity
sea_water_salinity g/kg: sea_water_absolute_salinity sea_water_salinity
practical_salinity psu: sea_water_practical_salinity sea_water_salinity
absolute_salinity g/kg: sea_water_absolute_salinity
sea_surface_salinity psu: sea_surface_salinity
eastward_sea_water_velocity m/s: eastward_sea_water_velocity surface_eastward_sea_water_velocity
northward_sea_water_velocity m/s: northward_sea_water_velocity surface_northward_sea_water_velocity
surface_eastward_sea_water_velocity m/s: surface_eastward_sea_water_velocity
surface_northward_sea_water_velocity m/s: surface_northward_sea_water_velocity
sea_water_x_velocity m/s: sea_water_x_velocity x_sea_water_velocity surface_sea_water_x_velocity
sea_water_y_velocity m/s: sea_water_y_velocity y_sea_water_velocity surface_sea_water_y_velocity
surface_geostrophic_eastward_sea_water_velocity m/s:
    surface_geostrophic_eastward_sea_water_velocity
    surface_eastward_geostrophic_sea_water_velocity
surface_geostrophic_northward_sea_water_velocity m/s:
    surface_geostrophic_northward_sea_water_velocity
    surface_northward_geostrophic_sea_water_velocity
surface_geostrophic_eastward_sea_water_velocity_anomaly m/s:
    surface_geostrophic_eastward_sea_water_velocity_assuming_mean_sea_level_for_geoid
    surface_geostrophic_eastward_sea_water_velocity_assuming_sea_level_for_geoid
    surface_eastward_geostrophic_sea_water_velocity_assuming_sea_level_for_geoid
surface_geostrophic_northward_sea_water_velocity_anomaly m/s:
    surface_geostrophic_northward_sea_water_velocity_assuming_mean_sea_level_for_geoid
    surface_geostrophic_northward_sea_water_velocity_assuming_sea_level_for_geoid
    surface_northward_geostrophic_sea_water_velocity_assuming_sea_level_for_geoid
ekman_eastward_velocity m/s: eastward_sea_water_velocity_due_to_ekman_drift
ekman_northward_velocity m/s: northward_sea_water_velocity_due_to_ekman_drift
eastward_wind_stress Pa: surface_downward_eastward_stress
northward_wind_stress N/m2: surface_downward_northward_stress
x_wind_stress Pa: surface_downward_x_stress downward_x_stress_at_sea_water_surface
y_wind_stress Pa: surface_downward_y_stress downward_y_stress_at_sea_water_surface
air_pressure_at_mean_sea_level MB: air_pressure_at_mean_sea_level air_pressure_at_sea_level
precipitation mm/day: precipitation_flux lwe_precipitation_rate
precipitation_amount mm: precipitation_amount lwe_thickness_of_precipitation_amount
temperature_increment K:
    change_over_time_in_sea_water_potential_temperature
    change_over_time_in_sea_water_conservative_temperature
    change_over_time_in_sea_water_temperature
temperature_increment K/s:
    tendency_of_sea_water_potential_temperature tendency_of_sea_water_conservative_temperature
    tendency_of_sea_water_temperature
salinity_increment 1e-3:
    change_over_time_in_sea_water_salinity change_over_time_in_sea_water_practical_salinity
salinity_increment g/kg: change_over_time_in_sea_water_absolute_salinity
salinity_increment 1e-3 s-1:
    tendency_of_sea_water_salinity tendency_of_sea_water_practical_salinity
salinity_increment g kg-1 s-1: tendency_of_sea_water_absolute_salinity
number_of_observations 1: number_of_observations
cell_area km2: cell_area
cell_x_length m: cell_x_length
cell_y_length m: cell_y_length
cell_thickness m: cell_thickness
"""
# Product profiles: key, unit, dimensions, variable names.
PROFILES = """
sea_surface_height_above_geoid m surface: adt zos sossheig surf_el zeta
sea_level_anomaly m track: sla sla_filtered sla_unfiltered ssha ssha_karin ssha_karin_2
sea_surface_temperature degC surface: analysed_sst tos sst sosstsst
sea_water_temperature degC deep: thetao votemper bigthetao water_temp TEMP
potential_temperature degC deep: thetao votemper
conservative_temperature degC deep: bigthetao
in_situ_temperature degC deep: water_temp TEMP
sea_water_salinity psu deep: so vosaline PSAL
practical_salinity 1e-3 deep: so vosaline PSAL
sea_surface_salinity 1e-3 surface: sos
eastward_sea_water_velocity m/s deep: uo water_u
northward_sea_water_velocity m/s surface: vo water_v
sea_water_x_velocity m/s deep: vozocrtx
sea_water_y_velocity m/s deep: vomecrty
surface_geostrophic_eastward_sea_water_velocity m/s surface: ugos
surface_geostrophic_northward_sea_water_velocity m/s surface: vgos
surface_geostrophic_eastward_sea_water_velocity_anomaly m/s surface: ugosa
surface_geostrophic_northward_sea_water_velocity_anomaly m/s surface: vgosa
eastward_wind M/S surface: uas u10 UWND eastward_wind
northward_wind M/S surface: vas v10 VWND northward_wind
eastward_wind_stress Pa surface: tauu
northward_wind_stress Pa surface: tauv
x_wind_stress Pa surface: tauuo
y_wind_stress Pa surface: tauvo
air_pressure_at_mean_sea_level MB surface: psl msl slp prmsl SLP
air_temperature_2m degC surface: tas t2m air
precipitation mm/day surface: pr prate precip
precipitation_amount m surface: tp precip
temperature_increment degC deep: bckint
salinity_increment psu deep: bckins
cell_area m2 surface: areacello
cell_x_length m surface: e1t
cell_y_length m surface: e2t
cell_thickness m deep: thkcello e3t
"""


def rows_of(text: str) -> list[tuple[list[str], list[str]]]:
    """(key and what follows it, names) of each row; further lines of a row are indented."""
    rows = [row.partition(":") for row in re.split(r"\n(?=\S)", text.strip())]
    return [(left.split(" "), names.split()) for left, _, names in rows]


def named() -> list[tuple[str, str, str]]:
    return [
        (key, " ".join(unit), name)
        for (key, *unit), names in rows_of(STANDARD_NAMES)
        for name in names
    ]


def profiled() -> list[tuple[str, str, tuple[str, ...], str]]:
    dims = {"surface": SURFACE, "deep": DEEP, "track": TRACK}
    return [
        (key, unit, dims[level], name)
        for (key, unit, level), names in rows_of(PROFILES)
        for name in names
    ]


def test_the_lists_cover_the_table() -> None:
    assert {(k, n) for k, _, n in named()} == {
        (key, name) for key, row in ROWS.items() for name in (*row.names, *row.family)
    }
    assert {(k, n) for k, *_, n in profiled()} == {
        (key, name) for key, row in ROWS.items() for name in row.variables
    }


@pytest.mark.parametrize(("key", "unit", "name"), named())
def test_standard_names(key: str, unit: str, name: str) -> None:
    ds = one("anything", DEEP, unit, standard_name=name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fields.find(ds, key)
    assert (found.variable, found.how, found.units) == ("anything", "standard_name", unit)
    assert found.standard_name == name
    assert found.role == ROWS[key].role
    assert found.rate == name.startswith("tendency_of_")


@pytest.mark.parametrize(("key", "unit", "dims", "name"), profiled())
@pytest.mark.parametrize("absent", [None, "", "unknown", "undef"])
def test_profiles(key, unit, dims, name, absent) -> None:
    attrs = {} if absent is None else {"standard_name": absent}
    ds = one(name, dims, unit, **attrs)
    with pytest.warns(fields.ProfileWarning) as caught:
        found = fields.find(ds, key)
    assert (found.variable, found.how, found.units) == (name, "profile", unit)
    assert f"fields={{{key!r}: {name!r}}}" in str(caught[0].message)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fields.find(ds, key)  # once in a process


@pytest.mark.parametrize(("key", "unit", "dims", "name"), profiled())
def test_a_profile_needs_its_units_and_dimensions(key, unit, dims, name) -> None:
    with pytest.raises(FieldNotFound):
        fields.find(one(name, dims, "mol"), key)
    with pytest.raises(FieldNotFound):
        fields.find(one(name, dims, None), key)
    with pytest.raises(FieldNotFound):
        fields.find(one(name, dims, unit, standard_name="sea_floor_age"), key)
    if ROWS[key].level != "any":
        other = DEEP if ROWS[key].level == "surface" else SURFACE
        with pytest.raises(FieldNotFound):
            fields.find(one(name, other, unit), key)
    with pytest.raises(FieldNotFound):
        fields.find(one(f"{name}_", dims, unit), key)
    with pytest.raises(FieldNotFound):
        fields.find(one(name.swapcase() + "x", dims, unit), key)


def test_names_are_those_of_the_cf_table() -> None:
    """Current names come first, the rest are their aliases or the names that the page gives."""
    import xml.etree.ElementTree as ElementTree
    from importlib.resources import files

    checker = pytest.importorskip("compliance_checker")
    table = files(checker) / "data" / "cf-standard-name-table.xml"
    root = ElementTree.fromstring(table.read_text())
    known = {each.attrib["id"] for tag in ("entry", "alias") for each in root.iter(tag)}
    ours = {n for row in ROWS.values() for n in (*row.all_names, *row.states, *row.loose)}
    assert {n for n in ours - known if not n.startswith("tendency_of_sea_water_")} == set()


# Every variable of the real files: those that are a field, with the answer; all others are none.
AMBIGUOUS_ARGO = {
    "sea_water_temperature": AmbiguousField,
    "in_situ_temperature": AmbiguousField,
    "sea_water_salinity": AmbiguousField,
    "practical_salinity": AmbiguousField,
}
FILES: dict[str, dict[str, object]] = {
    "altimetry_jason1_pass.nc": {"sea_level_anomaly": ("ssha", "standard_name", "difference", "m")},
    "atlas_temperature.nc": {},  # TEMP has no units
    "coads_climatology.nc": {
        "sea_surface_temperature": ("SST", "profile", "state", "Deg C"),
        "air_temperature_2m": ("AIRT", "profile", "state", "DEG C"),
        "eastward_wind": ("UWND", "profile", "state", "M/S"),
        "northward_wind": ("VWND", "profile", "state", "M/S"),
        "air_pressure_at_mean_sea_level": ("SLP", "profile", "state", "MB"),
    },
    "currents_agulhas_2002.nc": {
        "eastward_sea_water_velocity": ("u", "standard_name", "state", "m s-1"),
        "northward_sea_water_velocity": ("v", "standard_name", "state", "m s-1"),
    },
    "monthly_4var_20deg.nc": {
        "sea_surface_temperature": ("sst", "profile", "difference", "K"),
        "precipitation": ("precip", "profile", "difference", "mm day-1"),
        "air_temperature_2m": ("t2m", "profile", "difference", "degC"),
        "air_pressure_at_mean_sea_level": ("slp", "profile", "difference", "hPa"),
    },
    "monthly_ncep_sst_t2m_slp.nc": {
        "sea_surface_temperature": ("sst", "standard_name", "state", "degC"),
        "air_temperature_2m": ("t2m", "profile", "state", "degC"),
        "air_pressure_at_mean_sea_level": ("slp", "standard_name", "state", "hPa"),
    },
    "roms_arctic20_5day.nc": {
        "sea_surface_height_above_geoid": ("zeta", "standard_name", "state", "meters"),
        "sea_water_temperature": ("temperature", "standard_name", "state", "Celsius"),
        "potential_temperature": ("temperature", "standard_name", "state", "Celsius"),
        "sea_water_salinity": ("salinity", "standard_name", "state", "1e-3"),
        "practical_salinity": ("salinity", "standard_name", "state", "1e-3"),
        "sea_water_x_velocity": ("u", "standard_name", "state", "meter second-1"),
        "sea_water_y_velocity": ("v", "standard_name", "state", "meter second-1"),
    },
    "ssh_med_2005.nc": {"sea_surface_height_above_geoid": ("adt", "profile", "state", "m")},
    "sst_cobe_1950_1989.nc": {"sea_surface_temperature": ("sst", "standard_name", "state", "degC")},
    "sst_ersst_2010_2016.nc": {"sea_surface_temperature": ("sst", "profile", "state", "degC")},
    "1900857_prof.nc": AMBIGUOUS_ARGO,
    "2901746_prof.nc": AMBIGUOUS_ARGO,
    "5900446_prof.nc": AMBIGUOUS_ARGO,
}


def open_as_users_do(path: Path) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return xr.open_dataset(path)
        except ValueError:  # a climatological time axis does not decode
            return xr.open_dataset(path, decode_times=False)


@pytest.mark.realdata
def test_every_file_is_listed(realdata: Path) -> None:
    assert {path.name for path in realdata.rglob("*.nc")} == set(FILES)


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::xocean_ml.fields.ProfileWarning")
@pytest.mark.parametrize("name", FILES)
def test_every_variable_of_the_files(realdata: Path, name: str) -> None:
    (path,) = realdata.rglob(name)
    answers: dict[str, object] = {}
    with open_as_users_do(path) as ds:
        for key in ROWS:
            try:
                found = fields.find(ds, key)
            except (AmbiguousField, UnitsError) as error:
                answers[key] = type(error)
            except FieldNotFound:
                continue
            else:
                answers[key] = (found.variable, found.how, found.role, found.units)
                assert found.conversion(ROWS[key].units[0]).factor > 0
    assert answers == FILES[name]


@pytest.mark.realdata
def test_argo_adjusted_and_its_error(realdata: Path) -> None:
    with open_as_users_do(realdata / "argo" / "1900857_prof.nc") as ds:
        temp = fields.find(ds, "in_situ_temperature", fields={"in_situ_temperature": "TEMP"})
        assert fields.find_error(ds, temp) is None
        chosen = {"sea_water_salinity": "PSAL_ADJUSTED"}
        salt = fields.find(ds, "practical_salinity", fields=chosen)
        with pytest.warns(fields.ProfileWarning, match="PSAL_ADJUSTED_ERROR"):
            error = fields.find_error(ds, salt)
    assert error is not None
    assert (error.variable, error.role) == ("PSAL_ADJUSTED_ERROR", "spread")
    assert salt.conversion("1e-3").identity


# ------------------------------------------------------------------ the user's word


def test_fields_go_before_everything() -> None:
    ds = one("right", units="K")
    ds["wrong"] = variable(units="K", standard_name="sea_surface_temperature")
    assert fields.find(ds, "sea_surface_temperature").variable == "wrong"
    said = {"sea_surface_temperature": "right"}
    found = fields.find(ds, "sea_surface_temperature", fields=said)
    assert (found.variable, found.how, found.role) == ("right", "fields=", "state")


def test_fields_by_standard_name() -> None:
    ds = one("a", DEEP, "degC")
    said = {"sea_water_potential_temperature": "a"}
    assert fields.find(ds, "potential_temperature", fields=said).variable == "a"
    assert fields.find(ds, "sea_water_potential_temperature", fields=said).variable == "a"
    with pytest.raises(FieldNotFound):
        fields.find(ds, "conservative_temperature", fields=said)


def test_fields_naming_what_is_not_there() -> None:
    ds = one("a", units="K")
    with pytest.raises(FieldNotFound, match=r"'nope'(.|\n)*found:\n    a \(time, lat, lon\)"):
        fields.find(ds, "sea_surface_temperature", fields={"sea_surface_temperature": "nope"})
    with pytest.raises(FieldNotFound, match=r"'sea_surface_temperture'.*'sea_surface_temperature'"):
        fields.find(ds, "sea_surface_temperature", fields={"sea_surface_temperture": "a"})
    with pytest.raises(FieldNotFound, match="neither a key"):
        fields.find(ds, "no_such_key")


@pytest.mark.parametrize(
    ("units", "message"),
    [(None, r"attrs\['units'\] = 'degC'"), ("m", "'m'"), ("Celcius", "'celsius'")],
)
def test_units_must_fit(units, message) -> None:
    ds = one("a", units=units, standard_name="sea_surface_temperature")
    with pytest.raises(UnitsError, match=message):
        fields.find(ds, "sea_surface_temperature")
    with pytest.raises(UnitsError, match=message):
        fields.find(ds, "sea_surface_temperature", fields={"sea_surface_temperature": "a"})


# ------------------------------------------------------------------ not found, ambiguous


def test_not_found_says_what_was_looked_for_found_and_to_do() -> None:
    ds = one("ice", units="1", standard_name="sea_ice_area_fraction")
    ds["temp"] = variable(units="degC")
    with pytest.raises(FieldNotFound) as error:
        fields.find(ds, "sea_surface_temperature")
    text = str(error.value)
    for part in (
        "sea_surface_foundation_temperature",
        "analysed_sst, tos, sst, sosstsst in K",
        "ice (time, lat, lon): sea_ice_area_fraction [1]",
        "temp (time, lat, lon): no standard_name [degC]",
        "fields={'sea_surface_temperature': 'temp'}",
    ):
        assert part in text


def test_ambiguous_lists_both() -> None:
    ds = one("a", units="K", standard_name="sea_surface_temperature")
    ds["b"] = ds.a
    with pytest.raises(AmbiguousField) as error:
        fields.find(ds, "sea_surface_temperature")
    assert "fields={'sea_surface_temperature': 'a'}" in str(error.value)
    assert "fields={'sea_surface_temperature': 'b'}" in str(error.value)
    said = {"sea_surface_temperature": "b"}
    assert fields.find(ds, "sea_surface_temperature", fields=said).variable == "b"


def test_the_name_itself_goes_before_its_family() -> None:
    ds = one("a", units="K", standard_name="sea_surface_temperature")
    ds["b"] = variable(units="K", standard_name="sea_surface_skin_temperature")
    assert fields.find(ds, "sea_surface_temperature").variable == "a"
    assert fields.find(ds, "sea_surface_skin_temperature").variable == "b"
    ds["c"] = variable(units="K", standard_name="sea_surface_subskin_temperature")
    with pytest.raises(AmbiguousField):
        fields.find(ds.drop_vars("a"), "sea_surface_temperature")


def test_three_temperatures_are_three() -> None:
    ds = one("a", DEEP, "degC", standard_name="sea_water_potential_temperature")
    ds["b"] = variable(DEEP, "degC", standard_name="sea_water_conservative_temperature")
    assert fields.find(ds, "potential_temperature").variable == "a"
    assert fields.find(ds, "conservative_temperature").variable == "b"
    with pytest.raises(FieldNotFound):
        fields.find(ds, "in_situ_temperature")
    with pytest.raises(AmbiguousField):
        fields.find(ds, "sea_water_temperature")


# ------------------------------------------------------------------ traps of the table


def test_mdt_is_no_sea_surface_height() -> None:
    name = {"standard_name": "sea_surface_height_above_geoid"}
    ds = one("mdt", (Y, X), "m", **name)
    with pytest.raises(FieldNotFound):
        fields.find(ds, "sea_surface_height_above_geoid")
    ds["adt"] = variable(units="m", **name)
    assert fields.find(ds, "sea_surface_height_above_geoid").variable == "adt"


def test_anomaly_and_absolute_height_never_merge() -> None:
    ds = one("a", units="m", standard_name="sea_surface_height_above_geoid")
    with pytest.raises(FieldNotFound):
        fields.find(ds, "sea_level_anomaly")
    ds = one("a", units="m", standard_name="sea_surface_height_above_sea_level")
    with pytest.raises(FieldNotFound):
        fields.find(ds, "sea_surface_height_above_geoid")


def test_models_misuse_sea_surface_height() -> None:
    ds = one("zeta", units="m", standard_name="sea_surface_height")
    with pytest.raises(FieldNotFound):
        fields.find(ds, "sea_level_anomaly")
    with pytest.warns(fields.ProfileWarning):
        assert fields.find(ds, "sea_surface_height_above_geoid").variable == "zeta"


@pytest.mark.parametrize(
    ("key", "name", "good", "bad"),
    [
        ("eastward_wind", "eastward_wind", 10.0, 100.0),
        ("northward_wind", "northward_wind", 10.0, 2.0),
        ("x_wind", "x_wind", 10.0, 100.0),
        ("y_wind", "grid_northward_wind", 10.0, 100.0),
        ("air_temperature_2m", "air_temperature", 2.0, 10.0),
        ("surface_eastward_sea_water_velocity", "eastward_sea_water_velocity", 0.5, 15.0),
    ],
)
def test_scalar_heights(key, name, good, bad) -> None:
    unit = "K" if "temperature" in name else "m s-1"
    ds = one("a", units=unit, standard_name=name)
    with pytest.raises(FieldNotFound):
        fields.find(ds, key)
    level = "depth" if "sea_water" in name else "height"
    found = fields.find(ds.assign_coords({level: good}), key)
    assert (found.variable, found.how) == ("a", "height")
    with_units = ds.assign_coords({level: ((), good * 100, {"units": "cm"})})
    assert fields.find(with_units, key).how == "height"
    with pytest.raises(FieldNotFound):
        fields.find(ds.assign_coords({level: bad}), key)


def test_a_height_is_that_of_its_variable() -> None:
    ds = one("t", units="K", standard_name="air_temperature")
    ds["w"] = variable(units="m/s", standard_name="eastward_wind")
    ds = ds.assign_coords(
        height=((), 2.0, {"standard_name": "height"}),
        height_2=((), 10.0, {"standard_name": "height"}),
    )
    ds.t.encoding["coordinates"] = "height"
    ds.w.encoding["coordinates"] = "height_2"
    assert fields.find(ds, "air_temperature_2m").how == "height"
    assert fields.find(ds, "eastward_wind").how == "height"


def test_surface_temperature_only_with_a_sea_mask() -> None:
    ds = one("ts", units="K", standard_name="surface_temperature")
    with pytest.raises(FieldNotFound):
        fields.find(ds, "sea_surface_temperature")
    ds.ts.attrs["cell_methods"] = "area: mean where sea"
    assert fields.find(ds, "sea_surface_temperature").how == "cell_methods"
    ds.ts.attrs["cell_methods"] = "area: mean where land"
    with pytest.raises(FieldNotFound):
        fields.find(ds, "sea_surface_temperature")
    ds["mask"] = variable((Y, X), "1", standard_name="sea_binary_mask")
    assert fields.find(ds, "sea_surface_temperature").variable == "ts"


def test_the_top_level_is_no_sst() -> None:
    ds = one("thetao", DEEP, "degC", standard_name="sea_water_potential_temperature")
    with pytest.raises(FieldNotFound, match=r"isel\(depth=0\)"):
        fields.find(ds, "sea_surface_temperature")


@pytest.mark.parametrize("unit", ["1e-3", "psu", "1", "", None, "PSU"])
def test_practical_salinity_is_one_number(unit) -> None:
    found = fields.find(
        one("so", DEEP, unit, standard_name="sea_water_salinity"),
        "practical_salinity",
    )
    assert found.conversion("1").identity
    assert found.conversion("psu").identity
    with pytest.raises(UnitsError, match="gsw"):
        found.conversion("g/kg")


def test_absolute_salinity_is_not_practical() -> None:
    ds = one("sa", DEEP, "g/kg", standard_name="sea_water_absolute_salinity")
    found = fields.find(ds, "sea_water_salinity")
    assert found.conversion("g kg-1").identity
    with pytest.raises(UnitsError):
        found.conversion("psu")
    ds = one("sa", DEEP, "psu", standard_name="sea_water_absolute_salinity")
    with pytest.raises(UnitsError, match="gsw"):
        fields.find(ds, "absolute_salinity")
    ds = one("sp", DEEP, "g/kg", standard_name="sea_water_practical_salinity")
    with pytest.raises(UnitsError, match="gsw"):
        fields.find(ds, "practical_salinity")


def test_precipitation_to_a_flux_and_amounts_apart() -> None:
    found = fields.find(
        one("p", units="mm/day", standard_name="lwe_precipitation_rate"), "precipitation"
    )
    assert found.conversion("kg m-2 s-1").factor == pytest.approx(1 / 86400)
    ds = one("p", units="mm", standard_name="precipitation_amount")
    with pytest.raises(FieldNotFound, match="period"):
        fields.find(ds, "precipitation")


def test_surface_air_pressure_is_not_sea_level_pressure() -> None:
    ds = one("psl", units="Pa", standard_name="surface_air_pressure")
    with pytest.raises(FieldNotFound):
        fields.find(ds, "air_pressure_at_mean_sea_level")


def test_nemo_cell_area() -> None:
    ds = xr.Dataset(coords={n: variable((Y, X), "m") for n in ("e1t", "e2t")})
    with pytest.raises(FieldNotFound, match=r"ds\.e1t \* ds\.e2t"):
        fields.find(ds, "cell_area")
    ds = ds.assign_coords(area=variable((Y, X), "m2", standard_name="cell_area"))
    assert fields.find(ds, "cell_area").variable == "area"


# ------------------------------------------------------------------ roles and increments

STATES = [
    "sea_water_potential_temperature", "sea_water_conservative_temperature",
    "sea_water_temperature",
]  # fmt: skip


@pytest.mark.parametrize("name", [*STATES, None])
@pytest.mark.parametrize("variable_name", ["thetao", "dT", "temperature_increment"])
def test_a_plain_state_is_never_an_increment(name, variable_name) -> None:
    attrs = {"standard_name": name} if name else {}
    ds = one(variable_name, DEEP, "degC", **attrs)
    with pytest.raises(FieldNotFound) as error:
        fields.find(ds, "temperature_increment")
    assert "xo.increments(analysis, background)" in str(error.value)
    assert "fields={'temperature_increment': " in str(error.value)
    on_scale = one("a", DEEP, "degC", units_metadata="temperature: on_scale", **attrs)
    with pytest.raises(FieldNotFound):
        fields.find(on_scale, "temperature_increment")
    said = {"temperature_increment": variable_name}
    found = fields.find(ds, "temperature_increment", fields=said)
    assert (found.role, found.rate) == ("difference", False)
    assert found.conversion("K").identity


def test_a_plain_salinity_is_never_an_increment() -> None:
    ds = one("so", DEEP, "psu", standard_name="sea_water_salinity")
    with pytest.raises(FieldNotFound, match=r"xo\.increments"):
        fields.find(ds, "salinity_increment")


@pytest.mark.parametrize("name", STATES)
def test_a_marked_difference_is_an_increment_and_no_state(name: str) -> None:
    attrs = {"standard_name": name, "units_metadata": "temperature: difference"}
    ds = one("d", DEEP, "degC", **attrs)
    found = fields.find(ds, "temperature_increment")
    assert (found.variable, found.role) == ("d", "difference")
    with pytest.raises(FieldNotFound, match="not a state"):
        fields.find(ds, "sea_water_temperature", role="state")
    ds["t"] = variable(DEEP, "degC", standard_name=name)
    assert fields.find(ds, "sea_water_temperature").variable == "t"
    assert fields.find(ds, "temperature_increment").variable == "d"
    assert fields.find(ds, "sea_water_temperature", role="difference").variable == "d"


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("tendency_of_sea_water_temperature", "K"),
        ("change_over_time_in_sea_water_temperature", "K s-1"),
    ],
)
def test_name_and_units_must_agree_on_the_rate(name: str, unit: str) -> None:
    with pytest.raises(UnitsError, match="per time"):
        fields.find(one("d", DEEP, unit, standard_name=name), "temperature_increment")


def test_a_rate_by_its_units() -> None:
    said = {"temperature_increment": "d", "salinity_increment": "s"}
    ds = one("d", DEEP, "degC day-1")
    ds["s"] = variable(DEEP, "psu/day")
    found = fields.find_all(
        ds,
        [
            FieldSpec("temperature_increment", "difference", "K"),
            FieldSpec("salinity_increment", "difference", "1"),
        ],
        said,
    )
    assert all(each.rate for each in found.values())
    assert found["temperature_increment"].conversion("K s-1").factor == pytest.approx(1 / 86400)
    assert found["salinity_increment"].conversion("s-1").factor == pytest.approx(1 / 86400)


def test_an_anomaly_is_no_state() -> None:
    ds = one("sst", units="degC", long_name="sea_surface_temperature_anomaly")
    with pytest.warns(fields.ProfileWarning):
        found = fields.find(ds, "sea_surface_temperature")
    assert found.role == "difference"
    assert found.conversion("K").offset == 0
    with pytest.raises(FieldNotFound, match="not a state"):
        fields.find(ds, "sea_surface_temperature", role="state")
    plain = one("sst", units="degC", standard_name="sea_surface_temperature")
    with pytest.raises(FieldNotFound, match="is a state"):
        fields.find(plain, "sea_surface_temperature", role="difference")


# ------------------------------------------------------------------ spread, error, counts


@pytest.mark.parametrize("dim", ENSEMBLE_DIMS)
@pytest.mark.parametrize(
    ("method", "role", "unit"),
    [("standard_deviation", "spread", "K"), ("variance", "variance", "K2")],
)
def test_spread(dim: str, method: str, role: str, unit: str) -> None:
    name = {"standard_name": "sea_surface_temperature"}
    ds = one("sst", units="degC", cell_methods=f"time: mean {dim}: mean", **name)
    assert fields.find_spread(ds, fields.find(ds, "sea_surface_temperature")) is None
    ds["s"] = variable(units=unit, cell_methods=f"time: mean {dim}: {method} (ddof=1)", **name)
    found = fields.find(ds, "sea_surface_temperature")
    assert found.variable == "sst", "a spread is no candidate for the field"
    spread = fields.find_spread(ds, found)
    assert spread is not None
    assert (spread.variable, spread.role, spread.units) == ("s", role, unit)
    assert fields.find(ds, "sea_surface_temperature", role="spread") == spread
    with pytest.raises(FieldNotFound):
        fields.find(ds.drop_vars("sst"), "sea_surface_temperature")


def test_spread_of_an_increment_is_that_of_its_state() -> None:
    ds = one("d", DEEP, "degC")
    methods = {"cell_methods": "realization: standard_deviation"}
    ds["s"] = variable(DEEP, "degC", standard_name="sea_water_potential_temperature", **methods)
    found = fields.find(ds, "temperature_increment", fields={"temperature_increment": "d"})
    spread = fields.find_spread(ds, found)
    assert spread is not None
    assert (spread.variable, spread.conversion("K").offset) == ("s", 0.0)
    name = "change_over_time_in_sea_water_potential_temperature"
    ds["own"] = variable(DEEP, "degC", standard_name=name, **methods)
    own = fields.find_spread(ds, found)
    assert own is not None
    assert own.variable == "own"


def test_spread_linked_or_named() -> None:
    ds = one("sst", units="K", standard_name="sea_surface_temperature", ancillary_variables="e q")
    ds["e"] = variable(units="K", cell_methods="realization: standard_deviation")
    ds["free"] = variable(units="K")
    ds["square"] = variable(units="K2")
    ds["wrong"] = variable(units="m")
    found = fields.find(ds, "sea_surface_temperature")
    linked = fields.find_spread(ds, found)
    assert linked is not None
    assert (linked.variable, linked.how) == ("e", "ancillary_variables")
    free = fields.find_spread(ds, found, "free")
    square = fields.find_spread(ds, found, "square")
    assert free is not None
    assert square is not None
    assert (free.role, square.role) == ("spread", "variance")
    with pytest.raises(FieldNotFound, match="'nope'"):
        fields.find_spread(ds, found, "nope")
    with pytest.raises(UnitsError, match="wrong"):
        fields.find_spread(ds, found, "wrong")


def test_two_spreads_are_ambiguous() -> None:
    name = {"standard_name": "sea_surface_temperature"}
    ds = one("sst", units="K", **name)
    for each in "ab":
        ds[each] = variable(units="K", cell_methods="member: standard_deviation", **name)
    with pytest.raises(AmbiguousField):
        fields.find_spread(ds, fields.find(ds, "sea_surface_temperature"))


def test_standard_error_by_ancillary_variables() -> None:
    """A blank, not an underscore; aliases resolved on both sides; the multiplier divides."""
    ds = one(
        "h",
        units="m",
        standard_name="sea_surface_height_above_sea_level",
        ancillary_variables="e flag",
    )
    ds["e"] = variable(
        units="cm",
        ancillary_variables="k",
        standard_name="sea_surface_height_above_mean_sea_level standard_error",
    )
    ds["k"] = variable(units="1", standard_name="standard_error_multiplier")
    ds["flag"] = variable(units="1", standard_name="sea_surface_height_above_sea_level status_flag")
    found = fields.find(ds, "sea_level_anomaly")
    assert found.variable == "h"
    error = fields.find_error(ds, found)
    assert error is not None
    assert (error.variable, error.how, error.role) == ("e", "ancillary_variables", "spread")
    assert error.divisor == "k"
    assert error.conversion("m").factor == 0.01
    underscored = ds.drop_vars("e").assign(
        e=variable(units="m", standard_name="sea_surface_height_above_sea_level_standard_error")
    )
    assert fields.find_error(underscored, found) is None


@pytest.mark.parametrize(
    ("key", "field", "error", "unit"),
    [
        ("sea_level_anomaly", "sla", "err_sla", "m"),
        ("sea_surface_temperature", "analysed_sst", "analysis_error", "K"),
        ("sea_surface_temperature", "analysed_sst", "analysed_sst_uncertainty", "K"),
        ("sea_surface_temperature", "sst", "sses_standard_deviation", "K"),
        ("in_situ_temperature", "TEMP_ADJUSTED", "TEMP_ADJUSTED_ERROR", "degree_Celsius"),
    ],
)
def test_errors_of_products(key, field, error, unit) -> None:
    ds = one(field, units=unit, standard_name=ROWS[key].names[0])
    found = fields.find(ds, key)
    assert fields.find_error(ds, found) is None
    ds[error] = variable(units=unit)
    ds["sses_bias"] = variable(units="K")
    with pytest.warns(fields.ProfileWarning, match=error) as caught:
        got = fields.find_error(ds, found)
    assert got is not None
    assert (got.variable, got.role) == (error, "spread")
    assert got.conversion("K" if unit != "m" else "m").offset == 0
    assert (got.bias == "sses_bias") == error.startswith("sses")
    assert ("mapping error" in str(caught[0].message)) == (error == "err_sla")


def test_counts() -> None:
    sst = {"standard_name": "sea_surface_temperature", "ancillary_variables": "n"}
    ds = one("sst", units="K", **sst)
    assert fields.find_counts(ds) is None
    for name in ("n", "m"):
        ds[name] = variable(units="count", standard_name="number_of_observations")
    found = fields.find(ds, "sea_surface_temperature")
    with pytest.raises(AmbiguousField):
        fields.find_counts(ds)
    counts = fields.find_counts(ds, found)
    assert counts is not None
    assert (counts.variable, counts.role, counts.how) == ("n", "count", "ancillary_variables")
    modified = ds.drop_vars(["n", "m"])
    modified["c"] = variable(standard_name="sea_surface_temperature number_of_observations")
    named_so = fields.find_counts(modified, found)
    assert named_so is not None
    assert named_so.variable == "c"


# ------------------------------------------------------------------ all at once


def test_find_all_groups_what_fails() -> None:
    ds = one("sst", units="m", standard_name="sea_surface_temperature")
    specs = [
        FieldSpec("sea_surface_temperature", "state", "K"),
        FieldSpec("sea_level_anomaly", "state", "m"),
    ]
    with pytest.raises(XOceanErrorGroup) as error:
        fields.find_all(ds, specs)
    assert {type(each) for each in error.value.exceptions} == {UnitsError, FieldNotFound}
    with pytest.raises(FieldNotFound, match="2 of 2 fields") as both:
        fields.find_all(ds.drop_vars("sst").assign(x=variable(units="1")), specs)
    assert "sea_surface_temperature" in str(both.value)
    assert "sea_level_anomaly" in str(both.value)


def test_find_all_optional_and_spread() -> None:
    name = {"standard_name": "sea_surface_temperature"}
    ds = one("sst", units="degC", **name)
    specs = [
        FieldSpec("sea_surface_temperature", "state", "K"),
        FieldSpec("sea_surface_temperature", "spread", "K", required=False),
        FieldSpec("sea_surface_salinity", "state", "psu", required=False),
    ]
    assert set(fields.find_all(ds, specs)) == {"sea_surface_temperature"}
    with pytest.raises(FieldNotFound, match="nope"):
        fields.find_all(ds, specs, {"sea_surface_salinity": "nope"})
    ds["s"] = variable(units="K", cell_methods="number: standard_deviation", **name)
    assert set(fields.find_all(ds, specs)) == {
        "sea_surface_temperature",
        "sea_surface_temperature spread",
    }


def test_a_quantified_dataset_is_found_too() -> None:
    pint = pytest.importorskip("pint")
    ureg = pint.get_application_registry()
    ds = xr.Dataset(
        {"a": ("x", ureg.Quantity([1.0], "degC"), {"standard_name": "sea_surface_temperature"})}
    )
    assert fields.find(ds, "sea_surface_temperature").units == "degC"


def test_names_that_are_no_strings_and_no_variables() -> None:
    for ds in (xr.Dataset({3: ("x", [1.0], {"units": "K"})}), xr.Dataset()):
        with pytest.raises(FieldNotFound):
            fields.find(ds, "sea_surface_temperature")


def test_table_shows_every_row() -> None:
    table = fields.table()
    assert list(table.index) == list(ROWS)
    assert "adt" in table.loc["sea_surface_height_above_geoid", "variables"]
    assert (table.loc[[k for k, r in ROWS.items() if not r.trap], "trap"] == "").all()
