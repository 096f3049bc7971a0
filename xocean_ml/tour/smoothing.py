"""What `.ml_smooth` does, on increments whose truth is known or on a user's own file.

Each part prints what it finds and writes ``smoothed.nc`` and ``smoothing.png``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import grid, metrics, simulate
from xocean_ml.errors import GridError, XOceanError
from xocean_ml.smoothing.prepare import Variable, prepare
from xocean_ml.tour.telling import draw, missing, small, table, write

__all__ = ["own", "twin"]

WINDOW = "5YS"
WIDTHS = (7, 13, 25, 37, 49, 61, 85, 121)
DECAYS = (90, 180, 365, 730, 1461, 2922, 5844)
DRAWN = 20_000_000
"""Values that the figure of a user's own file may hold."""

HEADINGS = ("band", "method", "noise", "error / optimum", "5-year corr.", "pulses", "closure")


# ---- the twin ------------------------------------------------------------------------------


def twin(output: Path, *, columns: int = 24, seed: int = 0) -> None:
    """Smooth a simulated century of increments, score it against the truth, write both.

    Parameters
    ----------
    output : Path
        Folder, which exists, for ``smoothed.nc`` and ``smoothing.png``.
    columns : int
        Number of water columns.
    seed : int
        Seed of the simulation.
    """
    ds = _world(columns, seed)
    years = ds["time"].dt.year.values
    print(
        f"A simulated reanalysis: {columns} columns, {ds.sizes['depth']} levels, monthly increments"
        f"\nof {years[0]} to {years[-1]}, whose true part is known.\n"
    )
    _announce(ds)
    smoothed = ds.ml_smooth(conserve=WINDOW, gate=True)
    increment = smoothed["temperature_increment"]
    sweep = _frontier(ds)
    width, decay = (_best(sweep, name) for name in ("running mean", "Dong"))
    methods = {
        "raw": ds["temperature_increment"],
        f"running mean, {width:.0f} months": _mean(ds, width),
        f"Dong, {decay:.0f} days": _dong(ds, decay, None),
        "learned": ds.ml_smooth(conserve=None)["temperature_increment"],
        f"learned, closed {WINDOW}": increment,
        "optimum A": ds["optimum_a"],
    }
    scores = {name: _score(x, ds) for name, x in methods.items()}
    whole = {name: score.sel(era="all") for name, score in scores.items()}
    print(table(HEADINGS, _rows(whole)), end="\n\n")
    print(_words(whole, width, decay), end="\n\n")
    raw = ds["temperature_increment"]
    described = raw.assign_attrs(long_name="temperature increment before smoothing")
    del described.attrs["standard_name"]  # the smoothed one is the increment of this file
    write(smoothed.assign(raw_increment=described), output / "smoothed.nc")
    draw(
        "smoothing",
        output / "smoothing.png",
        raw,
        increment,
        truth=ds["true_increment"],
        score=scores[f"learned, closed {WINDOW}"],
        frontier=sweep,
        conserve=WINDOW,
    )


def _world(columns: int, seed: int) -> xr.Dataset:
    """The twin as a CF file wants it: columns before time, and a member that spreads refer to."""
    ds = simulate.increments("test_inside", columns=columns, seed=seed)
    ds = ds.drop_vars(["optimum_b", "gain"]).transpose("column", "time", "depth", ...)
    member = {"standard_name": "realization", "units": "1"}
    ds = ds.assign_coords(realization=((), np.int32(0), member))
    ds["realization"].encoding["_FillValue"] = None
    return ds


def _mean(ds: xr.Dataset, width: float) -> xr.DataArray:
    return metrics.running_mean(ds["temperature_increment"], int(width))


def _dong(ds: xr.Dataset, days: float, conserve: str | None) -> xr.DataArray:
    return ds.ml_smooth("dong", decay=f"{days}D", conserve=conserve)["temperature_increment"]


