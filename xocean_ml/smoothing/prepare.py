"""Everything about a call of `smooth` that is decided before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from xocean_ml import device as devices
from xocean_ml import fields as cf
from xocean_ml import grid, metadata, persist, units
from xocean_ml.errors import FieldNotFound, GridError, ValuesError, XOceanError, raise_all, warn
from xocean_ml.kernels.closure import Windows
from xocean_ml.kernels.lowpass import Running
from xocean_ml.smoothing.domain import outside
from xocean_ml.smoothing.dong import days_of
from xocean_ml.smoothing.inputs import (
    Over,
    Spread,
    aligned,
    beside,
    cell_sizes,
    find_spread,
    with_bounds,
)
from xocean_ml.smoothing.smoother import Smoother
from xocean_ml.smoothing.steps import Steps
from xocean_ml.smoothing.tiles import Job

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["Mode", "Ready", "Variable", "prepare"]

Mode = Literal["increment", "state"]

DEFAULT = "tcn"
"""The model that `smooth` takes if none is named."""

_STATES = {
    "temperature_increment": "sea_water_temperature",
    "salinity_increment": "sea_water_salinity",
}


@dataclass(frozen=True)
class Variable:
    """One increment, all that belongs to it, and the job that its tasks share.

    Parameters
    ----------
    found : Found
        How the increment was found.
    target : str
        Variable that the result replaces.
    increments : DataArray
        Plain values.
    extras : dict of str to DataArray
        Further inputs with the increments' dimensions, axes of length one where they lack one.
    job : Job
        What the tasks share.
    attrs : dict
        Attributes of the result.
    beyond : tuple of str
        What lies outside the model's training domain.
    """

    found: cf.Found
    target: str
    increments: xr.DataArray
    extras: dict[str, xr.DataArray]
    job: Job
    attrs: dict[str, Any]
    beyond: tuple[str, ...] = ()

    def lazy(self) -> tuple[da.Array, list[da.Array]]:
        """The inputs as dask arrays; in-memory ones are cut into tiles."""
        import dask.array as da

        from xocean_ml import chunked

        array: Any = self.increments.data
        if not self.is_lazy:
            whole = () if self.job.exact else self.job.reduced
            grid = chunked.tiles(array.shape, (self.job.time, *whole), TILE)
            array = da.from_array(array, chunks=grid, name=False, asarray=False)
        extras = [self.extras[name].data for name in self.job.extras]
        # Names are hashes of values, so that the same call has the same keys; a graph that is
        # computed at once needs none.
        name = None if self.is_lazy else False
        return array, [
            each if isinstance(each, da.Array) else da.from_array(each, chunks=-1, name=name)
            for each in extras
        ]

    @property
    def is_lazy(self) -> bool:
        """Whether the increments are a dask array."""
        return self.increments.chunks is not None

    def graph(self, ready: Ready) -> tuple[da.Array, ...]:
        """The smoothed values, and what is given beside them, as dask arrays."""
        from xocean_ml.smoothing import graph

        array, extras = self.lazy()
        way = graph.route(array, self.job)
        return graph.build(array, extras, self.job, ready.node(), way)

    def run(self, ready: Ready) -> dict[str, xr.DataArray]:
        """The smoothed variable and what is given beside it: lazy if the increments are."""
        from xocean_ml import chunked
        from xocean_ml.smoothing import graph

        array, _ = self.lazy()
        if graph.route(array, self.job).rechunk:
            warn(
                f"{self.increments.name}: series or columns are needed whole that lie in "
                f"{array.npartitions} chunks; they are rechunked",
            )
        results: Sequence[Any] = self.graph(ready)
        if not self.is_lazy:
            results = chunked.computed(results)
        values, *further = results
        made = {self.target: (values, self.attrs)}
        for name, data in zip(self.job.further, further, strict=True):
            made[f"{self.increments.name}_{name}"] = data, _about(name, self)
        return {name: self._like(name, *each) for name, each in made.items()}

    def _like(self, name: Any, data: Any, attrs: Mapping[str, Any]) -> xr.DataArray:
        """A variable on the grid of the increments that has attributes of its own alone."""
        made = self.increments.copy(data=data).rename(name)
        made.attrs = dict(attrs)
        return made


def _about(name: str, variable: Variable) -> dict[str, Any]:
    """Attributes of what is given beside the smoothed variable."""
    of = variable.increments.name
    if name == "gate":
        long_name = f"gate of the smoother of {of}: how far it departs from a light average"
        return {"long_name": long_name, "units": "1"}
    attrs = metadata.describe({}, role="spread", units=variable.found.units)
    return attrs | {"long_name": f"standard error of smoothed {of}, by the smoother's own account"}


TILE = 4 << 20
"""Values per tile of an in-memory array; tiles run on threads."""


@dataclass(frozen=True)
class Ready:
    """Everything decided: what `smooth` runs and what `plan` prints."""

    source: xr.Dataset
    quantities: dict[Any, Any]
    model: Smoother
    origin: str | None
    variables: tuple[Variable, ...]
    settings: dict[str, Any]

    def node(self) -> Any:
        """The model as one node of the graph."""
        from xocean_ml import chunked

        if not self.model.needs_fit:
            return chunked.constant(persist.parcel(self.model, self.origin))
        from xocean_ml.smoothing.fit_dong import fitted_decay

        # Through keys of their own: else all chunks would be held until they are smoothed.
        work = [(chunked.clone(v.lazy()[0], "xocean-fit"), v.job) for v in self.variables]
        return fitted_decay(self.model, work)

    def history(self) -> str:
        """One line that says how to do it again."""
        sha = None if self.model.needs_fit else persist.digest(self.model)[:16]
        name = self.model.spec.name
        return metadata.history_line("ml_smooth", model=name, sha256=sha, **self.settings)


def prepare(
    ds: xr.Dataset,
    model: Any,
    options: Mapping[str, Any],
    *,
    also: Sequence[xr.Dataset] = (),
    fields: Mapping[str, str] | None = None,
    spread: Any = None,
    conserve: str | None = "5YS",
    conserve_over: Over = "cell",
    mode: Mode = "increment",
    gate: bool = False,
    uncertainty: bool = False,
    device: str | None = None,
) -> Ready:
    """Decide everything about a call of `smooth`, from metadata and coordinates alone."""
    if not isinstance(ds, xr.Dataset):
        raise TypeError(f"smooth takes a Dataset, not {type(ds).__name__}; ds.ml_smooth takes both")
    _one_of("mode", mode, ("increment", "state"))
    _one_of("conserve_over", conserve_over, ("cell", "column", "global"))
    asked_for, origin = _model(model, options)
    plain, quantities = units.dequantify(ds)
    seen = _with(plain, also)
    chosen = asked_for.settled(state=mode == "state")
    if origin is not None and (options or persist.digest(chosen) != persist.digest(asked_for)):
        origin = None  # no longer what lies there, so it travels itself
    settings = {"conserve": conserve, "over": conserve_over if conserve else None, "mode": mode}
    settings |= {name: options[name] for name in sorted(options)}
    further = _further(chosen, gate, uncertainty)
    errors: list[XOceanError] = []
    variables = []
    every = _increments(seen, chosen.spec, fields)
    if isinstance(spread, Mapping):
        _known(spread, [found.variable for found in every])
    for found in every:
        try:
            asked = _Asked(fields, spread, conserve, conserve_over, mode, device, further)
            variables.append(_variable(seen, found, chosen, asked))
        except XOceanError as error:
            errors.append(error)
    raise_all(errors, f"{len(errors)} increments cannot be smoothed")
    return Ready(plain, quantities, chosen, origin, tuple(variables), settings)


@dataclass(frozen=True)
class _Asked:
    """The user's arguments that concern each variable."""

    fields: Mapping[str, str] | None
    spread: Any
    conserve: str | None
    over: Over
    mode: Mode
    device: str | None
    further: tuple[str, ...]


