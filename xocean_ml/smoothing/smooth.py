"""`smooth`: from a Dataset with increments to the same Dataset with smoothed ones."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from xocean_ml import device as devices
from xocean_ml import fields as cf
from xocean_ml import grid, metadata, persist, units
from xocean_ml.errors import FieldNotFound, GridError, ValuesError, XOceanError, raise_all
from xocean_ml.kernels.closure import Running, Windows
from xocean_ml.smoothing.dong import Dong, days_of
from xocean_ml.smoothing.steps import Steps
from xocean_ml.smoothing.tiles import Job

if TYPE_CHECKING:
    import dask.array as da

    from xocean_ml.plan import Plan

__all__ = ["plan", "prepare", "smooth"]

Mode = Literal["increment", "state"]
Over = Literal["cell", "column", "global"]

_STATES = {
    "temperature_increment": "sea_water_temperature",
    "salinity_increment": "sea_water_salinity",
}


def smooth(
    ds: xr.Dataset,
    model: Any = None,
    *,
    also: Sequence[xr.Dataset] = (),
    fields: Mapping[str, str] | None = None,
    spread: str | Mapping[str, str] | None = None,
    conserve: str | None = "5YS",
    conserve_over: Over = "cell",
    mode: Mode = "increment",
    device: str | None = None,
    **options: Any,
) -> xr.Dataset:
    """Smooth the pulses out of data-assimilation increments without losing heat.

    Parameters
    ----------
    ds : Dataset
        Holds increments of temperature or salinity or both, on time and any other dimensions
        (depth, latitude, longitude, cells, realization), found by their CF names; in units of a
        step (K) or rates (K s-1); numpy, dask or cupy; pint-quantified or with ``units``.
    model : model, path, URL or name, optional
        ``"dong"`` is the smoother of Dong et al. (2021), and at present the default.
    also : sequence of Dataset, optional
        Where else to look for spread, analysis or cell sizes.
    fields : mapping of str to str, optional
        Which variable is which field, e.g. ``{"temperature_increment": "dT"}``.
    spread : str or mapping, optional
        Variable with the ensemble spread (of each increment, if a mapping from its name):
        corrections go where it is large. Without it they are uniform. A spread is used only
        if it is named here.
    conserve : str, optional
        Which sums over time stay as they were: a pandas frequency for fixed windows (``"5YS"``),
        ``"all"`` for the whole record, ``"running:2Y"`` for running means, None for no closure.
    conserve_over : {"cell", "column", "global"}
        What is summed over space: nothing, the levels, or all cells.
    mode : {"increment", "state"}
        Smooth the increments, or add the running sum of what smoothing changes to the analysis.
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``. None: where the data are, else CUDA if there is one.
    **options
        Of the model. For ``"dong"``: ``decay``, e-folding time of the weight of future increments
        (``"30D"``, a timedelta, or ``"fit"``); ``head`` and ``tail``, which ends are repaired.

    Returns
    -------
    Dataset
        As `ds`, with smoothed increments (or states) in their own units, dimensions and dtype.
        Lazy if `ds` is.

    Raises
    ------
    FieldNotFound, AmbiguousField
        No increment, or several; an analysis or a named spread that is not there.
    UnitsError
        Units that cannot be converted.
    GridError
        No time axis; times unsorted, double or too few; cell sizes neither given nor derivable.
    ValuesError
        Infinite increments or a negative spread (when computed, with their place).
    TypeError
        An option that the model does not take.

    Notes
    -----
    Amounts are conserved: increment times length of step (for rates) times cell volume. The heat
    capacity rho0 cp0 is a constant and cancels. The closure is `xocean_ml.kernels.closure`.

    References
    ----------
    Dong, Haines & Martin (2021), J. Adv. Model. Earth Syst., 13, e2021MS002626.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> time = xr.date_range("2000-01-01", periods=120, freq="MS")
    >>> dT = xr.DataArray(
    ...     np.random.default_rng(0).normal(size=120), coords={"time": time}, dims="time",
    ...     attrs={"standard_name": "change_over_time_in_sea_water_potential_temperature",
    ...            "units": "K"})
    >>> ds = xr.Dataset({"dT": dT})
    >>> smoothed = smooth(ds, "dong", decay="90D")
    >>> print(f"{float(ds.dT.std()):.2f} K becomes {float(smoothed.dT.std()):.2f} K")
    0.95 K becomes 0.45 K
    >>> bool(abs(smoothed.dT[:60].sum() - ds.dT[:60].sum()) < 1e-12)
    True
    """
    ready = prepare(
        ds,
        model,
        options,
        also=also,
        fields=fields,
        spread=spread,
        conserve=conserve,
        conserve_over=conserve_over,
        mode=mode,
        device=device,
    )
    changed = {each.target: each.run(ready) for each in ready.variables}
    out = metadata.finish(ready.source, changed, line=ready.history())
    return units.requantify(out, ready.quantities)


def plan(ds: xr.Dataset, model: Any = None, **arguments: Any) -> Plan:
    """Tell what `smooth` would do with the same arguments, before anything runs.

    Parameters
    ----------
    ds : Dataset
        As for `smooth`.
    model, **arguments
        As for `smooth`.

    Returns
    -------
    Plan
        Fields found and how, units, windows, tasks, memory, device; prints itself.

    Examples
    --------
    >>> from xocean_ml.simulate import increments
    >>> twin = increments("test_inside", columns=2, years=(2000, 2010))
    >>> print(plan(twin))
    smooth with dong...
    """
    from xocean_ml.smoothing.planning import describe

    names = ("also", "fields", "spread", "conserve", "conserve_over", "mode", "device")
    given = {name: arguments.pop(name) for name in names if name in arguments}
    return describe(prepare(ds, model, arguments, **given))


# ---- what has been decided before anything runs --------------------------------------------


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
    """

    found: cf.Found
    target: str
    increments: xr.DataArray
    extras: dict[str, xr.DataArray]
    job: Job
    attrs: dict[str, Any]

    def lazy(self) -> tuple[da.Array, list[da.Array]]:
        """The inputs as dask arrays; in-memory ones are cut into tiles."""
        import dask.array as da

        from xocean_ml import chunked

        array = self.increments.variable._data if self.is_lazy else self.increments.data
        if not self.is_lazy:
            whole = () if self.job.exact else self.job.reduced
            grid = chunked.tiles(array.shape, (self.job.time, *whole), TILE)
            array = da.from_array(array, chunks=grid, name=False, asarray=False)
        extras = [self.extras[name].data for name in self.job.extras]
        return array, [
            each
            if isinstance(each, da.Array)
            else da.from_array(each, chunks=-1, name=False if each.size > 1e6 else None)
            for each in extras
        ]

    @property
    def is_lazy(self) -> bool:
        """Whether the increments are a dask array."""
        return self.increments.chunks is not None

    def run(self, ready: Ready) -> xr.DataArray:
        """The smoothed variable: lazy if the increments are."""
        from xocean_ml.smoothing import graph

        array, extras = self.lazy()
        way = graph.route(array, self.job)
        if way.rechunk:
            warnings.warn(
                f"{self.increments.name}: time is in {len(array.chunks[self.job.time])} chunks, "
                "and this closure needs whole series; it is rechunked",
                stacklevel=4,
            )
        result = graph.build(array, extras, self.job, ready.node(), way)
        if not self.is_lazy:
            result = result.compute(scheduler="threads")
        return self.increments.copy(data=result).assign_attrs(self.attrs).rename(self.target)


