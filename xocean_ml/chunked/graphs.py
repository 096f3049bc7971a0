"""Tasks: one for each block of a grid, as a dask graph."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask.array as da
from dask._task_spec import List, Task, TaskRef
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from xocean_ml.chunked.assembly import Cutter, Slices, cut_out, item, run, same
from xocean_ml.chunked.windows import Grid, Index, Input, Output, Place, indices, starts

__all__ = [
    "Carry",
    "PerBlock",
    "Tasks",
    "arrays",
    "clone",
    "compute",
    "constant",
    "once",
    "reduced",
    "tasks",
]


@dataclass(frozen=True)
class Carry:
    """A small state that each block hands to its neighbour along one grid axis.

    The function takes it as the keyword ``carry`` (None at the start) and gives
    ``(result, carry)``; whoever refers to a result gets this pair.

    Parameters
    ----------
    axis : int
        Grid axis along which it is handed on.
    reverse : bool
        From the last block to the first.
    light : bool
        Whether results are as small as carries: then the neighbour takes the pair, and unpacks it.
        Else a getter takes the carry out, so that a neighbour on another worker is sent no more.
    """

    axis: int
    reverse: bool = False
    light: bool = False

    def before(self, index: Index, grid: Grid) -> Index | None:
        """Index of the block whose carry the block at `index` takes."""
        step = 1 if self.reverse else -1
        at = index[self.axis] + step
        if not 0 <= at < len(grid[self.axis]):
            return None
        return (*index[: self.axis], at, *index[self.axis + 1 :])


@dataclass(frozen=True)
class Tasks:
    """A grid of tasks in a dask graph, whose results are any objects (a dask collection).

    Parameters
    ----------
    name : str
        First part of the keys of the results; the rest is the block's index.
    grid : tuple of tuple of int
        Sizes of the blocks along each grid axis.
    graph : HighLevelGraph
        With everything the tasks depend on.
    carry : Carry, optional
        Whether and how a carry is handed on.
    """

    name: str
    grid: Grid
    graph: HighLevelGraph
    carry: Carry | None = None

    def __dask_graph__(self) -> HighLevelGraph:
        return self.graph

    def __dask_layers__(self) -> tuple[str, ...]:
        return (self.name,)

    def __dask_keys__(self) -> list[Any]:
        return [(self.name, *index) for index in indices(self.grid)]

    def __dask_tokenize__(self) -> str:
        return self.name

    def reference(self, index: Index) -> TaskRef:
        """Reference to the result of one block."""
        return _ref(self.name, index)

    def carried(self, index: Index | None) -> TaskRef | None:
        """Reference to the carry that one block hands on, or to its pair; None of None."""
        assert self.carry is not None
        if index is None:
            return None
        return _ref(self.name if self.carry.light else f"{self.name}-carry", index)


@dataclass(frozen=True)
class PerBlock:
    """A shared argument that differs from block to block: plain values or task references."""

    of: Callable[[Index], Any]


def _ref(name: str, index: Index) -> TaskRef:
    key: Any = (name, *index)
    return TaskRef(key)


def tasks(
    function: Callable[..., Any],
    grid: Grid,
    inputs: Sequence[Input] = (),
    *,
    shared: Mapping[str, Any] | None = None,
    after: Sequence[Tasks] = (),
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
        Arguments by name: `Tasks` of one task, whose result is passed; `PerBlock`; or small plain
        values.
    after : sequence of Tasks
        Tasks that `PerBlock` arguments refer to.
    carry : Carry, optional
        State handed from block to block.

    Returns
    -------
    Tasks
        Not computed. Results are what `function` gives.
    """
    shared = dict(shared or {})
    sources: list[Any] = [each.array for each in inputs]
    sources += [value for value in shared.values() if isinstance(value, Tasks)]
    sources += after
    # What differs from block to block is part of the content too.
    content = {
        each: [value.of(index) for index in indices(grid)] if isinstance(value, PerBlock) else value
        for each, value in shared.items()
    }
    token = tokenize(function, grid, inputs, content, list(after), carry)
    name = f"{_label(function)}-{token}"
    result = Tasks(name, grid, HighLevelGraph({}, {}), carry)
    layer: dict[Any, Task] = {}
    cuts = [Cutter(each) for each in inputs]
    edges = [starts(sizes) for sizes in grid]
    for index in indices(grid):
        slices = (slice(e[i], e[i + 1]) for e, i in zip(edges, index, strict=True))
        place = Place(index, tuple(slices))
        extra = {each: _share(value, index) for each, value in shared.items()}
        if carry is not None:
            extra["carry"] = result.carried(carry.before(index, grid))
        key: Any = (name, *index)
        layer[key] = _task(key, run, function, place, *(cut(index) for cut in cuts), **extra)
        if carry is not None and not carry.light:
            hand = (f"{name}-carry", *index)
            layer[hand] = _task(hand, item, TaskRef(key), 1)
    return replace(result, graph=_joined(name, layer, sources))


