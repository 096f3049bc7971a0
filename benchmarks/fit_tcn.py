"""The learned smoother fitted to one's own increments, beside what needs no fit.

    python benchmarks/fit_tcn.py

For twins of the families that nothing was trained on: error over optimum A's in each band (all
eras), each rival filter at its best in hindsight, for a fit that is given spread and counts
of observations, and for one that sees increments only. Then a fit towards a target: trained on the
first half of the columns, scored on the other half. Bar: at most 1.15 at 300-800 and 800-2000 m.
"""

from __future__ import annotations

import argparse
import time
import warnings

import xarray as xr

import xocean_ml as xo

NAME = "temperature_increment"
BANDS = ["0-20", "20-300", "300-800", "800-2000", ">2000"]
BARRED, BAR = ("300-800", "800-2000"), 1.15
DAYS = (120, 240, 480, 960, 1461, 2200, 3840)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="*", default=["test_inside", "test_outside", "test"])
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    passed: list[bool] = []
    for family in options.families:
        twin = xo.simulate.increments(family, columns=options.columns, seed=options.seed)
        print(f"\n{family}, {dict(twin.sizes)}")
        print(f"{'error over optimum A':<34}" + "".join(f"{band:>10}" for band in BANDS))
        rivals(twin)
        bare = twin[[NAME, "true_increment", "optimum_a", "time_bnds"]]
        for label, ds in {"spread, counts": twin, "increments only": bare}.items():
            row(f"packaged, {label}", [ds.ml_smooth(conserve=None)[NAME]], twin)
            for kind in ("statespace", "tcn"):
                start = time.perf_counter()
                model = ds.ml_smooth.fit(kind)
                spent = time.perf_counter() - start
                found = row(f"fit({kind!r}), {label}", [smoothed(ds, model)], twin, spent)
                passed += [found[band] <= BAR for band in BARRED]
    print(f"\n{sum(passed)} of {len(passed)} bars hold (at most {BAR} at {' and '.join(BARRED)} m)")
    taught(options.columns, options.seed)


def rivals(twin: xr.Dataset) -> None:
    """Filters, each band at its best."""
    step = float(twin.time.diff("time").median() / 86400e9)
    means = [xo.metrics.running_mean(twin[NAME], max(1, round(d / step))) for d in DAYS]
    row("running mean, best", means, twin)
    decayed = [twin.ml_smooth("dong", decay=f"{d}D", conserve=None)[NAME] for d in DAYS]
    row("Dong, best", decayed, twin)


def taught(columns: int, seed: int) -> None:
    """A target is given for half of the columns of the family "test"."""
    twin = xo.simulate.increments("test", columns=2 * columns, seed=seed + 1)
    half, other = (twin.isel(column=part) for part in (slice(columns), slice(columns, None)))
    print(f"\nfit towards a target, family test, scored on {columns} other columns")
    row("packaged", [other.ml_smooth(conserve=None)[NAME]], other)
    start = time.perf_counter()
    model = half.ml_smooth.fit(target="true_increment")
    spent = time.perf_counter() - start
    row("fit(target=...)", [smoothed(other, model)], other, spent)


def smoothed(ds: xr.Dataset, model) -> xr.DataArray:
    return ds.ml_smooth(model, conserve=None)[NAME]


def row(label: str, tried, twin: xr.Dataset, spent: float | None = None) -> dict[str, float]:
    """Print the least error of each band."""
    scores = [
        xo.metrics.smoothing(
            x, twin[NAME], truth=twin.true_increment, optimum=twin.optimum_a, bootstrap=0
        ).rmse_ratio.sel(era="all")
        for x in tried
    ]
    found = {band: min(float(score.sel(band=band)) for score in scores) for band in BANDS}
    more = "" if spent is None else f"   fit {spent:.0f} s"
    print(f"{label:<34}" + "".join(f"{x:>10.3f}" for x in found.values()) + more, flush=True)
    return found


if __name__ == "__main__":
    main()
