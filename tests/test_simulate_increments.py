"""Laws of the increment twin: exact optima, frozen numbers, randomness keyed by position."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from xocean_ml.errors import GridError
from xocean_ml.simulate import increments
from xocean_ml.simulate._kalman import Cycles, Law, gains, run_cycles, smooth
from xocean_ml.simulate._world import observe
from xocean_ml.simulate.families import FACTORS, FAMILIES, PROFILES, Family, fingerprint

Array = np.ndarray[Any, np.dtype[np.float64]]


# ---- the optima against dense linear algebra ------------------------------------------------


class Short:
    """A short twin of four cells, uneven steps, gaps, and both kinds of observation."""

    def __init__(self, seed: int = 0, steps: int = 36) -> None:
        rng = np.random.default_rng(seed)
        self.law = Law(
            drift=np.array([0.3, 2.5, 0.01, 1.0]),
            drift_time=np.array([4.0, 0.15, 9.0, 0.5]),
            noise=np.array([0.2, 0.9, 0.003, 0.001]),
            restoring=np.array([2.0, 0.12, 15.0, 1.0]),
        )
        self.error = np.array([0.5, 0.6, 0.02, 0.9])
        self.coarse = np.array([2.0, 1.5, 3.0, 2.5])
        self.dt = rng.uniform(0.02, 0.4, steps)
        shape = (steps, 4)
        self.counts = rng.poisson(0.6, (2, *shape)).astype(float)
        self.counts[:, 5:12] = 0
        self.xi = rng.standard_normal((2, *shape))
        self.observed = observe(self.counts, self.xi, self.error, self.coarse)
        with np.errstate(divide="ignore"):
            assumed = 1.3 * self.error**2 / self.counts.sum(0)
        growth = 3 * self.law.noise**2 + self.law.drift**2
        self.gain, self.spread = gains(self.law, self.dt, assumed, growth)
        noise = {"start": rng.standard_normal((2, 4))}
        noise |= {name: rng.standard_normal(shape) for name in ("shock", "noise")}
        self.cycles: Cycles = run_cycles(self.law, self.dt, self.gain, self.observed, noise)

    def optimum_a(self) -> Array:
        d = self.cycles.increment
        seen = np.divide(d, self.gain, out=np.zeros_like(d), where=self.gain > 0)
        return smooth(self.law, self.dt, seen, self.observed.equal_variance, d)

    def optimum_b(self) -> Array:
        y = self.cycles.free + self.observed.best
        return smooth(self.law, self.dt, y, self.observed.best_variance)


def stationary(law: Law, i: int) -> Array:
    """Covariance of (e, b) of a free model, from the continuous equations."""
    from scipy.linalg import solve_continuous_lyapunov

    drift = np.array([[-1 / law.restoring[i], 1.0], [0.0, -1 / law.drift_time[i]]])
    forcing = np.diag([law.noise[i] ** 2, 2 * law.drift[i] ** 2 / law.drift_time[i]])
    return solve_continuous_lyapunov(drift, -forcing)


class Joint:
    """All that a cell's twin holds as rows over one vector of independent normal numbers."""

    def __init__(self, twin: Short, i: int) -> None:
        law, n = twin.law, len(twin.dt)
        names = ["e", "b"] + [f"{kind}{k}" for kind in ("eta", "q", "p", "c") for k in range(n)]
        unit = dict(zip(names, np.eye(len(names)), strict=True))
        start = np.linalg.cholesky(stationary(law, i))
        z, b = (row[0] * unit["e"] + row[1] * unit["b"] for row in start)
        e, d = z, 0 * z
        self.truth, self.d, self.y = [], [], []
        self.d_at, self.y_at = [], []
        for k, dt in enumerate(twin.dt):
            rho, phi = np.exp(-dt / law.drift_time[i]), np.exp(-dt / law.restoring[i])
            b = rho * b + law.drift[i] * np.sqrt(1 - rho**2) * unit[f"eta{k}"]
            push = dt * b + law.noise[i] * np.sqrt(dt) * unit[f"q{k}"]
            z, e = phi * z + push, phi * (e - d) + push
            self.truth.append(dt * b)
            seen, total = 0 * z, twin.counts[:, k, i].sum()
            for kind, spread in enumerate((1.0, twin.coarse[i])):
                count = twin.counts[kind, k, i]
                if count:
                    mean = spread * twin.error[i] / np.sqrt(count) * unit[f"{'pc'[kind]}{k}"]
                    self.y.append(z + mean)
                    self.y_at.append((kind, k))
                    seen = seen + count / total * mean
            d = twin.gain[k, i] * (e + seen) if total else 0 * z
            if total:
                self.d.append(d)
                self.d_at.append(k)

    def given(self, rows: list[Array], values: Array) -> Array:
        """E[truth | rows = values]."""
        t, o = np.array(self.truth), np.array(rows)
        return t @ o.T @ np.linalg.solve(o @ o.T, values)

    def error_variance(self, rows: list[Array]) -> Array:
        t, o = np.array(self.truth), np.array(rows)
        return np.diag(t @ t.T - t @ o.T @ np.linalg.solve(o @ o.T, o @ t.T))