TILE = 4 << 20
"""Values per tile of an in-memory array; tiles run on threads."""


@dataclass(frozen=True)
class Ready:
    """Everything decided: what `smooth` runs and what `plan` prints."""

    source: xr.Dataset
    quantities: dict[Any, Any]
    model: Any
    origin: str | None
    variables: tuple[Variable, ...]
    settings: dict[str, Any]
    fit: bool

    def node(self) -> Any:
        """The model as one node of the graph."""
        from xocean_ml import chunked

        if not self.fit:
            return chunked.constant(persist.parcel(self.model, self.origin))
        from xocean_ml.smoothing.fit import fitted_decay

        return fitted_decay(self.model, [(v.lazy()[0], v.job) for v in self.variables])

    def history(self) -> str:
        """One line that says how to do it again."""
        sha = None if self.fit else persist.digest(self.model)[:16]
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
    device: str | None = None,
) -> Ready:
    """Decide everything about a call of `smooth`, from metadata and coordinates alone."""
    if not isinstance(ds, xr.Dataset):
        raise TypeError(f"smooth takes a Dataset, not {type(ds).__name__}; ds.ml_smooth takes both")
    _one_of("mode", mode, ("increment", "state"))
    _one_of("conserve_over", conserve_over, ("cell", "column", "global"))
    chosen, origin, fit = _model(model, options)
    plain, quantities = units.dequantify(ds)
    seen = _with(plain, also)
    chosen = chosen.settled(state=mode == "state")
    settings = {"conserve": conserve, "over": conserve_over if conserve else None, "mode": mode}
    settings |= {"decay": "fit" if fit else f"{chosen.decay_days:g}D"}
    errors: list[XOceanError] = []
    variables = []
    for found in _increments(seen, chosen.spec, fields):
        try:
            asked = _Asked(fields, spread, conserve, conserve_over, mode, device)
            variables.append(_variable(seen, found, asked))
        except XOceanError as error:
            errors.append(error)
    raise_all(errors, f"{len(errors)} increments cannot be smoothed")
    return Ready(plain, quantities, chosen, origin, tuple(variables), settings, fit)


