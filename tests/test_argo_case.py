"""Laws of the real Argo case: what the sequential analysis adds is what the smoother is given."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import _argo

COLUMN = _argo.Column()
EVERY = 20
NAMES = ("full", "thinned")


@pytest.fixture(scope="module")
def runs(realdata: Path) -> dict[str, xr.Dataset]:
    return _argo.prepare(realdata, "5900446", COLUMN, EVERY)


@pytest.mark.realdata
@pytest.mark.parametrize("name", NAMES)
def test_increments_and_drift_add_up_to_the_last_analysis(runs: dict, name: str) -> None:
    state = runs[name]["temperature_anomaly"].values
    before = np.concatenate([np.zeros_like(state[:1]), state[:-1]])
    drifted = (COLUMN.keep - 1) * before + COLUMN.drift()
    added = runs[name]["temperature_increment"].sum("time").values
    np.testing.assert_allclose(added, state[-1] - drifted.sum(axis=0), atol=1e-12)


@pytest.mark.realdata
@pytest.mark.parametrize("name", NAMES)
def test_replaying_the_increments_gives_the_analysis(runs: dict, name: str) -> None:
    again = COLUMN.replay(runs[name]["temperature_increment"])
    np.testing.assert_allclose(again, runs[name]["temperature_anomaly"], atol=1e-12)


@pytest.mark.realdata
@pytest.mark.parametrize("name", NAMES)
def test_increments_and_spread_answer_to_observations(runs: dict, name: str) -> None:
    run = runs[name]
    seen = run["number_of_observations"].values > 0
    spread = run["temperature_increment_spread"].values
    assert (run["temperature_increment"].values[~seen] == 0).all()
    assert (run["temperature_increment"].values[seen] != 0).all()
    np.testing.assert_array_equal(spread < run["forecast_spread"].values, seen)
    np.testing.assert_array_equal(spread[~seen], run["forecast_spread"].values[~seen])


@pytest.mark.realdata
def test_thinning_takes_profiles_of_the_first_half_only(runs: dict) -> None:
    full, thinned = (runs[name]["number_of_observations"] for name in NAMES)
    early = full["time"].isin(_argo.first_half(runs["full"])["time"])
    # The step in which the halves meet may hold a profile of each.
    late = ~early & ~early.shift(time=1, fill_value=False)
    xr.testing.assert_equal(full.isel(time=late.values), thinned.isel(time=late.values))
    profiles = [int(each.isel(time=early.values).max("depth").sum()) for each in (full, thinned)]
    assert profiles[1] == -(-profiles[0] // EVERY)


@pytest.mark.realdata
def test_fewer_observations_leave_more_spread_then_forget_it(runs: dict) -> None:
    full, thinned = (runs[name]["temperature_increment_spread"].values for name in NAMES)
    assert (thinned >= full - 1e-15).all()
    np.testing.assert_allclose(thinned[-1], full[-1], rtol=1e-6)
    last = [runs[name]["temperature_anomaly"].values[-1] for name in NAMES]
    np.testing.assert_allclose(last[1], last[0], atol=1e-3)


@pytest.mark.realdata
def test_the_preparation_is_complete_cf(runs: dict) -> None:
    ds = runs["thinned"]
    assert ds["temperature_increment"].attrs.items() >= {
        ("standard_name", "change_over_time_in_sea_water_conservative_temperature"),
        ("units", "K"),
        ("units_metadata", "temperature: difference"),
    }
    spread = ds["temperature_increment_spread"].attrs
    assert spread["cell_methods"] == "realization: standard_deviation"
    for name in ("time", "depth"):
        bounds = ds[ds[name].attrs["bounds"]]
        np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])
        assert ((ds[name] >= bounds[:, 0]) & (ds[name] <= bounds[:, 1])).all()
    assert all(each.notnull().all() for each in ds.data_vars.values())


@pytest.mark.realdata
@pytest.mark.parametrize("number", ["1900857", "2901746", "5900446"])
def test_smoothing_recovers_what_thinning_lost(realdata: Path, number: str) -> None:
    import smooth_argo

    runs = _argo.prepare(realdata, number, COLUMN, EVERY)
    raw, rts, dong = (
        smooth_argo.score(runs, method(runs["thinned"], 180))
        for method in (smooth_argo.raw, smooth_argo.rts, smooth_argo.dong)
    )
    assert rts["errors"].mean() < raw["errors"].mean()
    assert dong["errors"].mean() < raw["errors"].mean()
    assert dong["noise"] < 0.1
    assert dong["lost"] < 1e-12


# --- without real data -------------------------------------------------------------------------


def test_the_smoother_that_knows_the_gains_moves_states_by_what_it_says() -> None:
    """Rauch-Tung-Striebel as increments: the model, run with them, ends at the last analysis."""
    import smooth_argo

    ds = analysis(np.random.default_rng(0).normal(size=(40, 18)), keep=lambda day: day % 70 < 20)
    state = COLUMN.replay(smooth_argo.rts(ds, 0)).values
    analysed = ds["temperature_anomaly"].values
    np.testing.assert_allclose(state[-1], analysed[-1], atol=1e-12)
    forecast = COLUMN.keep * analysed[:-1] + COLUMN.drift()
    gain = COLUMN.keep * ds["temperature_increment_spread"].values[:-1] ** 2
    gain /= ds["forecast_spread"].values[1:] ** 2
    expected = analysed[:-1] + gain * (state[1:] - forecast)
    np.testing.assert_allclose(state[:-1], expected, atol=1e-12)


def test_means_keep_the_amount_of_increments() -> None:
    import smooth_argo

    ds = analysis(np.random.default_rng(1).normal(size=(40, 18)), keep=lambda day: day % 50 < 10)
    total = ds["temperature_increment"].sum("time")
    for method in (smooth_argo.mean, smooth_argo.penalised):
        np.testing.assert_allclose(method(ds, 90).sum("time"), total, atol=1e-10)


def test_the_analysis_tends_to_the_observations_as_they_grow_exact() -> None:
    values = np.random.default_rng(2).normal(size=(30, 18))
    exact = analysis(values, column=_argo.Column(noise=1e-9))
    np.testing.assert_allclose(exact["temperature_anomaly"], values, atol=1e-6)


def test_the_atlas_is_cyclic_in_longitude_and_year_and_wet_near_land() -> None:
    hours, longitudes = (np.arange(12) + 0.5) * 365.2425 * 2, np.arange(21.0, 381.0, 2.0)
    wave = 5 + np.cos(np.deg2rad(longitudes)) + np.cos(2 * np.pi * np.arange(12) / 12)[:, None]
    values = np.broadcast_to(wave[:, None, None, :], (12, 19, 3, 180)).copy()
    values[:, :, 2] = np.nan
    coords = {
        "t": hours,
        "z": np.r_[0.0, _argo.LEVELS],
        "y": [-42.0, -40.0, -38.0],
        "x": longitudes,
    }
    atlas = xr.DataArray(values, coords, ("t", "z", "y", "x"))
    time = np.array(["2008-01-01", "2009-01-01", "2008-12-31T23:59"], "M8[ns]")
    lat, lon = np.array([-41.0, -39.0, -41.0]), np.array([20.0, 20.0, -340.0])
    found = _argo._at(atlas, time, lat, lon)
    # Midway between the first and last cell in both, land or not: the mean of the two.
    expected = (values[0, 0, 0] + values[-1, 0, 0])[[0, -1]].mean() / 2
    # A leap year's last day is up to 0.76 days beyond the mean year.
    np.testing.assert_allclose(found, np.full((3, 18), expected), atol=5e-3)


def test_a_level_without_a_sample_in_its_cell_is_not_observed() -> None:
    depth = np.array([12.0, 18.0, 33.0, 300.0, np.nan])
    found = _argo._to_levels(depth, 20.0 - depth / 100)
    seen = np.isfinite(found)
    assert _argo.LEVELS[seen].tolist() == [10.0, 20.0, 30.0, 300.0]
    np.testing.assert_allclose(found[seen][1:], 20.0 - _argo.LEVELS[seen][1:] / 100)


def test_heat_of_one_kelvin_is_that_of_the_water_column() -> None:
    one = xr.DataArray(np.ones(18), {"depth": _argo.LEVELS}, ("depth",))
    np.testing.assert_allclose(_argo.heat(one), 1026.0 * 3991.86795711963 * 1050.0)


def analysis(
    values: np.ndarray, column: _argo.Column = COLUMN, keep=lambda day: True
) -> xr.Dataset:
    """Analyse made-up anomalies (profile, depth), one every ten days, on days that `keep` names."""
    days = 10 * np.arange(len(values)) + 5
    start = np.datetime64("2005-01-01", "ns")
    made = xr.Dataset(
        {"anomaly": (("profile", "depth"), values)},
        {
            "time": ("profile", start + days * _argo.DAY),
            "latitude": ("profile", np.full(len(values), -40.0)),
            "longitude": ("profile", np.full(len(values), 170.0)),
            "depth": _argo.LEVELS,
        },
    )
    edges = start + np.arange(len(values) + 1) * 10 * _argo.DAY
    kept = made.isel(profile=[k for k, day in enumerate(days) if keep(day)])
    return _argo.analyse(kept, made["anomaly"].var("profile"), edges, column)
