"""Exact sums on CUDA: the law of `xocean_ml.kernels.sums`, in two stages without atomics.

Stage 1 streams: each thread keeps three limbs of one element in registers, as float64 multiples of
their quanta (exact for the few thousand terms a thread sees), and a thread block, or a thread,
writes one part of it. Stage 2 adds the parts (`Sums.total`). Both add exactly, so any launch shape
gives the bits of the CPU.

The compiler contracts a * b + c to a fused operation, which would round the products otherwise than
the CPU does. Products therefore pass through an integer mask known only at run time (the one that
takes absolute values): nothing can be contracted across it, and after it nothing multiplies but by
powers of two, where contraction changes no bit.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numba.cuda
import numpy as np
from numba import float64, int64

from ._layout import Layout, block, boxes, runs
from .sums import Sums

__all__ = ["sums"]

BITS = 40
LAST = 49  # the highest bin whose magic constants are finite
FAR = 2  # bins by which products beyond it are scaled down
SHRINK = 2.0 ** (-BITS * FAR)
POSITIVE = 0x7FFFFFFFFFFFFFFF
THREADS = 128  # a power of two
BATCH = 8  # loads in flight in each thread
MOST_TERMS = 2048  # terms of a thread: 2^12 terms of 2^40 quanta could overflow its 53 bits
MANY_BLOCKS = 4096  # thread blocks that keep a large device busy
LIMIT = 1 << 27  # values of a block that is a copy

cuda: Any = numba.cuda  # its types differ between numba and numba-cuda
_device = cuda.jit(device=True)


@_device
def _bits(number: Any) -> Any:
    return np.float64(number).view(np.int64)


@_device
def _float(bits: Any) -> Any:
    return np.int64(bits).view(np.float64)


@_device
def _near(bin_: Any) -> Any:
    """Return the bin in which a term of `bin_` is cut, once scaled down if it is beyond `LAST`."""
    return bin_ - FAR if bin_ > LAST else bin_


@_device
def _magic(bin_: Any, limb: Any) -> Any:
    """Return 1.5 2^52 Q: adding it rounds to multiples of Q, the quantum of a limb."""
    return _float(((1 + BITS * (_near(bin_) + 2 - limb)) << 52) | (1 << 51))


@_device
def _quanta(total: Any, bin_: Any, limb: Any) -> Any:
    """Count the quanta of a limb, total / Q: in two factors, for 1 / Q may overflow."""
    root = _float((1560 - BITS // 2 * (_near(bin_) + 2 - limb)) << 52)
    return int64(total * root * root)


@_device
def _lifted(a0: Any, a1: Any, a2: Any, old: Any, new: Any) -> Any:
    """Move limbs from one bin to a higher: those under its quanta are dropped."""
    if new > LAST and old <= LAST:
        a0, a1, a2 = a0 * SHRINK, a1 * SHRINK, a2 * SHRINK
    shift = new - old
    if shift <= 0:
        return a0, a1, a2
    if shift == 1:
        return 0.0, a0, a1
    if shift == 2:
        return 0.0, 0.0, a0
    return 0.0, 0.0, 0.0


@_device
def _term(weight: Any, value: Any, keep: Any) -> Any:
    """Return the product, 0 where it is masked; whether it is finite and given; its flag."""
    term = float64(weight) * float64(value)
    if not (term == term and weight != 0.0):
        return 0.0, 0, 0
    bits = _bits(term) & keep
    if (bits >> 52) & 2047 == 2047:
        return 0.0, 0, 1 if bits > 0 else 2
    return _float(bits), 1, 0


@_device
def _add_batch(terms: Any, bin_: Any, a0: Any, a1: Any, a2: Any) -> Any:
    """Cut a batch of terms and add the pieces; first move to the bin that the largest needs."""
    top = 0
    for u in range(BATCH):
        top = max(top, (_bits(terms[u]) >> 52) & 2047)
    needed = max(0, top - 28) // BITS
    if needed > bin_:
        a0, a1, a2 = _lifted(a0, a1, a2, bin_, needed)
        bin_ = needed
    m0, m1, m2 = _magic(bin_, 0), _magic(bin_, 1), _magic(bin_, 2)
    scale = SHRINK if bin_ > LAST else 1.0
    for u in range(BATCH):
        term = terms[u] * scale
        piece = (m0 + term) - m0
        a0 += piece
        term -= piece
        piece = (m1 + term) - m1
        a1 += piece
        term -= piece
        a2 += (m2 + term) - m2
    return bin_, a0, a1, a2


@_device
def _weight(w: Any, t: Any, r: Any, k: Any, j: Any) -> Any:
    """Return w[t, r, k, j], the only one along axes that are 1 long."""
    t, r = t if w.shape[0] > 1 else 0, r if w.shape[1] > 1 else 0
    k, j = k if w.shape[2] > 1 else 0, j if w.shape[3] > 1 else 0
    return w[t, r, k, j]


@_device
def _block_sum(numbers: Any) -> Any:
    """Return the sum of a shared array of one number a thread."""
    me = cuda.threadIdx.x
    half = THREADS // 2
    cuda.syncthreads()
    while half > 0:
        if me < half:
            numbers[me] += numbers[me + half]
        cuda.syncthreads()
        half //= 2
    total = numbers[0]
    cuda.syncthreads()
    return total


@_device
def _block_max(numbers: Any) -> Any:
    """Return the largest of a shared array of one number a thread."""
    me = cuda.threadIdx.x
    half = THREADS // 2
    cuda.syncthreads()
    while half > 0:
        if me < half:
            numbers[me] = max(numbers[me], numbers[me + half])
        cuda.syncthreads()
        half //= 2
    largest = numbers[0]
    cuda.syncthreads()
    return largest


@cuda.jit
def _rows(
    x: Any,
    w: Any,
    times: Any,
    runs: Any,
    keep: Any,
    rows_a_part: Any,
    width: Any,
    bins: Any,
    limbs: Any,
    counts: Any,
    flags: Any,
) -> None:
    """Stage 1, R1 long: a thread block sums `width` values of some rows of one element."""
    spare = cuda.shared.array(THREADS, int64)
    me = cuda.threadIdx.x
    n_parts, n_kept = bins.shape[0], bins.shape[2]
    part, element = cuda.blockIdx.x % n_parts, cuda.blockIdx.x // n_parts
    g, k = element // n_kept, element % n_kept
    n_slices = (x.shape[3] + width - 1) // width
    start = part % n_slices * width
    stop = min(start + width, x.shape[3])
    first = runs[g, 1] * x.shape[1] + part // n_slices * rows_a_part
    last = min(first + rows_a_part, runs[g, 2] * x.shape[1])
    terms = cuda.local.array(BATCH, float64)
    bin_, a0, a1, a2, count = 0, 0.0, 0.0, 0.0, 0
    plus, minus = 0, 0
    for row in range(first, last):
        t, r = times[row // x.shape[1]], row % x.shape[1]
        for low in range(start + me, stop, THREADS * BATCH):
            for u in range(BATCH):
                j = low + u * THREADS
                terms[u] = 0.0
                if j < stop:
                    weight = _weight(w, t, r, k, j)
                    terms[u], given, flag = _term(weight, x[t, r, k, j], keep)
                    count += given
                    plus |= flag & 1
                    minus |= flag & 2
            bin_, a0, a1, a2 = _add_batch(terms, bin_, a0, a1, a2)
    spare[me] = bin_
    highest = _block_max(spare)
    a0, a1, a2 = _lifted(a0, a1, a2, bin_, highest)
    spare[me] = _quanta(a0, highest, 0)
    limb0 = _block_sum(spare)
    spare[me] = _quanta(a1, highest, 1)
    limb1 = _block_sum(spare)
    spare[me] = _quanta(a2, highest, 2)
    limb2 = _block_sum(spare)
    spare[me] = count
    total = _block_sum(spare)
    spare[me] = plus
    plus = _block_max(spare)
    spare[me] = minus
    minus = _block_max(spare)
    if me == 0:
        bins[part, g, k] = highest
        limbs[part, g, k, 0], limbs[part, g, k, 1], limbs[part, g, k, 2] = limb0, limb1, limb2
        counts[part, g, k] = total
        flags[part, g, k] = plus | minus


@cuda.jit
def _columns(
    x: Any,
    w: Any,
    times: Any,
    runs: Any,
    keep: Any,
    rows_a_part: Any,
    bins: Any,
    limbs: Any,
    counts: Any,
    flags: Any,
) -> None:
    """Stage 1, K fastest: a thread sums some rows of one element."""
    n_parts, n_kept = bins.shape[0], bins.shape[2]
    tiles = (n_kept + THREADS - 1) // THREADS
    k = cuda.blockIdx.x % tiles * THREADS + cuda.threadIdx.x
    if k >= n_kept:
        return
    part, g = cuda.blockIdx.x // tiles % n_parts, cuda.blockIdx.x // tiles // n_parts
    first = runs[g, 1] * x.shape[1] + part * rows_a_part
    last = min(first + rows_a_part, runs[g, 2] * x.shape[1])
    terms = cuda.local.array(BATCH, float64)
    bin_, a0, a1, a2, count = 0, 0.0, 0.0, 0.0, 0
    flags_seen = 0
    step, r = first // x.shape[1], first % x.shape[1]
    for low in range(first, last, BATCH):
        for u in range(BATCH):
            terms[u] = 0.0
            if low + u < last:
                t = times[step]
                weight = _weight(w, t, r, k, 0)
                terms[u], given, flag = _term(weight, x[t, r, k, 0], keep)
                count += given
                flags_seen |= flag
                r += 1  # counted along, for a division costs more than a term
                if r == x.shape[1]:
                    step, r = step + 1, 0
        bin_, a0, a1, a2 = _add_batch(terms, bin_, a0, a1, a2)
    bins[part, g, k] = bin_
    limbs[part, g, k, 0] = _quanta(a0, bin_, 0)
    limbs[part, g, k, 1] = _quanta(a1, bin_, 1)
    limbs[part, g, k, 2] = _quanta(a2, bin_, 2)
    counts[part, g, k] = count
    flags[part, g, k] = flags_seen


def partial_sums(
    xp: Any, x: Any, w: Any, times: Any, rows: Any, columns: bool, absolute: bool
) -> Sums:
    """Launch stage 1 on a block.

    Parameters
    ----------
    xp : module
        Where the parts are made: cupy, or numpy under numba's simulator.
    x, w : array, (T, R0, K, R1)
        Values and weights; axes of the weights may be 1 long.
    times, rows : array of int64, (T,) and (G, 3)
        Time steps in order of segment, and the runs (segment, first, last + 1) of that order.
    columns : bool
        Whether R1 is 1 long and a thread takes an element, rather than a thread block.
    absolute : bool
        Whether to sum absolute products.

    Returns
    -------
    Sums, (parts, G, K)
    """
    n_kept, width = x.shape[2], min(x.shape[3], THREADS * BATCH * 4)
    n_slices = 1 if columns else -(-x.shape[3] // width)
    n_rows = int((rows[:, 2] - rows[:, 1]).max()) * x.shape[1]
    blocks_each = len(rows) * (-(-n_kept // THREADS) if columns else n_kept) * n_slices
    busy = -(-MANY_BLOCKS // blocks_each)
    most = MOST_TERMS if columns else MOST_TERMS * THREADS // max(width, THREADS)
    rows_a_part = max(1, min(most, -(-n_rows // busy)))
    n_parts = -(-n_rows // rows_a_part) * n_slices
    parts = Sums.zeros((n_parts, len(rows), n_kept), xp)
    out = (parts.bins, parts.limbs, parts.counts, parts.flags)
    n_blocks = blocks_each // n_slices * n_parts
    keep = np.int64(POSITIVE if absolute else -1)
    send = cuda.to_device if xp is np else xp.asarray
    given = (*(send(array) for array in (x, w, times, rows)), keep, rows_a_part)
    if columns:
        _columns[n_blocks, THREADS](*given, *out)
    else:
        _rows[n_blocks, THREADS](*given, width, *out)
    return parts


def sums(
    values: Any,
    weights: Any,
    segments: Any,
    n_segments: int,
    layout: Layout,
    absolute: bool,
    threads: int = 1,
    *,
    xp: Any = None,
) -> Sums:
    """Return the segment sums of `values`, kept axes flattened in the order of `layout.kept`.

    The parameters are those of `_cpu.sums`, the arrays on the device; `threads` means nothing here.
    Under numba's simulator `xp` is numpy.
    """
    if xp is None:
        import cupy

        xp = cupy
    n_kept = prod(values.shape[axis] for axis in layout.kept)
    columns = not layout.inner and n_kept > 1
    limit = values.size if layout.contiguous(values) else LIMIT
    placed = []
    for box in boxes(values, layout, limit):
        piece = block(xp, values, weights, layout, box)
        times, rows = runs(segments[piece.steps], n_segments)
        if len(rows):
            parts = partial_sums(xp, piece.values, piece.weights, times, rows, columns, absolute)
            whole = Sums.zeros((n_segments, n_kept), xp)
            placed.append(whole.place(parts.total(axis=0), rows[:, 0], piece.first))
    if not placed:
        return Sums.zeros((n_segments, n_kept), xp)
    return placed[0].merge(*placed[1:]) if len(placed) > 1 else placed[0]
