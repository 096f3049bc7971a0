"""Conservation sums: exact in their addition, so the same bits however the work is cut.

A sum of products p = w x (rounded to float64) keeps its terms on an absolute grid of quanta
Q_b = 2^(40 b - 1074), b = 0, 1, ... An element's *bin* b is the lowest for which every
|p| < Q_{b+3} / 2. Each term is rounded to a multiple of Q_{b+2}, the rest to one of Q_{b+1}, the
rest of that to one of Q_b; each of the three *limbs* counts its quanta in integers. Integer sums
are associative. And a limb does not depend on those below it, nor has a term anything to give to
those above: so raising the bin only drops the lowest limbs. The state is thus a function of the
set of terms, whatever the chunks, threads and order of merging.

At least 79 bits below the largest term are kept, so N terms err by at most N 2^-80 max|p|, beside
the rounding of the products. After J. Demmel and H. D. Nguyen, "Parallel reproducible summation",
IEEE Trans. Comput. 64, 2060-2070 (2015), with integers in place of their floating accumulators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..errors import GridError
from ._layout import Layout, pad_weights

__all__ = ["Sums", "segment_sums"]

BITS = 40
MASK = (1 << BITS) - 1
LIMBS = 3
CARRY = 56
HALF = 32
CHUNK = 1 << 14
HALF_MASK = (1 << HALF) - 1


@dataclass(frozen=True, eq=False)
class Sums:
    """Exact partial sums, one for each element of an array; they travel, and merge in any order.

    Parameters
    ----------
    bins : ndarray of uint8, (...)
        Bin b of each element.
    limbs : ndarray of int64, (..., 3)
        Count of quanta of each limb, highest first, less its carry.
    carries : ndarray of int32, (..., 3)
        Carry of each limb, in 2^56 of its quanta: kept apart, for a limb may yet be dropped.
    counts : ndarray of int64, (...)
        Number of finite terms.
    flags : ndarray of uint8, (...)
        1 if a term was inf, 2 if one was -inf, 3 for both.

    Examples
    --------
    >>> part = segment_sums(np.array([1e16, 1.0]), axis=0, segments=np.array([0, 0]))
    >>> rest = segment_sums(np.array([-1e16]), axis=0, segments=np.array([0]))
    >>> float((part + rest).value()[0])
    1.0
    """

    bins: Any
    limbs: Any
    carries: Any
    counts: Any
    flags: Any

    @classmethod
    def zeros(cls, shape: tuple[int, ...], xp: Any = np) -> Sums:
        """Sums of nothing, on the array module `xp`: 0 with count 0."""
        return cls(
            xp.zeros(shape, "u1"),
            xp.zeros((*shape, LIMBS), "i8"),
            xp.zeros((*shape, LIMBS), "i4"),
            xp.zeros(shape, "i8"),
            xp.zeros(shape, "u1"),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Sums], axis: int = 0) -> Sums:
        """Join sums along an axis.

        Examples
        --------
        >>> Sums.concatenate([Sums.zeros((2, 3)), Sums.zeros((2, 1))], axis=1).shape
        (2, 4)
        """
        xp, axis = _module(parts[0].bins), range(len(parts[0].shape))[axis]
        named = [each.name for each in fields(cls)]
        return cls(*(xp.concatenate([getattr(p, n) for p in parts], axis=axis) for n in named))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the sums."""
        return tuple(self.bins.shape)

    @property
    def nbytes(self) -> int:
        """Memory of the sums, 46 bytes an element."""
        return sum(getattr(self, each.name).nbytes for each in fields(self))

    def count(self) -> Any:
        """Return the number of finite terms: values and weights given, weight not zero."""
        return self.counts

    def value(self) -> Any:
        """Return the sums as float64, correctly rounded; inf, -inf or nan where a term was."""
        finite = _rounded(self.bins, self.limbs, self.carries)
        if not self.flags.any():
            return finite
        special = _module(self.bins).asarray([0.0, np.inf, -np.inf, np.nan])[self.flags]
        return _module(self.bins).where(self.flags > 0, special, finite)

    def merge(self, *others: Sums) -> Sums:
        """Return the sums of the terms of all; the order does not matter."""
        if any(other.shape != self.shape for other in others):
            shapes = [self.shape, *(other.shape for other in others)]
            raise GridError(f"sums to merge must have one shape, got {shapes}")
        xp = _module(self.bins)
        every = [self, *others]
        return Sums(
            *(xp.stack([getattr(one, each.name) for one in every]) for each in fields(self))
        ).total(axis=0)

    def __add__(self, other: Sums) -> Sums:
        return self.merge(other) if isinstance(other, Sums) else NotImplemented

    def total(self, axis: int | None = None) -> Sums:
        """Return the sums over one axis, or over all."""
        if axis is None:
            return self.reshape(-1).total(axis=0)
        axis = range(len(self.shape))[axis]
        if self.shape[axis] == 0:
            shape = self.shape[:axis] + self.shape[axis + 1 :]
            return Sums.zeros(shape, _module(self.bins))
        bins = self.bins.max(axis=axis, keepdims=True)
        shift = bins.astype("i8") - self.bins
        limbs = _raised(self.limbs, shift)
        low = (limbs & HALF_MASK).sum(axis=axis)  # halves: 2^31 limbs add up in 64 bits
        high = (limbs >> HALF).sum(axis=axis) + (low >> HALF)
        up = (high + (1 << (CARRY - HALF - 1))) >> (CARRY - HALF)
        return Sums(
            bins.squeeze(axis),
            ((high - (up << (CARRY - HALF))) << HALF) + (low & HALF_MASK),
            (_raised(self.carries, shift).sum(axis=axis) + up).astype("i4"),
            self.counts.sum(axis=axis),
            (self.flags & 1).max(axis=axis) | (self.flags & 2).max(axis=axis),
        )

    def reshape(self, *shape: int) -> Sums:
        """Return the sums in another shape; one length may be -1."""
        whole = self.bins.reshape(shape).shape
        return self._each(lambda array, tail: array.reshape((*whole, *tail)))

    def transpose(self, order: Sequence[int]) -> Sums:
        """Return the sums with their axes in another order."""
        rank = len(self.shape)
        return self._each(lambda array, tail: array.transpose((*order, rank)[: rank + len(tail)]))

    def place(self, part: Sums, rows: Any, first: int) -> Sums:
        """Write `part` over some rows of 2-D sums, from column `first` on; return self."""
        columns = slice(first, first + part.shape[1])
        for each in fields(self):
            getattr(self, each.name)[rows, columns] = getattr(part, each.name)
        return self

    def _each(self, change: Callable[[Any, tuple[int, ...]], Any]) -> Sums:
        """Apply `change(array, trailing shape)` to every field."""
        rank = len(self.shape)
        arrays = [getattr(self, each.name) for each in fields(self)]
        return Sums(*(change(array, array.shape[rank:]) for array in arrays))