@dataclass(frozen=True)
class _Asked:
    """The user's arguments that concern each variable."""

    fields: Mapping[str, str] | None
    spread: Any
    conserve: str | None
    over: Over
    mode: Mode
    device: str | None


def _model(model: Any, options: Mapping[str, Any]) -> tuple[Any, str | None, bool]:
    """The model with its options, where it came from, and whether its decay is yet to be fitted."""
    origin = None
    if model is None:
        warnings.warn(
            'no learned smoother is packaged yet: model=None takes "dong"; say so to be silent',
            stacklevel=5,
        )
        model = Dong()
    elif isinstance(model, (str, os.PathLike)):
        origin = os.fspath(model)
        model = persist.load(model)
    if not isinstance(model, Dong):
        raise TypeError(f"model {model!r} is no smoother")
    unknown = set(options) - {"decay", "head", "tail"}
    if unknown:
        raise TypeError(
            f"model {model.spec.name!r} does not take {', '.join(sorted(unknown))}; it takes "
            "decay, head, tail"
        )
    fit = isinstance(options.get("decay"), str) and options["decay"] == "fit"
    changes = {k: v for k, v in options.items() if k != "decay"}
    if "decay" in options and not fit:
        changes["decay_days"] = days_of(options["decay"])
    return model.with_options(**changes), origin, fit


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


