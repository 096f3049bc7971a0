"""Blocks and tiles: a task's window brought to one shape, and worked through in small pieces.

A block is brought to the shape (time, reduced, kept): `reduced` are the cells over which a sum is
conserved together (one for "cell", the levels for "column", all of space for "global"), `kept`
all other cells. Work is done in float64 on tiles of a few columns, so that it stays in cache and
memory is little more than the block's own input and output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from xocean_ml.chunked import Place
from xocean_ml.device import is_cuda, namespace, on_device, to_like, to_numpy
from xocean_ml.errors import ValuesError
from xocean_ml.kernels import columns
from xocean_ml.kernels.closure import Windows
from xocean_ml.kernels.lowpass import Running
from xocean_ml.smoothing.smoother import Prediction
from xocean_ml.smoothing.steps import Steps

__all__ = ["Block", "Columns", "Job", "Tile"]

TILE = 1 << 17
"""Values per tile: half a dozen such arrays in float64 stay in cache."""


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
    spread_name : str
        Variable of the spread, for messages.
    spread_factor : float
        From the spread's units to the model's.
    spread_closes : bool
        Whether corrections go where the spread is large.
    wants : tuple of str
        Which of the extras the model itself takes: "spread", "counts", "depth".
    further : tuple of str
        What is given beside the smoothed variable: "gate", "spread".
    moving_weights : bool
        Whether the weights vary in time.
    state : float or None
        If the smoothed state is asked for: from the model's units to the state's.
    extras : tuple of str
        Which inputs follow the increments: "spread", "counts", "depth", "state", and factors of
        cells' sizes, "size 0", "size 1".
    carries : bool
        Whether the model can take time in parts.
    carried : bool
        Whether it does.
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
    spread_name: str = ""
    spread_factor: float = 1.0
    spread_closes: bool = True
    wants: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    moving_weights: bool = False
    state: float | None = None
    extras: tuple[str, ...] = ()
    carries: bool = True
    carried: bool = False
    dtype: np.dtype = field(default_factory=lambda: np.dtype("float64"))
    device: str = "cpu"

    @property
    def order(self) -> tuple[int, ...]:
        """Axes in the order time, reduced, kept."""
        first = (self.time, *self.reduced)
        return (*first, *(a for a in range(len(self.dims)) if a not in first))


@dataclass(frozen=True)
class Columns:
    """A tile in float64.

    Parameters
    ----------
    amounts : array, (time, reduced, kept)
        Increments as amounts in the model's units, 0 where missing.
    valid : array of bool, (time, reduced, kept)
        False where missing.
    weights : array, (time or 1, reduced or 1, kept or 1)
        Cell sizes.
    share : array, (reduced, kept) or (1, 1)
        How a correction is shared between the reduced cells.
    cheap : array, (time, kept), optional
        Where in time corrections are cheap.
    given : dict of str to array, (time or 1, reduced, kept)
        What the model wants beside the increments: "spread" as amounts in its units, "counts",
        "depth" in m; only what there is.
    asked : tuple of str
        What is wanted beside smoothed increments: "gate", "spread".
    """

    amounts: Any
    valid: Any
    weights: Any
    share: Any
    cheap: Any
    given: dict[str, Any] = field(default_factory=dict)
    asked: tuple[str, ...] = ()

    def lever(self) -> Any:
        """Change of the sum by a unit of correction at each step, (time, kept)."""
        return (self.valid * (self.weights * self.share)).sum(axis=1)


class Block:
    """A task's window as (time, reduced, kept), its extras alongside, and room for the result."""

    def __init__(self, place: Place, increments: Any, extras: Sequence[Any], job: Job) -> None:
        self.job = job
        self.place = place
        self.home = increments
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
        self.sizes = [self._like(named[name]) for name in job.extras if name.startswith("size")]
        self.state = self._like(named.get("state"))
        self.wanted = {n: self._like(named[n]) for n in job.wants if n in named}
        self.out = self.xp.empty(self.shape, job.dtype)
        self.further = {name: self.xp.empty(self.shape, job.dtype) for name in job.further}

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

    @cached_property
    def amount(self) -> Any:
        """What turns an increment into an amount, for the steps of the block, (time,)."""
        return self.xp.asarray(self.job.steps.amount[self.part])

    @cached_property
    def windows(self) -> np.ndarray:
        """Window of each step of the block, -1 where the block does not hold all of it."""
        assert isinstance(self.job.closure, Windows)
        segments = self.job.closure.segments
        here = segments[self.part]
        whole = np.bincount(here, minlength=segments[-1] + 1) == np.bincount(segments)
        return np.where(whole[here], here, -1)

    @cached_property
    def operator(self) -> Any:
        """Matrix of the closure for complete columns, for all steps, (time, windows)."""
        assert isinstance(self.job.closure, Windows)
        return self.job.closure.operator(self.xp.asarray(self.job.steps.amount)[:, None])

    def take(self, tile: Tile) -> Columns:
        """Some columns in float64, checked."""
        xp = self.xp
        values = self.values[:, *tile]
        amounts, valid, infinite = columns.amounts(values, self.job.factor * self.amount)
        if infinite:
            raise self._bad(xp.isinf(values), tile, f"{self.job.name}: infinite")
        weights = xp.ones((1, 1, 1))
        for size in self.sizes:
            cells = size[:, *tile].astype(np.float64)
            self._check(cells, tile, "cell sizes")
            weights = weights * xp.nan_to_num(cells)
        share, cheap = xp.ones((1, 1)), None
        if self.spread is not None and self.job.spread_closes:
            share, cheap = self._shares(tile, amounts, valid, weights)
        return Columns(amounts, valid, weights, share, cheap, self._given(tile), self.job.further)

    def _given(self, tile: Tile) -> dict[str, Any]:
        """What the model wants, as it wants it."""
        found = {}
        for name, extra in self.wanted.items():
            values = extra[:, *tile]
            if name == "depth":
                found[name] = values.astype(np.float64)
                continue
            scale = self.xp.ones(len(values))
            if name == "spread":
                scale = scale * (self.job.spread_factor * self.amount)
            found[name], bad = columns.scaled(values, scale)
            if bad:
                self._check(values, tile, self.job.spread_name if name == "spread" else name)
        return found

    def _shares(self, tile: Tile, amounts: Any, valid: Any, weights: Any) -> tuple[Any, Any]:
        """Where corrections go: over the reduced cells (`share`) and over time (`cheap`)."""
        xp = self.xp
        spread = self.spread[:, *tile].astype(np.float64)
        self._check(spread, tile, self.job.spread_name)
        square = xp.where(valid & ~xp.isnan(spread), spread, 0.0) ** 2
        if not self.job.reduced:
            return xp.ones((1, 1)), square[:, 0]
        count = xp.maximum(valid.sum(axis=0), 1)
        # Where the spread vanishes, a trace of the increments' own variance takes its place.
        share = (square.sum(axis=0) + 1e-4 * (amounts**2).sum(axis=0)) / count
        total = (valid * weights).sum(axis=1)
        return share, (square * weights).sum(axis=1) / xp.where(total > 0, total, 1.0)

    def put(self, tile: Tile, now: Columns, found: Prediction, eps: Any, past: Any = None) -> None:
        """Write the result of some columns, in the variable's own units.

        `eps` is the correction of increments per unit of share, `past` its running sum as an
        amount (found from `eps` if None); both (time, kept).
        """
        xp, job, out = self.xp, self.job, self.out[:, *tile]
        units = job.factor * self.amount
        for name in job.further:
            values = getattr(found, name)
            if name != "gate":
                values = values / units[:, None, None]
            self.further[name][:, *tile] = xp.where(now.valid, values, xp.nan)
        share = xp.broadcast_to(now.share, out.shape[1:])
        if job.state is None:
            columns.corrected(found.smoothed, units, eps, share / job.factor, now.valid, out)
            if isinstance(job.closure, Windows) and not job.exact:
                columns.settle(out, now.amounts, now.valid, now.weights, units, self.windows)
            return
        gain = past
        if eps is not None and past is None:
            gain = (self.amount[:, None] * eps).cumsum(axis=0)
        flux = found.flux
        if flux is None:
            flux = (found.smoothed - now.amounts).cumsum(axis=0)
        change = flux if gain is None else flux + gain[:, None] * share
        # A state may be known where no increment was made: it is kept, land is its own NaN.
        state = self.state[:, *tile]
        if xp.isinf(state).any():
            raise self._bad(xp.isinf(state), tile, "analysis: infinite")
        out[...] = state + change * job.state

    def result(self) -> Any:
        """The block in the variable's own order of dimensions; a tuple if there is more."""
        arrays = [self.out, *self.further.values()]
        back = tuple(int(a) for a in np.argsort(self.job.order))
        arrays = [each.reshape(self.moved_shape).transpose(back) for each in arrays]
        if is_cuda(arrays[0]) != is_cuda(self.home):
            arrays = [to_like(each, self.home) for each in arrays]
        return tuple(arrays) if self.further else arrays[0]

    def _check(self, values: Any, tile: Tile, name: str) -> None:
        """Sizes and spreads are neither negative nor infinite."""
        for wrong, what in ((values < 0, "negative"), (self.xp.isinf(values), "infinite")):
            if wrong.any():
                raise self._bad(wrong, tile, f"{name}: {what}")

    def _bad(self, wrong: Any, tile: Tile, what: str) -> ValuesError:
        t, reduced, kept = (int(i) for i in np.argwhere(to_numpy(wrong))[0])
        rank = 1 + len(self.job.reduced)
        shape = self.moved_shape
        start = [part.start or 0 for part in tile]
        position = [t]
        for flat, sizes in ((reduced + start[0], shape[1:rank]), (kept + start[1], shape[rank:])):
            position += [int(i) for i in np.unravel_index(flat, sizes)] if sizes else []
        names = [self.job.dims[a] for a in self.job.order]
        offsets = [self.place.slices[a].start for a in self.job.order]
        if not self.job.carried:
            offsets[0] = 0
        where = ", ".join(f"{n}={o + i}" for n, o, i in zip(names, offsets, position, strict=True))
        return ValuesError(f"{what} at index ({where})")
