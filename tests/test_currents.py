"""Currents in their parts: closed forms, symmetries, and what goes in comes out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from bad import Bad, bad
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xocean_ml import FieldNotFound, GridError, UnitsError, ValuesError, currents, tutorial
from xocean_ml.currents import drift, geostrophy
from xocean_ml.currents.geostrophy import GRAVITY, OMEGA, Places, geostrophic
from xocean_ml.grid import EARTH_RADIUS

BETA = 2 * OMEGA / EARTH_RADIUS
PARTS = ("geostrophic", "ekman", "ageostrophic")
GAIN = 0.3 * np.exp(-0.9j)
"""m s-1 Pa-1, of the made-up north."""


def made(
    lat: Any = None, lon: Any = None, times: int = 40, noise: float = 0.0, seed: int = 0
) -> xr.Dataset:
    """A sea of eddies and winds, whose current is the sum of known parts and noise."""
    lat = np.arange(30.0, 35, 0.25) if lat is None else np.asarray(lat, float)
    lon = np.arange(-60.0, -54, 0.25) if lon is None else np.asarray(lon, float)
    rng = np.random.default_rng(seed)
    dims = ("time", "latitude", "longitude")
    phase = rng.uniform(0, 6, (times, 1, 1))
    h = 0.5 + 0.2 * np.sin(np.deg2rad(3 * lon) + phase) * np.cos(np.deg2rad(20 * lat))[:, None]
    h[:, : len(lat) // 4, : len(lon) // 3] = np.nan
    places = Places(lat, lon, abs(np.ptp(lon) + lon[1] - lon[0]) == 360)
    u, v = geostrophic(h, places, 1.5)
    wind = 8 * rng.normal(size=(2, times, 1, 1)) + rng.normal(size=(2, *h.shape))
    tau = drift.stress(*wind)
    ekman = np.where(lat[:, None] > 0, GAIN, GAIN.conjugate()) * tau + (0.02 - 0.03j)
    rest = noise * rng.normal(size=(2, *h.shape))
    speed = {"units": "m s-1"}
    return xr.Dataset(
        {
            "adt": (dims, h, {"standard_name": "sea_surface_height_above_geoid", "units": "m"}),
            "uo": (
                dims,
                u + ekman.real + rest[0],
                speed | {"standard_name": "eastward_sea_water_velocity"},
            ),
            "vo": (
                dims,
                v + ekman.imag + rest[1],
                speed | {"standard_name": "northward_sea_water_velocity"},
            ),
            "uas": (dims, wind[0], speed | {"standard_name": "eastward_wind"}),
            "vas": (dims, wind[1], speed | {"standard_name": "northward_wind"}),
        },
        {
            "time": xr.date_range("2000-01-01", periods=times),
            "latitude": ("latitude", lat, {"units": "degrees_north"}),
            "longitude": ("longitude", lon, {"units": "degrees_east"}),
        },
        {"history": "made"},
    )


def names(*parts: str) -> list[str]:
    return [f"{c}o_{part}" for c in "uv" for part in parts or PARTS]


def alike(one: xr.Dataset, other: xr.Dataset, tolerance: float = 1e-9) -> None:
    assert list(one.data_vars) == list(other.data_vars)
    for name in one.data_vars:
        np.testing.assert_allclose(one[name], other[name], rtol=tolerance, atol=tolerance)


# ---- geostrophy, on arrays -----------------------------------------------------------------


@pytest.mark.parametrize("smooth", [0.0, 1.5])
@pytest.mark.parametrize("down", [False, True])
def test_a_height_linear_in_latitude_or_longitude_has_its_closed_form_up_to_the_coast(down, smooth):
    lat, lon = np.linspace(20, 30, 21), np.linspace(0, 5, 11)
    lat = lat[::-1] if down else lat
    f = geostrophy.coriolis(lat)[:, None]
    slope = 0.1 / EARTH_RADIUS / np.deg2rad(1)
    h = 0.1 * lat[:, None] + 0 * lon
    h[8:12, 4:6] = np.nan
    u, v = geostrophic(h, Places(lat, lon), smooth)
    known = np.isfinite(h)
    np.testing.assert_allclose(u[known], (-GRAVITY / f * slope + 0 * h)[known], rtol=1e-9)
    np.testing.assert_allclose(v[known], 0, atol=1e-12)
    assert np.isnan(u[~known]).all()
    h = 0.1 * lon + 0 * lat[:, None]
    u, v = geostrophic(h, Places(lat, lon), 0)
    wanted = GRAVITY / f * slope / np.cos(np.deg2rad(lat))[:, None] + 0 * h
    np.testing.assert_allclose(v, wanted, rtol=1e-9)
    np.testing.assert_allclose(u, 0, atol=1e-12)


def eddy(cells: int) -> float:
    """Greatest error, m s-1, for a Gaussian eddy of 50 km on so many cells a side."""
    lat, lon = np.linspace(33, 37, cells), np.linspace(8, 12, cells)
    y = EARTH_RADIUS * np.deg2rad(lat - 35)[:, None]
    x = EARTH_RADIUS * np.deg2rad(lon - 10)
    h = 0.3 * np.exp(-(x**2 + y**2) / 2 / 50e3**2)
    f, shrunk = geostrophy.coriolis(lat)[:, None], np.cos(np.deg2rad(lat))[:, None]
    u, v = geostrophic(h, Places(lat, lon), 0)
    inner = (slice(1, -1), slice(1, -1))
    errors = u - GRAVITY / f * y / 50e3**2 * h, v + GRAVITY / f * x / 50e3**2 * h / shrunk
    return max(np.abs(error[inner]).max() for error in errors)


def test_a_gaussian_eddy_is_found_to_second_order():
    assert eddy(321) < 2e-3
    assert eddy(81) / eddy(161) == pytest.approx(4, rel=0.1)


def test_a_high_turns_clockwise_in_the_north_and_the_other_way_in_the_south():
    for hemisphere in (1, -1):
        lat, lon = hemisphere * 40 + np.linspace(-1, 1, 9), np.linspace(-1, 1, 9)
        h = -(lon**2) - (lat[:, None] - hemisphere * 40) ** 2
        u, v = geostrophic(h, Places(lat, lon), 0)
        assert np.sign([u[8, 4], u[0, 4], v[4, 8], v[4, 0]]).tolist() == [
            hemisphere,
            -hemisphere,
            -hemisphere,
            hemisphere,
        ]


@pytest.mark.parametrize("smooth", [0.0, 1.5])
def test_an_ocean_that_turns_as_a_solid_body_does_so_over_the_equator_too(smooth):
    lat, lon = np.arange(-89.5, 90), np.arange(0.0, 360, 2)
    phi = np.deg2rad(lat)[:, None]
    h = -OMEGA * EARTH_RADIUS / GRAVITY * np.sin(phi) ** 2 + 0 * lon
    u, v = geostrophic(h, Places(lat, lon, True), smooth)
    wanted = np.cos(phi) + 0 * h
    # Second differences over a degree, and the beta-plane, whose u is cos(2 phi) / cos(phi).
    np.testing.assert_allclose(u[2:-2], wanted[2:-2], atol=3e-3)
    np.testing.assert_allclose(v, 0, atol=1e-9)


def test_on_the_equator_the_beta_plane_holds_and_goes_over_smoothly():
    lat, lon = np.linspace(-10, 10, 401), np.linspace(0, 3, 13)
    y, x = EARTH_RADIUS * np.deg2rad(lat)[:, None], EARTH_RADIUS * np.deg2rad(lon)
    u, v = geostrophic(1e-13 * y**2 + 0 * x, Places(lat, lon), 0)
    near = np.abs(lat) < 4.9
    np.testing.assert_allclose(u[near], -2 * GRAVITY * 1e-13 / BETA, rtol=5e-3)
    np.testing.assert_allclose(v, 0, atol=1e-9)
    # A slope northward that does not vanish has no current on the equator itself.
    u, v = geostrophic(1e-13 * x * y + 1e-8 * y, Places(lat, lon), 0)
    np.testing.assert_allclose(v[near], GRAVITY * 1e-13 / BETA, rtol=1e-2)
    assert np.abs(u[200]).max() < 1e-9
    # No jump: steps of a twentieth of a degree change the current by little, everywhere.
    assert np.abs(np.diff(u, axis=0)).max() < 0.05 * np.abs(u).max()


def test_the_weight_of_the_beta_plane_ends_at_five_degrees_without_a_step():
    lat = np.linspace(-6, 6, 2401)
    inside, rest = geostrophy.equatorial(lat)
    np.testing.assert_allclose(inside + rest, 1, atol=1e-15)
    assert np.abs(np.diff(inside)).max() < 3e-3
    assert (inside[np.abs(lat) >= 5] == 0).all()
    assert inside[1200] == 1


def test_smoothing_keeps_the_mean_and_has_the_width_of_its_gaussian():
    field = np.zeros((1, 41, 41))
    field[0, 20, 20] = 1
    geostrophy._diffuse(field, 1.5, False)
    away = np.arange(41) - 20
    assert field.sum() == pytest.approx(1)
    assert (field[0].sum(0) * away**2).sum() == pytest.approx(1.5**2)
    gauss = np.exp(-(away**2) / 2 / 1.5**2)
    np.testing.assert_allclose(field[0].sum(1), gauss / gauss.sum(), atol=0.02)


def test_an_uneven_grid_is_differenced_to_second_order():
    lat = 30 + np.cumsum(np.tile([0.1, 0.3, 0.2], 5))
    h = 0.01 * (lat[:, None] - 31) ** 2 + 0 * np.arange(4.0)
    u, _ = geostrophic(h, Places(lat, np.arange(4.0)), 0)
    slope = 0.02 * (lat - 31) / np.deg2rad(1) / EARTH_RADIUS
    np.testing.assert_allclose(u[:, 0], -GRAVITY / geostrophy.coriolis(lat) * slope, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    land=hnp.arrays(bool, (7, 9), elements=st.booleans()),
    smooth=st.sampled_from([0.0, 1.5, 3.0]),
    wraps=st.booleans(),
)
def test_land_never_leaks(land, smooth, wraps):
    """What lies behind a wall of land, one cell thick, is not felt; land stays land."""
    lat, lon = np.linspace(-3, 27, 7), np.arange(9) * (40.0 if wraps else 0.5)
    land = land.copy()
    land[:, 4] = True
    land[:, 8] |= wraps
    one = np.random.default_rng(0).normal(size=(7, 9))
    other = one.copy()
    other[:, 5:] = 1e6
    one[land] = other[land] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        both = [geostrophic(h, Places(lat, lon, wraps), smooth) for h in (one, other)]
    for a, b in zip(*both, strict=True):
        np.testing.assert_array_equal(a[:, :4], b[:, :4])
        assert np.isnan(a[land]).all()
    u, v = both[0]
    assert (np.isnan(u) == np.isnan(v)).all()


def test_a_cell_alone_and_a_pole_have_no_current():
    lat, lon = np.linspace(60, 90, 7), np.arange(0.0, 360, 60)
    h = np.random.default_rng(0).normal(size=(7, 6))
    h[0, 1] = h[2, 1] = h[1, 0] = h[1, 2] = np.nan
    u, v = geostrophic(h, Places(lat, lon, True), 1.5)
    assert np.isnan([u[1, 1], v[1, 1]]).all()
    assert np.isnan([u[-1], v[-1]]).all()
    assert np.isfinite(u[3:-1]).all()


# ---- wind, on arrays -----------------------------------------------------------------------


def test_the_stress_lies_along_the_wind_and_grows_with_it():
    speed = np.linspace(0, 40, 401)
    tau = drift.stress(speed * np.cos(0.7), speed * np.sin(0.7))
    np.testing.assert_allclose(tau, np.abs(tau) * np.exp(0.7j))
    assert (np.diff(np.abs(tau)) > 0).all()
    wanted = 1.22 * np.array([1.2e-3 * 8**2, (0.49e-3 + 0.065e-3 * 20) * 20**2])
    np.testing.assert_allclose(np.abs(tau)[[80, 200]], wanted)


def test_the_published_gain_is_conjugate_in_the_south_and_continuous():
    lat = np.linspace(0, 60, 1201)
    north, south = drift.published_gain(lat, 15.0), drift.published_gain(-lat, 15.0)
    np.testing.assert_allclose(north, south.conj())
    assert np.abs(np.diff(north)).max() < 5e-3
    assert (north.imag[1:] < 0).all()
    assert abs(drift.published_gain(lat, 0.0)[-1]) == pytest.approx(0.61)
    assert abs(drift.published_gain(lat, 7.5)[-1]) == pytest.approx(np.sqrt(0.61 * 0.25))


# ---- split ---------------------------------------------------------------------------------


def test_the_parts_are_those_that_were_put_in():
    ds = made(noise=0.05)
    out = currents.split(ds)
    assert "least squares over 40 times" in out.history
    known = out.uo_ageostrophic.notnull()
    gain = out.ekman_gain_real + 1j * out.ekman_gain_imag
    gain = gain.where(gain.notnull(), drop=True)
    # 40 times with an error of 0.05 m/s each way, of stresses of about 0.1 Pa.
    assert abs(complex(gain.mean()) - GAIN) < 0.01
    assert float(abs(gain - GAIN).max()) < 0.25
    assert float(out.ekman_intercept_eastward.mean()) == pytest.approx(0.02, abs=2e-3)
    assert float(out.ekman_intercept_northward.mean()) == pytest.approx(-0.03, abs=2e-3)
    assert float(out.uo_ageostrophic.std()) == pytest.approx(0.05, rel=0.1)
    u, _ = geostrophic(ds.adt.values, Places(ds.latitude.values, ds.longitude.values), 1.5)
    np.testing.assert_allclose(out.uo_geostrophic, u)
    assert not known.sel(time="2000-01-05").all()
    assert known.sum() == ds.adt.notnull().sum()


def test_without_noise_nothing_is_left():
    out = currents.split(made())
    assert float(abs(out.uo_ageostrophic).max()) < 1e-9
    gain = out.ekman_gain_real + 1j * out.ekman_gain_imag
    np.testing.assert_allclose(gain.values[np.isfinite(gain.values)], GAIN)


def test_missing_times_are_passed_over():
    ds = made()
    gaps = np.random.default_rng(1).random(ds.uo.shape) < 0.3
    out = currents.split(ds.assign(uo=ds.uo.where(~gaps)))
    gain = out.ekman_gain_imag.values
    np.testing.assert_allclose(gain[np.isfinite(gain)], GAIN.imag)
    few = ds.assign(vo=ds.vo.where(ds.time < ds.time[2]))
    assert currents.split(few).ekman_gain_real.isnull().all()
    still = ds.assign(uas=ds.uas * 0 + 3, vas=ds.vas * 0)
    assert currents.split(still).ekman_gain_real.isnull().all()


def test_a_fit_by_batches_of_time_is_the_same(monkeypatch):
    ds = made(noise=0.05)
    out = currents.split(ds)
    monkeypatch.setattr(geostrophy, "CELLS", 7 * 480)
    alike(currents.split(ds), out)


def mirrored(ds: xr.Dataset) -> xr.Dataset:
    """The same world seen in a mirror that lies on the equator."""
    told = ds.assign_coords(latitude=("latitude", -ds.latitude.values, ds.latitude.attrs))
    return told.assign({n: -ds[n].assign_coords(told.coords) for n in ("vo", "vas")})


@pytest.mark.parametrize("ekman", ["fit", "parametric"])
def test_the_south_is_the_north_in_a_mirror_and_its_gain_the_conjugate(ekman):
    ds = made(np.arange(-0.5, 9, 0.5), noise=0.02)
    with xr.set_options(keep_attrs=True):
        out, seen = currents.split(ds, ekman=ekman), currents.split(mirrored(ds), ekman=ekman)
    for part in PARTS:
        np.testing.assert_allclose(seen[f"uo_{part}"], out[f"uo_{part}"], atol=1e-9)
        np.testing.assert_allclose(seen[f"vo_{part}"], -out[f"vo_{part}"], atol=1e-9)
    np.testing.assert_allclose(seen.ekman_gain_real, out.ekman_gain_real, atol=1e-9)
    np.testing.assert_allclose(seen.ekman_gain_imag, -out.ekman_gain_imag, atol=1e-9)


@pytest.mark.parametrize("ekman", ["fit", "parametric"])
def test_over_land_no_wind_drives_a_current(ekman):
    out = currents.split(made(), ekman=ekman)
    for part in ("ekman", "ageostrophic"):
        np.testing.assert_array_equal(out[f"vo_{part}"].isnull(), out.uo_geostrophic.isnull())
    assert out.uo_ekman.isnull().any()


@pytest.mark.parametrize(
    ("times", "ekman", "said"),
    [
        (29, "auto", "Rio et al. (2014), global mean, at 15 m (assumed)"),
        (30, "auto", "least squares"),
        (3, "fit", "least squares"),
        (40, "parametric", "Rio"),
        (40, None, "none: no Ekman part"),
    ],
)
def test_which_gain_is_taken(times, ekman, said):
    out = currents.split(made(times=times), ekman=ekman)
    assert said in out.history
    assert ("uo_ekman" in out) == (ekman is not None)
    assert ("ekman_intercept_eastward" in out) == ("least" in said)


def test_the_gain_of_a_depth_is_that_of_the_current_s_coordinate():
    depth = ((), 0.0, {"units": "m", "positive": "down", "standard_name": "depth"})
    ds = made(times=2).assign_coords(depth=depth)
    out = currents.split(ds)
    assert "at 0 m" in out.history
    assert np.hypot(out.ekman_gain_real, out.ekman_gain_imag)[5] == pytest.approx(0.61)
    assert float(out.uo_ekman.depth) == 0
    both = currents.split(ds.assign_coords(height=((), 10.0, {"units": "m", "positive": "up"})))
    np.testing.assert_array_equal(both.uo_ekman, out.uo_ekman)
    level = currents.split(made(times=2).expand_dims(depth=[15.0]))
    assert level.uo_ageostrophic.sizes["depth"] == 1


def test_a_gain_serves_other_times():
    long, short = made(noise=0.02), made(times=5, seed=3)
    fitted = currents.split(long)
    out = currents.split(short, ekman=fitted)
    np.testing.assert_array_equal(out.ekman_gain_real, fitted.ekman_gain_real)
    error = abs(out.uo_ageostrophic).max()
    assert float(error) < 0.1
    joined = currents.join(out)
    np.testing.assert_allclose(joined.uo, short.uo.where(joined.uo.notnull()))


def test_without_wind_there_is_no_ekman_part_and_history_says_so():
    out = currents.split(made().drop_vars(["uas", "vas"]))
    assert "uo_ekman" not in out
    assert "no Ekman part" in out.history
    assert "ekman_gain_real" not in out
    np.testing.assert_allclose(currents.join(out).vo, made().vo.where(out.vo_geostrophic.notnull()))


def test_a_wind_or_stress_of_another_dataset_in_other_longitudes():
    ds = made()
    wind = ds[["uas", "vas"]].assign_coords(longitude=ds.longitude % 360)
    wind = wind.rename(longitude="lon", latitude="lat")
    wind = wind.assign_coords(lat=wind.lat.astype("f4"))
    bare = currents.split(ds.drop_vars(["uas", "vas"]), wind)
    both = currents.split(ds)
    alike(bare, both.drop_vars(["uas", "vas"]))
    tau = drift.stress(ds.uas.values, ds.vas.values)
    stress = xr.Dataset(
        {
            "tauu": (ds.uas.dims, tau.real / 100, {"units": "hPa"}),
            "tauv": (ds.uas.dims, tau.imag / 100, {"units": "hPa"}),
        },
        ds.coords,
    )
    for name, direction in (("tauu", "eastward"), ("tauv", "northward")):
        stress[name].attrs["standard_name"] = f"surface_downward_{direction}_stress"
    alike(currents.split(ds.drop_vars(["uas", "vas"]), stress), bare)


def test_names_attributes_and_what_is_carried():
    ds = made(times=4).assign(flag=(("latitude",), np.ones(20, "i1")))
    ds.uo.attrs |= {"long_name": "current", "cell_methods": "time: mean", "valid_max": 3.0}
    out = currents.split(ds)
    assert set(out) == {*names(), "adt", "uas", "vas", "flag", "ekman_gain_real", "ekman_gain_imag"}
    geo = out.uo_geostrophic.attrs
    assert geo["standard_name"] == "surface_geostrophic_eastward_sea_water_velocity"
    assert geo["cell_methods"] == "time: mean"
    assert "valid_max" not in geo
    ekman = out.vo_ekman.attrs["standard_name"]
    assert ekman == "northward_sea_water_velocity_due_to_ekman_drift"
    assert "standard_name" not in out.uo_ageostrophic.attrs
    assert "standard_name" not in out.ekman_gain_imag.attrs
    assert out.history.startswith("made\n")
    assert "currents.split(height=adt, wind=uas+vas" in out.history
    back = currents.join(out)
    assert set(back) == set(ds)
    assert back.uo.attrs == {k: v for k, v in ds.uo.attrs.items() if k != "valid_max"}
    assert ds.uo.attrs["valid_max"] == 3.0


def test_an_output_adds_nothing_to_what_the_cf_checker_finds(tmp_path: Path):
    pytest.importorskip("compliance_checker")
    from compliance import findings_of

    ds = tutorial.open_dataset("surface").isel(latitude=slice(0, 20), longitude=slice(0, 20))
    before = findings_of(ds, tmp_path / "in.nc")
    out = currents.split(ds, ekman="fit")
    assert findings_of(out, tmp_path / "out.nc") <= before
    assert findings_of(currents.join(out), tmp_path / "back.nc") <= before


def test_an_anomaly_needs_its_mean_and_else_warns():
    ds = made(times=3)
    attrs = {"standard_name": "sea_surface_height_above_sea_level", "units": "m"}
    mdt = ds.adt.mean("time", keep_attrs=False)
    sla = (ds.adt - mdt).assign_attrs(attrs)
    split = currents.split(ds, ekman=None)
    whole = ds.drop_vars("adt").assign(sla=sla)
    mean = mdt.assign_attrs(units="cm") * 100
    mean.attrs = {"units": "cm"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = currents.split(whole.assign(mdt=mean), ekman=None)
        named = {"mean_dynamic_topography": "level"}
        other = currents.split(whole.assign(level=mean), ekman=None, fields=named)
    for name in names("geostrophic", "ageostrophic"):
        np.testing.assert_allclose(out[name], split[name], atol=1e-9)
        np.testing.assert_array_equal(out[name], other[name])
    assert "height=sla+mdt," in out.history
    with pytest.warns(UserWarning, match="'sla' is an anomaly and no mean dynamic topography"):
        out = currents.split(whole, ekman=None)
    assert out.uo_geostrophic.attrs["standard_name"] == (
        "surface_geostrophic_eastward_sea_water_velocity_assuming_mean_sea_level_for_geoid"
    )
    assert "height=sla (anomaly)" in out.history


# ---- the same, however it comes ------------------------------------------------------------

CHANGES: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "order": lambda ds: ds.transpose("longitude", "time", "latitude"),
    "down": lambda ds: ds.isel(latitude=slice(None, None, -1)),
    "west": lambda ds: ds.isel(longitude=slice(None, None, -1)),
    "turn": lambda ds: ds.assign_coords(longitude=ds.longitude % 360),
    "times": lambda ds: ds.chunk(time=7),
    "tiles": lambda ds: ds.chunk(time=12, latitude=7, longitude=9),
    "ones": lambda ds: ds.chunk(time=1),
    "mixed": lambda ds: ds.assign(adt=ds.adt.chunk(time=9), uas=ds.uas.chunk(latitude=4)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_order_direction_range_and_chunks_change_nothing(change):
    ds = made(times=12, noise=0.05)
    out, other = (currents.split(each, ekman="fit") for each in (ds, change(ds)))
    assert other.uo_ageostrophic.dims == change(ds).uo.dims
    other = other.assign_coords(longitude=(other.longitude + 180) % 360 - 180)
    alike(other.sortby(["latitude", "longitude"]).transpose(*out.dims), out)


def test_lazy_stays_lazy_and_blocks_of_time_are_independent():
    def never(*_args: Any, **_named: Any) -> None:
        raise AssertionError("computed")

    ds = made(noise=0.05).chunk(time=8)
    with dask.config.set(scheduler=never):
        out = currents.split(ds, ekman="parametric")
        fitted = currents.split(ds)
        back = currents.join(out)
        again = currents.join(fitted, ssh=ds, wind=ds)
    assert out.uo_ageostrophic.chunksizes["time"] == (8,) * 5
    for lazy in (fitted.ekman_gain_real, back.uo, again.vo):
        assert lazy.chunks is not None
    np.testing.assert_allclose(again.vo, currents.split(ds.compute()).pipe(currents.join).vo)


def test_units_of_the_current_come_back():
    ds = made(noise=0.05)
    out = currents.split(ds)
    other = ds.assign(
        uo=(ds.uo * 100).assign_attrs(ds.uo.attrs | {"units": "cm/s"}),
        vo=(ds.vo * 3.6).assign_attrs(ds.vo.attrs | {"units": "km h-1"}),
        adt=(ds.adt * 1000).assign_attrs(ds.adt.attrs | {"units": "mm"}),
        uas=(ds.uas / 0.514444444444).assign_attrs(ds.uas.attrs | {"units": "knot"}),
    )
    scaled = currents.split(other)
    for part in PARTS:
        np.testing.assert_allclose(scaled[f"uo_{part}"], out[f"uo_{part}"] * 100, atol=1e-6)
        np.testing.assert_allclose(scaled[f"vo_{part}"], out[f"vo_{part}"] * 3.6, atol=1e-6)
        assert scaled[f"uo_{part}"].attrs["units"] == "cm/s"
    np.testing.assert_allclose(scaled.ekman_gain_real, out.ekman_gain_real, atol=1e-9)
    back = currents.join(scaled, ssh=other, wind=other)
    assert back.vo.attrs["units"] == "km h-1"
    np.testing.assert_allclose(back.vo, other.vo.where(back.vo.notnull()), atol=1e-9)


def test_quantities_stay_quantities():
    pytest.importorskip("pint_xarray")
    ds = made(times=4)
    for name in ds:
        ds[name].attrs["units"] = ds[name].attrs["units"].replace("m s-1", "m/s")
    out = currents.split(ds.pint.quantify(latitude=None, longitude=None))
    assert str(out.uo_ageostrophic.pint.units) == "meter / second"
    assert str(out.adt.pint.units) == "meter"
    plain = currents.split(ds)
    np.testing.assert_array_equal(out.uo_ekman.data.magnitude, plain.uo_ekman)
    back = currents.join(out)
    assert str(back.vo.pint.units) == "meter / second"


def test_precision_stays_and_sums_hold_in_it():
    ds = made(noise=0.05)
    single = ds.astype("f4", keep_attrs=True)
    out = currents.split(single)
    assert {out[name].dtype for name in names()} == {np.dtype("f4")}
    back = currents.join(out)
    assert back.uo.dtype == "f4"
    known = back.uo.notnull()
    np.testing.assert_allclose(back.uo, single.uo.where(known), atol=3e-7)
    np.testing.assert_allclose(out.uo_ageostrophic, currents.split(ds).uo_ageostrophic, atol=2e-5)


def test_a_globe_is_the_same_wherever_its_seam_lies():
    ds = made(np.arange(-60.0, 61, 5), np.arange(0.0, 360, 10), noise=0.05)
    out = currents.split(ds)
    rolled = ds.roll(longitude=13, roll_coords=True)
    alike(currents.split(rolled).roll(longitude=-13, roll_coords=True), out)
    assert out.uo_geostrophic.isel(latitude=-1).notnull().all()


def test_further_dimensions_are_broadcast():
    ds = made(noise=0.05)
    two = xr.concat([ds, ds * 0.5], "realization").assign(uas=ds.uas, vas=ds.vas)
    for name in ("uo", "vo", "adt"):
        two[name].attrs = ds[name].attrs
    out = currents.split(two)
    assert out.uo_ekman.dims == ("realization", "time", "latitude", "longitude")
    alike(out.isel(realization=0)[names()], currents.split(ds)[names()])
    one = currents.split(two.assign(adt=ds.adt))
    assert "realization" not in one.uo_geostrophic.dims
    np.testing.assert_allclose(currents.join(one).uo, two.uo.where(out.uo_geostrophic.notnull()))


# ---- join ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ekman", ["auto", "parametric", None])
@pytest.mark.parametrize("smooth", [0.0, 1.5])
def test_what_was_split_is_joined_again(ekman, smooth):
    ds = tutorial.open_dataset("surface")
    out = currents.split(ds, ekman=ekman, smooth=smooth)
    kept = out.u_ageostrophic.notnull()
    for back in (currents.join(out), currents.join(out, ssh=ds, wind=ds if ekman else None)):
        assert set(back) == set(ds)
        for name in ("u", "v"):
            np.testing.assert_allclose(back[name], ds[name].where(kept), atol=1e-6)
            assert back[name].attrs == ds[name].attrs
    # Nearly all of the sea: cells alone between land have no slope.
    assert int(kept.sum()) > 0.995 * int(ds.u.notnull().sum())


def test_an_ensemble_of_the_rest_is_joined_with_heights_of_its_own():
    ds = made(noise=0.05)
    out = currents.split(ds, smooth=1.0)
    rng = np.random.default_rng(0)
    noise = xr.DataArray(rng.normal(size=3), dims="realization")
    members = xr.Dataset(
        {
            "uo_ageostrophic": out.uo_ageostrophic + noise,
            "vo_ageostrophic": out.vo_ageostrophic,
            "adt": ds.adt * (1 + noise),
        }
    )
    for name in members:
        members[name].attrs = (out if name in out else ds)[name].attrs
    back = currents.join(members, ssh=members, wind=ds, gain=out)
    assert back.uo.dims == (*ds.uo.dims, "realization")
    assert set(back) == {"adt", "uo", "vo"}
    wanted = out.uo_geostrophic * (1 + noise) + out.uo_ekman + members.uo_ageostrophic
    np.testing.assert_allclose(back.uo, wanted)
    assert back.vo.attrs["standard_name"] == "northward_sea_water_velocity"
    assert "geostrophic=anew, ekman=anew, smooth=1.0" in back.history


def test_a_rest_of_a_model_without_attributes_but_units():
    ds = made(noise=0.05)
    out = currents.split(ds, smooth=1.0)
    rest = xr.Dataset({f"{c}_ageostrophic": out[f"{c}o_ageostrophic"] for c in "uv"})
    for name in rest:
        rest[name].attrs = {"units": "m s-1"}
    back = currents.join(rest, ssh=ds, wind=ds, gain=out)
    assert "smooth=1.0" in back.history
    np.testing.assert_allclose(back.u, ds.uo.where(back.u.notnull()))
    assert back.u.attrs["standard_name"] == "eastward_sea_water_velocity"


# ---- bad input -----------------------------------------------------------------------------


def curvilinear() -> xr.Dataset:
    ds = made(times=2)
    lat, lon = np.meshgrid(ds.latitude, ds.longitude, indexing="ij")
    ds = ds.drop_vars(["latitude", "longitude"]).rename(latitude="y", longitude="x")
    return ds.assign_coords(nav_lat=(("y", "x"), lat), nav_lon=(("y", "x"), lon))


def infinite(name: str, lazy: bool = False) -> xr.Dataset:
    ds = made(times=4).copy(deep=True)
    ds[name][3, 2, 5] = -np.inf
    return ds.chunk(time=2) if lazy else ds


def without(*gone: str) -> Callable[[], xr.Dataset]:
    return lambda: made(times=4).drop_vars(gone)


def unlike(name: str, **attrs: Any) -> Callable[[], xr.Dataset]:
    ds = made(times=4)
    ds[name].attrs |= attrs
    return lambda: ds


WIND = made(times=4)[["uas", "vas"]]
BAD = [
    bad("no current", without("uo", "vo"), FieldNotFound, "eastward_sea_water", "northward"),
    bad("no v", without("vo"), FieldNotFound, "northward_sea_water_velocity"),
    bad("no height", without("adt"), FieldNotFound, "no height of the sea surface", "uas"),
    bad(
        "named height",
        without("adt"),
        FieldNotFound,
        "'nope'",
        fields={"sea_surface_height_above_geoid": "nope"},
    ),
    bad("no wind to fit", without("uas", "vas"), FieldNotFound, "no wind", ekman="fit"),
    bad("half a wind", without("uas"), FieldNotFound, "no wind", ekman="parametric"),
    bad("wind without wind", made, FieldNotFound, "wind=", wind=xr.Dataset()),
    bad("no such wind", made, FieldNotFound, "'gust'", fields={"eastward_wind": "gust"}),
    bad("no gain", made, FieldNotFound, "ekman_gain_real", ekman=xr.Dataset()),
    bad("units", unlike("adt", units="K"), UnitsError, "adt", "K"),
    bad("curvilinear", curvilinear, GridError, "two-dimensional", "Regrid"),
    bad("one row", lambda: made(times=2).isel(latitude=[4]), GridError, "latitude", "one cell"),
    bad("a column", lambda: made(times=2).isel(longitude=[4]), GridError, "longitude", "one cell"),
    bad(
        "levels",
        lambda: made(times=2).expand_dims(depth=[0.0, 15.0]).transpose(..., "depth"),
        GridError,
        "2 levels",
        "isel(depth=0)",
    ),
    bad("few", lambda: made(times=2), GridError, "has 2", "parametric", ekman="fit"),
    bad(
        "no time",
        lambda: made(times=1).isel(time=0),
        GridError,
        "the current has 1",
        ekman="fit",
    ),
    bad(
        "shifted wind",
        lambda: made(times=4),
        GridError,
        "uas",
        "latitude",
        wind=WIND.assign_coords(latitude=WIND.latitude + 0.1),
    ),
    bad(
        "other times",
        lambda: made(times=4),
        GridError,
        "uas: its cells or times",
        "along time",
        wind=WIND.assign_coords(time=WIND.time + np.timedelta64(1, "h")),
    ),
    bad("fewer cells", lambda: made(times=4), GridError, "uas", wind=WIND.isel(latitude=slice(9))),
    bad("a point", lambda: made(times=4), GridError, "uas", wind=WIND.isel(latitude=0)),
    bad("ekman", made, ValueError, "ekman='best'", ekman="best"),
    bad("smooth", made, ValueError, "smooth=-1", smooth=-1),
    bad("nan", made, ValueError, "smooth=nan", smooth=np.nan),
    *(
        bad(
            f"infinite {n}", lambda n=n: infinite(n), ValuesError, f"{n}: inf", "time=3", "=2", "=5"
        )
        for n in ("uo", "adt", "vas")
    ),
    bad(
        "infinite lazily",
        lambda: infinite("adt", lazy=True),
        ValuesError,
        "adt: infinite at index (time=3, latitude=2, longitude=5)",
        late=True,
    ),
]


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told(case: Bad):
    ds = case.ds()
    # What can be told only late is no error before.
    out = currents.split(ds, **case.options) if case.late else None
    with pytest.raises(case.error) as caught:
        currents.split(ds, **case.options) if out is None else out.compute()
    assert type(caught.value) is case.error
    for each in case.says:
        assert each in str(caught.value)


def split_of(*gone: str) -> Callable[[], xr.Dataset]:
    return lambda: currents.split(made(times=4)).drop_vars(gone)


BAD_JOINS = [
    bad("nothing", made, FieldNotFound, "..._ageostrophic", "none"),
    bad("half", split_of("vo_ageostrophic"), FieldNotFound, "uo_ageostrophic"),
    bad("no height", split_of("uo_geostrophic"), FieldNotFound, "ssh=DATASET"),
    bad("no wind", split_of("uo_ekman", "uas"), FieldNotFound, "wind=DATASET"),
    bad("no gain", split_of("ekman_gain_real"), FieldNotFound, "no ekman_gain_real", wind=WIND),
    bad("other cells", split_of(), GridError, "adt", ssh=made(np.arange(31.0, 36, 0.25), times=4)),
]


@pytest.mark.parametrize("case", BAD_JOINS)
def test_what_cannot_be_joined(case: Bad):
    with pytest.raises(case.error) as caught:
        currents.join(case.ds(), **case.options)
    for each in case.says:
        assert each in str(caught.value)


def test_the_input_is_not_touched():
    ds = made(times=4)
    before = ds.copy(deep=True)
    out = currents.split(ds)
    kept = out.copy(deep=True)
    currents.join(out, ssh=ds, wind=ds)
    xr.testing.assert_identical(ds, before)
    xr.testing.assert_identical(out, kept)


@pytest.mark.realdata
def test_real_currents_without_a_height_say_what_is_missing(realdata: Path):
    pytest.importorskip("netCDF4")
    ds = xr.open_dataset(realdata / "currents_agulhas_2002.nc")
    with ds, pytest.raises(FieldNotFound, match="no height of the sea surface"):
        currents.split(ds)


@pytest.fixture(autouse=True)
def _no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield
