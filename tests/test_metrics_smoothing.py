"""Laws of the scores of smoothing, on small arrays whose answers are known."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from xocean_ml.errors import GridError, UnitsError
from xocean_ml.metrics import (
    at_noise,
    frontier,
    inside,
    running_mean,
    smoothing,
    sums,
    whittaker,
)

DEPTH = [5.0, 150.0, 500.0, 3000.0]


def months(years: int, start: str = "1950-01-01", **kwargs: object) -> xr.DataArray:
    time = xr.date_range(start, periods=12 * years, freq="MS", **kwargs)
    return xr.DataArray(time, dims="time", name="time")


def noise(seed: int = 0, *, years: int = 60, columns: int = 6) -> xr.DataArray:
    values = np.random.default_rng(seed).standard_normal((12 * years, len(DEPTH), columns))
    coords = {"time": months(years).values, "depth": ("depth", DEPTH, {"units": "m"})}
    return xr.DataArray(values, coords, ("time", "depth", "column"), attrs={"units": "K"})


def slow(seed: int = 0, **kwargs: int) -> xr.DataArray:
    """Increments with a multi-year part."""
    walk = noise(seed, **kwargs).cumsum("time", keep_attrs=True) * 0.1
    return (walk - walk.mean("time")).assign_attrs(units="K").assign_coords(noise(**kwargs).coords)


def white(seed: int = 0) -> xr.DataArray:
    """Many values of white noise, one level."""
    return noise(seed, columns=60).isel(depth=0, drop=True)


def whole(da: xr.DataArray) -> float:
    return float(da.isel(band=0).sel(era="all"))


# ---- noise ----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 3, 12, 13, 24])
def test_noise_ratio_of_a_running_mean_of_white_noise(steps: int) -> None:
    # y[k+1] - y[k] = (x[k+h+1] - x[k-h]) / n against x[k+1] - x[k]: 1/n. An even window is the
    # mean of two neighbouring ones, whose steps are independent: another 1/sqrt(2).
    expected = 1 / steps if steps % 2 else 1 / (steps * np.sqrt(2))
    raw = white()
    smoothed = running_mean(raw, steps).isel(time=slice(30, -30))
    got = whole(smoothing(smoothed, raw.isel(time=slice(30, -30)), bootstrap=0).noise_ratio)
    assert got == pytest.approx(expected, rel=0.02)


@settings(max_examples=20, deadline=None)
@given(
    trend=st.floats(-1e3, 1e3),
    cycle=st.floats(-1e3, 1e3),
    crop=st.integers(0, 40),
    gaps=st.booleans(),
)
def test_season_and_trend_do_not_count(trend: float, cycle: float, crop: int, gaps: bool) -> None:
    raw, truth = noise(1, years=30), slow(2, years=30)
    if gaps:
        raw = raw.where(noise(3, years=30) < 1.5)
    raw, truth = raw.isel(time=slice(crop, None)), truth.isel(time=slice(crop, None))
    smoothed = running_mean(raw, 7)
    added = trend * raw.time.dt.decimal_year + cycle * np.cos(raw.time.dt.month)
    names = ["noise_ratio", "correlation_truth"]
    plain = smoothing(smoothed, raw, truth=truth, bootstrap=0)[names]
    xr.testing.assert_allclose(
        smoothing(smoothed + added, raw + added, truth=truth, bootstrap=0)[names], plain, rtol=1e-5
    )


def test_season_stays_where_it_cannot_be_told() -> None:
    cycle = 10 * np.cos(np.pi / 6 * months(60).dt.month)
    cycle = cycle.assign_coords(time=months(60).values)
    raw, smoothed = noise() + cycle, noise()
    short = slice("1960", "1961")
    long = smoothing(smoothed, raw, bootstrap=0).noise_ratio
    kept = smoothing(smoothed.sel(time=short), raw.sel(time=short), bootstrap=0).noise_ratio
    assert whole(long) == pytest.approx(1)
    assert whole(kept) < 0.5


def test_noise_ratio_against_plain_loops() -> None:
    raw = noise(4, columns=1).where(noise(5, columns=1) < 1)
    smoothed = running_mean(raw, 5)

    def steps(series: np.ndarray) -> np.ndarray:
        month = np.arange(series.size) % 12
        design = np.column_stack([month == m for m in range(12)] + [np.arange(series.size)])
        seen = np.isfinite(series)
        design = np.column_stack([design[:, :12], raw.time.dt.decimal_year.values - 1980])
        fit = np.linalg.lstsq(design[seen].astype(float), series[seen], rcond=None)[0]
        return np.diff(series - design @ fit)

    for level, band in enumerate(["0-20", "20-300", "300-800", ">2000"]):
        a, b = (steps(x.values[:, level, 0]) for x in (smoothed, raw))
        expected = np.sqrt(np.nanmean(a**2) / np.nanmean(b**2))
        got = smoothing(smoothed, raw, bootstrap=0).noise_ratio.sel(band=band, era="all")
        assert float(got) == pytest.approx(expected, rel=1e-9)


# ---- truth ----------------------------------------------------------------------------------


def test_raw_scored_against_itself() -> None:
    raw, truth = noise() + slow(), slow()
    score = smoothing(raw, raw, truth=truth, optimum=raw, conserve="5YS", bootstrap=0)
    for name in ("noise_ratio", "correlation_raw", "rmse_ratio"):
        np.testing.assert_allclose(score[name].sel(era="all"), 1, rtol=1e-12)
    np.testing.assert_array_equal(score.closure_residual, 0)
    np.testing.assert_array_equal(score.pulse, score.pulse_raw)


def test_truth_scored_against_itself() -> None:
    score = smoothing(slow(), noise(), truth=slow(), bootstrap=0).sel(era="all")
    np.testing.assert_allclose(score.correlation_truth, 1, rtol=1e-12)
    np.testing.assert_array_equal(score.rmse, 0)
    np.testing.assert_array_equal(score.pulse, 0)


def test_correlation_is_that_of_five_year_means() -> None:
    # No season or trend to remove from either: what is left is numpy's own correlation.
    smoothed, truth = slow(1, columns=1), slow(2, columns=1)
    year = smoothed.time.dt.decimal_year
    month = smoothed.time.dt.month
    for da in (smoothed, truth):
        da.values -= (da.groupby(month).mean() - da.mean("time")).sel(month=month).values
        for _ in range(30):  # alternate projections: season and trend are not orthogonal
            da.values -= xr.polyval(year - 1980, _line(da, year)).transpose(*da.dims).values
            da.values -= da.groupby(month).mean().sel(month=month).values
    means = [da.coarsen(time=60).mean().isel(column=0) for da in (smoothed, truth)]
    got = smoothing(smoothed, noise(columns=1), truth=truth, bootstrap=0).correlation_truth
    for level, value in enumerate(got.sel(era="all").values):
        expected = np.corrcoef(*(m.isel(depth=level) for m in means))[0, 1]
        assert value == pytest.approx(expected, abs=1e-6)


def _line(da: xr.DataArray, year: xr.DataArray) -> xr.DataArray:
    shifted = da.assign_coords(time=year.values - 1980)
    return shifted.polyfit("time", 1).polyfit_coefficients


def test_too_few_windows_have_no_correlation() -> None:
    raw = noise().sel(time=slice("1960", "1969"))
    assert smoothing(raw, raw, truth=raw, bootstrap=0).correlation_truth.isnull().all()


def test_error_and_its_ratio_to_the_optimum() -> None:
    truth = slow()
    ones = xr.ones_like(truth)
    score = smoothing(truth + 0.3 * ones, truth, truth=truth, optimum=truth - 0.2, bootstrap=0)
    np.testing.assert_allclose(score.rmse, 0.3)
    np.testing.assert_allclose(score.rmse_ratio, 1.5)
    assert score.rmse.attrs["units"] == "K"


def test_pulses_are_counted() -> None:
    truth = noise()
    raw = truth.copy(deep=True)
    raw[{"time": [10, 20, 30, 40]}] += 10 * truth.std("time")
    smoothed = raw.copy(deep=True)
    smoothed[{"time": [10, 20, 30]}] = truth.isel(time=[10, 20, 30])
    score = smoothing(smoothed, raw, truth=truth, bootstrap=0).sel(era="all")
    np.testing.assert_allclose(score.pulse, 1 / truth.sizes["time"])
    np.testing.assert_allclose(score.pulse_raw, 4 / truth.sizes["time"])


# ---- windows --------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_closure(weighted: bool) -> None:
    raw = noise(1)
    weights = abs(noise(2)).isel(column=0, drop=True) if weighted else xr.ones_like(raw[..., 0])
    window = raw.time.dt.year // 5
    left = (weights * (raw - running_mean(raw, 9))).groupby(window).sum()
    share = left / weights.groupby(window).sum()
    closed = running_mean(raw, 9) + share.sel(year=window)
    kwargs = {"weights": weights, "conserve": "5YS", "bootstrap": 0}
    assert float(smoothing(closed, raw, **kwargs).closure_residual.max()) < 1e-13
    assert float(smoothing(running_mean(raw, 9), raw, **kwargs).closure_residual.min()) > 1e-3
    np.testing.assert_allclose(smoothing(0.9 * abs(raw), abs(raw), **kwargs).closure_residual, 0.1)


def test_closure_of_a_window_in_which_nothing_was_observed() -> None:
    raw = abs(noise(years=20)).where(noise(years=20).time.dt.year != 1961, 0)
    moved = raw + xr.where(raw.time.dt.year == 1961, 0.5, 0)
    usual = raw.groupby("time.year").sum().where(lambda amount: amount > 0).mean("year")
    expected = (12 * 0.5 / usual).max("column")
    got = smoothing(moved, raw, conserve="YS", bootstrap=0).closure_residual
    np.testing.assert_allclose(got.sel(era="all"), expected)
    assert float(smoothing(raw, raw, conserve="YS", bootstrap=0).closure_residual.max()) == 0


def test_edges_stand_out_by_the_steps_that_were_put_there() -> None:
    raw = noise()
    stairs = xr.zeros_like(raw) + np.arange(raw.sizes["time"]).reshape(-1, 1, 1) * 1.0
    window = np.arange(raw.sizes["time"]) // 60
    stairs = stairs + 4 * window.reshape(-1, 1, 1)  # steps of 1 inside, of 5 over an edge
    score = smoothing(stairs + raw, raw, conserve=window, bootstrap=0).sel(era="all")
    np.testing.assert_allclose(score.edge_ratio_correction, 5)
    same = smoothing(stairs, raw, conserve="5YS", bootstrap=0).sel(era="all")
    np.testing.assert_allclose(same.edge_ratio, 5)


# ---- bands, eras, layouts -------------------------------------------------------------------


def test_bands_follow_depth() -> None:
    raw = noise()
    factor = xr.DataArray([0.1, 0.2, 0.3, 0.4], dims="depth", coords={"depth": DEPTH})
    got = smoothing(factor * raw, raw, bootstrap=0).noise_ratio.sel(era="all")
    assert list(got.band.values) == ["0-20", "20-300", "300-800", ">2000"]
    np.testing.assert_allclose(got, [0.1, 0.2, 0.3, 0.4])
    up = raw.assign_coords(depth=-raw.depth)
    np.testing.assert_allclose(smoothing(up, up, bootstrap=0).noise_ratio.sel(era="all"), 1)
    assert smoothing(up, up, bands=[0, 1000], bootstrap=0).sizes["band"] == 1
    assert list(smoothing(raw[:, 0], raw[:, 0], bootstrap=0).band.values) == ["all"]


def test_eras_follow_time() -> None:
    raw = noise()
    year = raw.time.dt.year
    factor = xr.where(year < 1970, 0.1, xr.where(year < 2004, 0.5, 0.9))
    truth = xr.zeros_like(raw)
    expected = smoothing(factor * raw, raw, truth=truth, bootstrap=0)
    rms = {
        name: float(np.sqrt(((factor * raw) ** 2)[part.values].mean()))
        for name, part in (("ship", year < 1970), ("argo", year >= 2004))
    }
    for name, value in rms.items():
        pooled = np.sqrt((expected.rmse.sel(era=name) ** 2).mean())
        assert float(pooled) == pytest.approx(value, rel=1e-12)
    names = np.where(year < 1970, "ship", np.where(year < 2004, "xbt", "argo"))
    flags = np.where(year < 1970, 0, np.where(year < 2004, 1, 2))
    flag_attrs = {"flag_values": np.arange(3), "flag_meanings": "ship xbt argo"}
    slices = {
        "ship": slice(None, "1969"),
        "xbt": slice("1970", "2003"),
        "argo": slice("2004", None),
    }
    text = raw.assign_coords(era=("time", names))
    flagged = raw.assign_coords(era=("time", flags, flag_attrs))
    for smoothed, eras in ((text, None), (flagged, None), (raw, slices), (raw, text.era)):
        got = smoothing(factor * smoothed, smoothed, truth=truth, eras=eras, bootstrap=0)
        xr.testing.assert_identical(got, expected)


def test_eras_may_overlap_and_all_is_all() -> None:
    raw = noise()
    eras = {"early": slice(None, "1980"), "late": slice("1970", None), "every": slice(None)}
    score = smoothing(running_mean(raw, 5), raw, truth=slow(), eras=eras, bootstrap=0)
    assert list(score.era.values) == ["all", "early", "late", "every"]
    xr.testing.assert_allclose(
        score.sel(era="every", drop=True), score.sel(era="all", drop=True), rtol=1e-12
    )


@settings(max_examples=10, deadline=None)
@given(
    order=st.permutations(["time", "depth", "lat", "lon"]),
    chunks=st.none() | st.tuples(st.integers(50, 300), st.integers(1, 4), st.integers(1, 3)),
    block=st.sampled_from([1, 4000, 10**9]),
)
def test_layout_chunks_and_blocks_change_nothing(
    order: list[str], chunks: tuple[int, int, int] | None, block: int
) -> None:
    raw, truth = noise(columns=6, years=20), slow(columns=6, years=20)
    kwargs = {"conserve": "5YS", "bootstrap": 20}
    expected = smoothing(running_mean(raw, 5), raw, truth=truth, **kwargs)

    def fold(da: xr.DataArray) -> xr.DataArray:
        values = da.values.reshape(*da.shape[:2], 2, 3)
        grid = xr.DataArray(values, dims=("time", "depth", "lat", "lon"), attrs=da.attrs)
        grid = grid.assign_coords(time=da.time, depth=da.depth, lat=[0, 1]).transpose(*order)
        return (
            grid.chunk(dict(zip(("time", "depth", "lon"), chunks, strict=True))) if chunks else grid
        )

    before = sums._BLOCK
    try:
        sums._BLOCK = block
        got = smoothing(fold(running_mean(raw, 5)), fold(raw), truth=fold(truth), **kwargs)
    finally:
        sums._BLOCK = before
    xr.testing.assert_allclose(got, expected, rtol=1e-9)


def test_land_and_empty_weights_count_for_nothing() -> None:
    raw, truth = noise(), slow()
    land = xr.full_like(raw, np.nan)
    kwargs = {"conserve": "5YS"}
    expected = smoothing(running_mean(raw, 5), raw, truth=truth, **kwargs)
    wide, wide_truth = (xr.concat([land, x, land], "column") for x in (raw, truth))
    xr.testing.assert_identical(
        smoothing(running_mean(wide, 5), wide, truth=wide_truth, **kwargs), expected
    )
    loud = xr.concat([100 * raw + 7, raw], "column")
    weights = xr.DataArray(np.repeat([0.0, 2.0], 6), dims="column")
    both = smoothing(
        running_mean(loud, 5),
        loud,
        truth=xr.concat([truth, truth], "column"),
        weights=weights,
        **kwargs,
    )
    xr.testing.assert_allclose(both, expected, rtol=1e-12)


def test_units_are_those_of_raw() -> None:
    raw, truth = noise(), slow()
    expected = smoothing(running_mean(raw, 5), raw, truth=truth, bootstrap=0)
    milli = (1000 * truth).assign_attrs(units="mK")
    celsius = running_mean(raw, 5).assign_attrs(units="degC")
    got = smoothing(celsius, raw, truth=milli, bootstrap=0)
    xr.testing.assert_allclose(got, expected, rtol=1e-12)
    pint = pytest.importorskip("pint")
    quantity = pint.get_application_registry().Quantity(raw.values, "K")
    got = smoothing(celsius, raw.copy(data=quantity), truth=milli, bootstrap=0)
    xr.testing.assert_allclose(got, expected, rtol=1e-12)
    with pytest.raises(UnitsError):
        smoothing(raw, raw.assign_attrs(units="m"))


def test_a_lone_series_is_scored() -> None:
    raw = noise(1).isel(column=0, depth=1)
    together = noise(1).isel(column=[0], depth=[1])
    got = smoothing(running_mean(raw, 5), raw, conserve="5YS", bootstrap=0)
    expected = smoothing(running_mean(together, 5), together, conserve="5YS", bootstrap=0)
    xr.testing.assert_allclose(got.isel(band=0, drop=True), expected.isel(band=0, drop=True))


def test_weights_pool_columns() -> None:
    truth = noise(columns=2)
    smoothed = truth + xr.DataArray([1.0, 2.0], dims="column")
    weights = xr.DataArray([3.0, 1.0], dims="column")
    score = smoothing(smoothed, truth, truth=truth, weights=weights, bootstrap=0)
    np.testing.assert_allclose(score.rmse, np.sqrt((3 * 1 + 1 * 4) / 4))


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "proleptic_gregorian"])
def test_calendars(calendar: str) -> None:
    raw = noise().assign_coords(time=months(60, calendar=calendar, use_cftime=True).values)
    score = smoothing(running_mean(raw, 5), raw, truth=raw, conserve="5YS", bootstrap=10)
    expected = smoothing(running_mean(noise(), 5), noise(), truth=noise(), conserve="5YS")
    assert list(score.era.values) == ["all", "ship", "xbt", "argo"]
    xr.testing.assert_allclose(score.noise_ratio, expected.noise_ratio, rtol=1e-3)
    xr.testing.assert_allclose(score.closure_residual, expected.closure_residual, rtol=1e-12)


def test_single_precision_is_summed_in_double() -> None:
    raw = noise().astype("float32") + np.float32(300)
    exact = raw.astype(float)
    got = smoothing(running_mean(exact, 5), raw, bootstrap=0)
    xr.testing.assert_identical(got, smoothing(running_mean(exact, 5), exact, bootstrap=0))


# ---- intervals ------------------------------------------------------------------------------


def test_interval_has_the_width_of_the_sampling_error() -> None:
    error = noise(7, years=2, columns=90).isel(depth=0, drop=True)
    truth = xr.zeros_like(error)
    score = smoothing(error, error, truth=truth, bootstrap=2000)
    assert whole(score.rmse_low) < whole(score.rmse) < whole(score.rmse_high)
    width = whole(score.rmse_high) - whole(score.rmse_low)
    # sd of the root mean square of n unit normal values is 1 / sqrt(2 n)
    assert width == pytest.approx(2 * 1.96 / np.sqrt(2 * error.size), rel=0.3)


@pytest.mark.parametrize("columns", [1, 5, 250])
def test_intervals_hold_the_score_and_repeat(columns: int) -> None:
    raw = noise(1, columns=columns) + slow(2, columns=columns)
    score = smoothing(running_mean(raw, 9), raw, truth=slow(2, columns=columns), bootstrap=200)
    for name in ("noise_ratio", "rmse", "correlation_raw", "correlation_truth"):
        value, low, high = (score[name + end].sel(era="all") for end in ("", "_low", "_high"))
        assert bool(((low <= value) & (value <= high) & (low < high)).all()), name
    again = smoothing(running_mean(raw, 9), raw, truth=slow(2, columns=columns), bootstrap=200)
    xr.testing.assert_identical(score, again)


def test_scores_say_what_they_are() -> None:
    raw = noise()
    score = smoothing(raw, raw, truth=raw, optimum=raw, conserve="5YS", bootstrap=5)
    assert score.sizes == {"band": 4, "era": 4}
    names = {str(name) for name in score}
    assert {name for name in names if not name.endswith(("_low", "_high"))} == {
        "noise_ratio",
        "correlation_truth",
        "correlation_raw",
        "rmse",
        "rmse_ratio",
        "pulse",
        "pulse_raw",
        "closure_residual",
        "edge_ratio",
        "edge_ratio_correction",
    }
    for variable in score.data_vars.values():
        assert {"long_name", "units", "definition"} <= set(variable.attrs)
        assert variable.dtype == np.float64
    assert set(smoothing(raw, raw, bootstrap=0)) == {"noise_ratio", "correlation_raw"}


BAD = [
    (lambda raw: (raw.drop_vars("time"), raw, {}), "time dimension without times"),
    (lambda raw: (raw[::-1], raw, {}), "sort"),
    (lambda raw: (raw, raw[1:], {}), "share their coordinates"),
    (lambda raw: (raw.isel(column=0), raw, {}), "raw has dimensions"),
    (lambda raw: (raw, raw, {"conserve": "5 weeks"}), "'5 weeks' cannot be read"),
    (lambda raw: (raw, raw, {"conserve": [1, 2]}), "one label for each"),
    (lambda raw: (raw, raw, {"eras": xr.DataArray([1, 2])}), "one label for each"),
    (lambda raw: (raw, raw, {"bands": [5000, 6000]}), "no level between"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_input(make, message: str) -> None:
    smoothed, raw, kwargs = make(noise(years=5))
    with pytest.raises(GridError, match=message):
        smoothing(smoothed, raw, **kwargs)


# ---- rivals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 4, 5, 12, 1000])
@pytest.mark.parametrize("gaps", [False, True])
def test_running_mean_against_its_definition(steps: int, gaps: bool) -> None:
    x = noise(3, years=4, columns=2).where(noise(4, years=4, columns=2) < 1 + 9 * (not gaps))
    got = running_mean(x, steps)
    series, half = x.values[:, 1, 1], steps // 2
    for k in range(series.size):
        near = np.arange(max(k - half, 0), min(k + half + 1, series.size))
        weight = np.where((steps % 2 == 0) & (abs(near - k) == half), 0.5, 1.0)
        seen = np.isfinite(series[near])
        expected = np.average(series[near][seen], weights=weight[seen]) if seen.any() else np.nan
        expected = expected if np.isfinite(series[k]) else np.nan
        np.testing.assert_allclose(got.values[k, 1, 1], expected, rtol=1e-9)


@pytest.mark.parametrize("lam", [0.0, 3.0, 1e5])
def test_whittaker_against_a_dense_solve(lam: float) -> None:
    x = noise(3, years=4, columns=2).where(noise(4, years=4, columns=2) < 1)
    got = whittaker(x, lam)
    second = np.diff(np.eye(48), 2, axis=0)
    for level, column in np.ndindex(4, 2):
        series = x.values[:, level, column]
        seen = np.isfinite(series)
        system = np.diag(seen * 1.0) + lam * second.T @ second
        if lam == 0:
            system += np.diag(~seen * 1.0)
        expected = np.linalg.solve(system, np.where(seen, series, 0))
        np.testing.assert_allclose(
            got.values[seen, level, column], expected[seen], rtol=1e-6, atol=1e-9
        )
        assert np.isnan(got.values[~seen, level, column]).all()


def test_whittaker_conserves_the_sum_and_lines() -> None:
    x = noise(5)
    np.testing.assert_allclose(whittaker(x, 1e4).sum("time"), x.sum("time"), atol=1e-7)
    line = x.isel(time=0, drop=True) + 0.1 * xr.DataArray(np.arange(720.0), dims="time")
    np.testing.assert_allclose(whittaker(line, 1e4, dim="time"), line, atol=1e-7)


@pytest.mark.parametrize("smoother", [lambda x: running_mean(x, 7), lambda x: whittaker(x, 50.0)])
def test_rivals_keep_layout(smoother) -> None:
    x = noise().transpose("column", "time", "depth").astype("float32")
    x[0] = np.nan
    x[1, 1:] = np.nan
    got = smoother(x)
    assert (got.dims, got.dtype, got.attrs) == (x.dims, x.dtype, x.attrs)
    np.testing.assert_array_equal(got.isnull(), x.isnull())
    np.testing.assert_allclose(got[1, 0], x[1, 0], rtol=1e-6)
    lazy = smoother(x.chunk(time=100, column=2))
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), got)


# ---- frontier -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sweep() -> xr.Dataset:
    truth = slow(1, columns=3)
    raw = truth + noise(2, columns=3)
    methods = {
        "running mean": lambda n: running_mean(raw, int(n)),
        "whittaker": [(lam, whittaker(raw, lam)) for lam in (1.0, 100.0, 1e4)],
        "biased": [(lam, whittaker(raw, lam) + 2) for lam in (1.0, 100.0)],
    }
    return frontier(
        raw,
        truth,
        methods,
        parameters={"running mean": [3, 7, 13, 25]},
        optimum=whittaker(raw, 1e3),
    )


def test_frontier_tables_each_method(sweep: xr.Dataset) -> None:
    assert sweep.rmse.dims == ("smoother", "parameter", "band", "era")
    assert sweep.optimum_rmse.dims == ("band", "era")
    np.testing.assert_array_equal(sweep["value"].sel(smoother="running mean"), [3, 7, 13, 25])
    np.testing.assert_array_equal(sweep["value"].sel(smoother="whittaker"), [1, 100, 1e4, np.nan])
    noise_ratio = sweep.noise_ratio.sel(smoother="running mean")
    assert bool((noise_ratio.diff("parameter") < 0).all())


def test_error_at_the_noise_of_a_setting_is_its_own(sweep: xr.Dataset) -> None:
    for k in range(4):
        wanted = sweep.noise_ratio.sel(smoother="running mean").isel(parameter=k, drop=True)
        got = at_noise(sweep, wanted.drop_vars("smoother")).sel(smoother="running mean")
        expected = sweep.rmse.sel(smoother="running mean").isel(parameter=k, drop=True)
        np.testing.assert_allclose(got, expected)
    assert at_noise(sweep, 5.0).isnull().all()


def test_a_sweep_that_turns_back_counts_with_its_smaller_error() -> None:
    dims = ("smoother", "parameter")
    turned = xr.Dataset(
        {"noise_ratio": (dims, [[0.4, 0.1, 0.4]]), "rmse": (dims, [[3.0, 1.0, 2.0]])}
    )
    np.testing.assert_allclose(at_noise(turned, 0.2), 1.5)
    np.testing.assert_allclose(at_noise(turned, 0.4), 2)
    assert at_noise(turned, 0.05).isnull().all()


def test_a_biased_method_is_outside_and_a_good_one_inside(sweep: xr.Dataset) -> None:
    assert not inside(sweep, "biased").sel(era="all").any()
    assert inside(sweep, "whittaker").sel(era="all").any("parameter").all()
    # A copy neither shades its original nor is shaded by it.
    copy = sweep.sel(smoother=["whittaker"]).assign_coords(smoother=["copy"])
    twin = xr.concat([sweep, copy], "smoother", data_vars="minimal")
    shared = inside(twin, "copy")
    np.testing.assert_array_equal(shared, inside(twin, "whittaker"))
    assert shared.sel(era="all").any("parameter").all()


def test_frontier_needs_the_parameters_of_a_function() -> None:
    with pytest.raises(ValueError, match="parameters"):
        frontier(noise(), noise(), {"mean": lambda n: noise()})


def test_import_is_light() -> None:
    code = (
        "import sys, xocean_ml.metrics as m; m.smoothing.__call__; "
        "bad = {'scipy', 'matplotlib', 'torch', 'numba', 'dask'} & set(sys.modules); "
        "import xocean_ml.metrics.smoothing; assert callable(m.smoothing); "
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
