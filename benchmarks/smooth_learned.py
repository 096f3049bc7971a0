"""The packaged gated TCN on the test families of twins, beside simpler smoothers at their best.

    python benchmarks/smooth_learned.py --columns 500

Running mean, Whittaker's spline and Dong's smoother are each at the setting, in hindsight and for
each depth band, with the least error; settings are found on at most 100 of the columns, scored on
all. The state space is fitted to the increments by maximum likelihood, without the truth (to at
most 60 columns; it smooths all). "Optimum A" knows every parameter of the simulated worlds;
closed like the others it is the floor of what a closure leaves possible.

Intervals are 95 %, by bootstrap over columns; ratios of two smoothers are resampled together. Bars
of the issue are printed with PASS or FAIL. The frontier's and the rivals' hold where the ratio is
at most 1, or (a "tie") where its interval includes 1.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

import xocean_ml as xo
from xocean_ml import grid
from xocean_ml.kernels.closure import Windows
from xocean_ml.kernels.lowpass import Running
from xocean_ml.metrics import running_mean, whittaker

NAME = "temperature_increment"
BANDS = ["0-20", "20-300", "300-800", "800-2000", ">2000"]
JUDGED = ("300-800", "800-2000")
DAYS = (*(20, 40, 60, 90, 120, 180, 270, 365, 550, 730, 1100, 1461, 2200, 2922), 4383, 5844, 8766)
NOISE = (0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.075, 0.10)
SWEPT = 100
SHOWN = ("rmse_ratio", "noise_ratio", "correlation_truth", "correlation_raw", "pulse")

Method = Callable[[xr.Dataset, float], xr.DataArray]


def main() -> None:
    """Report each family."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=500)
    parser.add_argument("--families", nargs="*", default=["test_inside", "test_outside"])
    parser.add_argument("--bootstrap", type=int, default=500)
    options = parser.parse_args()
    for family in options.families:
        report(family, options.columns, options.bootstrap)


def report(family: str, columns: int, bootstrap: int) -> None:
    """One family: scores, frontier, closures, gate."""
    start = time.perf_counter()
    twin = Twin(xo.simulate.increments(family, columns=columns, seed=2026), bootstrap)
    print(f"\n{family}: {columns} columns, {dict(twin.ds.sizes)}; made in {seconds(start)}")
    start = time.perf_counter()
    learned = twin.ds.ml_smooth(conserve=None, gate=True)
    spent = time.perf_counter() - start
    print(f"TCN: {spent:.0f} s, {spent / twin.ds[NAME].size * 1e6:.2f} microseconds a value")
    start = time.perf_counter()
    own = state_space(twin.ds)
    print(f"state space: {seconds(start)}, fit and all")
    swept = twin.some()
    sweep, closed = sweeps(swept, OPEN), sweeps(swept, CLOSED)
    made = {
        "raw": twin.ds[NAME],
        "optimum A": twin.ds["optimum_a"],
        **{name: at_best(twin.ds, sweep, name) for name in OPEN},
        "state space": own,
        "TCN": learned[NAME],
        "optimum A 5YS": close(twin.ds["optimum_a"], twin.ds[NAME], "5YS"),
        "Dong 5YS": at_best(twin.ds, closed, "Dong 5YS"),
        "state space 5YS": close(own, twin.ds[NAME], "5YS"),
        "TCN 5YS": twin.ds.ml_smooth(conserve="5YS")[NAME],
        "optimum A running:2Y": close(twin.ds["optimum_a"], twin.ds[NAME], "running:2Y"),
        "state space running:2Y": close(own, twin.ds[NAME], "running:2Y"),
        "TCN running:2Y": twin.ds.ml_smooth(conserve="running:2Y")[NAME],
    }
    rows = {name: twin.score(x, "5YS" if "5YS" in name else None) for name, x in made.items()}
    table(rows)
    frontier(sweep, rows)
    passed = [
        *skill(family, rows),
        *rivals(twin, made),
        *fidelity(swept, sweep, closed, rows, made),
        *gate(learned, twin.ds),
    ]
    print(f"{family}: {sum(passed)} of {len(passed)} bars hold; {seconds(start)} since the fit")


