"""Exact sums on the CPU: numba kernels that are serial and release the GIL.

The law is that of `xocean_ml.kernels.sums`. Integer sums are associative, so the compiler may use
its vector registers on them; the extraction needs no `fastmath`, and must not have it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import prod
from typing import Any

import numba
import numpy as np

from ._layout import Box, Layout, block, boxes, runs
from .sums import Sums

__all__ = ["sums"]

LIMIT = 1 << 20  # values of a block: its copy, if it is one, stays in a processor's cache
MOST_ROWS = 1 << 21  # terms of an element between two folds: 2^22 terms of 2^40 could overflow
BITS = 40
LAST = 49  # the highest bin whose magic constants are finite
FAR = 2  # bins by which products beyond it are scaled down
SHRINK = 2.0 ** (-BITS * FAR)
CARRY = 56  # bits of a limb that stay in it
POSITIVE = 0x7FFFFFFFFFFFFFFF
INFINITY = 0x7FF0000000000000
FIRST_ROW, ROW = 256, 8192  # values tried at once before, and after, the bin is known
TILE = 512  # kept values worked on together

State = tuple[Any, Any, Any, Any, Any]  # bins, limbs, carries, counts, flags: see `Sums`
Row = Any  # a contiguous 1-D array


_jit: Any = numba.njit(nogil=True, cache=True, error_model="numpy")


@_jit
def _bits(number: float) -> Any:
    return np.float64(number).view(np.int64)


@_jit
def _bin_of(bits: int) -> int:
    """Return the lowest bin that holds a product with these bits of its absolute value."""
    return max(0, (bits >> 52) - 28) // BITS


@_jit
def _magic(bin_: int, limb: int) -> float:
    """Return 1.5 2^52 Q: adding it rounds to multiples of Q, the quantum of a limb."""
    return np.int64(((1 + BITS * (bin_ + 2 - limb)) << 52) | (1 << 51)).view(np.float64)


@_jit
def _cut(term: float, m0: float, m1: float, m2: float) -> tuple[int, int, int]:
    """Round `term` to three quanta in turn; the bits of each sum count quanta."""
    t0 = m0 + term
    term -= t0 - m0
    t1 = m1 + term
    term -= t1 - m1
    return _bits(t0), _bits(t1), _bits(m2 + term)


@_jit
def _term(weight: float, value: float, keep: int) -> tuple[float, bool]:
    """Return the product, 0 where it is masked, and whether it is not."""
    term = weight * value
    given = (term == term) & (weight != 0.0)
    term = np.int64(_bits(term) & keep).view(np.float64)
    return (term if given else 0.0), given


@_jit
def _raise_bin(state: State, s: int, k: int, bin_: int) -> None:
    """Move an element up to a bin, if it is below: limbs under its quanta are dropped."""
    bins, limbs, carries, counts = state[0], state[1], state[2], state[3]
    shift = bin_ - np.int64(bins[s, k])
    if shift <= 0:
        return
    bins[s, k] = bin_
    if counts[s, k] == 0:  # zeros: leave their memory untouched
        return
    for limb in (2, 1, 0):
        limbs[s, k, limb] = limbs[s, k, limb - shift] if limb >= shift else 0
        carries[s, k, limb] = carries[s, k, limb - shift] if limb >= shift else 0


@_jit
def _near(bin_: int) -> int:
    """Return the bin in which a term of `bin_` is cut, once scaled down if it is beyond `LAST`."""
    return bin_ - FAR if bin_ > LAST else bin_


@_jit
def _fold(state: State, s: int, k: int, sums: tuple[int, int, int], n: int) -> None:
    """Add the bits of `n` cut terms to an element, and carry within each limb."""
    bins, limbs, carries = state[0], state[1], state[2]
    bin_ = _near(np.int64(bins[s, k]))
    for limb in range(3):
        total = limbs[s, k, limb] + sums[limb] - n * _bits(_magic(bin_, limb))
        carry = (total + (1 << (CARRY - 1))) >> CARRY
        limbs[s, k, limb] = total - (carry << CARRY)
        if carry != 0:  # mostly not: pages of zeros are never touched, so cost nothing
            carries[s, k, limb] += carry


@_jit
def _add_one(state: State, s: int, k: int, weight: float, value: float, keep: int) -> None:
    """Add one product of any size: infinities are flagged, giants scaled down."""
    bins, counts, flags = state[0], state[3], state[4]
    term, given = _term(weight, value, keep)
    if not given:
        return
    bits = _bits(term) & POSITIVE
    if bits == INFINITY:
        flags[s, k] |= 1 if term > 0 else 2
        return
    _raise_bin(state, s, k, _bin_of(bits))
    counts[s, k] += 1
    bin_ = np.int64(bins[s, k])
    if bin_ > LAST:
        term *= SHRINK
    bin_ = _near(bin_)
    _fold(state, s, k, _cut(term, _magic(bin_, 0), _magic(bin_, 1), _magic(bin_, 2)), 1)


@_jit
def _add_each(state: State, s: int, k: int, weights: Row, values: Row, keep: int) -> None:
    for i in range(values.size):
        _add_one(state, s, k, weights[i] if weights.size > 1 else weights[0], values[i], keep)


@_jit
def _try_row(weights: Row, values: Row, bin_: int, keep: int) -> tuple[Any, int, int]:
    """Cut and add a row as if it fitted `bin_`: the sums, their count, the largest term's bits."""
    m0, m1, m2 = _magic(bin_, 0), _magic(bin_, 1), _magic(bin_, 2)
    a0 = a1 = a2 = count = largest = 0
    if weights.size == 1:
        weight = weights[0]
        for i in range(values.size):
            term, given = _term(weight, values[i], keep)
            count += given
            largest = max(largest, _bits(term) & POSITIVE)
            t0, t1, t2 = _cut(term, m0, m1, m2)
            a0, a1, a2 = a0 + t0, a1 + t1, a2 + t2
    else:
        for i in range(values.size):
            term, given = _term(weights[i], values[i], keep)
            count += given
            largest = max(largest, _bits(term) & POSITIVE)
            t0, t1, t2 = _cut(term, m0, m1, m2)
            a0, a1, a2 = a0 + t0, a1 + t1, a2 + t2
    return (a0, a1, a2), count, largest


