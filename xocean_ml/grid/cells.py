"""Sizes of cells: area in m2, thickness in m; as given, or derived from the coordinates."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xocean_ml.errors import GridError
from xocean_ml.grid._bounds import bounds_of, edges_of, midpoint_edges
from xocean_ml.grid._labelled import Labelled, described, listed, text, variables_of
from xocean_ml.grid._sphere import polygon_areas, strip_areas
from xocean_ml.grid.horizontal import latitude, longitude
from xocean_ml.grid.vertical import as_depth, depth, vertical
from xocean_ml.units import conversion

__all__ = ["cell_area", "cell_thickness"]


def cell_area(obj: Labelled) -> xr.DataArray:
    """Return the area of each cell in m2.

    Taken from the file where it is given (`cell_area`, ``areacello``, ``e1t * e2t``), else the
    exact area R^2 (sin b1 - sin b0) dlon between parallels and meridians, from the coordinates'
    bounds or from midpoints between centres (clipped at the poles). For two-dimensional
    coordinates, corners are means of the four centres around them (extrapolated at the rim) and
    cells are spherical polygons.

    Returns
    -------
    DataArray
        Area in m2, dimensions (Y, X); float64 where derived. Lazy where the coordinates are.

    Raises
    ------
    GridError
        No area given and none to be derived: points, an unstructured grid, a single row.
    UnitsError
        An area given in units that are none of an area; without units it is in m2.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xocean_ml.grid import EARTH_RADIUS
    >>> ds = xr.Dataset(coords={"lat": [-45.0, 45.0], "lon": [0.0, 120.0, 240.0]})
    >>> total = cell_area(ds).sum() / (4 * np.pi * EARTH_RADIUS**2)
    >>> round(float(total), 12)
    1.0
    """
    given = _given(obj, "cell_area", ("areacello", "cell_area", "area_t", "areat", "tarea"))
    if given is not None:
        return _as_area(_in_units(given, "m2"))
    variables = variables_of(obj)
    if "e1t" in variables and "e2t" in variables:
        return _as_area(obj["e1t"] * obj["e2t"])
    lat, lon = latitude(obj), longitude(obj)
    if lat.ndim == lon.ndim == 1 and lat.dims != lon.dims:
        return _as_area(_on(lat, strip_areas(edges_of(obj, lat))) * _width(obj, lon))
    if lat.ndim == lon.ndim == 2 and lat.dims == lon.dims:
        return _as_area(_curvilinear_area(lat, lon))
    raise GridError(
        f"cells cannot be derived from {lat.name}{lat.dims} and {lon.name}{lon.dims}: they are "
        "points. Give a variable with standard_name 'cell_area' in m2"
    )


def _given(obj: Labelled, standard_name: str, names: tuple[str, ...]) -> xr.DataArray | None:
    variables = variables_of(obj)
    found = [n for n, v in variables.items() if text(v, "standard_name") == standard_name]
    found = found or [name for name in names if name in variables]
    if len(found) > 1:
        raise GridError(f"several {standard_name}: {listed(found)}. Keep the one to use")
    return obj[found[0]] if found else None


def _in_units(given: xr.DataArray, units: str) -> xr.DataArray:
    """Convert a size that a file gives; one that comes without units is meant to be in these."""
    convert = conversion(text(given, "units") or units, units, variable=str(given.name))
    return given.copy(data=convert(given.data))


def _as_area(area: xr.DataArray) -> xr.DataArray:
    return described(area, "cell_area", units="m2")


def _as_thickness(thickness: xr.DataArray) -> xr.DataArray:
    return described(thickness, "cell_thickness", units="m")


def _on(coordinate: xr.DataArray, values: NDArray[np.float64]) -> xr.DataArray:
    """Return values that lie where a coordinate lies."""
    return xr.DataArray(values, coords=coordinate.coords, dims=coordinate.dims)


def _width(obj: Labelled, lon: xr.DataArray) -> xr.DataArray:
    """Return the width of a cell in radians, shape (X,)."""
    edges = edges_of(obj, lon)
    width = np.abs(edges[:, 1] - edges[:, 0])
    if lon.size > 2:  # bounds such as (359, 1) go over the seam
        width = np.where(width > 180, np.abs(360 - width), width)
    return _on(lon, np.deg2rad(width))


def _curvilinear_area(lat: xr.DataArray, lon: xr.DataArray) -> xr.DataArray:
    if min(lat.shape) < 2:
        raise GridError(
            f"{lat.name}{lat.shape}: a single row has no cell size. Give a variable with "
            "standard_name 'cell_area' in m2"
        )
    core = [str(dim) for dim in lat.dims]
    return xr.apply_ufunc(
        polygon_areas,
        lat,
        lon,
        input_core_dims=[core, core],
        output_core_dims=[core],
        dask="parallelized",
        dask_gufunc_kwargs={"allow_rechunk": True},
        output_dtypes=[np.float64],
    )


def cell_thickness(obj: Labelled) -> xr.DataArray:
    """Return the thickness of each level in m.

    Taken from the file where it is given (`cell_thickness`, ``thkcello``, ``e3t``; it may vary
    in time and space), else from the bounds of the vertical coordinate, else from midpoints
    between levels with the surface at 0 and the deepest level symmetric about its centre.

    Raises
    ------
    GridError
        No thickness given and none to be derived.
    UnitsError
        A thickness given in units that are no length; without units it is in m.

    Examples
    --------
    >>> import xarray as xr
    >>> cell_thickness(xr.Dataset(coords={"depth": [0.0, 10.0, 30.0]})).values
    array([ 5., 15., 20.])
    """
    given = _given(obj, "cell_thickness", ("thkcello", "e3t", "cell_thickness"))
    if given is not None:
        return _as_thickness(_in_units(given, "m"))
    level, coordinate = depth(obj), vertical(obj)
    if level.ndim != 1 or level.dims != coordinate.dims:
        raise GridError(
            f"depth of shape {level.shape}: thickness is not derived where depth varies. Give a "
            "variable with standard_name 'cell_thickness' in m"
        )
    if bounds_of(obj, coordinate) is not None:
        thickness = _between_bounds(obj, coordinate)
    else:
        thickness = _between_midpoints(np.asarray(level.values, np.float64), coordinate.name)
    return _as_thickness(_on(coordinate, thickness))


def _between_bounds(obj: Labelled, coordinate: xr.DataArray) -> NDArray[np.float64]:
    # edges are of the coordinate's kind: pressures become depths by the same rule
    edges = xr.DataArray(
        edges_of(obj, coordinate),
        dims=(*coordinate.dims, "bounds"),
        name=coordinate.name,
        attrs=coordinate.attrs,
    )
    return np.abs(np.diff(as_depth(edges, obj).values, axis=1))[:, 0]


def _between_midpoints(level: NDArray[np.float64], name: Hashable) -> NDArray[np.float64]:
    if level.size < 2:
        raise GridError("one level without bounds has no thickness: give 'cell_thickness' in m")
    order = np.argsort(level)
    edges = midpoint_edges(level[order])
    if level[order[0]] < 0 or (np.diff(edges) <= 0).any():
        raise GridError(f"{name}: depths must differ and lie below the surface")
    edges[0] = 0.0
    thickness = np.empty_like(level)
    thickness[order] = np.diff(edges)
    return thickness
