"""Figures: what a smoother did to increments, at a glance. Needs the extra ``plot``.

Figures are made without pyplot, so no global state is left behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xocean_ml import grid, units
from xocean_ml.metrics import series
from xocean_ml.plot.scores import LINES, draw_frontier, draw_scores, label, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["smoothing"]

DENSITY = 1026.0
"""Reference density of sea water, kg m-3, for heat content."""

HEAT_CAPACITY = 3991.86795711963
"""TEOS-10's cp0, J kg-1 K-1: exact for conservative temperature, the convention for potential."""

_STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.4",
    "axes.linewidth": 0.8,
    "xtick.color": "0.25",
    "ytick.color": "0.25",
    "legend.frameon": False,
}
_LEVEL = 500.0  # depth of the series shown, m: below the seasons, above the unobserved deep


def smoothing(
    raw: xr.DataArray,
    smoothed: xr.DataArray,
    *,
    truth: xr.DataArray | None = None,
    spread: xr.DataArray | None = None,
    score: xr.Dataset | None = None,
    frontier: xr.Dataset | None = None,
    conserve: Any = None,
    select: Mapping[str, Any] | None = None,
) -> Figure:
    """Show raw and smoothed increments in depth and time, as series, and as scores.

    Parameters
    ----------
    raw, smoothed : DataArray
        Increments with time and usually depth; other dimensions are averaged unless selected.
        Computed if lazy.
    truth : DataArray, optional
        True increments of a twin experiment.
    spread : DataArray, optional
        Ensemble spread of the raw increments, shaded.
    score : Dataset, optional
        From `xocean_ml.metrics.smoothing`.
    frontier : Dataset, optional
        From `xocean_ml.metrics.frontier`.
    conserve : array_like of int, or str, optional
        Conservation windows, as for `xocean_ml.metrics.smoothing`; their edges are drawn.
    select : mapping, optional
        Nearest labels (positions where a dimension has none) to show, e.g.
        ``{"lat": 40, "lon": -30}``.

    Returns
    -------
    matplotlib.figure.Figure
        1600 x 1000 pixels; save it with ``fig.savefig(path)``.

    Examples
    --------
    >>> from xocean_ml.metrics import running_mean
    >>> time = xr.date_range("1990-01-01", periods=240, freq="MS")
    >>> raw = xr.DataArray(
    ...     np.random.default_rng(0).standard_normal((240, 3)),
    ...     coords={"time": time, "depth": [5.0, 100.0, 500.0]},
    ...     dims=("time", "depth"),
    ...     attrs={"units": "K"},
    ... )
    >>> fig = smoothing(raw, running_mean(raw, 13))
    >>> [ax.get_title("left") for ax in fig.axes][:2]
    ['raw', 'smoothed']
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    given = {"smoothed": smoothed, "raw": raw, "truth": truth, "spread": spread}
    shown = _Shown.of({k: v for k, v in given.items() if v is not None}, conserve, select)
    with matplotlib.rc_context(_STYLE):
        fig = Figure(figsize=(16, 10), dpi=100, layout="constrained")
        FigureCanvasAgg(fig)
        side: Any = fig
        if shown.levels > 1:
            halves: Any = fig.subfigures(1, 2, width_ratios=[1.2, 1], wspace=0.02)
            _draw_maps(halves[0], shown)
            side = halves[1]
        cells = side.add_gridspec(2 + (frontier is not None) + (score is not None), 1)
        _draw_series(side.add_subplot(cells[0]), shown)
        _draw_content(side.add_subplot(cells[1]), shown)
        if frontier is not None:
            draw_frontier(side.add_subplot(cells[2]), frontier, score)
        if score is not None:
            draw_scores(side, cells[-1], score)
    return fig


@dataclass(frozen=True)
class _Shown:
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
    def of(cls, fields: dict[str, xr.DataArray], conserve: Any, select: Any) -> _Shown:
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


# ---- depth and time -------------------------------------------------------------------------


def _draw_maps(figure: Any, shown: _Shown) -> None:
    from matplotlib.colors import AsinhNorm

    names = [name for name in ("raw", "smoothed", "truth") if name in shown.fields]
    axes = figure.subplots(len(names), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    width, limit = _scale(shown)
    edges = _edges(shown.depth)
    for ax, name in zip(axes, names, strict=True):
        image = ax.pcolormesh(
            _date_edges(shown.dates),
            edges,
            shown.fields[name].T,
            cmap=_diverging(),
            norm=AsinhNorm(width, -limit, limit),
            rasterized=True,
        )
        ax.set_title(name)
        ax.set_facecolor("0.85")
        _stretch(ax, edges, "depth [m]" if shown.thickness is not None else "level")
        _mark(ax, shown)
    if shown.columns > 1:
        axes[0].set_title(f"mean of {shown.columns} columns", loc="right", color="0.35")
    bar = figure.colorbar(
        image, ax=list(axes), location="bottom", shrink=0.7, aspect=45, pad=0.02, extend="both"
    )
    bar.set_label(label("increment", shown.units))
    ticks = _round_ticks(width, limit)
    bar.set_ticks(ticks, labels=plain(ticks))
    bar.minorticks_off()


def _scale(shown: _Shown) -> tuple[float, float]:
    """Width of the linear part of the scale, and its limit.

    Pulses are tens of times larger than what is smooth, and the surface than the deep: a linear
    scale shows one of them only. Exact zeros (nothing observed) are not counted.
    """
    slow = _sizes(shown.fields["smoothed"])
    limit = float(np.percentile(_sizes(shown.fields["raw"]), 98))
    return min(float(np.percentile(slow, 50)), 0.5 * limit), limit


def _sizes(field: np.ndarray) -> np.ndarray:
    size = np.abs(field[np.isfinite(field) & (field != 0)])
    return size if size.size else np.ones(1)


def _round_ticks(width: float, limit: float) -> list[float]:
    first, last = np.ceil(np.log10(width)), np.floor(np.log10(limit))
    tens = [10.0**k for k in np.arange(first, last + 1)]
    return [-tick for tick in reversed(tens)] + [0.0, *tens]


def _diverging() -> Any:
    try:
        from cmocean import cm
    except ImportError:
        return "RdBu_r"
    return cm.balance


def _edges(depth: np.ndarray) -> np.ndarray:
    middle = 0.5 * (depth[1:] + depth[:-1])
    first = max(0.0, 1.5 * depth[0] - 0.5 * depth[1])
    last = 1.5 * depth[-1] - 0.5 * depth[-2]
    return np.concatenate([[first], middle, [last]])


def _date_edges(dates: np.ndarray) -> np.ndarray:
    if dates.size < 2:
        return np.array([dates[0], dates[0] + np.timedelta64(1, "D")])
    half = (dates[1:] - dates[:-1]) // 2
    return np.concatenate([[dates[0] - half[0]], dates[:-1] + half, [dates[-1] + half[-1]]])


def _stretch(ax: Axes, edges: np.ndarray, label: str) -> None:
    """Depth downward, the upper ocean widened."""
    ax.set_yscale("function", functions=(np.sqrt, np.square))
    ax.set_ylim(edges.max(), edges.min())
    shown = [tick for tick in (0, 100, 300, 800, 2000, 4000, 6000) if tick <= edges.max()]
    if len(shown) > 2:
        ax.set_yticks(shown, [str(tick) for tick in shown])
        ax.minorticks_off()
    ax.set_ylabel(label)


def _mark(ax: Axes, shown: _Shown) -> None:
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


# ---- series ---------------------------------------------------------------------------------


def _draw_series(ax: Axes, shown: _Shown) -> None:
    level = int(np.abs(shown.depth - _LEVEL).argmin())
    where = f" at {shown.depth[level]:.0f} m" if shown.thickness is not None else ""
    if "spread" in shown.fields:
        spread = shown.fields["spread"][:, level]
        ax.fill_between(shown.dates, -spread, spread, color="0.88", lw=0, label="± spread")
    for key, style in _lines(shown):
        ax.plot(shown.dates, shown.fields[key][:, level], label=key, **style)
    width = float(np.percentile(_sizes(shown.fields["smoothed"][:, level]), 90))
    limit = float(np.percentile(_sizes(shown.fields["raw"][:, level]), 99.5))
    ax.set_yscale("asinh", linear_width=width)
    ticks = _round_ticks(0.5 * width, limit)
    ax.set_yticks(ticks, plain(ticks))
    ax.minorticks_off()
    ax.set_ylim(-1.2 * limit, 1.2 * limit)
    _mark(ax, shown)
    ax.set_title(f"increment{where}")
    ax.set_ylabel(label("increment", shown.units))
    ax.legend(ncols=4, loc="lower right", bbox_to_anchor=(1.0, 0.98), borderaxespad=0)


def _lines(shown: _Shown) -> list[tuple[str, dict[str, Any]]]:
    return [(key, style) for key, style in LINES.items() if key in shown.fields]


def _draw_content(ax: Axes, shown: _Shown) -> None:
    """Running total of what the increments add: series that conserve it meet at window edges."""
    factor, unit, name = _content_units(shown)
    totals = {}
    for key, _ in _lines(shown):
        amount = shown.fields[key] * factor[:, None]
        if shown.thickness is not None:
            amount = amount * shown.thickness
        totals[key] = np.nancumsum(np.nansum(amount, axis=1))
    power = _power(totals.values())
    for key, style in _lines(shown):
        ax.plot(shown.dates, totals[key] / 10.0**power, label=key, **style)
    _mark(ax, shown)
    ax.axhline(0, color="0.7", lw=0.6, zorder=1)
    ax.set_title(f"{name} added since the start")
    ax.set_ylabel(label(name, unit, power))


def _power(values: Iterable[np.ndarray]) -> int:
    """Power of 1000 that leaves numbers of few digits."""
    largest = max(float(np.max(np.abs(value))) for value in values)
    return 3 * int(np.floor(np.log10(largest) / 3)) if largest > 0 else 0


def _content_units(shown: _Shown) -> tuple[np.ndarray, str, str]:
    """Factor of each step, and units, of the vertical integral of the increments."""
    ones = np.ones(shown.dates.size)
    rate = units.is_rate(shown.units, "K")
    if shown.thickness is not None and (rate or units.compatible(shown.units, "K")):
        kelvin = "K s-1" if rate else "K"
        scale = units.conversion(shown.units, kelvin, "difference").factor
        step = shown.seconds if rate else ones
        return DENSITY * HEAT_CAPACITY * scale * step, "J m-2", "heat"
    if shown.thickness is not None:
        return ones, f"{shown.units} m", "amount"
    return ones, shown.units, "amount"
