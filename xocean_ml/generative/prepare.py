"""Everything decided about a call of `genda`, from metadata, coordinates and points alone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from xocean_ml import chunked, units
from xocean_ml.arguments import whole
from xocean_ml.assimilation.sources import OnGrid, OnPoints
from xocean_ml.assimilation.when import decoded
from xocean_ml.calls import Call
from xocean_ml.chunked import Along, Input, Output
from xocean_ml.device import choose
from xocean_ml.errors import FieldNotFound, GridError, ValuesError, warn
from xocean_ml.generative.arguments import (
    check_options,
    chosen_model,
    errors_of,
    footprints_of,
    is_there,
    named_by,
    observations_of,
    tell_packaged,
)
from xocean_ml.generative.background import background_of
from xocean_ml.generative.blocks import Job, Source, Uses, run, seen_at
from xocean_ml.generative.domain import Domain, domain_of
from xocean_ml.generative.generator import Generator, Seen, keys_of
from xocean_ml.generative.output import Variable, variables
from xocean_ml.generative.sources import Observed, mean_topography, observed
from xocean_ml.generative.when import duration, nearby, ns_of, times_of, wanted_times

__all__ = ["Ready", "prepare"]

GROUP = 8
"""Members of a task, at most."""

UNKNOWN_GROWTH = 0.01
"""Variance of the change in a day, in variances, where the training had a single time."""


@dataclass(frozen=True, eq=False)
class Ready(Call):
    """Everything decided: what `genda` runs and what `plan` prints.

    Parameters
    ----------
    attrs : dict
        Of the first Dataset.
    model : Generator
    origin : str or None
        Where it was loaded from.
    domain : Domain
    observed : list of Observed
    time : DataArray
    members : int
    variables : tuple of Variable
        Of the output.
    job : Job
    grid : pair of tuple of int
        Blocks of times, and of members.
    settings : dict
        For the history.
    quantities : dict
        Units of the observations' Quantities.
    mdt : DataArray or None
        Mean dynamic topography, m, on the domain.
    """

    task = "genda"

    attrs: dict[Any, Any]
    model: Generator
    origin: str | None
    domain: Domain
    observed: list[Observed]
    time: xr.DataArray
    members: int
    variables: tuple[Variable, ...]
    job: Job
    grid: tuple[tuple[int, ...], tuple[int, ...]]
    settings: dict[str, Any]
    quantities: dict[Any, Any]
    mdt: xr.DataArray | None

    @property
    def on_grid(self) -> list[OnGrid]:
        """Gridded observations."""
        return [each.seen for each in self.observed if isinstance(each.seen, OnGrid)]

    @property
    def is_lazy(self) -> bool:
        """Whether anything that is read is a dask array."""
        return any(each.is_lazy for each in self.on_grid)

    def build(self) -> tuple[da.Array, ...]:
        """The results, lazily: fields (times, members, rows, columns), then counts (times,)."""
        inputs: list[Input] = []
        for source, each in zip(self.job.sources, self.observed, strict=True):
            if isinstance(each.seen, OnGrid):
                inputs += [self._input(array, source) for array in each.seen.arrays]
        shared = {"model": self.node, "job": chunked.constant(self.job)}
        work = chunked.tasks(run, self.grid, inputs, shared=shared)
        rows, columns = self.domain.state.shape
        outputs = [
            Output((*self.grid, (rows,), (columns,)), (0, 1, None, None), np.empty((0,) * 4, dtype))
            for dtype in self.job.dtypes
        ]
        outputs.append(Output((self.grid[0],), (0,), np.empty(0, "f8")))
        return chunked.arrays(work, outputs)

    def _input(self, array: xr.DataArray, source: Source) -> Input:
        data = chunked.lazy(array.data)
        bounds = tuple(_bounds(source.uses, part) for part in _parts(self.grid[0]))
        along = (Along(0, bounds), *(chunked.whole(n) for n in data.shape[1:]))
        return Input(data, along)

    def seen(self, number: int) -> Seen:
        """What is seen at one time, of normalised fields; everything is read whole."""
        windows: list[np.ndarray] = []
        for each in self.on_grid:
            windows += [np.asarray(array.values, np.float64) for array in each.arrays]
        return seen_at(number, windows, self.job, self.model)

    def run(self) -> dict[str, xr.DataArray]:
        """The variables of the output: lazy if anything read is."""
        made: list[Any] = list(self.build())
        if not self.is_lazy:
            made = chunked.computed(made)
        time = str(self.time.dims[0])
        told = {"standard_name": "realization", "units": "1"}
        coords: dict[str, Any] = {
            str(self.time.name): self.time.variable,
            "realization": ("realization", np.arange(self.members), told),
        }
        coords |= {
            str(side.coordinate.name): side.coordinate.variable for side in self.domain.sides
        }
        dims = (time, "realization", *(side.dim for side in self.domain.sides))
        out: dict[str, xr.DataArray] = {}
        for each in self.variables:
            drawn = xr.DataArray(made.pop(0), coords, dims, attrs=each.attrs)
            # the order that CF recommends: what is no axis of space or time in front
            out[each.name] = drawn.transpose("realization", ...)
        attrs = {
            "standard_name": "number_of_observations",
            "long_name": "number of observations used",
            "units": "1",
        }
        counted = {str(self.time.name): self.time.variable}
        count = "observations" if "observations" not in out else "number_of_observations"
        out[count] = xr.DataArray(made.pop(0), counted, (time,), attrs=attrs)
        return out


def prepare(
    ds: xr.Dataset,
    model: Any = None,
    *,
    also: Any = (),
    members: int = 8,
    like: Any = None,
    fields: Mapping[str, str] | None = None,
    error: Any = None,
    footprint: Any = None,
    window: Any = None,
    coherence: Any = None,
    seed: int = 0,
    device: str | None = None,
    **options: Any,
) -> Ready:
    """Decide everything about a call."""
    datasets = observations_of(ds, also)
    whole("members", members, least=1)
    whole("seed", seed)
    chosen, origin = chosen_model(model)
    if model is None:
        tell_packaged(datasets)
    check_options(chosen, options)
    both = [units.dequantify(each) for each in datasets]
    plain = [each for each, _ in both]
    named = named_by(fields, chosen, plain)
    domain = domain_of(like, plain, chosen.config, named)
    beside = [units.dequantify(like)[0]] if isinstance(like, xr.Dataset) else []
    mdt = mean_topography([*plain, *beside], domain, named)
    keys = keys_of(chosen.config)
    errors = errors_of(error, keys, plain, named)
    widths = footprints_of(footprint, keys)
    found = [
        each
        for one in plain
        for each in observed(one, domain, fields=named, error=errors, footprint=widths, mdt=mdt)
    ]
    if not found and any(is_there(each, key, named) for each in plain for key in keys):
        raise ValuesError("nothing is observed: every value is missing, or lies off the domain")
    if not found:
        there = sorted({str(name) for each in plain for name in each.data_vars})
        raise FieldNotFound(
            f"nothing that the prior knows ({', '.join(keys)}) is observed; there are {there}. Say "
            "what they are: fields={'sea_surface_temperature': 'temp'}"
        )
    time = _time(like, found)
    sources, grid = _sources(found, time, int(members), duration(window, "window"))
    growth = _growth(chosen.config, window)
    output = variables(chosen.config, found)
    arrays = [each.seen.array.data for each in found if isinstance(each.seen, OnGrid)]
    job = Job(
        sources=sources,
        state=domain.state,
        times=ns_of(time),
        origin=domain.origin,
        turn=domain.turn,
        seed=int(seed),
        coherence=duration(coherence, "coherence"),
        background=background_of(chosen, domain),
        growth=growth,
        factors=tuple(each.factor for each in output),
        offsets=tuple(each.offset for each in output),
        dtypes=tuple(each.dtype for each in output),
        flips=(domain.sides[0].order, domain.sides[1].order),
        options=options,
        device=choose(device, arrays[0] if arrays else np.empty(0)),
    )
    settings = {
        "members": int(members),
        "seed": int(seed),
        "window": None if window is None else str(window),
        "coherence": None if coherence is None else str(coherence),
        **dict(options.items()),
    }
    kept = {k: v for k, v in plain[0].attrs.items() if k != "featureType"}
    return Ready(
        attrs=kept,
        model=chosen,
        origin=origin,
        domain=domain,
        observed=found,
        time=time,
        members=int(members),
        variables=output,
        job=job,
        grid=grid,
        settings=settings,
        quantities={name: unit for _, each in reversed(both) for name, unit in each.items()},
        mdt=None if mdt is None else _labelled(mdt, domain),
    )


def _labelled(mdt: np.ndarray, domain: Domain) -> xr.DataArray:
    """The mean topography as it lies in the output."""
    rows, columns = (side.order for side in domain.sides)
    coords = {str(side.coordinate.name): side.coordinate.variable for side in domain.sides}
    attrs = {"long_name": "mean dynamic topography", "units": "m"}
    dims = [side.dim for side in domain.sides]
    return xr.DataArray(mdt[rows, columns], coords, dims, attrs=attrs)


# ---- times -----------------------------------------------------------------------------------


def _time(like: Any, found: Sequence[Observed]) -> xr.DataArray:
    if isinstance(like, xr.DataArray):
        like = like.to_dataset(name=like.name or "like")
    gridded = [each.seen.array for each in found if isinstance(each.seen, OnGrid)]
    points = [each.seen.time for each in found if isinstance(each.seen, OnPoints)]
    return wanted_times(like, gridded, points)


def _sources(
    found: Sequence[Observed], time: xr.DataArray, members: int, window: int | None
) -> tuple[tuple[Source, ...], tuple[tuple[int, ...], tuple[int, ...]]]:
    """Observations with the times that use each, and blocks of times and members."""
    wanted = ns_of(time)
    grid = _blocks(len(wanted), members)
    made = []
    number = 0
    for each in found:
        common: dict[str, Any] = {
            "number": each.number,
            "rows": each.rows,
            "shift": each.shift,
            "inflated": each.inflated,
            "wide": each.wide,
            "alone": each.alone,
            "units": each.seen.found.units or "1",
        }
        if isinstance(each.seen, OnPoints):
            times = _ns(each.seen.time, time, each.seen.found.variable)
            uses = tuple(nearby(times, wanted, window))
            _tell_unused(each.seen, uses)
            own: dict[str, Any] = {"values": each.seen.values, "error": each.seen.error}
            made.append(Source(**common, **own, uses=uses, times=times))
            continue
        times = _ns(_time_of(each.seen), time, str(each.seen.array.name))
        uses = tuple(nearby(times, wanted, window))
        first = tuple(_bounds(uses, part)[0] for part in _parts(grid[0]))
        errors = None if each.seen.error is None else number + 1
        made.append(
            Source(
                **common,
                uses=uses,
                times=times,
                gridded=each.seen.gridded,
                window=number,
                errors=errors,
                first=first,
            )
        )
        number += 1 if errors is None else 2
    if all(not len(pick) for each in made for pick, _ in each.uses):
        raise GridError(
            f"no observation lies near the times of the members, {time.values[0]} to "
            f"{time.values[-1]}"
        )
    return tuple(made), grid


def _time_of(seen: OnGrid) -> xr.DataArray:
    """Dates of a gridded field."""
    time = times_of(seen.array)
    if time is None:
        raise GridError(f"{seen.array.name} has no time: give it one, ds.expand_dims(time=[...])")
    if seen.array.ndim != 3:
        extra = ", ".join(map(str, seen.array.dims[1:-2]))
        raise GridError(
            f"{seen.array.name} lies on {seen.array.dims}: its further dimensions ({extra}) are "
            "those of several sets of observations. Take one of them: ds.isel(...)"
        )
    return time


def _ns(own: xr.DataArray, wanted: xr.DataArray, name: str) -> np.ndarray:
    """Dates of observations, in the calendar of the members."""
    both = decoded(own), decoded(wanted)
    calendars = [each.dt.calendar for each in both] if own.size else []
    if len({_ALIKE.get(each, each) for each in calendars}) > 1:
        raise GridError(
            f"{name}: its calendar is {calendars[0]}, that of the members' times {calendars[1]}. "
            f"Bring it to that: ds.convert_calendar({calendars[1]!r})"
        )
    return ns_of(own)


_ALIKE = {"standard": "gregorian", "proleptic_gregorian": "gregorian"}
"""Calendars that agree on every date since 1582."""


def _tell_unused(seen: OnPoints, uses: Uses) -> None:
    used = {int(number) for pick, _ in uses for number in pick}
    lost = len(seen.values) - len(used)
    if lost:
        warn(
            f"{seen.found.variable}: {lost} of {len(seen.values)} observations lie at none of the "
            "times of the members, and are not used"
        )


def _blocks(times: int, members: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """One time and a group of members each: what comes in larger chunks is read from them."""
    groups = tuple(min(GROUP, members - start) for start in range(0, members, GROUP))
    return (1,) * times, groups


def _parts(sizes: Sequence[int]) -> list[range]:
    edges = chunked.starts(sizes)
    return [range(a, b) for a, b in itertools.pairwise(edges)]


def _bounds(uses: Uses, part: range) -> tuple[int, int]:
    """First and last time of a gridded field that a block of times uses."""
    every = np.concatenate([uses[number][0] for number in part])
    return (int(every.min()), int(every.max()) + 1) if len(every) else (0, 0)


def _growth(config: Mapping[str, Any], window: Any) -> np.ndarray:
    """Variance of the change in a day, in variances, of each field."""
    told = [each.get("growth") for each in config["fields"]]
    if window is not None and any(each is None for each in told):
        warn(
            "the prior was trained on single times, and does not know how fast fields change: "
            f"{UNKNOWN_GROWTH} of their variance in a day is taken"
        )
    return np.array([UNKNOWN_GROWTH if each is None else float(each) for each in told])