@pytest.mark.parametrize("i", range(4))
def test_optimum_a_is_the_conditional_mean_given_the_increments(i: int) -> None:
    twin = Short()
    joint = Joint(twin, i)
    expected = joint.given(joint.d, twin.cycles.increment[joint.d_at, i])
    scale = twin.cycles.true[:, i].std()
    np.testing.assert_allclose(twin.optimum_a()[:, i] / scale, expected / scale, atol=1e-8)


@pytest.mark.parametrize("i", range(4))
def test_optimum_b_is_the_conditional_mean_given_each_kind_of_observation(i: int) -> None:
    twin = Short(1)
    joint = Joint(twin, i)
    spread = np.array([np.ones(4), twin.coarse])
    values = np.array(
        [
            twin.cycles.free[k, i]
            + spread[kind, i]
            * twin.error[i]
            / np.sqrt(twin.counts[kind, k, i])
            * twin.xi[kind, k, i]
            for kind, k in joint.y_at
        ]
    )
    scale = twin.cycles.true[:, i].std()
    expected = joint.given(joint.y, values)
    np.testing.assert_allclose(twin.optimum_b()[:, i] / scale, expected / scale, atol=1e-8)


def test_observations_know_no_less_than_increments() -> None:
    twin = Short(2)
    for i in range(4):
        joint = Joint(twin, i)
        a, b = joint.error_variance(joint.d), joint.error_variance(joint.y)
        assert (b <= a * (1 + 1e-9)).all()
        assert b.sum() < 0.9999 * a.sum()


def test_with_one_kind_of_observation_both_optima_are_one() -> None:
    twin = Short(3)
    twin.counts[1] = 0
    observed = observe(twin.counts, twin.xi, twin.error, twin.coarse)
    np.testing.assert_allclose(observed.equal, observed.best, atol=1e-14)
    np.testing.assert_allclose(observed.equal_variance, observed.best_variance)


def test_stationary_law_solves_the_continuous_equations() -> None:
    law = Short().law
    got = np.array(law.stationary())
    for i in range(4):
        want = stationary(law, i)
        np.testing.assert_allclose(got[:, i], [want[0, 0], want[0, 1], want[1, 1]], rtol=1e-10)


def test_the_books_balance() -> None:
    # truth - model without assimilation, less all that assimilation added and the model has not
    # yet forgotten, is the forecast's error.
    twin = Short(4)
    added = np.zeros(4)
    for k, dt in enumerate(twin.dt):
        phi = np.exp(-dt / twin.law.restoring)
        before = twin.cycles.increment[k - 1] if k else 0
        added = phi * (added + before)
        np.testing.assert_allclose(
            twin.cycles.forecast_error[k], twin.cycles.free[k] - added, atol=1e-12
        )


def test_gain_and_spread_follow_from_each_other() -> None:
    twin = Short(5)
    none = twin.counts.sum(0) == 0
    assert (twin.gain[none] == 0).all()
    assert (twin.spread[none] == 0).all()
    assert ((twin.gain[~none] > 0) & (twin.gain[~none] < 1)).all()
    with np.errstate(divide="ignore", invalid="ignore"):
        assumed = 1.3 * twin.error**2 / twin.counts.sum(0)
        forecast = twin.gain * assumed / (1 - twin.gain)  # K = P / (P + R), solved for P
        expected = twin.gain * np.sqrt(forecast + assumed)
    np.testing.assert_allclose(twin.spread[~none], expected[~none])


# ---- the world ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def twin() -> xr.Dataset:
    return increments("train", columns=40, dtype="float64")