def _frontier(ds: xr.Dataset) -> xr.Dataset:
    """Error and noise of the running mean and of Dong's smoother, each swept."""
    return metrics.frontier(
        ds["temperature_increment"],
        ds["true_increment"],
        {
            "running mean": lambda width: _mean(ds, width),
            "Dong": lambda days: _dong(ds, days, None),
        },
        parameters={"running mean": WIDTHS, "Dong": DECAYS},
        optimum=ds["optimum_a"],
    )


def _best(sweep: xr.Dataset, method: str) -> float:
    """The parameter with the least error over the optimum's, bands alike; needs the truth."""
    error = sweep["rmse"].sel(smoother=method, era="all") / sweep["optimum_rmse"].sel(era="all")
    alike = xr.DataArray(np.log(error))
    return float(error["value"][int(alike.mean("band").argmin("parameter"))])


def _score(x: xr.DataArray, ds: xr.Dataset) -> xr.Dataset:
    raw, truth, optimum = (ds[n] for n in ("temperature_increment", "true_increment", "optimum_a"))
    return metrics.smoothing(x, raw, truth=truth, optimum=optimum, conserve=WINDOW, bootstrap=200)


def _rows(scores: Mapping[str, xr.Dataset]) -> Iterable[Sequence[str]]:
    for band in next(iter(scores.values()))["band"].values:
        for k, (name, score) in enumerate(scores.items()):
            at = score.sel(band=band)
            low, high = float(at["rmse_ratio_low"]), float(at["rmse_ratio_high"])
            span = f" ({low:.2f} to {high:.2f})" if low < high else ""
            yield (
                "" if k else f"{band} m",
                name,
                f"{float(at['noise_ratio']):.3f}",
                f"{float(at['rmse_ratio']):.2f}{span}",
                f"{float(at['correlation_truth']):.2f}",
                f"{100 * float(at['pulse']):.2f} %",
                small(float(at["closure_residual"])),
            )
        yield ()


def _words(scores: Mapping[str, xr.Dataset], width: float, decay: float) -> str:
    """What the table shows, its numbers taken from it."""
    raw, mean, dong, free, closed, best = scores.values()

    def between(score: xr.Dataset, name: str, digits: int = 2) -> str:
        low, high = (float(score[name].quantile(q)) for q in (0, 1))
        return f"{low:.{digits}f} to {high:.{digits}f}"

    told = (
        "Month-to-month noise (root mean square of steps, over that of the raw increments) falls "
        f"to {between(closed, 'noise_ratio', 3)} of what it was.",
        "Errors against the truth, over those of the best estimate that the same increments allow "
        f"(optimum A, which knows every parameter), were {between(raw, 'rmse_ratio')} and are "
        f"{between(free, 'rmse_ratio')}. A running mean of {width:.0f} months, the best of "
        f"{len(WIDTHS)} widths in hindsight, is at {between(mean, 'rmse_ratio')}; the smoother of "
        f"Dong et al. (2021) with {decay:.0f} days, the best of {len(DECAYS)}, at "
        f"{between(dong, 'rmse_ratio')}. The learned one was not shown the truth, nor this world.",
        "Pulses further from the truth than three of its standard deviations were up to "
        f"{100 * float(raw['pulse'].max()):.0f} % of values and are up to "
        f"{100 * float(closed['pulse'].max()):.1f} %.",
        "Closed, sums over five years stay as they were, in every cell, to "
        f"{small(float(closed['closure_residual'].max()))} of the amount: what float32 rounds.",
        "The price of that: 5-year means are the raw ones, noise of several years and all. Their "
        f"correlation with the truth stays the raw {between(closed, 'correlation_truth')}; not "
        f"closed it is {between(free, 'correlation_truth')}, at best "
        f"{between(best, 'correlation_truth')}; and errors are {between(closed, 'rmse_ratio')}.",
        "Beside the smoothed increments the file holds the gate: how far the answer departs from "
        "a light average, open where observations are rare.",
    )
    return "\n".join(
        ["What this shows (ranges are over the depth bands)"]
        + [textwrap.fill(each, 96, initial_indent="- ", subsequent_indent="  ") for each in told]
    )


# ---- a user's own file ---------------------------------------------------------------------


