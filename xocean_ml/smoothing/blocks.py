"""What runs inside a task: plain arrays in, plain arrays out.

A block is brought to the shape (time, reduced, kept): `reduced` are the cells over which a sum is
conserved together (one for "cell", the levels for "column", all of space for "global"), `kept`
all other cells. Everything is float64; memory is bounded by working through `kept` in tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xocean_ml.chunked import Place
from xocean_ml.device import is_cuda, namespace, on_device, to_numpy
from xocean_ml.errors import ValuesError
from xocean_ml.kernels.closure import Running, Windows
from xocean_ml.kernels.sums import Sums, segment_sums
from xocean_ml.persist import revive
from xocean_ml.smoothing.steps import Steps

__all__ = [
    "Job",
    "Solved",
    "correct",
    "measure",
    "merge",
    "near_windows",
    "running_total",
    "smooth_whole",
    "solve",
    "window_total",
]

TILE = 1 << 20
"""Values per tile of working memory: a few of these in float64 stay in cache and out of trouble."""


Tile = tuple[slice, slice]
"""Slices of (reduced, kept)."""


@dataclass(frozen=True)
class Job:
    """All that the tasks of one variable have in common.

    Parameters
    ----------
    name : str
        Variable, for messages.
    dims : tuple of str
        Dimensions of the variable, in its order.
    time : int
        Axis of time.
    reduced : tuple of int
        Axes over which a sum is conserved together.
    exact : bool
        Whether sums go over several blocks of space.
    steps : Steps
        Times.
    closure : Windows or Running or None
        How sums over time are kept.
    factor : float
        From the variable's units to the model's.
    moving_weights : bool
        Whether the weights vary in time.
    state : float or None
        If the smoothed state is asked for: from the model's units to the state's.
    extras : tuple of str
        Which inputs follow the increments: "spread", "weights", "state".
    carried : bool
        Whether time comes in parts.
    dtype : dtype
        Of the result.
    device : str
        Where to compute: "cpu", "cuda", "cuda:N".
    """

    name: str
    dims: tuple[str, ...]
    time: int
    reduced: tuple[int, ...]
    exact: bool
    steps: Steps
    closure: Windows | Running | None
    factor: float = 1.0
    moving_weights: bool = False
    state: float | None = None
    extras: tuple[str, ...] = ()
    carried: bool = False
    dtype: np.dtype = field(default_factory=lambda: np.dtype("float64"))
    device: str = "cpu"

    @property
    def order(self) -> tuple[int, ...]:
        """Axes in the order time, reduced, kept."""
        first = (self.time, *self.reduced)
        return (*first, *(a for a in range(len(self.dims)) if a not in first))


@dataclass(frozen=True)
class Solved:
    """What the second phase adds, found from all blocks together.

    Parameters
    ----------
    steps : array, (time, kept), optional
        Correction of each step, where sums go over space.
    windows : list of array, (kept,)
        What the windows from `first` on lack, where sums stay within a column.
    first : int
        First of these windows.
    past : array, (kept,), optional
        What all windows before `touched` lack together, for a state.
    touched : int
        First window that the block itself touches.
    """

    steps: Any = None
    windows: Sequence[Any] = ()
    first: int = 0
    past: Any = None
    touched: int = 0


@dataclass(frozen=True)
class Part:
    """What one block contributes to the sums: exact sums, or plain ones of whole cells."""

    missing: Any
    lever: Sums | None = None
    cheap: Sums | None = None
    windows: tuple[int, ...] = ()


# ---- one task does it all ------------------------------------------------------------------


def smooth_whole(place: Place, increments: Any, *extras: Any, job: Job, model: Any) -> Any:
    """Predict, sum and close in one task: time and the reduced axes are whole in the block."""
    model = revive(model)
    block = _Block(place, increments, extras, job)
    for tile in block.tiles():
        part = block.take(tile)
        smoothed, flux, _ = model.smooth(part.amounts, part.valid, job.steps, slice(None))
        eps = None
        if job.closure is not None:
            eps = _close(part, smoothed, job)
        block.put(tile, part, smoothed, flux, eps)
    return block.result()


def _close(part: _Tile, smoothed: Any, job: Job) -> Any:
    """Correction per unit of share, (time, kept), for sums that are whole in the tile."""
    closure = job.closure
    assert closure is not None
    xp = namespace(smoothed)
    missing = closure.sums(((part.amounts - smoothed) * part.weights).sum(axis=1))
    amount = xp.asarray(job.steps.amount)[:, None]
    lever = (part.valid * (part.weights * part.share)).sum(axis=1) * amount
    if part.cheap is not None or not isinstance(closure, Windows):
        return closure.correct(missing, lever, part.cheap)
    # A column that is complete, or land at the same levels at every step, has the weights of all
    # others up to a factor: one small matrix serves them all.
    steady = (part.valid == part.valid[:1]).all(axis=(0, 1)) & (part.weights.shape[0] == 1)
    scale = xp.where(lever[0] > 0, lever[0] / amount[0], 1.0)
    eps = closure.operator(amount) @ (missing / scale)
    if not steady.all():
        rest = ~steady
        eps[:, rest] = closure.correct(missing[:, rest], lever[:, rest], None)
    return eps


# ---- two phases, where sums go over several blocks -----------------------------------------


def measure(
    place: Place, increments: Any, *extras: Any, job: Job, model: Any, carry: Any = None
) -> Any:
    """Phase 1: predict, and sum what is missing. Nothing of the prediction is kept."""
    model = revive(model)
    block = _Block(place, increments, extras, job)
    sums = _ExactSums(block) if job.exact else _WindowSums(block)
    outflow = block.xp.zeros(block.shape[1:])
    for tile in block.tiles():
        now = block.take(tile)
        inflow = None if carry is None else _hand(carry)["inflow"][tile]
        smoothed, _, outflow[tile] = model.smooth(
            now.amounts, now.valid, job.steps, block.part, inflow
        )
        sums.add(tile, now, now.amounts - smoothed)
    if not job.carried:
        return sums.result()
    hand = {"inflow": outflow, **sums.hand(None if carry is None else _hand(carry))}
    return sums.result(), hand


class _ExactSums:
    """Sums over cells of several blocks: associative to the last bit."""

    def __init__(self, block: _Block) -> None:
        self.job, self.part, self.kept = block.job, block.part, block.shape[2]
        self.found: dict[tuple[int, int], Part] = {}

    def add(self, tile: Tile, now: _Tile, lacks: Any) -> None:
        """Add what a tile lacks, and its weights."""
        job, closure = self.job, _closure_of(self.job)
        steps = np.arange(len(job.steps))[self.part]

        def over_cells(values: Any, segments: np.ndarray, count: int) -> Sums:
            return segment_sums(values, now.weights, segments, count, axis=0, reduce=(1,))

        missing = over_cells(lacks, closure.segments[self.part], closure.count)
        lever = over_cells(now.valid * now.share, steps, len(job.steps))
        cheap = None
        if now.cheap is not None:
            cheap = over_cells(now.valid * now.cheap[:, None], steps, len(job.steps))
        where = (tile[1].start, tile[1].stop)
        part = Part(missing, lever, cheap)
        self.found[where] = merge([self.found[where], part]) if where in self.found else part

    def result(self) -> Part:
        """The block's sums, (segments, kept)."""
        parts = [self.found[where] for where in sorted(self.found)]
        if len(parts) == 1:
            return parts[0]
        names = ("missing", "lever", "cheap")
        columns = ([getattr(part, name) for part in parts] for name in names)
        return Part(*(Sums.concatenate(c, axis=1) if c[0] is not None else None for c in columns))

    def hand(self, before: Any) -> dict[str, Any]:
        """Nothing more travels with the carry."""
        return {}


