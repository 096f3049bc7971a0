"""Laws of simulated satellites: where they fly, what they see, keyed chance."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import cftime
import dask
import numpy as np
import pint
import pytest
import xarray as xr
from compliance import findings_of

from xocean_ml import fields, tutorial
from xocean_ml.errors import FieldNotFound, GridError, UnitsError
from xocean_ml.grid import EARTH_RADIUS
from xocean_ml.observations import from_grid, table
from xocean_ml.simulate import observe
from xocean_ml.simulate._chance import WAVES, gaussian, white
from xocean_ml.simulate._footprints import Blur
from xocean_ml.simulate._gridded import Field
from xocean_ml.simulate._orbits import NADIRS, SWATH, Box, Flight, Orbit, unit_vectors

RADIUS = EARTH_RADIUS / 1e3
ORBITS = [*NADIRS, SWATH]
NAMES = [orbit.name for orbit in ORBITS]
NADIR = {"cloud": None}
ALL: dict[str, Any] = {"swath": True, "coarse": True}
SILENT = dict.fromkeys(
    (
        *("nadir", "swath", "sst", "coarse_sea_level_anomaly"),
        *("coarse_sea_surface_temperature", "coarse_sea_surface_salinity"),
    ),
    0.0,
)


def flight(orbit: Orbit, spacing: float = 7.0) -> Flight:
    return Flight(orbit, 0.3, 77.0, spacing)


def apart(one: Any, other: Any) -> np.ndarray:
    """Great-circle distance of (latitude, longitude), km."""
    chord = np.linalg.norm(unit_vectors(*one) - unit_vectors(*other), axis=-1)
    return 2 * RADIUS * np.arcsin(chord / 2)


def world(time: Any, lat: np.ndarray, lon: np.ndarray, values: Any, **attrs: str) -> xr.Dataset:
    """A field of sea level, or of what the attributes say."""
    about = {"standard_name": "sea_surface_height_above_mean_sea_level", "units": "m"} | attrs
    data = np.broadcast_to(values, (len(time), len(lat), len(lon)))
    return xr.Dataset(
        {"h": (("time", "lat", "lon"), data.astype(float), about)},
        {
            "time": time,
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )


def days(count: int, start: str = "2003-05-01") -> np.ndarray:
    return np.datetime64(start, "ns") + np.arange(count) * np.timedelta64(1, "D")


@pytest.fixture(scope="module")
def truth() -> xr.Dataset:
    """A box of 12 times with a coast, of every third cell."""
    ds = tutorial.open_dataset("surface")[["ssh", "mdt", "sst", "sss"]]
    for axis in ("latitude", "longitude"):
        del ds[axis].attrs["bounds"]  # of finer cells
    return ds.isel(latitude=slice(None, None, 3), longitude=slice(None, None, 3))


@pytest.fixture(scope="module")
def seen(truth: xr.Dataset) -> dict[str, xr.Dataset]:
    return observe(truth, **ALL, seed=3)


@pytest.fixture(scope="module")
def silent(truth: xr.Dataset) -> dict[str, xr.Dataset]:
    return observe(truth, **ALL, noise=SILENT, seed=3)


# ---- orbits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("orbit", ORBITS, ids=NAMES)
def test_a_track_repeats_after_its_cycle_and_not_before(orbit: Orbit) -> None:
    each = flight(orbit)
    times = np.linspace(1000, 1000 + orbit.days, 500, endpoint=False)
    assert apart(each.at(times), each.at(times + orbit.days)).max() < 5
    nodes = 1000 + np.arange(orbit.revolutions) * orbit.days / orbit.revolutions
    crossings = np.sort(each.at(nodes)[1])
    np.testing.assert_allclose(np.diff(crossings), 360 / orbit.revolutions, atol=1e-6)


@pytest.mark.parametrize("orbit", ORBITS, ids=NAMES)
def test_the_inclination_is_the_highest_latitude(orbit: Orbit) -> None:
    latitude, _ = flight(orbit).at(np.linspace(0, 1, 100_000))
    highest = min(orbit.inclination, 180 - orbit.inclination)
    assert latitude.max() == pytest.approx(highest, abs=1e-3)
    assert latitude.min() == pytest.approx(-highest, abs=1e-3)


@pytest.mark.parametrize("orbit", ORBITS, ids=NAMES)
def test_cycles_are_those_of_the_flattened_earth(orbit: Orbit) -> None:
    """Kaula 1966: J2 turns the plane; what is left of the sidereal day turns the Earth under it."""
    mu, radius, j2 = 3.986004418e14, 6378.137e3, 1.08263e-3
    cosine = np.cos(np.deg2rad(orbit.inclination))
    rate = 2 * np.pi * orbit.revolutions / (orbit.days * 86400)  # of the argument of latitude
    axis = (mu / rate**2) ** (1 / 3)
    for _ in range(20):
        motion = np.sqrt(mu / axis**3)
        flat = 1.5 * j2 * (radius / axis) ** 2
        axis *= (motion * (1 + flat * (4 * cosine**2 - 1)) / rate) ** (2 / 3)
    assert 700 < (axis - radius) / 1e3 < 1400
    precession = np.rad2deg(-flat * motion * cosine) * 86400
    assert 360.98565 - precession == pytest.approx(360 * orbit.turns / orbit.days, abs=0.01)


@pytest.mark.parametrize("orbit", ORBITS, ids=NAMES)
def test_the_next_node_lies_to_the_west(orbit: Orbit) -> None:
    each, revolution = flight(orbit), orbit.days / orbit.revolutions
    _, (first, second) = each.at(1000 + np.array([0, revolution]))
    assert (first - second) % 360 == pytest.approx(360 * orbit.turns / orbit.revolutions)


def test_some_fly_east_and_some_west() -> None:
    times = np.arange(0, 0.2, 1 / 1440)
    _, longitude = flight(NADIRS[0]).at(times)
    assert ((np.diff(longitude) % 360) < 180).all()  # prograde
    _, longitude = flight(NADIRS[1]).at(times)
    assert ((np.diff(longitude) % 360) > 180).all()  # retrograde


@pytest.mark.parametrize("orbit", ORBITS, ids=NAMES)
def test_looks_are_seven_kilometres_apart(orbit: Orbit) -> None:
    each = flight(orbit)
    globe = Box(-90, 90, -180, 360)
    looks = each.looks(400, globe)
    np.testing.assert_array_equal(np.diff(looks), 1)
    latitude, longitude = each.at(each.times(looks))
    steps = apart((latitude[1:], longitude[1:]), (latitude[:-1], longitude[:-1]))
    assert steps.mean() == pytest.approx(7, rel=5e-3)
    assert 6.4 < steps.min() <= steps.max() < 7.6


@pytest.mark.parametrize(
    "box",
    [Box(-10, 20, 350, 30), Box(75, 77, 10, 5), Box(-90, -60, 0, 360), Box(3, 3.1, -20, 0.1)],
)
def test_each_look_belongs_to_one_day_and_a_box_takes_its_own(box: Box) -> None:
    each, globe = flight(SWATH), Box(-90, 90, 0, 360)
    whole = np.concatenate([each.looks(day, globe) for day in range(-2, 3)])
    np.testing.assert_array_equal(np.diff(whole), 1)
    times = each.times(whole)
    assert ((times >= -2) & (times < 3)).all()
    inside = whole[box.holds(*each.at(times))]
    np.testing.assert_array_equal(
        np.concatenate([each.looks(day, box) for day in range(-2, 3)]), inside
    )


def test_even_passes_go_north() -> None:
    each = flight(NADIRS[2])
    times = each.times(each.looks(10, Box(-90, 90, 0, 360)))
    latitude, passes = each.at(times)[0], each.passes(times)
    same = passes[1:] == passes[:-1]
    north = np.diff(latitude) > 0
    np.testing.assert_array_equal(north[same], (passes[1:] % 2 == 0)[same])


def test_a_swath_lies_beside_its_track_at_right_angles() -> None:
    each, distances = flight(SWATH, 2.0), np.array([-60.0, -10, 0, 10, 60])
    times = np.linspace(3, 3.2, 300)
    here, points = each.at(times), each.beside(times, distances)
    for number, km in enumerate(distances):
        one = (points[0][:, number], points[1][:, number])
        np.testing.assert_allclose(apart(one, here), abs(km), atol=1e-4)
    ahead = each.at(times + 1 / 86400)
    aside = (points[0][:, -1], points[1][:, -1])
    legs = apart(ahead, here) ** 2 + 60**2
    np.testing.assert_allclose(apart(ahead, aside) ** 2, legs, rtol=1e-3)
    equator = np.abs(here[0]).argmin()
    northward = each.passes(times)[equator] % 2 == 0
    east = (points[1][equator, -1] - points[1][equator, 0] + 180) % 360 - 180
    assert (east > 0) == northward  # its right is the east where it goes north


def test_satellites_are_elsewhere_by_another_seed(truth: xr.Dataset) -> None:
    one, two = (observe(truth, nadirs=1, **NADIR, seed=seed)["nadir"] for seed in (0, 1))
    assert not set(one.time.values) & set(two.time.values)


# ---- what is seen ------------------------------------------------------------------------------


def at_points(field: xr.DataArray, points: xr.Dataset) -> np.ndarray:
    """Xarray's own interpolation, the ends in time held."""
    first, last = field.time.values[[0, -1]]
    time = points.time.clip(first, last)
    places = {"latitude": points.latitude, "longitude": points.longitude, "time": time}
    return field.astype(float).interp(places).values