def segment_sums(
    values: Any,
    weights: Any = None,
    segments: Any = None,
    n_segments: int | None = None,
    *,
    axis: int = 0,
    reduce: int | Sequence[int] = (),
    absolute: bool = False,
    threads: int = 1,
) -> Sums:
    """Sum weights times values over time segments and axes, skipping what is missing.

    Parameters
    ----------
    values : ndarray or cupy.ndarray
        Real numbers of any dtype, strides and byte order; NaN is skipped.
    weights : array, optional
        Broadcastable to `values`; 1 if not given. A term whose weight is NaN or 0 is skipped.
    segments : array of int, (values.shape[axis],), optional
        Segment of each time step, -1 for none; each step its own if not given.
    n_segments : int, optional
        Number of segments; one more than the largest of `segments` if not given.
    axis : int
        Time axis.
    reduce : int or sequence of int
        Other axes to sum over; those that remain are kept.
    absolute : bool
        Sum absolute products instead, the scale of a relative residual.
    threads : int
        Threads to use on the CPU. Leave it 1 inside a dask task: the kernels release the GIL.

    Returns
    -------
    Sums, (n_segments, *kept axes)
        On the device of `values`, with the same bits for any chunking and number of threads.

    Raises
    ------
    GridError
        Weights, segments or axes that do not fit the values.
    TypeError
        Values that are not real numbers.

    Examples
    --------
    >>> heat = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])
    >>> sums = segment_sums(heat, weights=[1.0, 10.0], segments=[0, 0, 1], reduce=1)
    >>> sums.value()
    array([24., 65.])
    >>> sums.count()
    array([3, 2])
    """
    xp = _module(values)
    values = xp.asarray(values)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"sums need real numbers, got values of dtype {values.dtype}")
    time, reduced = _axes(values.ndim, axis, reduce)
    weights = pad_weights(xp.asarray(1.0 if weights is None else weights), values.shape)
    steps, n_segments = _segments(segments, n_segments, values.shape[time])
    layout = Layout.of(values, weights, time, reduced)
    flat = _target(xp)(values, weights, steps, n_segments, layout, absolute, threads)
    kept = [each for each in range(values.ndim) if each != time and each not in reduced]
    by_memory = flat.reshape(n_segments, *(values.shape[each] for each in layout.kept))
    return by_memory.transpose([0, *(1 + layout.kept.index(each) for each in kept)])


