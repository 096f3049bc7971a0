"""The fitted state space on the twin: `python benchmarks/statespace_twin.py [--columns 40]`.

Error against the truth over that of optimum A, by depth band, without the truth ever being used:
the parameters are fitted to the increments of the very columns that are smoothed. Beside it what a
user would pick instead: raw, and the running mean and Dong's exponential at the one setting that is
best in hindsight for each band (which no user knows). `zero` is what an estimate of nothing scores.

What is given: spread and counts; spread only; counts only; increments only (then a level's share
of empty steps over four years tells how many observations a step has, of which a Poisson number is
drawn). `pooled` is without a law of its own for each cell. Under `spread/error` stands the root
mean square of the smoother's own standard deviation over that of its error: 1 is honest. Bars: at
most 1.15 at 300-800 m and 800-2000 m.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import xarray as xr
from twins import BANDS, DECAYS, WIDTHS, exponential, running_mean

from xocean_ml.simulate import increments
from xocean_ml.smoothing.statespace import fit

BAR, BARRED = 1.15, ("300-800", "800-2000")
GIVEN = {
    "spread, counts": ("spread", "counts"),
    "spread": ("spread",),
    "counts": ("counts",),
    "increments only": (),
}
NAMES = {
    "increment": "temperature_increment",
    "spread": "temperature_increment_spread",
    "counts": "number_of_observations",
    "true": "true_increment",
    "optimum": "optimum_a",
}
Arrays = dict[str, np.ndarray]


def main() -> None:
    """Print the table of each family."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", default=["test_inside", "test_outside", "test"])
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    passed = []
    for family in options.families:
        ds = increments(family, columns=options.columns, seed=options.seed, dtype="float64")
        print(
            f"\n{family}, seed {options.seed}: {dict(ds.sizes)}\n{'error over optimum A':24}",
            end="",
        )
        print("".join(f"{band:>11}" for band in BANDS) + "   spread/error, same bands")
        passed += table(ds)
    print(f"\n{sum(passed)} of {len(passed)} bars hold (at most {BAR} at {' and '.join(BARRED)} m)")


def table(ds: xr.Dataset) -> list[bool]:
    """Print one family's figures; whether its bars hold."""
    cells = {key: ds[name].values.reshape(ds.sizes["time"], -1) for key, name in NAMES.items()}
    depth = np.repeat(ds["depth"].values, ds.sizes["column"])
    groups = np.repeat(np.arange(ds.sizes["depth"]), ds.sizes["column"])
    years = np.diff(ds["time_bnds"])[:, 0] / np.timedelta64(1, "s") / 86400 / 365.25
    members = {band: (depth >= low) & (depth < high) for band, (low, high) in BANDS.items()}
    month = float(np.mean(years)) * 12
    rivals(cells, members, month)
    passed = []
    for label, names in GIVEN.items():
        given = {name: cells[name] for name in names}
        start = time.perf_counter()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model = fit(cells["increment"], years, groups, **given)
        fitted = time.perf_counter() - start
        for own in (False, True):
            start = time.perf_counter()
            out = model.smooth(cells["increment"], years, groups, own=own, **given)
            smoothed = time.perf_counter() - start
            ratio = {band: over(out.mean, cells, at) for band, at in members.items()}
            honest = {band: spread(out, cells["true"], at) for band, at in members.items()}
            seconds = f"fit {fitted:.1f} s, smooth {smoothed:.1f} s"
            row(label if own else f"{label}, pooled", ratio, honest, seconds)
        passed += [ratio[band] <= BAR for band in BARRED]
        for each in told:
            print(f"{'':24}  warned: {str(each.message)[:70]}...")
    return passed


def rivals(cells: Arrays, members: Arrays, month: float) -> None:
    """Print what a user would pick instead; filters at their best in hindsight."""
    d = cells["increment"]
    means = [running_mean(d, max(1, round(width / month))) for width in WIDTHS]
    decayed = [exponential(d, decay / month) for decay in DECAYS]
    for label, options in {
        "zero": [0 * d],
        "raw": [d],
        "running mean, best": means,
        "Dong, best": decayed,
        "optimum A": [cells["optimum"]],
    }.items():
        row(label, {b: min(over(x, cells, at) for x in options) for b, at in members.items()})


def row(
    label: str, ratio: dict[str, float], honest: dict[str, float] | None = None, more: str = ""
) -> None:
    """Print one line."""
    text = "".join(f"{x:11.3f}" for x in ratio.values())
    text += "  " + "".join(f"{x:6.2f}" for x in (honest or {}).values())
    print(f"{label:24}{text}  {more}")


def over(x: np.ndarray, cells: Arrays, at: np.ndarray) -> float:
    """Error over that of optimum A."""
    true = cells["true"][:, at]
    return float(rms(x[:, at] - true) / rms(cells["optimum"][:, at] - true))


def spread(out: object, true: np.ndarray, at: np.ndarray) -> float:
    """The smoother's own standard deviation over its error."""
    return float(rms(out.deviation[:, at]) / rms(out.mean[:, at] - true[:, at]))


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


if __name__ == "__main__":
    main()
