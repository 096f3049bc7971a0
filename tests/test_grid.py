"""Laws of grid geometry and time windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import clean_increments

from xocean_ml import grid
from xocean_ml.errors import GridError, UnitsError

SPHERE = 4 * np.pi * grid.EARTH_RADIUS**2
CALENDARS = ["standard", "proleptic_gregorian", "noleap", "360_day", "julian"]


def times(start: str, periods: int, freq: str = "MS", calendar: str = "numpy") -> xr.DataArray:
    if calendar == "numpy":
        values = xr.date_range(start, periods=periods, freq=freq)
    else:
        values = xr.date_range(
            start, periods=periods, freq=freq, calendar=calendar, use_cftime=True
        )
    return xr.DataArray(np.zeros(periods), dims="time", coords={"time": values})


def regular(nlat: int, nlon: int, west: float = 0.0) -> xr.Dataset:
    lat = -90 + (np.arange(nlat) + 0.5) * 180 / nlat
    return xr.Dataset(coords={"lat": lat, "lon": west + np.arange(nlon) * 360 / nlon})


class Untouchable:
    """A lazy array that cannot be computed."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        def explode(block: np.ndarray) -> np.ndarray:
            raise AssertionError("computed")

        self.array = da.zeros(shape, chunks=1).map_blocks(explode, dtype=float, meta=np.empty(0))


# ------------------------------------------------------------------------------------- axes

COORDINATES = {
    "era5": (
        xr.Dataset(
            {"sst": (("valid_time", "latitude", "longitude"), np.zeros((2, 3, 4)))},
            {"valid_time": np.array(["2000-01", "2000-02"], "datetime64[ns]")},
        ),
        {"T": "valid_time", "Y": "latitude", "X": "longitude"},
    ),
    "nemo, nav_lat a data variable": (
        xr.Dataset(
            {
                "nav_lat": (("y", "x"), np.zeros((3, 4))),
                "nav_lon": (("y", "x"), np.zeros((3, 4))),
                "votemper": (("time_counter", "deptht", "y", "x"), np.zeros((2, 5, 3, 4))),
            }
        ),
        {"T": "time_counter", "Z": "deptht", "Y": "y", "X": "x"},
    ),
    "two-dimensional on odd names": (
        xr.Dataset(coords={"lat": (("a", "b"), np.zeros((3, 4)))}),
        {"Y": "a", "X": "b"},
    ),
    "two-dimensional, x first": (
        xr.Dataset(coords={"lat": (("xi_rho", "eta_rho"), np.zeros((3, 4)))}),
        {"Y": "eta_rho", "X": "xi_rho"},
    ),
    "attributes on odd names": (
        xr.Dataset(
            coords={
                "p": ("p", [1.0], {"units": "degrees_north"}),
                "q": ("q", [1.0], {"units": "degree_E"}),
                "r": ("r", [1.0], {"positive": "down"}),
                "s": ("s", [1], {"standard_name": "realization"}),
                "w": ("w", [1.0], {"units": "hour since 0000-01-01"}),
            }
        ),
        {"T": "w", "Z": "r", "Y": "p", "X": "q", "E": "s"},
    ),
    "attributes beat names": (
        xr.Dataset(coords={"x": ("x", [1.0], {"axis": "Y"}), "y": ("y", [1.0], {"axis": "X"})}),
        {"Y": "x", "X": "y"},
    ),
    "auxiliary coordinate on a bare dimension": (
        xr.Dataset(coords={"lev": ("n", [1.0], {"standard_name": "depth"})}),
        {"Z": "n"},
    ),
    "unstructured": (
        xr.Dataset(
            coords={
                "lat": ("ncells", [1.0], {"units": "degrees_north"}),
                "lon": ("ncells", [1.0], {"units": "degrees_east"}),
            }
        ),
        {},
    ),
    "time of the run does not rival the time": (
        xr.Dataset(
            coords={
                "time": np.array(["2000-01"], "datetime64[ns]"),
                "run": (
                    "run",
                    np.array(["2000-01"], "datetime64[ns]"),
                    {"standard_name": "forecast_reference_time"},
                ),
            }
        ),
        {"T": "time"},
    ),
}


@pytest.mark.parametrize(("ds", "expected"), COORDINATES.values(), ids=COORDINATES.keys())
def test_axes(ds: xr.Dataset, expected: dict[str, str]) -> None:
    assert dict(grid.axes(ds)) == expected


@pytest.mark.parametrize("name", ["realization", "number", "member", "member_id", "ens"])
def test_ensemble_dimensions(name: str) -> None:
    assert grid.dimension(xr.DataArray([1.0], dims=name), "E") == name


def test_cftime_is_time_under_any_name() -> None:
    series = times("2000-01-01", 3, calendar="360_day").rename(time="when")
    assert grid.dimension(series, "T") == "when"


def test_two_time_axes_are_listed() -> None:
    dates = np.array(["2000-01"], "datetime64[ns]")
    ds = xr.Dataset(coords={"time": dates, "time_2": dates})
    with pytest.raises(GridError, match="time, time_2"):
        grid.axes(ds)
    assert grid.axes(ds[["time"]]) == {"T": "time"}


def test_missing_axis_names_the_dimensions() -> None:
    with pytest.raises(GridError, match=r"no time axis \(T\); dimensions found: a, b"):
        grid.time_axis(xr.DataArray(np.zeros((1, 2)), dims=("a", "b")))


def test_axes_are_frozen() -> None:
    found = grid.axes(regular(2, 3))
    assert hash(found) == hash(grid.axes(regular(4, 5)))
    with pytest.raises(TypeError):
        found["Y"] = "x"  # type: ignore[index]


# ------------------------------------------------------------------------------------- coordinates


def test_projection_coordinates_are_no_latitudes() -> None:
    ds = xr.Dataset(coords={"lat": ("lat", [1e6], {"standard_name": "projection_y_coordinate"})})
    with pytest.raises(GridError, match="no latitude among"):
        grid.latitude(ds)


def test_impossible_latitude() -> None:
    with pytest.raises(GridError, match="lat: 120 is no latitude"):
        grid.latitude(xr.Dataset(coords={"lat": [0.0, 120.0]}))


def test_several_latitudes() -> None:
    ds = xr.Dataset(coords={"lat_u": ("a", [1.0]), "lat_v": ("b", [1.0])})
    with pytest.raises(GridError, match="lat_u, lat_v"):
        grid.latitude(ds)


DEPTHS = {
    "positive up": ([-30.0, -10.0, 0.0], {"units": "m", "positive": "up"}, [30, 10, 0]),
    "height": ([-30.0, -10.0], {"units": "meters", "standard_name": "height"}, [30, 10]),
    "below zero, untold": ([-1.0, -2.0], {"units": "m"}, [1, 2]),
    "METERS": ([0.0, 10.0], {"units": "METERS", "positive": "down"}, [0, 10]),
    "feet": ([0.0, 10.0], {"units": "ft"}, [0, 3.048]),
    "whole numbers without sign": (np.array([0, 5], "u2"), {"positive": "up"}, [0, -5]),
    "kilometres": ([0.1, 1.0], {"units": "km", "axis": "Z"}, [100, 1000]),
    "a usual name alone": ([5.0, 10.0], {}, [5, 10]),
}


@pytest.mark.parametrize(("values", "attrs", "expected"), DEPTHS.values(), ids=DEPTHS.keys())
def test_depth(values: list[float], attrs: dict[str, str], expected: list[float]) -> None:
    found = grid.depth(xr.Dataset(coords={"depth": ("depth", values, attrs)}))
    np.testing.assert_allclose(found, expected)
    assert (found.attrs["units"], found.attrs["positive"]) == ("m", "down")


