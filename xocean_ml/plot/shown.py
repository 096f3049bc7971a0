"""What is drawn, as plain arrays, and the marks that all panels over time share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xocean_ml import grid, units
from xocean_ml.metrics import series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Shown", "mark", "sizes"]


@dataclass(frozen=True)
class Shown:
    """What is drawn: plain arrays in the raw increments' units."""

    fields: dict[str, np.ndarray]  # shape (time, depth)
    dates: np.ndarray
    depth: np.ndarray
    thickness: np.ndarray | None
    units: str
    seconds: np.ndarray  # length of each step
    windows: np.ndarray  # dates of the inner edges of conservation windows
    eras: list[tuple[Any, str]]  # first date and name
    columns: int

    @property
    def levels(self) -> int:
        return self.depth.size

    @classmethod
    def of(cls, fields: dict[str, xr.DataArray], conserve: Any, select: Any) -> Shown:
        some = {name: _selected(field, select or {}) for name, field in fields.items()}
        raw = some["raw"]
        ds = series.stack(some).compute().as_numpy()
        known = "depth" in ds.coords and ds.sizes["depth"] > 1
        if known:
            ds = ds.assign_coords(thickness=("depth", _thickness(raw))).sortby("depth")
        time = ds["time"]
        axis = grid.time_axis(raw)
        eras = series.era_members(time, raw.coords.get("era"))
        dates = _dates(time)
        starts = [(dates[steps.argmax()], name) for name, steps in eras.items() if name != "all"]
        labels = None if conserve is None else series.window_labels(time, conserve)
        edges = 1 + np.flatnonzero(np.diff([0] if labels is None else labels))
        return cls(
            fields={str(k): v.mean("column").values.astype(float) for k, v in ds.items()},
            dates=dates,
            depth=ds["depth"].values if known else np.arange(ds.sizes["depth"]),
            thickness=ds["thickness"].values if known else None,
            units=units.units_of(raw) or "1",
            seconds=axis.step_days * 86400,
            windows=dates[edges],
            eras=starts,
            columns=ds.sizes["column"],
        )


def _selected(da: xr.DataArray, select: Mapping[str, Any]) -> xr.DataArray:
    for dim, place in select.items():
        if dim in da.indexes:
            da = da.sel({dim: place}, method="nearest")
        elif dim in da.dims:
            da = da.isel({dim: place})
    return da


def _thickness(da: xr.DataArray) -> np.ndarray:
    thickness = grid.cell_thickness(da)
    level = grid.dimension(da, "Z")
    return thickness.mean([dim for dim in thickness.dims if dim != level]).values


def _dates(time: xr.DataArray) -> np.ndarray:
    """Dates of any calendar as datetime64, by the fraction of the year."""
    decimal = time.dt.decimal_year.values
    year = np.floor(decimal).astype(int)
    start = (year - 1970).astype("datetime64[Y]").astype("datetime64[s]")
    end = (year - 1969).astype("datetime64[Y]").astype("datetime64[s]")
    return start + ((decimal - year) * (end - start).astype(float)).astype("timedelta64[s]")


def sizes(field: np.ndarray) -> np.ndarray:
    """Magnitudes of what is not missing nor exactly zero; 1 if there are none."""
    size = np.abs(field[np.isfinite(field) & (field != 0)])
    return size if size.size else np.ones(1)


def mark(ax: Axes, shown: Shown) -> None:
    """Draw the edges of conservation windows and of eras, and the eras' names."""
    for date in shown.windows:
        ax.axvline(date, color="0.5", lw=0.4, alpha=0.6, zorder=1.5)
    for k, (date, name) in enumerate(shown.eras):
        if k:
            ax.axvline(date, color="0.25", lw=0.9, ls=(0, (4, 3)), zorder=1.6)
        ax.annotate(
            name,
            (date, 0.0),
            (4, 4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color="0.35",
            style="italic",
            fontsize=9,
            bbox={"fc": "white", "alpha": 0.6, "lw": 0, "pad": 1},
            zorder=7,
        )
    ax.set_xlim(shown.dates[0], shown.dates[-1])
