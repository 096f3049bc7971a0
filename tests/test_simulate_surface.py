"""Laws of the simulated surface: frozen families, balances in closed form, keyed randomness.

What runs the simulation needs pyqg-jax and skips without it; most of this file does not.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import xarray as xr
from compliance import findings_of

from xocean_ml.simulate import _qg, _surface, surface
from xocean_ml.simulate._surface import DEGREE, GRAVITY
from xocean_ml.simulate.surface_families import (
    BOX,
    FACTORS,
    FAMILIES,
    Family,
    fingerprint,
    get_family,
)

MODULE = importlib.import_module("xocean_ml.simulate.surface")
OCEAN = ("ssh", "mdt", "sst", "sss", "u", "v", "u_geostrophic", "v_geostrophic")

# ---- frozen families ------------------------------------------------------------------------


def test_the_families_are_frozen() -> None:
    assert fingerprint() == "17ec2323c8ec45587212fc48afc72bdabd0bd3965545fc33bb34397927879b7b", (
        "A number in xocean_ml/simulate/surface_families.py was changed. The worlds were written "
        "down before any model that is scored on them was trained; editing them makes every "
        "published score void. Undo the edit: add a family with a new key, or override in the "
        "call."
    )


def test_the_draws_are_frozen() -> None:
    drawn = MODULE._draw(FAMILIES["test"], 3)
    assert list(drawn) == list(FACTORS)
    np.testing.assert_allclose(list(drawn.values()), FROZEN_WORLD, rtol=1e-5)
    land = _surface.coast(MODULE._rng(FAMILIES["test"], 3, 5), 16, 0.25)
    assert ["".join(".#"[int(cell)] for cell in row) for row in land] == FROZEN_COAST


FROZEN_WORLD = [
    30.9762,
    27.919,
    5.85752,
    0.0182377,
    0.229024,
    0.748331,
    -58.5009,
    97.7297,
    0.174463,
    26.3193,
    106.519,
    0.359861,
    4.45561,
    0.172428,
    0.0184472,
]
FROZEN_COAST = [
    "................",
    "................",
    "................",
    "................",
    "................",
    "................",
    "................",
    "................",
    ".#..............",
    ".#..##..........",
    ".##.##..........",
    "####.##.........",
    "#######.........",
    "######....####.#",
    "################",
    "################",
]


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
    assert sum(apart) >= 11
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
    moved = MODULE._draw(get_family("train", radius=(25, 25)), 4)
    assert moved.pop("radius") == 25
    plain.pop("radius")
    assert moved == plain


# ---- random fields --------------------------------------------------------------------------


@pytest.mark.parametrize("wave", [150.0, 300.0, 700.0])
def test_red_fields_have_variance_one_and_the_wavelength_asked(wave: float) -> None:
    cells, side = 96, 1200.0
    fields = _surface.red(np.random.default_rng(0), (200, cells, cells), side, wave)
    np.testing.assert_allclose(fields.std(axis=(1, 2)), 1)
    np.testing.assert_allclose(fields.mean(axis=(1, 2)), 0, atol=1e-12)
    power = (np.abs(np.fft.fft2(fields)) ** 2).mean(axis=0)
    n = np.hypot(*np.meshgrid(*[np.fft.fftfreq(cells, 1 / cells)] * 2))
    assert side / ((power * n).sum() / power.sum()) == pytest.approx(wave, rel=0.12)


def test_red_fields_are_alike_in_all_directions() -> None:
    fields = _surface.red(np.random.default_rng(1), (400, 48, 48), 1.0, 0.2)
    down, along = (((np.roll(fields, 1, axis) - fields) ** 2).mean() for axis in (1, 2))
    assert down == pytest.approx(along, rel=0.05)


KM = np.linspace(-400, 400, 9)


def test_waves_have_variance_one() -> None:
    days = np.arange(0, 100, 7.0)
    mean_square = [
        (_surface.waves(np.random.default_rng(seed), days, KM, KM) ** 2).mean()
        for seed in range(100)
    ]
    assert np.mean(mean_square) == pytest.approx(1, abs=0.03)


def test_a_day_of_waves_is_the_same_whatever_other_days_are_asked() -> None:
    days = [np.array([0.0, 5, 10, 15]), np.array([10.0])]
    several, one = (_surface.waves(np.random.default_rng(2), each, KM, KM[:5]) for each in days)
    np.testing.assert_array_equal(several[2], one[0])
    assert several.shape == (4, 9, 5)


def test_waves_pass_in_days_and_are_long() -> None:
    days = np.arange(0, 400.0)
    many = [_surface.waves(np.random.default_rng(s), days, KM, KM) for s in range(10)]
    day = np.mean([(each[1:] * each[:-1]).mean() for each in many])
    week = np.mean([(each[7:] * each[:-7]).mean() for each in many])
    apart = np.mean([(each[:, 1:] * each[:, :-1]).mean() for each in many])  # 100 km
    assert -0.5 < day < 0.6
    assert abs(week) < 0.2
    assert apart > 0.75


# ---- currents -------------------------------------------------------------------------------


def grid(middle: float, side: float, cells: int) -> tuple[np.ndarray, ...]:
    """Latitude and longitude of a square box, and metres north of its middle."""
    metres = np.linspace(-side / 2, side / 2, cells)
    latitude = middle + metres / DEGREE
    longitude = metres / (DEGREE * np.cos(np.deg2rad(middle)))
    return latitude, longitude, np.broadcast_to(metres[:, None], (cells, cells))


def distance(latitude: np.ndarray, longitude: np.ndarray, middle: float) -> np.ndarray:
    """Metres from (middle, 0) along the sphere."""
    lat, lon, at = np.deg2rad(latitude)[:, None], np.deg2rad(longitude), np.deg2rad(middle)
    half = np.sin((lat - at) / 2) ** 2 + np.cos(lat) * np.cos(at) * np.sin(lon / 2) ** 2
    return 2 * np.rad2deg(np.arcsin(np.sqrt(half))) * DEGREE


@pytest.mark.parametrize("middle", [35.0, -48.0])
def test_a_linear_height_makes_the_geostrophic_current(middle: float) -> None:
    latitude, longitude, north = grid(middle, 800e3, 17)
    f = 2 * 2 * np.pi / 86164 * np.sin(np.deg2rad(latitude))[:, None]
    u, v = _surface.geostrophic(1e-6 * north[None], latitude, longitude)
    np.testing.assert_allclose(u[0], np.broadcast_to(-9.81 / f * 1e-6, north.shape), rtol=1e-10)
    np.testing.assert_allclose(v, 0, atol=1e-12)
    # Higher to the north: westward in the northern hemisphere, eastward in the southern.
    assert (np.sign(u) == -np.sign(middle)).all()
    metres = np.cos(np.deg2rad(latitude))[:, None] * DEGREE
    u, v = _surface.geostrophic(0.1 * (longitude + 0 * north)[None], latitude, longitude)
    np.testing.assert_allclose(v[0], np.broadcast_to(9.81 / f * 0.1 / metres, north.shape))
    np.testing.assert_allclose(u, 0, atol=1e-12)


@pytest.mark.parametrize("middle", [40.0, -40.0])
@pytest.mark.parametrize("top", [0.1, -0.1])
def test_cyclogeostrophic_currents_near_the_gradient_wind(middle: float, top: float) -> None:
    wide = 40e3
    latitude, longitude, _ = grid(middle, 200e3, 301)
    radius = distance(latitude, longitude, middle)
    f = np.broadcast_to(_surface.coriolis(latitude)[:, None], radius.shape)

    def errors(top: float) -> tuple[float, float]:
        """Largest error of the speed without and with the correction, over the largest speed."""
        height = top * np.exp(-0.5 * (radius / wide) ** 2)
        u, v = _surface.geostrophic(height[None], latitude, longitude)
        du, dv = _surface.cyclogeostrophic(u, v, latitude, longitude)
        # v**2 / r + f v = g dh/dr, the root that is geostrophic where the eddy is weak.
        slope = -height * radius / wide**2
        ring = (radius > 0.2 * wide) & (radius < 2 * wide)
        fr = (f * radius)[ring]
        exact = 0.5 * fr * (np.sqrt(1 + 4 * GRAVITY * slope[ring] / (f[ring] * fr)) - 1)
        size = np.abs(exact).max()
        before = np.abs(np.hypot(u, v)[0][ring] - np.abs(exact)).max() / size
        after = np.abs(np.hypot(u + du, v + dv)[0][ring] - np.abs(exact)).max() / size
        faster = np.abs(exact).max() > np.hypot(u, v)[0][ring].max()
        assert faster == (top > 0), "a high turns faster than geostrophy, a low slower"
        return before, after

    full, half = errors(top), errors(top / 2)
    assert full[0] > 0.04
    assert full[1] < 0.03 * full[0]
    assert half[0] == pytest.approx(0.5 * full[0], rel=0.2)
    assert half[1] < 0.5 * full[1]


def test_a_parallel_current_has_no_curvature() -> None:
    latitude, longitude, north = grid(30.0, 400e3, 41)
    u = np.cos(north / 50e3)[None]
    du, dv = _surface.cyclogeostrophic(u, 0 * u, latitude, longitude)
    np.testing.assert_allclose([du, dv], 0, atol=1e-12)


@pytest.mark.parametrize("latitude", [38.0, -50.0])
@pytest.mark.parametrize("way", [0.0, 70.0, 200.0])
def test_the_wind_drives_a_current_to_its_side(latitude: float, way: float) -> None:
    wind = 8 * np.exp(1j * np.deg2rad(way)) * np.ones((1, 1, 1))
    u, v = _surface.ekman(wind.real, wind.imag, np.array([latitude]), 0.3)
    turned = np.rad2deg(np.angle((u + 1j * v) / wind))
    # To the right in the north: clockwise, a negative angle.
    np.testing.assert_allclose(turned, -50 * np.sign(latitude))
    stress = 1.22 * 1.3e-3 * 8**2
    np.testing.assert_allclose(
        np.hypot(u, v), 0.3 * stress / np.sqrt(np.sin(np.deg2rad(abs(latitude))))
    )


# ---- coasts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(6))
def test_a_coast_has_the_share_asked_and_is_the_same_on_finer_cells(
    share: float, seed: int
) -> None:
    fine, coarse = (_surface.coast(np.random.default_rng(seed), n, share) for n in (144, 48))
    assert fine.mean() == pytest.approx(share, abs=1e-3)
    assert coarse.mean() == pytest.approx(share, abs=1e-3)
    most = fine.reshape(48, 3, 48, 3).mean(axis=(1, 3)) > 0.5
    assert (most == coarse).mean() > 0.97
    np.testing.assert_array_equal(fine, _surface.coast(np.random.default_rng(seed), 144, share))


def test_coasts_lie_on_every_side_and_differ() -> None:
    lands = [_surface.coast(np.random.default_rng(seed), 32, 0.2) for seed in range(20)]
    sides = {
        int(np.argmax([land[0].sum(), land[:, -1].sum(), land[-1].sum(), land[:, 0].sum()]))
        for land in lands
    }
    assert sides == {0, 1, 2, 3}
    assert len({land.tobytes() for land in lands}) == 20


@pytest.mark.parametrize("share", [0.0, -0.1])
def test_no_share_is_no_land(share: float) -> None:
    assert not _surface.coast(np.random.default_rng(0), 20, share).any()


# ---- grids ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [(16, 24), (24, 16), (16, 16)])
def test_fields_keep_their_values_on_another_grid(old: int, new: int) -> None:
    def field(cells: int) -> np.ndarray:
        x = 2 * np.pi * np.arange(cells) / cells
        return (np.cos(3 * x) + np.sin(2 * x[:, None] - 4 * x) + 0.5)[None]

    np.testing.assert_allclose(_qg._finer(field(old), new), field(new), atol=1e-5)


@pytest.mark.parametrize("size", [32, 144])
def test_cells_are_square_and_fill_the_box(size: int) -> None:
    latitude, longitude = MODULE._coordinates({"latitude": -40.0}, size)
    cell = BOX["period"] * BOX["shown"] / size * 1e3
    np.testing.assert_allclose(np.diff(latitude) * DEGREE, cell)
    np.testing.assert_allclose(np.diff(longitude) * DEGREE * np.cos(np.deg2rad(40)), cell)
    assert latitude.mean() == pytest.approx(-40)


# ---- bad input, imports ---------------------------------------------------------------------


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"family": "atlantis"}, ValueError, "no surface family 'atlantis': choose from train, "),
    ({"size": 33}, ValueError, "size=33 must be even"),
    ({"size": 14}, ValueError, "at least 16"),
    ({"states": 0}, ValueError, "states=0"),
    ({"every": 0}, ValueError, "every=0"),
    ({"depth": (1, 2)}, TypeError, "depth"),
    ({"land": (0.3, 0.1)}, ValueError, r"land is a range \(low, high\)"),
]


@pytest.mark.parametrize(("asked", "error", "message"), BAD)
def test_bad_input(asked: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        surface(**asked)


def test_without_the_core_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyqg_jax", None)
    with pytest.raises(ImportError, match=r'pip install "xocean_ml\[simulate\]"'):
        surface("train", states=1, size=32)


def test_jax_is_imported_by_the_call_only() -> None:
    code = "import sys, xocean_ml.simulate.surface; print({'jax', 'pyqg_jax'} & {*sys.modules})"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "set()\n"


# ---- a world --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> xr.Dataset:
    pytest.importorskip("pyqg_jax")
    return surface("test", seed=3, states=2, every=2, size=32, land=(0.1, 0.1))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worlds of a short past: for laws that hold from the first day."""
    pytest.importorskip("pyqg_jax")
    days = {"spin_up": 20.0, "refine": 2.0}
    monkeypatch.setattr(MODULE, "BOX", MappingProxyType({**BOX, **days}))