@pytest.mark.parametrize("attrs", [{"units": "1", "axis": "Z"}, {"units": "level"}, {}])
def test_level_numbers_are_no_depths(attrs: dict[str, str]) -> None:
    with pytest.raises(GridError, match="Give depths in m"):
        grid.depth(xr.Dataset(coords={"lev": ("lev", [1.0, 2.0], attrs)}))


def test_pressure_needs_latitude() -> None:
    import gsw

    ds = xr.Dataset(coords={"pres": ("pres", [10.0, 4000.0], {"units": "decibar"})})
    with pytest.raises(GridError, match="depth depends on latitude: no latitude"):
        grid.depth(ds)
    found = grid.depth(ds.assign_coords(lat=("lat", [0.0, 60.0])))
    assert found.dims == ("pres", "lat")
    np.testing.assert_allclose(found[1], -gsw.z_from_p(4000.0, [0.0, 60.0]))


# ------------------------------------------------------------------------------------- time

BAD_TIMES = {
    "unsorted": ([0, 2, 1], "not sorted: 2000-01-02.* at index 2 follows 2000-01-03"),
    "duplicated": ([0, 1, 1, 2], r"1 duplicated times, the first 2000-01-02.* at indices 1 and 2"),
    "short": ([0], "1 steps; at least 2 are needed"),
}


@pytest.mark.parametrize("calendar", ["numpy", "noleap"])
@pytest.mark.parametrize(("order", "message"), BAD_TIMES.values(), ids=BAD_TIMES.keys())
def test_bad_times(order: list[int], message: str, calendar: str) -> None:
    series = times("2000-01-01", 3, "D", calendar).isel(time=order)
    with pytest.raises(GridError, match=message):
        grid.time_axis(series, minimum=2)


def test_missing_time() -> None:
    dates = np.array(["2000-01-01", "NaT", "2000-01-03"], "datetime64[ns]")
    with pytest.raises(GridError, match="1 missing times, the first at index 1"):
        grid.time_axis(xr.DataArray(dates, dims="time", coords={"time": dates}))


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ("hour since 0000-01-01 00:00:00", "climatology, which has no dates.*assign_coords"),
        ("days since 1900-01-01", r"Decode them with xr.decode_cf"),
        ("", "plain numbers without units"),
    ],
)
def test_undecoded_times(units: str, message: str) -> None:
    ds = xr.Dataset(coords={"TIME": ("TIME", [366.0, 1096.0], {"units": units})})
    with pytest.raises(GridError, match=message):
        grid.time_axis(ds)


def test_days_are_exact_in_every_calendar() -> None:
    for calendar, year in [("noleap", 365), ("360_day", 360), ("all_leap", 366), ("numpy", 366)]:
        series = times("2000-01-01", 2, "YS", calendar)
        np.testing.assert_array_equal(grid.time_axis(series).days, [0, year])


def test_steps_come_from_bounds() -> None:
    ds = clean_increments(24)
    steps = grid.time_axis(ds).step_days
    np.testing.assert_array_equal(steps[:3], [31, 28, 31])
    assert steps.sum() == 730
    one = grid.time_axis(ds.isel(time=[1]))
    np.testing.assert_array_equal(one.step_days, [28])


def test_one_step_without_bounds_has_no_length() -> None:
    with pytest.raises(GridError, match="has no length"):
        _ = grid.time_axis(times("2000-01-01", 1)).step_days


def test_empty_step_in_bounds() -> None:
    ds = clean_increments(3)
    bounds = ds.time_bnds.copy(data=ds.time_bnds.values[:, [0, 0]])
    with pytest.raises(GridError, match=r"step 0 ends at 1990-01-01.* not after its start"):
        grid.time_axis(ds.assign(time_bnds=bounds))


# ------------------------------------------------------------------------------------- windows


