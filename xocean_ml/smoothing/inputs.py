"""What goes with an increment into its tasks: cell sizes and spread, in the increment's layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import grid
from xocean_ml.errors import GridError, XOceanError

__all__ = [
    "Over",
    "Spread",
    "aligned",
    "beside",
    "cell_sizes",
    "find_spread",
    "with_bounds",
]

Over = Literal["cell", "column", "global"]


def with_bounds(lone: xr.Dataset, seen: xr.Dataset) -> xr.Dataset:
    """The variable's own Dataset with the bounds of its coordinates."""
    wanted = [c.attrs.get("bounds") for c in lone.coords.values()]
    wanted += [c.encoding.get("bounds") for c in lone.coords.values()]
    present = {b: seen[b] for b in wanted if b in seen.variables}
    return lone.assign_coords(present) if present else lone


def cell_sizes(
    seen: xr.Dataset, increments: xr.DataArray, over: Over, where: grid.Axes
) -> list[xr.DataArray]:
    """What turns an increment into an amount, up to a constant, as factors: thickness, area."""
    sizes = []
    has_levels = "Z" in where and where["Z"] in increments.dims
    if has_levels and (over != "cell" or _moves(seen, increments)):
        own = with_bounds(increments.to_dataset(), seen)
        sizes.append(grid.cell_thickness(seen if _given_thickness(seen) else own))
    apart = {where["T"], where.get("Z"), where.get("E")}
    if over == "global" and set(increments.dims) - apart:
        sizes += _factors(_area(seen))
    return sizes


def _area(seen: xr.Dataset) -> xr.DataArray:
    try:
        return grid.cell_area(seen)
    except GridError as error:
        raise GridError(
            f'conserve_over="global" needs the area of cells: {error}. Or give a variable with '
            "standard_name 'cell_area', in m2"
        ) from error


def _factors(area: xr.DataArray) -> list[xr.DataArray]:
    """An area as a product of two one-dimensional factors where it is one: it travels lighter."""
    if area.ndim != 2 or area.chunks is not None:
        return [area]
    row, column = area[0] / area[0, 0], area[:, 0]
    exact = np.allclose(column * row, area.transpose(*area.dims), rtol=1e-13, atol=0)
    return [column, row] if exact else [area]


def _given_thickness(seen: xr.Dataset) -> bool:
    try:
        cf.find(seen, "cell_thickness")
    except XOceanError:
        return False
    return True


def _moves(seen: xr.Dataset, increments: xr.DataArray) -> bool:
    """Whether a given thickness varies in time, so that even a cell's volume does."""
    if not _given_thickness(seen):
        return False
    return grid.axes(increments)["T"] in grid.cell_thickness(seen).dims


def aligned(extra: xr.DataArray, increments: xr.DataArray, what: str) -> xr.DataArray:
    """An extra input with the increments' dimensions in their order, length one where it lacks."""
    for dim in extra.dims:
        if dim not in increments.dims or extra.sizes[dim] != increments.sizes[dim]:
            raise GridError(
                f"{what} {extra.name}{dict(extra.sizes)} does not fit "
                f"{increments.name}{dict(increments.sizes)}"
            )
    extra = extra.reset_coords(drop=True)
    missing = [dim for dim in increments.dims if dim not in extra.dims]
    return extra.expand_dims(missing).transpose(*increments.dims)


@dataclass(frozen=True)
class Spread:
    """A spread in the increment's layout, and how it is found."""

    name: str
    values: xr.DataArray
    found: cf.Found

    def factor(self, units: str) -> float:
        """From its own units to these, as a standard deviation."""
        return replace(self.found, role="spread").conversion(units).factor


def find_spread(
    seen: xr.Dataset, found: cf.Found, named: str | None, increments: xr.DataArray
) -> Spread | None:
    """The spread of an increment: named, found by its metadata, or that of an ensemble of them."""
    kept = cf.find_spread(seen, found, named)
    if kept is None:
        return _of_ensemble(found, increments)
    values = seen[kept.variable]
    if kept.role == "variance":
        values = xr.ufuncs.sqrt(values)
        kept = replace(kept, units=_root(kept.units))
    return Spread(kept.variable, aligned(values, increments, "spread"), kept)


def _of_ensemble(found: cf.Found, increments: xr.DataArray) -> Spread | None:
    member = grid.axes(increments).get("E")
    if member not in increments.dims or increments.sizes[member] < 2:
        return None
    values = increments.std(member, ddof=1)
    return Spread(f"spread over {member}", aligned(values, increments, "spread"), found)


def _root(square: str) -> str:
    """Units of a standard deviation from those of its square."""
    return square[:-1] if square.endswith("2") else square


def beside(
    seen: xr.Dataset, found: cf.Found, increments: xr.DataArray, wants: Sequence[str]
) -> dict[str, xr.DataArray]:
    """Counts and depth for a model that wants them, in the increment's layout."""
    extras = {}
    counts = cf.find_counts(seen, found) if "counts" in wants else None
    if counts is not None:
        extras["counts"] = aligned(seen[counts.variable], increments, "counts")
    if "depth" in wants:
        if "Z" not in grid.axes(increments):
            raise GridError(
                f"{increments.name}{increments.dims}: the model needs depth. Give each level a "
                "depth coordinate, e.g. ds.expand_dims(depth=[5.0]) with units m, or take a model "
                'that needs none: "dong"'
            )
        extras["depth"] = aligned(grid.depth(increments), increments, "depth")
    return extras
