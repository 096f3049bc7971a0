"""Random numbers and random fields of the observing system, keyed by where they belong.

A number is the same whatever else is drawn: white noise is drawn in blocks of looks, and a field
is a function of time and place (random Fourier features, Rahimi and Recht 2007), which any grid
and any day may ask.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._orbits import RADIUS, Array, unit_vectors

__all__ = ["clouds", "gaussian", "rng", "white"]

STREAMS = ("nadir", "swath", "sst", "coarse", "clouds", "nadir orbit", "swath orbit")
BLOCK = 1024
"""Looks whose noise is drawn at once."""
WAVES = 200
CELLS = 40_000
"""At once; each takes WAVES times 40 bytes."""
CLOUD_KM, CLOUD_DAYS = (30.0, 300.0), 1.5
"""Lengths and memory of clouds."""


def rng(seed: int, what: str, *place: int) -> np.random.Generator:
    """Random numbers keyed by seed, stream and place (which may be negative)."""
    return np.random.default_rng([seed, STREAMS.index(what), *(int(p) % 2**32 for p in place)])


def white(seed: int, what: str, satellite: int, looks: NDArray[np.int64], width: int) -> Array:
    """White noise of variance one, (looks, width): a look's is the same whatever others are."""
    blocks, which = np.unique(looks // BLOCK, return_inverse=True)
    drawn = np.empty((len(blocks), BLOCK, width))
    for number, block in enumerate(blocks):
        drawn[number] = rng(seed, what, satellite, block).standard_normal((BLOCK, width))
    return drawn[which, looks % BLOCK]


def gaussian(
    chance: np.random.Generator,
    days: Array,
    sides: Sequence[Array],
    length: ArrayLike,
    memory: float,
) -> NDArray[np.float32]:
    r"""A random field on the sphere and in time.

    Parameters
    ----------
    chance : Generator
    days : array, (time,)
    sides : (array, (rows,)), (array, (columns,))
        Latitude and longitude, degrees.
    length : float or array, (WAVES,)
        km.
    memory : float
        Days.

    Returns
    -------
    array, (time, rows, columns)
        Variance one; correlation :math:`\exp(-d^2/2 length^2 - t^2/2 memory^2)` over a distance d
        and a time t, its mean over lengths if there are several.
    """
    vectors = chance.standard_normal((WAVES, 3)) / np.broadcast_to(length, WAVES)[:, None]
    turning = chance.standard_normal(WAVES) / memory
    start = 2 * np.pi * chance.random((WAVES, 1))
    north, east = sides
    turned = days[:, None] * turning
    weights = np.concatenate([np.cos(turned), -np.sin(turned)], axis=1) * np.sqrt(2 / WAVES)
    out = np.empty((len(days), len(north), len(east)), np.float32)
    rows = max(1, CELLS // len(east))
    for first in range(0, len(north), rows):
        block = slice(first, first + rows)
        places = RADIUS * unit_vectors(north[block, None], east)
        angle = vectors @ places.reshape(-1, 3).T + start
        waves = np.concatenate([np.cos(angle), np.sin(angle)]).astype(np.float32)
        # Day by day: a product of matrices rounds a day otherwise among other days.
        for day, each in enumerate(weights.astype(np.float32)):
            out[day, block] = (each @ waves).reshape(places.shape[:-1])
    return out


def clouds(seed: int, days: Array, sides: Sequence[Array], share: float) -> NDArray[np.bool_]:
    """Where clouds are, (time, rows, columns): on average over this share of cells."""
    from statistics import NormalDist

    shape = (len(days), *map(len, sides))
    if share in (0, 1):
        return np.full(shape, bool(share))
    chance = rng(seed, "clouds")
    low, high = CLOUD_KM
    lengths = low * (high / low) ** chance.random(WAVES)
    return gaussian(chance, days, sides, lengths, CLOUD_DAYS) < NormalDist().inv_cdf(share)
