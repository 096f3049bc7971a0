"""What `.downscale` does, on the packaged sample of a simulated surface."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from xocean_ml import metrics, tutorial
from xocean_ml.downscaling.coarsen import coarsen
from xocean_ml.tour.telling import draw, table, write

__all__ = ["surface"]

FACTOR = 9
HEADINGS = ("model", "error, cm", "over bicubic", "gradient error", "resolves, km")


def surface(output: Path) -> None:
    """Bring coarse sea level to a finer grid, score it against the truth, write both.

    Parameters
    ----------
    output : Path
        Folder, which exists, for ``downscaled.nc`` and ``downscaling.png``.
    """
    truth = tutorial.open_dataset("surface")
    coarse = coarsen(truth[["ssh"]], FACTOR)
    guide = truth[["sst"]]
    cells = truth.sizes["latitude"] // FACTOR
    print(
        f"A simulated surface: {truth.sizes['time']} maps of sea level, seen as means over "
        f"{cells} x {cells} cells,\nand of temperature on the fine grid.\n"
    )
    print(">>> ds.downscale(like=sst, guide=sst)")
    print(coarse.downscale.plan(like=truth, guide=guide), end="\n\n")
    guided = coarse.downscale(like=truth, guide=guide)
    closed = coarse.downscale("bicubic", like=truth, conserve=True)
    models = {
        "bicubic": coarse.downscale("bicubic", like=truth)["ssh"],
        "bicubic, means kept": closed["ssh"],
        "network alone": coarse.downscale(like=truth)["ssh"],
        "guided network": guided["ssh"],
    }
    scores = {
        name: metrics.downscaling(each, truth["ssh"], baseline=models["bicubic"], bootstrap=200)
        for name, each in models.items()
    }
    print(table(HEADINGS, _rows(scores)), end="\n\n")
    print(_words(scores, guided, truth["ssh"]), end="\n\n")
    write(guided, output / "downscaled.nc")
    shown = {name: models[name] for name in ("bicubic", "network alone", "guided network")}
    draw(
        "downscaling",
        output / "downscaling.png",
        coarse["ssh"],
        shown,
        truth=truth["ssh"],
        guide=truth["sst"],
        scores={name: scores[name] for name in shown},
        time=5,
    )


def _rows(scores: Mapping[str, xr.Dataset]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            f"{100 * float(score['rmse']):.2f}",
            f"{float(score['rmse_ratio']):.2f} ({float(score['rmse_ratio_low']):.2f} to "
            f"{float(score['rmse_ratio_high']):.2f})",
            f"{float(score['gradient_error']):.2f}",
            f"{float(score['effective_resolution']):.0f}",
        )
        for name, score in scores.items()
    ]


def _words(scores: Mapping[str, xr.Dataset], guided: xr.Dataset, truth: xr.DataArray) -> str:
    """What the table shows, its numbers taken from it."""
    alone, led = (float(scores[n]["rmse_ratio"]) for n in ("network alone", "guided network"))
    error, spread = guided["ssh"] - truth, guided["ssh_spread"]
    known = np.isfinite(error)
    within = float((abs(error) < 1.645 * spread).where(known).mean())
    told = (
        f"Errors are {alone:.2f} of bicubic's with the coarse map alone and {led:.2f} with "
        "temperature beside it. Neither network was shown this world.",
        f"The guided one says how sure it is: {100 * within:.0f} % of its errors are within what "
        "it calls 90 %.",
        "The fine maps keep the coarse map's names, units and attributes; land stays land.",
    )
    return "\n".join(
        ["What this shows"]
        + [textwrap.fill(each, 96, initial_indent="- ", subsequent_indent="  ") for each in told]
    )
