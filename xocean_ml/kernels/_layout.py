"""How an array of any shape, stride and axis order is handed to the sum kernels.

A kernel sees blocks of four axes, C-contiguous: (T, R0, K, R1) = time, outer reduced, kept, inner
reduced. `Layout` groups an array's axes so, in memory order; `boxes` cuts the array, and `block`
makes such blocks of the pieces: views where memory allows it and small copies where it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..errors import GridError

__all__ = ["Block", "Layout", "block", "boxes", "pad_weights", "runs"]

LONG_ROW = 64  # a shorter run of reduced values is better transposed than summed in place
FEW_KEPT = 16  # fewer kept values than this do not fill the vector registers

Axes = tuple[int, ...]
Box = tuple[slice, ...]


@dataclass(frozen=True)
class Block:
    """A piece of the values and its weights, both (T, R0, K, R1); weights' axes may be 1 long.

    `steps` are its time steps; `first` is the flat index of its first kept value.
    """

    values: Any
    weights: Any
    steps: slice
    first: int


@dataclass(frozen=True)
class Layout:
    """Axes of an array by their part in the sum, each group slowest in memory first.

    Parameters
    ----------
    time : int
        Axis that the segments cut.
    outer, kept, inner : tuple of int
        Axes R0, K and R1 of the kernels' blocks.
    memory : tuple of int
        All axes, slowest first.
    """

    time: int
    outer: Axes
    kept: Axes
    inner: Axes
    memory: Axes

    @classmethod
    def of(cls, values: Any, weights: Any, time: int, reduce: Axes) -> Layout:
        """Choose the groups for `values`; `weights` have been padded to as many axes."""
        memory = tuple(sorted(range(values.ndim), key=lambda axis: -abs(values.strides[axis])))
        reduced = [axis for axis in memory if axis in reduce]
        kept = tuple(axis for axis in memory if axis != time and axis not in reduce)
        inner = _uniform_run(reduced, values.shape, weights.shape)
        row = prod(values.shape[axis] for axis in inner)
        in_place = set(memory[len(memory) - len(inner) :]) == set(inner)
        many = prod(values.shape[axis] for axis in kept) >= FEW_KEPT
        if many and (row < LONG_ROW or not in_place):
            inner = ()
        outer = tuple(axis for axis in reduced if axis not in inner)
        return cls(time, outer, kept, inner, memory)

    @property
    def groups(self) -> tuple[Axes, Axes, Axes, Axes]:
        """The axes of T, R0, K, R1."""
        return (self.time,), self.outer, self.kept, self.inner

    def contiguous(self, array: Any) -> bool:
        """Whether `array` can be seen as (T, R0, K, R1) without a copy."""
        order = [axis for group in self.groups for axis in group]
        return bool(array.transpose(order).flags.c_contiguous)


def pad_weights(weights: Any, shape: tuple[int, ...]) -> Any:
    """Give `weights` the rank of `shape`; axes along which they are constant become 1 long."""
    weights = weights[(None,) * (len(shape) - weights.ndim) + (...,)]
    fits = weights.ndim == len(shape) and all(
        size in (1, full) for size, full in zip(weights.shape, shape, strict=True)
    )
    if not fits:
        raise GridError(f"weights of shape {weights.shape} do not broadcast to values of {shape}")
    once = (slice(0, 1) if stride == 0 else slice(None) for stride in weights.strides)
    return weights[tuple(once)]


def boxes(values: Any, layout: Layout, limit: int) -> list[Box]:
    """Cut `values` into boxes of at most `limit` values, along the slowest axes first.

    A box is single along slow axes, a range along one, whole along the faster ones: so it is one
    run of the flattened values of any group of axes that keeps their order.
    """
    return list(_cut(values.shape, layout.memory, limit))


def block(xp: Any, values: Any, weights: Any, layout: Layout, box: Box) -> Block:
    """Return the values and weights of a box as the kernels take them: views where possible."""
    single = values.dtype.kind == "f" and values.dtype.itemsize == 4
    piece = values[box]
    sizes = zip(box, weights.shape, strict=True)
    factor = weights[tuple(slice(0, 1) if size == 1 else cut for cut, size in sizes)]
    return Block(
        _grouped(xp, piece, piece.shape, layout.groups, "f4" if single else "f8"),
        _grouped(xp, factor, piece.shape, layout.groups, "f8"),
        box[layout.time],
        _flat_start(box, layout.kept, values.shape),
    )


def runs(segments: Any, n_segments: int) -> tuple[Any, Any]:
    """Order time steps by segment, so that a segment's steps are one run of that order.

    Returns the steps, and one row (segment, first, last + 1) for each run; -1 is left out.

    Examples
    --------
    >>> import numpy as np
    >>> steps, rows = runs(np.array([1, 0, -1, 1]), 2)
    >>> steps.tolist(), rows.tolist()
    ([2, 1, 0, 3], [[0, 1, 2], [1, 2, 4]])
    """
    steps = np.argsort(segments, kind="stable")
    bounds = np.searchsorted(segments[steps], np.arange(n_segments + 1))
    rows = np.stack([np.arange(n_segments), bounds[:-1], bounds[1:]], axis=1)
    return steps, rows[rows[:, 2] > rows[:, 1]]


def _uniform_run(reduced: list[int], shape: Axes, weights: Axes) -> Axes:
    """Return the fastest of the `reduced` axes whose weights are all full or all constant.

    Rows are made of these, so that weights along a part of a row never have to be expanded.
    """
    run: list[int] = []
    constant: bool | None = None
    for axis in reversed(reduced):
        if shape[axis] > 1:
            if constant not in (None, weights[axis] == 1):
                break
            constant = weights[axis] == 1
        run.insert(0, axis)
    return tuple(run)


def _cut(shape: tuple[int, ...], memory: Axes, limit: int) -> Iterator[Box]:
    size = prod(shape)
    if size <= limit:
        if size:
            yield tuple(slice(0, length) for length in shape)
        return
    axis = next(axis for axis in memory if shape[axis] > 1)
    step = max(1, limit * shape[axis] // size)
    for low in range(0, shape[axis], step):
        high = min(low + step, shape[axis])
        for box in _cut((*shape[:axis], high - low, *shape[axis + 1 :]), memory, limit):
            yield (*box[:axis], slice(low, high), *box[axis + 1 :])


def _grouped(
    xp: Any, array: Any, shape: tuple[int, ...], groups: tuple[Axes, ...], dtype: str
) -> Any:
    """Return `array` with one axis a group, C-contiguous and native: a view where it can be.

    A group along which `array` is constant (1 long where `shape` is not) stays 1 long; one along
    which it is constant in part is expanded.
    """
    target = list(shape)
    for group in groups:
        if all(array.shape[axis] == 1 for axis in group):
            for axis in group:
                target[axis] = 1
    order = [axis for group in groups for axis in group]
    array = xp.broadcast_to(array, tuple(target)).transpose(order)
    sizes = tuple(prod(target[axis] for axis in group) for group in groups)
    return xp.ascontiguousarray(array, dtype=dtype).reshape(sizes)


def _flat_start(box: Box, axes: Axes, shape: tuple[int, ...]) -> int:
    """Flat index, over `axes`, of the first corner of `box`."""
    flat = 0
    for axis in axes:
        flat = flat * shape[axis] + box[axis].start
    return flat
