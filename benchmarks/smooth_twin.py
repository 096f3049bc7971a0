"""`.ml_smooth` on the twin: `python benchmarks/smooth_twin.py [--columns 120] [--output DIR]`.

First what must hold, each with its bar, PASS or FAIL:

- sums: what a window's sum of amounts has lost, over the sum of the raw amounts' sizes; the
  largest over all windows and cells, columns or the globe, and how many are over the bar (float64
  1e-13, float32 1e-7). A window without any raw increment has no amount of its own and takes the
  series' usual one. Where a window holds one small increment and large ones from its neighbours are
  spread into it, numbers cannot be written down more exactly than their own size allows; so the
  same is told over the larger of the raw and the smoothed amounts.
- edges: the mean step across the edges of windows, of the closed over the unclosed output: 1.3.
- cropping: largest change of windows that lie two or more from the cut (and, where the future is
  cut, 36 decay times), over the largest value: 1e-14.

Then scores. Each method is swept over its one parameter; at equal noise its error against the
truth over that of optimum A is compared. `decay="fit"` stands beside the decay that is best in
hindsight. With `--output DIR` a figure of the frontiers is written there.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr

import xocean_ml as xo
from xocean_ml import grid
from xocean_ml.metrics import running_mean, whittaker

NAME, SPREAD, WINDOW = "temperature_increment", "temperature_increment_spread", "5YS"
DECAYS = (30, 60, 90, 180, 270, 365, 550, 730, 1100, 1461, 2922, 5844)
WIDTHS = (3, 5, 7, 9, 13, 19, 25, 37, 49, 61, 85, 121, 181)
PENALTIES = tuple(10.0**k for k in np.arange(0, 7.1, 0.5))
CLOSURES = {
    "Dong": None,
    "Dong, 5YS": "5YS",
    "Dong, 10YS": "10YS",
    "Dong, running:5Y": "running:5Y",
}
CHUNKS = ({}, {"column": 7}, {"time": 1, "column": 40}, {"time": 137, "depth": 3})


def main() -> None:
    """Print bars and scores; draw the frontiers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", default="test")
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="folder for the figure")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*rechunked")
    start = time.perf_counter()
    ds = xo.simulate.increments(
        options.family, columns=options.columns, seed=options.seed, dtype="float64"
    )
    print(f"twin {options.family!r}, seed {options.seed}: {dict(ds.sizes)}")
    bars = [*sums(ds), *edges(ds), *cropping(ds)]
    print(f"\n{sum(bars)} of {len(bars)} bars hold")
    sweep = frontiers(ds)
    scores(ds, sweep)
    fitted(ds, sweep)
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        draw(sweep, options.output / "smooth_twin.png")
    print(f"\n{time.perf_counter() - start:.0f} s in all")


# ---- bars ----------------------------------------------------------------------------------


def dong(ds: xr.Dataset, days: float | str, conserve: str | None = WINDOW, **more) -> xr.DataArray:
    """The accessor's smoother; days as a number, or "fit"."""
    decay = days if isinstance(days, str) else f"{days:g}D"
    return ds.ml_smooth("dong", decay=decay, conserve=conserve, **more)[NAME]


def sums(ds: xr.Dataset) -> Iterator[bool]:
    """The relative residual of the closure."""
    print("\nsums: over                 dtype    chunks")
    bars = {"float64": 1e-13, "float32": 1e-7}
    windows = grid.time_axis(ds).segments(WINDOW).index
    area = xr.DataArray(
        np.linspace(1, 2, ds.sizes["column"]),
        dims="column",
        attrs={"standard_name": "cell_area", "units": "m2"},
    )
    for (dtype, bar), over, chunks in product(bars.items(), ("cell", "column", "global"), CHUNKS):
        given = ds[[NAME, SPREAD, "time_bnds", "depth_bnds"]]
        given = given.assign({name: ds[name].astype(dtype) for name in (NAME, SPREAD)})
        given["areacello"] = area
        for spread in (None, SPREAD):
            if spread and chunks.get("time", -1) != -1:
                continue  # time is made whole by a rechunk: the case of whole series again
            asked = given.chunk(chunks) if chunks else given
            out = dong(asked, 365, conserve_over=over, spread=spread).compute()
            found = _residual(given[NAME], out, _amounts(ds, area, over), windows, over)
            where = over + (", by spread" if spread else "")
            print(f"      {where:20} {dtype}  {chunks or 'numpy'}")
            for of, ratio in zip(("raw", "larger"), found, strict=True):
                many = f"  {(ratio > bar).sum()} of {ratio.size} over it"
                yield _bar(f"{'':30}of {of:7}", float(ratio.max()), bar, many)


