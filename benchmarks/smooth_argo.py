"""Smooth the increments of real Argo floats: `python benchmarks/smooth_argo.py --data DIR`.

Each float is analysed twice: with all its profiles, and with one in twenty in the first half of
the record. The thinned increments are smoothed, the column's model is run again with them, and
what comes out is held against the analysis of all the profiles: what the missing ones would have
said. Every rival is at the setting that is best for it on these very data.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import _argo
import numpy as np
import xarray as xr

import xocean_ml  # noqa: F401  (registers the accessors)
from xocean_ml.metrics import running_mean, smoothing, whittaker

FLOATS = ("1900857", "2901746", "5900446")
DATA = Path(__file__).parents[2] / "shared" / "data"
COLUMN = _argo.Column()
BLOCK = 18  # steps in a block of the bootstrap: half a year, beyond the anomalies' memory

Smoother = Callable[[xr.Dataset, float], xr.DataArray]


def raw(ds: xr.Dataset, _: float) -> xr.DataArray:
    """Return the increments as they are."""
    return ds["temperature_increment"]


def mean(ds: xr.Dataset, days: float) -> xr.DataArray:
    """Centred running mean; the amount that it loses at the ends is given back evenly."""
    return _closed(running_mean(raw(ds, 0), round(days / COLUMN.step)), raw(ds, 0))


def penalised(ds: xr.Dataset, days: float) -> xr.DataArray:
    """Whittaker's smoother, which halves a period of `days`; it keeps amounts by itself."""
    return whittaker(raw(ds, 0), (days / COLUMN.step / (2 * np.pi)) ** 4)


def constant(ds: xr.Dataset, _: float) -> xr.DataArray:
    """The increments' mean: cancels the drift and knows nothing of when."""
    return xr.zeros_like(raw(ds, 0)) + raw(ds, 0).mean("time")


def dong(ds: xr.Dataset, days: float, conserve: str = "5YS") -> xr.DataArray:
    """The accessor's Dong smoother, closed over windows of five years."""
    return ds.ml_smooth("dong", decay=f"{days:g}D", conserve=conserve)["temperature_increment"]


def dong_yearly(ds: xr.Dataset, days: float) -> xr.DataArray:
    """The same, closed over every year: the price of a strict closure."""
    return dong(ds, days, "1YS")


def learned(ds: xr.Dataset, _: float) -> xr.DataArray:
    """The packaged network, closed over windows of five years; it has seen no such data."""
    return ds.ml_smooth(conserve="5YS")["temperature_increment"]


def learned_open(ds: xr.Dataset, _: float) -> xr.DataArray:
    """The same, not closed over windows; the whole amount is given back evenly."""
    return _closed(ds.ml_smooth(conserve=None)["temperature_increment"], raw(ds, 0))


def fitted(kind: str) -> Smoother:
    """A model fitted to the thinned increments themselves, without any truth."""

    def smooth(ds: xr.Dataset, _: float) -> xr.DataArray:
        model = ds.ml_smooth.fit(kind)
        return ds.ml_smooth(model, conserve="5YS")["temperature_increment"]

    return smooth


def rts(ds: xr.Dataset, _: float) -> xr.DataArray:
    """Rauch-Tung-Striebel with the filter's own gains, which know of gaps but not of the drift.

    In terms of increments its backward pass is Dong's with a decay that follows the spread:
    u_k = J_k (d_{k+1} + u_{k+1}), J_k = keep P_a,k / P_f,k+1.
    """
    increments = raw(ds, 0).values
    analysed = ds["temperature_increment_spread"].values ** 2
    forecast = ds["forecast_spread"].values ** 2
    shift = np.zeros_like(increments)
    for k in range(len(shift) - 2, -1, -1):
        gain = COLUMN.keep * analysed[k] / forecast[k + 1]
        shift[k] = gain * (increments[k + 1] + shift[k + 1])
    # The increments that make the model itself run through the smoothed states.
    before = np.concatenate([np.zeros_like(shift[:1]), shift[:-1]])
    return raw(ds, 0).copy(data=increments + shift - COLUMN.keep * before)