class _WindowSums:
    """Sums of whole columns over the windows that a block touches: plain float64."""

    def __init__(self, block: _Block) -> None:
        self.block = block
        segments = _closure_of(block.job).segments[block.part]
        self.local = Windows(segments - segments[0])
        self.numbers = tuple(int(w) for w in np.unique(segments))
        self.missing = block.xp.zeros((len(self.numbers), block.shape[2]))
        self.weight = block.xp.zeros(block.shape[2])

    def add(self, tile: Tile, now: _Tile, lacks: Any) -> None:
        """Add what a tile lacks."""
        if not bool((now.valid == now.valid[:1]).all()):
            raise _gaps(self.block)
        self.missing[:, tile[1]] = self.local.sums((lacks * now.weights).sum(axis=1))
        self.weight[tile[1]] = (now.valid[0] * now.weights[0]).sum(axis=0)

    def result(self) -> Part:
        """The block's sums, (windows touched, kept)."""
        return Part(self.missing, windows=self.numbers)

    def hand(self, before: Any) -> dict[str, Any]:
        """The columns' weight travels along, to see that no step is missing in between."""
        if before is not None and not bool((before["weight"] == self.weight).all()):
            raise _gaps(self.block)
        return {"weight": self.weight}


def _closure_of(job: Job) -> Windows | Running:
    if job.closure is None:
        raise TypeError("nothing is conserved, so nothing is to be summed")
    return job.closure


