"""What is conserved, seen from outside: sums of amounts before and after `.ml_smooth`.

The weights of the sums are worked out here, from bounds, apart from the package (but for areas of
a curvilinear grid, whose own tests hold them against spherical geometry).
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from samples import clean_increments

from xocean_ml import grid
from xocean_ml.simulate import increments

BAR = {"float64": 1e-13, "float32": 1e-7}
CHUNKS = [None, {"time": -1, "lat": 2, "lon": 3}, {"time": 1}, {"time": 17, "depth": 3}]
OVER = {"cell": [], "column": ["depth"], "global": ["depth", "lat", "lon"]}


def _sample(dtype: str) -> xr.Dataset:
    ds = clean_increments(steps=72)
    return ds.assign({name: ds[name].astype(dtype) for name in ("increment", "spread")})


def _volume(ds: xr.Dataset) -> xr.DataArray:
    """Volume of cells between their bounds, up to a constant."""
    height, width = (np.diff(ds[f"{name}_bnds"])[:, 0] for name in ("depth", "lon"))
    zone = np.diff(np.sin(np.deg2rad(ds["lat_bnds"])))[:, 0]
    return (
        xr.DataArray(height, dims="depth")
        * xr.DataArray(zone, dims="lat")
        * xr.DataArray(width, dims="lon")
    )


def _windows(da: xr.DataArray, frequency: str) -> xr.DataArray:
    return xr.DataArray(grid.time_axis(da).segments(frequency).index, dims="time", name="window")


def _residual(raw, smoothed, amount, over, windows) -> float:
    """Largest of what sums have lost over the sum of what was there, in float64."""

    def sums(values):
        values = (values * amount).sum(over) if over else values * amount
        return values.groupby(windows).sum()

    before, after = raw.astype("f8"), smoothed.astype("f8")
    return float((np.abs(sums(after - before)) / sums(np.abs(before))).max())


def _smooth(ds: xr.Dataset, **options) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rechunked")
        return ds.ml_smooth("dong", **({"decay": "120D", "conserve": "2YS"} | options)).compute()


def _chunk(ds: xr.Dataset, chunks) -> xr.Dataset:
    if chunks is None:
        return ds
    return ds.chunk(chunks).assign({n: ds[n] for n in ds.data_vars if str(n).endswith("_bnds")})


# ---- the bars ------------------------------------------------------------------------------


@pytest.mark.parametrize("spread", [None, "spread"])
@pytest.mark.parametrize("dtype", list(BAR))
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("over", list(OVER))
def test_sums_of_amounts_stay(over, chunks, dtype, spread):
    ds = _sample(dtype)
    out = _smooth(_chunk(ds, chunks), conserve_over=over, spread=spread)
    raw, smoothed = ds["increment"], out["increment"]
    assert smoothed.dtype == dtype
    assert float(np.abs(smoothed - raw).max()) > 1
    found = _residual(raw, smoothed, _volume(ds), OVER[over], _windows(raw, "2YS"))
    assert found <= BAR[dtype]


@pytest.mark.parametrize("over", list(OVER))
def test_sums_over_gaps_stay(over):
    """Values missing at some steps only."""
    ds = _sample("float64")
    holes = np.random.default_rng(1).random(ds["increment"].shape) < 0.2
    ds["increment"] = ds["increment"].where(~holes)
    out = _smooth(_chunk(ds, {"time": -1, "lat": 2}), conserve_over=over)
    np.testing.assert_array_equal(np.isnan(out["increment"]), np.isnan(ds["increment"]))
    windows = _windows(ds["increment"], "2YS")
    found = _residual(ds["increment"], out["increment"], _volume(ds), OVER[over], windows)
    assert found <= BAR["float64"]


@pytest.mark.parametrize("over", list(OVER))
@pytest.mark.parametrize("conserve", ["2YS", "all", "running:1Y"])
def test_rates_of_uneven_steps_keep_their_amounts(over, conserve):
    ds = _sample("float64")
    days = np.random.default_rng(2).integers(1, 60, ds.sizes["time"] + 1).cumsum()
    edges = np.datetime64("1990-01-01", "ns") + days.astype("timedelta64[D]")
    bounds = ("time", "bnds"), np.stack([edges[:-1], edges[1:]], axis=1)
    middle = edges[:-1] + (edges[1:] - edges[:-1]) / 2
    ds = ds.assign_coords(time=("time", middle, ds["time"].attrs)).assign(time_bnds=bounds)
    ds["increment"] = (ds["increment"] * 1e-7).assign_attrs(
        standard_name="tendency_of_sea_water_potential_temperature", units="K s-1"
    )
    out = _smooth(ds, conserve_over=over, conserve=conserve)
    amount = _volume(ds) * xr.DataArray(np.diff(edges).astype(float), dims="time")
    # A running mean keeps the sum over the whole record.
    frequency = "2YS" if conserve == "2YS" else "all"
    windows = _windows(ds["increment"], frequency)
    raw, smoothed = ds["increment"], out["increment"]
    assert _residual(raw, smoothed, amount, OVER[over], windows) <= BAR["float64"]
    # With all steps taken as one length, nothing would be kept: the law can fail.
    assert _residual(raw, smoothed, _volume(ds), OVER[over], windows) > 1e-4


@pytest.mark.parametrize("over", list(OVER))
def test_temperature_and_salinity_each_keep_their_sums(over):
    ds = _sample("float64")
    name = "change_over_time_in_sea_water_practical_salinity"
    salt = ds["increment"].isel(depth=slice(None, None, -1)).values
    ds["dS"] = ds["increment"].copy(data=0.1 * salt).assign_attrs(standard_name=name, units="1")
    del ds["dS"].attrs["units_metadata"]
    out = _smooth(_chunk(ds, {"time": 17, "lat": 2}), conserve_over=over)
    for each in ("increment", "dS"):
        windows = _windows(ds[each], "2YS")
        assert _residual(ds[each], out[each], _volume(ds), OVER[over], windows) <= BAR["float64"]
        alone = _smooth(ds.drop_vars({"increment", "dS"} - {each}), conserve_over=over)
        np.testing.assert_allclose(alone[each], out[each], rtol=0, atol=1e-12)


@pytest.mark.parametrize("over", list(OVER))
def test_each_member_keeps_its_own_sums(over):
    ds = _sample("float64").drop_vars("realization")
    rng = np.random.default_rng(3)
    members = xr.concat(
        [ds["increment"] * scale + rng.normal() for scale in (1.0, 3.0, -2.0)], "realization"
    )
    ds["increment"] = members.assign_attrs(ds["increment"].attrs)
    ds = ds.assign_coords(realization=("realization", [0, 1, 2], {"standard_name": "realization"}))
    out = _smooth(_chunk(ds, {"time": 17, "realization": 2}), conserve_over=over)
    windows = _windows(ds["increment"], "2YS")
    found = _residual(ds["increment"], out["increment"], _volume(ds), OVER[over], windows)
    assert found <= BAR["float64"]


# ---- grids of other shapes -----------------------------------------------------------------


def _curvilinear() -> xr.Dataset:
    """A rotated grid: latitude and longitude on (y, x), no area given."""
    ds = _sample("float64").drop_vars(["lat_bnds", "lon_bnds"])
    y, x = np.meshgrid(ds["lat"], ds["lon"] / 6, indexing="ij")
    ds = ds.drop_vars(["lat", "lon"]).rename(lat="y", lon="x")
    turned = {
        "lat": (y * 0.9 + x * 0.2 + 30, "degrees_north"),
        "lon": (x - 0.3 * y, "degrees_east"),
    }
    for name, (values, units) in turned.items():
        ds = ds.assign_coords({name: (("y", "x"), values, {"units": units})})
    return ds


@pytest.mark.parametrize("chunks", [None, {"time": 17, "y": 3}], ids=str)
def test_global_sums_stay_on_a_curvilinear_grid(chunks):
    ds = _curvilinear()
    out = _smooth(_chunk(ds, chunks), conserve_over="global")
    area = grid.cell_area(ds)
    assert float(area.max() / area.min()) > 1.05
    volume = xr.DataArray(np.diff(ds["depth_bnds"])[:, 0], dims="depth") * area.drop_vars(
        ["lat", "lon"]
    )
    windows = _windows(ds["increment"], "2YS")
    raw, smoothed = ds["increment"], out["increment"]
    assert _residual(raw, smoothed, volume, ["depth", "y", "x"], windows) <= BAR["float64"]


@pytest.mark.parametrize("chunks", [None, {"time": 17, "cell": 5}], ids=str)
@pytest.mark.parametrize("over", ["cell", "column", "global"])
def test_sums_stay_on_an_unstructured_mesh(over, chunks):
    ds = _sample("float64").drop_vars(["lat_bnds", "lon_bnds"])
    ds = ds.stack(cell=("lat", "lon"), create_index=False).drop_vars(["lat", "lon"])
    area = np.random.default_rng(4).uniform(1e8, 9e8, ds.sizes["cell"])
    ds["areacello"] = "cell", area, {"standard_name": "cell_area", "units": "m2"}
    out = _smooth(_chunk(ds, chunks), conserve_over=over)
    volume = xr.DataArray(np.diff(ds["depth_bnds"])[:, 0], dims="depth") * ds["areacello"]
    over = {"cell": [], "column": ["depth"], "global": ["depth", "cell"]}[over]
    windows = _windows(ds["increment"], "2YS")
    assert _residual(ds["increment"], out["increment"], volume, over, windows) <= BAR["float64"]


# ---- cropping and edges, on a twin ---------------------------------------------------------


@pytest.fixture(scope="module")
def twin() -> xr.Dataset:
    ds = increments("test", columns=12, depth=[50.0, 500.0, 1500.0], dtype="float64")
    return ds[["temperature_increment", "time_bnds"]]


@pytest.mark.parametrize("cut", [1, 37, 60, 90])
@pytest.mark.parametrize("over", ["cell", "column"])
def test_cropping_the_past_leaves_inner_windows_as_they_were(twin, over, cut):
    """Windows are anchored, and a correction reaches no further than the next window."""
    options = {"decay": "365D", "conserve": "5YS", "conserve_over": over}
    late = twin.isel(time=slice(cut, None))
    whole, cropped = (_smooth(ds, **options)["temperature_increment"] for ds in (twin, late))
    inner = _windows(late["temperature_increment"], "5YS").values >= 2
    change = np.abs(cropped - whole.isel(time=slice(cut, None)))
    assert float(change[~inner].max()) > 0
    assert float(change[inner].max()) <= 1e-14 * float(np.abs(whole).max())


def test_cropping_the_future_is_forgotten_within_some_decay_times(twin):
    options = {"decay": "60D", "conserve": "5YS"}
    early = twin.isel(time=slice(None, -90))
    whole, cropped = (_smooth(ds, **options)["temperature_increment"] for ds in (twin, early))
    windows = _windows(early["temperature_increment"], "5YS").values
    # Two windows of 5 years beyond the touched ones: more than 36 decay times.
    inner = windows <= windows.max() - 3
    change = np.abs(cropped - whole.isel(time=slice(None, -90)))
    assert float(change[~inner].max()) > 0
    assert float(change[inner].max()) <= 1e-14 * float(np.abs(whole).max())


@pytest.mark.parametrize("decay", ["30D", "180D", "730D"])
def test_closing_makes_no_steps_at_the_edges_of_windows(twin, decay):
    first = np.flatnonzero(np.diff(_windows(twin["temperature_increment"], "5YS"), prepend=0))
    closed, free = (
        _smooth(twin, decay=decay, conserve=conserve)["temperature_increment"]
        for conserve in ("5YS", None)
    )

    def at_edges(da):
        return float(np.abs(da.diff("time")).isel(time=first - 1).mean())

    assert at_edges(closed) <= 1.3 * at_edges(free)
    # What a constant per window would do: the law can fail.
    windows = _windows(twin["temperature_increment"], "5YS")
    lost = (twin["temperature_increment"] - free).groupby(windows).mean()
    if decay == "730D":
        assert at_edges(free + lost.isel(window=windows)) > 1.3 * at_edges(free)


@pytest.mark.parametrize(("dtype", "bar"), [("f4", 1e-7), ("f8", 1e-13)])
@pytest.mark.parametrize("over", ["cell", "column"])
@pytest.mark.parametrize("chunks", [None, {"time": 1}], ids=str)
def test_a_window_that_holds_next_to_nothing_keeps_it(dtype, bar, over, chunks):
    """One small increment among the smoothed values of large ones: their rounding is taken up."""
    values = np.random.default_rng(0).normal(size=(180, 3, 40))
    values[60:120] = 0.0
    values[90] = 5e-3  # the smoothed ones add up to a thousand times as much
    attrs = {"units": "K"}
    attrs["standard_name"] = "change_over_time_in_sea_water_potential_temperature"
    time = xr.date_range("2000-01-01", periods=180, freq="MS")
    depth = ("depth", [5.0, 15.0, 25.0], {"units": "m", "positive": "down"})
    ds = xr.Dataset(
        {"dT": (("time", "depth", "cell"), values.astype(dtype), attrs)},
        {"time": time, "depth": depth},
    )
    out = (ds if chunks is None else ds.chunk(chunks)).ml_smooth(
        "dong", decay="365D", conserve_over=over
    )
    raw, got = (each.dT.values[60:120].astype(np.longdouble) for each in (ds, out.compute()))
    axes = (0, 1) if over == "column" else (0,)
    assert (np.abs((raw - got).sum(axes)) <= bar * np.abs(raw).sum(axes)).all()