DAYS = (20, 40, 60, 90, 120, 180, 240, 360, 540, 720)
METHODS: dict[str, tuple[Smoother, tuple[float, ...]]] = {
    "raw": (raw, (0,)),
    "constant": (constant, (0,)),
    "running mean": (mean, DAYS),
    "Whittaker": (penalised, DAYS),
    "Dong": (dong, DAYS),
    "Dong, closed 1YS": (dong_yearly, DAYS),
    "RTS, own gains": (rts, (0,)),
    "TCN": (learned, (0,)),
    "TCN, not closed": (learned_open, (0,)),
    "state space": (fitted("statespace"), (0,)),
}
FITTED = {"fit(tcn)": (fitted("tcn"), (0,))}


def main() -> None:
    """Print the scores of all methods over their sweeps, then at their best; draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with argo/ and the atlas")
    parser.add_argument("--output", type=Path, default=Path("smooth_argo.png"), help="picture")
    parser.add_argument("--fit", action="store_true", help="fit the network too: some minutes")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*lies outside what|no slow part")
    floats = {number: _argo.prepare(options.data, number, COLUMN) for number in FLOATS}
    for number, runs in floats.items():
        _describe(number, runs)
    sweeps = {
        name: _sweep(floats, *method)
        for name, method in (METHODS | (FITTED if options.fit else {})).items()
    }
    reference = sweeps["raw"][0]["errors"]
    print("\nscores of the sparse half (heat: GJ m-2; temperature: K), each setting in days")
    for name, rows in sweeps.items():
        for row in rows:
            print(_line(name, row, reference))
    best = {name: min(rows, key=lambda row: row["heat"]) for name, rows in sweeps.items()}
    print("\neach at its best setting")
    for name, row in best.items():
        print(_line(name, row, reference))
    draw(floats, options.output)
    print(f"\npicture: {options.output}")


def score(runs: dict[str, xr.Dataset], smoothed: xr.DataArray) -> dict[str, np.ndarray | float]:
    """Return the squared heat errors (GJ m-2) of the sparse half's steps and other scores."""
    half = _argo.first_half(runs["full"])["time"]
    error = COLUMN.replay(smoothed) - runs["full"]["temperature_anomaly"]
    heat = (_argo.heat(error) / 1e9).values ** 2
    early = np.isin(error["time"].values, half.values)
    weights = _argo.thickness().sel(depth=error["depth"])
    made, given, target = (
        each.sel(time=half).reset_coords(drop=True)
        for each in (smoothed, runs["thinned"][_NAME], runs["full"][_NAME])
    )
    whole = {"eras": {}, "bands": (0, 1100), "bootstrap": 0}
    scores = smoothing(made, given, truth=target, weights=weights, **whole).squeeze()
    lost = (smoothed - runs["thinned"][_NAME]).sum("time")
    return {
        "errors": heat[early],
        "dense": heat[~early],
        "temperature": float((error.sel(time=half) ** 2).weighted(weights).mean()),
        "noise": float(scores["noise_ratio"]),
        "pulse": float(scores["pulse"]),
        "lost": float(np.abs(_argo.heat(lost)) / 1e9),
    }


_NAME = "temperature_increment"


def _sweep(
    floats: dict[str, dict[str, xr.Dataset]], smoother: Smoother, settings: tuple[float, ...]
) -> list[dict[str, object]]:
    rows = []
    for days in settings:
        each = [score(runs, smoother(runs["thinned"], days)) for runs in floats.values()]
        rows.append(
            {
                "days": days,
                "errors": [one["errors"] for one in each],
                "heat": float(np.sqrt(np.mean(np.concatenate([one["errors"] for one in each])))),
                "dense": float(np.sqrt(np.mean(np.concatenate([one["dense"] for one in each])))),
                "temperature": float(np.sqrt(np.mean([one["temperature"] for one in each]))),
                "noise": float(np.mean([one["noise"] for one in each])),
                "pulse": float(np.mean([one["pulse"] for one in each])),
                "lost": max(float(one["lost"]) for one in each),
            }
        )
    return rows


