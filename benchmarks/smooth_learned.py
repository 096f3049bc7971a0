"""The packaged gated TCN on the test families of twins, beside the simplest rivals at their best.

    python benchmarks/smooth_learned.py --columns 500

Every row of rivals is at its best setting in hindsight. Intervals are 95 %, by bootstrap over
columns. Bars of the issue are printed with PASS or FAIL.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import xarray as xr

import xocean_ml as xo

NAME = "temperature_increment"
BANDS = ["0-20", "20-300", "300-800", "800-2000", ">2000"]
DECAYS = (120, 240, 480, 960, 1920, 3840)
WIDTHS = (13, 25, 37, 61, 91, 121, 181)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=500)
    parser.add_argument("--families", nargs="*", default=["test_inside", "test_outside"])
    parser.add_argument("--bootstrap", type=int, default=500)
    options = parser.parse_args()
    for family in options.families:
        report(family, options.columns, options.bootstrap)


def report(family: str, columns: int, bootstrap: int) -> None:
    """One family: scores, closures, gate."""
    start = time.perf_counter()
    twin = xo.simulate.increments(family, columns=columns, seed=2026)
    raw, truth, best = twin[NAME], twin["true_increment"], twin["optimum_a"]
    print(f"\n{family}: {columns} columns, {dict(twin.sizes)}; made in {seconds(start)}")

    def score(smoothed: xr.DataArray, **more) -> xr.Dataset:
        return xo.metrics.smoothing(
            smoothed, raw, truth=truth, optimum=best, bootstrap=bootstrap, **more
        ).sel(era="all")

    start = time.perf_counter()
    open_ = twin.ml_smooth("tcn", conserve=None, gate=True)
    spent = time.perf_counter() - start
    print(f"smoothed in {spent:.0f} s, {spent / raw.size * 1e6:.2f} microseconds a value")
    rows = {
        "raw": score(raw),
        "optimum A": score(best),
        "running mean": least(score(xo.metrics.running_mean(raw, n)) for n in WIDTHS),
        "Dong": least(score(dong(twin, n, None)) for n in DECAYS),
        "TCN": score(open_[NAME]),
        "Dong 5YS": least(score(dong(twin, n, "5YS")) for n in DECAYS),
        "TCN 5YS": score(twin.ml_smooth("tcn", conserve="5YS")[NAME], conserve="5YS"),
        "TCN running:2Y": score(twin.ml_smooth("tcn", conserve="running:2Y")[NAME]),
    }
    for what in ("rmse_ratio", "noise_ratio", "correlation_truth", "correlation_raw", "pulse"):
        print(f"\n{what:<18}" + "".join(f"{band:>22}" for band in BANDS))
        for name, row in rows.items():
            print(f"{name:<18}" + "".join(f"{cell(row, what, band):>22}" for band in BANDS))
    bars(family, rows, open_, twin)


def dong(twin: xr.Dataset, days: int, conserve: str | None) -> xr.DataArray:
    return twin.ml_smooth("dong", decay=f"{days}D", conserve=conserve)[NAME]


def least(scores) -> xr.Dataset:
    """Each band at its setting with the least error."""
    every = xr.concat(list(scores), "setting")
    return every.isel(setting=every.rmse_ratio.argmin("setting"))


def cell(row: xr.Dataset, what: str, band: str) -> str:
    here = row.sel(band=band)
    text = f"{float(here[what]):.3f}"
    if f"{what}_low" in here:
        text += f" [{float(here[f'{what}_low']):.3f}, {float(here[f'{what}_high']):.3f}]"
    return text


def bars(family: str, rows: dict[str, xr.Dataset], open_: xr.Dataset, twin: xr.Dataset) -> None:
    """The issue's bars that these rows show."""
    print()
    limit = 1.05 if family == "test_inside" else 1.10
    for band in ("300-800", "800-2000"):
        at = {name: row.sel(band=band) for name, row in rows.items()}
        told(f"{band}: error, open", float(at["TCN"].rmse_ratio), limit)
        gap = float(at["optimum A"].correlation_truth - at["TCN"].correlation_truth)
        told(f"{band}: 5-year correlation below the optimum's", gap, 0.02)
        told(f"{band}: error, closed 5YS", float(at["TCN 5YS"].rmse_ratio), 1.12)
        told(f"{band}: noise, closed 5YS", float(at["TCN 5YS"].noise_ratio), 0.10)
        pulses = float(at["TCN 5YS"].pulse / at["TCN 5YS"].pulse_raw)
        told(f"{band}: pulses left, closed 5YS", pulses, 0.20)
        told(f"{band}: noise, running:2Y", float(at["TCN running:2Y"].noise_ratio), 0.10)
    here = rows["TCN running:2Y"].sel(band="300-800")
    told("300-800: 1 - correlation with raw, running:2Y", 1 - float(here.correlation_raw), 0.01)
    for band in BANDS:
        at = {name: row.sel(band=band) for name, row in rows.items()}
        rival = min(float(at[n].rmse_ratio) for n in ("raw", "Dong", "running mean"))
        told(f"{band}: error over the best rival's", float(at["TCN"].rmse_ratio) / rival, 1.0)
    gate = open_[f"{NAME}_gate"]
    counts = twin["number_of_observations"]
    density = counts.rolling(time=61, center=True, min_periods=1).mean()
    for low, high in ((300, 800), (800, 2000)):
        some = {"depth": slice(low, high)}
        era = gate.sel(some).groupby("era").mean(...)
        eras = era["era"].values
        told(
            f"{low}-{high}: gate, ship less argo",
            float(era.sel(era=eras[[0]]).item() - era.sel(era=eras[[-1]]).item()),
            0.3,
            over=True,
        )
        ranks = [
            xr.DataArray(np.argsort(np.argsort(each.sel(some).values.ravel())))
            for each in (1 - gate, density)
        ]
        told(f"{low}-{high}: rank correlation", float(xr.corr(*ranks)), 0.5, over=True)


def told(what: str, value: float, limit: float, over: bool = False) -> None:
    good = value >= limit if over else value <= limit
    sign = ">=" if over else "<="
    print(f"{'PASS' if good else 'FAIL'}  {what:<50}{value:>9.3f}  {sign} {limit:g}")


def seconds(start: float) -> str:
    return f"{time.perf_counter() - start:.0f} s"


if __name__ == "__main__":
    main()