def test_five_year_windows_start_at_the_anchor() -> None:
    windows = grid.time_axis(times("1900-01-01", 240)).segments("5YS")
    assert windows.edges.astype("datetime64[Y]").astype(str).tolist() == [
        "1900",
        "1905",
        "1910",
        "1915",
        "1920",
    ]
    np.testing.assert_array_equal(np.bincount(windows.index), [60, 60, 60, 60])


@settings(max_examples=40, deadline=None)
@given(
    first=st.integers(0, 500),
    length=st.integers(1, 300),
    freq=st.sampled_from(["5YS", "10YS", "QS", "YS-APR", "YE-MAR", "2QS-FEB", "365D", "30D", "W"]),
    calendar=st.sampled_from(["numpy", "noleap", "360_day"]),
)
def test_cropping_never_moves_windows(first: int, length: int, freq: str, calendar: str) -> None:
    """Edges of a cropped series are those of the whole, but for the ends that were cut."""
    series = times("1893-02-01", 900, calendar=calendar)
    whole = grid.time_axis(series).segments(freq)
    cropped = grid.time_axis(series.isel(time=slice(first, first + length))).segments(freq)
    inner = cropped.edges[1:-1]
    assert np.isin(inner, whole.edges).all()
    assert cropped.index[0] == 0
    assert set(np.diff(cropped.index)) <= {0, 1}
    assert len(cropped.edges) == cropped.index[-1] + 2


