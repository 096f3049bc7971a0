"""The figure of members: truth, what was seen, mean, spread and members as maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xocean_ml.errors import FieldNotFound
from xocean_ml.plot.geographic import bar_below, draw_map, draw_spread, name_of, one_map
from xocean_ml.plot.style import empty, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["members"]


def members(
    drawn: xr.Dataset,
    truth: xr.Dataset | None = None,
    *,
    observed: xr.Dataset | None = None,
    fields: Sequence[str] | None = None,
    time: int = 0,
    count: int = 2,
) -> Figure:
    """Show members, their mean and their spread, a row for each field.

    Parameters
    ----------
    drawn : Dataset
        What `xocean_ml.genda` gives: fields along ``realization``.
    truth : Dataset, optional
        The same variables, times and grid.
    observed : Dataset, optional
        Points that were seen (``latitude`` and ``longitude`` along one dimension), which are
        marked on the means of the variables that it has.
    fields : sequence of str, optional
        Variables; by default all that have members.
    time : int
        Which time is shown.
    count : int
        How many members are shown.

    Returns
    -------
    matplotlib.figure.Figure
        Save it with ``fig.savefig(path)``.

    Raises
    ------
    FieldNotFound
        Nothing to show.

    Examples
    --------
    >>> lat = ("lat", [30.0, 30.5, 31.0], {"units": "degrees_north"})
    >>> lon = ("lon", [0.0, 0.5, 1.0, 1.5], {"units": "degrees_east"})
    >>> random = np.random.default_rng(0)
    >>> drawn = xr.Dataset(
    ...     {"ssh": (("realization", "lat", "lon"), random.normal(size=(5, 3, 4)), {"units": "m"})},
    ...     {"lat": lat, "lon": lon})
    >>> [ax.get_title("left") for ax in members(drawn).axes if ax.get_title("left")]
    ['mean of 5 members', 'spread', 'member 0', 'member 1']
    """
    names = [n for n in fields or map(str, drawn.data_vars) if "realization" in drawn[n].dims]
    if not names:
        raise FieldNotFound(
            f"no variable along realization; there are {', '.join(map(str, drawn.data_vars))}"
        )
    columns = 2 + count + (truth is not None)
    with empty(3.3 * columns, 3.3 * len(names)) as fig:
        cells = fig.add_gridspec(len(names), columns)
        for row, name in enumerate(names):
            axes = [fig.add_subplot(cells[row, column]) for column in range(columns)]
            real = truth[name] if truth is not None and name in truth else None
            seen = observed if observed is not None and name in observed else None
            _row(axes, drawn[name], real, seen, time, count)
    return fig


def _row(
    axes: Sequence[Axes],
    drawn: xr.DataArray,
    truth: xr.DataArray | None,
    observed: xr.Dataset | None,
    time: int,
    count: int,
) -> None:
    many = drawn.sizes["realization"]
    mean = drawn.mean("realization").assign_attrs(drawn.attrs)
    shown = {f"mean of {many} members": mean}
    shown |= {f"member {n}": drawn.isel(realization=n, drop=True) for n in range(min(count, many))}
    if truth is not None:
        shown = {"truth": truth, **shown}
    maps = {title: one_map(each, time) for title, each in shown.items()}
    low, high = np.nanpercentile(next(iter(maps.values())).values, [0.5, 99.5])
    # the spread has a scale of its own, beside the mean
    places = [axes[n] for n in range(len(axes)) if n != 1 + (truth is not None)]
    for ax, (title, each) in zip(places, maps.items(), strict=False):
        picture = draw_map(ax, each, "viridis", low, high)
        ax.set_title(title)
        if title.startswith("mean") and observed is not None:
            _points(ax, observed)
    bar_below(places[0], picture, name_of(drawn))
    spread = one_map(drawn.std("realization", ddof=1), time)
    units = drawn.attrs.get("units", "")
    draw_spread(axes[1 + (truth is not None)], spread, label("standard deviation", units))
    for ax in places[len(maps) :]:
        ax.set_axis_off()


def _points(ax: Axes, observed: xr.Dataset) -> None:
    if observed["latitude"].dims == observed["longitude"].dims:
        limits = ax.get_xlim(), ax.get_ylim()
        ax.plot(observed["longitude"].values, observed["latitude"].values, "k.", ms=1.2)
        ax.set_xlim(limits[0])
        ax.set_ylim(limits[1])
