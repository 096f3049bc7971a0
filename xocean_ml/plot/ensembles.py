"""The figure of an experiment: how close ensembles are, how sure, and how like the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xocean_ml.errors import FieldNotFound
from xocean_ml.plot.style import empty, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ensemble"]

_COLOURS = ("#1b5e9e", "#d95f02", "#1b9e77", "#7570b3", "#e7298a", "#a6761d", "#66a61e", "0.3")
_LINE: dict[str, Any] = {"color": "0.75", "lw": 0.9, "zorder": 0}
_DECADES = 2.0
"""Powers of ten to either side of 1 that spectra are shown over, at most."""


def ensemble(table: xr.Dataset, *, variables: Sequence[str] | None = None) -> Figure:
    """Show the scores of an experiment, a column for each variable.

    From the top: the CRPS, or its ratio to that of the base where there is one; the spread over
    the error (1 if calibrated); the power of members over the truth's by wavelength (1 if they
    are as rough); and rank histograms (flat if calibrated), in shares of what a flat one has.
    Lines through points, and bands, are 95 % intervals.

    Parameters
    ----------
    table : Dataset
        Of `xocean_ml.evaluate.osse` or `ose`, or of `xocean_ml.metrics.ensemble`.
    variables : sequence of str, optional
        Which, in this order; by default all.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``fig.savefig(path)``.

    Raises
    ------
    FieldNotFound
        No such variable, or no such scores.

    Examples
    --------
    >>> lat = ("lat", np.linspace(30, 35, 16), {"units": "degrees_north"})
    >>> lon = ("lon", np.linspace(0, 5, 16), {"units": "degrees_east"})
    >>> random = np.random.default_rng(0)
    >>> both = xr.DataArray(random.normal(size=(9, 6, 16, 16)), {"lat": lat, "lon": lon},
    ...                     ("realization", "time", "lat", "lon")).to_dataset(name="ssh")
    >>> from xocean_ml import metrics
    >>> table = metrics.ensemble(both.isel(realization=slice(1, None)), both.isel(realization=0))
    >>> [ax.get_ylabel() for ax in ensemble(table).axes]
    ['CRPS', 'spread over error', 'power relative to truth', 'share relative to flat']
    """
    shown = _shown(table, variables)
    panels = {name: draw for name, draw in _PANELS.items() if name in shown}
    if "crps_ratio" in panels:
        panels.pop("crps", None)
    names = [str(name) for name in shown["variable"].values]
    width, height = max(1.2 + 2.25 * len(names), 5.0), 0.9 + 2.1 * len(panels)
    with empty(width, height) as fig:
        cells = fig.add_gridspec(len(panels), len(names))
        for row, (score, draw) in enumerate(panels.items()):
            axes: list[Axes] = []
            for column, name in enumerate(names):
                same = axes[0] if axes and score != "crps" else None
                axes.append(fig.add_subplot(cells[row, column], sharey=same))
                draw(axes[-1], shown.sel(variable=name))
                _told_if_empty(axes[-1], shown[score].sel(variable=name))
                axes[-1].tick_params(labelleft=same is None)
            _labelled(axes, shown, score)
            if row == 0:
                _titled(axes, shown)
        _legend(fig, [str(name) for name in shown["model"].values])
    return fig


def _shown(table: xr.Dataset, variables: Sequence[str] | None) -> xr.Dataset:
    """The table along model and variable."""
    if "variable" not in table.dims or not set(_PANELS) & set(table.data_vars):
        raise FieldNotFound(
            f"no scores of ensembles along 'variable': found {sorted(map(str, table.data_vars))} "
            f"on {', '.join(map(str, table.dims))}. Give what xocean_ml.evaluate.osse gives"
        )
    if "where" in table.dims:
        table = table.sel(where="all", drop=True)
    if "model" not in table.dims:
        table = table.expand_dims(model=["members"])
    there = [str(name) for name in table["variable"].values]
    if unknown := [name for name in variables or () if name not in there]:
        raise FieldNotFound(f"no variable {unknown[0]!r} in the table; there are {there}")
    return table.sel(variable=list(variables) if variables is not None else there)


# -- one panel ---------------------------------------------------------------------------------


def _each(panel: xr.Dataset) -> Any:
    """Number and colour of each model."""
    return zip(range(panel.sizes["model"]), cycle(_COLOURS), strict=False)


def _points(name: str) -> Callable[[Axes, xr.Dataset], None]:
    """A point with its interval for each model, side by side."""

    def draw(ax: Axes, panel: xr.Dataset) -> None:
        factor = 10.0 ** -_power(panel, name)
        for number, colour in _each(panel):
            one = panel.isel(model=number)
            if f"{name}_low" in one:
                low, high = (factor * float(one[f"{name}_{side}"]) for side in ("low", "high"))
                ax.vlines(number, low, high, color=colour, lw=1.8)
            ax.plot(number, factor * float(one[name]), "o", color=colour, ms=5.5)
        ax.set_xlim(-0.7, panel.sizes["model"] - 0.3)
        ax.set_xticks([])
        if name == "crps":
            ax.set_ylabel(label("", _units(panel), _power(panel, name)).strip())
        else:
            ax.axhline(1, **_LINE)
        ax.locator_params(axis="y", nbins=5)

    return draw


def _spectra(ax: Axes, panel: xr.Dataset) -> None:
    """Power of members over the truth's, long waves to the left."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    wavelength = 1 / panel["wavenumber"].values
    ax.axhline(1, **_LINE)
    for number, colour in _each(panel):
        one = panel.isel(model=number)
        ax.plot(wavelength, one["psd_ratio"], color=colour, lw=1.5)
        if "psd_ratio_low" in one:
            low, high = (one[f"psd_ratio_{side}"].values for side in ("low", "high"))
            ax.fill_between(wavelength, low, high, color=colour, alpha=0.18, lw=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(wavelength.max(), wavelength.min())
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(label("wavelength", "km"))


def _ranks(ax: Axes, panel: xr.Dataset) -> None:
    """Rank histograms of ensembles of any size, from below all members to above."""
    ax.axhline(1, **_LINE)
    for number, colour in _each(panel):
        share = panel["rank_histogram"].isel(model=number).values
        share = share[np.isfinite(share)]
        if share.size:
            edges = np.linspace(0, 1, share.size + 1)
            ax.stairs(share * share.size, edges, color=colour, lw=1.5, baseline=None)
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    ax.set_xlabel("share of members below")
    ax.locator_params(axis="y", nbins=5)


_PANELS: Mapping[str, Callable[[Axes, xr.Dataset], None]] = {
    "crps": _points("crps"),
    "crps_ratio": _points("crps_ratio"),
    "spread_over_error": _points("spread_over_error"),
    "psd_ratio": _spectra,
    "rank_histogram": _ranks,
}
"""How each score is drawn, from the top."""

_TITLES = {
    "crps": "CRPS",
    "crps_ratio": "CRPS relative to base",
    "spread_over_error": "spread over error",
    "psd_ratio": "power relative to truth",
    "rank_histogram": "share relative to flat",
}


# -- what is said of them ----------------------------------------------------------------------


def _labelled(axes: Sequence[Axes], shown: xr.Dataset, score: str) -> None:
    """The score's name once, at the left; limits of all panels on one scale."""
    title = _TITLES[score]
    if score == "crps_ratio" and "base" in shown.attrs:
        title = f"CRPS relative to {shown.attrs['base']}"
    axes[0].set_ylabel(f"{title} {axes[0].get_ylabel()}".strip())
    if score == "psd_ratio":
        _decades(axes[0], shown[score].values)
    elif score != "spread_over_error":
        for ax in axes:
            ax.autoscale_view()
            ax.set_ylim(bottom=0)


def _told_if_empty(ax: Axes, values: xr.DataArray) -> None:
    if not np.isfinite(values.values).any():
        place: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "center"}
        ax.text(0.5, 0.5, "not given", color="0.5", fontsize=9, **place)


