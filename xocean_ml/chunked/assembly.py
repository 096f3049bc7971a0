"""What runs inside a task: windows put together, results cut to chunks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from dask._task_spec import List, TaskRef

from xocean_ml.chunked.windows import Index, Input, Place, starts, touched
from xocean_ml.device import namespace

__all__ = ["Cutter", "Slices", "cut_out", "item", "run", "same"]


@dataclass(frozen=True)
class Slices:
    """Slices behind an opaque object: dask would read a bare tuple as a key or a task."""

    slices: tuple[slice, ...]


@dataclass(frozen=True)
class _Mosaic:
    """How a window is put together: along each axis, the slices of the chunks it touches."""

    parts: tuple[tuple[slice, ...], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(sum(s.stop - s.start for s in parts) for parts in self.parts)


@dataclass
class Cutter:
    """Finds, for each block, the chunks that its window touches (cached per axis)."""

    source: Input
    found: dict[tuple[int, int, int], tuple[list[int], tuple[slice, ...]]] = field(
        default_factory=dict
    )

    def __call__(self, index: Index) -> List:
        where = []
        for axis, along in enumerate(self.source.along):
            low, high = along.of(index)
            key = (axis, low, high)
            if key not in self.found:
                sizes = self.source.array.chunks[axis]
                self.found[key] = touched(sizes, low, high, wrap=along.wrap)
            where.append(self.found[key])
        name = self.source.array.name
        keys = itertools.product(*(numbers for numbers, _ in where))
        mosaic = _Mosaic(tuple(parts for _, parts in where))
        return List(mosaic, *(TaskRef((name, *key)) for key in keys))


def _assemble(window: Sequence[Any]) -> Any:
    """The window as one array; a view of the only chunk where it touches just one."""
    mosaic, *chunks = window
    counts = [len(parts) for parts in mosaic.parts]
    cuts = list(itertools.product(*mosaic.parts))
    if len(chunks) == 1:
        return chunks[0][cuts[0]]

    xp = namespace(chunks[0])
    out = xp.empty(mosaic.shape, dtype=chunks[0].dtype)
    edges = [starts([s.stop - s.start for s in parts]) for parts in mosaic.parts]
    for number, chunk, cut in zip(np.ndindex(*counts), chunks, cuts, strict=True):
        target = tuple(slice(e[i], e[i + 1]) for e, i in zip(edges, number, strict=True))
        out[target] = chunk[cut]
    return out


def run(function: Callable[..., Any], place: Place, *windows: Any, **extra: Any) -> Any:
    return function(place, *(_assemble(window) for window in windows), **extra)


def item(result: Any, number: int) -> Any:
    return result[number]


def same(value: Any) -> Any:
    return value


def cut_out(result: Any, path: Sequence[int], cut: Slices) -> Any:
    for number in path:
        result = result[number]
    return result[cut.slices]