def _further(model: Smoother, gate: bool, uncertainty: bool) -> tuple[str, ...]:
    """What is asked for beside smoothed increments, which the model must be able to give."""
    asked = {"gate": ("gate", gate), "uncertainty": ("spread", uncertainty)}
    for option, (name, wanted) in asked.items():
        if wanted and name not in model.gives:
            raise TypeError(f"model {model.spec.name!r} does not take {option}: it has none")
    return tuple(name for name, wanted in asked.values() if wanted)


def _model(model: Any, options: Mapping[str, Any]) -> tuple[Smoother, str | None]:
    """The model with its options, and where it came from."""
    model, origin = persist.loaded(DEFAULT if model is None else model)
    if not isinstance(model, Smoother):
        raise TypeError(f"model {model!r} is no smoother")
    unknown = set(options) - set(model.options)
    if unknown:
        raise TypeError(
            f"model {model.spec.name!r} does not take {', '.join(sorted(unknown))}; "
            f"it takes {', '.join(model.options)}"
        )
    return model.with_options(**options), origin


def _known(spread: Mapping[str, str], increments: list[str]) -> None:
    for name in spread:
        if name not in increments:
            known = ", ".join(increments)
            raise FieldNotFound(
                f"spread={dict(spread)}: {name} is no increment found here: {known}"
            )


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        known = ", ".join(map(repr, allowed))
        raise ValueError(f"{name}={value!r} is not one of {known}")


