"""Laws of the simulated climate: frozen families, no seam, keyed chance, true responses."""

from __future__ import annotations

import importlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from compliance import findings_of

from xocean_ml import fields
from xocean_ml.simulate import _atmosphere, _climate, _planet, climate
from xocean_ml.simulate._globe import Globe, cosine
from xocean_ml.simulate._planet import Planet
from xocean_ml.simulate.climate_families import (
    FACTORS,
    FAMILIES,
    Family,
    fingerprint,
    get_family,
)

MODULE = importlib.import_module("xocean_ml.simulate.climate")
SMALL = {"years": 2, "shape": (16, 32)}
GLOBE = Globe(32, 64)
VARIABLES = ("sst", "slp", "t2m", "precipitation")

# ---- frozen families -----------------------------------------------------------------------


def test_the_families_and_their_planet_are_frozen() -> None:
    assert fingerprint() == "b547f2a662dca95290639868fcc42b8a6740b2ef0b2255cbe0f4770f4aa995fb", (
        "A number in xocean_ml/simulate/climate_families.py or climate_planet.py was changed. The "
        "worlds were written down before any model that is scored on them was trained; editing "
        "them makes every published score void. Undo the edit: add a family with a new key, or "
        "override in the call."
    )


def test_the_draws_are_frozen() -> None:
    drawn = MODULE._draw(FAMILIES["test"], 3)
    assert list(drawn) == list(FACTORS)
    np.testing.assert_allclose(list(drawn.values()), FROZEN_WORLD, rtol=1e-5)
    land = Planet(Globe(16, 32)).land[::-1]
    assert ["".join(".#"[int(cell)] for cell in row) for row in land] == FROZEN_LAND


@pytest.mark.parametrize("name", VARIABLES)
def test_the_worlds_are_frozen(name: str) -> None:
    # What follows from the numbers, which code could change as well as the tables.
    ds = climate("test", seed=3, years=1, shape=(16, 32))
    found = ds[name].values[[0, 6, 11], [7, 11, 4], [21, 19, 6]]
    np.testing.assert_allclose(found, FROZEN_VALUES[name], rtol=1e-4)


FROZEN_WORLD = [
    *(-0.0564727, 44.8585, 0.0473347, 0.253809, 0.433911, 1.01053, 1.01786),
    *(1.05651, 0.874367, 0.92912, 1.09392, 0.346488, 1.06233, 3.07256),
]
FROZEN_LAND = [
    "..........................####..",
    "....##########.....#####.######.",
    "################.########..##...",
    "#############......#######......",
    ".#...######..........####......#",
    "######.####...........##.......#",
    "#####.#.##.............#.......#",
    "####.....................##.....",
    ".##.........#............###....",
    ".##.......###.............##....",
    ".##.......####............#.....",
    ".........................##.....",
    ".........................##.....",
    "................................",
    "################################",
    "################################",
]
FROZEN_VALUES = {
    "sst": [26.3209, 16.2993, 14.8577],
    "slp": [101174.0, 102141.0, 101630.0],
    "t2m": [298.89, 288.989, 287.698],
    "precipitation": [1.85906e-06, 7.88779e-05, 5.22975e-05],
}


def within(inner: Family, outer: Family, name: str) -> bool:
    (low, high), (lowest, highest) = getattr(inner, name), getattr(outer, name)
    return lowest <= low and high <= highest