def _line(name: str, row: dict, reference: list[np.ndarray]) -> str:
    low, high = _interval(row["errors"], reference)
    each = " ".join(f"{np.sqrt(one.mean()):5.2f}" for one in row["errors"])
    return (
        f"{name:17s} {row['days']:4.0f} d | heat {row['heat']:5.2f} ({each}) "
        f"over raw {low:4.2f}..{high:4.2f} | dense half {row['dense']:5.2f} "
        f"| temperature {row['temperature']:5.2f} | noise {row['noise']:5.3f} "
        f"| pulses {100 * row['pulse']:5.2f} % | heat lost {row['lost']:7.1e}"
    )


def _interval(errors: list[np.ndarray], reference: list[np.ndarray]) -> tuple[float, float]:
    """Return the 95 % interval of the error over that of the raw increments, by blocks of time."""
    sums = np.array(
        [
            (mine[k : k + BLOCK].sum(), theirs[k : k + BLOCK].sum())
            for mine, theirs in zip(errors, reference, strict=True)
            for k in range(0, mine.size, BLOCK)
        ]
    )
    drawn = np.random.default_rng(0).integers(len(sums), size=(2000, len(sums)))
    mine, theirs = sums[drawn].sum(axis=1).T
    low, high = np.quantile(np.sqrt(mine / theirs), [0.025, 0.975])
    return float(low), float(high)


def _closed(smoothed: xr.DataArray, given: xr.DataArray) -> xr.DataArray:
    return smoothed + (given - smoothed).mean("time")


def _describe(number: str, runs: dict[str, xr.Dataset]) -> None:
    counts = [int(runs[name]["number_of_observations"].max("depth").sum()) for name in runs]
    dates = np.datetime_as_string(runs["full"]["time"].values[[0, -1]], unit="D")
    sizes = runs["full"].sizes
    print(
        f"float {number}: {dates[0]} to {dates[1]}, {sizes['time']} steps of {COLUMN.step} d, "
        f"{sizes['depth']} levels; {counts[0]} profiles, {counts[1]} after thinning"
    )


def draw(floats: dict[str, dict[str, xr.Dataset]], output: Path) -> None:
    """Draw increments on (time, depth) and heat content, one column for each float."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import SymLogNorm

    figure, panels = plt.subplots(
        4, len(floats), figsize=(6 * len(floats), 12), layout="constrained", squeeze=False
    )
    norm = SymLogNorm(0.03, vmin=-1.5, vmax=1.5)
    for column, (number, runs) in zip(panels.T, floats.items(), strict=True):
        thinned, full = runs["thinned"], runs["full"]
        smoothed = learned(thinned, 0)
        titles = ("thinned, raw", "thinned, smoothed (TCN)", "all profiles, raw")
        shown = (thinned[_NAME], smoothed, full[_NAME])
        for panel, title, each in zip(column, titles, shown, strict=False):
            image = panel.pcolormesh(
                each["time"],
                each["depth"],
                each.transpose("depth", "time"),
                norm=norm,
                cmap="RdBu_r",
            )
            panel.set(title=f"{number}: {title}", ylabel="depth (m)", ylim=(1000, 0))
        for name, style, width, each in (
            ("thinned, raw", "C1", 4.0, thinned[_NAME]),
            ("all profiles", "k", 1.2, full[_NAME]),
            ("thinned, smoothed", "C0", 2.0, smoothed),
        ):
            content = _argo.heat(COLUMN.replay(each)) / 1e9
            column[3].plot(content["time"], content, style, label=name, lw=width)
        middle = _argo.first_half(full)["time"].values[-1]
        for panel in column:
            panel.axvline(middle, color="k", lw=0.8, ls="--")
            panel.set_xlim(full["time"].values[0], full["time"].values[-1])
            panel.xaxis.set_major_locator(matplotlib.dates.YearLocator())
        column[3].set(title=f"{number}: heat content anomaly", ylabel="GJ m$^{-2}$")
    lines, labels = panels[3, 0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.colorbar(image, ax=panels[:3], label="increment (K per step)", shrink=0.6)
    figure.savefig(output, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
