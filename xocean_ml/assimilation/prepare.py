"""Everything decided about a call of `assimilate`, from metadata and coordinates alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from xocean_ml import chunked, grid, persist, units
from xocean_ml import fields as cf
from xocean_ml.arguments import are_simulated, datasets_of, known_options, variable_there
from xocean_ml.assimilation.assimilator import Assimilator
from xocean_ml.assimilation.blocks import Job, Points, run
from xocean_ml.assimilation.output import Place, place_of
from xocean_ml.assimilation.reading import seasons, told_apart
from xocean_ml.assimilation.sources import OnGrid, OnPoints, errors_by_key, found_in, named_in
from xocean_ml.assimilation.when import check_step, dates, keys, of_keys
from xocean_ml.calls import Call
from xocean_ml.chunked import Input, Output
from xocean_ml.device import choose
from xocean_ml.errors import FieldNotFound, GridError, ValuesError, warn
from xocean_ml.fields.search import row_of

__all__ = ["Ready", "chosen_model", "prepare"]

DIAGNOSTICS = {
    "observations": ("number_of_observations", "number of observations used"),
    "misfit": ("", "root mean square of observation less analysis, in standard errors"),
    "chi_square": ("", "square of observation less prior over its expected value"),
    "iterations": ("", "iterations of the solver"),
}
"""Told of each time, in the order of the tasks: standard name and long name."""

MOST = 240
"""Most times of a block in memory."""


@dataclass(frozen=True, eq=False)
class Ready(Call):
    """Everything decided: what `assimilate` runs and what `plan` prints.

    Parameters
    ----------
    source : Dataset
        What is carried along.
    quantities : dict
        Units of the input's Quantities.
    model : Assimilator
    origin : str or None
        Where it was loaded from.
    gridded, points : list
        What is observed.
    time : DataArray
        Times of the analysis.
    leading : mapping of str to int
        Dimensions before rows and columns, time first.
    place : Place
        Grid, names and units of the output.
    job : Job
    settings : dict
        For the history.
    """

    task = "assimilate"

    source: xr.Dataset
    quantities: dict[Any, Any]
    model: Assimilator
    origin: str | None
    gridded: list[OnGrid]
    points: list[OnPoints]
    time: xr.DataArray
    leading: Mapping[str, int]
    place: Place
    job: Job
    settings: dict[str, Any]

    @property
    def is_lazy(self) -> bool:
        """Whether anything that is read is a dask array."""
        return any(each.is_lazy for each in self.gridded)

    @cached_property
    def grid(self) -> tuple[tuple[int, ...], ...]:
        """Blocks along the leading dimensions."""
        made = []
        for number, (dim, size) in enumerate(self.leading.items()):
            chunks = next(
                (
                    g.array.variable.chunksizes[dim]
                    for g in self.gridded
                    if g.array.chunks is not None and dim in g.array.dims
                ),
                None,
            )
            if chunks is None:
                most = MOST if number == 0 else size
                if number == 0 and not self.is_lazy:
                    most = min(MOST, max(1, -(-size // (os.cpu_count() or 1))))
                chunks = tuple(min(most, size - start) for start in range(0, size, most))
            made.append(tuple(chunks))
        return tuple(made)

    def build(self) -> tuple[da.Array, ...]:
        """The results, lazily, in the order of `xocean_ml.assimilation.blocks.run`."""
        inputs = [self._input(g.array) for g in self.gridded]
        inputs += [self._input(g.error) for g in self.gridded if g.error is not None]
        shared = {"model": self.node, "job": chunked.constant(self.job)}
        work = chunked.tasks(run, self.grid, inputs, shared=shared)
        return chunked.arrays(work, self._outputs())

    def _input(self, array: xr.DataArray | None) -> Input:
        assert array is not None
        data = chunked.lazy(array.data)
        last = data.ndim - len(self.leading)
        along = [chunked.own(axis, sizes) for axis, sizes in enumerate(self.grid)]
        data = data.rechunk(dict(enumerate(self.grid)))
        return Input(data, (*along, *(chunked.whole(n) for n in data.shape[-last:])))

    def _outputs(self) -> list[Output]:
        lead = tuple(range(len(self.grid)))
        rows, columns = self.model.state.shape
        latent, job = self.model.latent, self.job
        many = ((job.members,),) if job.members else ()

        def output(dtype: Any, *after: tuple[int, ...]) -> Output:
            axes = (*lead, *(None for _ in after))
            return Output((*self.grid, *after), axes, np.empty((0,) * len(axes), dtype))

        made = [output(dtype, *many, (rows,), (columns,)) for dtype in job.dtypes]
        made += [output(dtype, (rows,), (columns,)) for dtype in job.dtypes]
        made.append(output("f8", (latent,)))
        made += [output("f8") for _ in DIAGNOSTICS]
        if job.covariance:
            made.append(output("f8", (latent,), (latent,)))
        return made

    def run(self) -> dict[str, xr.DataArray]:
        """The analysed variables and what is told beside them: lazy if anything read is."""
        made: list[Any] = list(self.build())
        if not self.is_lazy:
            made = chunked.computed(made)
        lead = tuple(self.leading)
        coords = self._coords()
        out: dict[str, xr.DataArray] = {}
        members = ("realization",) if self.job.members else ()
        for field in self.place.fields:
            dims = (*lead, *members, *self.place.dims)
            out[field.name] = self._array(made.pop(0), dims, coords, field.attrs, field.dims)
        for field in self.place.fields:
            dims = (*lead, *self.place.dims)
            array = self._array(made.pop(0), dims, coords, field.spread_attrs, field.dims)
            out[f"{field.name}_spread"] = array
        out["latent"] = xr.DataArray(
            made.pop(0),
            coords,
            (*lead, "latent_number"),
            attrs={"long_name": "latent", "units": "1"},
        )
        for name, (standard, long) in DIAGNOSTICS.items():
            attrs = {"standard_name": standard, "long_name": long, "units": "1"}
            attrs = {key: value for key, value in attrs.items() if value}
            out[name] = xr.DataArray(made.pop(0), coords, lead, attrs=attrs)
        if self.job.covariance:
            dims = (*lead, "latent_number", "latent_other")
            attrs = {"long_name": "covariance of the latent's error", "units": "1"}
            out["latent_covariance"] = xr.DataArray(made.pop(0), coords, dims, attrs=attrs)
        return out

    def _coords(self) -> dict[str, Any]:
        coords: dict[str, Any] = {str(self.time.name): self.time.variable}
        first = self.gridded[0].array if self.gridded else None
        for dim in list(self.leading)[1:]:
            if first is not None and dim in first.coords:
                coords[dim] = first.coords[dim].variable
        return coords

    def _array(
        self,
        data: Any,
        dims: tuple[str, ...],
        coords: dict[str, Any],
        attrs: dict[str, Any],
        order: tuple[str, ...],
    ) -> xr.DataArray:
        kept = {**coords, **{str(k): c.variable for k, c in self.place.coordinates.coords.items()}}
        if self.job.members:
            told = {"standard_name": "realization", "units": "1"}
            kept["realization"] = xr.Variable("realization", np.arange(self.job.members), told)
        kept = {name: each for name, each in kept.items() if set(each.dims) <= set(dims)}
        made = xr.DataArray(data, kept, dims, attrs=attrs)
        # as the input's variable, with what it lacks in front
        return made.transpose(
            *(d for d in dims if d not in order), *(d for d in order if d in dims)
        )


def prepare(
    ds: xr.Dataset,
    model: Any = None,
    *,
    also: Sequence[xr.Dataset] = (),
    fields: Mapping[str, str] | None = None,
    error: Any = None,
    members: int = 0,
    residual: bool = True,
    anomalies: bool = False,
    covariance: bool = False,
    seed: int = 0,
    device: str | None = None,
    **options: Any,
) -> Ready:
    """Decide everything about a call."""
    datasets = datasets_of("assimilate", ds, also)
    if not isinstance(members, (int, np.integer)) or isinstance(members, bool) or members < 0:
        raise ValueError(f"members={members!r}: a whole number, 0 for none, is needed")
    chosen, origin = chosen_model(model)
    if model is None and not are_simulated(datasets):
        warn(
            "the packaged model knows a simulated planet: it is there to try things out. Fit one "
            'to fields of your own: fields.assimilate.fit("dcvae")'
        )
    known_options(repr(chosen.spec.name), chosen.options, options)
    plain = [units.dequantify(each) for each in datasets]
    _check_names(fields, chosen, plain)
    errors = _errors(error, chosen, plain, fields)
    found = [each for ds, _ in plain for each in found_in(ds, chosen, fields, errors)]
    if not found:
        wanted = ", ".join(each["key"] for each in chosen.config["fields"])
        there = sorted({str(name) for each, _ in plain for name in each.data_vars})
        raise FieldNotFound(
            f"nothing that the model knows ({wanted}) is observed; there are {there}. Say what "
            "they are: fields={'sea_surface_temperature': 'temp'}"
        )
    gridded = [each for each in found if isinstance(each, OnGrid)]
    points = [each for each in found if isinstance(each, OnPoints)]
    step = float(chosen.config["step"])
    gridded, time = _timed(gridded, points, step)
    leading = _leading(gridded, time)
    if members and "realization" in leading:
        raise GridError(
            "members: the dimension realization is there already. Rename it: "
            "ds.rename(realization='given')"
        )
    numbers = keys(time, step)
    used = [_points(each, numbers, step) for each in points]
    place = place_of(chosen, gridded, points, str(time.name), anomalies)
    season = told_apart(seasons(time), chosen.config["season"])
    job = Job(
        gridded=tuple(each.gridded for each in gridded),
        errors=tuple(n for n, each in enumerate(gridded) if each.error is not None),
        points=tuple(used),
        season=season,
        key=numbers,
        residual=residual,
        members=int(members),
        covariance=covariance,
        anomalies=anomalies,
        seed=seed,
        flips=place.flips,
        roll=place.roll,
        factors=tuple(each.factor for each in place.fields),
        offsets=tuple(each.offset for each in place.fields),
        dtypes=tuple(each.dtype for each in place.fields),
        options=options,
        device=choose(device, gridded[0].array.data if gridded else np.empty(0)),
    )
    settings = {
        "members": members or None,
        "seed": seed if members else None,
        "residual": None if residual else False,
        "anomalies": anomalies or None,
    }
    source, quantities = plain[0]
    if not any(each.array.dims for each in gridded if each.found.variable in source.variables):
        # points are not carried along: the result lies on a grid
        source = xr.Dataset(attrs={k: v for k, v in source.attrs.items() if k != "featureType"})
    # nor is what lies on another grid
    other = {side.dim for each in gridded for side in each.sides} - {*place.dims}
    source = source.drop_dims(other & {*map(str, source.dims)})
    return Ready(
        source, quantities, chosen, origin, gridded, points, time, leading, place, job, settings
    )


def chosen_model(model: Any) -> tuple[Assimilator, str | None]:
    """The model of a call, and where it was loaded from."""
    model, origin = persist.loaded("dcvae" if model is None else model)
    if not isinstance(model, Assimilator):
        raise TypeError(f"model {model!r} cannot assimilate")
    return model, origin


Plain = Sequence[tuple[xr.Dataset, Any]]


def _check_names(fields: Mapping[str, str] | None, model: Assimilator, plain: Plain) -> None:
    """Refuse names of other fields than the model's, and of variables that are not there."""
    every = [each["key"] for each in model.config["fields"]]
    there = {str(name) for ds, _ in plain for name in ds.variables}
    for key, name in (fields or {}).items():
        if row_of(key).key not in every:
            raise FieldNotFound(
                f"fields=: {key} is no field of the model; it has {', '.join(every)}"
            )
        variable_there(key, name, there)