def test_families_lie_where_they_say() -> None:
    train, other = FAMILIES["train"], FAMILIES["other"]
    for name in FACTORS:
        assert within(FAMILIES["select"], train, name), name
        assert within(FAMILIES["test"], train, name), name
    apart = [
        getattr(other, name)[1] < getattr(train, name)[0]
        or getattr(other, name)[0] > getattr(train, name)[1]
        for name in FACTORS
    ]
    assert sum(apart) >= 10
    assert other.warming == (1.0, 2.0)
    assert len({each.key for each in FAMILIES.values()}) == len(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_worlds_are_drawn_within_the_ranges(name: str) -> None:
    family = FAMILIES[name]
    worlds = [MODULE._draw(family, seed) for seed in range(60)]
    for factor in FACTORS:
        low, high = getattr(family, factor)
        drawn = np.array([world[factor] for world in worlds])
        assert ((drawn >= low) & (drawn <= high)).all()
        assert np.ptp(drawn) >= 0.8 * (high - low)


def test_an_override_moves_no_other_factor() -> None:
    plain = MODULE._draw(get_family("train"), 4)
    moved = MODULE._draw(get_family("train", gill=(2, 2)), 4)
    assert moved.pop("gill") == 2
    plain.pop("gill")
    assert moved == plain


# ---- the sphere ----------------------------------------------------------------------------


def test_cells_cover_the_sphere() -> None:
    assert GLOBE.area.sum() == pytest.approx(1)
    np.testing.assert_allclose(np.diff(GLOBE.latitude), 180 / 32)
    np.testing.assert_allclose(GLOBE.latitude, -GLOBE.latitude[::-1])
    assert GLOBE.longitude[0] + 360 - GLOBE.longitude[-1] == pytest.approx(360 / 64)


def test_great_circle_distance_is_the_haversine() -> None:
    lat, lon = np.deg2rad([10.0, -40.0]), np.deg2rad([350.0, 20.0])
    half = np.sin((lat[1] - lat[0]) / 2) ** 2
    half += np.cos(lat[0]) * np.cos(lat[1]) * np.sin((lon[1] - lon[0]) / 2) ** 2
    found = np.arccos(cosine(10.0, 350.0, -40.0, 20.0))
    assert found == pytest.approx(2 * np.arcsin(np.sqrt(half)))


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("order", [0, 1])
def test_the_laplacian_knows_spherical_harmonics(degree: int, order: int) -> None:
    globe = Globe(64, 128)
    s, c = np.sin(np.deg2rad(globe.north)), np.cos(np.deg2rad(globe.north))
    zonal = {1: s, 2: 1.5 * s**2 - 0.5, 3: 2.5 * s**3 - 1.5 * s}[degree]
    tesseral = {1: c, 2: 3 * s * c, 3: 1.5 * (5 * s**2 - 1) * c}[degree]
    lon = np.deg2rad(globe.longitude)
    field = (zonal if order == 0 else tesseral) * np.cos(order * lon)
    expected = -degree * (degree + 1) / 6371e3**2 * field
    error = np.abs(globe.laplacian(field) - expected).max()
    assert error < 0.04 * np.abs(expected).max()  # most beside the poles


def test_the_laplacian_of_anything_has_no_mean() -> None:
    field = np.random.default_rng(0).standard_normal((3, 32, 64))
    # North-south fluxes cancel by construction; so do the zonal ones, ring by ring.
    found = GLOBE.laplacian(field)
    rings = np.cos(np.deg2rad(GLOBE.north))
    assert np.abs((found * rings).sum(axis=(1, 2))).max() < 1e-10 * np.abs(found * rings).sum()


def test_a_cosine_has_its_derivatives() -> None:
    globe = Globe(64, 128)
    lon, c = np.deg2rad(globe.longitude), np.cos(np.deg2rad(globe.north))
    east, north = globe.gradient(np.sin(np.deg2rad(globe.north)) + np.cos(2 * lon))
    np.testing.assert_allclose(east * c * 6371e3, -2 * np.sin(2 * lon) * c**0, atol=0.01)
    np.testing.assert_allclose(north[1:-1] * 6371e3, (c + 0 * lon)[1:-1], atol=0.01)


def test_wind_blows_with_the_low_on_its_left_in_the_north() -> None:
    for lat, sign in ((45.0, 1), (-45.0, -1)):
        low = -1000 * GLOBE.bell(lat, 180.0, 12.0)
        east, north = GLOBE.wind(low, 12.0)
        row = int(np.abs(GLOBE.latitude - lat).argmin())
        assert sign * north[row, 34:38].min() > 1  # east of the low, poleward in the north
        assert sign * north[row, 26:30].max() < -1
        assert np.abs(north[row, 34:38]).max() < 20
        assert np.abs(east[row, 31:33]).max() < np.abs(north[row, 34:36]).min()
    assert np.abs(GLOBE.wind(-1000 * GLOBE.bell(0, 180, 12), 12.0)[1][15:17]).max() < 10


def test_smoothing_is_a_sum_over_the_sphere() -> None:
    field = np.random.default_rng(1).standard_normal((2, 16, 32))
    globe = Globe(16, 32)
    found = globe.smooth(field, globe.smoother(15.0))
    at = globe.bell(globe.latitude[3], globe.longitude[30], 15.0) * globe.area
    np.testing.assert_allclose(found[:, 3, 30], (at * field).sum(axis=(1, 2)), atol=1e-12)


def test_what_is_seen_of_a_uniform_sea_is_the_sea() -> None:
    sea = ~Planet(GLOBE).land
    seen = GLOBE.seen(np.ones((1, 32, 64)), sea, 12.0)[0]
    np.testing.assert_allclose(seen[sea & (np.abs(GLOBE.north) < 60)], 1)
    assert seen.min() >= 0
    assert seen.max() < 1 + 1e-9


@pytest.mark.parametrize("places", [1, 17])
def test_nothing_knows_a_seam(places: int) -> None:
    field = np.random.default_rng(2).standard_normal((32, 64))
    rolled = np.roll(field, places, -1)
    smoother = GLOBE.smoother(10.0)
    for rule in (
        GLOBE.laplacian,
        lambda x: GLOBE.gradient(x)[0],
        lambda x: GLOBE.wind(x, 12.0)[1],
        lambda x: GLOBE.smooth(x, smoother),
    ):
        np.testing.assert_allclose(rule(rolled), np.roll(rule(field), places, -1), atol=1e-9)
    turned = GLOBE.bell(20, 30 + places * 360 / 64, 15)
    np.testing.assert_allclose(turned, np.roll(GLOBE.bell(20, 30, 15), places, -1))


# ---- the planet ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planet() -> Planet:
    return Planet(GLOBE)


def test_the_planet_has_the_land_of_the_earth(planet: Planet) -> None:
    assert 0.25 < (planet.land * GLOBE.area).sum() < 0.35
    inland = {"Asia": (55, 90), "Africa": (5, 20), "Brazil": (-8, 305), "Antarctica": (-85, 0)}
    at_sea = {"Pacific": (0, 200), "Atlantic": (30, 320), "Indian Ocean": (-20, 80)}
    assert all(_planet.land(*each).all() for each in inland.values())
    assert not any(_planet.land(*each).any() for each in at_sea.values())


def test_the_mean_sea_has_a_warm_pool_and_a_cold_tongue(planet: Planet) -> None:
    sst = _planet.freeze(planet.sst)
    assert sst.min() > -1.81

    def near(lat: float, lon: float) -> np.ndarray:
        rows, columns = np.abs(GLOBE.latitude - lat), np.abs(GLOBE.longitude - lon)
        return sst[:, rows.argmin(), columns.argmin()]

    assert 28 < near(0, 150).mean() < 30.5
    assert 22 < near(-3, 265).mean() < 26
    assert near(40, 180).argmax() in (7, 8)
    assert near(-40, 180).argmax() in (1, 2)


def test_pressure_moves_air_and_makes_none(planet: Planet) -> None:
    for each in (planet.weather, planet.gill, planet.trains):
        assert np.abs(GLOBE.mean(each)).max() < 1e-9 * np.abs(each).max()


def test_heating_makes_the_pressure_of_gill(planet: Planet) -> None:
    low = planet.gill[6]  # heating at 175 degrees east
    equator = low[15:17].mean(axis=0)
    assert np.abs(GLOBE.longitude[equator.argmin()] - 175) < 25
    off = low[[13, 18]].mean(axis=0)
    west, east = (np.abs(GLOBE.longitude - lon).argmin() for lon in (150, 240))
    assert off[west] < equator[west]  # the Rossby lows lie off the equator, to the west
    assert equator[east] < off[east]  # the Kelvin low on it, to the east
    assert np.abs(low[[0, 1, -2, -1]]).max() < 0.35 * np.abs(low).max()


def test_wave_trains_leave_for_both_poles(planet: Planet) -> None:
    north, south = planet.trains
    np.testing.assert_allclose(north, south[:, ::-1], atol=1e-9)
    assert np.abs(north[0][:8]).max() < 0.2 * np.abs(north[0]).max()


# ---- chance ----------------------------------------------------------------------------------


def test_red_noise_has_variance_one_and_its_memory() -> None:
    shocks = np.random.default_rng(3).standard_normal((20000, 3))
    memory = np.array([1.0, 3.0, 9.0])
    found = _climate.fade(shocks, memory)
    np.testing.assert_allclose(found.std(axis=0), 1, rtol=0.06)
    lagged = (found[1:] * found[:-1]).mean(axis=0) / found.var(axis=0)
    np.testing.assert_allclose(lagged, np.exp(-1 / memory), atol=0.02)


def test_what_lasts_is_followed() -> None:
    found = _climate.fade(np.zeros((200, 2)), np.array([2.0, 10.0]), np.array([1.0, -3.0]))
    np.testing.assert_allclose(found[-1], [1, -3], rtol=1e-6)


def oscillation(count: int, family: str = "train") -> np.ndarray:
    shocks = np.random.default_rng(4).standard_normal(count)
    world = {name: float(np.mean(getattr(FAMILIES[family], name))) for name in FACTORS}
    return _climate.oscillate(shocks, np.arange(count) + 0.5, world)


def test_warm_events_are_the_stronger_and_come_in_winter() -> None:
    warm = oscillation(12 * 400)[240:]
    anomaly = warm - warm.mean()
    assert (anomaly**3).mean() / anomaly.std() ** 3 > 0.4
    assert 0.5 < anomaly.std() < 1.3
    by_month = anomaly.reshape(-1, 12).std(axis=0)
    assert by_month.argmax() in (10, 11, 0)
    assert by_month.max() > 1.2 * by_month.min()


def test_the_oscillator_has_its_period() -> None:
    warm = oscillation(12 * 800)
    power = np.abs(np.fft.rfft(warm - warm.mean())) ** 2
    smooth = np.convolve(power, np.ones(41), "same")
    period = 1 / np.fft.rfftfreq(len(warm))[smooth.argmax()]
    assert period == pytest.approx(np.mean(FAMILIES["train"].enso_period), rel=0.15)


def test_a_great_event_lies_further_east() -> None:
    shocks = np.random.default_rng(5).standard_normal((12 * 200, 2))
    world = MODULE._draw(FAMILIES["train"], 0)
    parts = _climate._pacific(shocks, np.arange(len(shocks)) + 0.5, world)
    total = parts.sum(axis=1)
    share = [parts[chosen, 1].mean() / total[chosen].mean() for chosen in (total > 1.5, total < -1)]
    assert share[0] > 0.8
    assert share[1] < 0.2


# ---- a world -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> xr.Dataset:
    return climate("test", seed=1, years=20)


def anomalies(values: np.ndarray) -> np.ndarray:
    """Without the mean year."""
    years = values.reshape(-1, 12, *values.shape[1:])
    return (years - years.mean(axis=0)).reshape(values.shape)


def skewness(values: np.ndarray) -> np.ndarray:
    anomaly = anomalies(values)
    return (anomaly**3).mean(axis=0) / (anomaly**2).mean(axis=0) ** 1.5


def test_a_world_is_a_climate(world: xr.Dataset) -> None:
    assert dict(world.sizes) == {"time": 240, "latitude": 32, "longitude": 64, "bnds": 2}
    assert {name: each.dtype for name, each in world.data_vars.items()} == dict.fromkeys(
        VARIABLES, np.dtype("float32")
    )
    units = [each.attrs["units"] for each in world.data_vars.values()]
    assert units == ["degC", "Pa", "K", "kg m-2 s-1"]
    assert {each.attrs["cell_methods"] for each in world.data_vars.values()} == {"time: mean"}
    on_scale = [name for name in VARIABLES if "units_metadata" in world[name].attrs]
    assert on_scale == ["sst", "t2m"]
    assert -2.5 < float(world.sst.min()) < float(world.sst.max()) < 34
    assert 94e3 < float(world.slp.min()) < float(world.slp.max()) < 107e3
    assert 200 < float(world.t2m.min()) < float(world.t2m.max()) < 320
    rain = float((world.precipitation * 86400).weighted(np.cos(np.deg2rad(world.latitude))).mean())
    assert 2 < rain < 3.5  # mm/day


def test_months_are_the_calendar_s(world: xr.Dataset) -> None:
    bounds = world["time_bnds"].values
    np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])
    assert bounds[0, 0] == np.datetime64("1950-01-01")
    assert bounds[-1, 1] == np.datetime64("1970-01-01")
    np.testing.assert_array_equal(world.time.dt.month, np.tile(np.arange(1, 13), 20))
    assert ((world.time.values > bounds[:, 0]) & (world.time.values < bounds[:, 1])).all()


