"""Random numbers that are a function of where they are used: no generator, no order of calls.

Philox 4x32-10 (Salmon et al. 2011): a key of 64 bits and a counter of 128 bits give four words of
32 bits, the same on every machine. numpy arrays and cupy ones alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["key_of", "normal", "philox", "place_words", "scattered"]

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
WORD = np.uint64(0xFFFFFFFF)


def philox(counter: Sequence[Any], key: tuple[int, int], xp: Any = np) -> tuple[Any, ...]:
    """Four words of each counter.

    Parameters
    ----------
    counter : four arrays or ints
        Words of 32 bits, of shapes that go together.
    key : (int, int)
        Words of 32 bits.
    xp : module
        numpy or cupy.

    Returns
    -------
    four arrays of uint64
        Each below 2**32.

    References
    ----------
    Salmon, Moraes, Dror & Shaw (2011), Parallel random numbers: as easy as 1, 2, 3. SC11.

    Examples
    --------
    >>> [hex(int(each)) for each in philox((0, 0, 0, 0), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    shift = np.uint64(32)
    a, b, c, d = xp.broadcast_arrays(*(xp.asarray(each, xp.uint64) for each in counter))
    k, l = (int(each) for each in key)  # noqa: E741  as in the paper's figure: two words
    for _ in range(ROUNDS):
        one, other = a * np.uint64(MULTIPLIERS[0]), c * np.uint64(MULTIPLIERS[1])
        a, b, c, d = (
            (other >> shift) ^ b ^ np.uint64(k),
            other & WORD,
            (one >> shift) ^ d ^ np.uint64(l),
            one & WORD,
        )
        k, l = (k + WEYL[0]) & 0xFFFFFFFF, (l + WEYL[1]) & 0xFFFFFFFF  # noqa: E741
    return a, b, c, d


def key_of(*parts: int | str) -> tuple[int, int]:
    """A key of whatever tells a draw: a seed, a time, a member.

    Examples
    --------
    >>> key_of(0, "noise", 3) == key_of(0, "noise", 3), key_of(0, 1) == key_of(1, 0)
    (True, False)
    """
    text = "\0".join(f"{type(each).__name__}:{each}" for each in parts).encode()
    words = np.frombuffer(hashlib.sha256(text).digest()[:8], "<u4")
    return int(words[0]), int(words[1])


def place_words(
    latitude: np.ndarray, longitude: np.ndarray, digits: int
) -> tuple[np.ndarray, np.ndarray]:
    """Words of places: parts of a degree from the south pole, and eastward from Greenwich.

    Parameters
    ----------
    latitude, longitude : array, (m,)
        Degrees; longitudes in any range.
    digits : int
        Parts of a degree: places in the same part are the same. At most 10**7.

    Examples
    --------
    >>> [each.tolist() for each in place_words(np.array([-90.0, 0]), np.array([-0.5, 360]), 100)]
    [[0, 9000], [35950, 0]]
    """
    north = np.rint((latitude + 90) * digits).astype(np.uint64)
    east = np.rint(longitude * digits).astype(np.int64) % (360 * digits)
    return north, east.astype(np.uint64)


def normal(
    rows: Any, columns: Any, key: tuple[int, int], *, layer: int = 0, step: int = 0, xp: Any = np
) -> Any:
    """White noise at cells of a grid, one number each, the same whatever other cells are asked for.

    Parameters
    ----------
    rows, columns : array of int, (r,), (c,)
        Numbers of the cells in the whole grid, below 2**32.
    key : (int, int)
        As of `key_of`.
    layer, step : int
        Which field, and which time it is asked for.
    xp : module

    Returns
    -------
    array of float64, (r, c)

    Examples
    --------
    >>> key = key_of(0)
    >>> whole = normal(range(6), range(8), key)
    >>> bool((normal(range(2, 4), range(5, 8), key) == whole[2:4, 5:]).all())
    True
    """
    at = xp.asarray(list(rows), xp.uint64)[:, None], xp.asarray(list(columns), xp.uint64)
    return scattered((*at, layer, step), key, xp)


def scattered(counter: Sequence[Any], key: tuple[int, int], xp: Any = np) -> Any:
    """White noise, a number for each counter.

    Parameters
    ----------
    counter : four arrays or ints
        Words of 32 bits, of shapes that go together.
    key : (int, int)
        As of `key_of`.
    xp : module

    Examples
    --------
    >>> bool(scattered((1, 2, 0, 0), key_of(0)) == normal([1], [2], key_of(0))[0, 0])
    True
    """
    a, b, _, _ = philox(counter, key, xp)
    # the radius takes (0, 1], of which the logarithm is finite
    radius = xp.sqrt(-2 * xp.log((a.astype(xp.float64) + 1) / 2**32))
    return radius * xp.cos(2 * np.pi * b.astype(xp.float64) / 2**32)