def _variable(seen: xr.Dataset, found: cf.Found, asked: _Asked) -> Variable:
    name = found.variable
    increments = seen[name]
    if increments.dtype.kind not in "fiu":
        raise ValuesError(f"{name}: numbers are needed, not {increments.dtype}")
    _not_all_land(increments)
    lone = increments.to_dataset() if name in seen.coords else seen[[name]]
    axis = grid.time_axis(_with_bounds(lone, seen), minimum=3)
    steps = Steps(axis.days, axis.step_days, found.rate)
    dims = tuple(str(d) for d in increments.dims)
    where = grid.axes(increments)
    spec_units = next(f.units for f in Dong().spec.reads if f.key == found.key)
    # An amount is a rate times days.
    factor = found.conversion(f"{spec_units} day-1" if found.rate else spec_units).factor
    closure = _closure(asked.conserve, axis, steps)
    reduced = _reduced(asked.over, dims, axis.dim, where, name) if closure is not None else ()
    extras: dict[str, xr.DataArray] = {}
    sizes = _cell_sizes(seen, increments, asked.over, where) if closure is not None else []
    for number, size in enumerate(sizes):
        extras[f"size {number}"] = _aligned(size, increments, "cell sizes")
    named = _spread_of(asked.spread, name)
    if named is not None:
        extras["spread"] = _spread(seen, found, named, increments)
    target, attrs, state, dtype = _result(seen, found, asked, increments, extras, spec_units)
    job = Job(
        name=name,
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
    return Variable(found, target, increments, extras, job, attrs)


def _not_all_land(increments: xr.DataArray) -> None:
    # Only what is in memory is looked at: a lazy one is told when sums find nothing.
    held = increments.variable._data
    if isinstance(held, np.ndarray) and held.dtype.kind == "f" and bool(np.isnan(held).all()):
        raise ValuesError(f"{increments.name}: every value is missing, all land")


def _with_bounds(lone: xr.Dataset, seen: xr.Dataset) -> xr.Dataset:
    """The variable's own Dataset with the bounds of its coordinates."""
    wanted = [c.attrs.get("bounds") for c in lone.coords.values()]
    wanted += [c.encoding.get("bounds") for c in lone.coords.values()]
    present = {b: seen[b] for b in wanted if b in seen.variables}
    return lone.assign_coords(present) if present else lone


def _closure(conserve: str | None, axis: grid.TimeAxis, steps: Steps) -> Windows | Running | None:
    if conserve is None:
        return None
    if not isinstance(conserve, str):
        raise TypeError(f"conserve takes a frequency, not {conserve!r}")
    if conserve.startswith("running:"):
        return Running(steps.length, _running_days(conserve.removeprefix("running:")))
    return Windows(np.asarray(axis.segments(conserve).index))


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


def _cell_sizes(
    seen: xr.Dataset, increments: xr.DataArray, over: Over, where: grid.Axes
) -> list[xr.DataArray]:
    """What turns an increment into an amount, up to a constant, as factors: thickness, area."""
    sizes = []
    has_levels = "Z" in where and where["Z"] in increments.dims
    if has_levels and (over != "cell" or _moves(seen, increments)):
        own = _with_bounds(increments.to_dataset(), seen)
        sizes.append(grid.cell_thickness(seen if _given_thickness(seen) else own))
    apart = {where["T"], where.get("Z"), where.get("E")}
    if over == "global" and set(increments.dims) - apart:
        sizes += _factors(grid.cell_area(seen))
    return sizes


def _factors(area: xr.DataArray) -> list[xr.DataArray]:
    """An area as a product of two one-dimensional factors where it is one: it travels lighter."""
    if area.ndim != 2 or area.chunks is not None:
        return [area]
    row, column = area[0] / area[0, 0], area[:, 0]
    exact = np.allclose(column * row, area.transpose(*area.dims), rtol=1e-13, atol=0)
    return [column, row] if exact else [area]


def _given_thickness(seen: xr.Dataset) -> bool:
    try:
        cf.find(seen, "cell_thickness")
    except XOceanError:
        return False
    return True


def _moves(seen: xr.Dataset, increments: xr.DataArray) -> bool:
    """Whether a given thickness varies in time, so that even a cell's volume does."""
    if not _given_thickness(seen):
        return False
    return grid.axes(increments)["T"] in grid.cell_thickness(seen).dims


def _aligned(extra: xr.DataArray, increments: xr.DataArray, what: str) -> xr.DataArray:
    """An extra input with the increments' dimensions in their order, length one where it lacks."""
    for dim in extra.dims:
        if dim not in increments.dims or extra.sizes[dim] != increments.sizes[dim]:
            raise GridError(
                f"{what} {extra.name}{dict(extra.sizes)} does not fit "
                f"{increments.name}{dict(increments.sizes)}"
            )
    extra = extra.reset_coords(drop=True)
    missing = [dim for dim in increments.dims if dim not in extra.dims]
    return extra.expand_dims(missing).transpose(*increments.dims)


def _spread_of(spread: Any, name: str) -> str | None:
    if isinstance(spread, Mapping):
        return spread.get(name)
    return spread


def _spread(
    seen: xr.Dataset, found: cf.Found, named: str, increments: xr.DataArray
) -> xr.DataArray:
    kept = cf.find_spread(seen, found, named)
    assert kept is not None
    values = seen[kept.variable]
    if kept.role == "variance":
        values = np.sqrt(values).rename(kept.variable)
    return _aligned(values, increments, "spread")


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
    extras["state"] = _aligned(analysis, increments, "analysis")
    factor = 1 / replace(state, role="difference").conversion(spec_units).factor
    attrs = metadata.describe(analysis.attrs, role="state", units=state.units)
    return state.variable, attrs, factor, _floating(analysis.dtype)


def _floating(dtype: np.dtype) -> np.dtype:
    return np.dtype(dtype.newbyteorder("=")) if dtype.kind == "f" else np.dtype("float64")


def _device(device: str | None, increments: xr.DataArray) -> str:
    meta = increments.variable._data
    meta = getattr(meta, "_meta", meta)
    return devices.choose(device, meta)
