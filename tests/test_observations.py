"""Laws of observation tables: one answer for every geometry that holds the same observations."""

from __future__ import annotations

from collections.abc import Callable

import cftime
import dask
import gsw
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from xocean_ml import grid
from xocean_ml.errors import (
    AmbiguousField,
    FieldNotFound,
    GridError,
    UnitsError,
    ValuesError,
    XOceanError,
)
from xocean_ml.observations import argo, from_grid, select, table

ATTRS = {
    "value": {"standard_name": "sea_water_temperature", "units": "degC"},
    "time": {"standard_name": "time"},
    "lat": {"standard_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "units": "degrees_east"},
    "z": {"standard_name": "depth", "units": "m", "positive": "down"},
}
LAW = settings(deadline=None, max_examples=40)
ROW = ("time", "latitude", "longitude", "depth", "value")


def profiles(counts: list[int]) -> list[dict[str, np.ndarray]]:
    """Make one cast for each count: scalar time and position, `z` and `value` along levels."""
    rng = np.random.default_rng(len(counts) + sum(counts))
    days = np.datetime64("2010-01-01", "ns") + np.arange(len(counts)) * np.timedelta64(1, "D")
    return [
        {
            "time": day,
            "lat": rng.uniform(-80, 80),
            "lon": rng.uniform(-180, 180),
            "z": np.sort(rng.uniform(0, 2000, count)),
            "value": rng.normal(10, 3, count),
        }
        for day, count in zip(days, counts, strict=True)
    ]


def along(casts: list[dict], name: str, dim: str) -> tuple:
    """One number for each cast, along a dimension."""
    return dim, np.array([cast[name] for cast in casts]), ATTRS[name]


def each(casts: list[dict], name: str) -> tuple:
    """One number for each sample, casts after one another, along `obs`."""
    whole = [np.broadcast_to(cast[name], cast["z"].shape) for cast in casts]
    return "obs", np.concatenate(whole), ATTRS[name]


def points(casts: list[dict]) -> xr.Dataset:
    return xr.Dataset({name: each(casts, name) for name in ATTRS}, attrs={"featureType": "point"})


def padded(casts: list[dict]) -> xr.Dataset:
    """Return the incomplete multidimensional array of Argo files."""
    deepest = max(cast["z"].size for cast in casts)
    fill = {
        name: [np.r_[cast[name], np.full(deepest - cast["z"].size, np.nan)] for cast in casts]
        for name in ("z", "value")
    }
    data = {name: (("cast", "level"), np.array(fill[name]), ATTRS[name]) for name in fill}
    data |= {name: along(casts, name, "cast") for name in ("time", "lat", "lon")}
    return xr.Dataset(data, attrs={"featureType": "profile"})


def ragged(casts: list[dict]) -> xr.Dataset:
    data = {name: each(casts, name) for name in ("z", "value")}
    data |= {name: along(casts, name, "cast") for name in ("time", "lat", "lon")}
    return xr.Dataset(data, attrs={"featureType": "profile"})


def contiguous(casts: list[dict]) -> xr.Dataset:
    counts = [cast["z"].size for cast in casts]
    return ragged(casts).assign(row_size=("cast", counts, {"sample_dimension": "obs"}))


def indexed(casts: list[dict]) -> xr.Dataset:
    """Return the indexed ragged array with its samples shuffled, as they came in."""
    of = np.repeat(np.arange(len(casts)), [cast["z"].size for cast in casts])
    whole = ragged(casts).assign(cast_index=("obs", of, {"instance_dimension": "cast"}))
    return whole.isel(obs=np.random.default_rng(0).permutation(of.size))


def nested(casts: list[dict]) -> xr.Dataset:
    """Return a ragged array of trajectories of ragged profiles; longitude is a trajectory's."""
    casts = [dict(cast, lon=casts[0]["lon"]) for cast in casts]
    ds = contiguous(casts).drop_vars("lon")
    ds["lon"] = along(casts[:1], "lon", "trajectory")
    of = np.zeros(len(casts), int)
    return ds.assign(trajectory_index=("cast", of, {"instance_dimension": "trajectory"}))


def rows(table: xr.Dataset) -> np.ndarray:
    """Return a table as sorted plain rows."""
    whole = np.array([table[name].values.astype(float) for name in ROW])
    return whole[:, np.lexsort(whole)]


@LAW
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_every_geometry_gives_the_same_rows(counts: list[int]) -> None:
    casts = profiles(counts)
    expected = rows(table(points(casts), "value"))
    for geometry in (padded, contiguous, indexed):
        np.testing.assert_array_equal(rows(table(geometry(casts), "value")), expected)
    casts = [dict(cast, lon=casts[0]["lon"]) for cast in casts]
    np.testing.assert_array_equal(
        rows(table(nested(casts), "value")), rows(table(points(casts), "value"))
    )


@pytest.mark.parametrize("geometry", [points, padded, contiguous, indexed, nested])
def test_the_only_observed_variable_needs_no_name(geometry: Callable) -> None:
    ds = geometry(profiles([3, 1, 2]))
    xr.testing.assert_identical(table(ds), table(ds, "value"))
    xr.testing.assert_identical(table(ds), table(ds, "sea_water_temperature"))


def test_stations_share_positions_and_times() -> None:
    value = np.arange(6.0).reshape(2, 3)
    times = np.array(["2001-01-01", "2001-01-02", "2001-01-03"], "M8[ns]")
    ds = xr.Dataset(
        {"sst": (("station", "time"), value, {"units": "degC"})},
        {"time": times, "lat": ("station", [10.0, 20.0]), "lon": ("station", [-5.0, 5.0])},
        {"featureType": "timeSeries"},
    )
    found = table(ds)
    np.testing.assert_array_equal(found["latitude"], np.repeat([10.0, 20.0], 3))
    np.testing.assert_array_equal(found["time"], np.tile(times, 2))
    assert found["depth"].isnull().all()


@LAW
@given(st.lists(st.sampled_from(["good", "value", "lat", "lon", "time", "z"]), max_size=12))
def test_no_row_is_lost_without_being_counted(fates: list[str]) -> None:
    ds = points(profiles([max(len(fates), 1)])).isel(obs=slice(0, len(fates)))
    for name in set(fates) - {"good"}:
        hit = xr.DataArray([fate == name for fate in fates], dims="obs")
        ds[name] = ds[name].where(~hit)
    found = table(ds, "value")
    assert found.sizes["obs"] == fates.count("good")
    assert found.attrs["dropped_without_value"] == fates.count("value")
    lost = sum(found.attrs[name] for name in found.attrs if name.startswith("dropped"))
    assert found.sizes["obs"] + lost == len(fates)


def test_index_leads_back_to_the_source() -> None:
    ds = padded(profiles([3, 1, 4]))
    found = table(ds)
    assert found.attrs["source_shape"] == [3, 4]
    np.testing.assert_array_equal(ds["value"].values.ravel()[found["index"]], found["value"])


def test_lazy_input_gives_the_same_table_and_stays_as_it_was() -> None:
    ds = padded(profiles([3, 1, 4]))
    chunked, before = ds.chunk(cast=1), ds.copy(deep=True)
    xr.testing.assert_identical(table(chunked), table(ds))
    xr.testing.assert_identical(ds, before)
    assert chunked["value"].chunks is not None


def test_more_specific_coordinates_win() -> None:
    """Altimeters give 1 Hz and 20 Hz positions side by side: each variable takes its own."""
    time = np.array(["2002-01-15"] * 2, "M8[ns]")
    fine = time[:, None] + np.arange(3) * np.timedelta64(50, "ms")
    ds = xr.Dataset(coords={"time": time})
    for name, base in (("lat", 10.0), ("lon", 20.0)):
        ds[name] = ("time", [base, base + 1], ATTRS[name])
        ds[f"{name}_20hz"] = (("time", "k"), base + np.arange(6.0).reshape(2, 3), ATTRS[name])
    ds["time_20hz"] = (("time", "k"), fine, ATTRS["time"])
    ds["slow"] = ("time", [1.0, 2.0])
    ds["fast"] = (("time", "k"), np.ones((2, 3)))
    assert table(ds, "slow")["latitude"].values.tolist() == [10.0, 11.0]
    assert table(ds, "fast")["latitude"].values.tolist() == [10.0, 11, 12, 13, 14, 15]
    np.testing.assert_array_equal(table(ds, "fast")["time"], fine.ravel())


# --- errors of observation, depth, role --------------------------------------------------------


def test_errors_are_taken_from_the_argument_then_the_file() -> None:
    ds = points(profiles([3]))
    assert table(ds, "value")["error"].isnull().all()
    assert (table(ds, "value", error=0.5)["error"] == 0.5).all()
    spread = {"standard_name": "sea_water_temperature standard_error", "units": "mK"}
    ds["sd"] = ("obs", [1.0, 2.0, 3.0], spread | {"standard_error_multiplier": 2.0})
    np.testing.assert_allclose(table(ds, "value", error="sd")["error"], [5e-4, 1e-3, 1.5e-3])
    ds["value"].attrs["ancillary_variables"] = "flag sd"
    np.testing.assert_allclose(table(ds)["error"], [5e-4, 1e-3, 1.5e-3])
    assert (table(ds, error=0.5)["error"] == 0.5).all()


@pytest.mark.parametrize("on", ["cast", "obs", None])
@pytest.mark.parametrize("beside", ["value", "sd"])
def test_an_error_is_divided_by_its_multiplier(on: str | None, beside: str) -> None:
    ds = contiguous(profiles([2, 1]))
    spread = {"standard_name": "sea_water_temperature standard_error", "units": "degC"}
    ds["sd"] = ("obs", [1.0, 2.0, 3.0], spread)
    numbers = {"cast": [2.0, 4.0], "obs": [2.0, 2.0, 4.0], None: 2.0}[on]
    ds["k"] = (on or (), numbers, {"standard_name": "standard_error_multiplier", "units": "1"})
    ds["value"].attrs["ancillary_variables"] = "sd"
    ds[beside].attrs["ancillary_variables"] = "sd k" if beside == "value" else "k"
    expected = [0.5, 1.0, 1.5 if on is None else 0.75]
    np.testing.assert_array_equal(table(ds, "value")["error"], expected)


def test_two_multipliers_are_one_too_many() -> None:
    ds = points(profiles([1])).assign(sd=("obs", [1.0], {"units": "degC"}))
    for name in "jk":
        ds[name] = ((), 2.0, {"standard_name": "standard_error_multiplier"})
    ds["value"].attrs["ancillary_variables"] = "j k"
    with pytest.raises(AmbiguousField, match=r"multiplier of 'sd': \['j', 'k'\]"):
        table(ds, "value", error="sd")


@pytest.mark.parametrize("names", [("nav_lat", "nav_lon"), ("TLAT", "TLONG"), ("gphit", "glamt")])
def test_positions_bear_the_names_that_a_grid_knows(names: tuple[str, str]) -> None:
    ds = points(profiles([3])).rename(dict(zip(("lat", "lon"), names, strict=True)))
    for name in names:
        ds[name].attrs = {}
    np.testing.assert_array_equal(table(ds, "value")["latitude"], grid.latitude(ds))
    np.testing.assert_array_equal(table(ds, "value")["longitude"], grid.longitude(ds))


@pytest.mark.parametrize(
    ("values", "attrs"),
    [
        ([0.01, 1.0], {"units": "km"}),
        ([-10.0, -1000.0], {"units": "METERS", "positive": "up"}),
        ([-10.0, -1000.0], {"units": "m", "standard_name": "height"}),
    ],
)
def test_depth_is_metres_positive_down(values: list[float], attrs: dict) -> None:
    ds = points(profiles([2])).drop_vars("z").assign(level=("obs", values, attrs))
    np.testing.assert_allclose(table(ds, "value", depth="level")["depth"], [10.0, 1000.0])


def test_pressure_becomes_depth_by_teos10() -> None:
    ds = points(profiles([2])).drop_vars("z")
    ds["p"] = ("obs", [10.0, 1000.0], {"standard_name": "sea_water_pressure", "units": "dbar"})
    np.testing.assert_allclose(table(ds)["depth"], -gsw.z_from_p([10.0, 1000.0], ds["lat"].values))
    assert (table(ds, depth=5.0)["depth"] == 5.0).all()


@pytest.mark.parametrize(
    ("attrs", "role"),
    [
        ({"standard_name": "sea_water_temperature", "units": "degC"}, "state"),
        ({"units": "K", "units_metadata": "temperature: difference"}, "difference"),
        ({"standard_name": "change_over_time_in_sea_water_temperature"}, "difference"),
    ],
)
def test_role_and_units_travel_with_the_value(attrs: dict, role: str) -> None:
    ds = points(profiles([2]))
    ds["value"].attrs = attrs
    assert table(ds, "value")["value"].attrs.items() >= (attrs | {"role": role}).items()


# --- grids and selections ----------------------------------------------------------------------


@LAW
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**12 - 1))
def test_a_grid_gives_its_cells_with_values(nt: int, ny: int, nx: int, holes: int) -> None:
    value = np.arange(float(nt * ny * nx)).reshape(nt, ny, nx)
    value[(holes >> np.arange(value.size) % 12 & 1).reshape(value.shape) > 0] = np.nan
    times = np.datetime64("2000-01-01", "ns") + np.arange(nt) * np.timedelta64(1, "D")
    ds = xr.DataArray(
        value, {"time": times, "lat": np.arange(ny) * 1.0, "lon": np.arange(nx) * 2.0}, name="sst",
        dims=("time", "lat", "lon"),
    ).to_dataset()  # fmt: skip
    expected = ds["sst"].stack(obs=("time", "lat", "lon")).dropna("obs")
    found = from_grid(ds.chunk(lat=1))
    for mine, theirs in (("value", "sst"), ("latitude", "lat"), ("longitude", "lon")):
        theirs_ = expected if theirs == "sst" else expected[theirs]
        np.testing.assert_array_equal(found[mine], theirs_)
    np.testing.assert_array_equal(found["time"], expected["time"])


