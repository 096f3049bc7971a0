"""The only door to dask: output blocks, input windows, carries and model delivery.

One primitive: for each output block, an index window into each input, and one task
(``docs/windows.md``). Nothing in here knows oceanography or xarray.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import List, Task, TaskRef
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

__all__ = [
    "Along",
    "Carry",
    "Input",
    "Output",
    "Place",
    "Tasks",
    "arrays",
    "clone",
    "groups",
    "halo",
    "once",
    "own",
    "scaled",
    "selected",
    "starts",
    "tasks",
    "tiles",
    "whole",
]

Sizes = tuple[int, ...]
Grid = tuple[Sizes, ...]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Along:
    """How the windows of one input axis follow the blocks of the grid.

    Parameters
    ----------
    axis : int or None
        Grid axis that is followed; None if every block sees the same window.
    bounds : tuple of (int, int)
        Half-open window in the input's indices, one for each block along `axis`.
    wrap : bool
        Whether a window that goes over an end continues at the other (else it is clipped).
    """

    axis: int | None
    bounds: tuple[tuple[int, int], ...]
    wrap: bool = False

    def of(self, index: Index) -> tuple[int, int]:
        """Window for the block at `index` of the grid."""
        return self.bounds[0 if self.axis is None else index[self.axis]]


def starts(sizes: Sequence[int]) -> tuple[int, ...]:
    """First index of each block, and the end.

    Examples
    --------
    >>> starts((3, 3, 2))
    (0, 3, 6, 8)
    """
    return (0, *itertools.accumulate(sizes))


def whole(size: int) -> Along:
    """Every block sees the whole axis."""
    return Along(None, ((0, size),))


def own(axis: int, sizes: Sequence[int]) -> Along:
    """Each block sees its own part."""
    return halo(axis, sizes, 0)


def halo(axis: int, sizes: Sequence[int], reach: int, *, wrap: bool = False) -> Along:
    """Each block sees its own part and `reach` cells on either side.

    Examples
    --------
    >>> halo(0, (4, 4), 1).bounds
    ((-1, 5), (3, 9))
    """
    edges = starts(sizes)
    return Along(axis, tuple((a - reach, b + reach) for a, b in itertools.pairwise(edges)), wrap)


def scaled(
    axis: int, sizes: Sequence[int], scale: float, reach: int = 0, *, wrap: bool = False
) -> Along:
    """Each block of the fine output sees the coarse cells under it, and `reach` more.

    Examples
    --------
    >>> scaled(0, (9, 9), 9.0, 1).bounds
    ((-1, 2), (0, 3))
    """
    edges = starts(sizes)
    bounds = tuple(
        (floor(a / scale) - reach, ceil(b / scale) + reach) for a, b in itertools.pairwise(edges)
    )
    return Along(axis, bounds, wrap)


def selected(axis: int, bounds: Sequence[tuple[int, int]]) -> Along:
    """Any window per block: observations of the block's times, a guide's own grid."""
    return Along(axis, tuple(bounds))


@dataclass(frozen=True)
class Input:
    """A dask array and, for each of its axes, where the windows lie."""

    array: da.Array
    along: tuple[Along, ...]


@dataclass(frozen=True)
class Output:
    """One array that the tasks give.

    Parameters
    ----------
    chunks : tuple of tuple of int
        Chunk sizes of each axis; they may be finer than the grid's blocks, never across them.
    axes : tuple of int or None
        Grid axis that each axis follows; None where it is in one piece.
    meta : array
        Empty array of the right kind (numpy or cupy) and dtype.
    """

    chunks: Grid
    axes: tuple[int | None, ...]
    meta: Any


@dataclass(frozen=True)
class Place:
    """Where a block lies in the grid: its index and, for each grid axis, its slice."""

    index: Index
    slices: tuple[slice, ...]


@dataclass(frozen=True)
class Carry:
    """A small state that each block hands to its neighbour along one grid axis.

    The function takes it as the keyword ``carry`` (None at the start) and gives
    ``(result, carry)``.
    """

    axis: int
    reverse: bool = False

    def before(self, index: Index, grid: Grid) -> Index | None:
        """Index of the block whose carry the block at `index` takes."""
        step = 1 if self.reverse else -1
        at = index[self.axis] + step
        if not 0 <= at < len(grid[self.axis]):
            return None
        return (*index[: self.axis], at, *index[self.axis + 1 :])


@dataclass(frozen=True)
class Tasks:
    """A grid of tasks in a dask graph, whose results are any objects (a dask collection)."""

    name: str
    grid: Grid
    graph: HighLevelGraph
    carried: bool = False

    def __dask_graph__(self) -> HighLevelGraph:
        return self.graph

    def __dask_layers__(self) -> tuple[str, ...]:
        return (self.name,)

    def __dask_keys__(self) -> list[Hashable]:
        return [self.key(index) for index in indices(self.grid)]

    def key(self, index: Index) -> Hashable:
        """Key of the task of one block."""
        return (self.name, *index)

    @property
    def result(self) -> TaskRef:
        """Reference to the only task."""
        (key,) = self.__dask_keys__()
        return TaskRef(key)


def indices(grid: Grid) -> Iterator[Index]:
    """Every block index of a grid, last axis fastest."""
    return itertools.product(*(range(len(sizes)) for sizes in grid))


Shared = Tasks | Callable[[Index], Any]
"""An argument that is no window: the only result of some `Tasks`, or a reference per block."""


def tasks(
    function: Callable[..., Any],
    grid: Grid,
    inputs: Sequence[Input] = (),
    *,
    shared: Mapping[str, Any] | None = None,
    after: Sequence[Any] = (),
    carry: Carry | None = None,
) -> Tasks:
    """One task per block of the grid: ``function(place, *windows, **shared)``.

    Parameters
    ----------
    function : callable
        Takes a `Place`, the window of each input as a plain array, and the shared arguments by
        name. With `carry` it also takes ``carry`` and gives ``(result, carry)``.
    grid : tuple of tuple of int
        Sizes of the blocks along each grid axis.
    inputs : sequence of Input
        What the windows are cut from.
    shared : mapping of str to object
        Arguments by name: plain values; `Tasks` of one task, whose result is passed; or a
        function from block index to (nested lists of) task references.
    after : sequence of dask collections
        Collections that functions in `shared` refer to.
    carry : Carry, optional
        State handed from block to block.

    Returns
    -------
    Tasks
        Not computed. Results are what `function` gives.
    """
    shared = dict(shared or {})
    collections = [each.array for each in inputs]
    collections += [value for value in shared.values() if isinstance(value, Tasks)]
    collections += list(after)
    label = getattr(function, "__name__", None) or getattr(function, "func", function).__name__
    token = tokenize(function, grid, inputs, shared, [c.name for c in after], carry)
    name = f"xocean-{label.strip('_').replace('_', '-')}-{token}"
    layer: dict[Hashable, Task] = {}
    cuts = [_Cutter(each) for each in inputs]
    edges = [starts(sizes) for sizes in grid]
    for index in indices(grid):
        place = Place(
            index, tuple(slice(e[i], e[i + 1]) for e, i in zip(edges, index, strict=True))
        )
        key = (name, *index)
        extra = {each: _share(value, index) for each, value in shared.items()}
        if carry is not None:
            before = carry.before(index, grid)
            extra["carry"] = None if before is None else TaskRef((name + "-carry", *before))
        windows = [cut(index) for cut in cuts]
        layer[key] = Task(key, _run, function, place, *windows, **extra)
        if carry is not None:
            hand = (name + "-carry", *index)
            layer[hand] = Task(hand, _item, TaskRef(key), 1)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=collections)
    return Tasks(name, grid, graph, carry is not None)


def once(function: Callable[..., Any], *arguments: Any, **shared: Any) -> Tasks:
    """One task on its own, ``function(*arguments, **shared)``; its result is shared by blocks.

    `Tasks` among the arguments are passed as the flat list of all their results.
    """
    collections = [a for a in (*arguments, *shared.values()) if isinstance(a, Tasks)]
    token = tokenize(function, [getattr(a, "name", a) for a in arguments], shared)
    name = f"xocean-{getattr(function, '__name__', 'once').strip('_').replace('_', '-')}-{token}"
    key = (name, 0)
    flat = [_all(a) if isinstance(a, Tasks) else a for a in arguments]
    named = {k: _all(a) if isinstance(a, Tasks) else a for k, a in shared.items()}
    layer = {key: Task(key, function, *flat, **named)}
    graph = HighLevelGraph.from_collections(name, layer, dependencies=collections)
    return Tasks(name, ((1,),), graph)


def arrays(work: Tasks, outputs: Sequence[Output]) -> tuple[da.Array, ...]:
    """Turn the results of tasks into dask arrays, one for each output.

    A block's result is one array, or a tuple of arrays if there are several outputs. Where an
    output's chunks are the grid's blocks and it is the only one, the tasks are its chunks; else
    a getter per chunk cuts it out.
    """
    return tuple(_array(work, number, outputs) for number in range(len(outputs)))


def _array(work: Tasks, number: int, outputs: Sequence[Output]) -> da.Array:
    output = outputs[number]
    direct = len(outputs) == 1 and not work.carried
    if direct and output.axes == tuple(range(len(work.grid))) and output.chunks == work.grid:
        return da.Array(work.graph, work.name, chunks=output.chunks, meta=output.meta)
    name = f"{work.name}-out{number}"
    finders = [
        _nest(sizes, work.grid[axis]) if axis is not None else [(0, slice(None))]
        for sizes, axis in zip(output.chunks, output.axes, strict=True)
    ]
    layer: dict[Hashable, Task] = {}
    for index in indices(output.chunks):
        block = [0] * len(work.grid)
        cut = []
        for i, finder, axis in zip(index, finders, output.axes, strict=True):
            at, part = finder[i]
            cut.append(part)
            if axis is not None:
                block[axis] = at
        key = (name, *index)
        path = ([0] if work.carried else []) + ([number] if len(outputs) > 1 else [])
        layer[key] = Task(key, _cut, TaskRef(work.key(tuple(block))), path, _Slices(tuple(cut)))
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[work])
    return da.Array(graph, name, chunks=output.chunks, meta=output.meta)


def clone(array: da.Array, seed: str) -> da.Array:
    """The same array through other keys: what is read once is not held for the second reading."""
    from dask.graph_manipulation import clone as dask_clone

    return dask_clone(array, seed=seed, assume_layers=True)


def groups(sizes: Sequence[int], most: int) -> tuple[Sizes, tuple[int, ...]]:
    """Join neighbouring chunks into blocks of at most `most` cells (a larger chunk stays alone).

    Returns
    -------
    blocks : tuple of int
        Sizes of the joined blocks.
    counts : tuple of int
        How many chunks are in each.

    Examples
    --------
    >>> groups((1, 1, 1, 1, 1), 2)
    ((2, 2, 1), (2, 2, 1))
    """
    blocks: list[int] = []
    counts: list[int] = []
    for size in sizes:
        if blocks and blocks[-1] + size <= most:
            blocks[-1] += size
            counts[-1] += 1
        else:
            blocks.append(size)
            counts.append(1)
    return tuple(blocks), tuple(counts)


def tiles(shape: Sequence[int], whole_axes: Sequence[int], most: int) -> Grid:
    """Chunks for an in-memory array: some axes whole, the others cut to at most `most` cells.

    The axes in front are cut first, so that tiles stay contiguous.

    Examples
    --------
    >>> tiles((10, 100, 50), (0,), 10 * 25 * 50)
    ((10,), (25, 25, 25, 25), (50,))
    """
    room = max(1, most // max(1, int(np.prod([shape[a] for a in whole_axes], dtype=np.int64))))
    chunks: list[Sizes] = [(size,) for size in shape]
    for axis in reversed([a for a in range(len(shape)) if a not in whole_axes]):
        size = max(1, min(shape[axis], room))
        count = ceil(shape[axis] / size)
        chunks[axis] = tuple(
            b - a for a, b in itertools.pairwise(shape[axis] * i // count for i in range(count + 1))
        )
        room = max(1, room // max(1, shape[axis]))
    return tuple(chunks)


# ---- inside tasks --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Slices:
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
class _Cutter:
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


def touched(
    sizes: Sequence[int], low: int, high: int, *, wrap: bool
) -> tuple[list[int], tuple[slice, ...]]:
    """Chunks that the window ``[low, high)`` touches, and the slice of each, in window order.

    Examples
    --------
    >>> touched((4, 4), 3, 6, wrap=False)
    ([0, 1], (slice(3, 4, None), slice(0, 2, None)))
    >>> touched((4, 4), -1, 2, wrap=True)
    ([1, 0], (slice(3, 4, None), slice(0, 2, None)))
    """
    edges = starts(sizes)
    size = edges[-1]
    if not wrap:
        low, high = max(low, 0), min(high, size)
    numbers: list[int] = []
    parts: list[slice] = []
    at = low
    while at < high:
        inside = at % size
        number = bisect_right(edges, inside) - 1
        stop = min(edges[number + 1], inside + high - at)
        numbers.append(number)
        parts.append(slice(inside - edges[number], stop - edges[number]))
        at += stop - inside
    return numbers, tuple(parts)


def _assemble(window: Sequence[Any]) -> Any:
    """The window as one array; a view of the only chunk where it touches just one."""
    mosaic, *chunks = window
    counts = [len(parts) for parts in mosaic.parts]
    cuts = list(itertools.product(*mosaic.parts))
    if len(chunks) == 1:
        return chunks[0][cuts[0]]
    from xocean_ml.device import namespace

    xp = namespace(chunks[0])
    out = xp.empty(mosaic.shape, dtype=chunks[0].dtype)
    edges = [starts([s.stop - s.start for s in parts]) for parts in mosaic.parts]
    for number, chunk, cut in zip(np.ndindex(*counts), chunks, cuts, strict=True):
        target = tuple(slice(e[i], e[i + 1]) for e, i in zip(edges, number, strict=True))
        out[target] = chunk[cut]
    return out


def _run(function: Callable[..., Any], place: Place, *windows: Any, **extra: Any) -> Any:
    return function(place, *(_assemble(window) for window in windows), **extra)


def _item(result: Any, number: int) -> Any:
    return result[number]


def _cut(result: Any, path: Sequence[int], cut: _Slices) -> Any:
    for number in path:
        result = result[number]
    return result[cut.slices]


def _all(work: Tasks) -> List:
    path = [0] if work.carried else []
    if not path:
        return List(*(TaskRef(key) for key in work.__dask_keys__()))
    raise TypeError("tasks with a carry are read through a getter, not as a list")


def _share(value: Any, index: Index) -> Any:
    if isinstance(value, Tasks):
        return value.result
    return value(index) if callable(value) else value


def _nest(fine: Sequence[int], coarse: Sequence[int]) -> list[tuple[int, slice]]:
    """For each fine chunk, the coarse block that holds it and its slice there."""
    edges = starts(coarse)
    found = []
    for start, stop in itertools.pairwise(starts(fine)):
        number = min(bisect_right(edges, start) - 1, len(coarse) - 1)
        if stop > edges[number + 1]:
            raise ValueError(f"chunk [{start}, {stop}) lies across a block border of {edges}")
        found.append((number, slice(start - edges[number], stop - edges[number])))
    return found