def window_total(place: Place, parts: Sequence[Any], window: int) -> Any:
    """Between the phases, cells and columns: what one window lacks, (kept,)."""
    lacks: Any = 0.0
    for part in map(_alone, parts):
        lacks = lacks + part.missing[part.windows.index(window)]
    return lacks


def near_windows(
    place: Place, windows: Sequence[Any], first: int, touched: int, past: Any = None
) -> Solved:
    """Between the phases, cells and columns: what a block needs, from totals near it in time."""
    return Solved(windows=windows, first=first, touched=touched, past=past)


def running_total(place: Place, window: Any, carry: Any = None) -> Any:
    """Between the phases, for a state: what all windows up to this one lack, (kept,)."""
    past = window if carry is None else carry + window
    return past, past


def merge(parts: Sequence[Any]) -> Part:
    """Between the phases, globe: merge exact sums.

    They are associative: neither chunks nor the order of merging can change a bit.
    """
    parts = [_alone(part) for part in parts]
    missing, lever, cheap = parts[0].missing, parts[0].lever, parts[0].cheap
    for part in parts[1:]:
        missing = missing.merge(part.missing)
        lever = lever.merge(part.lever)
        cheap = None if cheap is None else cheap.merge(part.cheap)
    return Part(missing, lever, cheap)


def solve(place: Place, part: Part, job: Job) -> Solved:
    """Between the phases, globe: the correction of each step from the sums of all blocks."""
    assert job.closure is not None
    assert part.lever is not None
    weights = part.lever.value()
    if not (weights > 0).any():
        raise ValuesError(f"{job.name}: no value anywhere, all land; nothing to conserve")
    relative = None
    if part.cheap is not None:
        relative = part.cheap.value() / np.where(weights > 0, weights, 1.0)
    # The solver is scale-free; weights near one keep its numbers near one too.
    scale = weights.max(axis=0, keepdims=True)
    scale = np.where(scale > 0, scale, 1.0)
    amounts = weights / scale * job.steps.amount[:, None]
    return Solved(job.closure.correct(part.missing.value() / scale, amounts, relative))


def _alone(result: Any) -> Part:
    """A part on its own, without the carry that may travel with it."""
    return result[0] if isinstance(result, tuple) else result


def _hand(carry: Any) -> Any:
    """A carry on its own, without the part that may travel with it."""
    return carry[1] if isinstance(carry, tuple) else carry


def correct(
    place: Place,
    increments: Any,
    *extras: Any,
    job: Job,
    model: Any,
    solved: Solved,
    carry: Any = None,
    chained: bool = False,
) -> Any:
    """Phase 2: predict again, and add the correction."""
    model = revive(model)
    block = _Block(place, increments, extras, job)
    add_to = _Correction(solved, block)
    outflow = block.xp.zeros(block.shape[1:])
    for tile in block.tiles():
        now = block.take(tile)
        inflow = None if carry is None else _hand(carry)["inflow"][tile]
        smoothed, flux, outflow[tile] = model.smooth(
            now.amounts, now.valid, job.steps, block.part, inflow
        )
        block.put(tile, now, smoothed, flux, *add_to(tile, now))
    if not chained:
        return block.result()
    return block.result(), {"inflow": outflow}


