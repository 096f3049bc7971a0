"""Reading labelled arrays of either kind, and labelling a result."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeAlias

import xarray as xr

__all__ = ["Labelled", "described", "listed", "text", "variables_of"]

Labelled: TypeAlias = xr.Dataset | xr.DataArray


def variables_of(obj: Labelled) -> Mapping[Hashable, xr.Variable]:
    """Return what may be a coordinate: of a Dataset every variable, of a DataArray its own."""
    # NEMO's nav_lat is a data variable unless some `coordinates` attribute names it
    if isinstance(obj, xr.Dataset):
        return obj.variables
    return {name: coordinate.variable for name, coordinate in obj.coords.items()}


def text(variable: xr.Variable | xr.DataArray, attribute: str) -> str:
    """Return an attribute as text; empty where there is none."""
    return str(variable.attrs.get(attribute, "")).strip()


def listed(names: Iterable[Any]) -> str:
    """Return names as an error tells them."""
    return ", ".join(map(str, names)) or "none"


def described(array: xr.DataArray, standard_name: str, **attrs: str) -> xr.DataArray:
    """Return an array of that standard name and name, with these attributes only."""
    # a copy first: a renamed DataArray shares its attributes with the user's
    array = array.copy(deep=False).rename(standard_name)
    array.attrs = {"standard_name": standard_name, **attrs}
    return array
