"""Scores of several models as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

__all__ = ["joined"]


def joined(
    scored: Mapping[str, xr.Dataset], variables: Sequence[str], units: Mapping[str, str]
) -> xr.Dataset:
    """One table of several.

    Parameters
    ----------
    scored : mapping of str to Dataset
        By model, along ``variable`` and ``rank``; ``members`` among them.
    variables : sequence of str
        All that any model was scored by, in order.
    units : mapping of str to str
        Of the variables.

    Returns
    -------
    Dataset
        With a leading dimension ``model``; NaN, and no points, where a model lacks a variable, or
        has fewer members than another.
    """
    ranks = max((each["rank"] for each in scored.values()), key=len)
    whole = {name: 0 for each in scored.values() for name in each if each[name].dtype.kind == "i"}
    fill = {name: whole.get(name, np.nan) for each in scored.values() for name in each.data_vars}
    several = [
        each.reindex(variable=list(variables), rank=ranks.values, fill_value=fill)
        for each in scored.values()
    ]
    out = xr.concat(several, xr.Variable("model", [*scored]), data_vars="all", coords="minimal")
    out = out.transpose("model", "variable", ...)
    out["rank"].attrs.update(ranks.attrs)
    told = [units.get(name, "") for name in variables]
    return out.assign_coords(units=("variable", told, {"long_name": "units of the variable"}))