def own(path: str, output: Path) -> None:
    """Smooth the increments of a file, tell what was found and what changed, write both.

    Parameters
    ----------
    path : str
        NetCDF file, or Zarr store (its name ends in ``.zarr``, or it is a folder).
    output : Path
        Folder, which exists, for ``smoothed.nc`` and a figure for each increment.

    Raises
    ------
    XOceanError
        If the file cannot be opened, or its increments not be smoothed.
    """
    target = output / "smoothed.nc"
    if Path(path).resolve() == target.resolve():
        raise XOceanError(f"{path} would be overwritten; choose another --output")
    ds = _open(path)
    model = _model(ds)
    _announce(ds, model)
    ready = prepare(ds, model, {}, conserve=WINDOW)
    write(ds.ml_smooth(model, conserve=WINDOW), target)
    with _open(str(target)) as smoothed:
        for variable in ready.variables:
            name = str(variable.increments.name)
            _report(variable, ds[name], smoothed[name])
            picture = "smoothing.png" if len(ready.variables) == 1 else f"smoothing_{name}.png"
            shown = _thinned(ds[name]), _thinned(smoothed[name])
            draw("smoothing", output / picture, *shown, conserve=WINDOW)


def _open(path: str) -> xr.Dataset:
    zarr = path.rstrip("/").endswith(".zarr") or Path(path).is_dir()
    try:
        return xr.open_dataset(path, chunks={}, engine="zarr" if zarr else None)
    except (OSError, ValueError, ImportError, KeyError) as error:
        told = str(error).partition("\n")[0]
        hint = "" if isinstance(error, OSError) else missing("io")
        raise XOceanError(f"{path} cannot be opened{hint or f': {told}'}") from error


def _report(variable: Variable, raw: xr.DataArray, smoothed: xr.DataArray) -> None:
    """Print what can be told without the truth."""
    job = variable.job
    # A thickness that moves belongs to the amounts too, and is not at hand here.
    score = metrics.smoothing(
        smoothed,
        raw,
        weights=xr.DataArray(job.steps.amount, dims=job.dims[job.time]),
        conserve=None if job.moving_weights else WINDOW,
        bootstrap=0,
    ).sel(era="all")
    rows = []
    for band in score["band"].values:
        at = score.sel(band=band)
        residual = float(at["closure_residual"]) if "closure_residual" in at else np.nan
        noise, kept = float(at["noise_ratio"]), float(at["correlation_raw"])
        rows.append((str(band), "1", f"{noise:.3f}", f"{kept:.3f}", small(residual)))
    print(f"{raw.name}")
    print(table(("band", "noise before", "after", "5-year corr. with raw", "closure"), rows))
    print(
        "\nnoise: root mean square of step-to-step differences, over that of the raw increments;"
        "\nclosure: largest change of a sum over five years in a cell, over its sum of sizes.\n"
    )


def _thinned(da: xr.DataArray) -> xr.DataArray:
    """Every n-th cell, so that the figure of a large file fits in memory."""
    axes = grid.axes(da)
    beside = [dim for dim in da.dims if dim not in (axes.get("T"), axes.get("Z"))]
    while da.size > DRAWN and any(da.sizes[dim] > 1 for dim in beside):
        longest = max(beside, key=lambda dim: da.sizes[dim])
        da = da.isel({longest: slice(None, None, 2)})
    return da


# ---- both ----------------------------------------------------------------------------------


def _model(ds: xr.Dataset) -> Any:
    """The packaged network; without depth Dong's smoother, fitted."""
    try:
        prepare(ds, "tcn", {}, conserve=WINDOW)
    except GridError as error:
        told = f"{error}. So the smoother of Dong et al. (2021) is fitted to these data."
        print(textwrap.fill(told, 96), end="\n\n")
        return ds.ml_smooth.fit("dong")
    return "tcn"


def _announce(ds: xr.Dataset, model: Any = "tcn") -> None:
    """Print the call and its plan."""
    call = "" if model == "tcn" else '"dong", decay="fit", '
    print(f'>>> ds.ml_smooth({call}conserve="{WINDOW}")')
    print(ds.ml_smooth.plan(model, conserve=WINDOW), end="\n\n")