def _errors(
    error: Any, model: Assimilator, plain: Plain, fields: Mapping[str, str] | None
) -> dict[str, Any]:
    """Standard errors by key."""
    roles = {each["key"]: each["role"] for each in model.config["fields"]}

    def is_there(key: str) -> bool:
        return any(
            cf.look_for(ds, key, role=roles[key], fields=named_in(ds, fields)) for ds, _ in plain
        )

    return errors_by_key(error, list(roles), is_there)


# ---- times -----------------------------------------------------------------------------------


def _timed(
    gridded: list[OnGrid], points: list[OnPoints], step: float
) -> tuple[list[OnGrid], xr.DataArray]:
    """Gridded fields at the times of the analysis, and these times."""
    if not gridded:
        every = np.concatenate([keys(each.time, step) for each in points])
        if not every.size:
            names = ", ".join(each.found.variable for each in points)
            raise ValuesError(f"nothing is observed: every value of {names} is missing")
        numbers = np.arange(every.min(), every.max() + 1)
        attrs = {"standard_name": "time", "axis": "T"}
        return [], xr.DataArray(of_keys(numbers, step), dims="time", name="time", attrs=attrs)
    made = []
    time = None
    for each in gridded:
        dim = grid.axes(each.array).get("T")
        if dim is None or dim not in each.array.dims:
            raise GridError(
                f"{each.array.name} has no time: give it one, ds.expand_dims(time=[...])"
            )
        own = dates(each.array, dim)
        alone = each.array.to_dataset(name="field")
        if each.bounds is not None:
            alone[each.bounds.name] = each.bounds
        check_step(grid.time_axis(alone), step)
        if time is None:
            time = own
            made.append(each)
            continue
        same = own.dims == time.dims and np.array_equal(own.values, time.values)
        made.append(each if same else _at_times(each, own, time, step))
    assert time is not None
    return made, time.drop_vars([name for name in time.coords if name != time.name])


