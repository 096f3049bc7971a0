"""What runs inside a task: predict, sum, close. Plain arrays in, plain arrays out.

Either one task does it all (`smooth_whole`), or sums go over several blocks and there are two
phases (`measure`, then `correct`) with a merging of sums in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xocean_ml.chunked import Place
from xocean_ml.errors import ValuesError
from xocean_ml.kernels import columns
from xocean_ml.kernels.closure import Windows, spread
from xocean_ml.kernels.lowpass import Running
from xocean_ml.kernels.sums import Sums, segment_sums
from xocean_ml.persist import revive
from xocean_ml.smoothing.tiles import Block, Columns, Job, Tile

__all__ = [
    "Solved",
    "correct",
    "measure",
    "merge",
    "running_total",
    "smooth_whole",
    "solve",
    "window_total",
]


@dataclass(frozen=True)
class Solved:
    """What the second phase adds, found from all blocks together.

    Parameters
    ----------
    steps : array, (time, kept), optional
        Correction of each step, where sums go over space.
    windows : list of array, (kept,), or of lists of parts
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

    def lacks(self) -> list[Any]:
        """What each of the windows lacks, (kept,)."""
        return [
            window_total(None, window, self.first + number) if isinstance(window, list) else window
            for number, window in enumerate(self.windows)
        ]


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
    block = Block(place, increments, extras, job)
    for tile in block.tiles():
        part = block.take(tile)
        found = model.smooth(part, job.steps, slice(None))
        eps = None if job.closure is None else _close(part, found.smoothed, block)
        block.put(tile, part, found, eps)
    return block.result()


def _close(part: Columns, smoothed: Any, block: Block) -> Any:
    """Correction per unit of share, (time, kept), for sums that are whole in the tile."""
    closure = _closure_of(block.job)
    xp, amount = block.xp, block.amount[:, None]
    missing = columns.window_sums(part.amounts, smoothed, part.weights, closure.segments)
    steady = columns.steady(part.valid)
    if part.cheap is not None or part.weights.shape[0] > 1 or not isinstance(closure, Windows):
        return closure.correct(missing, part.lever() * amount, part.cheap)
    # A column that is complete, or land at the same levels at every step, has the weights of all
    # others up to a factor: one small matrix serves them all.
    scale = (part.valid[0] * part.weights[0] * part.share).sum(axis=0)
    lacks = missing / xp.where(scale > 0, scale, 1.0)
    eps = closure.apply(block.operator, lacks)
    if not steady.all():
        rest = xp.flatnonzero(~steady)
        lever = part.lever()[:, rest] * amount
        eps[:, rest] = closure.correct(missing[:, rest], lever, None)
    return eps


# ---- two phases, where sums go over several blocks -----------------------------------------


def measure(
    place: Place, increments: Any, *extras: Any, job: Job, model: Any, carry: Any = None
) -> Any:
    """Phase 1: predict, and sum what is missing. Nothing of the prediction is kept."""
    model = revive(model)
    block = Block(place, increments, extras, job)
    sums = _ExactSums(block) if job.exact else _WindowSums(block)
    outflow = block.xp.zeros(block.shape[1:])
    for tile in block.tiles():
        now = block.take(tile)
        inflow = None if carry is None else _hand(carry)["inflow"][tile]
        found = model.smooth(now, job.steps, block.part, inflow)
        if found.outflow is not None:
            outflow[tile] = found.outflow
        sums.add(tile, now, found.smoothed)
    if not job.carried:
        return sums.result()
    hand = {"inflow": outflow, **sums.hand(None if carry is None else _hand(carry))}
    return sums.result(), hand


class _ExactSums:
    """Sums over cells of several blocks: associative to the last bit."""

    def __init__(self, block: Block) -> None:
        self.job, self.part, self.kept = block.job, block.part, block.shape[2]
        self.found: dict[tuple[int, int], Part] = {}

    def add(self, tile: Tile, now: Columns, smoothed: Any) -> None:
        """Add what a tile lacks, and its weights."""
        job, closure = self.job, _closure_of(self.job)
        steps = np.arange(len(job.steps))[self.part]

        def over_cells(values: Any, segments: np.ndarray, count: int) -> Sums:
            return segment_sums(values, now.weights, segments, count, axis=0, reduce=(1,))

        missing = over_cells(now.amounts - smoothed, closure.segments[self.part], closure.count)
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
        missing, lever, cheap = (
            [getattr(part, name) for part in parts] for name in ("missing", "lever", "cheap")
        )
        return Part(
            Sums.concatenate(missing, axis=1),
            Sums.concatenate(lever, axis=1),
            Sums.concatenate(cheap, axis=1) if cheap[0] is not None else None,
        )

    def hand(self, before: Any) -> dict[str, Any]:
        """Nothing more travels with the carry."""
        return {}