@dataclass(frozen=True)
class Twin:
    """A simulated world and how it is scored."""

    ds: xr.Dataset
    bootstrap: int

    def some(self) -> Twin:
        """A part of it that is quick to sweep, without intervals."""
        stride = -(-self.ds.sizes["column"] // SWEPT)
        return Twin(self.ds.isel(column=slice(None, None, stride)), 0)

    def score(self, smoothed: xr.DataArray, conserve: str | None = None) -> xr.Dataset:
        """Against the truth and the optimum, all eras."""
        return self.over(smoothed, self.ds["optimum_a"], conserve)

    def over(self, smoothed: xr.DataArray, rival: xr.DataArray, conserve=None) -> xr.Dataset:
        """The same, with `rival` in the optimum's place."""
        return xo.metrics.smoothing(
            smoothed,
            self.ds[NAME],
            truth=self.ds["true_increment"],
            optimum=rival,
            conserve=conserve,
            bootstrap=self.bootstrap,
        ).sel(era="all")


# ---- smoothers -----------------------------------------------------------------------------


def mean(ds: xr.Dataset, days: float) -> xr.DataArray:
    """Centred running mean."""
    return running_mean(ds[NAME], max(1, round(days / month(ds))))


def spline(ds: xr.Dataset, days: float) -> xr.DataArray:
    """Whittaker's smoother that halves a period of `days`."""
    return whittaker(ds[NAME], (days / month(ds) / (2 * np.pi)) ** 4)


def dong(conserve: str | None) -> Method:
    """The accessor's Dong smoother, closed or not."""
    return lambda ds, days: ds.ml_smooth("dong", decay=f"{days:g}D", conserve=conserve)[NAME]


OPEN: dict[str, Method] = {"running mean": mean, "Whittaker": spline, "Dong": dong(None)}
CLOSED: dict[str, Method] = {"Dong 5YS": dong("5YS"), "Dong running:2Y": dong("running:2Y")}


def month(ds: xr.Dataset) -> float:
    """Median length of a step, days."""
    return float(np.median(grid.time_axis(ds).step_days))


def state_space(ds: xr.Dataset) -> xr.DataArray:
    """Fitted to these very increments, without the truth."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no slow part")
        model = ds.ml_smooth.fit("statespace")
    return ds.ml_smooth(model, conserve=None)[NAME]


def close(given: xr.DataArray, raw: xr.DataArray, conserve: str) -> xr.DataArray:
    """What the accessor would make of `given`, had its model found that."""
    axis = grid.time_axis(raw)
    lacks = (raw - given).transpose("time", ...)
    missing = lacks.values.reshape(len(lacks), -1).astype("f8")
    kind, _, years = conserve.rpartition(":")
    closure = (
        Running(np.asarray(axis.step_days), float(years.rstrip("Y")) * 365.25)
        if kind
        else Windows(np.asarray(axis.segments(conserve).index))
    )
    correction = closure.correct(closure.sums(missing), np.ones((len(lacks), 1)))
    return given + lacks.copy(data=correction.reshape(lacks.shape))


# ---- sweeps --------------------------------------------------------------------------------


def sweeps(twin: Twin, methods: Mapping[str, Method]) -> xr.Dataset:
    """Scores of each method at each setting: (smoother, days, band)."""
    scores = [
        xr.concat([twin.score(method(twin.ds, days)) for days in DAYS], "parameter")
        for method in methods.values()
    ]
    found = xr.concat(scores, "smoother", combine_attrs="override")
    return found.assign_coords(smoother=list(methods), parameter=list(DAYS))


def at_best(ds: xr.Dataset, sweep: xr.Dataset, name: str) -> xr.DataArray:
    """Each band smoothed at its setting with the least error."""
    method = {**OPEN, **CLOSED}[name]
    parts = []
    for band, levels in xo.metrics.series.depth_bands(ds["depth"].values).items():
        error = sweep["rmse"].sel(smoother=name, band=band)
        best = float(error["parameter"][int(error.argmin("parameter"))])
        parts.append(method(ds.isel(depth=levels), best))
    return xr.concat(parts, "depth")


def quieter(sweep: xr.Dataset, what: str, noise: float | xr.DataArray) -> xr.DataArray:
    """The least of `what` at that noise, by smoother and band."""
    return xo.metrics.at_noise(
        sweep[["noise_ratio"]].assign(rmse=sweep[what]).transpose("smoother", "parameter", "band"),
        noise,
    )


# ---- what is printed -----------------------------------------------------------------------


def table(rows: Mapping[str, xr.Dataset]) -> None:
    """All scores of all rows."""
    for what in SHOWN:
        print(f"\n{what:<24}" + "".join(f"{band:>23}" for band in BANDS))
        for name, row in rows.items():
            print(f"{name:<24}" + "".join(f"{cell(row, what, band):>23}" for band in BANDS))


def cell(row: xr.Dataset, what: str, band: str) -> str:
    """A score with its interval."""
    here = row.sel(band=band)
    text = f"{float(here[what]):.3f}"
    if f"{what}_low" in here:
        text += f" [{float(here[f'{what}_low']):.3f}, {float(here[f'{what}_high']):.3f}]"
    return text


def frontier(sweep: xr.Dataset, rows: Mapping[str, xr.Dataset]) -> None:
    """Errors over optimum A's at equal noise."""
    points = ("state space", "TCN")
    names = [*sweep["smoother"].values, *points]
    print(
        "\nerror over optimum A's at equal noise; a smoother without a setting stands at every "
        "noise ratio\nfrom its own on"
    )
    for band in JUDGED:
        print(f"{band + ' m':<12}" + "".join(f"{name:>14}" for name in names))
        for noise in NOISE:
            swept = quieter(sweep, "rmse_ratio", noise).sel(band=band)
            found = [float(swept.sel(smoother=name)) for name in sweep["smoother"].values]
            for name in points:
                at = rows[name].sel(band=band)
                found.append(float(at.rmse_ratio) if at.noise_ratio <= noise else np.nan)
            cells = "".join(f"{x:14.3f}" for x in found).replace("nan", "  -")
            print(f"{noise:<12g}{cells}")
    print()


# ---- bars ----------------------------------------------------------------------------------


def skill(family: str, rows: Mapping[str, xr.Dataset]) -> list[bool]:
    """Error, correlation and pulses, open and closed."""
    limit = 1.05 if family == "test_inside" else 1.10
    passed = []
    for band in JUDGED:
        at = {name: row.sel(band=band) for name, row in rows.items()}
        gap = float(at["optimum A"].correlation_truth - at["TCN"].correlation_truth)
        pulses = float(at["TCN 5YS"].pulse / at["TCN 5YS"].pulse_raw)
        floor = {name: float(at[f"optimum A {name}"].rmse_ratio) for name in ("5YS", "running:2Y")}
        least = float(at["optimum A 5YS"].pulse / at["optimum A 5YS"].pulse_raw)
        passed += [
            told(f"{band}: error, open", float(at["TCN"].rmse_ratio), limit),
            told(f"{band}: 5-year correlation below the optimum's", gap, 0.02),
            told(
                f"{band}: error, closed 5YS",
                float(at["TCN 5YS"].rmse_ratio),
                1.12,
                more=f"the optimum itself, closed alike: {floor['5YS']:.3f}",
            ),
            told(f"{band}: noise, closed 5YS", float(at["TCN 5YS"].noise_ratio), 0.10),
            told(f"{band}: seams, closed 5YS", float(at["TCN 5YS"].edge_ratio), 1.3),
            told(
                f"{band}: pulses left, closed 5YS",
                pulses,
                0.20,
                more=f"the optimum itself, closed alike: {least:.3f}",
            ),
            told(f"{band}: noise, running:2Y", float(at["TCN running:2Y"].noise_ratio), 0.10),
        ]
    return passed


def rivals(twin: Twin, made: Mapping[str, xr.DataArray]) -> list[bool]:
    """The frontier (every rival's least error at any noise), then all bands."""
    passed = []
    over = {
        name: twin.over(made["TCN"], made[name])
        for name in ("running mean", "Whittaker", "Dong", "state space", "raw")
    }
    for band in JUDGED:
        noise = float(over["raw"].sel(band=band).noise_ratio)
        passed.append(told(f"{band}: frontier: noise", noise, 0.10))
        passed += [
            tied(f"{band}: frontier: error over {name}'s", over[name].sel(band=band))
            for name in ("running mean", "Whittaker", "Dong", "state space")
        ]
    for band in BANDS:
        several = [over[name].sel(band=band) for name in ("raw", "Dong", "running mean")]
        worst = max(several, key=lambda row: float(row.rmse_ratio))
        passed.append(tied(f"{band}: error over the best of raw, Dong, mean", worst))
    return passed


def fidelity(
    swept: Twin,
    sweep: xr.Dataset,
    closed: xr.Dataset,
    rows: Mapping[str, xr.Dataset],
    made: Mapping[str, xr.DataArray],
) -> list[bool]:
    """running:2Y: how 5-year means keep to the raw ones, beside rivals at the same noise."""
    both = xr.concat([sweep, closed], "smoother", combine_attrs="override")
    names = ["Dong", "Dong running:2Y", "running mean"]
    some = made["TCN running:2Y"].isel(column=_columns(swept, made["TCN running:2Y"]))
    own = swept.score(some)
    lost = both.assign(lost=1 - both["correlation_raw"]).sel(smoother=names)
    equal = 1 - quieter(lost, "lost", own["noise_ratio"])
    print("\nrunning:2Y: correlation of 5-year means with raw, at the TCN's noise ratio")
    headings = ["noise", "TCN", *names, "optimum A running:2Y"]
    print(f"{'':12}" + "".join(f"{name:>22}" for name in headings))
    passed = []
    for band in BANDS:
        here = rows["TCN running:2Y"].sel(band=band)
        at = equal.sel(band=band)
        figures = [
            float(here.noise_ratio),
            float(here.correlation_raw),
            *(float(at.sel(smoother=name)) for name in names),
            float(rows["optimum A running:2Y"].sel(band=band).correlation_raw),
        ]
        cells = "".join(f"{x:22.4f}" for x in figures).replace("nan", "  -")
        print(f"{band:12}{cells}")
    print()
    for band in BANDS:
        mine, best = float(own.correlation_raw.sel(band=band)), float(equal.sel(band=band).max())
        what = f"{band}: correlation with raw above the best rival's"
        passed.append(told(what, mine - best, 0.0, over=True))
    here = rows["TCN running:2Y"].sel(band="300-800")
    what = "300-800: correlation with raw, running:2Y"
    return [*passed, told(what, float(here.correlation_raw), 0.99, over=True)]


def _columns(swept: Twin, full: xr.DataArray) -> slice:
    return slice(None, None, -(-full.sizes["column"] // swept.ds.sizes["column"]))


def gate(learned: xr.Dataset, ds: xr.Dataset) -> list[bool]:
    """Whether the gate knows where observations are rare."""
    gate = learned[f"{NAME}_gate"]
    around = max(1, round(5 * 365.25 / month(ds)))
    counts = ds["number_of_observations"]
    density = counts.rolling(time=around, center=True, min_periods=1).mean()
    passed = []
    for low, high in ((300, 800), (800, 2000)):
        some = {"depth": slice(low, high)}
        era = gate.sel(some).groupby("era").mean(...)
        sparse, rich = (float(era.sel(era=era["era"].values[k])) for k in (0, -1))
        ranks = [
            xr.DataArray(np.argsort(np.argsort(each.sel(some).values.ravel())))
            for each in (1 - gate, density)
        ]
        passed += [
            told(f"{low}-{high}: gate, sparse less rich era", sparse - rich, 0.3, over=True),
            told(f"{low}-{high}: rank correlation", float(xr.corr(*ranks)), 0.5, over=True),
        ]
    return passed


def tied(what: str, row: xr.Dataset) -> bool:
    """A ratio that holds at 1 or less, or with an interval that includes 1."""
    low, high = float(row.rmse_ratio_low), float(row.rmse_ratio_high)
    value = float(row.rmse_ratio)
    tie = "a tie" if value > 1 >= low else ""
    return told(what, value, 1.0, good=low <= 1, more=f"{low:.3f} to {high:.3f}  {tie}")


def told(
    what: str,
    value: float,
    limit: float,
    *,
    over: bool = False,
    good: bool | None = None,
    more: str = "",
) -> bool:
    """Print a bar; whether it holds."""
    if good is None:
        good = value >= limit if over else value <= limit
    sign = ">=" if over else "<="
    text = f"{'PASS' if good else 'FAIL'}  {what:<52}{value:>9.3f}  {sign} {limit:<6g}{more}"
    print(text.rstrip())
    return good


def seconds(start: float) -> str:
    return f"{time.perf_counter() - start:.0f} s"


if __name__ == "__main__":
    main()