def _with(plain: xr.Dataset, also: Sequence[xr.Dataset]) -> xr.Dataset:
    """The Dataset in which fields are looked up: variables of `also` fill what is lacking."""
    seen = plain
    for other in also:
        other, _ = units.dequantify(other)
        new = [name for name in other.data_vars if name not in seen.variables]
        try:
            seen = xr.merge([seen, other[new]], join="exact", combine_attrs="override")
        except (ValueError, xr.MergeError) as error:
            raise GridError(f"a Dataset in also= does not lie on the same grid: {error}") from error
    return seen


def _increments(seen: xr.Dataset, spec: Any, fields: Mapping[str, str] | None) -> list[cf.Found]:
    found = cf.find_all(seen, spec.reads, fields)
    if not found:
        # Asking for one as required gives the message that tells what to pass.
        cf.find(seen, "temperature_increment", role="difference", fields=fields)
        raise FieldNotFound("no increment of temperature or salinity")
    return list(found.values())


def _variable(seen: xr.Dataset, found: cf.Found, model: Smoother, asked: _Asked) -> Variable:
    name = found.variable
    increments = seen[name]
    if increments.dtype.kind not in "fiu":
        raise ValuesError(f"{name}: numbers are needed, not {increments.dtype}")
    _not_all_land(increments)
    lone = increments.to_dataset() if name in seen.coords else seen[[name]]
    axis = grid.time_axis(with_bounds(lone, seen), minimum=3)
    steps = Steps(axis.days, axis.step_days, found.rate)
    dims = tuple(str(d) for d in increments.dims)
    where = grid.axes(increments)
    spec_units = next(each.units for each in model.spec.reads if each.key == found.key)
    # An amount is a rate times days.
    factor = found.conversion(f"{spec_units} day-1" if found.rate else spec_units).factor
    closure = _closure(asked.conserve, axis, steps)
    reduced = _reduced(asked.over, dims, axis.dim, where, name) if closure is not None else ()
    extras: dict[str, xr.DataArray] = {}
    sizes = cell_sizes(seen, increments, asked.over, where) if closure is not None else []
    for number, size in enumerate(sizes):
        extras[f"size {number}"] = aligned(size, increments, "cell sizes")
    named = asked.spread.get(name) if isinstance(asked.spread, Mapping) else asked.spread
    amount_units = f"{spec_units} day-1" if found.rate else spec_units
    kept = _spread(seen, found, named, increments, model)
    if kept is not None:
        extras["spread"] = kept.values
    for wanted, values in beside(seen, found, increments, model.wants).items():
        extras[wanted] = values
    beyond = outside(model.spec, steps, extras.get("depth"))
    if beyond:
        warn(
            f"{name} lies outside what {model.spec.name!r} was trained on: {'; '.join(beyond)}",
        )
    target, attrs, state, dtype = _result(seen, found, asked, increments, extras, spec_units)
    job = Job(
        name=name,
        spread_name=kept.name if kept is not None else "",
        spread_factor=kept.factor(amount_units) if kept is not None else 1.0,
        spread_closes="spread" not in model.wants,
        wants=model.wants,
        further=asked.further,
        carries=model.carries,
        dims=dims,
        time=dims.index(axis.dim),
        reduced=reduced,
        exact=asked.over == "global" and closure is not None,
        steps=steps,
        closure=closure,
        factor=factor,
        moving_weights=any(axis.dim in size.dims for size in sizes),
        state=state,
        extras=tuple(extras),
        dtype=dtype,
        device=_device(asked.device, increments),
    )
    return Variable(found, target, increments, extras, job, attrs, tuple(beyond))


