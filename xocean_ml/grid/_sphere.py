"""Areas on the sphere; arrays only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EARTH_RADIUS", "polygon_areas", "strip_areas"]

EARTH_RADIUS = 6371.0088e3
"""Mean radius of the Earth, R1 = (2a + b)/3 of WGS84, in m (Moritz 2000)."""


def strip_areas(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return areas in m2 of strips one radian wide between latitudes in degrees, shape (Y, 2)."""
    sines = np.sin(np.deg2rad(np.clip(edges, -90, 90)))
    return EARTH_RADIUS**2 * np.abs(sines[:, 1] - sines[:, 0])


def polygon_areas(lat: NDArray[Any], lon: NDArray[Any]) -> NDArray[np.float64]:
    """Return areas in m2 of the cells around centres in degrees, both of shape (Y, X)."""
    # unit vectors know neither seam nor pole
    phi, lam = np.deg2rad(lat.astype(np.float64)), np.deg2rad(lon.astype(np.float64))
    centre = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    for axis in (1, 2):
        first, second, before, last = (np.take(centre, [i], axis) for i in (0, 1, -2, -1))
        centre = np.concatenate([2 * first - second, centre, 2 * last - before], axis)
    corner = centre[:, :-1, :-1] + centre[:, 1:, :-1] + centre[:, :-1, 1:] + centre[:, 1:, 1:]
    corner /= np.linalg.norm(corner, axis=0)
    a, b, c, d = corner[:, :-1, :-1], corner[:, 1:, :-1], corner[:, 1:, 1:], corner[:, :-1, 1:]
    return EARTH_RADIUS**2 * (_excess(a, b, c) + _excess(a, c, d))


def _excess(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any]) -> NDArray[np.float64]:
    """Return the area of spherical triangles of unit vectors (van Oosterom and Strackee 1983)."""

    def dot(p: NDArray[Any], q: NDArray[Any]) -> NDArray[Any]:
        return (p * q).sum(0)

    triple = np.abs(dot(a, np.cross(b, c, axis=0)))
    return 2 * np.arctan2(triple, 1 + dot(a, b) + dot(b, c) + dot(c, a))