def test_points_are_the_truth_between_its_cells(
    truth: xr.Dataset, silent: dict[str, xr.Dataset]
) -> None:
    points = silent["nadir"]
    assert points.sizes["obs"] > 5000
    np.testing.assert_allclose(points.ssh, at_points(truth.ssh, points), atol=1e-6)


def test_the_swath_is_the_truth_between_its_cells(
    truth: xr.Dataset, silent: dict[str, xr.Dataset]
) -> None:
    lines = silent["swath"].isel(along=slice(None, None, 20))
    expected = at_points(truth.ssh, lines)
    np.testing.assert_allclose(lines.ssh, expected, atol=1e-6)
    assert np.isfinite(expected).mean() > 0.5
    assert silent["swath"].ssh.notnull().any("across").all()
    np.testing.assert_array_equal(np.abs(lines.cross_track_distance).min(), 10)
    apart_ = np.abs(lines.longitude - float(truth.longitude.mean()))
    assert float(apart_.max()) < 6  # nearby, not a turn further


def test_radiometers_see_the_truth_between_clouds(
    truth: xr.Dataset, silent: dict[str, xr.Dataset]
) -> None:
    found = silent["sst"].sst
    assert found.dims == truth.sst.dims
    np.testing.assert_array_equal(found.where(found.notnull(), truth.sst), truth.sst)


