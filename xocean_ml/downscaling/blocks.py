"""What one task does, on plain arrays: units, the model tile by tile, the coast, units back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xocean_ml import persist
from xocean_ml.chunked import Place
from xocean_ml.device import to_like, to_numpy
from xocean_ml.downscaling.axis import Axis, Cut, Measure
from xocean_ml.downscaling.coast import sea
from xocean_ml.downscaling.conserve import CONSERVE_REACH, closed
from xocean_ml.downscaling.downscaler import Downscaler, Finer, Seen
from xocean_ml.errors import ValuesError
from xocean_ml.kernels.lattice import Lattice
from xocean_ml.kernels.resample import tents

__all__ = ["GuideJob", "Job", "context", "run"]

TILE = 160
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
    stored : tuple of (str, bool), optional
        Names of its rows and columns, and whether they are stored in descending order.
    """

    name: str
    dims: tuple[int, ...]
    axes: tuple[Axis, Axis]
    cuts: tuple[tuple[Cut, ...], tuple[Cut, ...]]
    factor: float = 1.0
    offset: float = 0.0
    stored: tuple[tuple[str, bool], ...] = (("lat", False), ("lon", False))


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
    measures : (Measure, Measure), optional
        Of rows and columns; needed to conserve.
    flipped : (bool, bool)
        Whether rows and columns are stored in descending order.
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
    flipped: tuple[bool, bool] = (False, False)
    device: str = "cpu"
    measures: tuple[Measure, Measure] | None = None


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
    asked = seen.around(*inner, CONSERVE_REACH) if job.conserve else inner
    stop = count + len(job.guides)
    guides = _guides(windows[count:stop], job, place, leading, fields.dtype)
    context = None
    if len(windows) > stop:
        context = to_numpy(windows[stop]).reshape(-1, *windows[stop].shape[-3:])
    elif model.channels:
        context = model.context(samples, job.axes[1].wraps, job.device)
    found = _tiled(model, Seen(samples, guides, seen, asked, context), job.device)
    mask = None if guides is None else ~np.isnan(guides[:, :, *asked]).all(axis=1, keepdims=True)
    water = sea(~np.isnan(samples), seen.window(*asked), mask)
    if job.conserve:
        found, water = _conserved(found, water, samples, seen, (rows, columns), asked, job)
    results = []
    for name in ("fields", *job.gives):
        values = np.where(water, getattr(found, name), np.nan).swapaxes(0, 1)
        for number, each in enumerate(values):
            back = each.reshape(*leading, *each.shape[-2:]) / job.factors[number]
            if name == "fields":
                back = back - job.offsets[number] / job.factors[number]
            results.append(to_like(back.astype(job.dtypes[number]), windows[0]))
    return tuple(results) if len(results) > 1 else results[0]


def _conserved(
    found: Finer,
    water: np.ndarray,
    samples: np.ndarray,
    seen: Lattice,
    cuts: tuple[Cut, Cut],
    asked: tuple[slice, slice],
    job: Job,
) -> tuple[Finer, np.ndarray]:
    """Fields whose means over coarse cells are the input's, cut to the block's own cells."""
    assert job.measures is not None
    rows, columns = (
        measure.overlaps(axis, cut.coarse, np.arange(*cut.seen)[part])
        for measure, axis, cut, part in zip(job.measures, job.axes, cuts, asked, strict=True)
    )
    x = closed(found.fields, samples, water, seen.window(*asked), (rows, columns))
    own: Any = (
        ...,
        *(
            slice(cut.inner.start - part.start, cut.inner.stop - part.start)
            for cut, part in zip(cuts, asked, strict=True)
        ),
    )
    spread = None if found.spread is None else found.spread[own]
    return replace(found, fields=x[own], spread=spread), water[own]


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
        leading = range(len(job.dims) - 2)
        stored = tuple(zip(job.dims[-2:], job.flipped, strict=True))
        _finite(values, name, job, place, leading, job.axes, job.cuts, stored)
        dtype = values.dtype if values.dtype.kind == "f" else np.dtype("f8")
        made.append(values.astype(dtype, copy=False) * dtype.type(factor) + dtype.type(offset))
    return np.stack(made)[:, None]


def _finite(
    values: np.ndarray,
    name: str,
    job: Job,
    place: Place,
    leading: Sequence[int],
    axes: Sequence[Axis],
    cuts: Sequence[Sequence[Cut]],
    stored: Sequence[tuple[str, bool]],
) -> None:
    """Refuse infinite values, and tell where they are in the whole array as it is stored."""
    wrong = np.isinf(values)
    if not wrong.any():
        return
    at = [int(i) for i in np.argwhere(wrong)[0]]
    told = [f"{job.dims[d]}={place.slices[d].start + i}" for d, i in zip(leading, at, strict=False)]
    for axis, each, index, i, (dim, flipped) in zip(
        axes, cuts, place.index[-2:], at[-2:], stored, strict=True
    ):
        number = (each[index].coarse[0] + i) % axis.count
        told.append(f"{dim}={axis.count - 1 - number if flipped else number}")
    raise ValuesError(f"{name}: infinite at index ({', '.join(told)})")


def _guides(
    windows: Sequence[Any], job: Job, place: Place, leading: tuple[int, ...], dtype: Any
) -> np.ndarray | None:
    """Guides on the fine cells that the block sees, (samples, guides, h, w); NaN where missing."""
    if not job.guides:
        return None
    made = []
    for window, guide in zip(windows, job.guides, strict=True):
        values = to_numpy(window).astype(dtype, copy=False)
        _finite(values, guide.name, job, place, guide.dims, guide.axes, guide.cuts, guide.stored)
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
