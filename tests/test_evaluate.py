"""Experiments on ensembles: known answers, laws, and bad input."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr
from climates import axes

from xocean_ml import genda, metrics, simulate, tutorial
from xocean_ml.errors import FieldNotFound, GridError, UnitsError, ValuesError
from xocean_ml.evaluate import ose, osse
from xocean_ml.evaluate.derived import derived, vorticity
from xocean_ml.evaluate.matching import found_in
from xocean_ml.generative.fit import fit

FIELDS = ["ssh", "sst", "sss", "u", "v"]
SCORES = ["crps", "rmse", "rmse_corrected", "spread_over_error", "within_90"]


@functools.cache
def sea() -> xr.Dataset:
    """A small sea with a coast; 12 times."""
    return tutorial.open_dataset("surface").isel(latitude=slice(86, 122), longitude=slice(66, 102))


@functools.cache
def prior() -> Any:
    return fit(sea().isel(time=slice(8)), "oi")


def truth() -> xr.Dataset:
    return sea().isel(time=[9, 10, 11])


def past() -> xr.Dataset:
    """Members that are there already: earlier states, as if they were of now."""
    now = truth().time
    several = [sea()[FIELDS].isel(time=[k, k + 1, k + 2]).assign_coords(time=now) for k in range(6)]
    return xr.concat(several, "realization")


@pytest.fixture(scope="module")
def table() -> xr.Dataset:
    return osse(truth(), {"oi": prior(), "past": past()}, members=5, base="past", bootstrap=50)


def alike_ensembles(
    count: int, times: int = 60, size: int = 10, seed: int = 0
) -> tuple[xr.Dataset, xr.Dataset]:
    """Currents and heights of members, and a truth that is drawn as they are."""
    random = np.random.default_rng(seed)
    shape = (count + 1, times, size, size)
    dims = ("realization", "time", "lat", "lon")
    coords = axes(np.linspace(30, 33, size), np.linspace(340, 343, size))
    day = np.datetime64("2001-01-01T12", "ns") + np.arange(times) * np.timedelta64(1, "D")
    told = {
        "ssh": ("sea_surface_height_above_mean_sea_level", "m"),
        "u": ("eastward_sea_water_velocity", "m s-1"),
        "v": ("northward_sea_water_velocity", "m s-1"),
    }
    both = xr.Dataset(coords={**coords, "time": ("time", day)})
    for name, (standard, units) in told.items():
        values = random.normal(size=shape[1:]) + random.normal(size=shape)
        both[name] = (dims, values, {"standard_name": standard, "units": units})
    return both.isel(realization=slice(1, None)), both.isel(realization=0)


# ---- a known truth ---------------------------------------------------------------------------


def test_it_is_genda_then_scores(table):
    """Land is that of the fields of the sea, though the wind has values over it."""
    world = truth()
    assert world.ssh.isnull().any()
    assert world.wind_u.notnull().all()
    first, *others = simulate.observe(world, nadirs=4, cloud=0.5, coarse=True).values()
    drawn = genda(first, prior(), also=others, members=5, like=world[[*FIELDS, "mdt"]])
    np.testing.assert_array_equal(drawn.ssh.isnull().any("realization"), world.ssh.isnull())
    expected = metrics.ensemble(drawn, world, base=past(), bootstrap=50)
    found = table.sel(model="oi", variable=FIELDS)
    for name in expected:
        ranks = {"rank": slice(6)} if "rank" in expected[name].dims else {}
        np.testing.assert_array_equal(found[name].isel(ranks), expected[name])


def test_the_table_tells_all(table):
    assert table.crps.dims == ("model", "variable")
    assert [*table.variable.values] == [*FIELDS, "speed", "vorticity"]
    assert [*table.units.values] == ["m", "degC", "1e-3", "m s-1", "m s-1", "m s-1", "s-1"]
    assert [*table.observed.values] == [True] * 3 + [False] * 4
    assert table.observed.dtype == bool
    assert [*table.members.values] == [5, 6]
    assert np.isnan(table.rank_histogram.sel(model="oi").isel(rank=6)).all()
    np.testing.assert_allclose(table.rank_histogram.sum("rank"), 1)
    assert table.attrs["base"] == "past"
    assert "nadir" in table.attrs["observations"]


def test_ratios_are_to_the_base(table):
    np.testing.assert_allclose(table.crps_ratio.sel(model="past"), 1)
    expected = table.crps.sel(model="oi") / table.crps.sel(model="past")
    # of currents, the base has a few cells more: beside land no slope tells the geostrophic part
    np.testing.assert_allclose(table.crps_ratio.sel(model="oi"), expected, rtol=0.01)
    np.testing.assert_allclose(table.crps_ratio.sel(model="oi")[:3], expected[:3])


def test_what_the_base_lacks_has_no_ratio():
    models = {"all": past(), "some": past()[["ssh", "sst"]]}
    found = osse(truth(), models, base="some", bootstrap=0)
    kept = found.crps_ratio.sel(model="all").notnull()
    assert [*found.variable.values[kept]] == ["ssh", "sst"]
    assert found.crps.sel(model="all").notnull().all()
    assert [*found.variable.values[found.crps.sel(model="some").notnull()]] == ["ssh", "sst"]


def test_a_model_alone_is_the_same_as_among_others(table):
    for name, model in (("oi", prior()), ("past", past())):
        alone = osse(truth(), {name: model}, members=5, bootstrap=50).isel(model=0)
        among = table.sel(model=name)
        for score in alone.data_vars:
            if score == "members":
                continue
            some = {"rank": alone["rank"]} if "rank" in alone[score].dims else {}
            np.testing.assert_array_equal(alone[score], among[score].sel(some))


def test_one_model_needs_no_name():
    kept = {"members": 2, "bootstrap": 0}
    assert [*osse(truth(), prior(), **kept).model.values] == ["oi"]
    assert [*osse(truth(), past(), **kept).model.values] == ["members"]


def test_members_drawn_as_the_truth_are_calibrated():
    members, world = alike_ensembles(24)
    found = osse(
        world,
        {
            "right": members,
            "narrow": members.mean("realization") + 0.5 * (members - members.mean("realization")),
        },
        bootstrap=0,
    )
    right, narrow = found.sel(model="right"), found.sel(model="narrow")
    np.testing.assert_allclose(right.spread_over_error, 1, atol=0.05)
    np.testing.assert_allclose(right.within_90, 0.9, atol=0.01)
    np.testing.assert_allclose(right.psd_ratio, 1, atol=0.25)
    assert (narrow.crps > right.crps).all()
    assert (narrow.spread_over_error < 0.7).all()


def test_order_of_members_changes_nothing():
    turned = past().isel(realization=[4, 0, 5, 3, 1, 2]).transpose("longitude", "realization", ...)
    xr.testing.assert_allclose(
        osse(truth(), past(), bootstrap=20), osse(truth(), turned, bootstrap=20), rtol=1e-9
    )


@pytest.mark.parametrize(
    "turn",
    [
        lambda ds: ds.isel(latitude=slice(None, None, -1)),
        lambda ds: ds.transpose("longitude", "time", "latitude", ...),
    ],
    ids=["north first", "other order"],
)
def test_the_way_the_truth_is_stored_changes_nothing(turn):
    kept = {"members": 3, "bootstrap": 20}
    expected = osse(truth(), prior(), **kept)
    xr.testing.assert_allclose(osse(turn(truth()), prior(), **kept), expected, rtol=2e-3)


def test_chunks_change_nothing():
    lazy = past().chunk(realization=2, time=1)
    xr.testing.assert_allclose(
        osse(truth(), lazy, bootstrap=0), osse(truth(), past(), bootstrap=0), rtol=1e-6
    )


def test_members_of_other_names_and_units():
    other = past().rename(ssh="height", sst="temperature", u="east", v="north")
    attrs = {name: dict(other[name].attrs) for name in other}
    other = other.assign(height=100 * other.height, temperature=other.temperature + 273.15)
    for name in other:
        other[name].attrs = attrs[name]
    other.height.attrs["units"], other.temperature.attrs["units"] = "cm", "K"
    xr.testing.assert_allclose(
        osse(truth(), other, bootstrap=0), osse(truth(), past(), bootstrap=0), rtol=1e-3
    )


def test_heights_of_the_other_datum_need_the_mean_topography():
    attrs = {"standard_name": "sea_surface_height_above_geoid", "units": "cm"}
    other = past().drop_vars("ssh").assign(zos=(100 * (past().ssh + sea().mdt)).assign_attrs(attrs))
    found = osse(truth(), other, bootstrap=0)
    expected = osse(truth(), past(), bootstrap=0)
    for name in SCORES:
        np.testing.assert_allclose(found[name], expected[name], rtol=3e-3)
    with pytest.warns(UserWarning, match="ssh is sea_level_anomaly, members have .*'mdt'"):
        assert "ssh" not in osse(truth().drop_vars("mdt"), other, bootstrap=0).variable


def test_variables_without_a_key_go_by_their_names():
    members, world = alike_ensembles(3, times=2)
    attrs = {"units": "kg m-3"}
    world = world.assign(chlorophyll=world.ssh.assign_attrs(attrs).drop_attrs(deep=False))
    members = members.assign(chlorophyll=1000 * members.ssh.drop_attrs())
    world.chlorophyll.attrs, members.chlorophyll.attrs = attrs, {"units": "g m-3"}
    found = osse(world, members, bootstrap=0).crps
    np.testing.assert_allclose(found.sel(variable="chlorophyll"), found.sel(variable="ssh"))
    members.chlorophyll.attrs = {"units": "K"}
    with pytest.raises(UnitsError, match="chlorophyll"):
        osse(world, members, bootstrap=0)


def test_a_part_of_the_truth():
    part = truth().isel(time=[1], latitude=slice(1, 36))
    ready = past().isel(time=[1], latitude=slice(1, 36))
    found = osse(truth(), ready, like=part, bootstrap=0)
    expected = metrics.ensemble(ready, part, bootstrap=0)
    np.testing.assert_array_equal(found.crps.isel(model=0)[:5], expected.crps)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "ssh: .* are not used")
        drawn = osse(truth(), prior(), like=part.ssh, members=2, bootstrap=0)
    assert drawn.crps.notnull().all()


def test_options_are_of_one_model():
    models = {"plain": prior(), "wide": prior()}
    found = osse(truth(), models, members=3, options={"wide": {"window": "20D"}}, bootstrap=0)
    assert (found.crps.sel(model="plain") != found.crps.sel(model="wide")).all()


def test_what_is_observed():
    world, kept = truth(), {"bootstrap": 0}
    found = osse(world, past(), observing={"nadirs": 1, "cloud": None}, **kept)
    assert [*found.variable.values[found.observed]] == ["ssh"]
    drifters = {"drifters": world[["u", "v"]], "heights": world[["ssh"]] + world.mdt}
    drifters["heights"].ssh.attrs = {
        "standard_name": "sea_surface_height_above_geoid",
        "units": "m",
    }
    found = osse(world, past(), observations=drifters, **kept)
    assert [*found.variable.values[found.observed]] == ["ssh", "u", "v", "speed", "vorticity"]
    assert found.attrs["observations"] == "drifters, heights"


def test_the_input_is_not_changed():
    world, ready = truth().copy(deep=True), past().copy(deep=True)
    osse(world, {"a": prior(), "b": ready}, members=2, base="b", bootstrap=0)
    xr.testing.assert_identical(world, truth())
    xr.testing.assert_identical(ready, past())


def test_vorticity_of_a_curved_flow():
    """Of a stream function sin(2 phi) cos(3 lambda): the Laplacian on the sphere."""
    lat, lon = np.linspace(20, 50, 301), np.linspace(-10, 20, 301)
    grid = xr.Dataset(coords=axes(lat, lon))
    phi, lam = np.deg2rad(grid.lat), np.deg2rad(grid.lon)
    radius = 6.371e6
    east = -2 * np.cos(2 * phi) * np.cos(3 * lam) / radius
    north = -3 * np.sin(2 * phi) * np.sin(3 * lam) / (radius * np.cos(phi))
    expected = (
        (
            -4 * np.sin(2 * phi)
            - 2 * np.tan(phi) * np.cos(2 * phi)
            - 9 * np.sin(2 * phi) / np.cos(phi) ** 2
        )
        * np.cos(3 * lam)
        / radius**2
    )
    found = vorticity(east, north)
    inner = {"lat": slice(1, -1), "lon": slice(1, -1)}
    size = float(abs(expected).max())
    np.testing.assert_allclose(found[inner] / size, expected[inner] / size, atol=2e-4)
    turned = {"lat": slice(None, None, -1)}
    again = vorticity(east[turned].transpose("lon", "lat"), north[turned])
    np.testing.assert_allclose(again.transpose("lat", "lon")[turned], found, rtol=1e-9)


def test_vorticity_is_missing_beside_land_alone():
    world = sea()
    found = derived(world, found_in(world))["vorticity"].isel(time=0)
    land = world.u.isel(time=0).isnull()
    beside = land.rolling(latitude=3, longitude=3, center=True, min_periods=1).max() > 0
    assert found.isnull().where(land, True).all()
    assert not (found.isnull() & ~beside).any()
    assert found.attrs["units"] == "s-1"


def test_a_name_that_is_taken_is_left_alone():
    world = truth().assign(speed=truth().sst.drop_attrs())
    assert "speed" not in derived(world, found_in(world))


BAD = {
    "no models": ({"models": {}}, ValueError, "at least one"),
    "a number": ({"models": {"a": 3}}, TypeError, "a: int makes no members"),
    "no members": (
        {"models": truth().drop_vars("wind_u")},
        GridError,
        "members: a Dataset of members needs an ensemble",
    ),
    "no such base": ({"base": "b"}, ValueError, "base='b': the models are a"),
    "options of none": ({"options": {"b": {}}}, ValueError, "options has b, and the models are a"),
    "shared options": ({"options": {"a": {"seed": 3}}}, ValueError, "seed cannot differ"),
    "options of members": ({"options": {"a": {"steps": 3}}}, ValueError, "nothing is drawn"),
    "both": ({"observing": {}, "observations": {}}, ValueError, "give one"),
    "no observations": ({"observations": {}}, ValueError, "at least one"),
    "one Dataset": ({"observations": truth()}, TypeError, "a mapping of names"),
    "elsewhere": (
        {"like": truth().assign_coords(latitude=truth().latitude + 1)},
        GridError,
        "part of the truth, which has no latitude",
    ),
    "like a list": ({"like": [1]}, TypeError, "not list"),
    "nothing in common": (
        {"models": past()[["sst"]].drop_attrs().rename(sst="chl")},
        FieldNotFound,
        "members: no field of the truth",
    ),
    "nothing observed": ({"observing": {"nadirs": 0, "cloud": None}}, ValueError, "nothing is"),
    "other times": ({"models": past().isel(time=[0, 1])}, GridError, "times or grids differ"),
}
"""Arguments, error, message."""


@pytest.mark.parametrize("case", BAD)
def test_bad_experiments_are_told(case):
    arguments, error, message = BAD[case]
    with pytest.raises(error, match=message):
        osse(truth(), **{"models": {"a": past()}, "bootstrap": 0, **arguments})


# ---- real observations -----------------------------------------------------------------------


def plane(times: int, count: int, seed: int = 0) -> xr.DataArray:
    """Heights that are linear in latitude and longitude, anew at each time, (number, time, ...)."""
    random = np.random.default_rng(seed)
    coords = axes(np.arange(30, 35, 0.5), np.arange(340, 344, 0.5))
    grid = xr.Dataset(coords=coords)
    day = np.datetime64("2001-01-01", "ns") + np.arange(times) * np.timedelta64(1, "D")
    time = xr.DataArray(day, dims="time", coords={"time": day})
    mean, parts = random.normal(size=(3, times)), random.normal(size=(3, count, times))
    level, north, east = (
        xr.DataArray(mean[k] + parts[k], dims=("realization", "time")) for k in range(3)
    )
    height = level + north * (grid.lat - 32) + east * (grid.lon - 342)
    attrs = {"standard_name": "sea_surface_height_above_mean_sea_level", "units": "m"}
    return height.assign_coords(time=time).assign_attrs(attrs).rename("ssh")


def look(field: xr.DataArray, count: int, error: float, seed: int = 1) -> xr.Dataset:
    """Points of a field of one plane a time, with noise."""
    random = np.random.default_rng(seed)
    number = np.sort(random.integers(field.sizes["time"], size=count))
    lat, lon = random.uniform(30, 34.4, count), random.uniform(340, 343.4, count)
    where = {"time": number, "lat": lat, "lon": lon}
    at = {name: xr.DataArray(each, dims="obs") for name, each in where.items()}
    values = field.assign_coords(time=np.arange(field.sizes["time"])).interp(at).values
    away = np.timedelta64(1, "h") * random.integers(-11, 12, count)
    attrs = {"ancillary_variables": "e", "units": "m", "standard_name": field.standard_name}
    told = {"units": "m", "standard_name": f"{field.standard_name} standard_error"}
    return xr.Dataset(
        {
            "sla": ("obs", values + error * random.normal(size=count), attrs),
            "e": ("obs", np.full(count, error), told),
        },
        {
            "time": ("obs", field.time.values[number] + away),
            "lat": ("obs", lat, {"units": "degrees_north"}),
            "lon": ("obs", lon - 360, {"units": "degrees_east"}),
            "mission": ("obs", random.integers(3, size=count)),
        },
    )


def judged(members: xr.DataArray, points: xr.Dataset, **arguments: Any) -> xr.Dataset:
    """Scores of members that are there already."""
    ds = members.to_dataset()
    kept = {"like": ds, "withheld": points, "bootstrap": 0} | arguments
    return ose(points, ds, **kept).isel(model=0)


@pytest.mark.parametrize("count", [6, 24])
def test_members_drawn_as_what_was_observed_are_calibrated(count):
    every = plane(800, count + 1)
    members, points = every[1:], look(every[0], 8000, error=0.7)
    found = judged(members, points).sel(variable="sla")
    assert float(found.spread_over_error) == pytest.approx(1, abs=0.03)
    assert float(found.within_90) == pytest.approx(0.9, abs=0.015)
    assert float(found.bias) == pytest.approx(0, abs=0.2)
    np.testing.assert_allclose(found.rank_histogram * (count + 1), 1, atol=0.25)
    np.testing.assert_allclose(found.rank_histogram.sum("rank"), 1)
    assert float(found.rmse_corrected) < float(found.rmse)
    exact = judged(members, points.assign(e=points.e * 0 + 1e-9)).sel(variable="sla")
    assert float(exact.spread_over_error) < float(found.spread_over_error)
    assert float(exact.within_90) < float(found.within_90)


def test_scores_do_not_depend_on_how_many_members():
    every = plane(700, 25)
    points = look(every[0], 4000, error=0.5)
    few, many = judged(every[1:4], points), judged(every[1:], points)
    for name in ("crps", "rmse_corrected"):
        np.testing.assert_allclose(few[name], many[name], rtol=0.06, err_msg=name)
    assert float(few.rmse.item()) > 1.05 * float(many.rmse.item())


def test_they_are_what_xarray_makes_of_it():
    every = plane(12, 6)
    points = look(every[0], 300, error=0.4)
    found = judged(every[1:], points).sel(variable="sla")
    days = points.time.dt.round("1D").values
    where = zip(days, points.lat.values, points.lon.values + 360, strict=True)
    x = xr.concat(
        [every[1:].sel(time=t).interp(lat=a, lon=b).reset_coords(drop=True) for t, a, b in where],
        "obs",
    )
    y, more = points.sla.reset_coords(drop=True), 1 + 1 / 5
    error = x.mean("realization") - y
    variance = x.var("realization", ddof=1)
    rmse = float((error**2).mean()) ** 0.5
    assert int(found.points) == 300
    assert float(found.rmse) == pytest.approx(rmse)
    assert float(found.bias) == pytest.approx(float(error.mean()))
    corrected = float((error**2 - variance / 5).mean()) ** 0.5
    assert float(found.rmse_corrected) == pytest.approx(corrected)
    spread = float((more * variance + 0.4**2).mean()) ** 0.5
    assert float(found.spread_over_error) == pytest.approx(spread / rmse)
    one = judged(every[1:2], points).sel(variable="sla")
    assert float(one.crps) == pytest.approx(float(abs(x.isel(realization=0) - y).mean()))
    assert np.isnan(one.spread_over_error)
    assert np.isnan(one.rmse_corrected)


TURNS = {
    "members": lambda x, y: (x.isel(realization=[2, 0, 4, 3, 1]), y),
    "points": lambda x, y: (x, y.isel(obs=np.random.default_rng(3).permutation(y.sizes["obs"]))),
    "dimensions": lambda x, y: (x.transpose("lon", "realization", "time", "lat"), y),
    "latitude": lambda x, y: (x.isel(lat=slice(None, None, -1)), y),
    "longitudes": lambda x, y: (x.assign_coords(lon=("lon", x.lon.values - 360, x.lon.attrs)), y),
    "chunks": lambda x, y: (x.chunk(time=3, realization=2), y.chunk(obs=50)),
    "units": lambda x, y: (100 * x.assign_attrs(units="cm"), y),
}


@pytest.mark.parametrize("turn", TURNS)
def test_how_things_are_stored_changes_nothing(turn):
    every = plane(12, 6)
    points = look(every[0], 300, error=0.4)
    expected = judged(every[1:], points, bootstrap=30)
    with xr.set_options(keep_attrs=True):
        members, turned = TURNS[turn](every[1:], points)
    xr.testing.assert_allclose(judged(members, turned, bootstrap=30), expected, rtol=1e-9)


def test_noise_is_keyed_by_place_and_seed():
    every = plane(12, 6)
    points = look(every[0], 300, error=0.4)
    kept = judged(every[1:], points, seed=0)
    assert (kept.crps != judged(every[1:], points, seed=1).crps).all()
    halves = [judged(every[1:], points.isel(obs=part)) for part in (slice(150), slice(150, None))]
    np.testing.assert_allclose(sum(each.crps for each in halves) / 2, kept.crps)


def test_points_beside_land_outside_and_at_other_times_are_left_out():
    every = plane(12, 6)
    points = look(every[0], 400, error=0.4)
    members = every[1:].where((every.lat > 32.2) | (every.lon > 341.8))
    coast = (points.lat < 32.5) & (points.lon + 360 < 342)
    found = judged(members, points).sel(variable="sla")
    assert int(found.left_out) == int(coast.sum())
    assert int(found.points + found.left_out) == 400
    inside = points.isel(obs=np.flatnonzero(~coast))
    np.testing.assert_allclose(judged(members, inside).rmse, found.rmse)
    few = judged(every[1:, :6], points).sel(variable="sla")
    assert int(few.left_out) == int((points.time > every.time[5] + np.timedelta64(12, "h")).sum())
    away = points.assign_coords(
        lat=points.lat.where(points.lat < 34, 60).assign_attrs(points.lat.attrs)
    )
    assert int(judged(every[1:], away).left_out.item()) == int((points.lat >= 34).sum())


def test_a_point_on_a_cell_beside_land_has_its_value():
    every = plane(4, 3)
    members = every.where(every.lat > 31.2)
    points = look(every[0], 20, error=0.4)
    lat = xr.full_like(points.lat, 31.5)
    found = judged(members, points.assign_coords(lat=lat))
    assert int(found.points.item()) == 20


def real() -> tuple[dict[str, xr.Dataset], xr.Dataset]:
    world = truth()
    return simulate.observe(world, nadirs=4, cloud=0.5), world[["ssh", "mdt"]]


def test_rows_are_taken_out():
    seen, like = real()
    nadir = seen["nadir"]
    third = nadir.satellite == 2
    kept = {"also": seen["sst"], "like": like, "members": 3, "bootstrap": 20}
    found = ose(nadir, prior(), withheld={"satellite": 2}, **kept)
    apart = ose(
        nadir.where(~third, drop=True), prior(), withheld=nadir.where(third, drop=True), **kept
    )
    xr.testing.assert_allclose(found, apart)
    named = ose(nadir, prior(), withheld={"satellite": ["SARAL"]}, **kept)
    xr.testing.assert_identical(found, named)
    assert int((found.points + found.left_out).item()) == int(third.sum())


def test_members_do_not_know_what_is_withheld():
    seen, like = real()
    nadir = seen["nadir"]
    raised = nadir.assign(ssh=(nadir.ssh + (nadir.satellite == 2)).assign_attrs(nadir.ssh.attrs))
    kept = {"withheld": {"satellite": 2}, "like": like, "members": 3, "bootstrap": 0}
    one, other = (ose(ds, prior(), **kept) for ds in (nadir, raised))
    np.testing.assert_allclose(one.bias - other.bias, 1, rtol=1e-5)


def test_alone_as_among_others_and_variables_apart():
    seen, like = real()
    held = seen["nadir"]
    also = past().drop_vars("ssh")
    kept = {"withheld": held, "like": like, "members": 3, "bootstrap": 20}
    both = ose(seen["sst"], {"oi": prior(), "past": past()}, **kept)
    assert [*both.model.values] == ["oi", "past"]
    for name, model in (("oi", prior()), ("past", past())):
        alone = ose(seen["sst"], {name: model}, **kept)
        for score in SCORES:
            np.testing.assert_array_equal(alone[score], both[score].sel(model=[name]))
    with pytest.raises(FieldNotFound, match="withheld, ssh, is among its members"):
        ose(seen["sst"], {"rest": also}, **kept)


def test_currents_verify_by_variable():
    world = truth()
    drifters = world[["u", "v"]].isel(latitude=slice(2, 20, 5), longitude=slice(14, 22, 5))
    flat = drifters.stack(obs=("time", "latitude", "longitude")).reset_index("obs")
    models = {"all": past(), "eastward": past()[["u"]]}
    with pytest.warns(UserWarning, match="[uv]: 24 of 24 withheld .* no standard error"):
        found = ose(
            simulate.observe(world)["sst"], models, withheld=flat, like=world[["ssh"]], bootstrap=0
        )
    assert [*found.variable.values] == ["u", "v"]
    assert [*found.units.values] == ["m s-1", "m s-1"]
    assert np.isnan(found.crps.sel(model="eastward", variable="v"))
    assert int(found.points.sel(model="eastward", variable="v")) == 0
    cells = past()[["u"]].isel(latitude=slice(2, 20, 5), longitude=slice(14, 22, 5))
    error = (cells.u.mean("realization") - drifters.u).values
    expected = float(np.sqrt((error**2).mean()))
    assert float(found.rmse.sel(model="all", variable="u")) == pytest.approx(expected, rel=1e-5)


def test_trajectories_are_withheld_whole():
    every = plane(12, 6)
    points = look(every[0], 90, error=0.4).drop_vars("mission")
    size = ("drifter", np.full(9, 10), {"sample_dimension": "obs"})
    ragged = points.assign(rowsize=size).assign_coords(name=("drifter", np.arange(100, 109)))
    ds = every[1:].to_dataset()
    found = ose(ragged, ds, withheld={"name": [101, 103]}, like=ds, bootstrap=0)
    assert int(found.points.item()) == 20
    expected = judged(every[1:], points.isel(obs=[*range(10, 20), *range(30, 40)]))
    np.testing.assert_allclose(found.rmse.isel(model=0), expected.rmse)


def test_anomalies_verify_heights_above_the_geoid():
    every = plane(12, 6)
    points = look(every[0], 100, error=0.4)
    mdt = (0.1 * every.lat + 0 * every.lon).rename("mdt").assign_attrs(units="m")
    total = (every[1:] + mdt).rename("zos")
    total.attrs = {"standard_name": "sea_surface_height_above_geoid", "units": "m"}
    like = total.to_dataset().assign(mdt=mdt)
    found = judged(total, points, like=like)
    np.testing.assert_allclose(found.rmse, judged(every[1:], points).rmse)


def test_intervals_of_points():
    every = plane(30, 9)
    found = judged(every[1:], look(every[0], 900, error=0.4), bootstrap=200)
    for name in [*SCORES, "bias", "rank_histogram"]:
        assert (found[f"{name}_low"] < found[name]).all(), name
        assert (found[name] < found[f"{name}_high"]).all(), name


def held_bad() -> dict[str, Any]:
    every = plane(4, 3)
    points = look(every[0], 40, error=0.4)
    far = points.assign_coords(lat=("obs", points.lat.values + 40, points.lat.attrs))
    ds = every.to_dataset()
    return {
        "a list": ({"withheld": [2]}, TypeError, "a Dataset of points is needed"),
        "nothing": ({"withheld": {}}, TypeError, "mapping from coordinates"),
        "no coordinate": ({"withheld": {"ship": 1}}, FieldNotFound, "no coordinate 'ship'"),
        "no such row": (
            {"withheld": {"mission": 9}},
            ValuesError,
            "no observation .* has 0, 1, 2",
        ),
        "every row": ({"withheld": {"mission": [0, 1, 2]}}, ValuesError, "every observation"),
        "no field": (
            {"withheld": points.drop_attrs().rename(sla="q")},
            FieldNotFound,
            "is withheld",
        ),
        "far away": ({"withheld": far}, GridError, "none of 40 withheld observations"),
        "an array": ({"also": [points.sla]}, TypeError, "not DataArray"),
        "no time": ({"models": ds.isel(time=0, drop=True)}, GridError, "members have no time"),
        "other fields": (
            {"models": past()[["sst"]]},
            FieldNotFound,
            "members: nothing that is withheld, sla",
        ),
        "not a model": ({"models": {"a": "a", "b": 3}}, TypeError, "b: int makes no members"),
    }


@pytest.mark.parametrize("case", held_bad())
def test_bad_withholding_is_told(case):
    arguments, error, message = held_bad()[case]
    every = plane(4, 3)
    points, ds = look(every[0], 40, error=0.4), every.to_dataset()
    kept = {"models": ds, "withheld": {"mission": 1}, "like": ds, "bootstrap": 0} | arguments
    with pytest.raises(error, match=message):
        ose(points, kept.pop("models"), **kept)
