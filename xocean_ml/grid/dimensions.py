"""Which dimension is which axis: by attributes, then by values, then by names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from xocean_ml.errors import GridError
from xocean_ml.grid._labelled import Labelled, listed, variables_of
from xocean_ml.grid.horizontal import candidates
from xocean_ml.grid.vocabulary import AXIS_NAMES, LETTERS, axis_of, evidence, matches

__all__ = ["Axes", "axes", "dimension", "find"]

_WORDS = {
    "T": "time",
    "Z": "vertical",
    "Y": "latitude-like",
    "X": "longitude-like",
    "E": "ensemble",
}
_Claims: TypeAlias = dict[str, tuple[int, str]]


class Axes(Mapping[str, str]):
    """Frozen mapping from axis (``"T"``, ``"Z"``, ``"Y"``, ``"X"``, ``"E"``) to dimension name.

    Examples
    --------
    >>> Axes({"T": "time", "Y": "lat"})
    Axes(T='time', Y='lat')
    """

    __slots__ = ("_dims",)

    def __init__(self, dims: Mapping[str, str]) -> None:
        self._dims = dict(dims)

    def __getitem__(self, axis: str) -> str:
        return self._dims[axis]

    def __iter__(self) -> Iterator[str]:
        return iter(self._dims)

    def __len__(self) -> int:
        return len(self._dims)

    def __hash__(self) -> int:
        return hash(frozenset(self._dims.items()))

    def __repr__(self) -> str:
        return f"Axes({', '.join(f'{axis}={dim!r}' for axis, dim in self._dims.items())})"


def axes(obj: Labelled) -> Axes:
    """Find which dimension is which axis.

    Parameters
    ----------
    obj : Dataset or DataArray
        Anything with dimensions; data are not touched.

    Returns
    -------
    Axes
        The axes that were found; others (`bnds`, an unstructured `ncells`) are left out. Where
        latitude and longitude are two-dimensional, Y and X are the dimensions they lie on.

    Raises
    ------
    GridError
        Several dimensions are the same axis with equal right, e.g. two time axes.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> nemo = xr.Dataset({"nav_lat": (("y", "x"), np.zeros((2, 3)))})
    >>> axes(nemo)
    Axes(Y='y', X='x')
    """
    claims = _claims(obj)
    found = {axis: _winners(claims, axis) for axis in LETTERS}
    several = {axis: dims for axis, dims in found.items() if len(dims) > 1}
    if several:
        raise GridError("; ".join(_several(axis, dims) for axis, dims in several.items()))
    return Axes({axis: dims[0] for axis, dims in found.items() if dims})


def dimension(obj: Labelled, axis: str) -> str:
    """Return the dimension that is `axis`, which must be there and alone.

    Unlike `axes`, it does not mind whether other axes are ambiguous.

    Raises
    ------
    GridError
        No such axis, or several.

    Examples
    --------
    >>> import xarray as xr
    >>> dimension(xr.DataArray([1.0], dims="depth"), "Z")
    'depth'
    """
    dim = find(obj, axis)
    if dim is None:
        raise GridError(
            f"no {_WORDS[axis]} axis ({axis}); dimensions found: {listed(obj.sizes)}. Name it as "
            f"usual, or set its coordinate's attribute, e.g. obj[dim].attrs['axis'] = '{axis}'"
            f"{_scalar(obj, axis)}"
        )
    return dim


def find(obj: Labelled, axis: str) -> str | None:
    """Return the dimension that is `axis`, if there is one; several raise."""
    dims = _winners(_claims(obj), axis)
    if len(dims) > 1:
        raise GridError(_several(axis, dims))
    return dims[0] if dims else None


def _scalar(obj: Labelled, axis: str) -> str:
    """What to do where the coordinate is there, but has no dimension."""
    for name, coordinate in obj.coords.items():
        if coordinate.ndim == 0 and (found := evidence(coordinate)) and found[1] == axis:
            return f". {name} is there without a dimension: obj.expand_dims({str(name)!r})"
    return ""


def _several(axis: str, dims: list[str]) -> str:
    return (
        f"several {_WORDS[axis]} axes ({axis}): {listed(dims)}. Select the variables of one of "
        f"them, or set attrs['axis'] = '{axis}' on the right coordinate"
    )


def _winners(claims: _Claims, axis: str) -> list[str]:
    ranks = {dim: rank for dim, (rank, letter) in claims.items() if letter == axis}
    return [dim for dim, rank in ranks.items() if rank == min(ranks.values())]


def _claims(obj: Labelled) -> _Claims:
    """Return, for each dimension that is an axis, the rank of the evidence and the axis."""
    claims: _Claims = {}
    for dim in map(str, obj.sizes):
        claim = _by_coordinate(obj, dim) or _by_auxiliary(obj, dim)
        if claim:
            claims[dim] = claim
    for dim, letter in _by_curvilinear(obj, claims).items():
        claims.setdefault(dim, (5, letter))
    for dim in map(str, obj.sizes):
        for letter, pattern in AXIS_NAMES.items():
            if dim not in claims and matches(pattern, dim):
                claims[dim] = (6, letter)
    return claims


def _by_coordinate(obj: Labelled, dim: str) -> tuple[int, str] | None:
    return evidence(obj.coords[dim]) if dim in obj.coords else None


def _by_auxiliary(obj: Labelled, dim: str) -> tuple[int, str] | None:
    """Use one-dimensional coordinates on a dimension, unless they tell different axes."""
    # time, latitude and longitude on one dimension are points or an unstructured grid: no axis
    others = (each for name, each in obj.coords.items() if each.dims == (dim,) and name != dim)
    letters = {axis for axis in map(axis_of, others) if axis}
    return (4, letters.pop()) if len(letters) == 1 else None


def _by_curvilinear(obj: Labelled, claims: _Claims) -> dict[str, str]:
    """Tell Y and X from two-dimensional latitudes, by their dimensions' names, else order."""
    taken = {dim for dim, (_, letter) in claims.items() if letter not in "YX"}
    found: dict[str, str] = {}
    for name in candidates(obj, "latitude"):
        dims = [str(dim) for dim in variables_of(obj)[name].dims]
        if len(dims) == 2 and not taken & set(dims):
            swapped = matches(AXIS_NAMES["X"], dims[0]) and matches(AXIS_NAMES["Y"], dims[1])
            found |= dict(zip(dims, "XY" if swapped else "YX", strict=True))
    return found
