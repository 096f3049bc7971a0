"""What `.assimilate` does, on the packaged sample of a simulated climate."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from xocean_ml import metrics, tutorial
from xocean_ml.assimilation import assimilate
from xocean_ml.tour.telling import draw, table, write

__all__ = ["climate"]

KNOWN, MONTHS = 180, 12
"""Months that the linear model learns from, and that are analysed."""

SHARE = 0.2
ERROR = {"sea_surface_temperature": 0.2, "air_pressure_at_mean_sea_level": 50.0}
HEADINGS = ("field", "model", "share of variance explained", "spread over error")


def climate(output: Path) -> None:
    """Recover four fields from a part of two, score them against the truth, write them.

    Parameters
    ----------
    output : Path
        Folder, which exists, for ``assimilated.nc`` and ``assimilation.png``.
    """
    world = tutorial.open_dataset("climate")
    past, truth = world.isel(time=slice(0, KNOWN)), world.isel(time=slice(KNOWN, KNOWN + MONTHS))
    seen = observed(truth)
    print(
        f"A simulated climate: {MONTHS} months, of which {SHARE:.0%} of the cells of sea surface "
        "temperature\nand pressure are seen, with errors of 0.2 K and 0.5 hPa.\n"
    )
    print('>>> ds.assimilate(error={"sea_surface_temperature": 0.2, ...})')
    print(seen.assimilate.plan(error=ERROR), end="\n\n")
    linear = past.assimilate.fit("eof", latent=100)
    full = assimilate(seen, error=ERROR)
    models = {
        f"linear, of {KNOWN // 12} years": assimilate(seen, linear, error=ERROR),
        "packaged network": full,
    }
    base = assimilate(truth.where(False))
    scores = {
        name: metrics.assimilation(each, truth, base=base, bootstrap=200)
        for name, each in models.items()
    }
    print(table(HEADINGS, _rows(scores, truth)), end="\n\n")
    print(_words(scores), end="\n\n")
    write(full, output / "assimilated.nc")
    draw(
        "assimilation",
        output / "assimilation.png",
        full,
        truth,
        base=base,
        observed=seen,
        time=5,
    )


def observed(truth: xr.Dataset) -> xr.Dataset:
    """A part of the cells of two fields, with errors."""
    random = np.random.default_rng(0)
    seen = truth[["sst", "slp"]].where(random.random(truth.slp.shape) < SHARE)
    for name, error in zip(seen.data_vars, ERROR.values(), strict=True):
        seen[name] += error * random.standard_normal(seen[name].shape)
    return seen


def _rows(scores: Mapping[str, xr.Dataset], truth: xr.Dataset) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name in scores[next(iter(scores))]["variable"].values:
        told = str(truth[name].attrs.get("long_name", name))
        for model, score in scores.items():
            one = score.sel(variable=name)
            low, high = (float(one[f"explained_{end}"]) for end in ("low", "high"))
            share = f"{float(one['explained']):.2f} ({low:.2f} to {high:.2f})"
            rows.append((told, model, share, f"{float(one['spread_over_error']):.2f}"))
            told = ""
    return rows


def _words(scores: Mapping[str, xr.Dataset]) -> str:
    """What the table shows, its numbers taken from it."""
    linear, network = scores.values()
    rain = [float(each["explained"].sel(variable="precipitation")) for each in (linear, network)]
    within = 100 * float(network["within_90"].mean())
    told = (
        "Nothing was seen of air temperature and rain: they are what the model makes of the sea "
        "and of pressure.",
        f"Rain is no linear function of these: of its variance the linear model has {rain[0]:.2f}, "
        f"the network {rain[1]:.2f}, which was trained on other worlds of the same planet.",
        f"Each field says how sure it is: {within:.0f} % of the truth lies within what it calls "
        "90 %.",
    )
    return "\n".join(
        ["What this shows"]
        + [textwrap.fill(each, 96, initial_indent="- ", subsequent_indent="  ") for each in told]
    )