def test_a_world_is_an_ocean(world: xr.Dataset) -> None:
    assert dict(world.sizes) == {"time": 2, "latitude": 32, "longitude": 32, "bnds": 2}
    assert {name: each.dtype for name, each in world.data_vars.items()} == dict.fromkeys(
        (*OCEAN, "wind_u", "wind_v"), np.dtype("float32")
    )
    drawn = json.loads(world.attrs["world"])
    assert drawn["land"] == 0.1
    assert world["latitude"].values.mean() == pytest.approx(drawn["latitude"], abs=1e-5)
    assert 0.02 < float(world.ssh.std()) < 0.5
    assert 0.03 < float(np.hypot(world.u_geostrophic, world.v_geostrophic).mean()) < 1
    assert float(np.hypot(world.u, world.v).max()) < 4
    assert 0.2 < float(world.sst.std()) < 6
    assert 30 < float(world.sss.min()) < float(world.sss.max()) < 40
    assert 1 < float(world.wind_u.std()) < 12
    np.testing.assert_array_equal(np.diff(world.time), np.timedelta64(2, "D"))


def test_a_written_world_follows_the_conventions(world: xr.Dataset, tmp_path: Path) -> None:
    assert findings_of(world, tmp_path / "world.nc") == set()
    with xr.open_dataset(tmp_path / "world.nc") as back:
        xr.testing.assert_identical(back.load(), world)