def rms(values: Any) -> float:
    return float(np.sqrt((np.asarray(values, float) ** 2).mean()))


def in_era(ds: xr.Dataset, name: str) -> xr.Dataset:
    code = ds["era"].attrs["flag_meanings"].split().index(name)
    return ds.isel(time=ds["era"].values == code)


@pytest.mark.parametrize("era", ["ship", "xbt", "argo"])
@pytest.mark.parametrize("band", [(0, 20), (20, 300), (300, 800), (800, 2000), (2000, 5000)])
def test_errors_of_the_optima_are_in_order(
    twin: xr.Dataset, era: str, band: tuple[float, float]
) -> None:
    # Level by level in units of its truth: better than nothing, than raw, than any running mean.
    part = twin.sel(depth=slice(*band))
    scale = part["true_increment"].std("time")
    errors = {
        name: rms(in_era((part[name] - part["true_increment"]).to_dataset(name="x") / scale, era).x)
        for name in ("temperature_increment", "optimum_a", "optimum_b")
    }
    means = [
        part["temperature_increment"].rolling(time=width, center=True, min_periods=1).mean()
        for width in (7, 25, 61, 121)
    ]
    best = min(
        rms(in_era((mean - part["true_increment"]).to_dataset(name="x") / scale, era).x)
        for mean in means
    )
    assert errors["optimum_b"] < 1.01 * errors["optimum_a"]
    assert errors["optimum_a"] < min(best, 1.0)
    assert best < errors["temperature_increment"]


def test_what_an_optimum_leaves_is_uncorrelated_with_it(twin: xr.Dataset) -> None:
    for name in ("optimum_a", "optimum_b"):
        scale = twin["true_increment"].std(("time", "column"))
        left, kept = (twin["true_increment"] - twin[name]) / scale, twin[name] / scale
        assert abs(float((left * kept).mean() / (kept**2).mean())) < 0.05


def test_each_optimum_trusts_its_own_mean_of_observations() -> None:
    # Where kinds differ much, weighing them alike costs; and an optimum that is given the wrong
    # error variance is no longer uncorrelated with what it leaves.
    mixed = {"coarse": (6, 6), "error": (2, 2), "density": (2, 2)}
    ds = increments("train", columns=150, years=(1990, 2019), **mixed, depth=[100, 350], dtype="f8")
    scale = ds["true_increment"].std(("time", "column"))
    left = {name: (ds["true_increment"] - ds[name]) / scale for name in ("optimum_a", "optimum_b")}
    for name, each in left.items():
        kept = ds[name] / scale
        assert abs(float((each * kept).mean() / (kept**2).mean())) < 0.04, name
    assert rms(left["optimum_b"]) < 0.93 * rms(left["optimum_a"])


def test_increments_add_up_to_the_truth_where_much_is_observed() -> None:
    # The model forgets slowly and is observed well: five years of increments are those of truth.
    ds = increments("train", columns=60, years=(1980, 2019), density=(8, 8), restoring=(2, 2))
    late = in_era(ds, "argo").sel(depth=slice(300, 1900)).isel(time=slice(0, 180))
    raw, truth = (
        late[name].coarsen(time=60).sum().values.ravel()
        for name in ("temperature_increment", "true_increment")
    )
    assert np.corrcoef(raw, truth)[0, 1] > 0.93
    assert 0.85 < (raw @ truth) / (truth @ truth) < 1.05


def test_near_the_surface_increments_are_nearly_white(twin: xr.Dataset) -> None:
    d = twin["temperature_increment"].sel(depth=slice(0, 20)).values
    for lag in (1, 2, 6, 12):
        assert abs(np.corrcoef(d[lag:].ravel(), d[:-lag].ravel())[0, 1]) < 0.15


def test_rare_observations_make_pulses(twin: xr.Dataset) -> None:
    d, truth = (
        in_era(twin, "ship")[name].sel(depth=slice(300, 2000))
        for name in ("temperature_increment", "true_increment")
    )
    assert float((d == 0).mean()) > 0.8
    assert rms(d.values[d.values != 0]) > 8 * rms(truth)