def test_a_written_world_follows_the_conventions(world: xr.Dataset, tmp_path: Path) -> None:
    ds = world.isel(time=slice(0, 12))
    assert findings_of(ds, tmp_path / "world.nc") == set()
    with xr.open_dataset(tmp_path / "world.nc") as back:
        xr.testing.assert_identical(back.load(), ds)
        assert back.t2m.encoding["coordinates"] == "height"
        assert "coordinates" not in back.slp.encoding


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("sea_surface_temperature", "sst"),
        ("air_pressure_at_mean_sea_level", "slp"),
        ("air_temperature_2m", "t2m"),
        ("precipitation", "precipitation"),
    ],
)
def test_fields_are_found_by_their_attributes(world: xr.Dataset, key: str, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # by no name of a product
        found = fields.find(world, key, role="state")
    assert found.variable == name


def test_only_the_sea_has_land(world: xr.Dataset) -> None:
    for name in VARIABLES:
        expected = Planet(GLOBE).land & (name == "sst")
        missing = np.isnan(world[name].values)
        np.testing.assert_array_equal(missing, np.broadcast_to(expected, missing.shape))


def test_rain_is_positive_and_skewed(world: xr.Dataset) -> None:
    rain = world.precipitation.values.astype(float)
    assert rain.min() > 0
    wet = (rain.mean(axis=0) * 86400 > 5) & (np.abs(GLOBE.north) < 20)
    skewed = skewness(rain)[wet]
    assert wet.sum() > 60
    assert np.median(skewed) > 0.5
    assert (skewed > 0.5).mean() > 0.65


def test_the_east_pacific_is_skewed_to_warm_events() -> None:
    found = []
    for seed in range(4):
        ds = climate("train", seed=seed, shape=(16, 32))
        nino = ds.sst.sel(latitude=slice(-8, 8), longitude=slice(215, 270))
        found.append(float(skewness(nino.mean(["latitude", "longitude"]).values)))
    assert np.mean(found) > 0.4


@pytest.mark.parametrize("name", VARIABLES)
def test_the_seam_is_as_smooth_as_any_place(world: xr.Dataset, name: str) -> None:
    values = anomalies(world[name].values.astype(float))
    steps = np.abs(np.roll(values, -1, -1) - values)
    across = np.nanmean(steps[..., -1])
    by_column = np.nanmean(steps, axis=(0, 1))
    assert across <= by_column.max()
    assert across < 1.7 * np.median(by_column)


def test_the_same_seed_is_the_same_world() -> None:
    xr.testing.assert_identical(climate("test", seed=7, **SMALL), climate("test", seed=7, **SMALL))


@pytest.mark.parametrize("start", ["1950-01-01", "1999-07-01"])
def test_a_month_is_the_same_whatever_follows(start: str) -> None:
    few, many = (
        climate("train", seed=5, years=years, shape=(16, 32), start=start) for years in (2, 5)
    )
    xr.testing.assert_identical(many.isel(time=slice(0, 24)), few)


def test_another_start_is_another_season() -> None:
    january, july = (climate(**SMALL, start=f"1950-{m}-01") for m in ("01", "07"))
    north = {"latitude": slice(30, 60)}
    assert float(july.sst.sel(north)[0].mean()) > float(january.sst.sel(north)[0].mean()) + 3
    assert int(july.time.dt.month[0]) == 7


@pytest.mark.parametrize("change", [{"seed": 6}, {"family": "select"}])
def test_seeds_and_families_are_other_worlds(change: dict[str, Any]) -> None:
    asked = {"family": "train", "seed": 5, "years": 10, "shape": (16, 32)}
    one, two = climate(**asked), climate(**(asked | change))  # type: ignore[arg-type]
    for name in ("slp", "t2m"):
        a, b = (anomalies(each[name].values).ravel() for each in (one, two))
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.15
    assert one.attrs["world"] != two.attrs["world"]


def test_finer_cells_are_the_same_world() -> None:
    coarse, fine = (climate(years=3, shape=shape, seed=2) for shape in ((16, 32), (32, 64)))
    for name in ("slp", "t2m", "precipitation"):
        blocks = fine[name].coarsen(latitude=2, longitude=2).mean()
        inner = {"latitude": slice(-60, 60)}
        a, b = (anomalies(each.sel(inner).values).ravel() for each in (blocks, coarse[name]))
        assert np.corrcoef(a, b)[0, 1] > 0.9, name


def test_an_override_is_told() -> None:
    ds = climate("test", seed=1, **SMALL, warming=(0.5, 0.5))
    assert json.loads(ds.attrs["world"])["warming"] == 0.5
    assert json.loads(ds.attrs["parameters"])["warming"] == [0.5, 0.5]


# ---- another sea under the same weather --------------------------------------------------------


@pytest.fixture(scope="module")
def plain() -> xr.Dataset:
    return climate("test", seed=1, **SMALL, dtype="float64")


def offset_world(offset: Any) -> xr.Dataset:
    return climate("test", seed=1, **SMALL, dtype="float64", sst_offset=offset)


@pytest.mark.parametrize("zero", [0, np.zeros((16, 32)), np.zeros((24, 16, 32))])
def test_no_offset_is_none(plain: xr.Dataset, zero: Any) -> None:
    xr.testing.assert_identical(offset_world(zero), plain)


def test_the_sea_changes_by_the_offset_and_the_air_responds(plain: xr.Dataset) -> None:
    change = offset_world(1.0) - plain
    sea = ~np.isnan(change.sst.values)
    np.testing.assert_allclose(change.sst.values[sea], 1, atol=1e-9)
    # Chance is the same: air over the sea follows without noise of its own.
    assert 0.5 < float(change.t2m.mean()) < 1.2
    weights = np.cos(np.deg2rad(plain.latitude))
    more = float(change.precipitation.weighted(weights).mean())
    assert 0.05 < more / float(plain.precipitation.weighted(weights).mean()) < 0.4
    assert 0 < float(np.abs(change.slp).max()) < 600


def test_a_sea_out_of_the_tropics_changes_no_pressure(plain: xr.Dataset) -> None:
    globe = Globe(16, 32)
    change = offset_world(2 * globe.bell(50, 320, 6)) - plain
    assert float(np.abs(change.slp).max()) < 0.01
    there = {"latitude": slice(40, 60), "longitude": slice(300, 340)}
    assert float(change.t2m.sel(there).max()) > 0.8
    far = change.sel(latitude=slice(-90, -20))
    assert float(np.abs(far.t2m).max()) < 1e-3


def test_rain_gains_more_by_warmth_than_it_loses_by_cold(plain: xr.Dataset) -> None:
    tropics = {"latitude": slice(-15, 15)}
    rain = {
        size: float(offset_world(size).precipitation.sel(tropics).mean()) for size in (-1, 0, 1)
    }
    assert rain[1] - rain[0] > 1.1 * (rain[0] - rain[-1]) > 0


def test_an_offset_may_be_labelled_change_in_time_and_lack_land(plain: xr.Dataset) -> None:
    pattern = xr.zeros_like(plain.sst) + 0.5  # NaN on land
    pattern[:12] *= 0
    found = offset_world(pattern.transpose("longitude", "time", "latitude"))
    xr.testing.assert_identical(found, offset_world(pattern.values))
    xr.testing.assert_identical(found.isel(time=slice(0, 12)), plain.isel(time=slice(0, 12)))
    flat = offset_world(pattern.isel(time=-1))
    xr.testing.assert_identical(found.isel(time=slice(12, 24)), flat.isel(time=slice(12, 24)))


def test_the_tropics_share_their_air(planet: Planet) -> None:
    season = np.arange(12)
    heat = _atmosphere._heat(planet, _planet.freeze(planet.sst) + GLOBE.bell(0, 200, 15), season)
    assert np.abs(heat.mean(axis=1)).max() < 1e-12
    assert (heat.argmax(axis=1) == 7).all()  # at 195 degrees east
    no_change = _atmosphere._heat(planet, _planet.freeze(planet.sst), season)
    np.testing.assert_allclose(no_change, 0, atol=1e-12)


# ---- bad input -----------------------------------------------------------------------------------

OTHER_GRID = xr.DataArray(
    np.zeros((16, 32)),
    {"latitude": np.linspace(-80, 80, 16), "longitude": np.arange(32) * 11.25},
    ("latitude", "longitude"),
)
BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"family": "atlantis"}, ValueError, "no climate family 'atlantis': choose from train, "),
    ({"years": 0}, ValueError, "years=0 must be at least 1"),
    ({"shape": (33, 64)}, ValueError, r"shape=\(33, 64\) must be"),
    ({"shape": (8, 64)}, ValueError, "at least 16"),
    ({"shape": (32, 64, 2)}, ValueError, r"must be \(rows, columns\)"),
    ({"start": "1950-01-15"}, ValueError, "the first of a month"),
    ({"start": "2262-01-01"}, ValueError, "do not lie between 1678 and 2262"),
    ({"start": "soon"}, ValueError, "soon"),
    ({"albedo": (0, 1)}, TypeError, "albedo"),
    ({"gill": (2, 1)}, ValueError, r"gill is a range \(low, high\)"),
    ({"sst_offset": np.zeros((3, 4))}, ValueError, r"has shape \(3, 4\); give a number, "),
    ({"sst_offset": np.full((32, 64), np.nan)}, ValueError, "not finite at sea"),
    ({"sst_offset": np.inf}, ValueError, "not finite at sea"),
    ({"sst_offset": OTHER_GRID, "shape": (16, 32)}, ValueError, "another latitude"),
    (
        {"sst_offset": xr.DataArray(np.zeros((32, 64)), dims=("y", "x"))},
        ValueError,
        r"has dimensions \('y', 'x'\)",
    ),
]


@pytest.mark.parametrize(("asked", "error", "message"), BAD)
def test_bad_input(asked: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        climate(**{"years": 1, **asked})