class _Correction:
    """Correction of a tile's steps and, for a state, its running sum; per unit of share."""

    def __init__(self, solved: Solved, block: _Block) -> None:
        self.solved, self.part, self.xp = solved, block.part, block.xp
        self.state = block.job.state is not None
        self.closure = block.job.closure
        self.amount = self.xp.asarray(block.job.steps.amount)[:, None]
        if isinstance(self.closure, Windows) and solved.steps is None:
            self._operators(self.closure)

    def _operators(self, closure: Windows) -> None:
        windows = slice(self.solved.first, self.solved.first + len(self.solved.windows))
        operator = closure.operator(self.amount)[:, windows]
        self.operator = operator[self.part]
        if self.state:
            inside = self.part.start - int(np.searchsorted(closure.segments, self.solved.touched))
            start = self.part.start - inside
            running = (self.amount * operator)[start : self.part.stop].cumsum(axis=0)
            self.running = running[inside:]

    def __call__(self, tile: Tile, now: _Tile) -> tuple[Any, Any]:
        if self.closure is None:
            return None, None
        if self.solved.steps is not None:
            steps = self.xp.asarray(self.solved.steps)[:, tile[1]]
            past = (self.amount * steps).cumsum(axis=0)[self.part] if self.state else None
            return steps[self.part], past
        scale = (now.valid[0] * now.weights[0]).sum(axis=0)
        scale = self.xp.where(scale > 0, scale, 1.0)
        lacks = self.xp.stack([window[tile[1]] for window in self.solved.windows]) / scale
        if not self.state:
            return self.operator @ lacks, None
        past = self.running @ lacks
        if self.solved.past is not None:
            past = past + self.solved.past[tile[1]] / scale
        return self.operator @ lacks, past


def _gaps(block: _Block) -> ValuesError:
    return ValuesError(
        f"{block.job.name}: steps are missing at some times and not at others, within or near time "
        f"{block.part.start}..{block.part.stop - 1}; sums of such series need all of time in one "
        f'chunk: ds.chunk({{"{block.job.dims[block.job.time]}": -1}})'
    )


# ---- blocks and tiles ----------------------------------------------------------------------


@dataclass
class _Tile:
    """A few columns in float64: amounts, where valid, weights, share and cheapness."""

    amounts: Any
    valid: Any
    weights: Any
    share: Any
    cheap: Any