def once(function: Callable[..., Any], *arguments: Any) -> Tasks:
    """One task on its own, ``function(*arguments)``, whose result can be shared by blocks.

    `Tasks` among the arguments are passed as the flat list of all their results.
    """
    sources = [a for a in arguments if isinstance(a, Tasks)]
    name = f"{_label(function)}-{tokenize(function, arguments)}"
    flat = [
        List(*(TaskRef(key) for key in a.__dask_keys__())) if isinstance(a, Tasks) else a
        for a in arguments
    ]
    layer = {(name, 0): _task((name, 0), function, *flat)}
    return Tasks(name, ((1,),), _joined(name, layer, sources))


def compute(work: Tasks) -> Any:
    """The result of the only task, computed now."""
    from dask.delayed import Delayed

    return Delayed((work.name, 0), work.graph, layer=work.name).compute()


def constant(value: Any) -> Tasks:
    """A value as one node of the graph, however many blocks share it."""
    return once(same, value)


def reduced(
    work: Tasks, merge: Callable[[list[Any]], Any], keep: Sequence[int], fan: int = 32
) -> Tasks:
    """Merge the results of blocks over all grid axes but those kept, by a tree.

    Parameters
    ----------
    work : Tasks
        What is merged.
    merge : callable
        From a list of results to one of their kind.
    keep : sequence of int
        Grid axes along which results stay apart.
    fan : int
        How many are merged at a time.
    """
    grid = tuple(work.grid[a] for a in keep) or ((1,),)
    name = f"{_label(merge)}-{tokenize(merge, work, list(keep), fan)}"
    found: dict[Index, list[TaskRef]] = {}
    for index in indices(work.grid):
        found.setdefault(tuple(index[a] for a in keep) or (0,), []).append(work.reference(index))
    layer: dict[Any, Task] = {}
    for kept, references in found.items():
        level = 0
        while len(references) > fan:
            above = []
            for number, start in enumerate(range(0, len(references), fan)):
                key: Any = (f"{name}-part", level, number, *kept)
                layer[key] = _task(key, merge, List(*references[start : start + fan]))
                above.append(TaskRef(key))
            references, level = above, level + 1
        layer[(name, *kept)] = _task((name, *kept), merge, List(*references))
    return Tasks(name, grid, _joined(name, layer, [work]))


def arrays(work: Tasks, outputs: Sequence[Output]) -> tuple[da.Array, ...]:
    """Turn the results of tasks into dask arrays, one for each output.

    A block's result is one array, or a tuple of arrays if there are several outputs. Where an
    output's chunks are the grid's blocks and it is the only one, the tasks are its chunks; else
    a getter per chunk cuts it out.
    """
    return tuple(_array(work, number, outputs) for number in range(len(outputs)))


def _array(work: Tasks, number: int, outputs: Sequence[Output]) -> da.Array:
    output = outputs[number]
    same = output.axes == tuple(range(len(work.grid))) and output.chunks == work.grid
    if len(outputs) == 1 and same and work.carry is None:
        return da.Array(work.graph, work.name, chunks=output.chunks, meta=output.meta)
    name = f"{work.name}-out{number}-{tokenize(output.chunks, output.axes)[:8]}"
    finders = [
        _nest(sizes, work.grid[axis]) if axis is not None else [(0, slice(None))]
        for sizes, axis in zip(output.chunks, output.axes, strict=True)
    ]
    path = [0] if work.carry is not None else []
    path += [number] if len(outputs) > 1 else []
    layer: dict[Any, Task] = {}
    for index in indices(output.chunks):
        block = [0] * len(work.grid)
        cut = []
        for i, finder, axis in zip(index, finders, output.axes, strict=True):
            at, part = finder[i]
            cut.append(part)
            if axis is not None:
                block[axis] = at
        key = (name, *index)
        layer[key] = _task(key, cut_out, work.reference(tuple(block)), path, Slices(tuple(cut)))
    graph = _joined(name, layer, [work])
    return da.Array(graph, name, chunks=output.chunks, meta=output.meta)


def clone(array: da.Array, seed: str) -> da.Array:
    """The same array through other keys: what is read once is not held for the second reading."""
    from dask.graph_manipulation import clone as dask_clone

    return dask_clone(array, seed=seed, assume_layers=True)


def _task(key: Any, function: Callable[..., Any], *arguments: Any, **named: Any) -> Task:
    return Task(key, function, *arguments, **named)


def _joined(name: str, layer: Mapping[Any, Task], sources: Sequence[Any]) -> HighLevelGraph:
    return HighLevelGraph.from_collections(name, layer, dependencies=sources)


def _label(function: Callable[..., Any]) -> str:
    named = getattr(function, "func", function)
    return f"xocean-{named.__name__.strip('_').replace('_', '-')}"


def _share(value: Any, index: Index) -> Any:
    if isinstance(value, Tasks):
        if value.grid != ((1,),):
            raise ValueError(f"{value.name}: only the result of one task is shared by all blocks")
        return value.reference((0,))
    return value.of(index) if isinstance(value, PerBlock) else value


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