def _module(array: Any) -> Any:
    """Return the array module of `array`: cupy for arrays on a GPU, else numpy."""
    if not hasattr(array, "__cuda_array_interface__"):
        return np
    import cupy

    return cupy


def _target(xp: Any) -> Callable[..., Sums]:
    """Return the kernels for the array module `xp`, compiled when first called."""
    if xp is np:
        from ._cpu import sums

        return sums
    from ._cuda import sums as sums_on_device

    return sums_on_device


def _axes(rank: int, axis: int, reduce: int | Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """Return the time axis and the reduced ones, counted from the front."""
    given = [axis, *([reduce] if isinstance(reduce, int) else reduce)]
    if any(not -rank <= each < rank for each in given):
        raise GridError(f"axes {given} do not all exist in values of {rank} dimensions")
    time, *reduced = (each % rank for each in given)
    if len({time, *reduced}) != len(given):
        raise GridError(f"time axis {axis} and summed axes {reduce} must all differ")
    return time, tuple(reduced)


def _segments(segments: Any, n_segments: int | None, n_steps: int) -> tuple[Any, int]:
    """Return the segment of each time step as int64, and the number of segments."""
    steps = np.arange(n_steps) if segments is None else np.asarray(segments)
    if steps.shape != (n_steps,) or (steps.dtype.kind not in "iu" and n_steps):
        raise GridError(
            f"segments must be integers, one for each of {n_steps} time steps, "
            f"got {steps.dtype} of shape {steps.shape}"
        )
    steps = steps.astype("i8")
    if n_segments is None:
        n_segments = int(steps.max(initial=-1)) + 1
    if n_steps and not -1 <= steps.min() <= steps.max() < n_segments:
        raise GridError(
            f"segments must lie in -1 (none) to {n_segments - 1}, "
            f"got {steps.min()} to {steps.max()}"
        )
    return steps, n_segments


def _raised(digits: Any, shift: Any) -> Any:
    """Move limbs down by `shift` places, as raising the bin does; the lowest are dropped."""
    if not shift.any():
        return digits
    xp = _module(digits)
    source = xp.arange(LIMBS) - shift[..., None]
    moved = xp.take_along_axis(digits, xp.clip(source, 0, LIMBS - 1), axis=-1)
    return xp.where(source >= 0, moved, 0)


def _rounded(bins: Any, limbs: Any, carries: Any) -> Any:
    """Return the float64 nearest to the integer of the limbs times 2^(40 bin - 1074)."""
    xp = _module(bins)
    if xp is np and bins.ndim and bins.size > CHUNK and len(bins) > 1:
        # many passes over temporary arrays: halve until these stay in a processor's cache
        half = len(bins) // 2
        parts = (slice(None, half), slice(half, None))
        return np.concatenate([_rounded(bins[at], limbs[at], carries[at]) for at in parts])
    number = _digits(limbs, carries)
    sign = xp.where(number[0] < 0, -1, 1)
    top, a, b, c = _digits(limbs * sign[..., None], carries * sign[..., None])
    exponent = bins.astype("i4") * BITS + (LIMBS * BITS - 1074)
    for _ in range(LIMBS):  # leading zeros
        small = top == 0
        top, a, b, c = (
            xp.where(small, right, left) for left, right in ((top, a), (a, b), (b, c), (c, 0))
        )
        exponent -= xp.where(small, BITS, 0).astype("i4")
    # 62 leading bits, the last of them set if anything follows: then one rounding decides
    more = xp.clip(62 - xp.frexp(top.astype("f8"))[1].astype("i8"), 0, 2 * BITS)
    low = xp.clip(BITS - more, 0, BITS)
    lower = xp.clip(2 * BITS - more, 0, BITS)
    taken = (a >> low) << xp.clip(more - BITS, 0, BITS)
    taken |= xp.where(more > BITS, b >> lower, 0)
    rest_of_b = xp.where(more > BITS, b & ((1 << lower) - 1), b)
    follows = ((a & ((1 << low) - 1)) | rest_of_b | c) != 0
    leading = ((top << more) | taken) | follows.astype("i8")
    size = xp.ldexp(leading.astype("f8"), exponent - more.astype("i4"))
    return sign * size


def _digits(limbs: Any, carries: Any) -> tuple[Any, Any, Any, Any]:
    """Return the signed top and three digits of 40 bits, each at least 0, of the number."""
    carried = carries.astype("i8") << (CARRY - BITS)
    low = limbs[..., 2]
    mid = limbs[..., 1] + carried[..., 2] + (low >> BITS)
    high = limbs[..., 0] + carried[..., 1] + (mid >> BITS)
    return carried[..., 0] + (high >> BITS), high & MASK, mid & MASK, low & MASK