@LAW
@given(st.floats(-180, 180), st.floats(0.5, 359))
def test_a_box_does_not_mind_the_seam(west: float, width: float) -> None:
    longitude = np.linspace(-179.3, 179.7, 60)
    # Limits of other turns differ by rounding: a row upon one of them may fall on either side.
    distance = (longitude[:, None] - [west, west + width] + 180) % 360 - 180
    longitude = longitude[np.abs(distance).min(axis=1) > 1e-9]
    ds = xr.Dataset(coords={"longitude": ("obs", longitude), "latitude": ("obs", longitude / 3)})
    expected = longitude[(longitude - west) % 360 < width] / 3
    limits = [
        (west, west + width),
        (west % 360, (west + width) % 360),
        (west - 360, west - 360 + width),
    ]
    for rows_ in (ds, ds.assign_coords(longitude=ds["longitude"] % 360)):
        for low, high in limits:
            found = select(rows_, box=(low, high, -90, 90))["latitude"]
            np.testing.assert_array_equal(found, expected)


def test_a_whole_turn_is_the_globe() -> None:
    ds = xr.Dataset(
        coords={"longitude": ("obs", [0.0, 180.0, 359.9]), "latitude": ("obs", [0.0, 0, 0])}
    )
    assert select(ds, box=(-180, 180, -90, 90)).sizes["obs"] == 3


