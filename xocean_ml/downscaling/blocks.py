"""What one task does, on plain arrays: units, the model tile by tile, the coast, units back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xocean_ml import persist
from xocean_ml.chunked import Place
from xocean_ml.device import to_like, to_numpy
from xocean_ml.downscaling.axis import Axis, Cut
from xocean_ml.downscaling.coast import sea
from xocean_ml.downscaling.downscaler import Downscaler, Seen
from xocean_ml.errors import ValuesError
from xocean_ml.kernels.lattice import Lattice
from xocean_ml.kernels.resample import tents

__all__ = ["GuideJob", "Job", "context", "run"]

TILE = 96
"""Coarse cells of a tile's side: what goes through a network at a time."""


@dataclass(frozen=True)
class GuideJob:
    """A guide on its own grid.

    Parameters
    ----------
    name : str
    dims : tuple of int
        Which leading axis of the fields each of its own is.
    axes : (Axis, Axis)
        Where the target's cells lie on it.
    cuts : pair of tuple of Cut
        Its windows, for each block of rows and of columns.
    factor, offset : float
        To the model's units.
    """

    name: str
    dims: tuple[int, ...]
    axes: tuple[Axis, Axis]
    cuts: tuple[tuple[Cut, ...], tuple[Cut, ...]]
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Job:
    """All that the tasks of one call share, but for the model.

    Parameters
    ----------
    names : tuple of str
        Variables, in the order of the model's fields.
    dims : tuple of str
        Dimensions, latitude and longitude last.
    axes : (Axis, Axis)
        Fine cells on the coarse ones.
    cuts : pair of tuple of Cut
        Windows for each block of rows and of columns.
    factors, offsets : tuple of float
        From the units of each variable to the model's.
    dtypes : tuple of str
        Of the results.
    gives : tuple of str
        ``"spread"`` if it is given.
    conserve : bool
        Whether means over coarse cells are to be the input's.
    areas : pair of (edges of fine cells, edges of coarse cells), optional
        Along rows and columns, in units in which areas are their products.
    device : str
    """

    names: tuple[str, ...]
    dims: tuple[str, ...]
    axes: tuple[Axis, Axis]
    cuts: tuple[tuple[Cut, ...], tuple[Cut, ...]]
    factors: tuple[float, ...]
    offsets: tuple[float, ...]
    dtypes: tuple[str, ...]
    gives: tuple[str, ...] = ()
    guides: tuple[GuideJob, ...] = ()
    conserve: bool = False
    device: str = "cpu"
    extra: dict[str, Any] = field(default_factory=dict)


def run(place: Place, *windows: Any, model: Any, job: Job) -> Any:
    """One block: a tuple of the fields, then of their spreads.

    Parameters
    ----------
    place : Place
    *windows : arrays
        A window of each field, (..., rows, columns), of each guide, and of what `context` gave if
        the block is a part of the field.
    model : Downscaler, or how to get it
    job : Job
    """
    model = persist.revive(model)
    count = len(job.names)
    rows, columns = (cuts[i] for cuts, i in zip(job.cuts, place.index[-2:], strict=True))
    fields = _in_units(windows[:count], job, place)
    leading = fields.shape[2:-2]
    samples = fields.reshape(count, -1, *fields.shape[-2:]).swapaxes(0, 1)
    seen = Lattice(
        job.axes[0].seen(rows), job.axes[1].seen(columns), (job.axes[0].size, job.axes[1].size)
    )
    inner = rows.inner, columns.inner
    stop = count + len(job.guides)
    guides = _guides(windows[count:stop], job, place, leading, fields.dtype)
    context = None
    if len(windows) > stop:
        context = to_numpy(windows[stop]).reshape(-1, *windows[stop].shape[-3:])
    elif model.channels:
        context = model.context(samples, job.axes[1].wraps, job.device)
    found = _tiled(model, Seen(samples, guides, seen, inner, context), job.device)
    mask = None if guides is None else ~np.isnan(guides[:, :, *inner]).all(axis=1, keepdims=True)
    water = sea(~np.isnan(samples), seen.window(*inner), mask)
    results = []
    for name in ("fields", *job.gives):
        values = np.where(water, getattr(found, name), np.nan).swapaxes(0, 1)
        for number, each in enumerate(values):
            back = each.reshape(*leading, *each.shape[-2:]) / job.factors[number]
            if name == "fields":
                back = back - job.offsets[number] / job.factors[number]
            results.append(to_like(back.astype(job.dtypes[number]), windows[0]))
    return tuple(results) if len(results) > 1 else results[0]


def context(place: Place, *windows: Any, model: Any, job: Job) -> np.ndarray:
    """What the model's global branch makes of whole fields, (..., channels, rows, columns)."""
    model = persist.revive(model)
    fields = _in_units(windows, job, place)
    samples = fields.reshape(len(windows), -1, *fields.shape[-2:]).swapaxes(0, 1)
    found = model.context(samples, job.axes[1].wraps, job.device)
    return np.asarray(found.reshape(*fields.shape[2:-2], *found.shape[-3:]))


