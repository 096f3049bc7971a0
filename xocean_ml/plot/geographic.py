"""Panels of one map: rows are latitudes, columns longitudes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xocean_ml import grid
from xocean_ml.plot.style import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bar_below", "draw_map", "draw_spread", "name_of", "one_map"]


def one_map(field: xr.DataArray, time: int) -> xr.DataArray:
    """One map, rows by columns."""
    where = grid.axes(field)
    y, x = where["Y"], where["X"]
    rest = {dim: 0 for dim in field.dims if dim not in (y, x)}
    if "T" in where and where["T"] in rest:
        rest[where["T"]] = time
    return field.isel(rest).transpose(y, x).compute()


def bar_below(ax: Axes, picture: Any, text: str) -> None:
    """A colour bar below, which takes no room from the map: maps stay aligned."""
    from matplotlib.ticker import MaxNLocator, ScalarFormatter

    inset = ax.inset_axes((0.0, -0.1, 1.0, 0.05))
    numbers = ScalarFormatter()
    numbers.set_powerlimits((-3, 5))
    ax.figure.colorbar(
        picture,
        cax=inset,
        orientation="horizontal",
        label=text,
        ticks=MaxNLocator(5),
        format=numbers,
    )


def draw_map(ax: Axes, field: xr.DataArray, colours: str, low: float, high: float) -> Any:
    latitude = np.asarray(grid.latitude(field).values, float)
    longitude = np.asarray(grid.longitude(field).values, float)
    ax.set_facecolor("0.85")  # land
    picture = ax.pcolormesh(
        longitude, latitude, field.values, cmap=colours, vmin=low, vmax=high, rasterized=True
    )
    ax.set_aspect(1 / max(0.2, float(np.cos(np.deg2rad(latitude.mean())))))
    ax.set_xticks([])
    ax.set_yticks([])
    return picture


def draw_spread(ax: Axes, spread: xr.DataArray, text: str) -> None:
    """A spread, on a scale of its own from 0 on."""
    top = float(np.nanpercentile(spread.values, 99.5)) or 1.0
    picture = draw_map(ax, spread, "magma_r", 0, top)
    ax.set_title("spread")
    bar_below(ax, picture, text)


def name_of(field: xr.DataArray) -> str:
    name = str(field.attrs.get("long_name", field.name or ""))
    return label(name, field.attrs.get("units", ""))
