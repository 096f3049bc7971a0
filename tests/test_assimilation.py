"""`.assimilate` with the linear model: what is observed, and how it is seen."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import climates
import numpy as np
import pytest
import xarray as xr
from climates import (
    KEYS,
    NAMES,
    PR,
    PSL,
    SST,
    at_points,
    axes,
    close,
    gappy,
    globe,
    model,
    region,
    two_years,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from xocean_ml.assimilation.fit import fit

TEMPERATURE, PRESSURE, RAIN = KEYS


def prior() -> xr.Dataset:
    """Two years of which nothing is observed."""
    return two_years()[["psl"]].where(False).assimilate(model())


# ---- what little or much is observed ---------------------------------------------------------


def test_of_nothing_it_is_the_prior():
    out = prior()
    m = model()
    assert (out.observations == 0).all()
    assert (out.latent == 0).all()
    variance = (m.patterns.astype(float) ** 2).sum(0) + m.rest.astype(float) ** 2
    for step in (0, 7):
        now = m.tables.at(step)
        values = m.tables.values(np.zeros(m.state.size), now, variance)
        spread = m.tables.spread(np.zeros(m.state.size), now, variance)
        fields, spreads = m.state.unpack(np.stack([values, spread]))
        for k, name in enumerate(NAMES):
            np.testing.assert_allclose(out[name][step], fields[k], rtol=1e-6)
            np.testing.assert_allclose(out[f"{name}_spread"][step], spreads[k], rtol=1e-6)


def test_of_some_times_nothing_is_observed():
    seen = two_years()[["sst"]].where(two_years().time.dt.year == 1991)
    out, nothing = seen.assimilate(model(), error=0.1), prior()
    assert (out.observations[:12] == 0).all()
    assert (out.observations[12:] > 200).all()
    close(out.isel(time=slice(12)), nothing.isel(time=slice(12)))
    assert not np.allclose(out.psl[12:], nothing.psl[12:])


def test_very_wrong_observations_tell_nothing():
    nothing = prior()
    errors = dict(zip(KEYS, (1e6, 1e6, 1e6), strict=True))
    close(two_years().assimilate(model(), error=errors), nothing, 1e-5)


def test_of_complete_fields_it_is_the_fields():
    out = two_years().assimilate(model())
    for name in NAMES:
        away = np.abs(out[name] - two_years()[name])
        assert float(away.max()) < 0.01 * float(two_years()[name].std())
        assert float(out[f"{name}_spread"].max()) < 0.05 * float(two_years()[name].std())


def test_what_is_observed_is_known_better_than_what_is_not():
    """And what it is wrong by is what it says."""
    truth = climates.climate(count=60, seed=11)
    noise = 0.3 * np.random.default_rng(0).standard_normal(truth.sst.shape)
    seen = (truth.sst + noise).where((truth.lat < 30) & (truth.lon < 180))
    out = seen.assign_attrs(SST).to_dataset(name="sst").assimilate(model(), error=0.3)
    for name in NAMES:
        ratio = float(((out[name] - truth[name]) ** 2).mean() / (out[f"{name}_spread"] ** 2).mean())
        assert 0.8 < ratio < 1.25
    here = (truth.lat < 30) & (truth.lon < 180)
    assert float(out.sst_spread.where(here).mean()) < 0.6 * float(
        out.sst_spread.where(~here).mean()
    )
    nothing = prior()
    assert float(out.psl_spread.mean()) < 0.8 * float(nothing.psl_spread.mean())
    assert 0.8 < float(out.chi_square.mean()) < 1.2


@pytest.mark.parametrize("residual", [False, True])
def test_observations_never_make_it_less_sure(residual):
    ds = two_years()[["sst", "psl"]].isel(time=[0, 6])
    errors = {TEMPERATURE: 0.3, PRESSURE: 1.0}
    nothing = prior()
    before = nothing.isel(time=[0, 6])
    few = gappy(ds, 0.95)
    more = few.fillna(gappy(ds, 0.7)).assign_attrs(ds.attrs)
    for name in ds:
        more[name].attrs = ds[name].attrs
    for seen in (few, more, ds):
        after = seen.assimilate(model(), error=errors, residual=residual)
        for name in NAMES[:2]:
            assert (
                (after[f"{name}_spread"] <= before[f"{name}_spread"] * (1 + 1e-9))
                .where(before[name].notnull(), True)
                .all()
            )
        before = after


def test_worthless_neighbours_take_nothing_from_a_good_observation():
    """Nor do they make anything less sure, to a hundredth."""
    ds = region().isel(time=[0])
    random = np.random.default_rng(0)
    lat, lon = (np.r_[2.5, 2.5 + random.uniform(-4, 4, 30)] for _ in range(2))
    points = at_points(ds, "psl", lat, lon, np.zeros(31, int))
    error = xr.DataArray(np.r_[0.1, np.full(30, 300.0)], dims="obs")
    m = climates.model("region")
    fields = [{**each, "length": 600.0} for each in m.config["fields"]]
    m = dataclasses.replace(m, config={**m.config, "fields": fields})
    for residual in (False, True):
        alone = points.isel(obs=[0]).assimilate(m, error=0.1, residual=residual)
        crowd = points.assimilate(m, error=error, residual=residual)
        assert float((crowd.psl_spread / alone.psl_spread).max()) < 1.01
        close(crowd, alone, 0.1)


def test_land_stays_land():
    out = gappy(two_years()).assimilate(model())
    for name in NAMES:
        known = np.isfinite(two_years()[name].values)
        np.testing.assert_array_equal(np.isfinite(out[name]), known)
        np.testing.assert_array_equal(np.isfinite(out[f"{name}_spread"]), known)


def test_rain_is_never_negative():
    dry = two_years()[["pr"]] * 0
    out = dry.assign(pr=dry.pr.assign_attrs(PR)).assimilate(model(), error=1e-6, members=3)
    assert float(out.pr.min()) >= 0


def test_anomalies_are_differences_from_the_climatology():
    seen = gappy(two_years())
    whole, away = seen.assimilate(model()), seen.assimilate(model(), anomalies=True)
    m = model()
    for k, name in enumerate(NAMES):
        plain = np.stack(
            [
                m.tables.values(np.zeros(m.state.size), m.tables.at(t % 12), np.ones(m.state.size))
                for t in range(24)
            ]
        )
        climatology = m.state.unpack(plain)[:, k]
        np.testing.assert_allclose(away[name] + climatology, whole[name], rtol=1e-6)
        np.testing.assert_array_equal(away[f"{name}_spread"], whole[f"{name}_spread"])
        assert "standard_name" not in away[name].attrs
    assert away.sst.attrs["units_metadata"] == "temperature: difference"
    assert whole.sst.attrs["units_metadata"] == "temperature: on_scale"


# ---- where it is observed --------------------------------------------------------------------


def _cells(ds: xr.Dataset, name: str, rows: list[int], columns: list[int]) -> xr.Dataset:
    """Only some cells of a field."""
    keep = np.zeros((ds.sizes["lat"], ds.sizes["lon"]), bool)
    keep[rows, columns] = True
    return ds[[name]].where(xr.DataArray(keep, dims=("lat", "lon")))


ROWS, COLUMNS = [2, 5, 8, 11], [1, 9, 17, 23]


@pytest.mark.parametrize("turn", [0, 360, -360])
def test_points_at_centres_are_cells(turn):
    ds = two_years().isel(time=[3])
    grid = _cells(ds, "psl", ROWS, COLUMNS)
    lat, lon = ds.lat.values[ROWS], ds.lon.values[COLUMNS]
    points = at_points(ds, "psl", lat, lon, np.zeros(4, int))
    points = points.assign_coords(lon=points.lon.copy(data=lon + turn))
    one, other = (each.assimilate(model(), error=0.5) for each in (grid, points))
    assert list(one.observations) == list(other.observations) == [4]
    close(one, other)
    np.testing.assert_array_equal(other.lat, ds.lat)
    assert other.psl.dims == ("time", "lat", "lon")


def _geometries() -> dict[str, xr.Dataset]:
    """The same four series at places, as CF knows them."""
    ds = two_years().isel(time=slice(5))
    lat, lon = ds.lat.values[ROWS], ds.lon.values[COLUMNS]
    values = ds.psl.values[:, ROWS, COLUMNS].T  # (station, time)
    north, east = ({"units": u, "standard_name": n} for n, u in NORTH_EAST)
    dated = {"standard_name": "time"}
    station = {"lat": ("station", lat, north), "lon": ("station", lon, east)}
    flat = {
        "lat": ("obs", np.repeat(lat, 5), north),
        "lon": ("obs", np.repeat(lon, 5), east),
        "time": ("obs", np.tile(ds.time.values, 4), dated),
    }
    series = {"psl": (("station", "time"), values, PSL)}
    ragged = {
        "psl": ("obs", values.ravel(), PSL),
        "count": ("station", [5] * 4, {"sample_dimension": "obs"}),
    }
    indexed = {
        "psl": ("obs", values.ravel(), PSL),
        "which": ("obs", np.repeat(np.arange(4), 5), {"instance_dimension": "station"}),
    }
    moving = {
        n: (("drifter", "obs"), np.asarray(v[1]).reshape(4, 5), v[2]) for n, v in flat.items()
    }
    return {
        "point": xr.Dataset({"psl": ("obs", values.ravel(), PSL)}, flat),
        "timeSeries": xr.Dataset(series, station | {"time": ("time", ds.time.values, dated)}),
        "timeSeries, times first": xr.Dataset(
            {"psl": (("time", "station"), values.T, PSL)},
            station | {"time": ("time", ds.time.values, dated)},
        ),
        "ragged": xr.Dataset(ragged, station | {"time": flat["time"]}),
        "indexed": xr.Dataset(indexed, station | {"time": flat["time"]}),
        "trajectory": xr.Dataset({"psl": (("drifter", "obs"), values, PSL)}, moving),
    }


NORTH_EAST = (("latitude", "degrees_north"), ("longitude", "degrees_east"))


@pytest.mark.parametrize("kind", list(_geometries()))
def test_every_geometry_of_points_is_the_same(kind):
    ds = two_years().isel(time=slice(5))
    cells = _cells(ds, "psl", ROWS, COLUMNS).assimilate(model(), error=0.5)
    found = _geometries()[kind].assimilate(model(), error=0.5)
    close(found, cells)
    assert list(found.observations) == [4] * 5
    np.testing.assert_array_equal(found.time.dt.month, cells.time.dt.month)


def test_times_of_points_are_all_between_the_first_and_the_last():
    ds = two_years()
    points = at_points(ds, "psl", np.zeros(2), np.zeros(2), np.array([2, 6]))
    out = points.assimilate(model(), error=0.5)
    assert list(out.observations) == [1, 0, 0, 0, 1]
    np.testing.assert_array_equal(out.time, ds.time[2:7])


def test_a_scalar_place_is_a_point():
    ds = two_years().isel(time=slice(4))
    one = ds[["psl"]].isel(lat=5, lon=9).assimilate(model(), error=0.5)
    close(one, _cells(ds, "psl", [5], [9]).assimilate(model(), error=0.5))


@pytest.mark.parametrize("dim", ["lat", "lon"])
def test_a_row_of_cells_is_points(dim):
    ds = two_years().isel(time=slice(4))
    row = ds[["sst"]].isel({dim: [7]})
    grid = ds[["sst"]].where(ds[dim] == ds[dim][7])
    close(*(each.assimilate(model(), error=0.5) for each in (row, grid)))


def test_a_curved_grid_is_points():
    """Latitudes and longitudes of two dimensions."""
    ds = two_years().isel(time=slice(3))
    lat, lon = np.meshgrid(ds.lat[2:6], ds.lon[3:9], indexing="ij")
    curved = xr.Dataset(
        {"psl": (("time", "y", "x"), ds.psl.values[:, 2:6, 3:9], PSL)},
        {
            "time": ds.time,
            "nav_lat": (("y", "x"), lat, {"units": "degrees_north"}),
            "nav_lon": (("y", "x"), lon, {"units": "degrees_east"}),
        },
    )
    part = ds[["psl"]].where((ds.lat > lat.min() - 1) & (ds.lat < lat.max() + 1))
    part = part.where((ds.lon > lon.min() - 1) & (ds.lon < lon.max() + 1))
    close(*(each.assimilate(model(), error=0.5) for each in (curved, part)))


def _finer(ds: xr.Dataset, name: str, parts: int) -> xr.Dataset:
    """On cells so many times as small, with noise that their mean does not have."""
    lat, lon = (climates.steps(*edges, 15 / parts) for edges in ((-90.0, 90.0), (0.0, 360.0)))
    values = np.repeat(np.repeat(ds[name].values, parts, axis=1), parts, axis=2)
    noise = np.random.default_rng(0).standard_normal((ds.sizes["time"], 12, parts, 24, parts))
    noise -= noise.mean(axis=(2, 4), keepdims=True)
    values = values + noise.reshape(values.shape)
    made = {name: (("time", "lat", "lon"), values, ds[name].attrs)}
    return xr.Dataset(made, {"time": ds.time, **axes(lat, lon)})


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("name", ["sst", "psl"])
def test_a_finer_grid_is_averaged_over_the_cells(name, parts):
    ds = two_years().isel(time=slice(3))
    fine = _finer(ds, name, parts)
    with pytest.warns(UserWarning, match=rf"{name}: its grid is not the model's.*averaged") as told:
        out = fine.assimilate(model(), error=0.5)
    assert len(told) == 1
    close(out, ds[[name]].assimilate(model(), error=0.5), 1e-7)
    assert out[name].shape == (3, 12, 24)
    flipped = fine.isel(lat=slice(None, None, -1)).roll(lon=7, roll_coords=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        close(flipped.assimilate(model(), error=0.5), out)


def test_of_a_finer_grid_with_gaps_the_rest_is_averaged():
    ds = two_years().isel(time=slice(3))
    fine = _finer(ds, "psl", 2)
    fine = fine.where(fine.lon > 5).where(fine.lat < 40)
    with pytest.warns(UserWarning, match="averaged"):
        out = fine.assimilate(model(), error=0.5)
    assert (out.observations == 9 * 24).all()


def test_a_coarser_grid_is_points_between_the_cells():
    ds = two_years().isel(time=[2])
    lat, lon = climates.steps(-90, 90, 30), climates.steps(-180, 180, 40)
    mesh = [each.ravel() for each in np.meshgrid(lat, lon, indexing="ij")]
    points = at_points(ds, "psl", *mesh, np.zeros(len(mesh[0]), int))
    values = points.psl.values.reshape(1, 6, 9)
    coarse = xr.Dataset(
        {"psl": (("time", "lat", "lon"), values, PSL)}, {"time": ds.time, **axes(lat, lon)}
    )
    with pytest.warns(UserWarning, match=r"psl: its grid is not the model's.*points") as told:
        out = coarse.assimilate(model(), error=0.5)
    assert len(told) == 1
    close(out, points.assimilate(model(), error=0.5))


def test_a_part_of_the_globe_gives_all_of_it():
    ds = two_years().isel(time=slice(3))
    part = ds[["psl"]].isel(lat=slice(3, 9), lon=slice(5, 20))
    whole = ds[["psl"]].where(ds.lat.isin(part.lat) & ds.lon.isin(part.lon))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = part.assimilate(model(), error=0.5)
    close(out, whole.assimilate(model(), error=0.5))
    # what lies on the part is not carried along, whatever its dimensions are called
    named = part.rename(lat="y", lon="x").assign(mask=(("y", "x"), np.ones((6, 15))))
    again = named.assimilate(model(), error=0.5)
    assert not {"x", "y", "mask"} & {*again.variables, *again.dims}
    close(again, out)
    assert again.psl.dims == ("time", "lat", "lon")


def test_a_model_of_a_region():
    ds = region().isel(time=slice(3))
    m = climates.model("region")
    out = gappy(ds).assimilate(m, error={TEMPERATURE: 0.1})
    assert out.sst.shape == ds.sst.shape
    wider = climates.climate(climates.steps(-40, 40, 5), climates.steps(-60, 60, 5), 3, 1)
    wider = wider.assign_coords(lon=wider.lon % 360)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = wider[["psl"]].assimilate(m, error=0.5)
    assert (whole.observations == ds.psl[0].size).all()
    np.testing.assert_allclose(whole.lon, ds.lon)


@pytest.mark.parametrize("lat", [22.5, -19.9, 24.99])
def test_points_of_the_outer_half_cells_are_seen_by_them(lat):
    ds = region().isel(time=[0])
    m = climates.model("region")
    points = at_points(ds, "psl", np.clip([lat], *ds.lat.values[[0, -1]]), np.array([2.5]), [0])
    moved = points.assign_coords(lat=points.lat.copy(data=[lat]))
    one, other = (each.assimilate(m, residual=False) for each in (points, moved))
    close(one, other)


def test_points_at_the_poles_are_seen_by_the_last_row_of_a_globe_and_by_no_tropics():
    ds = two_years().isel(time=[0])
    points = at_points(ds, "psl", np.array([82.5]), np.array([100.0]), np.array([0]))
    pole = points.assign_coords(lat=points.lat.copy(data=[90.0]))
    assert pole.assimilate(model(), error=0.5).observations[0] == 1
    tropics = fit(globe().isel(lat=slice(4, 8)), latent=3, rank=5)
    assert tropics.state.wraps
    both = xr.concat([points, points.assign_coords(lat=points.lat * 0 + 20)], "obs")
    with pytest.warns(UserWarning, match=r"1 of 2 observations lie outside"):
        out = both.assimilate(tropics, error=0.5)
    assert out.observations[0] == 1


def test_points_on_the_coast_are_of_their_own_field():
    """Rain is rooted and temperature is not, whichever of them comes first in the state."""
    ds = globe().assign(pr=globe().pr.where(globe().sst.notnull()).assign_attrs(PR))
    m = fit(ds[["pr", "sst"]], fields=[RAIN, TEMPERATURE], latent=5, rank=20)
    there = ds.isel(time=[0]).fillna(20)
    # land lies to the south-west of it
    place = np.array([24.0]), np.array([40.0])
    points = at_points(there.assign(sst=there.sst.assign_attrs(SST)), "sst", *place, [0])
    out = points.assimilate(m, error=0.1)
    assert abs(float(out.sst[0].sel(lat=22.5, lon=37.5)) - float(points.sst[0])) < 3


# ---- when it is observed ---------------------------------------------------------------------


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "standard", "julian"])
def test_any_calendar_is_a_calendar(calendar):
    ds = two_years()[["psl"]]
    first = xr.date_range("1990-01-16", periods=1, calendar=calendar, use_cftime=True)[0]
    dates = [first.replace(year=1990 + n // 12, month=n % 12 + 1) for n in range(24)]
    other = ds.assign_coords(time=("time", dates, ds.time.attrs))
    out, plain = (each.assimilate(model(), error=0.5) for each in (other, ds))
    close(out, plain)
    np.testing.assert_array_equal(out.time, other.time)


def test_dates_of_a_month_belong_together():
    ds = two_years()
    day = np.timedelta64(9, "D")
    also = ds[["psl"]].isel(time=slice(6, 18))
    also = also.assign_coords(time=also.time - day)
    out = ds[["sst"]].assimilate(model(), also=[also], error={TEMPERATURE: 0.1, PRESSURE: 1.0})
    psl = ds[["psl"]].where((ds.time >= ds.time[6]) & (ds.time <= ds.time[17]))
    both = ds[["sst"]].merge(psl)
    close(out, both.assimilate(model(), error={TEMPERATURE: 0.1, PRESSURE: 1.0}))
    np.testing.assert_array_equal(out.time, ds.time)
    np.testing.assert_array_equal(np.diff(out.observations)[[5, 17]], [288, -288])


def test_a_choice_of_months_is_monthly():
    """All Januaries: a year apart, and not of a year."""
    ds = gappy(globe()[["sst"]])
    some = ds.isel(time=slice(0, None, 12))
    close(some.assimilate(model()), ds.assimilate(model()).isel(time=slice(0, None, 12)))


def test_also_takes_one_dataset_and_points():
    ds = two_years().isel(time=slice(4))
    points = at_points(ds, "pr", np.array([10.0]), np.array([200.0]), np.array([1]))
    out = ds[["sst"]].assimilate(model(), also=points)
    assert list(np.diff(out.observations)) == [1, -1, 0]


def test_of_one_field_observed_twice_the_first_gives_name_and_units():
    ds = two_years().isel(time=slice(2))
    kelvin = (ds.sst + 273.15).assign_attrs(SST, units="K").to_dataset(name="other")
    out = ds[["sst"]].assimilate(model(), also=[kelvin], error={TEMPERATURE: 0.1})
    assert out.sst.attrs["units"] == "degC"
    assert "other" not in out
    assert (out.observations == 2 * ds.sst[0].notnull().sum()).all()


def test_the_time_dimension_may_have_another_name_than_its_coordinate():
    ds = two_years()[["sst"]].isel(time=slice(3))
    other = ds.rename_dims(time="t").reset_index("time")
    out = other.assimilate(model())
    assert out.sst.dims == ("t", "lat", "lon")
    np.testing.assert_array_equal(out.sst, ds.assimilate(model()).sst)
    whole = globe().rename_dims(time="t").reset_index("time")
    np.testing.assert_array_equal(fit(whole, latent=8, rank=20).patterns, model().patterns)


# ---- how well it is observed -----------------------------------------------------------------


def _errors(ds: xr.Dataset) -> dict[str, tuple[xr.Dataset, Any]]:
    """The same error of 0.5 K in every way."""
    import pint

    registry = pint.get_application_registry()
    array = xr.full_like(ds.sst, 0.5).assign_attrs(units="K")
    linked = ds.assign(
        err=array.assign_attrs(standard_name="sea_surface_temperature standard_error")
    )
    linked["sst"] = ds.sst.assign_attrs(ancillary_variables="err")
    twice = linked.assign(
        err=linked.err * 2, factor=((), 2.0, {"standard_name": "standard_error_multiplier"})
    )
    twice["err"].attrs = linked.err.attrs | {"ancillary_variables": "factor"}
    percent = registry.Quantity(array.values, "delta_degC")
    return {
        "number": (ds, 0.5),
        "whole number": (ds.assign(sst=ds.sst), np.float32(0.5)),
        "mapping": (ds, {TEMPERATURE: 0.5}),
        "quantity": (ds, registry.Quantity(0.5, "delta_degC")),
        "quantity in millikelvin": (ds, registry.Quantity(500.0, "mK")),
        "array": (ds, array.drop_attrs()),
        "array in other units": (ds, (array * 1000).assign_attrs(units="mK")),
        "array of quantities": (ds, array.copy(data=percent).drop_attrs()),
        "array without time": (ds, array[0].drop_vars("time")),
        "array of time alone": (ds, array[:, 0, 0].drop_vars(["lat", "lon"])),
        "array in another order": (ds, array[::-1, ::-1]),
        "array of more times": (ds, xr.full_like(globe().sst, 0.5).drop_attrs()),
        "dask": (ds, array.chunk(time=2)),
        "name": (ds.assign(e=array.drop_attrs(deep=False)), "e"),
        "named in a mapping": (ds.assign(e=array.drop_attrs(deep=False)), {TEMPERATURE: "e"}),
        "linked": (linked, None),
        "linked and multiplied": (twice, None),
    }


WAYS = list(_errors(two_years()[["sst"]].isel(time=slice(3))))


@pytest.mark.parametrize("way", WAYS)
def test_errors_may_be_given_in_any_way(way):
    ds = two_years()[["sst"]].isel(time=slice(3))
    given, error = _errors(ds)[way]
    close(given.assimilate(model(), error=error), ds.assimilate(model(), error=0.5))


@pytest.mark.parametrize("way", ["number", "mapping", "quantity", "array", "name", "linked"])
def test_errors_of_points_too(way):
    ds = two_years()
    lat, lon = np.array([10.0, -20, 50]), np.array([200.0, 180, 320])
    points = at_points(ds, "psl", lat, lon, np.array([1, 1, 1]))
    array = xr.full_like(points.psl, 0.5).assign_attrs(units="hPa")
    import pint

    linked = points.assign(
        err=(array * 100).assign_attrs(
            units="Pa", standard_name="air_pressure_at_mean_sea_level standard_error"
        )
    )
    linked["psl"] = points.psl.assign_attrs(ancillary_variables="err")
    ways = {
        "number": (points, 0.5),
        "mapping": (points, {PRESSURE: 0.5}),
        "quantity": (points, pint.get_application_registry().Quantity(50.0, "Pa")),
        "array": (points, (array * 100).assign_attrs(units="Pa")),
        "name": (points.assign(e=array.drop_attrs(deep=False)), "e"),
        "linked": (linked, None),
    }
    given, error = ways[way]
    expected = points.assimilate(model(), error=0.5)
    close(given.assimilate(model(), error=error), expected)
    assert not np.allclose(expected.psl, points.assimilate(model(), error=2.0).psl)


def test_what_has_no_error_among_others_that_have_is_masked():
    ds = two_years()[["psl"]].isel(time=[0])
    error = xr.full_like(ds.psl, 0.5).where(ds.lat < 0)
    close(ds.assimilate(model(), error=error), ds.where(ds.lat < 0).assimilate(model(), error=0.5))
    points = at_points(ds, "psl", np.array([10.0, -20]), np.array([200.0, 180]), [0, 0])
    some = xr.DataArray([0.5, np.nan], dims="obs")
    close(
        points.assimilate(model(), error=some),
        points.isel(obs=[0]).assimilate(model(), error=0.5),
    )


def test_errors_under_gaps_do_not_matter():
    """Files fill them with anything."""
    ds = two_years()[["psl"]].isel(time=[0]).where(two_years().lat < 0)
    error = xr.where(ds.psl.notnull(), 0.5, 0.0)
    close(ds.assimilate(model(), error=error), ds.assimilate(model(), error=0.5))


def test_an_error_of_each_time():
    ds = two_years()[["psl"]].isel(time=[0, 12])
    error = xr.DataArray([0.1, 5.0], {"time": ds.time}, "time")
    out = ds.assimilate(model(), error=error)
    for n, each in enumerate([0.1, 5.0]):
        close(out.isel(time=[n]), ds.isel(time=[n]).assimilate(model(), error=each))


# ---- any gaps --------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 1), st.integers(0, 100), st.floats(0.01, 10))
def test_whatever_is_observed_it_is_complete_and_finite(share, seed, error):
    seen = gappy(two_years()[["sst", "psl"]].isel(time=[0]), share, seed)
    out = seen.assimilate(model(), error={TEMPERATURE: error, PRESSURE: error})
    known = np.isfinite(two_years().sst[0].values)
    for name in NAMES:
        there = np.isfinite(out[name][0].values)
        np.testing.assert_array_equal(there, known if name == "sst" else np.ones_like(known))
        assert (out[f"{name}_spread"].values[0][there] > 0).all()
    assert out.observations[0] == seen.sst.notnull().sum() + seen.psl.notnull().sum()
