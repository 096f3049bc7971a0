"""What one task does, on plain arrays: observations of its times together, analysed, decoded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xocean_ml import persist
from xocean_ml.assimilation.analysis import Given
from xocean_ml.assimilation.assimilator import Assimilator
from xocean_ml.assimilation.checks import in_range, positive
from xocean_ml.assimilation.rows import Rows, joined
from xocean_ml.chunked import Place
from xocean_ml.device import to_like, to_numpy

__all__ = ["Gridded", "Job", "Points", "run"]


@dataclass(frozen=True, eq=False)
class Gridded:
    """A field on a grid, and how its cells become observations.

    Parameters
    ----------
    name : str
        Variable, for messages.
    rows : Rows
        m observations, whether or not a value is there.
    cells : array of int, (stored cells,)
        Observation that each stored cell, in storage order, adds to: their mean is what is
        observed. -1 for none.
    factor, offset : float
        To the model's units.
    error : float or None
        Standard error in the model's units; None if it comes as an array.
    """

    name: str
    rows: Rows
    cells: np.ndarray
    factor: float
    offset: float
    error: float | None

    def observed(self, stored: np.ndarray) -> np.ndarray:
        """Means, (samples, m), of what is there of stored values (samples, cells)."""
        count = len(self.rows)
        if len(self.cells) == count and (self.cells == np.arange(count)).all():
            return stored
        used = self.cells >= 0
        target = self.cells[used]
        made = np.empty((len(stored), count))
        for number, each in enumerate(stored[:, used]):
            # what is infinite stays so, to be told of
            there = ~np.isnan(each)
            sums = np.bincount(target[there], each[there], minlength=count)
            with np.errstate(invalid="ignore"):
                made[number] = sums / np.bincount(target[there], minlength=count)
        return made


@dataclass(frozen=True, eq=False)
class Points:
    """Observations at points.

    Parameters
    ----------
    rows : Rows
        m observations.
    values, error : array, (m,)
        In the model's units.
    time : array of int, (m,)
        Number of the time at which each is used.
    """

    rows: Rows
    values: np.ndarray
    error: np.ndarray
    time: np.ndarray


@dataclass(frozen=True, eq=False)
class Job:
    """All that the tasks of one call share, but for the model.

    Parameters
    ----------
    gridded : tuple of Gridded
        In the order of the windows.
    errors : tuple of int
        Of which gridded field each window of errors, after those of the fields, is.
    points : tuple of Points
    season : array, (times,)
        Months since mid-January.
    key : array of int, (times,)
        Number of each time in the calendar, by which random numbers are keyed.
    residual : bool
        Whether what the patterns leave is analysed too.
    members : int
        Draws; 0 for the mean.
    covariance : bool
        Whether the latent's covariance is given.
    anomalies : bool
        Whether differences from the climatology are given.
    seed : int
    flips : (slice, slice)
        From ascending rows and columns to those of the output.
    roll : int
        Columns by which the output begins later.
    factors, offsets : tuple of float
        From the units of each field of the output to the model's.
    dtypes : tuple of str
        Of the fields of the output.
    device : str
        Of the model's network.
    options : mapping
        Of the solver.
    """

    gridded: tuple[Gridded, ...]
    errors: tuple[int, ...]
    points: tuple[Points, ...]
    season: np.ndarray
    key: np.ndarray
    residual: bool
    members: int
    covariance: bool
    anomalies: bool
    seed: int
    flips: tuple[slice, slice]
    roll: int
    factors: tuple[float, ...]
    offsets: tuple[float, ...]
    dtypes: tuple[str, ...]
    device: str
    options: dict[str, Any]


def run(place: Place, *windows: Any, model: Any, job: Job) -> tuple[Any, ...]:
    """One block of times: fields, spreads, latent, diagnostics.

    Parameters
    ----------
    place : Place
        The first axis is time.
    *windows : arrays
        Each gridded field whole, (times, ..., rows, columns), then the errors.
    model : Assimilator, or how to get it
    job : Job

    Returns
    -------
    tuple of arrays
        Of each field (times, ..., [members,] rows, columns), of each spread likewise without
        members; latent; observations, misfit, chi-square and iterations of each time; the latent's
        covariance if it is asked for.
    """
    model = persist.revive(model)
    model.to(job.device)
    leading = tuple(each.stop - each.start for each in place.slices)
    times = np.arange(place.slices[0].start, place.slices[0].stop)
    sample = np.repeat(times, int(np.prod(leading[1:], dtype=int)))
    found = _Samples(job, windows, sample, place.slices)
    result = _Result(model, job, len(sample))
    for pick, given in found.alike(model):
        result.put(pick, given, model, sample, found.beside)
    return result.arrays(leading, windows[0] if windows else None)


class _Samples:
    """Observations of all samples of a block, side by side."""

    def __init__(
        self, job: Job, windows: Any, sample: np.ndarray, slices: tuple[slice, ...]
    ) -> None:
        self.job, self.sample = job, sample
        # which member of further dimensions each sample is, wherever the block begins
        inner = itertools.product(*(range(each.start, each.stop) for each in slices[1:]))
        self.beside = list(inner) * (slices[0].stop - slices[0].start)
        count = len(job.gridded)
        self.rows: list[Rows] = []
        self.values: list[np.ndarray] = []
        self.errors: list[np.ndarray] = []
        self.there: list[np.ndarray] = []
        for number, (gridded, window) in enumerate(zip(job.gridded, windows, strict=False)):
            stored = to_numpy(window).astype(np.float64).reshape(len(sample), -1)
            values = gridded.observed(stored) * gridded.factor + gridded.offset
            self.rows.append(gridded.rows)
            self.values.append(values)
            if number in job.errors:
                raw = to_numpy(windows[count + job.errors.index(number)]).astype(np.float64)
                error = gridded.observed(raw.reshape(len(sample), -1)) * abs(gridded.factor)
                positive(error[np.isfinite(values)], gridded.name)
            else:
                error = np.full((1, len(gridded.rows)), gridded.error)
            self.errors.append(np.broadcast_to(error, values.shape))
            self.there.append(~np.isnan(values) & np.isfinite(error))
        self.points = [_between(each, sample[0], sample[-1]) for each in job.points]

    def alike(self, model: Assimilator) -> Iterator[tuple[np.ndarray, Given]]:
        """Samples that see the same places with the same errors in the same month."""
        found = []
        for pick in self._picks(model.linear):
            time = self.sample[pick]
            rows, values, error = self._seen(pick, time[0])
            found.append((pick, time, rows, values, error, float(self.job.season[time[0]])))
        in_range([(time, rows, values, at) for _, time, rows, values, _, at in found], model)
        for pick, _, rows, values, error, at in found:
            yield pick, Given.of(rows, values, error, model.tables.at(at), model.tables)

    def _picks(self, linear: bool) -> list[np.ndarray]:
        """Which samples are seen alike; each alone for a model that is not linear."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for number, time in enumerate(self.sample):
            key: tuple[Any, ...] = (float(self.job.season[time]),)
            for there, errors in zip(self.there, self.errors, strict=True):
                keep = there[number]
                key = (*key, keep.tobytes(), errors[number, keep].tobytes())
            if any((each.time == time).any() for each in self.points):
                key = (*key, time)
            groups.setdefault(key if linear else (number,), []).append(number)
        return [np.array(each) for each in groups.values()]

    def _seen(self, pick: np.ndarray, time: int) -> tuple[Rows, np.ndarray, np.ndarray]:
        """What the samples of a group see: (samples, m) values, and their errors."""
        rows, values, errors = [], [], []
        for number, every in enumerate(self.rows):
            keep = self.there[number][pick[0]]
            rows.append(every.some(keep))
            values.append(self.values[number][pick][:, keep])
            errors.append(self.errors[number][pick[0], keep])
        for points in self.points:
            mine = points.time == time
            rows.append(points.rows.some(mine))
            values.append(np.broadcast_to(points.values[mine], (len(pick), int(mine.sum()))))
            errors.append(points.error[mine])
        return joined(rows), np.concatenate(values, axis=1), np.concatenate(errors)


