"""The packaged Datasets open with nothing but the package, and are what they say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from compliance import findings_of

import xocean_ml as xo
from xocean_ml import tutorial

RANGES = {
    "ssh": (-1, 1, 0.02),
    "mdt": (-1.5, 1.5, 0.05),
    "sst": (-2, 35, 0.3),
    "sss": (28, 40, 0.05),
    "u": (-2.5, 2.5, 0.03),
    "v": (-2.5, 2.5, 0.03),
    "wind_u": (-45, 45, 2),
    "wind_v": (-45, 45, 2),
}
"""Lowest, highest, and the least standard deviation, of what is plausible."""


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return xo.tutorial.open_dataset("surface")


def test_it_opens_whole(ds: xr.Dataset) -> None:
    assert list(ds.data_vars) == list(RANGES)
    assert dict(ds.sizes) == {"time": 12, "latitude": 144, "longitude": 144, "bnds": 2}
    assert {*ds.coords} == {"time", *(f"{n}{e}" for n in ("latitude", "longitude")
                                      for e in ("", "_bnds"))}  # fmt: skip
    assert {each.dtype for each in ds.data_vars.values()} == {np.dtype("float32")}
    np.testing.assert_array_equal(np.diff(ds.time), np.timedelta64(5, "D"))
    assert ds.attrs["family"] == "tutorial"


@pytest.mark.parametrize("name", RANGES)
def test_values_are_an_ocean_s(ds: xr.Dataset, name: str) -> None:
    low, high, least = RANGES[name]
    assert low < float(ds[name].min())
    assert float(ds[name].max()) < high
    assert float(ds[name].std()) > least


def test_land_is_the_same_in_all_but_the_wind(ds: xr.Dataset) -> None:
    land = np.isnan(ds["mdt"].values)
    assert 0.08 <= land.mean() <= 0.12
    for name, each in ds.data_vars.items():
        expected = land & (not str(name).startswith("wind"))
        np.testing.assert_array_equal(
            np.isnan(each.values), np.broadcast_to(expected, each.shape), err_msg=str(name)
        )


def test_time_goes_on(ds: xr.Dataset) -> None:
    # Five days on, the sea is much the same; the wind, which passes in days, is not.
    def lag(name: str, steps: int) -> float:
        values = ds[name].values
        first, second = values[:-steps].ravel(), values[steps:].ravel()
        known = np.isfinite(first)
        return float(np.corrcoef(first[known], second[known])[0, 1])

    assert lag("ssh", 1) > 0.8
    assert lag("sst", 1) > 0.8
    assert lag("ssh", 11) < lag("ssh", 1)
    assert abs(lag("wind_v", 1)) < 0.6


def test_written_it_follows_the_conventions(ds: xr.Dataset, tmp_path: Path) -> None:
    assert findings_of(ds, tmp_path / "surface.nc") == set()
    with xr.open_dataset(tmp_path / "surface.nc") as back:
        xr.testing.assert_identical(back.load(), ds)


def test_packing_rounds_to_less_than_a_thousandth(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = (35 + 0.3 * rng.standard_normal((5, 40, 40))).astype("float32")
    values[:, :4] = np.nan
    attrs = {"units": "1e-3", "note": "größe"}
    time = xr.date_range("2001-02-03", periods=5)
    made = xr.Dataset(
        {"sss": (("time", "y", "x"), values, attrs), "flat": ("x", np.full(40, 2, "float32"))},
        {"time": time, "x": ("x", rng.random(40), {"axis": "X"}), "no": ("bnds", [1.5, 2.5])},
        {"title": "made"},
    )
    tutorial._write(made, tmp_path / "made.npz")
    back = tutorial._read(tmp_path / "made.npz")
    error = np.abs(back.sss.values - values)
    assert np.nanmax(error) < 1e-3 * np.nanstd(values)
    np.testing.assert_array_equal(np.isnan(error), np.isnan(values))
    np.testing.assert_array_equal(back.flat, 2)
    xr.testing.assert_identical(back.drop_vars("sss"), made.drop_vars("sss"))
    assert back.sss.attrs == attrs


@pytest.mark.parametrize("name", RANGES)
def test_the_packaged_values_are_rounded_to_less_than_a_thousandth(name: str) -> None:
    # Rounding makes errors of at most half a step.
    with np.load(Path(tutorial.__file__).parent / "data" / "surface.npz") as archive:
        whole = archive[name]
    assert whole.dtype == np.int16
    assert 1e-3 * whole[whole != tutorial.FILL].std() > 0.5


@pytest.mark.parametrize(("name", "bytes_"), [("surface", 4e6), ("climate", 3e6)])
def test_it_is_small(name: str, bytes_: float) -> None:
    assert (Path(tutorial.__file__).parent / "data" / f"{name}.npz").stat().st_size < bytes_


@pytest.mark.parametrize("ask", [tutorial.open_dataset, tutorial.make])
def test_unknown_names_are_told_the_known_ones(ask: Callable[[str], object]) -> None:
    match = "no tutorial Dataset 'deep': choose from surface, climate"
    with pytest.raises(ValueError, match=match):
        ask("deep")


@pytest.mark.parametrize(("name", "times"), [("surface", 12), ("climate", 240)])
def test_it_opens_without_extras(name: str, times: int) -> None:
    extras = ("netCDF4", "h5netcdf", "scipy", "zarr", "jax", "pyqg_jax", "matplotlib")
    code = (
        f"import sys; sys.modules |= dict.fromkeys({extras}); import xocean_ml as xo; "
        f"print(xo.tutorial.open_dataset({name!r}).sizes['time'])"
    )
    command = [sys.executable, "-c", code]
    assert (
        subprocess.run(command, check=True, capture_output=True, text=True).stdout == f"{times}\n"
    )


# ---- the climate ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planet() -> xr.Dataset:
    return xo.tutorial.open_dataset("climate")


def test_the_climate_opens_whole(planet: xr.Dataset) -> None:
    assert list(planet.data_vars) == ["sst", "slp", "t2m", "precipitation"]
    assert dict(planet.sizes) == {"time": 240, "latitude": 32, "longitude": 64, "bnds": 2}
    assert {each.dtype for each in planet.data_vars.values()} == {np.dtype("float32")}
    assert planet.attrs["family"] == "tutorial"
    assert float(planet.precipitation.min()) > 0
    for name, each in planet.data_vars.items():
        assert bool(each.isnull().any()) == (name == "sst")


def test_the_climate_is_the_simulated_one_made_anew_without_extras(
    planet: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyqg_jax", None)
    made = tutorial._read(tutorial.make("climate", tmp_path))
    xr.testing.assert_allclose(made, planet, rtol=1e-3)
    exact = xo.simulate.climate("tutorial", years=20)
    for name, each in planet.data_vars.items():
        anomaly = exact[name].groupby("time.month") - exact[name].groupby("time.month").mean()
        error = float(np.abs(each - exact[name]).max())
        assert error < 0.6 * float(exact[name].max() - exact[name].min()) / 8190
        assert error < 0.02 * float(anomaly.std()), name


def test_the_written_climate_follows_the_conventions(planet: xr.Dataset, tmp_path: Path) -> None:
    assert findings_of(planet, tmp_path / "climate.nc") == set()
    with xr.open_dataset(tmp_path / "climate.nc") as back:
        xr.testing.assert_identical(back.load(), planet)
        assert "coordinates" not in back.slp.encoding  # only the air's temperature is at 2 m


# ---- a real one ----------------------------------------------------------------------------


def test_real_temperatures_of_the_tropics_are_recovered_from_a_part():
    """As the file is: in kelvin, by a standard name that is not the sea's alone."""
    pytest.importorskip("iris_sample_data")
    ds = tutorial.open_dataset("ostia")
    assert dict(ds.sizes)["time"] == 54
    fields = {"sea_surface_temperature": "surface_temperature"}
    past, future = ds.isel(time=slice(0, 42)), ds.isel(time=slice(42, 54))
    model = past.assimilate.fit("eof", latent=10, fields=fields)
    there = np.random.default_rng(0).random(future.surface_temperature.shape) < 0.05
    full = future.where(there).assimilate(model, error=0.1, fields=fields)
    usual = future.where(False).assimilate(model, fields=fields)
    score = xo.metrics.assimilation(full, future, base=usual, bootstrap=0)
    assert float(score.explained[0]) > 0.9
    assert 0.7 < float(score.spread_over_error[0]) < 1.4
    assert full.surface_temperature.attrs["units"] == "K"


def test_a_missing_extra_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "iris_sample_data", None)
    with pytest.raises(ImportError, match=r"xocean_ml\[sample\]"):
        tutorial.open_dataset("ostia")
