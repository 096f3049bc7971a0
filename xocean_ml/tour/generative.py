"""The tour's last part: the surface of an ocean from what satellites see of it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from xocean_ml import metrics, simulate, tutorial
from xocean_ml.generative import genda
from xocean_ml.generative.fit import fit
from xocean_ml.tour.telling import draw, table, write

__all__ = ["ensemble"]

MEMBERS = 8
SIDE = 64
HEADINGS = ("", "model", "error", "spread / error", "fair CRPS")
KNOWN = 8
"""Times of the tutorial's ocean that interpolation learns from."""


def ensemble(output: Path) -> None:
    """Draw members of a simulated surface from what satellites see of it.

    Parameters
    ----------
    output : Path
        Folder, which exists, for ``members.nc`` and ``members.png``.
    """
    world = tutorial.open_dataset("surface")
    part = world.isel(latitude=slice(SIDE), longitude=slice(SIDE))
    past, truth = part.isel(time=slice(KNOWN)), part.isel(time=[-1])
    seen = simulate.observe(truth, nadirs=4, swath=False, cloud=0.5, coarse=True, seed=2)
    first, *also = seen.values()
    print(
        f"The same simulated ocean, one day of {SIDE} by {SIDE} cells: what a few passes of "
        "altimeters, a clouded\ninfrared image and coarse maps tell of sea level, temperature, "
        "salinity and currents.\n"
    )
    print(">>> tracks.genda(also=[image, *maps], members=8, like=ocean)")
    print(first.genda.plan(also=also, members=MEMBERS, like=truth), end="\n\n")
    drawn = {
        f"interpolation, of {KNOWN} days": genda(
            first, fit(past, "oi"), also=also, members=MEMBERS, like=truth
        ),
        "packaged prior": genda(first, also=also, members=MEMBERS, like=truth),
    }
    scores = {name: metrics.ensemble(each, truth, bootstrap=0) for name, each in drawn.items()}
    print(table(HEADINGS, _rows(scores, truth)), end="\n\n")
    print(_words(scores, "nadir" in seen), end="\n\n")
    made = drawn["packaged prior"]
    write(made, output / "members.nc")
    draw("members", output / "members.png", made, truth, observed=seen.get("nadir"))


def _rows(scores: Mapping[str, xr.Dataset], truth: xr.Dataset) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name in scores[next(iter(scores))]["variable"].values:
        told = str(truth[name].attrs.get("long_name", name))
        units = str(truth[name].attrs.get("units", ""))
        for model, score in scores.items():
            one = score.sel(variable=name)
            numbers = (
                f"{float(one['rmse']):.3g} {units}",
                f"{float(one['spread_over_error']):.2f}",
                f"{float(one['crps']):.3g}",
            )
            rows.append((told, model, *numbers))
            told = ""
    return rows


def _words(scores: Mapping[str, xr.Dataset], passed: bool) -> str:
    """What the table shows, its numbers taken from it."""
    plain, prior = (each["crps"].values for each in scores.values())
    better = int(np.sum(prior < plain))
    told = [
        f"The prior's members have the lower CRPS in {better} of {len(plain)} fields. One day of "
        "one small box is no verdict: docs/generative.md has one.",
        "Nothing was seen of currents: they follow from each member's sea level, and from what "
        "the prior knows of the rest.",
    ]
    if not passed:
        told.append("No altimeter passed on this day.")
    return "\n".join(
        ["What this shows"]
        + [textwrap.fill(each, 96, initial_indent="- ", subsequent_indent="  ") for each in told]
    )