def test_what_is_seen_lies_within_space_and_time(
    truth: xr.Dataset, seen: dict[str, xr.Dataset]
) -> None:
    half = np.timedelta64(60, "h")
    for name in ("nadir", "swath"):
        times = seen[name].time.values
        assert times.min() >= truth.time.values[0] - half
        assert times.max() <= truth.time.values[-1] + half
        assert (np.diff(times) >= np.timedelta64(0)).all()
        known = seen[name].ssh.notnull()
        for axis in ("latitude", "longitude"):
            places = seen[name][axis].where(known)
            assert float(places.min()) >= float(truth[axis].min())
            assert float(places.max()) <= float(truth[axis].max())
    assert set(np.unique(seen["nadir"].satellite)) == {0, 1, 2, 3}
    assert float(np.ptp(times) / np.timedelta64(1, "D")) > 50


def test_land_is_never_seen(truth: xr.Dataset, seen: dict[str, xr.Dataset]) -> None:
    sea = truth.ssh.notnull().all("time")
    assert 0.05 < float(1 - sea.mean()) < 0.5
    for name in ("nadir", "swath"):
        known = seen[name].ssh.notnull()
        cells = sea.sel(
            latitude=seen[name].latitude, longitude=seen[name].longitude, method="nearest"
        )
        assert bool(cells.where(known, True).all())
    assert bool((seen["sst"].sst.isnull() | sea).all())
    for name in [each for each in seen if each.startswith("coarse")]:
        (values,) = (v for k, v in seen[name].items() if not str(k).endswith("error"))
        grid = {"latitude": values.latitude, "longitude": values.longitude}
        expected = sea.sel(grid, method="nearest").values
        np.testing.assert_array_equal(values.notnull().all("time"), expected)


def test_a_globe_is_seen_across_its_seam() -> None:
    lat, lon = np.arange(-88.0, 89, 4), np.arange(0.0, 360, 4)
    values = np.sin(np.deg2rad(lat))[:, None] * np.cos(np.deg2rad(3 * lon + 20))
    globe = world(days(2), lat, lon, values)
    points = observe(globe, nadirs=2, **NADIR, noise={"nadir": 0})["nadir"]
    assert 60_000 < points.sizes["obs"] / 2 / 2 < 90_000  # a day and satellite
    assert float(points.longitude.max()) > 359.5
    padded = xr.concat([globe.h, globe.h[..., :1].assign_coords(lon=[360.0])], "lon")
    time = points.time.clip(*globe.time.values)
    expected = padded.interp(lat=points.latitude, lon=points.longitude, time=time)
    np.testing.assert_allclose(points.h, expected, atol=1e-12)
    tropics = globe.isel(lat=slice(21, 24), time=slice(1))
    lines = observe(tropics, nadirs=0, swath=True, cloud=None)["swath"]
    known = lines.h.notnull()
    north = np.abs(lines.latitude) <= float(tropics.lat.max())
    np.testing.assert_array_equal(known, north)


def test_it_is_linear_in_time() -> None:
    lat, lon = np.arange(30.0, 40), np.arange(330.0, 350)
    rising = world(days(9), lat, lon, np.arange(9.0)[:, None, None])
    points = observe(rising, nadirs=6, **NADIR, noise={"nadir": 0})["nadir"]
    since = (points.time.values - rising.time.values[0]) / np.timedelta64(1, "D")
    assert since.min() < 0
    assert since.max() > 8
    np.testing.assert_allclose(points.h, np.clip(since, 0, 8), atol=1e-7)


def test_a_small_box_may_see_nothing() -> None:
    box = world(days(1), np.array([30.0, 30.1]), np.array([0.0, 0.1]), 1.0)
    found = observe(box, nadirs=1, swath=True, cloud=None)
    assert found["nadir"].sizes == {"obs": 0}
    assert found["swath"].sizes == {"along": 0, "across": 52}
    assert table(found["nadir"]).sizes == {"obs": 0}


# ---- chance ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "variable", "size"),
    [("nadir", "ssh", 0.02), ("swath", "ssh", 0.01), ("sst", "sst", 0.3)],
)
def test_noise_is_white_and_of_its_size(
    seen: dict[str, xr.Dataset],
    silent: dict[str, xr.Dataset],
    name: str,
    variable: str,
    size: float,
) -> None:
    noise = (seen[name][variable] - silent[name][variable]).values.astype(float)
    assert np.nanstd(noise) == pytest.approx(size, rel=0.03)
    assert abs(np.nanmean(noise)) < 0.05 * size
    for axis in range(noise.ndim):
        lagged = np.nanmean(noise * np.roll(noise, 1, axis)) / size**2
        assert abs(lagged) < 0.04
    error = seen[name][f"{variable}_standard_error"]
    np.testing.assert_array_equal(error.isnull(), seen[name][variable].isnull())
    assert float(error.max()) == float(error.min()) == pytest.approx(size)


