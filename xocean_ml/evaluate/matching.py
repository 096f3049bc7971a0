"""Members by the names, in the units and of the datum of what they are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import grid, units
from xocean_ml.errors import warn
from xocean_ml.evaluate.points import Cells
from xocean_ml.fields import Found
from xocean_ml.generative.domain import Domain
from xocean_ml.generative.reading import HEIGHTS, KNOWN
from xocean_ml.generative.sources import mean_topography

__all__ = ["alike", "by_name", "found_in"]


def found_in(ds: xr.Dataset) -> dict[str, Found]:
    """Fields of the sea's surface that a Dataset has, by key.

    Raises
    ------
    AmbiguousField, UnitsError
        As `xocean_ml.fields.find` raises them.

    Examples
    --------
    >>> from xocean_ml import tutorial
    >>> [found.variable for found in found_in(tutorial.open_dataset("surface")).values()]
    ['ssh', 'sst', 'sss', 'u', 'v']
    """
    return {key: found for key in KNOWN if (found := cf.look_for(ds, key)) is not None}


def alike(
    members: xr.Dataset, other: xr.Dataset, topographies: Sequence[xr.Dataset]
) -> dict[str, xr.DataArray]:
    """Fields of members that another Dataset has too, by its names, in its units.

    Parameters
    ----------
    members : Dataset
        Plain.
    other : Dataset
        Plain, on whatever.
    topographies : sequence of Dataset
        Where to look for a mean dynamic topography, which makes heights above the geoid of
        anomalies, and the other way.

    Returns
    -------
    dict of str to DataArray
        With the attributes that they have in `other`.

    Warns
    -----
    UserWarning
        Heights of the other datum, and no mean topography.
    """
    own, made = found_in(members), {}
    for key, wanted in found_in(other).items():
        array = None
        if key in own:
            change = own[key].conversion(wanted.units)
            array = members[own[key].variable]
            array = array if change.identity else array.copy(data=change(array.data))
        elif key in HEIGHTS and (datum := HEIGHTS[1 - HEIGHTS.index(key)]) in own:
            array = _of_other_datum(members, own[datum], wanted, topographies)
        if array is not None:
            made[wanted.variable] = _named(array, other[wanted.variable])
    return made


def by_name(members: xr.Dataset, truth: xr.Dataset) -> dict[str, xr.DataArray]:
    """Variables that no key is known of, by the names that both have; in the truth's units."""
    known = {each.variable for ds in (members, truth) for each in found_in(ds).values()}
    made = {}
    for name in map(str, truth.data_vars):
        if name in known or name not in members.data_vars or truth[name].dtype.kind != "f":
            continue
        if {"Y", "X"} <= set(grid.axes(truth[name])) and "E" in grid.axes(members[name]):
            array = members[name]
            own, its = units.units_of(array), units.units_of(truth[name])
            if own is not None and its is not None:
                array = array.copy(data=units.conversion(own, its, variable=name)(array.data))
            made[name] = _named(array, truth[name])
    return made


def _named(array: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    return array.drop_attrs(deep=False).assign_attrs(like.attrs).rename(like.name)


def _of_other_datum(
    members: xr.Dataset, own: Found, wanted: Found, topographies: Sequence[xr.Dataset]
) -> xr.DataArray | None:
    """A height by the mean topography: above the geoid it is the anomaly and that mean."""
    height = members[own.variable]
    mean = _topography(height, topographies)
    if mean is None:
        warn(
            f"{wanted.variable} is {wanted.key}, members have {own.key}: without a mean dynamic "
            "topography it is not scored. Add it, a variable 'mdt' in m"
        )
        return None
    sign = 1.0 if wanted.key == HEIGHTS[1] else -1.0
    metres = height.copy(data=own.conversion("m")(height.data))
    change = units.conversion("m", wanted.units, wanted.role)
    whole = (metres + sign * mean).transpose(*height.dims)
    return whole.copy(data=change(whole.data))


def _topography(height: xr.DataArray, datasets: Sequence[xr.Dataset]) -> xr.DataArray | None:
    """The mean dynamic topography, m, on the cells of a height."""
    cells = Cells.of(height, str(height.name))
    config: dict[str, Any] = {}
    mean = mean_topography(datasets, Domain(cells.state, config, cells.sides), {})
    if mean is None:
        return None
    return xr.DataArray(np.asarray(mean)[cells.flips], dims=cells.dims)
