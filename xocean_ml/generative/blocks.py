"""What one task does: observations of some times gathered, members drawn, units back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xocean_ml import persist
from xocean_ml.assimilation.blocks import Gridded
from xocean_ml.assimilation.checks import positive
from xocean_ml.assimilation.rows import Rows
from xocean_ml.assimilation.state import State
from xocean_ml.chunked import Place
from xocean_ml.device import to_like, to_numpy
from xocean_ml.errors import ValuesError
from xocean_ml.generative.checks import in_range
from xocean_ml.generative.generator import Generator, Noise, Seen, norms
from xocean_ml.kernels.counter import place_words

__all__ = ["Job", "Source", "run", "seen_at"]

DIGITS = 10**5
"""Of a degree: places that differ by less are the same."""

REPEATED = 1024
"""Of the word that tells the field: what each further observation of a place and time adds."""

Uses = tuple[tuple[np.ndarray, np.ndarray], ...]
"""For each time of the members: numbers of observations (or of their times), and ages in days."""


@dataclass(frozen=True, eq=False)
class Source:
    """One observed field.

    Parameters
    ----------
    number : int
        Of the field.
    rows : Rows
        How the state is seen.
    shift : array or float
        Added to values, in the model's units.
    inflated : float
        Factor of the errors' variance.
    wide : bool
    alone : bool
        Whether it sees its own field alone, so that its values are of that field's size.
    uses : Uses
        Times of a gridded field, or points.
    times : array of int
        ns of these.
    units : str
        As they are stored.
    gridded : Gridded, optional
        None for points.
    values, error : array, optional
        Of points, in the model's units.
    window, errors : int, optional
        Which of a task's windows its values and errors come in.
    first : tuple of int
        First time of its window, for each block of times.
    """

    number: int
    rows: Rows
    shift: np.ndarray | float
    inflated: float
    wide: bool
    alone: bool
    uses: Uses
    times: np.ndarray
    units: str
    gridded: Gridded | None = None
    values: np.ndarray | None = None
    error: np.ndarray | None = None
    window: int | None = None
    errors: int | None = None
    first: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Job:
    """All that the tasks of one call share, but for the model.

    Parameters
    ----------
    sources : tuple of Source
    state : State
    times : array of int
        ns since 1970.
    origin : (int, int)
    turn : int
        Columns round the Earth.
    seed : int
    coherence : int, optional
        ns.
    background : array, (fields, rows, columns)
        What is expected, in the model's units.
    growth : array, (fields,)
        Variance of the change in a day, in variances.
    factors, offsets : tuple of float
        From the output's units to the model's.
    dtypes : tuple of str
    flips : (slice, slice)
        From ascending rows and columns.
    options : mapping
        Of the model.
    device : str
    """

    sources: tuple[Source, ...]
    state: State
    times: np.ndarray
    origin: tuple[int, int]
    turn: int
    seed: int
    coherence: int | None
    background: np.ndarray
    growth: np.ndarray
    factors: tuple[float, ...]
    offsets: tuple[float, ...]
    dtypes: tuple[str, ...]
    flips: tuple[slice, slice]
    options: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class _Part:
    """Observations of one source at one time, in the model's units, and when each was made, ns."""

    source: Source
    rows: Rows
    values: np.ndarray
    variance: np.ndarray
    time: np.ndarray


def run(place: Place, *windows: Any, model: Any, job: Job) -> tuple[Any, ...]:
    """Members of some times.

    Parameters
    ----------
    place : Place
        Times, then members.
    *windows : arrays
        Values and errors of gridded observations, (times, rows, columns) as they are stored.
    model : Generator, or how to get it
    job : Job

    Returns
    -------
    tuple of arrays
        Of each field (times, members, rows, columns); number of observations, (times,).
    """
    model = persist.revive(model)
    model.to(job.device)
    times = range(place.slices[0].start, place.slices[0].stop)
    members = tuple(range(place.slices[1].start, place.slices[1].stop))
    stored = [to_numpy(each).astype(np.float64) for each in windows]
    gathered = [_gathered(number, place.index[0], stored, job, model) for number in times]
    every = [each for parts in gathered for each in parts if each.source.alone]
    in_range([(each.source.number, each.values, each.source.units) for each in every], model)
    made = [
        _drawn(number, parts, members, job, model)
        for number, parts in zip(times, gathered, strict=True)
    ]
    counts = np.array([sum(len(each.values) for each in parts) for parts in gathered], "f8")
    result = _in_units(np.stack(made), job)
    like = windows[0] if windows else None
    return tuple(each if like is None else to_like(each, like) for each in (*result, counts))


def seen_at(number: int, windows: Sequence[np.ndarray], job: Job, model: Generator) -> Seen:
    """What is seen at one time, of normalised fields, with whole arrays for windows."""
    return _seen(_gathered(number, None, windows, job, model), job, model)


def _gathered(
    number: int, block: int | None, windows: Sequence[np.ndarray], job: Job, model: Generator
) -> list[_Part]:
    """Everything that is seen at one time, or near it; windows of a block of times, or whole."""
    made: list[_Part] = []
    std = norms(model.config, "std")
    for source in job.sources:
        pick, age = source.uses[number]
        aged = np.minimum(job.growth[source.number] * age**2, 2.0) * std[source.number] ** 2
        if source.gridded is None:
            assert source.values is not None
            assert source.error is not None
            values = source.values[pick] + _some(source.shift, pick)
            variance = source.error[pick] ** 2 * source.inflated + aged
            keep = np.isfinite(values)  # no mean topography: of no datum
            part = source.rows.some(pick[keep])
            when = source.times[pick[keep]]
            made.append(_Part(source, part, values[keep], variance[keep], when))
            continue
        for one, old in zip(pick, aged, strict=True):
            first = 0 if block is None else source.first[block]
            made.append(_map(source, int(one), int(one) - first, old, windows))
    return [each for each in made if len(each.values)]