def test_observations_thin_out_downward_and_grow_over_the_eras(twin: xr.Dataset) -> None:
    count = twin["number_of_observations"]
    assert int(count.diff("depth").max()) <= 0
    mean = [
        in_era(twin, era)["number_of_observations"].mean(("time", "column"))
        for era in ("ship", "xbt", "argo")
    ]
    assert all((mean[1] > mean[0]) & (mean[2] > mean[1]))
    assert float(mean[1].sel(depth=950)) < 0.1 * float(mean[1].sel(depth=350))
    assert float(mean[2].sel(depth=2500)) < 0.1


def test_increment_is_zero_exactly_where_nothing_is_observed(twin: xr.Dataset) -> None:
    none = twin["number_of_observations"] == 0
    for name in ("temperature_increment", "temperature_increment_spread", "gain"):
        assert bool(((twin[name] == 0) == none).all()), name


def test_spread_has_the_sampling_error_of_the_ensemble() -> None:
    few, many = (
        increments("train", columns=5, members=members, dtype="float64")
        for members in (40, 10_000_000)
    )
    seen = few["gain"].values > 0
    ratio = (few["temperature_increment_spread"] / many["temperature_increment_spread"]).values[
        seen
    ]
    np.testing.assert_allclose((ratio**2).mean(), 1, atol=0.01)
    np.testing.assert_allclose((ratio**2).var(), 2 / 39, rtol=0.1)
    xr.testing.assert_equal(few["temperature_increment"], many["temperature_increment"])


def test_spread_is_that_of_the_increments_if_the_filter_is_tuned_and_nothing_drifts() -> None:
    # One kind of observation, no drift, the assumed error the true one: K sqrt(P + R) is then the
    # standard deviation of the increments themselves.
    tuned = {"tuning": (1, 1), "coarse": (1, 1), "drift": (1e-9, 1e-9), "members": 1_000_000}
    ds = increments("train", columns=30, **tuned, dtype="float64")
    d, spread = ds["temperature_increment"].values, ds["temperature_increment_spread"].values
    np.testing.assert_allclose(rms(d[spread > 0] / spread[spread > 0]), 1, atol=0.01)


def test_truth_has_the_law_it_claims() -> None:
    ds = increments("train", columns=60, drift=(1, 1), drift_time=(1, 1), dtype="float64")
    dt = np.diff(ds["time_bnds"].values, axis=1) / np.timedelta64(1, "D") / 365.25
    b = ds["true_increment"] / xr.DataArray(dt[:, 0], dims="time")
    for depth in (5.0, 100.0, 530.0):
        std, memory = (np.interp(np.log(depth), np.log(PROFILES["depth"]), PROFILES[name])
                       for name in ("drift", "drift_time"))  # fmt: skip
        level = b.sel(depth=depth)
        assert rms(level) == pytest.approx(std, rel=0.1)
        lag = float((level.values[12:] * level.values[:-12]).mean() / rms(level) ** 2)
        assert lag == pytest.approx(np.exp(-1 / memory), abs=0.1)


def test_levels_are_tied_by_log_depth() -> None:
    alike = dict.fromkeys(("drift", "drift_time"), (1, 1))
    depth = [400.0, 440.0, 1500.0]  # drift_time is about the same at the first two
    ds = increments("train", columns=80, **alike, depth=depth, vertical=0.5, dtype="float64")
    truth = ds["true_increment"].transpose("depth", ...).values.reshape(3, -1)
    found = np.corrcoef(truth)
    assert found[0, 1] == pytest.approx(np.exp(-np.log(440 / 400) / 0.5), abs=0.02)
    assert abs(found[0, 2]) < 0.15


def test_eras_begin_within_a_year() -> None:
    ds = increments("train", columns=1, years=(1969, 1972), xbt=1970.5, depth=[10.0])
    assert str(ds["time"].values[ds["era"].values == 1][0])[:7] == "1970-07"


# ---- randomness keyed by position -----------------------------------------------------------


def test_a_column_is_the_same_whatever_others_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    years = (1990, 1999)
    all_of_them = increments("train", columns=7, years=years)
    some = increments("train", columns=[5, 2], years=years)
    xr.testing.assert_identical(all_of_them.sel(column=[5, 2]), some)
    module = importlib.import_module("xocean_ml.simulate.increments")
    monkeypatch.setattr(module, "CELLS", 2 * 120 * 20)  # blocks of two columns
    xr.testing.assert_identical(increments("train", columns=7, years=years), all_of_them)


