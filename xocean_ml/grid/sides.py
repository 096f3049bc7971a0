"""The two sides of a rectilinear grid: latitude and longitude, ascending, with their edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.errors import GridError
from xocean_ml.grid._bounds import edges_of
from xocean_ml.grid.horizontal import latitude, longitude
from xocean_ml.grid.whole import is_periodic

__all__ = ["Side", "side_of", "sides_of"]


@dataclass(frozen=True)
class Side:
    """One horizontal axis of a stored grid.

    Parameters
    ----------
    kind : str
        ``"Y"`` or ``"X"``.
    coordinate : DataArray
        As it is stored, one-dimensional.
    centres : array, (n,)
        Ascending; longitudes unwrapped.
    edges : array, (n + 1,)
        Of the cells, likewise.
    flipped : bool
        Whether it is stored in descending order.
    wraps : bool
        Whether it closes on itself.
    """

    kind: str
    coordinate: xr.DataArray
    centres: np.ndarray
    edges: np.ndarray
    flipped: bool
    wraps: bool

    @property
    def dim(self) -> str:
        """Its dimension."""
        return str(self.coordinate.dims[0])

    @property
    def order(self) -> slice:
        """Brings stored values to ascending order, and back."""
        return slice(None, None, -1) if self.flipped else slice(None)

    def __len__(self) -> int:
        return len(self.centres)


def sides_of(obj: Any, what: str = "") -> tuple[Side, Side]:
    """Latitude and longitude of a grid.

    Parameters
    ----------
    obj : Dataset or DataArray
        With one-dimensional latitude and longitude.
    what : str
        What it is, for messages.

    Raises
    ------
    GridError
        A curvilinear or unstructured grid; an axis of one cell; not monotonic.
    """
    try:
        return side_of(obj, "Y"), side_of(obj, "X")
    except GridError as error:
        if not what:
            raise
        raise GridError(f"{what}: {error}") from None


def side_of(obj: Any, kind: str) -> Side:
    """Latitude ("Y") or longitude ("X") of a grid; see `sides_of`."""
    lat, lon = latitude(obj), longitude(obj)
    if lat.ndim > 1 or lon.ndim > 1:
        curved = lat if lat.ndim > 1 else lon
        raise GridError(
            f"latitude and longitude are two-dimensional ({', '.join(map(str, curved.dims))}): "
            "a rectilinear grid is needed. Regrid it first to one with cells of about that size, "
            "conservatively (with xesmf or xarray-regrid, say)"
        )
    if lat.dims == lon.dims and lat.ndim:
        raise GridError(
            f"latitude and longitude share the dimension {', '.join(map(str, lat.dims))}: points "
            "are no grid. Bring them to one first"
        )
    coordinate = lat if kind == "Y" else lon
    if coordinate.size < 2:
        raise GridError(f"{coordinate.name}: an axis of one cell; two are the least")
    centres = np.asarray(coordinate.values, np.float64)
    if kind == "X":
        centres = np.unwrap(centres, period=360)
    edges = edges_of(obj, coordinate)
    step = np.diff(centres)
    if not ((step > 0).all() or (step < 0).all()):
        told = f"{coordinate.name} is not monotonic"
        raise GridError(f"{told}. Sort it: obj.sortby('{coordinate.name}')")
    flipped = bool(step[0] < 0)
    if flipped:
        centres, edges = centres[::-1], edges[::-1]
    if kind == "X":
        # Bounds may be in another range than the centres, even the two of one cell.
        edges = edges + 360 * np.round((centres[:, None] - edges) / 360)
    joined = np.append(edges.min(axis=1), edges[-1].max())
    if kind == "Y":
        joined = np.clip(joined, -90, 90)
    if not (np.diff(joined) > 0).all():
        raise GridError(
            f"{coordinate.name}: its bounds are not those of cells in a row. Mend them or drop "
            "them: obj.drop_vars(...)"
        )
    wraps = kind == "X" and is_periodic(obj)
    return Side(kind, coordinate, centres, joined, flipped, wraps)