@settings(max_examples=40, deadline=None)
@given(
    start=st.integers(0, 3000),
    length=st.integers(2, 400),
    step=st.integers(1, 40),
    freq=st.sampled_from(["YS", "6MS", "100D", "QS-DEC", "36h"]),
    calendar=st.sampled_from(["numpy", *CALENDARS]),
)
def test_steps_lie_in_their_window(
    start: int, length: int, step: int, freq: str, calendar: str
) -> None:
    series = times("1895-01-01", start // step + length, f"{step}D", calendar)[start // step :]
    windows = grid.time_axis(series).segments(freq)
    values = series.time.values
    assert (windows.edges[windows.index] <= values).all()
    assert (values < windows.edges[windows.index + 1]).all()


@pytest.mark.parametrize(("months", "joined"), [(24, True), (36, False)])
def test_a_stub_joins_its_neighbour(months: int, joined: bool) -> None:
    """A 5-year window with 2 years of data joins, one with 3 years stands alone."""
    late = grid.time_axis(times("2000-01-01", 60 + months)).segments("5YS")
    early = grid.time_axis(times(f"{2000 - months // 12}-01-01", 60 + months)).segments("5YS")
    for windows in (late, early):
        assert windows.index[-1] == (0 if joined else 1)


def test_end_stamped_steps_belong_where_they_were() -> None:
    """December's mean, stamped on 1 January, counts to the old year if bounds tell so."""
    ds = clean_increments(36)
    stamped = ds.assign_coords(time=ds.time.copy(data=ds.time_bnds.values[:, 1]))
    windows = grid.time_axis(stamped).segments("YS")
    np.testing.assert_array_equal(np.bincount(windows.index), [12, 12, 12])


def test_gaps_leave_no_empty_window() -> None:
    series = times("2000-01-01", 120)
    series = series.isel(time=[*range(24), *range(96, 120)])
    assert set(grid.time_axis(series).segments("YS").index) == {0, 1, 2, 3}


def test_all_is_one_window() -> None:
    windows = grid.time_axis(clean_increments(24)).segments("all")
    assert not windows.index.any()
    assert windows.edges.astype("datetime64[D]").astype(str).tolist() == [
        "1990-01-01",
        "1992-01-01",
    ]


@pytest.mark.parametrize(
    "freq", ["YS", "5YS", "QS", "QS-FEB", "MS", "3MS", "30D", "W", "YE", "YE-MAR", "QE-NOV", "ME"]
)
def test_windows_agree_with_pandas(freq: str) -> None:
    """Windows change where pandas' bins change, but for stubs at the ends."""
    import pandas as pd

    series = times("1900-01-01", 4000, "D")
    windows = grid.time_axis(series).segments(freq)
    bins = pd.Series(1, series.time.values).groupby(pd.Grouper(freq=freq)).ngroup()
    ours, theirs = (np.flatnonzero(np.diff(each)) for each in (windows.index, bins))
    assert np.isin(ours, theirs).all()
    assert np.isin(theirs[1:-1], ours).all()


@pytest.mark.parametrize("freq", ["5 years", "0D", "BME", "", "W-MON", "QS-FOO", "1.5D", "5ys"])
def test_unreadable_frequency_is_named(freq: str) -> None:
    with pytest.raises(GridError, match=f"frequency '{freq}' cannot be read"):
        grid.time_axis(times("2000-01-01", 24)).segments(freq)


# ------------------------------------------------------------------------------------- areas


@settings(max_examples=30, deadline=None)
@given(nlat=st.integers(2, 40), nlon=st.integers(3, 60), west=st.floats(-180, 180))
def test_areas_sum_to_the_sphere(nlat: int, nlon: int, west: float) -> None:
    ds = regular(nlat, nlon, west)
    np.testing.assert_allclose(grid.cell_area(ds).sum(), SPHERE, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(nlon=st.integers(3, 48), shift=st.integers(0, 47))
def test_area_knows_no_seam_and_no_direction(nlon: int, shift: int) -> None:
    ds = regular(8, nlon)
    other = ds.isel(lat=slice(None, None, -1)).roll(lon=shift % nlon, roll_coords=True)
    other = other.assign_coords(lon=(other.lon + 180) % 360 - 180)
    np.testing.assert_allclose(grid.cell_area(other), grid.cell_area(ds)[::-1], rtol=1e-9)
    assert grid.is_periodic(ds)
    assert grid.is_periodic(other)
    assert grid.is_periodic(other.isel(lon=slice(None, None, -1)))


def test_poles_as_centres() -> None:
    ds = xr.Dataset(coords={"lat": np.linspace(-90, 90, 73), "lon": np.arange(0, 360, 2.5)})
    np.testing.assert_allclose(grid.cell_area(ds).sum(), SPHERE, rtol=1e-12)


def test_area_from_bounds() -> None:
    ds = clean_increments(2)
    area = grid.cell_area(ds)
    assert area.dims == ("lat", "lon")
    expected = SPHERE * np.sin(np.deg2rad(15))
    np.testing.assert_allclose(area.sum(), expected, rtol=1e-12)
    # a single row has a size if it has bounds
    np.testing.assert_allclose(grid.cell_area(ds.isel(lat=[0])), area[:1])


def test_bounds_over_the_seam() -> None:
    lon = xr.Dataset(
        {"lon_bnds": (("lon", "bnds"), [[357.0, 359.0], [359.0, 1.0], [1.0, 3.0]])},
        {"lon": ("lon", [358.0, 0.0, 2.0], {"bounds": "lon_bnds"}), "lat": [-1.0, 1.0]},
    )
    area = grid.cell_area(lon)
    np.testing.assert_allclose(area[:, 0], area[:, 1])


@pytest.mark.parametrize("turn", [0.0, 40.0])
def test_curvilinear_area_equals_the_strips(turn: float) -> None:
    """On a regular grid made two-dimensional, also over the seam, to the polygons' error."""
    lat, lon = np.linspace(-60, 60, 121), (np.linspace(-20, 20, 41) + turn * 4.5) % 360
    flat = xr.Dataset(coords={"lat": lat, "lon": lon})
    lat2, lon2 = np.meshgrid(lat, lon, indexing="ij")
    curved = xr.Dataset(coords={"lat": (("y", "x"), lat2), "lon": (("y", "x"), lon2)})
    np.testing.assert_allclose(grid.cell_area(curved), grid.cell_area(flat), rtol=3e-4)


def test_curvilinear_area_over_the_pole() -> None:
    """Cells of a polar stereographic grid: k^2 A is the same everywhere, the pole included."""
    side = 50e3
    x, y = np.meshgrid(np.arange(-20, 21) * side, np.arange(-20, 21) * side)
    rho = np.hypot(x, y) / (2 * grid.EARTH_RADIUS)
    lat = 90 - np.rad2deg(2 * np.arctan(rho))
    ds = xr.Dataset(
        coords={
            "lat": (("y", "x"), lat),
            "lon": (("y", "x"), np.rad2deg(np.arctan2(x, -y))),
        }
    )
    scale = 1 + rho**2
    np.testing.assert_allclose(grid.cell_area(ds) * scale**2, side**2, rtol=2e-3)


@pytest.mark.parametrize(
    ("units", "factor"), [("m2", 1), ("m^2", 1), ("km2", 1e6), ("centimeter^2", 1e-4), ("", 1)]
)
def test_given_area_wins(units: str, factor: float) -> None:
    ds = regular(2, 3).assign(areacello=(("lat", "lon"), np.full((2, 3), 5.0), {"units": units}))
    area = grid.cell_area(ds)
    np.testing.assert_allclose(area, 5 * factor, rtol=1e-15)
    assert ds.areacello.attrs == {"units": units}


@pytest.mark.parametrize(
    ("name", "size"), [("areacello", grid.cell_area), ("e3t", grid.cell_thickness)]
)
def test_given_sizes_in_foul_units(name: str, size: Callable[[xr.Dataset], xr.DataArray]) -> None:
    ds = regular(2, 3).assign({name: (("lat", "lon"), np.ones((2, 3)), {"units": "K"})})
    with pytest.raises(UnitsError, match=f"{name}: units 'K' cannot be converted"):
        size(ds)


def test_given_scale_factors() -> None:
    shape = (("y", "x"), np.full((2, 3), 3.0))
    np.testing.assert_array_equal(grid.cell_area(xr.Dataset({"e1t": shape, "e2t": shape})), 9)


@pytest.mark.parametrize(
    ("ds", "message"),
    [
        (xr.Dataset(coords={"lat": ("n", [1.0]), "lon": ("n", [1.0])}), "they are points"),
        (xr.Dataset(coords={"lat": [1.0], "lon": [1.0, 2.0]}), "one cell without bounds"),
        (xr.Dataset(coords={"lat": [1.0, 3.0, 2.0], "lon": [1.0, 2.0]}), "not monotonic"),
        (xr.Dataset({"a": ("x", [1.0])}), "no latitude among a"),
    ],
)
def test_no_area(ds: xr.Dataset, message: str) -> None:
    with pytest.raises(GridError, match=message):
        grid.cell_area(ds)


# ------------------------------------------------------------------------------------- thickness


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.5, 500), min_size=2, max_size=50), st.booleans())
def test_thickness_sums_to_the_depth_range(steps: list[float], upside_down: bool) -> None:
    level = np.cumsum(steps)
    bottom = level[-1] + (level[-1] - level[-2]) / 2
    values = -level[::-1] if upside_down else level
    thickness = grid.cell_thickness(xr.Dataset(coords={"z": ("z", values, {"units": "m"})}))
    np.testing.assert_allclose(thickness.sum(), bottom)
    assert (thickness > 0).all()