@_jit
def _add_row(state: State, s: int, k: int, weights: Row, values: Row, keep: int) -> None:
    """Add a row to one element: tried in the bin at hand, again if a term does not fit."""
    bins, counts = state[0], state[3]
    bin_ = np.int64(bins[s, k])
    if bin_ <= LAST:
        sums, count, largest = _try_row(weights, values, bin_, keep)
        needed = _bin_of(largest)
        if bin_ < needed <= LAST:
            _raise_bin(state, s, k, needed)
            sums, count, largest = _try_row(weights, values, needed, keep)
        if needed <= LAST:
            counts[s, k] += count
            _fold(state, s, k, sums, values.size)
            return
    _add_each(state, s, k, weights, values, keep)


@_jit
def _row_of(w: Any, t: int, r: int, k: int) -> Row:
    """Return w[t, r, k], the only one along axes that are 1 long."""
    return w[t if w.shape[0] > 1 else 0, r if w.shape[1] > 1 else 0, k if w.shape[2] > 1 else 0]


@_jit
def _part(row: Row, start: int, n: int) -> Row:
    """Return row[start : start + n], or the row itself if it is one number for all."""
    return row[start : start + n] if row.size > 1 else row


@_jit
def _add_rows(x: Any, w: Any, times: Any, runs: Any, first: int, keep: int, state: State) -> None:
    """Sum along R1: each row x[t, r, k] goes to one element."""
    for s, low, high in runs:
        for k in range(x.shape[2]):
            for t in times[low:high]:
                for r in range(x.shape[1]):
                    values, weights = x[t, r, k], _row_of(w, t, r, k)
                    start = 0
                    while start < values.size:
                        # a short first try finds the bin, so that little is cut twice
                        n = ROW if state[0][s, first + k] else FIRST_ROW
                        row = values[start : start + n]
                        _add_row(state, s, first + k, _part(weights, start, n), row, keep)
                        start += n


@_jit
def _scan_row(weights: Row, values: Row, keep: int, largest: Row, given: Row) -> None:
    """Raise `largest` to the bits of the terms of one row, of an element each; count them."""
    if weights.size == 1:
        weight = weights[0]
        for k in range(values.size):
            term, counted = _term(weight, values[k], keep)
            given[k] += counted
            largest[k] = max(largest[k], _bits(term) & POSITIVE)
    else:
        for k in range(values.size):
            term, counted = _term(weights[k], values[k], keep)
            given[k] += counted
            largest[k] = max(largest[k], _bits(term) & POSITIVE)


@_jit
def _cut_row(weights: Row, values: Row, keep: int, magic: Any, sums: Any) -> None:
    """Cut the terms of one row, of an element each, and add their bits."""
    m0, m1, m2 = magic[0], magic[1], magic[2]
    a0, a1, a2 = sums[0], sums[1], sums[2]
    if weights.size == 1:
        weight = weights[0]
        for k in range(values.size):
            term, _ = _term(weight, values[k], keep)
            t0, t1, t2 = _cut(term, m0[k], m1[k], m2[k])
            a0[k], a1[k], a2[k] = a0[k] + t0, a1[k] + t1, a2[k] + t2
    else:
        for k in range(values.size):
            term, _ = _term(weights[k], values[k], keep)
            t0, t1, t2 = _cut(term, m0[k], m1[k], m2[k])
            a0[k], a1[k], a2[k] = a0[k] + t0, a1[k] + t1, a2[k] + t2