class _Block:
    """A task's window as (time, reduced, kept), its extras alongside, and room for the result."""

    def __init__(self, place: Place, increments: Any, extras: Sequence[Any], job: Job) -> None:
        self.job = job
        self.place = place
        self.at_home = is_cuda(increments) or job.device == "cpu"
        increments, *extras = (on_device(each, job.device) for each in (increments, *extras))
        self.xp = namespace(increments)
        self.part = self._part(place, increments)
        moved = increments.transpose(job.order)
        self.moved_shape = moved.shape
        rank = 1 + len(job.reduced)
        self.shape = (
            moved.shape[0],
            int(np.prod(moved.shape[1:rank], dtype=np.int64)),
            int(np.prod(moved.shape[rank:], dtype=np.int64)),
        )
        self.values = moved.reshape(self.shape)
        named = dict(zip(job.extras, extras, strict=True))
        self.spread = self._like(named.get("spread"))
        self.weights = self._like(named.get("weights"))
        self.state = self._like(named.get("state"))
        self.out = self.xp.empty(self.shape, job.dtype)

    def _part(self, place: Place, increments: Any) -> slice:
        if not self.job.carried:
            return slice(0, len(self.job.steps))
        return place.slices[self.job.time]

    def _like(self, extra: Any) -> Any:
        """An extra input in the block's layout; axes of length one stay so."""
        if extra is None:
            return None
        moved = extra.transpose(self.job.order)
        rank = 1 + len(self.job.reduced)
        front = moved.shape[0]
        full = (front, *self.moved_shape[1:])
        return self.xp.broadcast_to(moved, full).reshape(
            front, self.shape[1], int(np.prod(full[rank:], dtype=np.int64))
        )

    def tiles(self) -> list[Tile]:
        """Slices of (reduced, kept), each of about `TILE` values.

        Cells that are summed together stay together, except where sums go over blocks anyway.
        """
        steps, reduced, kept = self.shape
        room = max(1, TILE // max(1, steps))
        deep = min(reduced, room) if self.job.exact else reduced
        wide = max(1, room // max(1, deep))
        return [
            (slice(r, min(r + deep, reduced)), slice(k, min(k + wide, kept)))
            for k in range(0, kept, wide)
            for r in range(0, reduced, max(1, deep))
        ]

    def take(self, tile: Tile) -> _Tile:
        """Some columns in float64, checked."""
        xp, job = self.xp, self.job
        values = self.values[:, *tile].astype(np.float64)
        valid = ~xp.isnan(values)
        amount = xp.asarray(job.steps.amount[self.part])[:, None, None]
        amounts = xp.where(valid, values, 0.0) * (job.factor * amount)
        if xp.isinf(amounts).any():
            raise self._bad(xp.isinf(amounts), tile, "infinite")
        if self.weights is None:
            weights = xp.ones((1, 1, 1))
        else:
            weights = xp.nan_to_num(self.weights[:, *tile].astype(np.float64))
        share, cheap = self._shares(tile, amounts, valid, weights)
        return _Tile(amounts, valid, weights, share, cheap)

    def _shares(self, tile: Tile, amounts: Any, valid: Any, weights: Any) -> tuple[Any, Any]:
        """Where corrections go: over the reduced cells (`share`) and over time (`cheap`)."""
        xp = self.xp
        if self.spread is None:
            return xp.ones((1, 1, 1)), None
        spread = self.spread[:, *tile].astype(np.float64)
        if (spread < 0).any():
            raise self._bad(spread < 0, tile, "a negative spread")
        square = xp.where(valid & xp.isfinite(spread), spread, 0.0) ** 2
        if not self.job.reduced:
            return xp.ones((1, 1, 1)), square[:, 0]
        count = xp.maximum(valid.sum(axis=0, keepdims=True), 1)
        share = square.sum(axis=0, keepdims=True) / count
        # Where the spread vanishes, a trace of the increments' own variance takes its place.
        share = share + 1e-4 * (amounts**2).sum(axis=0, keepdims=True) / count
        total = (valid * weights).sum(axis=1)
        return share, (square * weights).sum(axis=1) / xp.where(total > 0, total, 1.0)

    def put(
        self, tile: Tile, now: _Tile, smoothed: Any, flux: Any, eps: Any, past: Any = None
    ) -> None:
        """Write the result of some columns, in the variable's own units."""
        xp, job = self.xp, self.job
        amount = xp.asarray(job.steps.amount[self.part])[:, None, None]
        if job.state is None:
            result = smoothed / amount
            if eps is not None:
                result = result + eps[:, None] * now.share
            result = result / job.factor
        else:
            result = flux
            if eps is not None:
                gain = np.cumsum(amount[:, 0] * eps, axis=0) if past is None else past
                result = result + gain[:, None] * now.share
            # A state may be known where no increment was made: it is kept, land is its own NaN.
            self.out[:, *tile] = self.state[:, *tile] + result * job.state
            return
        self.out[:, *tile] = xp.where(now.valid, result, xp.nan)

    def result(self) -> Any:
        """The block in the variable's own order of dimensions."""
        back = tuple(int(a) for a in np.argsort(self.job.order))
        result = self.out.reshape(self.moved_shape).transpose(back)
        return result if self.at_home else to_numpy(result)

    def _bad(self, wrong: Any, tile: Tile, what: str) -> ValuesError:
        t, reduced, kept = (int(i) for i in np.argwhere(to_numpy(wrong))[0])
        rank = 1 + len(self.job.reduced)
        shape = self.moved_shape
        starts = [part.start or 0 for part in tile]
        position = [t, *np.unravel_index(reduced + starts[0], shape[1:rank])] if rank > 1 else [t]
        position += np.unravel_index(kept + starts[1], shape[rank:]) if shape[rank:] else []
        names = [self.job.dims[a] for a in self.job.order]
        offsets = [self.place.slices[a].start for a in self.job.order]
        if not self.job.carried:
            offsets[0] = 0
        where = ", ".join(
            f"{n}={o + int(i)}" for n, o, i in zip(names, offsets, position, strict=False)
        )
        return ValuesError(f"{self.job.name}: {what} at index ({where})")
