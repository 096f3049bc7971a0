r"""A latitude-longitude grid of the whole sphere, and calculus on it that knows no seam.

Shapes are functions of great-circle distance, derivatives are periodic in longitude, and the
Laplacian is of fluxes through the cells' sides, of which the ones at a pole have no length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._surface import coriolis

__all__ = ["Array", "Globe", "cosine"]

Array = NDArray[np.float64]
RADIUS = 6371e3
AIR = 1.2
"""Density of air, kg m-3."""


def cosine(latitude: ArrayLike, longitude: ArrayLike, lat: float, lon: float) -> Array:
    """Cosine of the great-circle distance of places to a place; all in degrees."""
    phi, at = np.deg2rad(latitude), np.deg2rad(lat)
    apart = np.deg2rad(np.asarray(longitude) - lon)
    return np.asarray(np.sin(phi) * np.sin(at) + np.cos(phi) * np.cos(at) * np.cos(apart))


@dataclass(frozen=True, eq=False)
class Globe:
    """Cells of a regular grid of the sphere, by their middles.

    Parameters
    ----------
    rows, columns : int
        Rows are even, so that none lies on the equator.
    """

    rows: int
    columns: int

    @cached_property
    def latitude(self) -> Array:
        """Degrees north, shape (rows,), southernmost first."""
        return np.asarray((np.arange(self.rows) + 0.5) * 180 / self.rows - 90)

    @cached_property
    def longitude(self) -> Array:
        """Degrees east, shape (columns,), from 0 to 360."""
        return np.asarray((np.arange(self.columns) + 0.5) * 360 / self.columns)

    @cached_property
    def north(self) -> Array:
        """Latitude as a column, to broadcast."""
        return self.latitude[:, None]

    @cached_property
    def area(self) -> Array:
        """Area of cells over that of the sphere, shape (rows, columns)."""
        edges = np.sin(np.deg2rad(np.linspace(-90, 90, self.rows + 1)))
        share = np.diff(edges)[:, None] / (2 * self.columns)
        return np.broadcast_to(share, (self.rows, self.columns))

    def mean(self, field: Array) -> Array:
        """Mean over the sphere of (..., rows, columns), with the two dimensions kept."""
        return np.asarray((field * self.area).sum(axis=(-2, -1), keepdims=True))

    def bell(self, latitude: float, longitude: float, width: float) -> Array:
        """A bell of height one around a place; width is its standard deviation, degrees."""
        near = cosine(self.north, self.longitude, latitude, longitude)
        return np.asarray(np.exp((near - 1) / np.deg2rad(width) ** 2))

    def bells(self, table: Iterable[tuple[float, float, float, float]]) -> Array:
        """The sum of bells of (latitude, longitude, width, size)."""
        out = np.zeros((self.rows, self.columns))
        for latitude, longitude, width, size in table:
            out += size * self.bell(latitude, longitude, width)
        return out

    def gradient(self, field: Array) -> tuple[Array, Array]:
        """Eastward and northward derivative of (..., rows, columns), per m."""
        metres = RADIUS * np.deg2rad(360 / self.columns) * np.cos(np.deg2rad(self.north))
        east = (np.roll(field, -1, -1) - np.roll(field, 1, -1)) / (2 * metres)
        north = np.gradient(field, RADIUS * np.deg2rad(180 / self.rows), axis=-2)
        return east, north

    def laplacian(self, field: Array) -> Array:
        """Laplacian of (..., rows, columns), per m2."""
        metres = RADIUS * np.deg2rad(360 / self.columns) * np.cos(np.deg2rad(self.north))
        east = (np.roll(field, -1, -1) - 2 * field + np.roll(field, 1, -1)) / metres**2
        sides = np.cos(np.deg2rad(np.linspace(-90, 90, self.rows + 1)))[1:-1, None]
        through = np.zeros((*field.shape[:-2], self.rows + 1, self.columns))
        step = RADIUS * np.deg2rad(180 / self.rows)
        through[..., 1:-1, :] = sides * np.diff(field, axis=-2) / step
        north = np.diff(through, axis=-2) / (step * np.cos(np.deg2rad(self.north)))
        return np.asarray(east + north)

    def turning(self, softest: float) -> Array:
        """One over the Coriolis parameter, s, brought to zero between +-`softest` degrees."""
        f, level = coriolis(self.north), coriolis(np.array(softest))
        return np.asarray(f / (f**2 + level**2))

    def wind(self, pressure: Array, softest: float) -> tuple[Array, Array]:
        """Geostrophic wind of a pressure in Pa, m s-1, fading to the equator."""
        east, north = self.gradient(pressure)
        turning = self.turning(softest) / AIR
        return -turning * north, turning * east

    def smoother(self, width: float) -> Array:
        """What `smooth` takes: the bell between rows, by zonal wave number, (k, rows, rows)."""
        lon, phi = self.longitude - self.longitude[0], self.latitude
        near = np.stack([cosine(phi[:, None], lon, lat, 0.0) for lat in phi])
        kernel = np.exp((near - 1) / np.deg2rad(width) ** 2) * self.area[:, :1]
        return np.asarray(np.moveaxis(np.fft.rfft(kernel, axis=-1).real, -1, 0))

    def smooth(self, field: Array, smoother: Array) -> Array:
        """Sum of (..., rows, columns) around each cell, with the weights of a bell."""
        hats = np.moveaxis(np.fft.rfft(field, axis=-1), -1, 0)
        blurred = np.einsum("kij,k...j->k...i", smoother, hats, optimize=True)
        return np.asarray(np.fft.irfft(np.moveaxis(blurred, 0, -1), n=self.columns, axis=-1))

    def seen(self, field: Array, sea: NDArray[np.bool_], width: float) -> Array:
        """Mean of a field over the sea around each cell; towards 0 where the sea is far."""
        smoother = self.smoother(width)
        near = self.smooth(sea.astype(float), smoother)
        whole = self.smooth(np.ones_like(near), smoother)
        # A tenth of the surroundings is enough of a sea to be felt whole.
        return self.smooth(np.where(sea, field, 0.0), smoother) / np.maximum(near, 0.1 * whole)