class _Result:
    """Arrays that are filled group by group."""

    def __init__(self, model: Assimilator, job: Job, samples: int) -> None:
        size, latent = model.state.size, model.latent
        self.model, self.job = model, job
        many = (job.members,) if job.members else ()
        self.values = np.empty((samples, *many, size))
        self.spread = np.empty((samples, size))
        self.latent = np.empty((samples, latent))
        self.told = np.zeros((samples, 4))
        self.covariance = np.empty((samples, latent, latent) if job.covariance else (0, 0, 0))

    def put(
        self,
        pick: np.ndarray,
        given: Given,
        model: Assimilator,
        sample: np.ndarray,
        beside: Sequence[tuple[int, ...]],
    ) -> None:
        """Analyse a group of samples that are seen alike."""
        job, tables = self.job, model.tables
        made = model.analyse(given, residual=job.residual, **job.options)
        now = given.now
        plain: np.ndarray | float = 0.0
        if job.anomalies:
            # the climatology is what is expected where nothing is known
            plain = tables.values(np.zeros(model.state.size), now, np.ones(model.state.size))
        if job.members:
            random = [
                [
                    np.random.default_rng(
                        [job.seed, int(job.key[sample[each]]) % 2**63, *beside[each], r]
                    )
                    for r in range(job.members)
                ]
                for each in pick
            ]
            drawn = model.members(given, made, random, residual=job.residual)
            self.values[pick] = tables.values(drawn, now) - plain
        else:
            self.values[pick] = tables.values(made.anomaly, now, made.variance) - plain
        self.spread[pick] = tables.spread(made.anomaly, now, made.variance)
        self.latent[pick] = made.coefficients[: model.latent].T
        self.told[pick] = np.stack(
            [
                np.full(len(pick), len(given.rows)),
                made.misfit,
                made.chi_square,
                np.full(len(pick), made.iterations),
            ],
            axis=1,
        )
        if job.covariance:
            self.covariance[pick] = made.posterior.covariance[: model.latent, : model.latent]

    def arrays(self, leading: tuple[int, ...], like: Any) -> tuple[Any, ...]:
        """In the order, units, rows and columns of the output."""
        job, state = self.job, self.model.state
        made = []
        for values, scaled in ((self.values, True), (self.spread, False)):
            fields = np.roll(state.unpack(values), -job.roll, axis=-1)[
                ..., job.flips[0], job.flips[1]
            ]
            for number, dtype in enumerate(job.dtypes):
                each = fields[..., number, :, :] / job.factors[number]
                if scaled and not job.anomalies:
                    each = each - job.offsets[number] / job.factors[number]
                made.append(each.reshape(*leading, *each.shape[1:]).astype(dtype))
        told = self.told.reshape(*leading, 4)
        made.append(self.latent.reshape(*leading, -1))
        made += [told[..., k] for k in range(4)]
        if job.covariance:
            made.append(self.covariance.reshape(*leading, *self.covariance.shape[1:]))
        return tuple(each if like is None else to_like(each, like) for each in made)


def _between(points: Points, first: int, last: int) -> Points:
    """The observations of a block's times."""
    mine = (points.time >= first) & (points.time <= last)
    return Points(
        points.rows.some(mine), points.values[mine], points.error[mine], points.time[mine]
    )