class _WindowSums:
    """Sums of whole columns over the windows that a block touches: plain float64."""

    def __init__(self, block: Block) -> None:
        self.block = block
        segments = _closure_of(block.job).segments[block.part]
        self.local = segments - segments[0]
        self.numbers = tuple(int(w) for w in np.unique(segments))
        self.missing = block.xp.zeros((len(self.numbers), block.shape[2]))
        self.weight = block.xp.zeros(block.shape[2])

    def add(self, tile: Tile, now: Columns, smoothed: Any) -> None:
        """Add what a tile lacks."""
        if not bool(columns.steady(now.valid).all()):
            raise _gaps(self.block)
        self.missing[:, tile[1]] = columns.window_sums(
            now.amounts, smoothed, now.weights, self.local
        )
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


def window_total(place: Place | None, parts: Sequence[Any], window: int) -> Any:
    """Between the phases, cells and columns: what one window lacks, (kept,)."""
    lacks: Any = 0.0
    for part in map(_alone, parts):
        lacks = lacks + part.missing[part.windows.index(window)]
    return lacks


def running_total(place: Place, window: Any, carry: Any = None) -> Any:
    """Between the phases, for a state: what all windows up to this one lack, (kept,)."""
    past = window if carry is None else _alone(carry) + window
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


def solve(place: Place, part: Part, job: Job) -> Any:
    """Between the phases, globe: each step's correction, (time, kept), from all sums."""
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
    return job.closure.correct(part.missing.value() / scale, amounts, relative)


def _alone(result: Any) -> Any:
    """A result on its own, without the carry that may travel with it."""
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
    carry: Any = None,
    chained: bool = False,
    **solved: Any,
) -> Any:
    """Phase 2: predict again, and add the correction; `solved` are the fields of `Solved`."""
    model = revive(model)
    block = Block(place, increments, extras, job)
    add_to = _Correction(Solved(**solved), block)
    outflow = block.xp.zeros(block.shape[1:])
    for tile in block.tiles():
        now = block.take(tile)
        inflow = None if carry is None else _hand(carry)["inflow"][tile]
        found = model.smooth(now, job.steps, block.part, inflow)
        if found.outflow is not None:
            outflow[tile] = found.outflow
        block.put(tile, now, found, *add_to(tile, now))
    if not chained:
        return block.result()
    return block.result(), {"inflow": outflow}


class _Correction:
    """Correction of a tile's steps and, for a state, its running sum; per unit of share."""

    def __init__(self, solved: Solved, block: Block) -> None:
        self.solved, self.part, self.xp = solved, block.part, block.xp
        self.state = block.job.state is not None
        self.closure = block.job.closure
        self.amount = self.xp.asarray(block.job.steps.amount)[:, None]
        self.lacks = solved.lacks()
        if isinstance(self.closure, Windows) and solved.steps is None:
            self._operators(self.closure, block.operator)

    def _operators(self, closure: Windows, operator: Any) -> None:
        windows = slice(self.solved.first, self.solved.first + len(self.solved.windows))
        operator = operator[:, windows]
        self.operator = operator[self.part]
        if self.state:
            inside = self.part.start - int(np.searchsorted(closure.segments, self.solved.touched))
            start = self.part.start - inside
            running = (self.amount * operator)[start : self.part.stop].cumsum(axis=0)
            self.running = running[inside:]

    def __call__(self, tile: Tile, now: Columns) -> tuple[Any, Any]:
        if self.closure is None:
            return None, None
        if self.solved.steps is not None:
            steps = self.xp.asarray(self.solved.steps)[:, tile[1]]
            past = (self.amount * steps).cumsum(axis=0)[self.part] if self.state else None
            return steps[self.part], past
        scale = (now.valid[0] * now.weights[0]).sum(axis=0)
        scale = self.xp.where(scale > 0, scale, 1.0)
        lacks = self.xp.stack([window[tile[1]] for window in self.lacks]) / scale
        if not self.state:
            return spread(self.operator, lacks), None
        past = spread(self.running, lacks)
        if self.solved.past is not None:
            past = past + _alone(self.solved.past)[tile[1]] / scale
        return spread(self.operator, lacks), past


def _gaps(block: Block) -> ValuesError:
    return ValuesError(
        f"{block.job.name}: steps are missing at some times and not at others, within or near time "
        f"{block.part.start}..{block.part.stop - 1}; sums of such series need all of time in one "
        f'chunk: ds.chunk({{"{block.job.dims[block.job.time]}": -1}})'
    )