def test_later_years_do_not_change_earlier_ones() -> None:
    short, long = (
        increments("train", columns=3, years=(1985, last), dtype="float64") for last in (1994, 2010)
    )
    for name in ("temperature_increment", "temperature_increment_spread", "true_increment",
                 "number_of_observations"):  # fmt: skip
        np.testing.assert_allclose(long[name][:120], short[name], rtol=0, atol=1e-12)


def test_seeds_and_families_share_no_noise() -> None:
    same = {"columns": 3, "years": (1995, 2004), "step": "MS", "dtype": "float64"}
    one = FAMILIES["train"]
    shared = {name: getattr(one, name) for name in (*FACTORS, "xbt", "argo", "ramp", "vertical")}
    worlds = [increments("train", seed=seed, **same) for seed in (0, 1)]
    worlds += [increments(name, **same, **shared) for name in FAMILIES if name != "train"]
    values = [ds["true_increment"].values[:, :2].ravel() for ds in worlds]
    apart = np.abs(np.corrcoef(values) - np.eye(len(values)))
    assert apart.max() < 0.35
    repeat = increments("train", seed=0, **same)
    xr.testing.assert_identical(repeat, worlds[0])


# ---- frozen families ------------------------------------------------------------------------


def test_the_families_are_frozen() -> None:
    assert fingerprint() == "c066cbebbd7b4dbd3ff2e3f9dfdbd78c136351ab7e6fe0483c8c8c3380851332", (
        "A number in xocean_ml/simulate/families.py was changed. The twins were written down "
        "before any model that is scored on them was trained; editing them makes every published "
        "score void. Undo the edit: add a family with a new key, or override in the call."
    )


def test_the_draws_are_frozen() -> None:
    ds = increments("test_inside", columns=[3], years=(2010, 2014), depth=[10, 500])
    at = ds.isel(column=0).sel(depth=500)
    factors = [float(at[f"{name}_factor"]) for name in FACTORS]
    np.testing.assert_allclose(factors, FROZEN_FACTORS, rtol=1e-5)
    np.testing.assert_allclose(at["temperature_increment"][:4], FROZEN_INCREMENTS, rtol=1e-4)
    np.testing.assert_array_equal(at["number_of_observations"][:4], FROZEN_COUNTS)


FROZEN_FACTORS = [0.885657, 1.487646, 1.135216, 0.748226, 1.19852, 0.720736, 0.875987, 1.991179]
FROZEN_INCREMENTS = [0.265717, -0.0475826, 0.0664638, 0.131457]
FROZEN_COUNTS = [3, 4, 5, 7]


def within(inner: Family, outer: Family, name: str) -> bool:
    (low, high), (lowest, highest) = getattr(inner, name), getattr(outer, name)
    return lowest <= low and high <= highest