def test_white_noise_is_a_look_s_own() -> None:
    looks = np.arange(-3000, 3000)
    one, other = (white(1, "nadir", satellite, looks, 2) for satellite in (0, 1))
    drawn = np.stack([one[:2048], one[2048:4096], other[:2048]])  # blocks and satellites
    likeness = np.corrcoef(drawn.reshape(3, -1))
    assert np.abs(likeness - np.eye(3)).max() < 0.06
    some = np.array([5, 2999, 4000])
    np.testing.assert_array_equal(white(1, "nadir", 0, looks[some], 2), one[some])


def test_noise_of_coarse_maps_is_as_long_as_their_footprint() -> None:
    lat, lon = np.arange(-20.0, 20, 0.5), np.arange(0.0, 40, 0.5)
    flat = world(days(30)[::5], lat, lon, 0.0)
    asked = {"nadirs": 0, "cloud": None, "coarse": {"sea_level_anomaly": 300.0}}
    noise = observe(flat, **asked)["coarse_sea_level_anomaly"].h
    values = noise.values / 0.02
    assert values.std() == pytest.approx(1, abs=0.1)
    sigma = 300 / 2.3548
    step = float(np.diff(noise.latitude)[0]) * np.pi / 180 * RADIUS
    for cells in (1, 2, 4):
        found = (values[:, cells:] * values[:, :-cells]).mean()
        assert found == pytest.approx(np.exp(-((cells * step / sigma) ** 2) / 4), abs=0.12)


def test_the_same_seed_sees_the_same(truth: xr.Dataset, seen: dict[str, xr.Dataset]) -> None:
    again = observe(truth, **ALL, seed=3)
    assert list(again) == list(seen)
    for name in seen:
        xr.testing.assert_identical(again[name], seen[name])


def test_a_day_is_the_same_whatever_other_days_are_there(
    truth: xr.Dataset, seen: dict[str, xr.Dataset]
) -> None:
    part = truth.isel(time=slice(4, 9))
    few = observe(part, **ALL, seed=3)
    inner = slice(part.time.values[0], part.time.values[-1])
    for name, dim in (("nadir", "obs"), ("swath", "along")):
        one, other = (each[name].set_xindex("time").sel(time=inner) for each in (few, seen))
        assert one.sizes[dim] > 100
        xr.testing.assert_identical(one.drop_attrs(), other.drop_attrs())
    for name in [each for each in seen if each not in ("nadir", "swath")]:
        xr.testing.assert_identical(few[name], seen[name].isel(time=slice(4, 9)))


def test_tracks_and_clouds_are_the_same_in_a_smaller_box(
    truth: xr.Dataset, seen: dict[str, xr.Dataset]
) -> None:
    part = {"latitude": slice(10, 50), "longitude": slice(20, 60)}
    small = truth.isel(part)
    few = observe(small, seed=3)
    points = seen["nadir"]
    inside = np.ones(points.sizes["obs"], bool)
    for axis in ("latitude", "longitude"):
        low, high = float(small[axis].min()), float(small[axis].max())
        inside &= ((points[axis] >= low) & (points[axis] <= high)).values
    xr.testing.assert_allclose(few["nadir"], points.isel(obs=inside), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(few["sst"].sst.isnull(), seen["sst"].sst.isel(part).isnull())


def test_another_seed_is_another_sky(truth: xr.Dataset, seen: dict[str, xr.Dataset]) -> None:
    other = observe(truth, **ALL, seed=4)
    assert other["nadir"].sizes != seen["nadir"].sizes
    hidden = [each["sst"].sst.isnull().values for each in (other, seen)]
    assert np.corrcoef(hidden[0].ravel(), hidden[1].ravel())[0, 1] < 0.7  # land is the same


# ---- clouds ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def warm() -> xr.Dataset:
    lat, lon = np.arange(20.0, 45, 0.5), np.arange(-60.0, -20, 0.5)
    attrs = {"standard_name": "sea_surface_temperature", "units": "degC"}
    return world(days(30)[::2], lat, lon, 20.0, **attrs)


@pytest.mark.parametrize("share", [0, 0.2, 0.5, 0.8, 1])
def test_clouds_hide_their_share(warm: xr.Dataset, share: float) -> None:
    found = observe(warm, nadirs=0, cloud=share)["sst"]
    hidden = float(found.h.isnull().mean())
    assert hidden == pytest.approx(share, abs=0.1 if 0 < share < 1 else 0)


def test_clouds_are_smooth_and_move(warm: xr.Dataset) -> None:
    hourly = warm.isel(time=slice(12)).assign_coords(
        time=days(1) + np.arange(12) * np.timedelta64(6, "h")
    )
    hidden = observe(hourly, nadirs=0)["sst"].h.isnull().values.astype(float)
    hidden -= hidden.mean()

    def likeness(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])

    assert likeness(hidden[:, :, 1:], hidden[:, :, :-1]) > 0.5
    assert likeness(hidden[:, :, 20:], hidden[:, :, :-20]) < 0.3
    later = [likeness(hidden[lag:], hidden[:-lag]) for lag in (1, 4, 10)]
    assert 0.97 > later[0] > later[1] > later[2]
    assert later[0] > 0.7
    assert later[2] < 0.5


