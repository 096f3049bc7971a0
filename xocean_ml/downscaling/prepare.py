"""Everything decided about a call of `downscale`, from metadata and coordinates alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from xocean_ml import chunked, grid, metadata, persist, units
from xocean_ml import fields as cf
from xocean_ml.calls import Call
from xocean_ml.device import choose
from xocean_ml.downscaling import graph, guides
from xocean_ml.downscaling.blocks import GuideJob, Job
from xocean_ml.downscaling.downscaler import COARSE_CELL, FACTOR, Downscaler
from xocean_ml.downscaling.target import Target, of_factor, of_like, spacing
from xocean_ml.errors import FieldNotFound, GridError, ValuesError, warn
from xocean_ml.spec import FieldSpec

__all__ = ["Group", "Ready", "prepare"]

GUIDED, UNGUIDED = "glio-guided", "glio"
"""What is taken where no model is named."""


@dataclass(frozen=True)
class Group:
    """Fields that go through the model together, and their guides.

    Parameters
    ----------
    found : tuple of (field or None, DataArray)
        What each variable is, and the variable.
    names : tuple of str
        Names of the results.
    target : Target
    guides : tuple of DataArray
        At the fields' times, rows and columns last and ascending.
    job : Job
    beyond : tuple of str
        What lies outside the training.
    """

    found: tuple[tuple[cf.Found | None, xr.DataArray], ...]
    names: tuple[str, ...]
    target: Target
    guides: tuple[xr.DataArray, ...]
    job: Job
    beyond: tuple[str, ...]

    @property
    def stacks(self) -> int:
        """Blocks along all dimensions but latitude and longitude."""
        return int(np.prod([len(self._leading(dim)) for dim in self.job.dims[:-2]]))

    @property
    def depth(self) -> int:
        """Maps in the largest block."""
        return int(np.prod([max(self._leading(dim)) for dim in self.job.dims[:-2]]))

    def _leading(self, dim: str) -> tuple[int, ...]:
        first = self.found[0][1]
        return _chunksizes(first, dim)

    @property
    def split(self) -> bool:
        """Whether a field comes in pieces of latitude or longitude."""
        first = self.found[0][1]
        return any(len(_chunksizes(first, dim)) > 1 for dim in self.target.dims)

    @property
    def lacking(self) -> bool:
        """Whether some of the target lies off the guides."""
        return any(
            not axis.wraps and ((own < -0.5) | (own > axis.count - 0.5)).any()
            for guide in self.job.guides
            for axis in guide.axes
            for own in (axis.at(np.arange(len(axis))),)
        )

    @property
    def is_lazy(self) -> bool:
        """Whether a field or a guide is a dask array."""
        return any(each.chunks is not None for _, each in self.found) or any(
            each.chunks is not None for each in self.guides
        )

    def arrays(self) -> tuple[list[da.Array], list[da.Array]]:
        """Fields and guides as dask arrays, in the order and chunks of the tasks."""
        leading = self.job.dims[:-2]
        ordered = [guides.ordered(each, self.target.sides, leading) for _, each in self.found]
        made = [chunked.lazy(each.data) for each in ordered]
        chunks = made[0].chunks
        fields = [each.rechunk(chunks) for each in made]
        with_guides = [
            chunked.lazy(each.data).rechunk(
                {axis: chunks[dim] for axis, dim in enumerate(guide.dims)}
            )
            for each, guide in zip(self.guides, self.job.guides, strict=True)
        ]
        return fields, with_guides

    def build(self, ready: Ready) -> tuple[da.Array, ...]:
        """The results, lazily."""
        return graph.build(*self.arrays(), self.job, ready.node, ready.model.channels)

    def run(self, ready: Ready) -> dict[str, xr.DataArray]:
        """The finer variables and their spreads: lazy if anything read is."""
        made: Sequence[Any] = self.build(ready)
        if not self.is_lazy:
            made = chunked.computed(made)
        roles = [role for role in ("state", *self.job.gives) for _ in self.found]
        every = zip(made, roles, [*self.found] * (1 + len(self.job.gives)), self.names, strict=True)
        return dict(self._labelled(*each) for each in every)

    def _labelled(
        self, data: Any, role: str, found: tuple[cf.Found | None, xr.DataArray], name: str
    ) -> tuple[str, xr.DataArray]:
        field, source = found
        kept = {
            str(c): v.variable
            for c, v in source.coords.items()
            if not set(v.dims) & set(self.target.dims)
        }
        dims = self.job.dims
        made = xr.DataArray(data, dims=dims, coords=kept, name=name)
        flips = {
            d: slice(None, None, -1)
            for d, f in zip(dims[-2:], self.target.flipped, strict=True)
            if f
        }
        made = made.isel(flips).assign_coords(
            {name: c for name, c in self.target.coordinates.coords.items() if c.ndim == 1}
        )
        made = made.transpose(*map(str, source.dims))
        told = str(source.attrs.get("units", ""))
        if role == "state":
            made.attrs = _attrs(source, field, told)
        else:
            attrs = metadata.describe({}, role="spread", units=told)
            made.attrs = attrs | {
                "long_name": f"standard error of {source.name}, as the model says"
            }
        return name, made


def _chunksizes(array: xr.DataArray, dim: str) -> tuple[int, ...]:
    """Chunks of a dimension; those of the values alone, coordinates may come in others."""
    return tuple(array.variable.chunksizes.get(dim, (array.sizes[dim],)))


def _attrs(source: xr.DataArray, field: cf.Found | None, units: str) -> dict[str, Any]:
    """Attributes of a finer field: it is what it was, a difference of temperatures, say."""
    if field is not None:
        return metadata.describe(source.attrs, role=field.role, units=units)
    attrs = metadata.describe(source.attrs, role="state", units=units)
    attrs |= {name: source.attrs.get(name) for name in ("units", "units_metadata")}
    return {name: value for name, value in attrs.items() if value is not None}


@dataclass(frozen=True)
class Ready(Call):
    """Everything decided: what `downscale` runs and what `plan` prints."""

    task = "downscale"

    source: xr.Dataset
    quantities: dict[Any, Any]
    model: Downscaler
    origin: str | None
    groups: tuple[Group, ...]
    settings: dict[str, Any]


def prepare(
    ds: xr.Dataset,
    model: Any,
    *,
    factor: Any = None,
    like: Any = None,
    guide: xr.Dataset | None = None,
    fields: Mapping[str, str] | None = None,
    conserve: bool = False,
    device: str | None = None,
) -> Ready:
    """Decide everything about a call."""
    _of_right_kinds(ds, guide, fields)
    _one_target(factor, like)
    chosen, origin = _model(model, guide is not None)
    called = persist.called(chosen, origin)
    _guided_as_wanted(chosen, called, guide)
    plain, quantities = units.dequantify(ds)
    like = None if like is None else _plain_grid(like)
    beside = _guides(guide, chosen, fields)
    groups = []
    for found in _groups(plain, chosen, fields):
        source = plain[[str(each.name) for _, each in found]]
        with_bounds = _with_bounds(source, plain)
        target = of_factor(with_bounds, factor) if like is None else of_like(with_bounds, like)
        groups.append(_group(found, target, beside, chosen, conserve, device))
        _tell_beyond(groups[-1], called)
    settings = {
        "factor": tuple(round(f, 4) for f in groups[0].target.factor),
        "guide": ",".join(str(each.name) for each in groups[0].guides) or None,
        "conserve": conserve or None,
    }
    return Ready(plain, quantities, chosen, origin, tuple(groups), settings)


def _of_right_kinds(ds: Any, guide: Any, fields: Any) -> None:
    if not isinstance(ds, xr.Dataset):
        hint = "; da.downscale(...) takes it" if isinstance(ds, xr.DataArray) else ""
        raise TypeError(f"downscale takes a Dataset, not {type(ds).__name__}{hint}")
    if guide is not None and not isinstance(guide, xr.Dataset):
        hint = "; guide.to_dataset()" if isinstance(guide, xr.DataArray) else ""
        raise TypeError(f"guide= takes a Dataset, not {type(guide).__name__}{hint}")
    if fields is not None and not isinstance(fields, Mapping):
        raise TypeError(
            f"fields={fields!r}: it takes a mapping from what a field is to its variable, "
            "{'sea_surface_temperature': 'sst'}"
        )


def _one_target(factor: Any, like: Any) -> None:
    if (factor is None) == (like is None):
        given = "both were" if factor is not None else "neither was"
        raise TypeError(f"give either factor= or like=; {given} given")
    if like is not None and not isinstance(like, (xr.Dataset, xr.DataArray)):
        raise TypeError(f"like= takes a Dataset or DataArray, not {type(like).__name__}")


def _model(model: Any, guided: bool) -> tuple[Downscaler, str | None]:
    usual = GUIDED if guided else UNGUIDED
    model, origin = persist.loaded(usual if model is None else model)
    if not isinstance(model, Downscaler):
        raise TypeError(f"model {model!r} is no downscaler")
    return model, origin


def _guided_as_wanted(model: Downscaler, called: str, guide: xr.Dataset | None) -> None:
    if model.guided and guide is None:
        wanted = ", ".join(each.key for each in _guide_specs(model))
        raise TypeError(f"model {called!r} needs guide=, a Dataset with {wanted}")
    if guide is not None and not model.guided:
        other = f"; {GUIDED!r} is" if called == UNGUIDED else ""
        raise TypeError(f"model {called!r} does not take guide: it is not guided{other}")


def _plain_grid(like: xr.Dataset | xr.DataArray) -> xr.Dataset:
    ds = like.coords.to_dataset() if isinstance(like, xr.DataArray) else like
    return units.dequantify(ds)[0]


Beside = tuple[FieldSpec, "cf.Found", xr.DataArray]


def _guides(
    guide: xr.Dataset | None, model: Downscaler, fields: Mapping[str, str] | None
) -> tuple[Beside, ...]:
    """Guides: what the model wants, how each was found, and the variable."""
    if guide is None:
        return ()
    plain, _ = units.dequantify(guide)
    found = [
        (spec, cf.find(plain, spec.key, role=spec.role, fields=fields))
        for spec in _guide_specs(model)
    ]
    return tuple((spec, each, plain[each.variable]) for spec, each in found)


def _guide_specs(model: Downscaler) -> list[FieldSpec]:
    written = {each.key for each in model.spec.writes}
    return [each for each in model.spec.reads if each.key not in written]


def _with_bounds(source: xr.Dataset, plain: xr.Dataset) -> xr.Dataset:
    names: set[str] = set()
    for name, each in source.coords.items():
        # decode_coords="all" moves the attribute to the encoding
        told = {str(place.get("bounds", "")) for place in (each.attrs, each.encoding)}
        names |= told | {f"{name}_bnds", f"{name}_bounds"}
    return source.assign({name: plain[name] for name in names if name in plain.variables})


Found = tuple[tuple["cf.Found | None", xr.DataArray], ...]


def _groups(
    plain: xr.Dataset, model: Downscaler, fields: Mapping[str, str] | None
) -> Iterator[Found]:
    """Variables that go through the model together."""
    if model.spec.writes:
        every = [
            cf.find(plain, each.key, role=each.role, fields=fields) for each in model.spec.writes
        ]
        yield tuple((each, plain[each.variable]) for each in every)
        return
    lat, lon = grid.latitude(plain), grid.longitude(plain)
    named = [str(name) for name in fields.values()] if fields else []
    there = ", ".join(map(str, plain.data_vars)) or "none"
    for name in named:
        if name not in plain.data_vars:
            raise FieldNotFound(
                f"fields={dict(fields or {})}: there is no variable {name!r}; there are {there}"
            )
        missing = {*lat.dims, *lon.dims} - set(plain[name].dims)
        if missing:
            raise GridError(
                f"fields={dict(fields or {})}: {name} does not lie on {lat.name}, {lon.name}: it "
                f"has no dimension {', '.join(sorted(map(str, missing)))}. Leave it out"
            )
    cells = _of_cells(plain)
    chosen = named or [
        str(name)
        for name, each in plain.data_vars.items()
        if {*lat.dims, *lon.dims} <= set(each.dims) and each.dtype.kind == "f" and name not in cells
    ]
    if not chosen:
        raise FieldNotFound(
            f"no floating-point variable on {lat.name}, {lon.name} to make finer; variables: "
            f"{there}. Whole numbers are taken if they are named: fields={{'any': name}}"
        )
    for name in chosen:
        yield ((None, plain[name]),)


def _of_cells(plain: xr.Dataset) -> set[str]:
    """Variables that tell of the coarse cells: bounds and sizes, wrong on any other grid."""
    names = {
        str(name)
        for name, each in plain.variables.items()
        if each.attrs.get("standard_name") == "cell_area"
    }
    for each in plain.variables.values():
        for place in (each.attrs, each.encoding):
            names.add(str(place.get("bounds", "")))
            # "area: areacello volume: volcello"
            names |= set(str(place.get("cell_measures", "")).split())
    return names


def _group(
    found: Found,
    target: Target,
    beside: tuple[Beside, ...],
    model: Downscaler,
    conserve: bool,
    device: str | None,
) -> Group:
    first = found[0][1]
    for _, each in found:
        _checked(each, first, target)
    leading = tuple(str(d) for d in first.dims if d not in target.dims)
    arrays: list[xr.DataArray] = []
    jobs: list[GuideJob] = []
    rows_chunks, columns_chunks = (_chunks(first, side) for side in target.sides)
    windows = (
        graph.cuts(target.axes[0], rows_chunks, model, conserve),
        graph.cuts(target.axes[1], columns_chunks, model, conserve),
    )
    for each_guide in beside:
        array, read = _guide(each_guide, first, leading, target, windows)
        arrays.append(array)
        jobs.append(read)
    conversions = [_conversion(each, field, model) for field, each in found]
    data = [each.data for _, each in found]
    job = Job(
        names=tuple(str(each.name) for _, each in found),
        dims=(*leading, *target.dims),
        axes=target.axes,
        cuts=windows,
        factors=tuple(f for f, _ in conversions),
        offsets=tuple(o for _, o in conversions),
        # Whole numbers would be cut, and hold no land.
        dtypes=tuple(each.dtype.str if each.dtype.kind == "f" else "<f8" for _, each in found),
        gives=model.gives,
        guides=tuple(jobs),
        conserve=conserve,
        flipped=(target.sides[0].flipped, target.sides[1].flipped),
        measures=target.measures if conserve else None,
        device=choose(device, data[0]),
    )
    names = [*job.names, *(f"{name}_spread" for _ in job.gives for name in job.names)]
    return Group(found, tuple(names), target, tuple(arrays), job, model.beyond(_facts(target)))


def _tell_beyond(group: Group, called: str) -> None:
    if group.beyond:
        names, why = ", ".join(group.job.names), "; ".join(group.beyond)
        told = f"{names}: outside what {called!r} was trained on: {why}"
        warn(told)


def _checked(each: xr.DataArray, first: xr.DataArray, target: Target) -> None:
    if each.dtype.kind not in "fiu":
        raise ValuesError(f"{each.name}: numbers are needed, not {each.dtype}")
    if set(each.dims) != set(first.dims):
        raise GridError(
            f"{each.name} {each.dims} and {first.name} {first.dims} do not have the same dimensions"
        )
    missing = set(target.dims) - set(map(str, each.dims))
    if missing:
        raise GridError(f"{each.name} has no dimension {', '.join(sorted(missing))}")


def _chunks(array: xr.DataArray, side: Any) -> tuple[int, ...]:
    """Chunks of an axis in ascending order."""
    sizes = _chunksizes(array, side.dim)
    return sizes[::-1] if side.flipped else sizes


def _conversion(
    each: xr.DataArray, field: cf.Found | None, model: Downscaler
) -> tuple[float, float]:
    if field is None:
        return 1.0, 0.0
    spec = next(s for s in model.spec.writes if s.key == field.key)
    change = field.conversion(spec.units)
    return float(change.factor), float(change.offset)


def _guide(
    guide: Beside,
    first: xr.DataArray,
    leading: tuple[str, ...],
    target: Target,
    windows: Any,
) -> tuple[xr.DataArray, GuideJob]:
    """A guide at the fields' times, and how it is read."""
    spec, field, array = guide
    array = guides.timed(array, guides.times_of(first))
    axes, sides = guides.guide_axes(array, target)
    own = [str(d) for d in array.dims if d not in {sides[0].dim, sides[1].dim}]
    array = array.isel({d: 0 for d in own if array.sizes[d] == 1 and first.sizes.get(d) != 1})
    unknown = [d for d in own if d in array.dims and d not in leading]
    if unknown:
        dim = unknown[0]
        how = f"sel({dim}=...)" if grid.axes(array).get("T") == dim else f"isel({dim}=0)"
        raise GridError(
            f"guide {array.name} has dimensions that {first.name} lacks: {', '.join(unknown)}. "
            f"Select or average: guide.{how}"
        )
    dims = tuple(d for d in leading if d in array.dims)
    for dim in dims:
        guides.alike(array, first, dim)
    array = guides.ordered(array, sides, dims)
    change = field.conversion(spec.units)
    job = GuideJob(
        name=str(array.name),
        dims=tuple(leading.index(d) for d in dims),
        axes=axes,
        cuts=(guides.guide_cuts(axes[0], windows[0]), guides.guide_cuts(axes[1], windows[1])),
        factor=float(change.factor),
        offset=float(change.offset),
        stored=tuple((side.dim, side.flipped) for side in sides),
    )
    return array, job


def _facts(target: Target) -> dict[str, tuple[float, float]]:
    """What a model may compare with its training: least and greatest along the two axes."""
    every = {COARSE_CELL: spacing(target.sides), FACTOR: target.factor}
    return {name: (float(min(each)), float(max(each))) for name, each in every.items()}