def test_families_lie_where_they_say() -> None:
    train = FAMILIES["train"]
    assert all(within(FAMILIES["select"], train, name) for name in FACTORS)
    assert all(within(FAMILIES["test_inside"], train, name) for name in FACTORS)
    outside = FAMILIES["test_outside"]
    for name in set(FACTORS) - {"drift"}:
        (low, high), (lowest, highest) = getattr(outside, name), getattr(train, name)
        assert high < lowest or low > highest, name
    assert not all(within(FAMILIES["test"], train, name) for name in FACTORS)
    assert len({each.key for each in FAMILIES.values()}) == len(FAMILIES)
    assert len({(each.xbt, each.argo) for each in FAMILIES.values()}) == len(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_columns_draw_within_the_ranges(name: str) -> None:
    ds = increments(name, columns=30, years=(2000, 2000))
    for factor in FACTORS:
        low, high = getattr(FAMILIES[name], factor)
        drawn = ds[f"{factor}_factor"].values
        assert ((drawn >= low) & (drawn <= high)).all()
        assert np.ptp(np.log(drawn)) > 0.7 * np.log(high / low)


# ---- time, labels, errors -------------------------------------------------------------------


@pytest.mark.parametrize("step", ["MS", "10D", "5D"])
@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_steps_and_calendars(step: str, calendar: str) -> None:
    ds = increments(
        "train", columns=2, years=(2003, 2004), step=step, calendar=calendar, depth=[500]
    )
    low, high = ds["time_bnds"].values.T
    assert (low[1:] == high[:-1]).all()
    assert (low < ds["time"].values).all()
    assert (ds["time"].values < high).all()
    assert ds["time"].dt.calendar in (calendar, "proleptic_gregorian")
    days = {"standard": 731, "noleap": 730, "360_day": 720}[calendar]  # 2003 and 2004
    assert ds.sizes["time"] == (24 if step == "MS" else days // int(step[:-1]))


def test_uneven_steps_keep_the_rate() -> None:
    days = np.random.default_rng(0).choice([2, 10, 40], 3000)
    edges = np.datetime64("1980-01-01", "ns") + np.concatenate([[0], days.cumsum()]).astype("m8[D]")
    ds = increments("train", columns=20, step=edges, depth=[530.0], dtype="float64")
    np.testing.assert_array_equal(ds["time_bnds"].values[:, 0], edges[:-1])
    std = [float(ds["true_increment"].isel(time=days == each).std()) for each in (2, 10, 40)]
    np.testing.assert_allclose(np.array(std) / [2, 10, 40] / (std[1] / 10), 1, atol=0.1)


def test_only_the_increment_is_found_by_standard_name(twin: xr.Dataset) -> None:
    named = [
        name
        for name, each in twin.data_vars.items()
        if each.attrs.get("standard_name", "").startswith("change_over_time")
        and "cell_methods" not in each.attrs
    ]
    assert named == ["temperature_increment"]
    assert twin.attrs["family"] == "train"
    stored = json.loads(twin.attrs["parameters"])
    assert (
        Family(**{k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()})
        == (FAMILIES["train"])
    )


def test_dtype_changes_rounding_only() -> None:
    single, double = (
        increments("train", columns=2, years=(2000, 2004), dtype=dtype)
        for dtype in ("float32", "float64")
    )
    assert single["optimum_a"].dtype == np.float32
    xr.testing.assert_allclose(single.astype("float64"), double.astype("float64"), rtol=1e-6)


def test_written_out_it_is_clean(tmp_path: Path) -> None:
    runner = pytest.importorskip("compliance_checker.runner")
    path = tmp_path / "twin.nc"
    ds = increments("train", columns=3, years=(2000, 2004))
    ds.to_netcdf(path)
    with xr.open_dataset(path) as back:
        xr.testing.assert_allclose(back.load(), ds)
        assert back["time_bnds"].dtype.kind == "M"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runner.CheckSuite.load_all_available_checkers()
        report = tmp_path / "report.json"
        runner.ComplianceChecker.run_checker(
            str(path), ["cf:1.11"], 0, "normal",
            output_filename=str(report), output_format="json",
        )  # fmt: skip
    (result,) = json.loads(report.read_text()).values()
    found = [
        message
        for level in ("high_priorities", "medium_priorities", "low_priorities")
        for check in result[level]
        for message in check["msgs"]
    ]
    # CF asks only as a recommendation for other dimensions left of T, Z; and it allows a standard
    # name (realization) in cell_methods, which the checker does not know.
    allowed = ("recommended order T, Z, Y, X", "name component realization")
    assert [message for message in found if not any(each in message for each in allowed)] == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: increments("tset"), ValueError, "no twin family 'tset': choose from train"),
        (lambda: increments(noises=(1, 2)), TypeError, "noises"),
        (lambda: increments(noise=(2, 1)), ValueError, "noise is a range"),
        (lambda: increments(drift=(0, 1)), ValueError, "drift is a range"),
        (lambda: increments(ramp=0), ValueError, "ramp and vertical must be above 0"),
        (lambda: increments(members=1), ValueError, "members above 1"),
        (lambda: increments(depth=[100, 10]), GridError, "increase downward"),
        (lambda: increments(depth=[-5, 10]), GridError, "must be positive"),
        (lambda: increments(depth=[]), GridError, "must be positive"),
        (lambda: increments(years=(2000, 1990)), GridError, "two or more"),
        (lambda: increments(step=[1, 2, 3]), GridError, "times of its edges"),
        (
            lambda: increments(step=np.array(["2001", "2000"], "M8[ns]")),
            GridError,
            "time edges must increase",
        ),
        (
            lambda: increments(step=np.array(["2000", "2001"], "M8[ns]"), years=(2000, 2001)),
            GridError,
            "give one of them",
        ),
    ],
)
def test_bad_input(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_no_columns_is_no_error() -> None:
    assert increments("train", columns=0, years=(2000, 2000)).sizes["column"] == 0