def _at_times(each: OnGrid, dated: xr.DataArray, time: xr.DataArray, step: float) -> OnGrid:
    """A field at the times of the first: where it lacks one, it is not observed."""
    dim = str(dated.dims[0])
    own, wanted = keys(dated, step), keys(time, step)
    if len(np.unique(own)) < len(own):
        raise GridError(f"{each.array.name}: several of its times lie in one step of the model")
    number = {int(key): n for n, key in enumerate(own)}
    index = np.array([number.get(int(key), -1) for key in wanted])
    if (index < 0).all():
        raise GridError(
            f"{each.array.name} has no time in common with the others: "
            f"{dated.values[0]} to {dated.values[-1]}"
        )

    def moved(array: xr.DataArray) -> xr.DataArray:
        taken = array.isel({dim: np.maximum(index, 0)})
        taken = taken.drop_vars([n for n, c in taken.coords.items() if dim in c.dims])
        there = xr.DataArray(index >= 0, dims=dim)
        taken = taken.where(there).rename({dim: str(time.dims[0])} if dim != time.dims[0] else {})
        return taken.transpose(str(time.dims[0]), ...)

    error = None if each.error is None else moved(each.error)
    return replace(each, array=moved(each.array), error=error)


def _leading(gridded: list[OnGrid], time: xr.DataArray) -> dict[str, int]:
    """Dimensions before rows and columns; every gridded field is brought to them."""
    dim = str(time.dims[0])
    sizes: dict[str, int] = {dim: time.size}
    for each in gridded:
        across = {side.dim for side in each.sides}
        for name in map(str, each.array.dims):
            if name in across:
                continue
            size = each.array.sizes[name]
            if sizes.setdefault(name, size) != size:
                raise GridError(f"{each.array.name}: {name} has {size} entries, not {sizes[name]}")
    for number, each in enumerate(gridded):
        gridded[number] = _broadcast(each, sizes)
    return sizes


def _broadcast(each: OnGrid, sizes: Mapping[str, int]) -> OnGrid:
    across = [side.dim for side in each.sides]

    def wide(array: xr.DataArray) -> xr.DataArray:
        missing = {d: n for d, n in sizes.items() if d not in array.dims}
        return array.expand_dims(missing).transpose(*sizes, *across)

    return replace(
        each, array=wide(each.array), error=None if each.error is None else wide(each.error)
    )


def _points(each: OnPoints, numbers: np.ndarray, step: float) -> Points:
    own = keys(each.time, step)
    place = {int(key): n for n, key in enumerate(numbers)}
    at = np.array([place.get(int(key), -1) for key in own], int)
    used = at >= 0
    lost = int((~used).sum())
    if lost:
        warn(
            f"{each.found.variable}: {lost} of {len(at)} observations lie at none of the times "
            "that are analysed, and are not used"
        )
    return Points(each.rows.some(used), each.values[used], each.error[used], at[used])