@pytest.mark.parametrize("calendar", ["datetime64", "noleap", "360_day"])
def test_time_ranges_include_their_last_period(calendar: str) -> None:
    """Partial dates mean what they mean in `Dataset.sel`, for any calendar and any order."""
    dates = [(2012, 7, 1), (2011, 12, 30), (2012, 6, 30), (2012, 1, 1)]
    if calendar == "datetime64":
        times = np.array(["{}-{:02}-{:02}T12".format(*date) for date in dates], "M8[ns]")
    else:
        make = {"noleap": cftime.DatetimeNoLeap, "360_day": cftime.Datetime360Day}[calendar]
        times = np.array([make(*date, 12) for date in dates])
    ds = points(profiles([4])).assign(time=("obs", times, ATTRS["time"]))
    found = select(table(ds, "value"), time=slice("2012", "2012-06"))
    assert found["index"].values.tolist() == [2, 3]
    assert select(table(ds, "value"), time=slice("2012", None))["index"].values.tolist() == [
        0,
        2,
        3,
    ]


def test_a_depth_range_includes_its_ends() -> None:
    ds = points(profiles([3])).assign(z=("obs", [0.0, 100.0, 200.0], ATTRS["z"]))
    assert select(table(ds), depth=(0, 100)).sizes["obs"] == 2


