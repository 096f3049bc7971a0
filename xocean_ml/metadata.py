"""What an output says of itself: attributes, encodings, history, carried-along variables.

Written out, an output adds no CF finding to those of its input, and none at all to a clean one.
The input and its dictionaries are never shared or modified.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from .errors import GridError, UnitsError
from .spec import Role
from .units.strings import read

__all__ = ["describe", "finish", "history_line"]

STALE = frozenset(
    {"valid_range", "valid_min", "valid_max", "actual_range", "actual_min", "actual_max"}
    | {"scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned"}
)
"""Attributes that speak of the values (or their packing) and are wrong once these change."""

_CHUNKS = ("chunks", "preferred_chunks", "chunksizes", "shards")
# all other encodings are dropped from changed variables: zarr filters and quantization are packing
_STORAGE = frozenset(
    {"zlib", "complevel", "shuffle", "fletcher32", "contiguous", "szip", "zstd", "blosc"}
    | {"compression", "compression_opts", "compressor", "compressors", "grid_mapping"}
)
_REFERENCES = frozenset(
    {"bounds", "climatology", "ancillary_variables", "cell_measures", "formula_terms"}
    | {"coordinates", "grid_mapping"}
)
_BUILT_NAMES = {
    "spread": "standard deviation of {}",
    "variance": "variance of {}",
    "count": "number of {}",
    "weight": "weight of {}",
}


def describe(
    attrs: Mapping[str, Any],
    *,
    role: Role,
    units: str,
    standard_name: str | None = None,
    cell_methods: str | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """Return the attributes of an output variable.

    Parameters
    ----------
    attrs : mapping
        Attributes of the input variable it comes from; empty for a new one. Not modified.
    role : Role
        What kind of number it is: decides `units_metadata`.
    units : str
        Units of the output.
    standard_name, cell_methods : str, optional
        None keeps the input's, an empty string takes it away.
    **extra
        Further attributes; None takes one away.

    Returns
    -------
    dict
        With `units`, and `units_metadata` (CF 1.11, 3.1.2) if the units hold a temperature; a
        `long_name` is built from the standard name where there is none. Attributes on the range
        or packing of the old values are left out.

    Examples
    --------
    >>> name = "sea_water_potential_temperature"
    >>> for item in describe({"valid_max": 40}, role="spread", units="K", standard_name=name,
    ...                      cell_methods="realization: standard_deviation").items():
    ...     print(*item)
    standard_name sea_water_potential_temperature
    long_name standard deviation of sea water potential temperature
    units K
    units_metadata temperature: difference
    cell_methods realization: standard_deviation
    """
    kept = {key: value for key, value in attrs.items() if key not in STALE}
    name = kept.pop("standard_name", "") if standard_name is None else standard_name
    methods = kept.pop("cell_methods", "") if cell_methods is None else cell_methods
    if str(kept.get("units_metadata", "")).startswith("temperature"):
        del kept["units_metadata"]
    built = _BUILT_NAMES.get(role, "{}").format(name.replace("_", " ")) if name else ""
    described = kept | {
        "standard_name": name,
        "long_name": kept.get("long_name") or built,
        "units": units,
        "units_metadata": _units_metadata(role, units) or kept.get("units_metadata", ""),
        "cell_methods": methods,
        **extra,
    }
    wanted = {"units"}  # '' is the unit of a pure number
    return {k: v for k, v in described.items() if v is not None and (k in wanted or _filled(v))}


def _filled(value: Any) -> bool:
    return not (isinstance(value, str) and value == "")


def _units_metadata(role: Role, units: str) -> str:
    if role in {"count", "weight"}:
        return ""
    # C is the coulomb, but no field of the ocean has charges
    dimension = _dimension("degC" if units.strip() == "C" else units)
    if "[temperature]" not in dimension:
        return ""
    # 'K s-1', 'K2': never on a scale, whatever the field is
    on_scale = role == "state" and dimension == {"[temperature]": 1}
    return "temperature: on_scale" if on_scale else "temperature: difference"


def _dimension(units: str) -> dict[str, float]:
    try:
        return dict(read(units).unit.dimensionality)
    except UnitsError:  # what cannot be read is handed on as it is
        return {}


def history_line(what: str, **facts: Any) -> str:
    """Return one line of history: time in UTC, the library and its version, what was done.

    Parameters
    ----------
    what : str
        Name of what was done, e.g. ``"smooth"``.
    **facts
        What it takes to do it again: model, sha256, seed. None is left out.

    Examples
    --------
    >>> history_line("smooth", model="dong", seed=0)
    '...Z xocean_ml ...: smooth(model=dong, seed=0)'
    """
    from importlib.metadata import version

    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = ", ".join(f"{key}={value}" for key, value in facts.items() if value is not None)
    return f"{now} xocean_ml {version('xocean_ml')}: {what}({told})"


def finish(
    source: xr.Dataset,
    changed: Mapping[str, xr.DataArray],
    *,
    line: str,
    coordinates: xr.Dataset | None = None,
) -> xr.Dataset:
    """Make the output Dataset: the input with `changed` variables replaced or added.

    Parameters
    ----------
    source : Dataset
        The input; not modified, and no dictionary is shared with it.
    changed : mapping of str to DataArray
        New variables with their final attributes (see `describe`).
    line : str
        Line for the history (see `history_line`).
    coordinates : Dataset, optional
        Coordinates of a new grid that the changed variables lie on, and their bounds.

    Returns
    -------
    Dataset
        - Variables and coordinates of `source` are carried along where their dimensions still
          fit: same size and, where there is one, same index.
        - A replaced variable keeps its dimension order and floating dtype, its compression, its
          chunk sizes where they fit; its packing is cleared.
        - Coordinates and bounds are written without ``_FillValue``; references to variables that
          are not carried are taken away.
        - Global attributes stay (`Conventions` too: a claim that only the producer can make);
          `history` gains `line` at its end, as CF 2.6.2 says.

        Nothing is computed.

    Raises
    ------
    GridError
        Changed variables that do not lie on one grid.

    Examples
    --------
    >>> import xarray as xr
    >>> ds = xr.Dataset({"sst": ("x", [1.0, 2.0], {"units": "K"}), "n": ("x", [3, 4])})
    >>> out = finish(ds, {"sst": ds.sst / 2}, line=history_line("halve"))
    >>> list(out), out.sst.values, out.attrs["history"]
    (['sst', 'n'], array([0.5, 1. ]), '...Z xocean_ml ...: halve()')
    """
    new = _joined({name: _as_before(source, name, da) for name, da in changed.items()})
    if coordinates is not None:
        new = new.assign_coords(coordinates.coords)
        # bounds stay what they were in the input: coordinates or variables
        new = new.reset_coords([n for n in coordinates.coords if n in source.data_vars])
    carried = source.drop_vars([name for name in source.variables if not _fits(source, name, new)])
    out = xr.merge([new, carried], join="exact", compat="override", combine_attrs="override")
    order = dict.fromkeys([*source.data_vars, *out.data_vars])
    variables = {name: out[name].variable for name in order if name in out.data_vars}
    # a copy has Variables of its own, so that the dictionaries set below are nobody else's
    out = xr.Dataset(variables, coords=out.coords, attrs=dict(source.attrs)).copy()
    out.attrs["history"] = "\n".join(filter(None, [_old_history(source), " ".join(line.split())]))
    out.encoding = _dataset_encoding(source, out)
    _inherit(source, out)
    _drop_references(out, set(source.variables) - set(out.variables))
    _encode(source, out, changed)
    return out


def _joined(arrays: Mapping[str, xr.DataArray]) -> xr.Dataset:
    named = [da.rename(name) for name, da in arrays.items()]
    for one, other in combinations(named, 2):
        for dim in set(one.dims) & set(other.dims):
            if not _same_index(one, other, dim):
                raise GridError(f"{one.name} and {other.name} do not lie on one grid along {dim}")
    return xr.merge(named, join="exact", compat="override", combine_attrs="override")


def _same_index(one: Any, other: Any, dim: Hashable) -> bool:
    if one.sizes[dim] != other.sizes[dim]:
        return False
    if dim in one.indexes and dim in other.indexes:
        return bool(one.indexes[dim].equals(other.indexes[dim]))
    return True


def _fits(source: xr.Dataset, name: Hashable, new: xr.Dataset) -> bool:
    """Tell whether a variable of the input can be carried along beside the new ones."""
    dims = source[name].dims
    return name not in new.variables and all(
        dim not in new.sizes or _same_index(source, new, dim) for dim in dims
    )


def _as_before(source: xr.Dataset, name: str, da: xr.DataArray) -> xr.DataArray:
    """Give a replaced variable the dimension order and floating dtype of the old one."""
    if name not in source.variables:
        return da
    old = source[name]
    if set(old.dims) == set(da.dims) and old.dims != da.dims:
        da = da.transpose(*old.dims)
    # an integer dtype is not given back: it would cut the values
    floating = all(np.issubdtype(dtype, np.floating) for dtype in (old.dtype, da.dtype))
    return da.astype(old.dtype) if floating and da.dtype != old.dtype else da


def _old_history(source: xr.Dataset) -> str:
    return str(source.attrs.get("history", "")).rstrip("\n")


def _dataset_encoding(source: xr.Dataset, out: xr.Dataset) -> dict[str, Any]:
    encoding = {key: value for key, value in source.encoding.items() if key != "source"}
    if "unlimited_dims" in encoding:
        encoding["unlimited_dims"] = {dim for dim in encoding["unlimited_dims"] if dim in out.sizes}
    return encoding


def _inherit(source: xr.Dataset, out: xr.Dataset) -> None:
    """Give coordinates that lost their attributes or encoding on the way those of the input."""
    for dim in set(out.indexes) & set(source.indexes):
        if _same_index(source, out, dim):
            old, coordinate = source.variables[dim], out.variables[dim]
            coordinate.attrs = dict(coordinate.attrs or old.attrs)
            coordinate.encoding = dict(coordinate.encoding or old.encoding)


def _drop_references(out: xr.Dataset, lost: set[Hashable]) -> None:
    """Take away references to variables that were not carried along."""
    for variable in out.variables.values():
        for place in (variable.attrs, variable.encoding):
            for key in _REFERENCES:
                if lost & set(str(place.get(key, "")).split()):
                    del place[key]


def _encode(source: xr.Dataset, out: xr.Dataset, changed: Iterable[str]) -> None:
    changed = set(changed)
    bounds = set(_bounds_names(out))
    for name, variable in out.variables.items():
        if name in changed:
            old = source.variables[name].encoding if name in source.variables else {}
            variable.encoding = _unpacked(variable, old)
            variable.attrs = {k: v for k, v in variable.attrs.items() if k not in STALE}
        elif name in out.coords or name in bounds:
            always = name in out.sizes or name in bounds
            variable.encoding = _without_fill(variable.encoding, always=always)
            variable.encoding |= {"coordinates": None} if name in bounds else {}


def _bounds_names(ds: xr.Dataset) -> Iterable[str]:
    for variable in ds.variables.values():
        for place in (variable.attrs, variable.encoding):
            yield from (str(place[key]) for key in ("bounds", "climatology") if key in place)


def _without_fill(encoding: Mapping[Any, Any], *, always: bool) -> dict[Any, Any]:
    """Return an encoding with which xarray writes no ``_FillValue``.

    An auxiliary coordinate may be missing (CF 2.5.1): one that came with a fill value keeps it,
    unless it is the NaN that xarray writes everywhere.
    """
    fill = encoding.get("_FillValue")
    if not always and fill is not None and fill == fill:
        return dict(encoding)
    kept = {key: value for key, value in encoding.items() if key != "missing_value"}
    return kept | {"_FillValue": None}


def _is_float(fill: Any) -> bool:
    return np.issubdtype(np.asarray(fill).dtype, np.floating)


def _unpacked(variable: xr.Variable, old: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the encoding of a changed variable: storage kept, packing cleared."""
    encoding = {key: value for key, value in old.items() if key in _STORAGE}
    encoding |= {key: old[key] for key in _CHUNKS if key in old and _chunks_fit(variable, old[key])}
    fill = old.get("_FillValue", old.get("missing_value"))
    if fill is not None and np.issubdtype(variable.dtype, np.floating):
        keeps = _is_float(fill) and "scale_factor" not in old and "add_offset" not in old
        encoding["_FillValue"] = variable.dtype.type(fill if keeps else np.nan)
    return encoding


def _chunks_fit(variable: xr.Variable, chunks: Any) -> bool:
    """Tell whether stored chunks fit the shape, and are not cut by chunks of dask."""
    if isinstance(chunks, Mapping):
        chunks = tuple(chunks.get(dim, size) for dim, size in variable.sizes.items())
    if chunks is None or len(chunks) != variable.ndim:
        return False
    sizes = variable.shape
    if any(isinstance(c, tuple) or c > max(n, 1) for c, n in zip(chunks, sizes, strict=True)):
        return False
    dask = variable.chunks or tuple((size,) for size in sizes)
    # to_zarr refuses (it would write one stored chunk from two tasks)
    return not any(p % c for c, parts in zip(chunks, dask, strict=True) for p in parts[:-1])