def _decades(ax: Axes, values: np.ndarray) -> None:
    """Limits of a logarithmic axis, and few plain numbers on it."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    powers = np.log10(values[np.isfinite(values) & (values > 0)])
    powers = np.clip(np.append(powers, [-0.35, 0.35]), -_DECADES, _DECADES)
    low, high = 10 ** (powers.min() - 0.05), 10 ** (powers.max() + 0.05)
    ax.set_ylim(low, high)
    several = high / low > 30
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0,) if several else (1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def _titled(axes: Sequence[Axes], shown: xr.Dataset) -> None:
    """Names of the variables, and under them whether they were observed."""
    told = "observed" in shown.coords
    for ax, name in zip(axes, shown["variable"].values, strict=True):
        ax.set_title(str(name), fontweight="bold", pad=20 if told else 6)
        if told:
            seen = bool(shown["observed"].sel(variable=name))
            text = "observed" if seen else "not observed"
            ax.text(0, 1.04, text, transform=ax.transAxes, fontsize=9, color="0.4")


def _legend(fig: Figure, models: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", ms=5.5, lw=1.8, color=colour, label=name)
        for name, colour in zip(models, cycle(_COLOURS), strict=False)
    ]
    wide = 0.7 + 0.09 * max(map(len, models))  # of an entry, inches
    columns = max(1, min(len(handles), int(fig.get_figwidth() / wide)))
    fig.legend(handles=handles, loc="outside lower center", ncols=columns)


def _units(panel: xr.Dataset) -> str:
    return str(panel["units"].item()) if "units" in panel.coords else ""


def _power(panel: xr.Dataset, name: str) -> int:
    """Power of ten, a multiple of three, that leaves numbers that are easily read."""
    values = np.abs(panel[name].values)
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return 0
    power = 3 * int(np.floor(np.log10(values.max()) / 3))
    return power if name == "crps" and (power < -3 or power > 3) else 0