def test_thickness_from_bounds_and_given() -> None:
    ds = clean_increments(2)
    np.testing.assert_array_equal(grid.cell_thickness(ds), [10, 20, 40])
    ds["thkcello"] = xr.full_like(ds.increment, 200).assign_attrs(units="cm")
    given_thickness = grid.cell_thickness(ds)
    assert given_thickness.dims == ds.increment.dims
    np.testing.assert_allclose(given_thickness, 2)
    assert given_thickness.attrs["units"] == "m"


def test_thickness_from_bounds_named_by_custom() -> None:
    ds = xr.Dataset(
        {"lev_bounds": (("lev", "bnds"), [[0.0, 1.0], [1.0, 7.0]])},
        {"lev": ("lev", [0.5, 3.0], {"units": "km"})},
    )
    np.testing.assert_allclose(grid.cell_thickness(ds), [1e3, 6e3])


def test_thickness_of_a_level_above_the_surface() -> None:
    """A free surface at 1 m: edges of both signs keep their distance."""
    ds = xr.Dataset(
        {"z_bnds": (("z", "bnds"), [[1.0, -5.0], [-5.0, -20.0]])},
        {"z": ("z", [-2.0, -12.0], {"units": "m"})},
    )
    np.testing.assert_allclose(grid.cell_thickness(ds), [6, 15])


