"""The vertical coordinate, and depth in m."""

from __future__ import annotations

import xarray as xr

from xocean_ml import seawater
from xocean_ml.errors import GridError, UnitsError
from xocean_ml.grid._labelled import Labelled, described, listed, text
from xocean_ml.grid.dimensions import find
from xocean_ml.grid.horizontal import latitude
from xocean_ml.grid.vocabulary import AXIS_NAMES, axis_of, matches
from xocean_ml.units import compatible, conversion

__all__ = ["as_depth", "depth", "vertical"]


def depth(obj: Labelled) -> xr.DataArray:
    """Return the depth of the levels in m, positive down.

    A coordinate that counts upwards (``positive: up``, a height, or values all below zero) is
    turned round. Pressure becomes depth with TEOS-10 (`gsw.z_from_p`) where latitudes are known:
    the result then lies on the vertical and the latitude's dimensions.

    Returns
    -------
    DataArray
        Depth in m; in general of shape (Z,).

    Raises
    ------
    GridError
        No vertical coordinate, or one that is neither length nor pressure (level numbers, sigma).

    Examples
    --------
    >>> import xarray as xr
    >>> z = xr.DataArray([-5.0, -20.0], dims="z", attrs={"units": "METERS", "positive": "up"})
    >>> depth(xr.Dataset(coords={"z": z})).values
    array([ 5., 20.])
    """
    return as_depth(vertical(obj), obj)


def vertical(obj: Labelled) -> xr.DataArray:
    """Return the vertical coordinate as it is: levels on the vertical axis, or a single one."""
    dim = find(obj, "Z")
    dims = [] if dim is None else [dim]
    for name, coordinate in obj.coords.items():
        named = str(name) in dims or matches(AXIS_NAMES["Z"], name)
        on_axis = [str(each) for each in coordinate.dims] == dims
        if on_axis and (named or axis_of(coordinate) == "Z"):
            return coordinate
    raise GridError(
        f"no depths: dimensions {listed(obj.sizes)}, coordinates {listed(obj.coords)}. Add a "
        "coordinate `depth` in m with attrs {'units': 'm', 'positive': 'down', 'axis': 'Z'}"
    )


def as_depth(level: xr.DataArray, obj: Labelled) -> xr.DataArray:
    """Return levels of any shape, described by their attributes, as depth in m, positive down."""
    units = text(level, "units")
    if not units and (text(level, "standard_name") == "depth" or "depth" in str(level.name)):
        units = "m"
    try:
        if compatible(units, "dbar"):
            down = _depth_of_pressure(conversion(units, "dbar")(level), obj)
        else:
            down = conversion(units, "m")(level) * (-1.0 if _counts_up(level) else 1.0)
    except UnitsError:
        raise GridError(
            f"{level.name}: a vertical coordinate in {units or 'no units'!r}, which is no depth. "
            "Give depths in m, e.g. obj.assign_coords(depth=(dim, values, {'units': 'm', "
            "'positive': 'down', 'axis': 'Z'})).swap_dims({dim: 'depth'})"
        ) from None
    # + 0.0 so that the surface of a height axis is 0, not -0
    return described(down + 0.0, "depth", units="m", positive="down", axis="Z")


def _counts_up(level: xr.DataArray) -> bool:
    positive = text(level, "positive").lower()
    if positive in {"up", "down"}:
        return positive == "up"
    if text(level, "standard_name") in {"height", "altitude"}:
        return True
    return bool((level.values <= 0).all() and (level.values < 0).any())


def _depth_of_pressure(pressure: xr.DataArray, obj: Labelled) -> xr.DataArray:
    try:
        where = latitude(obj)
    except GridError as error:
        raise GridError(
            f"{pressure.name} is a pressure, and depth depends on latitude: {error}"
        ) from None
    return seawater.depth_of_pressure(pressure, where)
