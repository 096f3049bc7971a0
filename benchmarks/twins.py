"""The twin's increments by depth band and era: signal, noise, and how well it can be smoothed.

    python benchmarks/twins.py [--family test_inside] [--columns 200] [--output DIR]

Root-mean-square errors against `true_increment` are given over its standard deviation, so that 1
is what a smoother that returns zero scores. The running mean and the exponential (Dong et al.
2021, increment mode, tail renormalised) are each at the one setting that is best for that band
and era against the truth, which no user has. The noise ratio is the standard deviation of
step-to-step differences over the raw one; corr5 the correlation of 5-year means, pooled over
cells (`mean12` is the 13-month running mean). All scores pool the cells of a band, so those with
the largest increments weigh most.
With `--output DIR`, two figures are written there.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import xarray as xr

from xocean_ml.simulate import increments

BANDS = {"0-20": (0, 20), "20-300": (20, 300), "300-800": (300, 800)}
BANDS |= {"800-2000": (800, 2000), ">2000": (2000, 1e9)}
WIDTHS = (1, 3, 7, 13, 25, 37, 49, 61, 85, 121, 181, 241, 361)
DECAYS = (1, 3, 6, 12, 18, 24, 36, 48, 60, 84, 120, 180)  # months, as the widths


def running_mean(d: np.ndarray, width: int) -> np.ndarray:
    """Centred mean over `width` steps, of what there is at the ends."""
    total = np.cumsum(np.concatenate([np.zeros((1, *d.shape[1:])), d]), axis=0)
    k = np.arange(len(d))
    low, high = np.maximum(k - width // 2, 0), np.minimum(k + width // 2 + 1, len(d))
    return (total[high] - total[low]) / (high - low).reshape(-1, *[1] * (d.ndim - 1))


def exponential(d: np.ndarray, decay: float) -> np.ndarray:
    """Dong's s_k = (1 - g) sum_l g^l d_{k+l}, the weights renormalised at the tail."""
    g = np.exp(-1 / decay)
    out, carry, weight = np.empty_like(d), np.zeros(d.shape[1:]), 0.0
    for k in range(len(d) - 1, -1, -1):
        carry, weight = d[k] + g * carry, 1 + g * weight
        out[k] = carry / weight
    return out


def relative_error(x: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((x - truth) ** 2).mean()) / truth.std())


def noise_ratio(x: np.ndarray, raw: np.ndarray) -> float:
    return float(np.diff(x, axis=0).std() / np.diff(raw, axis=0).std())


def correlation(x: np.ndarray, y: np.ndarray, five: int) -> float:
    """Correlation of means over `five` steps, each cell less its own mean, pooled over cells."""
    n = len(x) // five * five
    x, y = (v[:n].reshape(-1, five, v[0].size).mean(1) for v in (x, y))
    x, y = x - x.mean(0), y - y.mean(0)
    return float((x * y).mean() / np.sqrt((x**2).mean() * (y**2).mean()))


def best(options: dict[int, np.ndarray], truth: np.ndarray, at: np.ndarray) -> int:
    """The option that errs least within an era."""
    return min(options, key=lambda key: relative_error(options[key][at], truth[at]))


def table(ds: xr.Dataset) -> None:
    month = 12 * np.mean(np.diff(ds["time_bnds"], axis=1) / np.timedelta64(1, "D")) / 365.25
    five = round(60 / month)
    print(
        "                                         | error over std of truth:                "
        "| noise ratio:     | corr5 with truth:       | with raw:          | best (months)\n"
        "band, m  era  n/month   raw, K  truth, K |    raw    mean     exp       A       B  "
        "|  mean   exp     A |   raw  mean   exp     A | mean12   exp     A |  mean  exp"
    )
    for band, (low, high) in BANDS.items():
        part = ds.sel(depth=slice(low, high))
        raw, truth, a, b = (
            part[name].values.astype(float)
            for name in ("temperature_increment", "true_increment", "optimum_a", "optimum_b")
        )
        means = {width: running_mean(raw, round(width / month)) for width in WIDTHS}
        decayed = {decay: exponential(raw, decay / month) for decay in DECAYS}
        for era, name in enumerate(ds["era"].attrs["flag_meanings"].split()):
            at = ds["era"].values == era
            width, decay = best(means, truth, at), best(decayed, truth, at)
            count = part["number_of_observations"].values[at].mean() / month
            smoothed = [x[at] for x in (raw, means[width], decayed[decay], a, b)]
            year = means[13][at]
            r, t = raw[at], truth[at]
            cells = [
                f"{band:9}{name:5}{count:7.2f}{r.std():9.4f}{t.std():10.4f}",
                "".join(f"{relative_error(x, t):8.3f}" for x in smoothed) + " ",
                "".join(f"{noise_ratio(x, r):6.3f}" for x in smoothed[1:4]),
                "".join(f"{correlation(x, t, five):6.2f}" for x in smoothed[:4]),
                "".join(f"{correlation(x, r, five):6.2f}" for x in (year, *smoothed[2:4])) + " ",
                f"{width:6d}{decay:5d}",
            ]
            print(" |".join(cells))


