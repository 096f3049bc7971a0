"""The figure of a downscaling: coarse, guide, models, truth, their errors, and spectra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xocean_ml.plot.geographic import bar_below, draw_map, name_of, one_map
from xocean_ml.plot.style import empty, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["downscaling"]

_LINES = ("#1b5e9e", "#1b9e77", "#7570b3", "#e7298a", "#a6761d", "#66a61e")


def downscaling(
    coarse: xr.DataArray,
    models: Mapping[str, xr.DataArray],
    *,
    truth: xr.DataArray | None = None,
    guide: xr.DataArray | None = None,
    scores: Mapping[str, xr.Dataset] | None = None,
    time: int = 0,
) -> Figure:
    """Show a coarse field and what each model makes of it.

    Parameters
    ----------
    coarse : DataArray
        The field on the coarse grid, with latitude and longitude, with time or not.
    models : mapping of str to DataArray
        Downscaled fields by name.
    truth : DataArray, optional
        On the fine grid: errors are drawn below each model.
    guide : DataArray, optional
        The fine field of another kind that guided them.
    scores : mapping of str to Dataset, optional
        From `xocean_ml.metrics.downscaling`, by the models' names: their spectra are drawn.
    time : int
        Which time is shown, where there are several.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``fig.savefig(path)``.

    Examples
    --------
    >>> coords = {"lat": ("lat", np.linspace(30, 40, 12), {"units": "degrees_north"}),
    ...           "lon": ("lon", np.linspace(0, 12, 12), {"units": "degrees_east"})}
    >>> fine = xr.DataArray(np.random.default_rng(0).normal(size=(12, 12)), coords,
    ...                     attrs={"units": "m", "long_name": "sea surface height"})
    >>> fig = downscaling(fine[::3, ::3], {"nearest": fine}, truth=fine)
    >>> [ax.get_title("left") for ax in fig.axes]
    ['coarse', 'nearest', 'truth', 'error of nearest']
    """
    shown = {"coarse": coarse}
    if guide is not None:
        shown["guide"] = guide
    shown |= dict(models)
    if truth is not None:
        shown["truth"] = truth
    maps = {name: one_map(each, time) for name, each in shown.items()}
    rows = 1 + (truth is not None)
    width, height = 3.1 * len(maps), 3.4 * rows + (3.6 if scores else 0)
    with empty(width, height) as fig:
        cells = fig.add_gridspec(
            rows + bool(scores), len(maps), height_ratios=[1.0] * rows + [1.1] * bool(scores)
        )
        axes = [fig.add_subplot(cells[0, column]) for column in range(len(maps))]
        _fields(axes, maps)
        if truth is not None:
            places = {name: cells[1, list(maps).index(name)] for name in models}
            errors = {n: maps[n].copy(data=maps[n].values - maps["truth"].values) for n in models}
            _errors({name: fig.add_subplot(place) for name, place in places.items()}, errors)
        if scores:
            _spectra(fig.add_subplot(cells[-1, : max(1, len(maps) // 2)]), scores, "psd")
            _spectra(fig.add_subplot(cells[-1, max(1, len(maps) // 2) :]), scores, "coherence")
    return fig


def _fields(axes: list[Axes], maps: Mapping[str, xr.DataArray]) -> None:
    """All of the field itself on one scale, the guide on its own."""
    reference = maps.get("truth", maps[list(maps)[-1]])
    low, high = np.nanpercentile(reference.values, [0.5, 99.5])
    for ax, (name, each) in zip(axes, maps.items(), strict=True):
        if name == "guide":
            picture = draw_map(ax, each, "inferno", *np.nanpercentile(each.values, [0.5, 99.5]))
        else:
            picture = draw_map(ax, each, "viridis", low, high)
        if name in ("coarse", "guide"):
            bar_below(ax, picture, name_of(each))
        ax.set_title(name)


def _errors(axes: Mapping[str, Axes], errors: Mapping[str, xr.DataArray]) -> None:
    size = max(float(np.nanpercentile(np.abs(e.values), 99)) for e in errors.values()) or 1.0
    units = next(iter(errors.values())).attrs.get("units", "")
    for number, (name, each) in enumerate(errors.items()):
        picture = draw_map(axes[name], each, "RdBu_r", -size, size)
        rms = float(np.sqrt(np.nanmean(each.values**2)))
        axes[name].set_title(f"error of {name}")
        axes[name].text(0.02, 0.02, f"rms {rms:.3g}", transform=axes[name].transAxes)
        if number == 0:
            bar_below(axes[name], picture, label("error", units))


def _spectra(ax: Axes, scores: Mapping[str, xr.Dataset], what: str) -> None:
    """Spectra of fields and of their errors, or coherence with the truth."""
    from matplotlib.ticker import NullFormatter

    for (name, score), colour in zip(scores.items(), _LINES * 9, strict=False):
        ax.plot(score["wavenumber"], score[what], color=colour, lw=1.6, label=name)
        if what == "psd":
            ax.plot(score["wavenumber"], score["psd_error"], color=colour, lw=1.0, ls=":")
    if what == "psd":
        first = next(iter(scores.values()))
        ax.plot(first["wavenumber"], first["psd_truth"], color="#d95f02", lw=2, label="truth")
        ax.set_yscale("log")
        low, top = float(first["psd_truth"].min()), float(first["psd_truth"].max())
        ax.set_ylim(0.01 * low, 3 * top)
        ax.set_title("spectra; dotted: of the error")
    else:
        ax.axhline(0.5, color="0.8", lw=0.8)
        ax.set_ylim(0, 1.02)
        ax.set_title("coherence with the truth (squared)")
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(label("wavenumber", "km-1"))
    ax.legend(loc="best", fontsize=8)