def _spread(
    seen: xr.Dataset,
    found: cf.Found,
    named: str | None,
    increments: xr.DataArray,
    model: Smoother,
) -> Spread | None:
    """The spread that the user names; for a model that wants one also what else can be found."""
    if named is None and "spread" not in model.wants:
        return None
    return find_spread(seen, found, named, increments)


def _not_all_land(increments: xr.DataArray) -> None:
    # Only what is in memory is looked at: a lazy one is told when sums find nothing.
    held: Any = increments.variable._data
    known = isinstance(held, np.ndarray) and held.dtype.kind == "f" and held.size > 0
    if known and bool(np.isnan(held).all()):
        raise ValuesError(f"{increments.name}: every value is missing, all land")


def _closure(conserve: str | None, axis: grid.TimeAxis, steps: Steps) -> Windows | Running | None:
    if conserve is None:
        return None
    if not isinstance(conserve, str):
        raise TypeError(f"conserve takes a frequency, not {conserve!r}")
    if conserve.startswith("running:"):
        return Running(steps.length, _running_days(conserve.removeprefix("running:")))
    try:
        return Windows(np.asarray(axis.segments(conserve).index))
    except GridError as error:
        raise GridError(f"conserve={conserve!r}: {error}") from error


def _running_days(text: str) -> float:
    """Days in a length like "2Y" (of 365.25 days), "18M" or "730D"."""
    number = text.rstrip("YSEM")
    unit = text[len(number) :]
    scale = {"Y": 365.25, "YS": 365.25, "YE": 365.25, "M": 30.4375, "MS": 30.4375, "ME": 30.4375}
    try:
        if unit in scale:
            return float(number or 1) * scale[unit]
        return days_of(text)
    except ValueError as error:
        raise ValueError(f'conserve="running:{text}" is no length of time, like "2Y"') from error


def _reduced(
    over: Over, dims: tuple[str, ...], time: str, where: grid.Axes, name: str
) -> tuple[int, ...]:
    """Axes over which sums are conserved together."""
    if over == "cell":
        return ()
    if over == "column":
        if "Z" not in where or where["Z"] not in dims:
            raise GridError(
                f'{name}{dims}: conserve_over="column" needs a vertical dimension; '
                'use conserve_over="cell"'
            )
        return (dims.index(where["Z"]),)
    apart = {time, where.get("E")}
    return tuple(i for i, dim in enumerate(dims) if dim not in apart)


def _result(
    seen: xr.Dataset,
    found: cf.Found,
    asked: _Asked,
    increments: xr.DataArray,
    extras: dict[str, xr.DataArray],
    spec_units: str,
) -> tuple[str, dict[str, Any], float | None, np.dtype]:
    """Target variable, its attributes, factor to the state's units, and dtype."""
    if asked.mode == "increment":
        attrs = metadata.describe(increments.attrs, role="difference", units=found.units)
        return found.variable, attrs, None, _floating(increments.dtype)
    key = _STATES[found.key]
    try:
        state = cf.find(seen, key, role="state", fields=asked.fields)
    except FieldNotFound as error:
        raise FieldNotFound(
            f'mode="state" needs the analysis that {found.variable} belongs to beside it: {error}'
        ) from error
    analysis = seen[state.variable]
    if analysis.dims != increments.dims and set(analysis.dims) != set(increments.dims):
        raise GridError(
            f"analysis {state.variable}{dict(analysis.sizes)} and increments "
            f"{found.variable}{dict(increments.sizes)} have different dimensions"
        )
    extras["state"] = aligned(analysis, increments, "analysis")
    factor = 1 / replace(state, role="difference").conversion(spec_units).factor
    attrs = metadata.describe(analysis.attrs, role="state", units=state.units)
    return state.variable, attrs, factor, _floating(analysis.dtype)


def _floating(dtype: np.dtype) -> np.dtype:
    return np.dtype(dtype.newbyteorder("=")) if dtype.kind == "f" else np.dtype("float64")


def _device(device: str | None, increments: xr.DataArray) -> str:
    meta = increments.variable._data
    meta = getattr(meta, "_meta", meta)
    return devices.choose(device, meta)