def figures(ds: xr.Dataset, folder: Path, column: int) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    one = ds.isel(column=column)
    onset = [one["time"].values[one["era"].values == era][0] for era in (1, 2)]
    names = {"temperature_increment": "raw", "true_increment": "truth"}
    names |= {"optimum_a": "optimum A", "optimum_b": "optimum B"}

    fig, axes = plt.subplots(5, 1, figsize=(12, 13), sharex=True, layout="constrained")
    for axis, depth in zip(axes, (15, 100, 500, 1500), strict=False):
        level = one.sel(depth=depth, method="nearest")
        axis.plot(level["time"], level["temperature_increment"], color="0.7", lw=0.7, label="raw")
        axis.plot(level["time"], level["true_increment"], "k", lw=1.6, label="truth")
        axis.plot(level["time"], level["optimum_a"], "C3", lw=1.2, label="optimum A")
        axis.set_ylabel("K per step")
        axis.set_title(f"{float(level['depth']):.0f} m", loc="left")
        axis.vlines(onset, *axis.get_ylim(), color="C0", ls=":")
    axes[0].legend(ncols=3, loc="upper right")
    level = one.sel(depth=500, method="nearest")
    year = one["time"].size // len(np.unique(one["time"].dt.year))
    mean = running_mean(level["temperature_increment"].values.astype(float), 3 * year)
    axes[4].plot(level["time"], mean, "0.6", label="3-year running mean of raw")
    axes[4].plot(level["time"], level["true_increment"], "k", lw=1.6, label="truth")
    axes[4].plot(level["time"], level["optimum_a"], "C3", label="optimum A")
    axes[4].set_ylabel("K per step")
    axes[4].set_title(f"{float(level['depth']):.0f} m, closer", loc="left")
    axes[4].legend(ncols=3, loc="upper right")
    fig.savefig(folder / "twin_column.png", dpi=110)

    fig, axes = plt.subplots(5, 1, figsize=(12, 14), sharex=True, layout="constrained")
    scale = one["true_increment"].std("time")
    for axis, (name, label) in zip(axes, names.items(), strict=False):
        shown = axis.pcolormesh(
            one["time"],
            np.arange(one.sizes["depth"]),
            (one[name] / scale).T,
            cmap="RdBu_r",
            vmin=-3,
            vmax=3,
        )
        axis.set_title(label + " / std of truth at the level", loc="left")
    counts = one["number_of_observations"].where(one["number_of_observations"] > 0)
    count = axes[4].pcolormesh(
        one["time"], np.arange(one.sizes["depth"]), counts.T, norm="log", cmap="viridis"
    )
    axes[4].set_title("number of observations", loc="left")
    fig.colorbar(shown, ax=axes[:4])
    fig.colorbar(count, ax=axes[4])
    for axis in axes:
        axis.set_yticks(np.arange(one.sizes["depth"])[::3], one["depth"].values[::3])
        axis.invert_yaxis()
        axis.set_ylabel("depth, m")
    fig.savefig(folder / "twin_panels.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", default="train")
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--step", default="MS")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--column", type=int, default=0, help="the one that is drawn")
    parser.add_argument("--output", type=Path, help="folder for the figures")
    args = parser.parse_args()
    start = time.perf_counter()
    ds = increments(args.family, columns=args.columns, seed=args.seed, step=args.step)
    print(f"{args.family}: {dict(ds.sizes)} in {time.perf_counter() - start:.1f} s")
    table(ds)
    if args.output:
        figures(ds, args.output, args.column)


if __name__ == "__main__":
    main()