def _amounts(ds: xr.Dataset, area: xr.DataArray, over: str) -> xr.DataArray:
    """Size of cells, as far as it enters a sum."""
    height = np.diff(ds["depth_bnds"])[:, 0] if over != "cell" else np.ones(ds.sizes["depth"])
    height = xr.DataArray(height, dims="depth")
    return height * area if over == "global" else height * xr.ones_like(area)


def _residual(
    raw: xr.DataArray, out: xr.DataArray, amount: xr.DataArray, windows: np.ndarray, over: str
) -> tuple[np.ndarray, np.ndarray]:
    """What each sum has lost, over the raw amount and over the larger of raw and smoothed."""
    dims = {"cell": [], "column": ["depth"], "global": ["depth", "column"]}[over]
    first = np.flatnonzero(np.diff(windows, prepend=-1))

    def total(x: xr.DataArray) -> np.ndarray:
        whole = (x.astype("f8") * amount).transpose("time", "depth", "column").values
        axes = tuple(("time", "depth", "column").index(dim) for dim in dims)
        return np.add.reduceat(whole, first, axis=0).sum(axis=axes)

    lost = np.abs(total(out.astype("f8") - raw.astype("f8")))
    sizes, made = total(np.abs(raw.astype("f8"))), total(np.abs(out.astype("f8")))
    usual = sizes.sum(axis=0) / np.maximum((sizes > 0).sum(axis=0), 1) + 0 * sizes
    sizes = np.where(sizes > 0, sizes, usual)
    made = np.maximum(sizes, made)
    raw_ratio, ratio = (
        np.divide(lost, x, out=np.zeros_like(lost), where=x > 0) for x in (sizes, made)
    )
    return raw_ratio, ratio


def edges(ds: xr.Dataset) -> Iterator[bool]:
    """Steps across window edges that the closure makes."""
    print("\nedges: mean step across the edges of windows, closed over not closed")
    inner = np.flatnonzero(np.diff(grid.time_axis(ds).segments(WINDOW).index))
    for days in (30, 90, 180, 365, 730, 1461):
        closed, free = (np.abs(np.diff(dong(ds, days, c), axis=0)) for c in (WINDOW, None))
        beside = np.setdiff1d(np.arange(len(free)), inner)
        ratio = closed[inner].mean() / free[inner].mean()
        elsewhere = closed[beside].mean() / free[beside].mean()
        yield _bar(f"      decay {days:5} days", ratio, 1.3, f" (elsewhere {elsewhere:.2f})", ".2f")


def cropping(ds: xr.Dataset) -> Iterator[bool]:
    """Change of inner windows when the record is cut."""
    print("\ncropping: largest change of inner windows over the largest value")
    cases = [("past", cut, days) for cut in (1, 37, 60, 90) for days in (60, 730)]
    for side, cut, days in [*cases, ("future", 37, 60), ("future", 60, 60), ("future", 90, 60)]:
        part = slice(cut, None) if side == "past" else slice(None, -cut)
        whole, cropped = (dong(each, days) for each in (ds, ds.isel(time=part)))
        windows = grid.time_axis(ds.isel(time=part)).segments(WINDOW).index
        inner = windows >= 2 if side == "past" else windows <= windows.max() - 3
        change = np.abs(cropped - whole.isel(time=part))[inner].max()
        text = f"      {side:6} by {cut:2} months, decay {days:3} days"
        yield _bar(text, float(change / np.abs(whole).max()), 1e-14)


def _bar(text: str, found: float, bar: float, more: str = "", form: str = "9.1e") -> bool:
    print(f"{text}  {found:{form}}{more}  {'PASS' if found <= bar else 'FAIL'} ({bar:g})")
    return found <= bar


# ---- scores --------------------------------------------------------------------------------


def method(name: str) -> Callable[[xr.Dataset, float], xr.DataArray]:
    """A smoother as a function of the Dataset and its one parameter."""
    if name == "running mean":
        return lambda ds, months: running_mean(ds[NAME], int(months))
    if name == "Whittaker":
        return lambda ds, penalty: whittaker(ds[NAME], penalty)
    return lambda ds, days: dong(ds, days, CLOSURES[name])


def frontiers(ds: xr.Dataset) -> xr.Dataset:
    """Error and noise of each method over its sweep."""
    parameters = {"running mean": WIDTHS, "Whittaker": PENALTIES}
    parameters |= dict.fromkeys(CLOSURES, DECAYS)
    sweep = xo.metrics.frontier(
        ds[NAME],
        ds["true_increment"],
        {name: partial(method(name), ds) for name in parameters},
        parameters=parameters,
        optimum=ds["optimum_a"],
    )
    return sweep.sel(era="all")