def _some(shift: np.ndarray | float, pick: np.ndarray) -> Any:
    return shift[pick] if isinstance(shift, np.ndarray) else shift


def _map(source: Source, number: int, at: int, aged: float, windows: Sequence[np.ndarray]) -> _Part:
    """Observations of one time of a gridded field, which lies somewhere in a window."""
    gridded = source.gridded
    assert gridded is not None
    assert source.window is not None
    stored = windows[source.window][at].reshape(1, -1)
    if np.isinf(stored).any():
        raise ValuesError(f"{gridded.name}: infinite values. Mask them: ds.where(abs(ds) < 1e30)")
    values = gridded.observed(stored)[0] * gridded.factor + gridded.offset + source.shift
    if source.errors is None:
        error = np.full(len(values), gridded.error)
    else:
        raw = windows[source.errors][at].reshape(1, -1)
        error = gridded.observed(raw)[0] * abs(gridded.factor)
        positive(error[np.isfinite(values)], gridded.name)
    keep = np.isfinite(values) & np.isfinite(error)
    variance = error[keep] ** 2 * source.inflated + aged
    when = np.full(int(keep.sum()), source.times[number])
    return _Part(source, source.rows.some(keep), values[keep], variance, when)


def _drawn(
    number: int, parts: Sequence[_Part], members: tuple[int, ...], job: Job, model: Generator
) -> np.ndarray:
    """Members of one time, (members, fields, rows, columns), in the model's units."""
    shape = job.state.known.shape
    seen = _seen(parts, job, model)
    noise = Noise(
        job.seed,
        int(job.times[number]),
        members,
        (shape[0], shape[1], shape[2]),
        job.origin,
        job.coherence,
        job.device,
        job.turn,
    )
    made = to_numpy(model.members(seen, noise, **job.options)).astype(np.float64)
    std = norms(model.config, "std")[:, None, None]
    return np.where(job.state.known, made * std + job.background, np.nan)


def _seen(parts: Sequence[_Part], job: Job, model: Generator) -> Seen:
    """Observations of normalised fields, as tensors."""
    import torch

    from xocean_ml.solvers.operators import Sparse

    state = job.state
    sea = torch.from_numpy(state.known[0].astype(np.float32))[None, None].to(job.device)
    rows, cells, weights, values, variance, wide, places = [], [], [], [], [], [], []
    std = norms(model.config, "std")
    expected = state.pack(job.background / std[:, None, None])
    flat = np.flatnonzero(state.known)
    count = 0
    for part in parts:
        field_ = part.source.number
        entry, corner = np.nonzero(part.rows.weight)
        rows.append(entry + count)
        cells.append(flat[part.rows.cell[entry, corner]])
        weights.append(part.rows.weight[entry, corner])
        values.append(part.values / std[field_] - part.rows.of(expected))
        variance.append(part.variance / std[field_] ** 2)
        wide.append(np.full(len(part.values), part.source.wide))
        places.append(_place(part))
        count += len(part.values)

    def tensor(several: Sequence[np.ndarray], dtype: Any) -> torch.Tensor:
        whole = np.concatenate(several) if several else np.zeros(0)
        return torch.from_numpy(whole.astype(dtype)).to(job.device)

    observe = None
    if count:
        entries = tensor(rows, np.int64), tensor(cells, np.int64), tensor(weights, np.float32)
        observe = Sparse(*entries, count, state.known.shape)
    return Seen(
        observe,
        tensor(values, np.float32),
        tensor(variance, np.float32),
        sea,
        job.origin,
        tensor(wide, bool),
        _told_apart(places),
    )


def _told_apart(places: Sequence[np.ndarray]) -> np.ndarray:
    """Words of all observations, (4, m); of several alike each has its own."""
    if not places:
        return np.zeros((4, 0), np.uint64)
    words = np.concatenate(places, axis=1)
    _, group = np.unique(words, axis=1, return_inverse=True)
    order = np.argsort(group, kind="stable")
    first = np.searchsorted(group[order], group[order])
    again = np.empty(len(group), np.uint64)
    again[order] = np.arange(len(group)) - first
    words[2] += again * np.uint64(REPEATED)
    return words


def _place(part: _Part) -> np.ndarray:
    """Where and when observations were made, as words of 32 bits, (4, m)."""
    x, y, z = part.rows.point.T
    lat, lon = np.rad2deg(np.arcsin(np.clip(z, -1, 1))), np.rad2deg(np.arctan2(y, x)) % 360
    words = place_words(lat, lon, DIGITS)
    second = (part.time // 10**9 % 2**32).astype(np.uint64)
    return np.stack([*words, np.full(len(second), part.source.number, np.uint64), second])


def _in_units(made: np.ndarray, job: Job) -> list[np.ndarray]:
    """Fields (times, members, rows, columns) in the output's units and order of rows."""
    every = []
    for number, dtype in enumerate(job.dtypes):
        values = made[:, :, number] / job.factors[number]
        values = values - job.offsets[number] / job.factors[number]
        every.append(values[..., job.flips[0], job.flips[1]].astype(dtype))
    return every
