"""Scores of ensembles: known answers, and laws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from climates import axes, months

from xocean_ml import metrics
from xocean_ml.errors import FieldNotFound, GridError
from xocean_ml.metrics import proper

POINTWISE = ["crps", "rmse", "rmse_corrected", "spread_over_error", "within_90"]
SCALARS = [*POINTWISE, "energy", "variogram"]

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return random.normal(size=shape)


def skewed(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return random.exponential(size=shape)


def drizzle(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Rain: none in half of the cells, so that many are equal."""
    return np.maximum(random.normal(size=shape), 0)


def smooth(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Neighbours alike."""
    x = random.normal(size=(*shape[:-2], shape[-2] + 3, shape[-1] + 3))
    windows = np.lib.stride_tricks.sliding_window_view(x, (4, 4), (-2, -1))
    return windows.mean(axis=(-2, -1)) * 4


def pair(
    count: int, times: int = 40, rows: int = 12, draw: Draw = normal, seed: int = 0
) -> tuple[xr.Dataset, xr.Dataset]:
    """An ensemble and a truth that is drawn as its members are, about a common forecast."""
    random = np.random.default_rng(seed)
    shape = (count + 1, times, rows, rows + 4)
    coords = axes(np.linspace(20.0, 60, rows), np.linspace(0.0, 40, rows + 4))
    coords = {**coords, "time": months(times)}
    dims = ("realization", "time", "lat", "lon")
    forecast = 0 if draw is drizzle else random.normal(size=shape[1:])
    both = xr.DataArray(forecast + draw(random, shape), coords, dims)
    ds = xr.Dataset({"sst": both, "psl": 3 * both + 1000})
    return ds.isel(realization=slice(1, None)), ds.isel(realization=0)


def area_mean(da: xr.DataArray) -> float:
    return float(da.weighted(np.cos(np.deg2rad(da.lat))).mean())


@pytest.mark.parametrize("count", [2, 3, 24])
def test_crps_is_that_of_the_scores_library(count):
    from scores.probability import crps_for_ensemble

    members, truth = pair(count, times=3, draw=drizzle)
    each = crps_for_ensemble(
        members.sst, truth.sst, "realization", method="fair", preserve_dims="all"
    )
    found = proper.crps(members.sst.values, truth.sst.values)
    np.testing.assert_allclose(found, each.transpose(*truth.sst.dims), atol=1e-13)
    total = metrics.ensemble(members, truth, bootstrap=0).crps.sel(variable="sst")
    assert float(total) == pytest.approx(area_mean(each))


def test_crps_of_a_normal_is_its_integral():
    from scipy.integrate import quad
    from scipy.special import ndtr

    for mean, spread, y in [(0.0, 1.0, 0.0), (1.0, 0.5, -2.0), (-1.0, 3.0, 4.0)]:
        below = quad(lambda x, m=mean, s=spread: ndtr((x - m) / s) ** 2, -40, y)[0]
        above = quad(lambda x, m=mean, s=spread: ndtr((m - x) / s) ** 2, y, 40)[0]
        assert metrics.crps_normal(mean, spread, y) == pytest.approx(below + above, abs=1e-6)


def test_crps_of_a_normal_at_the_ends():
    truth = np.array([1.0, -2.0, 0.0])
    np.testing.assert_array_equal(metrics.crps_normal(0.0, 0.0, truth), np.abs(truth))
    np.testing.assert_array_equal(metrics.crps_normal(0.0, np.zeros(3), truth), np.abs(truth))
    assert np.isnan(metrics.crps_normal(0.0, -1.0, truth)).all()
    found = metrics.crps_normal(xr.DataArray(truth, dims="x"), 1.0, xr.DataArray(truth, dims="x"))
    assert found.dims == ("x",)


@pytest.mark.parametrize("count", [2, 7, 50])
def test_fair_crps_of_normal_members_is_the_closed_form(count):
    random = np.random.default_rng(count)
    truth = random.normal(size=200_000)
    members = 0.3 + 0.7 * random.normal(size=(count, truth.size))
    expected = metrics.crps_normal(0.3, 0.7, truth).mean()
    assert proper.crps(members, truth).mean() == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize("draw", [normal, skewed, drizzle])
@pytest.mark.parametrize("count", [19, 24])
def test_a_truth_drawn_as_the_members(count, draw):
    members, truth = pair(count, times=60, draw=draw)
    score = metrics.ensemble(members, truth, bootstrap=0)
    np.testing.assert_allclose(score.spread_over_error, 1, atol=0.04)
    np.testing.assert_allclose(score.within_90, 0.9, atol=0.01)
    np.testing.assert_allclose(score.rank_histogram * (count + 1), 1, atol=0.25)
    np.testing.assert_allclose(score.rank_histogram.sum("rank"), 1)
    np.testing.assert_allclose(score.psd_ratio, 1, atol=0.15)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_few_normal_members_hold_ninety_in_a_hundred(count):
    score = metrics.ensemble(*pair(count, times=100), bootstrap=0)
    np.testing.assert_allclose(score.within_90, 0.9, atol=0.01)
    np.testing.assert_allclose(score.spread_over_error, 1, atol=0.02)


def test_members_that_spread_too_little_are_told():
    members, truth = pair(24)
    mean = members.mean("realization")
    score = metrics.ensemble(mean + 0.5 * (members - mean), truth, bootstrap=0)
    np.testing.assert_allclose(score.spread_over_error, 0.5, atol=0.02)
    # P(|x| < 1.645 / 2) = 0.589 of a normal variate, a little more between members as few as 24
    np.testing.assert_allclose(score.within_90, 0.61, atol=0.02)
    assert (score.rank_histogram.isel(rank=[0, -1]) > 0.1).all()


def test_scores_do_not_depend_on_how_many_members():
    members, truth = pair(40, times=100, rows=8, draw=smooth)
    few = metrics.ensemble(members.isel(realization=slice(2)), truth, bootstrap=0)
    many = metrics.ensemble(members, truth, bootstrap=0)
    for name in ("crps", "rmse_corrected", "energy", "variogram"):
        np.testing.assert_allclose(few[name], many[name], rtol=0.04, err_msg=name)
    assert (few.rmse > 1.1 * many.rmse).all()


WRONG = {
    "shifted": (lambda members, mean: members + 0.5 * mean.std(), ["crps", "energy"]),
    "wide": (lambda members, mean: mean + 2 * (members - mean), ["crps", "energy", "variogram"]),
    "narrow": (lambda members, mean: mean + 0.3 * (members - mean), ["crps", "energy"]),
    "rough": (
        lambda members, mean: members.copy(
            data={n: np.random.default_rng(1).permuted(x, axis=0) for n, x in members.items()}
        ),
        ["energy", "variogram"],
    ),
}
"""What is wrong with members, and the scores that tell."""


@pytest.mark.parametrize("wrong", WRONG)
def test_members_like_the_truth_score_best(wrong):
    members, truth = pair(20, times=60, rows=8, draw=smooth)
    change, names = WRONG[wrong]
    right = metrics.ensemble(members, truth, bootstrap=0)
    worse = metrics.ensemble(change(members, members.mean("realization")), truth, bootstrap=0)
    for name in names:
        assert (worse[name] > 1.005 * right[name]).all(), name


def test_order_of_members_and_of_dimensions_changes_nothing():
    members, truth = pair(7, times=5)
    turned = members.isel(realization=[3, 0, 6, 1, 5, 2, 4]).transpose("lon", "realization", ...)
    xr.testing.assert_allclose(
        metrics.ensemble(turned, truth.transpose("lat", "lon", "time")),
        metrics.ensemble(members, truth),
        rtol=1e-10,
    )


def test_equal_members_are_a_map():
    members, truth = pair(1, times=4)
    one = metrics.ensemble(members, truth, bootstrap=0).sel(variable="sst")
    many = metrics.ensemble(members.isel(realization=[0] * 5), truth, bootstrap=0)
    many = many.sel(variable="sst")
    error = (members - truth).sst.isel(realization=0)
    each = [area_mean(error.isel(time=k) ** 2) ** 0.5 for k in range(4)]
    for score in (one, many):
        assert float(score.energy) == pytest.approx(np.mean(each))
        assert float(score.crps) == pytest.approx(area_mean(abs(error)))
        assert float(score.rmse) == pytest.approx(area_mean(error**2) ** 0.5)
    assert float(one.variogram) == pytest.approx(float(many.variogram))
    assert float(many.spread_over_error) == pytest.approx(0, abs=1e-8)
    assert float(one.rmse_corrected) == pytest.approx(float(one.rmse) / np.sqrt(2))
    assert np.isnan(one.spread_over_error)
    assert np.isnan(one.within_90)


def test_energy_and_variogram_are_their_double_sums():
    members, truth = pair(4, times=1, rows=10)
    x, y = members.sst.values[:, 0], truth.sst.values[0]
    weight = np.cos(np.deg2rad(truth.lat.values))[:, None] + 0 * y

    def norm(field):
        return np.sqrt((weight * field**2).sum() / weight.sum())

    energy = np.mean([norm(a - y) for a in x]) - sum(norm(a - b) for a in x for b in x) / 24
    score, total, (rows, columns) = 0.0, 0.0, y.shape
    for i, j in np.ndindex(y.shape):
        for lag in (1, 2, 4, 8):
            for k, m in ((i + lag, j), (i, j + lag)):
                if k < rows and m < columns:
                    each = np.sqrt(abs(x[:, i, j] - x[:, k, m]))
                    gap = (np.sqrt(abs(y[i, j] - y[k, m])) - each.mean()) ** 2
                    pair_weight = (weight[i, j] + weight[k, m]) / 2 / lag
                    score += pair_weight * (gap - each.var(ddof=1) / 4)
                    total += pair_weight
    found = metrics.ensemble(members, truth, bootstrap=0).sel(variable="sst")
    assert float(found.energy) == pytest.approx(energy)
    assert float(found.variogram) == pytest.approx(score / total)


def test_spectra_are_of_members_not_of_their_mean():
    members, _ = pair(12, times=60, rows=16, draw=smooth)
    alone = members - members.mean("realization")
    score = metrics.ensemble(3 * alone, alone.isel(realization=0), bootstrap=0)
    np.testing.assert_allclose(score.psd_ratio, 9, rtol=0.25)
    assert (score.psd_mean < 1e-12 * score.psd_members).all()
    np.testing.assert_allclose(score.psd_ratio, score.psd_members / score.psd_truth)
    assert score.wavenumber.attrs["units"] == "km-1"


def test_scores_are_weighted_by_area():
    members, truth = pair(2, times=2)
    flat = (0 * members + truth + truth.lat / 50).transpose(*members.sst.dims)
    score = metrics.ensemble(flat, truth, bootstrap=0).sel(variable="sst")
    size = truth.lat / 50 + 0 * truth.sst
    assert float(score.crps) == pytest.approx(area_mean(size))
    assert float(score.rmse) == pytest.approx(area_mean(size**2) ** 0.5)
    assert float(score.energy) == pytest.approx(area_mean(size**2) ** 0.5)
    np.testing.assert_allclose(score.rank_histogram, [1, 0, 0])


def test_cells_without_values_are_left_out():
    members, truth = pair(6, times=6)
    sea = (truth.lon > 10) & (truth.lat < 50)
    holes = xr.where((truth.time == truth.time[2]) | ~sea, np.nan, 0.0)
    expected = metrics.ensemble(
        members.where(sea, drop=True).isel(time=[0, 1, 3, 4, 5]),
        truth.where(sea, drop=True).isel(time=[0, 1, 3, 4, 5]),
    )
    holed = members.where(members.realization != 0, members + holes)
    for x, y in ((members, truth + holes), (holed.transpose(*members.sst.dims), truth)):
        found = metrics.ensemble(x, y)
        for name in (*SCALARS, "crps_low", "energy_high", "rank_histogram"):
            np.testing.assert_allclose(found[name], expected[name], err_msg=name)


def test_a_variable_without_any_value_has_no_score():
    members, truth = pair(3, times=3)
    score = metrics.ensemble(members, truth.assign(sst=truth.sst * np.nan))
    assert np.isnan(score.sel(variable="sst")[[*SCALARS, "psd_ratio"]].to_array()).all()
    assert np.isfinite(score.sel(variable="psl")[SCALARS].to_array()).all()


def test_chunks_change_nothing_and_are_computed_once():
    members, truth = pair(6, times=7, draw=drizzle)
    seen = []

    def count(block):
        if block.size:
            seen.append(block.shape)
        return block

    chunks = {"realization": 2, "time": 3, "lat": 5, "lon": -1}
    lazy = members.chunk(chunks)
    lazy = lazy.map(lambda x: x.copy(data=x.data.map_blocks(count, meta=x.data._meta)))
    expected = metrics.ensemble(members, truth, base=truth + 1, seed=3)
    found = metrics.ensemble(lazy, truth.chunk(time=2), base=truth + 1, seed=3)
    xr.testing.assert_identical(found, expected)
    assert len(seen) == 2 * 3 * 3 * 3  # variables, members, times, rows


def test_files_are_read_time_by_time(tmp_path):
    members, truth = pair(3, times=4)
    members.to_netcdf(tmp_path / "members.nc")
    with xr.open_dataset(tmp_path / "members.nc", cache=False) as opened:
        found = metrics.ensemble(opened, truth)
    xr.testing.assert_allclose(found, metrics.ensemble(members, truth))


def test_equal_ranks_are_drawn_by_seed_and_place():
    members, truth = pair(4, times=6, draw=drizzle)
    found = [metrics.ensemble(members, truth, seed=k, bootstrap=0) for k in (0, 0, 1)]
    xr.testing.assert_identical(found[0], found[1])
    assert (found[0].rank_histogram != found[2].rank_histogram).any()
    xr.testing.assert_identical(found[0].crps, found[2].crps)


def test_observed_and_unobserved_cells_apart():
    members, truth = pair(9, times=8)
    near = truth.lon < 15
    better = members.where(~near, truth + 0.1 * (members - truth)).transpose(*members.sst.dims)
    observed = xr.Dataset({"sst": near & (truth.lat > 0), "psl": near & (truth.lat > 0)})
    score = metrics.ensemble(better, truth, base=members, observed=observed)
    assert list(score["where"].values) == ["all", "observed", "unobserved"]
    assert score.crps.dims == score.rmse_ratio_low.dims == ("variable", "where")
    assert score.energy.dims == ("variable",)
    xr.testing.assert_allclose(
        score.sel(where="all", drop=True), metrics.ensemble(better, truth, base=members)
    )
    for where, cells in (("observed", near), ("unobserved", ~near)):
        part = metrics.ensemble(better.sel(lon=cells), truth.sel(lon=cells), bootstrap=0)
        for name in POINTWISE:
            np.testing.assert_allclose(score[name].sel(where=where), part[name], err_msg=name)
    np.testing.assert_allclose(score.crps_ratio.sel(where="observed"), 0.1)
    np.testing.assert_allclose(score.crps_ratio.sel(where="unobserved"), 1)


def test_skill_against_a_base():
    members, truth = pair(24)
    alone = metrics.ensemble(members, truth, base=members)
    np.testing.assert_allclose(alone.crps_ratio, 1)
    np.testing.assert_allclose(alone.rmse_ratio, 1)
    usual = truth.mean("time")
    score = metrics.ensemble(members, truth, base=usual).sel(variable="sst")
    away = (truth - usual).sst
    assert float(score.crps_ratio) == pytest.approx(float(score.crps) / area_mean(abs(away)))
    assert float(score.rmse_ratio) == pytest.approx(float(score.rmse) / area_mean(away**2) ** 0.5)
    assert "crps_ratio" not in metrics.ensemble(members, truth, bootstrap=0)


def test_intervals():
    members, truth = pair(8)
    score = metrics.ensemble(members, truth)
    for name in (*SCALARS, "rank_histogram", "psd_ratio"):
        assert (score[f"{name}_low"] < score[name]).all(), name
        assert (score[name] < score[f"{name}_high"]).all(), name
    assert not [n for n in metrics.ensemble(members, truth, bootstrap=0) if n.endswith("_low")]


def test_one_map_has_no_times():
    members, truth = (ds.isel(time=0, drop=True) for ds in pair(5, times=2))
    score = metrics.ensemble(members, truth)
    timed = metrics.ensemble(members.expand_dims("time"), truth.expand_dims("time"), bootstrap=0)
    xr.testing.assert_identical(score[SCALARS], timed[SCALARS])
    assert np.isnan(score.crps_low).all()


def test_the_input_is_not_changed():
    members, truth = pair(3, times=2)
    kept = members.copy(deep=True), truth.copy(deep=True)
    metrics.ensemble(members, truth)
    xr.testing.assert_identical(members, kept[0])
    xr.testing.assert_identical(truth, kept[1])


BAD = {
    "no member": (lambda x, y: (x.isel(realization=0), y), GridError, "expand_dims"),
    "members of the truth": (lambda x, y: (x, x), GridError, "truth: sst has a dimension real"),
    "no common variable": (lambda x, y: (x.rename(sst="a", psl="b"), y), FieldNotFound, "'psl'"),
    "other times": (lambda x, y: (x, y.isel(time=slice(1, None))), GridError, "sst: times or"),
    "other grid": (lambda x, y: (x, y.assign_coords(lat=y.lat + 1)), GridError, "grids differ"),
    "no time": (lambda x, y: (x.isel(time=0, drop=True), y), GridError, "no dimension time"),
    "depth": (lambda x, y: (x, y.expand_dims(depth=[0.0])), GridError, "select one"),
    "depth of members": (
        lambda x, y: (x.expand_dims(depth=[0.0]), y),
        GridError,
        "members: sst has a dimension depth",
    ),
    "no grid": (lambda x, y: (x, y.isel(lat=0)), GridError, "latitude and longitude"),
    "one row": (lambda x, y: (x.isel(lat=[0]), y.isel(lat=[0])), GridError, "two of each"),
}
"""Input, error, message."""


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told(case):
    spoil, error, message = BAD[case]
    with pytest.raises(error, match=message):
        metrics.ensemble(*spoil(*pair(2, times=3)))


@pytest.mark.parametrize("name", ["base", "observed"])
def test_what_is_compared_with_has_all_variables(name):
    members, truth = pair(2, times=3)
    with pytest.raises(FieldNotFound, match=f"psl .* not in {name}"):
        metrics.ensemble(members, truth, **{name: truth[["sst"]] > 0})