def scores(ds: xr.Dataset, sweep: xr.Dataset) -> None:
    """Print each method at its best, then all at equal noise."""
    bands = [f"{band:>12}" for band in sweep["band"].values]
    print(
        "\nerror over optimum A's at each band's best parameter in hindsight, 95 % interval over "
        "columns\n(running mean: months; Whittaker: log10 of the penalty; Dong: days)"
    )
    for name in sweep["smoother"].values:
        print(f"  {name}")
        for band, levels in xo.metrics.series.depth_bands(ds["depth"].values).items():
            one = sweep["rmse"].sel(smoother=name, band=band).dropna("parameter")
            best = float(one["value"][int(one.argmin("parameter"))])
            part = ds.isel(depth=levels)
            score = xo.metrics.smoothing(
                method(name)(part, best),
                part[NAME],
                truth=part["true_increment"],
                optimum=part["optimum_a"],
                bootstrap=300,
            ).sel(era="all", band=band)
            error, low, high = (float(score[f"rmse_ratio{s}"]) for s in ("", "_low", "_high"))
            setting = np.log10(best) if name == "Whittaker" else best
            print(
                f"    {band:9} {error:5.2f} ({low:.2f} to {high:.2f}) at {setting:5g} | noise "
                f"{float(score['noise_ratio']):.3f} | 5-year corr. with truth "
                f"{float(score['correlation_truth']):.2f} | pulses {float(score['pulse']):.2%}"
            )
    print(f"\nerror over optimum A's at equal noise\n{'noise':7}{'':18}{''.join(bands)}")
    for noise in (0.2, 0.1, 0.05, 0.035, 0.025):
        equal = xo.metrics.at_noise(sweep, noise) / sweep["optimum_rmse"]
        for k, name in enumerate(sweep["smoother"].values):
            cells = [f"{float(x):12.2f}" for x in equal.sel(smoother=name)]
            print(f"{'' if k else noise:<7}{name:18}{''.join(cells)}".replace("nan", "  -"))


def fitted(ds: xr.Dataset, sweep: xr.Dataset) -> None:
    """Print the fitted decay beside the best one in hindsight, for all levels and by band."""
    print("\ndecay fitted without the truth, and the error over that of the best in hindsight")
    print(
        f"{'band':12}{'':6}{'fitted':>8}{'best':>8}{'excess':>9}   not closed; then closed over 5YS"
    )
    whole = ds.ml_smooth.fit("dong")
    bands = xo.metrics.series.depth_bands(ds["depth"].values)
    for band, levels in bands.items():
        part = ds.isel(depth=levels)
        own = part.ml_smooth.fit("dong")
        for label, model in (("all", whole), ("own", own)):
            cells = []
            for name, conserve in (("Dong", None), ("Dong, 5YS", WINDOW)):
                out = part.ml_smooth(model, conserve=conserve)[NAME]
                error = float(((out - part["true_increment"]) ** 2).mean() ** 0.5)
                curve = sweep["rmse"].sel(smoother=name, band=band).dropna("parameter")
                at = int(curve.argmin("parameter"))
                best = float(curve["value"][at])
                cells.append(
                    f"{model.decay_days:8.0f}{best:8.0f}{error / float(curve[at]) - 1:9.1%}"
                )
            print(f"{band if label == 'all' else '':12}{label:6}{'  |'.join(cells)}")


def draw(sweep: xr.Dataset, path: Path) -> None:
    """Draw error against noise, a panel for each band."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    bands = sweep["band"].values
    figure, panels = plt.subplots(
        1, len(bands), figsize=(3.4 * len(bands), 3.6), layout="constrained"
    )
    styles = ("C2", "C1", "0.6", "C0", "C9", "C4")
    for panel, band in zip(panels, bands, strict=True):
        at = sweep.sel(band=band)
        for name, color in zip(sweep["smoother"].values, styles, strict=True):
            one = at.sel(smoother=name)
            error = one["rmse"] / at["optimum_rmse"]
            panel.plot(one["noise_ratio"], error, ".-", color=color, label=name, lw=1.4, ms=4)
        panel.plot(at["optimum_noise_ratio"], 1, "*", color="k", ms=11, label="optimum A")
        panel.set(xscale="log", title=f"{band} m", xlabel="noise ratio", ylim=(0.95, 2.5))
        panel.grid(color="0.92")
    panels[0].set_ylabel("error over optimum A's")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
