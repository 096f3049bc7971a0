"""The state of the climate as one vector: every known cell of every field, on the model's grid."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xocean_ml.kernels.lattice import positions
from xocean_ml.kernels.nearby import places

__all__ = ["State"]


@dataclass(frozen=True, eq=False)
class State:
    """Which cells of a grid are known of which field, and their order in the vector.

    Parameters
    ----------
    latitude, longitude : array, (rows,), (columns,)
        Centres, ascending; longitudes unwrapped.
    wraps : bool
        Whether the last column is beside the first.
    known : array of bool, (fields, rows, columns)
        False over land, for a field that is not there.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    wraps: bool
    known: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.latitude), len(self.longitude)

    @property
    def size(self) -> int:
        """Length n of the vector."""
        return int(self.known.sum())

    @property
    def parts(self) -> tuple[slice, ...]:
        """Where each field lies in the vector."""
        ends = np.cumsum([0, *(int(each.sum()) for each in self.known)])
        return tuple(slice(int(a), int(b)) for a, b in itertools.pairwise(ends))

    def columns_of(self, longitude: np.ndarray) -> np.ndarray:
        """Places of longitudes, in any range, in columns; see `kernels.lattice.positions`."""
        own = self.longitude
        if self.wraps:
            return positions(own[0] + (longitude - own[0]) % 360, np.append(own, own[0] + 360))
        middle = (own[0] + own[-1]) / 2
        return positions(middle + (longitude - middle + 180) % 360 - 180, own)

    @cached_property
    def index(self) -> np.ndarray:
        """Place in the vector of each cell, (fields, rows, columns); -1 where it is not known."""
        index = np.full(self.known.shape, -1)
        index[self.known] = np.arange(self.size)
        return index

    @cached_property
    def points(self) -> np.ndarray:
        """Cells on the unit sphere, (n, 3)."""
        grid = np.meshgrid(self.latitude, self.longitude, indexing="ij")
        lat, lon = (np.broadcast_to(each, self.known.shape)[self.known] for each in grid)
        return places(lat, lon)

    @cached_property
    def area(self) -> np.ndarray:
        """Area of each cell as a share of its field's, (n,)."""
        area = np.broadcast_to(np.cos(np.deg2rad(self.latitude))[:, None], self.shape)
        # a cell whose centre is the pole has an area too
        area = np.maximum(area, 1e-3)
        every = np.broadcast_to(area, self.known.shape)[self.known].astype(np.float64)
        for part in self.parts:
            every[part] /= every[part].sum()
        return every

    def pack(self, fields: np.ndarray) -> np.ndarray:
        """Vectors, (..., n), of fields (..., fields, rows, columns)."""
        return np.asarray(fields[..., self.known])

    def unpack(self, vectors: np.ndarray) -> np.ndarray:
        """Fields (..., fields, rows, columns) of vectors; NaN where not known."""
        made = np.full((*vectors.shape[:-1], *self.known.shape), np.nan, vectors.dtype)
        made[..., self.known] = vectors
        return made

    def tensors(self) -> dict[str, np.ndarray]:
        """For a model's file."""
        return {
            "latitude": self.latitude,
            "longitude": self.longitude,
            "known": self.known.astype(np.uint8),
        }

    @classmethod
    def build(cls, tensors: Mapping[str, np.ndarray], wraps: bool) -> State:
        """Of a model's file."""
        return cls(tensors["latitude"], tensors["longitude"], wraps, tensors["known"].astype(bool))