@pytest.mark.parametrize(("units", "factor"), [("dbar", 1), ("hPa", 100)])
def test_thickness_between_pressures(units: str, factor: float) -> None:
    import gsw

    edges = np.array([0.0, 10.0, 2000.0, 6000.0])
    ds = xr.Dataset(
        {"pres_bnds": (("pres", "bnds"), np.stack([edges[:-1], edges[1:]], 1) * factor)},
        {"pres": ("pres", [5 * factor, 1e3 * factor, 4e3 * factor], {"units": units}), "lat": 45.0},
    )
    expected = -np.diff(gsw.z_from_p(edges, 45.0))
    np.testing.assert_allclose(grid.cell_thickness(ds), expected)


def test_thickness_needs_depths() -> None:
    with pytest.raises(GridError, match="no depths: dimensions lat, lon"):
        grid.cell_thickness(regular(2, 3))


# ------------------------------------------------------------------------------------- whole grids


@pytest.mark.parametrize(
    "lon",
    [np.arange(0, 361, 1.0), np.arange(0, 350, 10.0), np.geomspace(1, 361, 30), [0.0], [0.0, 180]],
)
def test_not_periodic(lon: np.ndarray) -> None:
    assert not grid.is_periodic(xr.Dataset(coords={"lon": lon}))


def test_single_precision_longitudes_are_periodic() -> None:
    lon = (np.arange(4320, dtype=np.float32) / 12).astype(np.float32)
    assert grid.is_periodic(xr.Dataset(coords={"lon": lon}))


def test_same_grid() -> None:
    ds = regular(4, 6)
    assert grid.same_grid(ds, ds.assign_coords(lon=ds.lon - 360))
    assert grid.same_grid(ds, ds.astype("f4").assign_coords(lat=ds.lat.astype("f4")))
    assert not grid.same_grid(ds, ds.isel(lat=slice(None, None, -1)))
    assert not grid.same_grid(ds, ds.isel(lon=slice(1, None)))
    assert not grid.same_grid(ds, ds.assign_coords(lon=ds.lon + 0.1))


def test_nothing_is_computed() -> None:
    """Two-dimensional coordinates and fields held by dask stay lazy."""
    shape = (("y", "x"), Untouchable((3, 4)).array)
    ds = xr.Dataset(
        {"sst": (("time", "y", "x"), Untouchable((2, 3, 4)).array)},
        {"lat": shape, "lon": shape, "time": times("2000-01-01", 2).time.values},
    ).assign(e3t=(("y", "x"), Untouchable((3, 4)).array))
    grid.axes(ds)
    grid.time_axis(ds)
    grid.latitude(ds)
    assert not grid.is_periodic(ds)
    assert dask.is_dask_collection(grid.cell_area(ds).data)
    assert dask.is_dask_collection(grid.cell_thickness(ds).data)
    with pytest.raises(AssertionError, match="computed"):
        grid.cell_area(ds).compute()