def test_clouds_of_a_finer_grid_are_the_same() -> None:
    attrs = {"standard_name": "sea_surface_temperature", "units": "K"}
    coarse, fine = (
        world(days(3), np.arange(0, 10, step), np.arange(0, 10, step), 290.0, **attrs)
        for step in (0.5, 0.25)
    )
    one, other = (observe(each, nadirs=0)["sst"].h.isnull() for each in (coarse, fine))
    np.testing.assert_array_equal(one, other[:, ::2, ::2])


def test_random_fields_have_variance_one_and_their_correlation() -> None:
    equator = np.zeros(1)
    along = np.rad2deg(np.arange(0, 400, 50) / RADIUS)
    found = np.stack(
        [
            gaussian(np.random.default_rng(k), np.arange(3.0), (equator, along), 150.0, 2.0)
            for k in range(2000)
        ]
    )[:, :, 0]
    np.testing.assert_allclose(found.var(axis=0), 1, atol=0.15)
    space = (found[:, 0, :1] * found[:, 0]).mean(axis=0)
    np.testing.assert_allclose(space, np.exp(-((np.arange(8) * 50 / 150) ** 2) / 2), atol=0.08)
    time = (found[:, :1, 0] * found[:, :, 0]).mean(axis=0)
    np.testing.assert_allclose(time, np.exp(-((np.arange(3) / 2) ** 2) / 2), atol=0.08)
    assert WAVES == 200  # the clouds of a seed are these


# ---- coarse maps -------------------------------------------------------------------------------


def blurred(ds: xr.Dataset, footprint: float) -> xr.DataArray:
    asked = {"nadirs": 0, "cloud": None, "coarse": {"sea_level_anomaly": footprint}}
    return observe(ds, **asked, noise=SILENT)["coarse_sea_level_anomaly"].h


def test_cells_are_half_a_footprint(seen: dict[str, xr.Dataset]) -> None:
    expected = {"ssh": 150.0, "sst": 30.0, "sss": 60.0}
    found = {}
    for name in [each for each in seen if each.startswith("coarse")]:
        ds = seen[name]
        (variable,) = (str(k) for k in ds if not str(k).endswith("error"))
        found[variable] = ds[variable].attrs["footprint_km"]
        north = float(np.diff(ds.latitude)[0]) * np.pi / 180 * RADIUS
        east = float(np.diff(ds.longitude)[0]) * np.pi / 180 * RADIUS * np.cos(np.deg2rad(36))
        assert [north, east] == pytest.approx([found[variable] / 2] * 2, rel=0.15)
    assert found == expected


def test_they_fill_the_domain_and_are_no_finer_than_the_truth(truth: xr.Dataset) -> None:
    found = blurred(truth.rename(ssh="h"), 1.0)
    np.testing.assert_array_equal(found.latitude, truth.latitude)
    np.testing.assert_array_equal(found.longitude, truth.longitude)
    np.testing.assert_allclose(found, truth.ssh, atol=1e-6)
    ds = observe(truth, nadirs=0, cloud=None, coarse={"sea_surface_salinity": 90.0})
    (coarse,) = ds.values()
    for axis in ("latitude", "longitude"):
        ends = coarse[f"{axis}_bnds"].values.ravel()[[0, -1]]
        np.testing.assert_allclose(ends, truth[axis].values[[0, -1]], atol=0.1)


def test_a_constant_stays_beside_land(truth: xr.Dataset) -> None:
    flat = truth[["ssh"]].rename(ssh="h") * 0 + 7.0
    flat.h.attrs = truth.ssh.attrs
    found = blurred(flat, 150.0)
    assert bool(found.isnull().any())
    np.testing.assert_allclose(found.where(found.notnull(), 7.0), 7, rtol=1e-6)


@pytest.mark.parametrize("along", ["lat", "lon"])
def test_waves_fade_as_under_a_gaussian(along: str) -> None:
    """Its transfer function at a wave number k is exp(-(k sigma)^2 / 2)."""
    degree = np.pi / 180 * RADIUS
    axis = np.arange(-6.0, 6, 0.05)
    small = np.arange(-6.0, 6, 0.5)
    lat, lon = (axis, small) if along == "lat" else (small, axis)
    k = 2 * np.pi / 300.0
    wave = np.cos(k * degree * axis)
    values = wave[:, None] if along == "lat" else wave
    found = blurred(world(days(1), lat, lon, values), 100.0)
    name = {"lat": "latitude", "lon": "longitude"}[along]
    inner = found[0].sel(latitude=slice(-3, 3), longitude=slice(-3, 3))
    expected = np.cos(k * degree * inner[name]) * np.exp(-((k * 100 / 2.3548) ** 2) / 2)
    np.testing.assert_allclose(inner, expected.broadcast_like(inner), atol=0.02)