@_jit
def _set_bins(state: State, s: int, first: int, largest: Row, magic: Any) -> bool:
    """Raise elements to the bins they need and set their magic; whether all are near ones."""
    near = True
    for i in range(largest.size):
        needed = max(np.int64(state[0][s, first + i]), _bin_of(largest[i]))
        if needed > LAST:
            near = False
        else:
            _raise_bin(state, s, first + i, needed)
            for limb in range(3):
                magic[limb, i] = _magic(needed, limb)
    return near


@_jit
def _add_columns(
    x: Any, w: Any, times: Any, runs: Any, first: int, keep: int, state: State, span: Any
) -> None:
    """Sum over T and R0 for the elements k of `span`: a row x[t, r, :] goes to one element each."""
    largest, given = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    magic, sums = np.empty((3, TILE), np.float64), np.empty((3, TILE), np.int64)
    for start in range(span[0], span[1], TILE):
        n = min(TILE, span[1] - start)
        for s, low, high in runs:
            largest[:n], given[:n], sums[:, :n] = 0, 0, 0
            for t in times[low:high]:
                for r in range(x.shape[1]):
                    row, weights = x[t, r, start : start + n], _row_of(w, t, r, 0)
                    _scan_row(_part(weights, start, n), row, keep, largest[:n], given[:n])
            near = _set_bins(state, s, first + start, largest[:n], magic)
            for t in times[low:high]:
                for r in range(x.shape[1]):
                    row, weights = x[t, r, start : start + n], _part(_row_of(w, t, r, 0), start, n)
                    if near:
                        _cut_row(weights, row, keep, magic, sums)
                    else:
                        for i in range(n):
                            weight = weights[i] if weights.size > 1 else weights[0]
                            _add_one(state, s, first + start + i, weight, row[i], keep)
            if near:
                rows = (high - low) * x.shape[1]
                for i in range(n):
                    k = first + start + i
                    state[3][s, k] += given[i]
                    _fold(state, s, k, (sums[0, i], sums[1, i], sums[2, i]), rows)


def sums(
    values: Any,
    weights: Any,
    segments: Any,
    n_segments: int,
    layout: Layout,
    absolute: bool,
    threads: int,
) -> Sums:
    """Return the segment sums of `values`, kept axes flattened in the order of `layout.kept`.

    Parameters
    ----------
    values : ndarray
        Any shape, strides and byte order.
    weights : ndarray
        As many axes, each 1 or full.
    segments : ndarray of int, (T,)
        Segment of each time step, -1 for none.
    n_segments : int
        Length S of the result's first axis.
    layout : Layout
        Parts of the axes.
    absolute : bool
        Whether to sum absolute products.
    threads : int
        Number of threads.

    Returns
    -------
    Sums, (S, K)
    """
    n_kept = prod(values.shape[axis] for axis in layout.kept)
    columns = not layout.inner and n_kept > 1
    in_place = layout.contiguous(values) and values.dtype in (np.float32, np.float64)
    shared = columns and in_place and values.size <= MOST_ROWS * n_kept
    pieces = boxes(values, layout, values.size if shared else LIMIT)
    workers = max(1, min(threads, n_kept if shared else len(pieces)))

    def work(total: Sums, worker: int) -> Sums:
        """Add this worker's share: of the elements of the one piece, or of the pieces."""
        mine = _share(len(pieces), worker, workers) if not shared else slice(None)
        for box in pieces[mine]:
            add(total, box, worker if shared else 0, workers if shared else 1)
        return total

    def add(total: Sums, box: Box, share: int, shares: int) -> None:
        piece = block(np, values, weights, layout, box)
        steps, rows = runs(segments[piece.steps], n_segments)
        state = (total.bins, total.limbs, total.carries, total.counts, total.flags)
        x, w = _read_only(piece.values), _read_only(piece.weights)
        keep = POSITIVE if absolute else -1
        if columns:
            x, w = x.reshape(x.shape[:3]), w.reshape((*w.shape[:2], 1, w.shape[2]))
            part = _share(x.shape[2], share, shares)
            _add_columns(x, w, steps, rows, piece.first, keep, state, (part.start, part.stop))
        else:
            _add_rows(x, w, steps, rows, piece.first, keep, state)

    first = Sums.zeros((n_segments, n_kept))
    if workers == 1:
        return work(first, 0)
    # shares of one piece write to different elements, but pieces may meet in one
    totals = [first if shared else Sums.zeros(first.shape) for _ in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        done = list(pool.map(work, totals, range(workers)))
    return first if shared else done[0].merge(*done[1:])


def _share(n: int, worker: int, workers: int) -> slice:
    """Return the range of `n` things that is a worker's."""
    return slice(n * worker // workers, n * (worker + 1) // workers)


def _read_only(array: Any) -> Any:
    """Return a read-only view, so that each kernel is compiled once for both kinds of array."""
    array = array.view()
    array.flags.writeable = False
    return array