def test_lazy_area_equals_eager() -> None:
    lat, lon = np.meshgrid(np.linspace(0, 5, 6), np.linspace(0, 7, 8), indexing="ij")
    ds = xr.Dataset(coords={"lat": (("y", "x"), lat), "lon": (("y", "x"), lon)})
    xr.testing.assert_allclose(grid.cell_area(ds.chunk(x=3, y=2)).compute(), grid.cell_area(ds))


def test_input_is_not_modified() -> None:
    ds = clean_increments(12)
    before = ds.copy(deep=True)
    for function in (grid.cell_area, grid.cell_thickness, grid.depth, grid.latitude):
        function(ds)
    grid.time_axis(ds).segments("YS")
    xr.testing.assert_identical(ds, before)


# ------------------------------------------------------------------------------------- real files

REAL = {
    "altimetry_jason1_pass.nc": {"T": "time"},
    "atlas_temperature.nc": {"T": "TIME", "Z": "ZAXLEVIT19", "Y": "YAX_SUBSET", "X": "XAX_SUBSET"},
    "coads_climatology.nc": {"T": "TIME", "Y": "COADSY", "X": "COADSX"},
    "currents_agulhas_2002.nc": {"T": "time", "Y": "lat", "X": "lon"},
    "monthly_4var_20deg.nc": {"T": "time", "Y": "lat", "X": "lon"},
    "monthly_ncep_sst_t2m_slp.nc": {"T": "time", "Y": "lat", "X": "lon"},
    "roms_arctic20_5day.nc": {"T": "time", "Z": "depth", "Y": "Y", "X": "X"},
    "ssh_med_2005.nc": {"T": "time", "Y": "latitude", "X": "longitude"},
    "sst_cobe_1950_1989.nc": {"T": "time", "Y": "lat", "X": "lon"},
    "sst_ersst_2010_2016.nc": {"T": "time", "Y": "lat", "X": "lon"},
}
PERIODIC = {"atlas_temperature.nc", "coads_climatology.nc", "monthly_4var_20deg.nc"} | {
    "monthly_ncep_sst_t2m_slp.nc",
    "sst_cobe_1950_1989.nc",
    "sst_ersst_2010_2016.nc",
}
CLIMATOLOGIES = {"atlas_temperature.nc", "coads_climatology.nc"}


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_real_grids(realdata: Path, name: str) -> None:
    with xr.open_dataset(realdata / name, decode_times=name not in CLIMATOLOGIES) as ds:
        assert dict(grid.axes(ds)) == REAL[name]
        assert grid.is_periodic(ds) == (name in PERIODIC)
        grid.latitude(ds), grid.longitude(ds)
        if name in CLIMATOLOGIES:
            with pytest.raises(GridError, match="climatology"):
                grid.time_axis(ds)
        else:
            assert len(grid.time_axis(ds)) == ds.sizes[REAL[name]["T"]]
        if name in PERIODIC:
            np.testing.assert_allclose(grid.cell_area(ds).sum(), SPHERE, rtol=2e-4)


@pytest.mark.realdata
def test_real_profiles_have_points_only(realdata: Path) -> None:
    with xr.open_dataset(realdata / "argo" / "1900857_prof.nc") as ds:
        assert dict(grid.axes(ds)) == {}
        assert grid.latitude(ds).dims == grid.longitude(ds).dims == ("N_PROF",)


@pytest.mark.realdata
def test_real_curvilinear_area(realdata: Path) -> None:
    """20 km cells of a polar stereographic grid true at 60 N, on a sphere of 6371 km."""
    with xr.open_dataset(realdata / "roms_arctic20_5day.nc") as ds:
        north = np.sin(np.deg2rad(ds.latitude.astype(float)))
        scale = (1 + np.sin(np.deg2rad(60))) / (1 + north)
        np.testing.assert_allclose(grid.cell_area(ds) * scale**2, 20e3**2, rtol=5e-3)
