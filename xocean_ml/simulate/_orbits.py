r"""Where satellites fly: ground tracks of circular orbits that repeat.

With the argument of latitude u, the inclination i and the longitude of the ascending node, which
the Earth turns westward under the orbit's plane,

.. math:: \sin\varphi = \sin i \sin u, \qquad
          \lambda = \lambda_{node}(t) + \mathrm{atan2}(\cos i \sin u, \cos u) .

Over a cycle u makes `revolutions` turns and the node `turns` ones, both whole: so the track
repeats. What is left out: eccentricity, manoeuvres, and the flattening of the Earth (latitudes are
geocentric) but for the plane's precession, which the cycle's length contains.

Sources: AVISO+ and the Radar Altimetry Tutorial (orbits of Jason, Sentinel-3, SARAL, HY-2 and
SWOT); DGFI-TUM OpenADB (CryoSat-2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..grid import EARTH_RADIUS

__all__ = ["NADIRS", "SWATH", "Array", "Box", "Flight", "Orbit", "unit_vectors"]

Array = NDArray[np.float64]
RADIUS = EARTH_RADIUS / 1e3  # km
SECOND = 1 / 86400
STRETCH = 64
"""Looks of a piece of track that is near a box, or not."""


@dataclass(frozen=True)
class Orbit:
    """A repeat orbit.

    Parameters
    ----------
    name : str
        Of its satellite.
    inclination : float
        Degrees.
    revolutions, turns : int
        Of the satellite, and of the Earth under the plane of its orbit, in a cycle.
    days : float
        Length of a cycle.
    """

    name: str
    inclination: float
    revolutions: int
    turns: int
    days: float


NADIRS = (
    Orbit("Sentinel-6", 66.04, 127, 10, 9.9156),
    Orbit("Sentinel-3A", 98.65, 385, 27, 27.0),
    Orbit("SARAL", 98.55, 501, 35, 35.0),
    Orbit("CryoSat-2", 92.0, 5344, 369, 368.24),
    Orbit("HY-2B", 99.34, 193, 14, 14.0),
    Orbit("Sentinel-3B", 98.65, 385, 27, 27.0),
)
"""In the order in which they are taken."""
SWATH = Orbit("SWOT", 77.6, 292, 21, 20.86455)


@dataclass(frozen=True)
class Box:
    """A part of the sphere, degrees; `width` is 360 where it closes on itself."""

    south: float
    north: float
    west: float
    width: float

    def eastward(self, longitude: Array) -> Array:
        """Longitudes in the range of the box, and as far to its west as to its east."""
        first = self.west + self.width / 2 - 180
        return first + (longitude - first) % 360

    def holds(self, latitude: Array, longitude: Array) -> NDArray[np.bool_]:
        """Which points lie in it, edges included."""
        inside = (latitude >= self.south) & (latitude <= self.north)
        return np.asarray(inside & ((longitude - self.west) % 360 <= self.width))

    def wider(self, km: float) -> Box:
        """The box with a margin."""
        more = np.rad2deg(km / RADIUS)
        south, north = max(self.south - more, -90.0), min(self.north + more, 90.0)
        shrunk = np.cos(np.deg2rad(max(abs(south), abs(north))))
        aside = more / max(shrunk, 1e-6)
        return Box(south, north, self.west - aside, min(self.width + 2 * aside, 360.0))


@dataclass(frozen=True)
class Flight:
    """A satellite on its orbit, which looks every so often. Times are days since 2000-01-01.

    Parameters
    ----------
    orbit : Orbit
    start : float
        Argument of latitude at the epoch, in turns from the ascending node.
    node : float
        Longitude of the ascending node at the epoch, degrees.
    spacing : float
        Mean distance on the ground between two looks, km.
    """

    orbit: Orbit
    start: float
    node: float
    spacing: float

    @cached_property
    def step(self) -> float:
        """Days between two looks."""
        revolution = self.orbit.days / self.orbit.revolutions
        way = unit_vectors(*self.at(np.linspace(0, revolution, 2001)))
        length = RADIUS * np.linalg.norm(np.diff(way, axis=0), axis=1).sum()
        return float(revolution * self.spacing / length)

    def times(self, looks: NDArray[np.int64]) -> Array:
        """When each look is."""
        return np.asarray(looks * self.step, float)

    def turns(self, days: Array) -> Array:
        """Argument of latitude in turns, which go on counting."""
        return np.asarray(self.start + self.orbit.revolutions / self.orbit.days * days)

    def at(self, days: Array) -> tuple[Array, Array]:
        """Latitude and longitude under the satellite, degrees."""
        u = 2 * np.pi * (self.turns(days) % 1)
        i = np.deg2rad(self.orbit.inclination)
        ahead = np.rad2deg(np.arctan2(np.cos(i) * np.sin(u), np.cos(u)))
        turned = 360 * (self.orbit.turns / self.orbit.days * days % 1)
        return np.rad2deg(np.arcsin(np.sin(i) * np.sin(u))), (self.node + ahead - turned) % 360

    def looks(self, day: int, box: Box) -> NDArray[np.int64]:
        """Numbers of the looks of one day from within a box."""
        first, last = (int(np.ceil(each / self.step)) for each in (day, day + 1))
        # Most of a day is far away, which one look of each stretch tells.
        starts = np.arange(first, last, STRETCH)
        around = box.wider(0.6 * STRETCH * self.spacing)
        starts = starts[around.holds(*self.at(self.times(starts + STRETCH // 2)))]
        numbers = (starts[:, None] + np.arange(STRETCH)).ravel()
        numbers = numbers[numbers < last]
        return numbers[box.holds(*self.at(self.times(numbers)))]

    def passes(self, days: Array) -> NDArray[np.int32]:
        """Number of the pass, from one turn of the track to the next; even ones go north."""
        return np.floor(2 * self.turns(days) + 0.5).astype(np.int32)

    def beside(self, days: Array, distances: Iterable[float]) -> tuple[Array, Array]:
        """Latitude and longitude, (time, distance), of points beside the track, km to the right."""
        before, here, after = (
            unit_vectors(*self.at(days + shift)) for shift in (-SECOND, 0.0, SECOND)
        )
        right = np.cross(after - before, here)
        right /= np.linalg.norm(right, axis=-1, keepdims=True)
        angle = np.array([*distances])[:, None] / RADIUS
        points = np.cos(angle) * here[:, None] + np.sin(angle) * right[:, None]
        latitude = np.arcsin(np.clip(points[..., 2], -1, 1))
        longitude = np.arctan2(points[..., 1], points[..., 0])
        return np.rad2deg(latitude), np.rad2deg(longitude)


def unit_vectors(latitude: Array, longitude: Array) -> Array:
    """Points of the unit sphere, (..., 3), of degrees."""
    phi, lam = np.broadcast_arrays(np.deg2rad(latitude), np.deg2rad(longitude))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)
