"""Members between cells, and the noise of observations, which is a function of their place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.assimilation.rows import Rows, bilinear
from xocean_ml.assimilation.state import State
from xocean_ml.grid import Side, sides_of
from xocean_ml.kernels.counter import key_of, normal, philox, place_words

__all__ = ["Cells", "Points"]

WORD = np.uint64(0xFFFFFFFF)
LEAST = 1e-6
"""Weight of a corner below which it does not count: places on a row of cells are rounded."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a rectilinear grid, whether they have values or not.

    Parameters
    ----------
    sides : (Side, Side)
        Rows and columns.
    """

    sides: tuple[Side, Side]

    @classmethod
    def of(cls, obj: xr.Dataset | xr.DataArray, what: str = "") -> Cells:
        """Cells that a Dataset or DataArray lies on; raises as `grid.sides_of`."""
        return cls(sides_of(obj, what))

    @property
    def dims(self) -> list[str]:
        """Of rows and columns."""
        return [side.dim for side in self.sides]

    @cached_property
    def state(self) -> State:
        """All cells as those of one field."""
        rows, columns = self.sides
        every = np.ones((1, len(rows), len(columns)), bool)
        return State(rows.centres, columns.centres, bool(columns.wraps), every)

    @property
    def flips(self) -> tuple[slice, slice]:
        """From stored to ascending order, and back."""
        rows, columns = (side.order for side in self.sides)
        return rows, columns

    def ascending(self, array: xr.DataArray) -> np.ndarray:
        """Values, (..., rows, columns), with ascending latitude and longitude."""
        return np.asarray(array.transpose(..., *self.dims).values)[(..., *self.flips)]

    def around(self, latitude: np.ndarray, longitude: np.ndarray) -> tuple[Rows, np.ndarray]:
        """The four cells around each point, with weights, and which points lie on the grid.

        Parameters
        ----------
        latitude, longitude : array, (m,)
            Degrees; longitudes in any range.

        Returns
        -------
        Rows
            Of the points within the outer cells. A value that is missing in any corner that
            counts is missing at the point.
        array of bool, (m,)
            Which these are.
        """
        rows, inside = bilinear(self.state, 0, latitude, longitude)
        most = np.take_along_axis(rows.cell, rows.weight.argmax(axis=1)[:, None], axis=1)
        counts = rows.weight > LEAST
        cell, weight = np.where(counts, rows.cell, most), np.where(counts, rows.weight, 0.0)
        return replace(rows, cell=cell, weight=weight), inside


@dataclass(frozen=True, eq=False)
class Points:
    """Observations of one field.

    Parameters
    ----------
    key : str
        Of the field.
    latitude, longitude : array, (m,)
        Degrees.
    time : array of int, (m,)
        ns since 1970.
    values, error : array, (m,)
        In the units of the observations; errors are standard errors.
    """

    key: str
    latitude: np.ndarray
    longitude: np.ndarray
    time: np.ndarray
    values: np.ndarray
    error: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def some(self, keep: np.ndarray) -> Points:
        """Some of them."""
        names = ("latitude", "longitude", "time", "values", "error")
        return replace(self, **{name: getattr(self, name)[keep] for name in names})

    def chance(self, members: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """White noise, (members, m), and numbers from 0 to below 1, (m,), of each place and time.

        The same whatever other points there are, and in whatever order.

        Examples
        --------
        >>> lat, time, one = np.array([30.0, 31.0]), np.array([0, 10**9]), np.ones(2)
        >>> points = Points("sea_level_anomaly", lat, lat, time, one, one)
        >>> alone = points.some(np.array([1])).chance(3, seed=0)[0]
        >>> bool((points.chance(3, seed=0)[0][:, 1:] == alone).all())
        True
        """
        key = key_of(seed, "observations", self.key)
        place, uniform, _, _ = philox(self._words(), key)
        return normal(range(members), place, key), uniform / 2.0**32

    def _words(self) -> tuple[Any, ...]:
        """Place in millionths of a degree, and time in ms."""
        time = (self.time // 10**6).astype(np.int64).view(np.uint64)
        north, east = place_words(self.latitude, self.longitude, 10**6)
        return north, east, time & WORD, time >> np.uint64(32)