# --- bad input ---------------------------------------------------------------------------------


def _with(**variables: object) -> xr.Dataset:
    return points(profiles([2])).assign(variables)


BAD = {
    "no such variable": (_with(), {"variable": "sst"}, FieldNotFound, "found none among"),
    "two variables": (_with(b=("obs", [1.0, 2.0])), {}, AmbiguousField, "pass variable="),
    "no position": (
        _with().drop_vars(["lat", "lon"]),
        {"variable": "value"},
        FieldNotFound,
        "(?s)no latitude.*no longitude",
    ),
    "two latitudes": (_with(lat2=("obs", [1.0, 2.0], ATTRS["lat"])), {}, AmbiguousField, "lat2"),
    "no such error": (_with(), {"error": "sd"}, FieldNotFound, "'sd'"),
    "no such depth": (_with(), {"depth": "level"}, FieldNotFound, "'level'"),
    "error in other units": (
        _with(sd=("obs", [1.0, 2.0], {"units": "m"})),
        {"variable": "value", "error": "sd"},
        UnitsError,
        "sd",
    ),
    "depth that is none": (
        _with(sigma=("obs", [0.1, 0.2], {"units": "1"})),
        {"variable": "value", "depth": "sigma"},
        UnitsError,
        "sigma",
    ),
    "times not decoded": (
        _with(time=("obs", [1.0, 2.0], {"units": "days since 1950-01-01"})),
        {"variable": "value"},
        GridError,
        "decode_cf",
    ),
    "infinite": (_with(value=("obs", [1.0, np.inf])), {"variable": "value"}, ValuesError, "1"),
    "negative error": (_with(), {"error": -1.0}, ValuesError, "negative"),
    "counts that do not add up": (
        contiguous(profiles([2, 1])).assign(row_size=("cast", [2, 2], {"sample_dimension": "obs"})),
        {},
        GridError,
        "add up",
    ),
    "index beyond the instances": (
        indexed(profiles([2, 1])).assign(
            cast_index=("obs", [0, 1, 2], {"instance_dimension": "cast"})
        ),
        {},
        GridError,
        "within",
    ),
    "ragged without index": (ragged(profiles([2, 1])), {"variable": "value"}, FieldNotFound, "lat"),
    "a grid": (
        xr.Dataset(
            {"sst": (("time", "lat", "lon"), np.ones((1, 2, 2)))},
            {"time": np.array(["2000-01-01"], "M8[ns]"), "lat": [0.0, 1.0], "lon": [0.0, 1.0]},
        ),
        {},
        GridError,
        "from_grid",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_a_reason(case: str) -> None:
    ds, arguments, error, message = BAD[case]
    assert issubclass(error, XOceanError)
    with pytest.raises(error, match=message):
        table(ds, **arguments)


# --- Argo --------------------------------------------------------------------------------------

GOOD = {"PRES": [5.0, 500.0, 1000.0], "TEMP": [15.0, 8.0, 4.0], "PSAL": [35.0, 34.6, 34.5]}


def argo_file(modes: str = "RAD") -> xr.Dataset:
    """Make a profile file whose adjusted temperature is 1 K below the raw one."""
    n = len(modes)
    data: dict[str, tuple] = {}
    for name, values in GOOD.items():
        for kind, shift in (("", 0.0), ("_ADJUSTED", -1.0 if name == "TEMP" else 0.0)):
            data[name + kind] = (("N_PROF", "N_LEVELS"), np.tile(values, (n, 1)) + shift)
            data[f"{name}{kind}_QC"] = (("N_PROF", "N_LEVELS"), np.full((n, 3), b"1", object))
        data[f"{name}_ADJUSTED_ERROR"] = (("N_PROF", "N_LEVELS"), np.full((n, 3), 0.002))
    data["JULD"] = ("N_PROF", np.datetime64("2010-01-01", "ns") + np.arange(n) * 10**15)
    data["LATITUDE"], data["LONGITUDE"] = ("N_PROF", np.full(n, -40.0)), ("N_PROF", np.full(n, 9.0))
    for name in ("JULD_QC", "POSITION_QC"):
        data[name] = ("N_PROF", np.full(n, b"1", object))
    data["DATA_MODE"] = ("N_PROF", np.array([mode.encode() for mode in modes], object))
    return xr.Dataset(data)


def expected(shift: float) -> np.ndarray:
    absolute = gsw.SA_from_SP(GOOD["PSAL"], GOOD["PRES"], 9.0, -40.0)
    return gsw.CT_from_t(absolute, np.array(GOOD["TEMP"]) + shift, GOOD["PRES"])


def test_argo_takes_adjusted_values_where_there_are_any() -> None:
    found = argo(argo_file("RAD"))["conservative_temperature"]
    np.testing.assert_allclose(found, [expected(0.0), expected(-1.0), expected(-1.0)])
    error = argo(argo_file("RAD"))["conservative_temperature_error"]
    assert error.isnull().all("N_LEVELS").values.tolist() == [True, False, False]


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("flag", [b"3", b"4", b"9", b" ", np.nan])
def test_argo_drops_a_level_that_any_flag_condemns(name: str, flag: object) -> None:
    ds = argo_file("D")
    ds[f"{name}_ADJUSTED_QC"].values[0, 1] = flag
    found = argo(ds)["conservative_temperature"].isnull()
    assert found.values.tolist() == [[False, True, False]]
    assert table(argo(ds), "conservative_temperature").sizes["obs"] == 2


@pytest.mark.parametrize(("flag", "kept"), [(b"1", 3), (b"8", 3), (b"4", 0), (b"9", 0)])
@pytest.mark.parametrize("name", ["JULD_QC", "POSITION_QC"])
def test_argo_keeps_estimated_but_no_bad_positions(name: str, flag: bytes, kept: int) -> None:
    ds = argo_file("D")
    ds[name].values[0] = flag
    assert table(argo(ds), "absolute_salinity").sizes["obs"] == kept


def test_argo_is_lazy() -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse):
        lazy = argo(argo_file("RAD").chunk(N_PROF=1))
    xr.testing.assert_identical(lazy.compute(), argo(argo_file("RAD")))


def test_argo_tells_all_that_is_missing_at_once() -> None:
    with pytest.raises(FieldNotFound, match=r"lacks POSITION_QC, PSAL, PSAL_QC; it has"):
        argo(argo_file().drop_vars(["POSITION_QC", "PSAL", "PSAL_QC"]))


# --- real files --------------------------------------------------------------------------------


@pytest.mark.realdata
def test_altimeter_pass(realdata) -> None:
    with xr.open_dataset(realdata / "altimetry_jason1_pass.nc") as ds:
        found = table(ds, "ssha", error=0.03)
        good = ds["ssha"].notnull().values
        np.testing.assert_array_equal(found["latitude"], ds["lat"].values[good])
        np.testing.assert_array_equal(found["time"], ds["time"].values[good])
        assert table(ds, "range_20hz_ku").sizes["obs"] == int(ds["range_20hz_ku"].notnull().sum())


@pytest.mark.realdata
@pytest.mark.parametrize("number", ["1900857", "2901746", "5900446"])
def test_argo_floats(realdata, number: str) -> None:
    with xr.open_dataset(realdata / "argo" / f"{number}_prof.nc") as ds:
        found = table(argo(ds), "conservative_temperature")
        mode = ds["DATA_MODE"].values.astype("S1")[found["index"].values // ds.sizes["N_LEVELS"]]
    assert found.sizes["obs"] > 9000
    assert float(found["depth"].min()) > 0
    assert float(found["depth"].max()) < 2100
    assert float(found["value"].min()) > -2
    assert float(found["value"].max()) < 30
    np.testing.assert_array_equal(found["error"].notnull(), np.isin(mode, [b"A", b"D"]))


@pytest.mark.realdata
def test_sea_level_map(realdata) -> None:
    with xr.open_dataset(realdata / "ssh_med_2005.nc") as ds:
        day = ds.isel(time=[0])
        found = from_grid(day)
        assert found.sizes["obs"] == int(day["adt"].notnull().sum())
        back = day["adt"].sel(
            latitude=found["latitude"], longitude=found["longitude"], time=found["time"]
        )
    np.testing.assert_array_equal(back, found["value"])