def test_the_footprint_is_round_at_high_latitudes() -> None:
    lat, lon = np.arange(50.0, 70, 0.1), np.arange(0.0, 20, 0.1)
    spot = np.zeros((200, 200))
    spot[100, 100] = 1.0
    ds = world(days(1), lat, lon, spot)
    blur = Blur(Field(ds, fields.find(ds, "sea_level_anomaly")), 300.0)
    found = blur(ds.h.values[0])
    north, east = blur.sides
    away = apart((north[:, None], east), (lat[100], lon[100]))
    near = away < 400
    sigma = 300 / 2.3548
    expected = np.exp(-(away**2) / (2 * sigma**2))
    ratio = found[near] / found[near].max()
    np.testing.assert_allclose(ratio, (expected / expected[near].max())[near], atol=0.12)


def test_a_footprint_crosses_the_seam() -> None:
    lat, lon = np.arange(-88.0, 89, 4), np.arange(2.0, 360, 4)
    values = np.cos(np.deg2rad(lon))[None, :] * np.cos(np.deg2rad(lat))[:, None]
    found = blurred(world(days(1), lat, lon, values), 2000.0)[0]
    expected = np.cos(np.deg2rad(found.latitude)) * np.cos(np.deg2rad(found.longitude))
    inner = {"latitude": slice(-60, 60)}
    np.testing.assert_allclose(found.sel(inner), expected.sel(inner), atol=0.05)
    np.testing.assert_allclose(found, found.values[:, ::-1], atol=1e-12)


# ---- the truth as it comes -----------------------------------------------------------------------


def turned(ds: xr.Dataset) -> xr.Dataset:
    """In 0..360, and stored from north to south."""
    east = ds.assign_coords(longitude=(ds.longitude % 360).assign_attrs(ds.longitude.attrs))
    return east.isel(latitude=slice(None, None, -1))


CHANGES: dict[str, Any] = {
    "0..360, flipped": turned,
    "other order": lambda ds: ds.transpose("longitude", "latitude", "time", ...),
    "from east to west": lambda ds: ds.isel(longitude=slice(None, None, -1)),
    "dask": lambda ds: ds.chunk(time=5, latitude=30),
    "other names": lambda ds: ds.rename(ssh="eta", latitude="nav_lat", time="t"),
    "double": lambda ds: ds.astype("float64"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_table_is_the_same_however_the_truth_is_stored(
    truth: xr.Dataset, seen: dict[str, xr.Dataset], change: Any
) -> None:
    found = observe(change(truth), **ALL, seed=3)
    one, other = (table(each["nadir"]) for each in (found, seen))
    for name in ("value", "error", "latitude"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6, atol=1e-6)
    turns = (one.longitude - other.longitude) / 360
    np.testing.assert_allclose(turns, np.rint(turns), atol=1e-9)
    np.testing.assert_array_equal(one.time, other.time)
    assert found["swath"].sizes == seen["swath"].sizes
    (height,) = (k for k in found["coarse_sea_level_anomaly"] if not str(k).endswith("error"))
    np.testing.assert_allclose(
        found["coarse_sea_level_anomaly"][height],
        seen["coarse_sea_level_anomaly"].ssh,
        atol=1e-5,
    )


def test_radiometers_keep_the_grid_of_the_truth(
    truth: xr.Dataset, seen: dict[str, xr.Dataset]
) -> None:
    stored = turned(truth).transpose("longitude", "time", "latitude")
    found = observe(stored, seed=3)["sst"]
    xr.testing.assert_equal(found.coords.to_dataset(), stored.coords.to_dataset())
    assert found.sst.dims == ("longitude", "time", "latitude")
    back = found.isel(latitude=slice(None, None, -1)).transpose(*seen["sst"].sst.dims, ...)
    np.testing.assert_array_equal(back.sst, seen["sst"].sst)


def test_blocks_are_read_once_each(truth: xr.Dataset) -> None:
    whole = truth[["ssh"]].chunk(time=3)
    read: list[Any] = []

    def block(values: np.ndarray) -> np.ndarray:
        read.append(values.shape[0])
        return values

    ssh = whole.ssh.copy(data=whole.ssh.data.map_blocks(block, dtype="float32", meta=np.empty(0)))
    with dask.config.set(scheduler="synchronous"):
        observe(ssh.to_dataset(), **NADIR)
    assert read == [3, 3, 3, 3]


def test_nothing_given_is_changed(truth: xr.Dataset) -> None:
    before, noise, coarse = truth.copy(deep=True), {"nadir": 0.1}, {"sea_level_anomaly": 99.0}
    observe(truth, swath=True, coarse=coarse, noise=noise)
    xr.testing.assert_identical(truth, before)
    assert (noise, coarse) == ({"nadir": 0.1}, {"sea_level_anomaly": 99.0})


@pytest.mark.parametrize(
    ("name", "units", "factor", "key", "error"),
    [
        ("sea_surface_height_above_mean_sea_level", "cm", 100.0, "nadir", 2.0),
        ("sea_surface_height_above_geoid", "m", 1.0, "nadir", 0.02),
        ("sea_surface_temperature", "K", 1.0, "sst", 0.3),
        ("sea_surface_temperature", "degF", 1.0, "sst", 0.54),
        ("sea_surface_salinity", "psu", 1.0, "coarse_sea_surface_salinity", 0.15),
    ],
)
def test_errors_are_in_the_units_of_the_truth(
    name: str, units: str, factor: float, key: str, error: float
) -> None:
    lat, lon = np.arange(30.0, 40), np.arange(0.0, 10)
    values = factor * np.add.outer(lat, lon)
    ds = world(days(3), lat, lon, values, standard_name=name, units=units)
    found = observe(ds, coarse=True)
    assert key in found
    assert found[key].h.attrs["units"] == found[key].h_standard_error.attrs["units"] == units
    assert float(found[key].h_standard_error.max()) == pytest.approx(error)
    noise = observe(ds, coarse=True, noise={key: 0})[key].h - found[key].h
    assert float(noise.std()) == pytest.approx(error, rel=0.5)


def test_quantities_are_read(truth: xr.Dataset, seen: dict[str, xr.Dataset]) -> None:
    ureg = pint.get_application_registry()
    plain = truth[["ssh"]]
    data = ureg.Quantity(100 * plain.ssh.values.astype(float), "cm")
    attrs = {"standard_name": plain.ssh.attrs["standard_name"]}
    found = observe(plain.assign(ssh=(plain.ssh.dims, data, attrs)), seed=3)["nadir"].ssh
    assert found.attrs["units"] == "cm"
    np.testing.assert_allclose(found, 100 * seen["nadir"].ssh, atol=1e-3)


def test_an_anomaly_goes_before_an_absolute_height(truth: xr.Dataset) -> None:
    adt = (truth.ssh + truth.mdt).assign_attrs(
        standard_name="sea_surface_height_above_geoid", units="m"
    )
    both = truth.assign(adt=adt)
    assert "ssh" in observe(both, **NADIR)["nadir"]
    alone = observe(both[["adt"]], **NADIR, coarse={"sea_level_anomaly": 100.0})
    assert all("adt" in each for each in alone.values())


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "standard"])
def test_calendars_of_models(calendar: str) -> None:
    times = xr.date_range("1998-02-26", periods=6, calendar=calendar, use_cftime=True)
    box = world(times, np.arange(30.0, 40), np.arange(0.0, 10), np.arange(6.0)[:, None, None])
    found = observe(box, swath=True, **NADIR, noise=SILENT)["nadir"]
    assert found.time.values[0].calendar == calendar
    since = [(each - times[0]) / np.timedelta64(1, "D") for each in found.time.values]
    np.testing.assert_allclose(found.h, np.clip(since, 0, 5), atol=1e-6)
    assert table(found).sizes == found.sizes
    assert isinstance(found.time.values[0], cftime.datetime)