def _in_units(windows: Sequence[Any], job: Job, place: Place) -> np.ndarray:
    """Fields in the model's units, (fields, 1, ..., rows, columns)."""
    made = []
    for window, name, factor, offset in zip(
        windows, job.names, job.factors, job.offsets, strict=True
    ):
        values = to_numpy(window)
        if np.isinf(values).any():
            at = np.argwhere(np.isinf(values))[0]
            where = ", ".join(f"{d}[{i}]" for d, i in zip(job.dims, at, strict=True))
            raise ValuesError(f"{name} is infinite at {where} of the block at {place.slices}")
        dtype = values.dtype if values.dtype.kind == "f" else np.dtype("f8")
        made.append(values.astype(dtype, copy=False) * dtype.type(factor) + dtype.type(offset))
    return np.stack(made)[:, None]


def _guides(
    windows: Sequence[Any], job: Job, place: Place, leading: tuple[int, ...], dtype: Any
) -> np.ndarray | None:
    """Guides on the fine cells that the block sees, (samples, guides, h, w); NaN where missing."""
    if not job.guides:
        return None
    made = []
    for window, guide in zip(windows, job.guides, strict=True):
        values = to_numpy(window).astype(dtype, copy=False)
        values = values * dtype.type(guide.factor) + dtype.type(guide.offset)
        rows, columns = (cuts[i] for cuts, i in zip(guide.cuts, place.index[-2:], strict=True))
        at = Lattice(
            guide.axes[0].seen(rows),
            guide.axes[1].seen(columns),
            (guide.axes[0].size, guide.axes[1].size),
        )
        mean, share = tents(values, ~np.isnan(values), at)
        fine = np.where(share > 0.5, mean, np.nan).astype(dtype)
        shape = [1] * len(leading)
        for axis, size in zip(guide.dims, fine.shape[:-2], strict=True):
            shape[axis] = size
        spread = np.broadcast_to(
            fine.reshape(*shape, *fine.shape[-2:]), (*leading, *fine.shape[-2:])
        )
        made.append(spread.reshape(-1, *fine.shape[-2:]))
    return np.stack(made, axis=1)


# ---- tiles -----------------------------------------------------------------------------------


def _tiled(model: Downscaler, seen: Seen, device: str) -> Any:
    """Let the model work through a block in tiles, each as it would see it in the whole field."""
    size = seen.fields.shape[-2:]
    if model.reach is None or max(size) <= TILE + 2 * model.reach:
        return model.predict(seen, device)
    axes = [
        Axis(places, step, count)
        for places, step, count in zip(
            (seen.lattice.rows, seen.lattice.columns), seen.lattice.size, size, strict=True
        )
    ]
    whole: dict[str, np.ndarray] = {}
    kind = None
    for row, column in itertools.product(*(list(_tiles(axis, model.reach)) for axis in axes)):
        overlap = [
            _overlap(cut, inner) for cut, inner in zip((row, column), seen.inner, strict=True)
        ]
        if any(part.stop <= part.start for part, _ in overlap):
            continue
        found = model.predict(_part(seen, axes, (row, column), [p for p, _ in overlap]), device)
        kind = type(found)
        for name, values in vars(found).items():
            if values is None:
                continue
            shape = (*values.shape[:-2], *(i.stop - i.start for i in seen.inner))
            out = whole.setdefault(name, np.empty(shape, values.dtype))
            rows, columns = (to for _, to in overlap)
            out[..., rows, columns] = values
    assert kind is not None
    return kind(**whole)


def _tiles(axis: Axis, reach: int) -> Iterator[Cut]:
    number = -(-axis.count // TILE)
    edges = [axis.count * i // number for i in range(number + 1)]
    yield from axis.cuts([b - a for a, b in itertools.pairwise(edges)], reach)


def _overlap(cut: Cut, inner: slice) -> tuple[slice, slice]:
    """The part of a tile that is asked for, among what it sees; and where it goes."""
    first, last = max(cut.own[0], inner.start), min(cut.own[1], inner.stop)
    return (
        slice(first - cut.seen[0], last - cut.seen[0]),
        slice(first - inner.start, last - inner.start),
    )


def _part(seen: Seen, axes: Sequence[Axis], cuts: Sequence[Cut], inner: Sequence[slice]) -> Seen:
    coarse: Any = (..., *(slice(*cut.coarse) for cut in cuts))
    fine: Any = (..., *(slice(*cut.seen) for cut in cuts))
    rows, columns = (axis.seen(cut) for axis, cut in zip(axes, cuts, strict=True))
    return Seen(
        seen.fields[coarse],
        None if seen.guides is None else seen.guides[fine],
        Lattice(rows, columns, seen.lattice.size),
        (inner[0], inner[1]),
        None if seen.context is None else seen.context[coarse],
    )
