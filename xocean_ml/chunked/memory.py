"""Arrays in memory: taken into a graph as one chunk, and results brought back from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da

__all__ = ["computed", "lazy"]


def lazy(data: Any) -> da.Array:
    """A dask array as it is, or an array in memory as one chunk.

    Its name is random: a graph that is computed at once needs none that tells of the values.
    """
    if isinstance(data, da.Array):
        return data
    return da.from_array(data, chunks=-1, name=False, asarray=False)


def computed(arrays: Sequence[da.Array]) -> list[Any]:
    """The values, computed together, on threads."""
    import dask

    return list(dask.compute(*arrays, scheduler="threads"))