def test_variables_say_their_units(world: xr.Dataset) -> None:
    units = {name: each.attrs["units"] for name, each in world.data_vars.items()}
    assert {units.pop(name) for name in ("ssh", "mdt")} == {"m"}
    assert units.pop("sst") == "degC"
    assert units.pop("sss") == "1e-3"
    assert set(units.values()) == {"m s-1"}


def test_land_is_the_same_in_all_but_the_wind(world: xr.Dataset) -> None:
    land = np.isnan(world["mdt"].values)
    assert land.mean() == pytest.approx(0.1, abs=1e-3)
    for name, each in world.data_vars.items():
        expected = land & (name in OCEAN)
        np.testing.assert_array_equal(
            np.isnan(each.values), np.broadcast_to(expected, each.shape), err_msg=name
        )


def test_currents_are_geostrophic_and_the_rest(world: xr.Dataset) -> None:
    # From the heights that are given, where no neighbour is land.
    at = (world["latitude"].values, world["longitude"].values)
    u, v = _surface.geostrophic((world.ssh + world.mdt).values.astype(float), *at)
    inner = np.isfinite(u) & np.isfinite(v) & np.isfinite(world.u.values)
    inner[:, [0, -1]] = inner[..., [0, -1]] = False
    assert inner.mean() > 0.6
    np.testing.assert_allclose(world.u_geostrophic.values[inner], u[inner], atol=2e-4)
    np.testing.assert_allclose(world.v_geostrophic.values[inner], v[inner], atol=2e-4)
    drawn = json.loads(world.attrs["world"])
    wind = world.wind_u.values.astype(float), world.wind_v.values.astype(float)
    parts = zip(
        (world.u, world.v),
        (u, v),
        _surface.cyclogeostrophic(u, v, *at),
        _surface.ekman(*wind, at[0], drawn["ekman"]),
        strict=True,
    )
    for total, balanced, curved, driven in parts:
        rest = total.values - balanced - curved - driven
        known = inner & np.isfinite(rest)
        assert known.mean() > 0.5
        np.testing.assert_allclose(rest[known], 0, atol=1e-3)
        assert 0.005 < driven[known].std() < 0.3
        assert curved[known].std() < 0.3 * balanced[known].std()


def test_the_same_seed_and_day_are_the_same_bits_however_asked(short: None) -> None:
    apart = surface("train", seed=5, states=2, every=2, size=32)
    daily = surface("train", seed=5, states=3, every=1, size=32)
    xr.testing.assert_identical(daily.isel(time=[0, 2]), apart)


def test_seeds_are_other_worlds(short: None) -> None:
    one, two = (surface("train", seed=seed, states=1, size=32, land=(0, 0)) for seed in (5, 6))
    for name in ("ssh", "v_geostrophic"):
        assert abs(np.corrcoef(one[name].values.ravel(), two[name].values.ravel())[0, 1]) < 0.4
    assert not (one["wind_u"].values == two["wind_u"].values).any()
    assert one.attrs["world"] != two.attrs["world"]