def test_calendars_that_agree_see_the_same() -> None:
    lat, lon = np.arange(30.0, 40), np.arange(0.0, 10)
    one, other = (
        observe(world(times, lat, lon, 1.0), **NADIR)["nadir"]
        for times in (
            days(5),
            xr.date_range("2003-05-01", periods=5, calendar="proleptic_gregorian", use_cftime=True),
        )
    )
    np.testing.assert_array_equal(one.h, other.h)


# ---- metadata ------------------------------------------------------------------------------------


def test_files_follow_the_conventions(seen: dict[str, xr.Dataset], tmp_path: Path) -> None:
    for name, ds in seen.items():
        assert findings_of(ds, tmp_path / f"{name}.nc") == set(), name
        with xr.open_dataset(tmp_path / f"{name}.nc") as back:
            xr.testing.assert_identical(back.load(), ds)


def test_the_table_is_read_without_help(truth: xr.Dataset, seen: dict[str, xr.Dataset]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("nadir", "swath"):
            rows = table(seen[name])
            assert rows.sizes["obs"] == int(seen[name].ssh.notnull().sum())
            assert rows["value"].attrs["standard_name"] == truth.ssh.attrs["standard_name"]
            size = {"nadir": 0.02, "swath": 0.01}[name]
            np.testing.assert_allclose(rows["error"], size, rtol=1e-6)
    np.testing.assert_array_equal(table(seen["nadir"])["value"], seen["nadir"].ssh)
    assert seen["nadir"].attrs["featureType"] == "point"
    rows = from_grid(seen["sst"], "sst")
    assert rows.sizes["obs"] == int(seen["sst"].sst.notnull().sum())
    np.testing.assert_allclose(rows["error"], 0.3, rtol=1e-6)


def test_fields_and_errors_are_found_by_their_attributes(seen: dict[str, xr.Dataset]) -> None:
    for name, ds in seen.items():
        key = {"nadir": "sea_level_anomaly", "swath": "sea_level_anomaly"}.get(
            name, "sea_surface_temperature" if name == "sst" else name.removeprefix("coarse_")
        )
        found = fields.find(ds, key)
        assert found.how == "standard_name"
        error = fields.find_error(ds, found)
        assert error is not None
        assert error.variable == f"{found.variable}_standard_error"


def test_it_says_what_it_is(truth: xr.Dataset, seen: dict[str, xr.Dataset]) -> None:
    assert list(seen) == ["nadir", "swath", "sst", *(n for n in SILENT if n.startswith("coarse"))]
    for name, ds in seen.items():
        first, last = ds.attrs["history"].split("\n")
        assert first == truth.attrs["history"]
        assert last == f"observed by xocean_ml.simulate.observe(seed=3): {name}"
    flags = seen["nadir"].satellite.attrs
    names = [orbit.name for orbit in NADIRS]
    assert flags["flag_meanings"].split() == names
    assert list(flags["flag_values"]) == list(range(6))


# ---- what is asked -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ({}, ["nadir", "sst"]),
        ({"nadirs": 0}, ["sst"]),
        ({"cloud": None}, ["nadir"]),
        ({"swath": True, "cloud": None, "nadirs": 0}, ["swath"]),
        (
            {"coarse": {"sea_surface_salinity": 50}, "cloud": None, "nadirs": 0},
            ["coarse_sea_surface_salinity"],
        ),
    ],
)
def test_only_what_is_asked_is_given(
    truth: xr.Dataset, asked: dict[str, Any], given: list[str]
) -> None:
    assert list(observe(truth.isel(time=slice(2)), **asked)) == given


def test_what_the_truth_has_not_is_left_out(truth: xr.Dataset) -> None:
    few = truth.isel(time=slice(2))
    assert list(observe(few[["sst"]], coarse=True)) == ["sst", "coarse_sea_surface_temperature"]
    assert list(observe(few[["ssh"]])) == ["nadir"]


def test_more_satellites_see_more_and_the_same(truth: xr.Dataset) -> None:
    fewer, all_six = (observe(truth, nadirs=count, **NADIR)["nadir"] for count in (3, 6))
    xr.testing.assert_identical(all_six.isel(obs=np.flatnonzero(all_six.satellite < 3)), fewer)
    assert (np.bincount(all_six.satellite) > 1000).all()


CURVED = xr.Dataset(
    {
        "h": (
            ("time", "y", "x"),
            np.zeros((2, 3, 3)),
            {"standard_name": "sea_surface_height_above_mean_sea_level", "units": "m"},
        )
    },
    {
        "time": days(2),
        "lat": (("y", "x"), np.add.outer(np.arange(3.0), np.arange(3)), {"units": "degrees_north"}),
        "lon": (("y", "x"), np.add.outer(np.arange(3.0), np.arange(3)), {"units": "degrees_east"}),
    },
)
PLAIN = world(days(3), np.arange(3.0), np.arange(3.0), 0.0)
BAD: list[tuple[xr.Dataset, dict[str, Any], type[Exception], str]] = [
    (PLAIN, {"nadirs": -1}, ValueError, "nadirs=-1 must be 0 to 6"),
    (PLAIN, {"nadirs": 7}, ValueError, "nadirs=7 must be 0 to 6"),
    (PLAIN, {"nadirs": 1.5}, TypeError, "float"),
    (PLAIN, {"cloud": 1.2}, ValueError, "cloud=1.2 must be a share"),
    (PLAIN, {"cloud": -0.1}, ValueError, "cloud=-0.1 must be a share"),
    (PLAIN, {"nadirs": 0, "cloud": None}, ValueError, "nothing is asked for"),
    (PLAIN, {"noise": {"nadir": -1}}, ValueError, r"noise\['nadir'\]=-1 must be a standard error"),
    (PLAIN, {"noise": {"nadir": np.nan}}, ValueError, "must be a standard error"),
    (PLAIN, {"noise": {"sonar": 1}}, ValueError, r"noise has \['sonar'\]: choose from nadir, "),
    (PLAIN, {"coarse": {"wind": 9}}, ValueError, r"coarse has \['wind'\]: choose from sea_level"),
    (PLAIN, {"coarse": {"sea_level_anomaly": 0}}, ValueError, "must be a footprint in km"),
    (PLAIN, {"seed": -1}, ValueError, "non-negative"),
    (PLAIN, {"nadirs": 0}, FieldNotFound, "nothing to observe: sst need"),
    (PLAIN[[]], {}, FieldNotFound, "nothing to observe: nadir, sst need sea_level_anomaly or"),
    (PLAIN[[]], {"swath": True}, FieldNotFound, "sea_level_anomaly"),
    (PLAIN, {"coarse": {"sea_surface_salinity": 60}}, FieldNotFound, "sea_surface_salinity"),
    (CURVED, {}, GridError, "a rectilinear grid is needed"),
    (PLAIN.isel(lat=[0, 2, 1]), {}, GridError, "not monotonic"),
    (PLAIN.isel(lon=[0]), {}, GridError, "an axis of one cell"),
    (PLAIN.isel(time=[0, 2, 1]), {}, GridError, "times are not sorted"),
    (PLAIN.isel(time=0, drop=True), {}, GridError, "no time axis"),
    (PLAIN.expand_dims(member=2), {}, GridError, "select one of each other"),
    (PLAIN.assign(h=PLAIN.h.assign_attrs(units="kg")), {}, UnitsError, "kg"),
]


@pytest.mark.parametrize(("ds", "asked", "error", "message"), BAD)
def test_bad_input(
    ds: xr.Dataset, asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        observe(ds, **asked)
