"""Where a field lies: axes, coordinates, time steps and windows, cell sizes, the seam.

Nothing here computes the data of a variable; small one-dimensional coordinates are read at once,
so that a wrong axis is told before anything runs.

The vocabulary follows CF: ``T`` time, ``Z`` vertical, ``Y`` and ``X`` horizontal; ``E`` is the
ensemble, as in GrADS. Axes are found by attributes first, then by kind of values, then by the
names that producers use; never by position.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .errors import GridError

__all__ = [
    "EARTH_RADIUS",
    "Axes",
    "Segments",
    "TimeAxis",
    "axes",
    "cell_area",
    "cell_thickness",
    "depth",
    "dimension",
    "is_periodic",
    "latitude",
    "longitude",
    "same_grid",
    "time_axis",
]

EARTH_RADIUS = 6371.0088e3
"""Mean radius of the Earth, R1 = (2a + b)/3 of WGS84, in m (Moritz 2000)."""

Labelled: TypeAlias = xr.Dataset | xr.DataArray

_LETTERS = "TZYXE"
_WORDS = {"T": "time", "Z": "vertical", "Y": "latitude-like", "X": "longitude-like"} | {
    "E": "ensemble"
}

# ---------------------------------------------------------------- vocabulary

_STANDARD_NAMES = {
    "time": "T",
    "depth": "Z",
    "depth_below_geoid": "Z",
    "height": "Z",
    "altitude": "Z",
    "model_level_number": "Z",
    "sea_water_pressure": "Z",
    "air_pressure": "Z",
    "ocean_sigma_coordinate": "Z",
    "ocean_s_coordinate": "Z",
    "ocean_s_coordinate_g1": "Z",
    "ocean_s_coordinate_g2": "Z",
    "latitude": "Y",
    "grid_latitude": "Y",
    "projection_y_coordinate": "Y",
    "longitude": "X",
    "grid_longitude": "X",
    "projection_x_coordinate": "X",
    "realization": "E",
}
_NORTH = re.compile(r"degrees?_?n(orth)?")
_EAST = re.compile(r"degrees?_?e(ast)?")
_AXIS_NAMES = {
    "T": re.compile(r"t|time\d*|times|valid_time|time_counter|ocean_time|datetime|dates?"),
    "Z": re.compile(
        r"z|k|depth[tuvw]?|lev|level|olevel|nav_lev|s_(rho|w)|z_?[lict]|s[tw]_ocean"
        r"|zax.*|pres(sure)?|height|altitude"
    ),
    "Y": re.compile(
        r"y|j|nj|lat|latitude|rlat|nlat|y_?[tuvwfcgqh]|eta_(rho|u|v|psi)|y[tu]_ocean|yax.*"
    ),
    "X": re.compile(
        r"x|i|ni|lon|longitude|rlon|nlon|x_?[tuvwfcgqh]|xi_(rho|u|v|psi)|x[tu]_ocean|xax.*"
    ),
    "E": re.compile(r"reali[sz]ation|number|member(_id)?|ens|ensemble(_member)?"),
}
_STAGGER = r"(_?(t|u|v|w|f|c|rho|psi))?"
_COORDINATE_NAMES = {
    "latitude": re.compile(rf"(nav_|geo|[tu])?lat(itude)?{_STAGGER}|gphi[tuvf]"),
    "longitude": re.compile(rf"(nav_|geo|[tu])?lon(g|gitude)?{_STAGGER}|glam[tuvf]"),
}
_COORDINATE_UNITS = {"latitude": _NORTH, "longitude": _EAST}
_COORDINATE_RANGE = {"latitude": (-90.5, 90.5), "longitude": (-361.0, 721.0)}
_METRES = {"m": 1.0, "meter": 1.0, "metre": 1.0, "cm": 0.01, "km": 1e3, "kilometer": 1e3}
_DECIBARS = {"dbar": 1.0, "decibar": 1.0, "db": 1.0, "pa": 1e-4, "hpa": 1e-2, "bar": 10.0}


def _text(variable: xr.Variable | xr.DataArray, attribute: str) -> str:
    return str(variable.attrs.get(attribute, "")).strip()


def _matches(pattern: re.Pattern[str], name: Hashable) -> bool:
    return pattern.fullmatch(str(name).lower()) is not None


# ---------------------------------------------------------------- axes


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
    found = {axis: _winners(claims, axis) for axis in _LETTERS}
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
    dims = _winners(_claims(obj), axis)
    if len(dims) > 1:
        raise GridError(_several(axis, dims))
    if not dims:
        raise GridError(
            f"no {_WORDS[axis]} axis ({axis}); dimensions found: {_listed(obj.sizes)}. Name it as "
            f"usual, or set its coordinate's attribute, e.g. obj[dim].attrs['axis'] = '{axis}'"
        )
    return dims[0]


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) or "none"


def _several(axis: str, dims: list[str]) -> str:
    return (
        f"several {_WORDS[axis]} axes ({axis}): {_listed(dims)}. Select the variables of one of "
        f"them, or set attrs['axis'] = '{axis}' on the right coordinate"
    )


_Claims: TypeAlias = dict[str, tuple[int, str]]


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
        for letter, pattern in _AXIS_NAMES.items():
            if dim not in claims and _matches(pattern, dim):
                claims[dim] = (6, letter)
    return claims


def _evidence(variable: xr.Variable | xr.DataArray) -> tuple[int, str] | None:
    """Return the axis that a coordinate's attributes and values tell, best evidence first."""
    axis = _text(variable, "axis").upper()
    if axis and axis in _LETTERS:
        return 0, axis
    standard_name, units = _text(variable, "standard_name"), _text(variable, "units").lower()
    if standard_name in _STANDARD_NAMES:
        return 1, _STANDARD_NAMES[standard_name]
    if _NORTH.fullmatch(units):
        return 2, "Y"
    if _EAST.fullmatch(units):
        return 2, "X"
    if _text(variable, "positive").lower() in {"up", "down"}:
        return 2, "Z"
    if _is_datelike(variable) or " since " in units:
        # a named other time (forecast_reference_time) must not rival the time itself
        return (3 if standard_name else 2), "T"
    return None


def _is_datelike(variable: xr.Variable | xr.DataArray) -> bool:
    if np.issubdtype(variable.dtype, np.datetime64):
        return True
    if variable.dtype != object or variable.chunks is not None or variable.size == 0:
        return False
    return hasattr(variable.values.flat[0], "calendar")


def _by_coordinate(obj: Labelled, dim: str) -> tuple[int, str] | None:
    return _evidence(obj.coords[dim]) if dim in obj.coords else None


def _by_auxiliary(obj: Labelled, dim: str) -> tuple[int, str] | None:
    """Use one-dimensional coordinates on a dimension, unless they tell different axes."""
    # time, latitude and longitude on one dimension are points or an unstructured grid: no axis
    letters = set()
    for name, coordinate in obj.coords.items():
        if coordinate.dims == (dim,) and name != dim:
            found = _evidence(coordinate)
            letters |= {found[1]} if found else set()
    return (4, letters.pop()) if len(letters) == 1 else None


def _by_curvilinear(obj: Labelled, claims: _Claims) -> dict[str, str]:
    """Tell Y and X from two-dimensional latitudes, by their dimensions' names, else order."""
    taken = {dim for dim, (_, letter) in claims.items() if letter not in "YX"}
    found: dict[str, str] = {}
    for name in _candidates(obj, "latitude"):
        dims = [str(dim) for dim in _variables(obj)[name].dims]
        if len(dims) == 2 and not taken & set(dims):
            swapped = _matches(_AXIS_NAMES["X"], dims[0]) and _matches(_AXIS_NAMES["Y"], dims[1])
            found |= dict(zip(dims, "XY" if swapped else "YX", strict=True))
    return found


# ---------------------------------------------------------------- coordinates


def latitude(obj: Labelled) -> xr.DataArray:
    """Return the latitude, degrees north: of shape (Y,), (Y, X), a point's (), or (time,) ...

    Raises
    ------
    GridError
        None found, several with equal right, or values that cannot be latitudes.

    Examples
    --------
    >>> import xarray as xr
    >>> ds = xr.Dataset(coords={"LAT": ("LAT", [10.0, 20.0])})
    >>> latitude(ds).values
    array([10., 20.])
    """
    return _horizontal(obj, "latitude")


def longitude(obj: Labelled) -> xr.DataArray:
    """Return the longitude, degrees east, in whatever range it came; see `latitude`."""
    return _horizontal(obj, "longitude")


def _variables(obj: Labelled) -> Mapping[Hashable, xr.Variable]:
    # NEMO's nav_lat is a data variable unless some `coordinates` attribute names it
    if isinstance(obj, xr.Dataset):
        return obj.variables
    return {name: coordinate.variable for name, coordinate in obj.coords.items()}


def _candidates(obj: Labelled, kind: str) -> list[Hashable]:
    """Return the variables that are `kind`, best evidence only."""
    found = [name for name, v in _variables(obj).items() if v.ndim <= 2 and _is(name, v, kind)]
    # the 1 Hz `lat` beside `lat_20hz`: a dimension's own coordinate first, then the plain name
    own = [name for name in found if name in obj.sizes]
    usual = [name for name in found if _matches(_COORDINATE_NAMES[kind], name)]
    return own or usual or found


def _is(name: Hashable, variable: xr.Variable, kind: str) -> bool:
    standard_name, units = _text(variable, "standard_name"), _text(variable, "units").lower()
    if standard_name:
        return standard_name == kind
    if units:
        tells = _COORDINATE_UNITS[kind].fullmatch(units) is not None
        return tells or (units.startswith("deg") and _matches(_COORDINATE_NAMES[kind], name))
    return _matches(_COORDINATE_NAMES[kind], name)


def _horizontal(obj: Labelled, kind: str) -> xr.DataArray:
    found = _candidates(obj, kind)
    if not found:
        raise GridError(
            f"no {kind} among {_listed(_variables(obj))}. Add it, e.g. "
            f"obj.assign_coords({kind}=(dims, values, {{'standard_name': '{kind}', ...}}))"
        )
    if len(found) > 1:
        raise GridError(
            f"several {kind}s: {_listed(found)}. Take the variable to work on, or drop the others"
        )
    coordinate = obj[found[0]]
    if coordinate.ndim <= 1:
        _check_range(coordinate, kind)
    return coordinate


def _check_range(coordinate: xr.DataArray, kind: str) -> None:
    low, high = _COORDINATE_RANGE[kind]
    values = np.asarray(coordinate.values, np.float64)
    wrong = values[(values < low) | (values > high)]
    if wrong.size:
        raise GridError(
            f"{coordinate.name}: {wrong.flat[0]:g} is no {kind} in degrees; expected {low:g} to "
            f"{high:g}. Mend the coordinate, or rename it if it is something else"
        )


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
        No vertical coordinate, or one that is no length (level numbers, sigma).

    Examples
    --------
    >>> import xarray as xr
    >>> z = xr.DataArray([-5.0, -20.0], dims="z", attrs={"units": "METERS", "positive": "up"})
    >>> depth(xr.Dataset(coords={"z": z})).values
    array([ 5., 20.])
    """
    level = _vertical(obj)
    units = _text(level, "units").lower()
    if units in _DECIBARS:
        return _depth_of_pressure(level * _DECIBARS[units], obj)
    if not units and (_text(level, "standard_name") == "depth" or "depth" in str(level.name)):
        units = "m"
    factor = _METRES.get(units, _METRES.get(units.rstrip("s")))
    if factor is None:
        raise GridError(
            f"{level.name}: a vertical coordinate in {units or 'no units'!r}, which is no depth. "
            "Give depths in m, e.g. obj.assign_coords(depth=(dim, values, {'units': 'm', "
            "'positive': 'down', 'axis': 'Z'})).swap_dims({dim: 'depth'})"
        )
    return _as_depth(level * (-factor if _counts_up(level) else factor))


def _vertical(obj: Labelled) -> xr.DataArray:
    dims = _winners(_claims(obj), "Z")
    if len(dims) > 1:
        raise GridError(_several("Z", dims))
    for name, coordinate in obj.coords.items():
        found = _evidence(coordinate)
        named = _matches(_AXIS_NAMES["Z"], name)
        on_axis = [str(dim) for dim in coordinate.dims] == dims
        if on_axis and (str(name) in dims or named or (found is not None and found[1] == "Z")):
            return coordinate
    raise GridError(
        f"no depths: dimensions {_listed(obj.sizes)}, coordinates {_listed(obj.coords)}. Add a "
        "coordinate `depth` in m with attrs {'units': 'm', 'positive': 'down', 'axis': 'Z'}"
    )


def _counts_up(level: xr.DataArray) -> bool:
    positive = _text(level, "positive").lower()
    if positive in {"up", "down"}:
        return positive == "up"
    if _text(level, "standard_name") in {"height", "altitude"}:
        return True
    return bool((level.values <= 0).all() and (level.values < 0).any())


def _as_depth(level: xr.DataArray) -> xr.DataArray:
    # + 0.0 so that the surface of a height axis is 0, not -0
    return _described(level + 0.0, "depth", units="m", positive="down", axis="Z")


def _depth_of_pressure(pressure: xr.DataArray, obj: Labelled) -> xr.DataArray:
    try:
        where = latitude(obj)
    except GridError as error:
        raise GridError(
            f"{pressure.name} is a pressure, and depth depends on latitude: {error}"
        ) from None
    import gsw

    height = xr.apply_ufunc(
        gsw.z_from_p, pressure, where, dask="parallelized", output_dtypes=[np.float64]
    )
    return _as_depth(-height)


# ---------------------------------------------------------------- time


@dataclass(frozen=True, eq=False)
class Segments:
    """Windows of a time axis.

    Parameters
    ----------
    index : ndarray of int64, shape (time,)
        Window of each step: 0, 1, ... without gaps.
    edges : ndarray, shape (windows + 1,)
        Start of each window and end of the last, as dates of the axis' calendar.
    """

    index: NDArray[np.int64]
    edges: NDArray[Any]


_FREQUENCY = re.compile(r"(\d*)([YQM][SE]?|W|D|h|min|s)(?:-([A-Z]{3}))?")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_UNIT_MONTHS = {"Y": 12, "Q": 3, "M": 1}
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_UNIT_MICROSECONDS = {"W": 7 * _DAY, "D": _DAY, "h": _DAY // 24, "min": 60 * _SECOND, "s": _SECOND}


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """Checked times of a series: sorted, unique, decoded. Made by `time_axis`.

    Parameters
    ----------
    dim : str
        Name of the dimension.
    values : ndarray, shape (time,)
        ``datetime64`` or `cftime` dates.
    bounds : ndarray, shape (time, 2), optional
        Start and end of each step, dates of the same kind.
    """

    dim: str
    values: NDArray[Any]
    bounds: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def days(self) -> NDArray[np.float64]:
        """Days since the first step, exact in the axis' calendar; shape (time,)."""
        return _microseconds(self.values, self.values[0]) / _DAY

    @cached_property
    def step_days(self) -> NDArray[np.float64]:
        """Length of each step in days, shape (time,).

        From the time bounds; without them steps meet half-way between the times, and the outer
        steps are symmetric about theirs.
        """
        if self.bounds is not None:
            start, end = (_microseconds(each, self.values[0]) for each in self.bounds.T)
            return (end - start) / _DAY
        if len(self) < 2:
            raise GridError(
                f"{self.dim}: one step without time bounds has no length. Give bounds, e.g. a "
                f"variable named in obj['{self.dim}'].attrs['bounds']"
            )
        return np.diff(_midpoint_edges(self.days))

    def segments(self, freq: str, anchor: int = 1900) -> Segments:
        """Cut the axis into windows that do not depend on where the series starts or ends.

        Windows are counted from 1 January of the year `anchor` in the axis' own calendar, so
        that cropping a series never moves them. A step belongs to the window that holds the
        middle of its bounds (without bounds: its time).

        A first or last window of which the data cover less than half (sum of the step lengths
        against the window's length) joins its neighbour: closing a stub on its own would let
        its few steps carry a whole window's correction.

        Parameters
        ----------
        freq : str
            pandas frequency: years (``"5YS"``, ``"YS-APR"``), quarters (``"QS"``), months
            (``"6MS"``), weeks, days (``"365D"``), ``h``, ``min``, ``s``; ``"all"`` is one window.
            Year, quarter and month *ends* (``"YE"``) mean the same windows as starts.
        anchor : int
            Year from which windows are counted.

        Returns
        -------
        Segments
            Window of each step and the windows' edges. Windows without steps are left out.

        Raises
        ------
        GridError
            A frequency that cannot be read.

        Examples
        --------
        >>> import xarray as xr
        >>> times = xr.date_range("1992-01-01", "2009-12-01", freq="MS")
        >>> series = xr.DataArray(range(len(times)), dims="time", coords={"time": times})
        >>> windows = time_axis(series).segments("5YS")
        >>> windows.edges.astype("datetime64[Y]")
        array(['1990', '1995', '2000', '2005', '2010'], dtype='datetime64[Y]')
        """
        epoch = _epoch(self.values[0], anchor)
        if freq == "all":
            return Segments(np.zeros(len(self), np.int64), self._ends(epoch))
        number, start = _windows(freq, self._middles(epoch), epoch)
        windows, index = np.unique(number, return_inverse=True)
        starts = np.array([start(each) for each in windows] + [start(windows[-1] + 1)])
        lengths = np.array([start(each + 1) - start(each) for each in windows]) / _DAY
        if len(windows) > 1:
            covered = np.bincount(index, self.step_days)
            if 2 * covered[-1] < lengths[-1]:
                starts = np.delete(starts, -2)
            if len(starts) > 2 and 2 * covered[0] < lengths[0]:
                starts = np.delete(starts, 1)
        middles = _microseconds(self._middles(epoch), epoch)
        index = np.searchsorted(starts[1:-1], middles, side="right")
        return Segments(index.astype(np.int64), _dates(starts, epoch))

    def _middles(self, epoch: Any) -> NDArray[Any]:
        if self.bounds is None:
            return self.values
        start, end = (_microseconds(each, epoch) for each in self.bounds.T)
        return _dates((start + end) // 2, epoch)

    def _ends(self, epoch: Any) -> NDArray[Any]:
        if self.bounds is not None:
            return np.array([self.bounds[0, 0], self.bounds[-1, 1]])
        ends = _microseconds(self.values[[0, -1]], epoch)
        if len(self) > 1:
            ends[1] += round(self.step_days[-1] * _DAY)
        return _dates(ends, epoch)


def time_axis(obj: Labelled, *, minimum: int = 1) -> TimeAxis:
    """Find the time axis of `obj` and check it at once.

    Parameters
    ----------
    obj : Dataset or DataArray
        A Dataset also gives the time bounds, if its time coordinate names any.
    minimum : int
        Least number of steps.

    Raises
    ------
    GridError
        No time axis, undecoded numbers, missing, unsorted or duplicated times, too few steps,
        bounds that do not fit.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> times = np.array(["2001-01-01", "2001-01-11", "2001-01-31"], "datetime64[ns]")
    >>> time_axis(xr.DataArray(times, dims="time", coords={"time": times})).step_days
    array([10., 15., 20.])
    """
    dim = dimension(obj, "T")
    times = _time_coordinate(obj, dim)
    values = times.values
    name = str(times.name)
    if not _is_datelike(times):
        raise GridError(_undecoded(name, times))
    if len(values) < minimum:
        raise GridError(f"{name}: {len(values)} steps; at least {minimum} are needed")
    missing = np.flatnonzero(times.isnull().values)
    if missing.size:
        raise GridError(
            f"{name}: {missing.size} missing times, the first at index {missing[0]}. Drop them, "
            f"e.g. obj.sel({dim}=obj['{name}'].notnull())"
        )
    _check_order(name, dim, values)
    return TimeAxis(dim, values, _time_bounds(obj, times))


def _time_coordinate(obj: Labelled, dim: str) -> xr.DataArray:
    if dim in obj.coords:
        return obj.coords[dim]
    for coordinate in obj.coords.values():
        found = _evidence(coordinate)
        if coordinate.dims == (dim,) and found is not None and found[1] == "T":
            return coordinate
    raise GridError(
        f"{dim}: a time dimension without times. Add them, e.g. obj.assign_coords({dim}="
        f"xr.date_range('2000-01-01', periods={obj.sizes[dim]}, freq='MS'))"
    )


def _undecoded(name: str, times: xr.DataArray) -> str:
    units = _text(times, "units")
    if not units:
        return (
            f"{name}: plain numbers without units are no dates. Set obj['{name}'].attrs['units'], "
            "e.g. 'days since 1900-01-01', and decode with xr.decode_cf(obj)"
        )
    what = f"{name}: undecoded times in {units!r}"
    if re.search(r"since\s+0+-", units):
        return (
            f"{what}: year 0 marks a climatology, which has no dates. Give it those it stands for, "
            f"e.g. obj.assign_coords({name}=xr.date_range('2000-01-01', periods="
            f"{times.size}, freq='MS'))"
        )
    return f"{what}. Decode them with xr.decode_cf(obj), or open without decode_times=False"


def _check_order(name: str, dim: str, values: NDArray[Any]) -> None:
    backward = np.flatnonzero(values[1:] < values[:-1])
    if backward.size:
        at = backward[0]
        raise GridError(
            f"{name}: times are not sorted: {values[at + 1]} at index {at + 1} follows "
            f"{values[at]}. Sort them: obj.sortby('{dim}')"
        )
    twice = np.flatnonzero(values[1:] == values[:-1])
    if twice.size:
        raise GridError(
            f"{name}: {twice.size} duplicated times, the first {values[twice[0]]} at indices "
            f"{twice[0]} and {twice[0] + 1}. Drop them: obj.drop_duplicates('{dim}')"
        )


def _time_bounds(obj: Labelled, times: xr.DataArray) -> NDArray[Any] | None:
    bounds = _bounds(obj, times)
    if bounds is None:
        return None
    if not _is_datelike(bounds):
        raise GridError(f"{bounds.name}: time bounds that are no dates. Decode: xr.decode_cf(obj)")
    values = bounds.values
    wrong = np.flatnonzero(~(values[:, 0] < values[:, 1]))
    if wrong.size:
        raise GridError(
            f"{bounds.name}: step {wrong[0]} ends at {values[wrong[0], 1]}, not after its start "
            f"{values[wrong[0], 0]}. Mend the bounds, or drop them"
        )
    return values


def _epoch(date: Any, year: int) -> Any:
    """Return 1 January of `year` in the calendar of `date`."""
    if isinstance(date, np.datetime64):
        return np.datetime64(f"{year:04d}-01-01", "us")
    return date.replace(year=year, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)


def _microseconds(dates: NDArray[Any], epoch: Any) -> NDArray[np.int64]:
    # integers, so that a step on a window's edge is never on the wrong side of it
    if isinstance(epoch, np.datetime64):
        return (dates.astype("datetime64[us]") - epoch.astype("datetime64[us]")).astype(np.int64)
    return np.array([(date - epoch) // timedelta(microseconds=1) for date in dates], np.int64)


def _dates(microseconds: NDArray[np.int64], epoch: Any) -> NDArray[Any]:
    if isinstance(epoch, np.datetime64):
        return epoch + microseconds.astype("timedelta64[us]")
    dates = np.empty(len(microseconds), object)
    dates[:] = [epoch + timedelta(microseconds=int(each)) for each in microseconds]
    return dates


def _windows(
    freq: str, dates: NDArray[Any], epoch: Any
) -> tuple[NDArray[np.int64], Callable[[int], int]]:
    """Return each date's window number, and a function from number to start (us since epoch)."""
    match = _FREQUENCY.fullmatch(freq)
    count, unit, month = match.groups() if match else ("", "", None)
    multiple = int(count or 1)
    calendar = unit[:1] in {"Y", "Q", "M"}
    if not match or multiple < 1 or (month and (unit[0] not in "YQ" or month not in _MONTHS)):
        raise GridError(
            f"frequency {freq!r} cannot be read; expected 'all' or a pandas frequency in years, "
            "quarters, months, weeks, days, hours, minutes or seconds, e.g. '5YS', 'QS', '365D'"
        )
    if not calendar:
        width = multiple * _UNIT_MICROSECONDS[unit]
        return _microseconds(dates, epoch) // width, lambda number: int(number) * width
    months = multiple * _UNIT_MONTHS[unit[0]]
    first = _month_numbers(np.array([epoch]))[0] + _first_month(unit, month)

    def start(number: int) -> int:
        return _month_start(int(first + number * months), epoch)

    return (_month_numbers(dates) - first) // months, start


def _first_month(unit: str, month: str | None) -> int:
    """Return the month (0 to 11) in which windows start: 'YE-MAR' ends in March, so April."""
    if month is None:
        return 0
    return (_MONTHS.index(month) + (unit[1:] != "S")) % 12


def _month_numbers(dates: NDArray[Any]) -> NDArray[np.int64]:
    """Return months since year 0."""
    if np.issubdtype(dates.dtype, np.datetime64):
        return dates.astype("datetime64[M]").astype(np.int64) + 1970 * 12
    return np.array([date.year * 12 + date.month - 1 for date in dates], np.int64)


def _month_start(number: int, epoch: Any) -> int:
    if isinstance(epoch, np.datetime64):
        start: Any = np.datetime64(number - 1970 * 12, "M")
        return int((start.astype("datetime64[us]") - epoch).astype(np.int64))
    start = epoch.replace(year=number // 12, month=number % 12 + 1)
    return (start - epoch) // timedelta(microseconds=1)


# ---------------------------------------------------------------- cells


def _midpoint_edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return n + 1 edges half-way between n >= 2 centres, the outer cells symmetric."""
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _bounds(obj: Labelled, coordinate: xr.DataArray) -> xr.DataArray | None:
    """Return the bounds of a coordinate, of shape coordinate.shape + (vertices,), if it has any."""
    # decode_coords="all" moves the attribute to the encoding
    named = coordinate.attrs.get("bounds") or coordinate.encoding.get("bounds")
    usual = (f"{coordinate.name}_bnds", f"{coordinate.name}_bounds")
    for name in (named, *usual):
        if name in _variables(obj):
            bounds = obj[name]
            if bounds.shape[:-1] == coordinate.shape and bounds.dims[:-1] == coordinate.dims:
                return bounds
    return None


def _given(obj: Labelled, standard_name: str, names: tuple[str, ...]) -> xr.DataArray | None:
    variables = _variables(obj)
    found = [n for n, v in variables.items() if _text(v, "standard_name") == standard_name]
    found = found or [name for name in names if name in variables]
    if len(found) > 1:
        raise GridError(f"several {standard_name}: {_listed(found)}. Keep the one to use")
    return obj[found[0]] if found else None


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

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> ds = xr.Dataset(coords={"lat": [-45.0, 45.0], "lon": [0.0, 120.0, 240.0]})
    >>> total = cell_area(ds).sum() / (4 * np.pi * EARTH_RADIUS**2)
    >>> round(float(total), 12)
    1.0
    """
    given = _given(obj, "cell_area", ("areacello", "cell_area", "area_t", "areat", "tarea"))
    if given is not None:
        return _in_square_metres(given)
    variables = _variables(obj)
    if "e1t" in variables and "e2t" in variables:
        return _as_area(obj["e1t"] * obj["e2t"])
    lat, lon = latitude(obj), longitude(obj)
    if lat.ndim == lon.ndim == 1 and lat.dims != lon.dims:
        return _as_area(_strip_area(obj, lat) * _width(obj, lon))
    if lat.ndim == lon.ndim == 2 and lat.dims == lon.dims:
        return _as_area(_curvilinear_area(lat, lon))
    raise GridError(
        f"cells cannot be derived from {lat.name}{lat.dims} and {lon.name}{lon.dims}: they are "
        "points. Give a variable with standard_name 'cell_area' in m2"
    )


def _in_square_metres(given: xr.DataArray) -> xr.DataArray:
    units = _text(given, "units").replace("^", "").replace("**", "").replace(" ", "")
    factor = {
        "": 1.0,
        "m2": 1.0,
        "mm": 1.0,
        "m.m": 1.0,
        "meter2": 1.0,
        "km2": 1e6,
        "centimeter2": 1e-4,
    }
    if units not in factor:
        raise GridError(f"{given.name}: cell area in {units!r}; give it in m2")
    return _as_area(given if factor[units] == 1 else given * factor[units])


def _as_area(area: xr.DataArray) -> xr.DataArray:
    return _described(area, "cell_area", units="m2")


def _described(array: xr.DataArray, standard_name: str, **attrs: str) -> xr.DataArray:
    # a copy first: a renamed DataArray shares its attributes with the user's
    array = array.copy(deep=False).rename(standard_name)
    array.attrs = {"standard_name": standard_name, **attrs}
    return array


def _edges_of(obj: Labelled, centres: xr.DataArray) -> NDArray[np.float64]:
    """Return the edges of each cell, shape (n, 2), in the order of the centres."""
    bounds = _bounds(obj, centres)
    if bounds is not None and bounds.shape[-1] == 2:
        return np.asarray(bounds.values, np.float64)
    if centres.size < 2:
        raise GridError(
            f"{centres.name}: one cell without bounds has no size. Give its edges in a variable "
            f"of shape (1, 2) named in obj['{centres.name}'].attrs['bounds']"
        )
    values = np.asarray(centres.values, np.float64)
    if _matches(_COORDINATE_NAMES["longitude"], centres.name) or _is(
        centres.name or "", centres.variable, "longitude"
    ):
        values = np.unwrap(values, period=360)
    step = np.diff(values)
    if not ((step > 0).all() or (step < 0).all()):
        raise GridError(f"{centres.name} is not monotonic. Sort it: obj.sortby('{centres.name}')")
    edges = _midpoint_edges(values)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def _on(coordinate: xr.DataArray, values: NDArray[np.float64]) -> xr.DataArray:
    """Return values that lie where a coordinate lies."""
    return xr.DataArray(values, coords=coordinate.coords, dims=coordinate.dims)


def _strip_area(obj: Labelled, lat: xr.DataArray) -> xr.DataArray:
    """Return the area of a strip one radian wide, m2, shape (Y,)."""
    edges = np.deg2rad(np.clip(_edges_of(obj, lat), -90, 90))
    sines = np.sin(edges)
    return _on(lat, EARTH_RADIUS**2 * np.abs(sines[:, 1] - sines[:, 0]))


def _width(obj: Labelled, lon: xr.DataArray) -> xr.DataArray:
    """Return the width of a cell in radians, shape (X,)."""
    edges = _edges_of(obj, lon)
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
        _polygon_areas,
        lat,
        lon,
        input_core_dims=[core, core],
        output_core_dims=[core],
        dask="parallelized",
        dask_gufunc_kwargs={"allow_rechunk": True},
        output_dtypes=[np.float64],
    )


def _polygon_areas(lat: NDArray[Any], lon: NDArray[Any]) -> NDArray[np.float64]:
    """Return areas in m2 of the cells around centres in degrees, both of shape (Y, X)."""
    # unit vectors know neither seam nor pole
    phi, lam = np.deg2rad(lat.astype(np.float64)), np.deg2rad(lon.astype(np.float64))
    centre = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    for axis in (1, 2):
        first, second, before, last = (np.take(centre, [i], axis) for i in (0, 1, -2, -1))
        centre = np.concatenate([2 * first - second, centre, 2 * last - before], axis)
    corner = centre[:, :-1, :-1] + centre[:, 1:, :-1] + centre[:, :-1, 1:] + centre[:, 1:, 1:]
    corner /= np.linalg.norm(corner, axis=0)
    a, b, c, d = corner[:, :-1, :-1], corner[:, 1:, :-1], corner[:, 1:, 1:], corner[:, :-1, 1:]
    return EARTH_RADIUS**2 * (_excess(a, b, c) + _excess(a, c, d))


def _excess(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any]) -> NDArray[np.float64]:
    """Return the area of spherical triangles of unit vectors (van Oosterom and Strackee 1983)."""

    def dot(p: NDArray[Any], q: NDArray[Any]) -> NDArray[Any]:
        return (p * q).sum(0)

    triple = np.abs(dot(a, np.cross(b, c, axis=0)))
    return 2 * np.arctan2(triple, 1 + dot(a, b) + dot(b, c) + dot(c, a))


def cell_thickness(obj: Labelled) -> xr.DataArray:
    """Return the thickness of each level in m.

    Taken from the file where it is given (`cell_thickness`, ``thkcello``, ``e3t``; it may vary
    in time and space), else from the bounds of the vertical coordinate, else from midpoints
    between levels with the surface at 0 and the deepest level symmetric about its centre.

    Raises
    ------
    GridError
        No thickness given and none to be derived.

    Examples
    --------
    >>> import xarray as xr
    >>> cell_thickness(xr.Dataset(coords={"depth": [0.0, 10.0, 30.0]})).values
    array([ 5., 15., 20.])
    """
    given = _given(obj, "cell_thickness", ("thkcello", "e3t", "cell_thickness"))
    if given is not None:
        return _described(given, "cell_thickness", units="m")
    level = depth(obj)
    if level.ndim != 1:
        raise GridError(
            f"depth of shape {level.shape}: thickness is not derived where depth varies. Give a "
            "variable with standard_name 'cell_thickness' in m"
        )
    coordinate = _vertical(obj)
    thickness = _thickness(obj, coordinate, np.asarray(level.values, np.float64))
    return _described(_on(coordinate, thickness), "cell_thickness", units="m")


def _thickness(
    obj: Labelled, coordinate: xr.DataArray, level: NDArray[np.float64]
) -> NDArray[np.float64]:
    if _bounds(obj, coordinate) is not None:
        edges = _edges_of(obj, coordinate)
        units = _text(coordinate, "units").lower()
        factor = _METRES.get(units, _METRES.get(units.rstrip("s"), 1.0))
        return factor * np.abs(edges[:, 1] - edges[:, 0])
    if level.size < 2:
        raise GridError("one level without bounds has no thickness: give 'cell_thickness' in m")
    order = np.argsort(level)
    edges = _midpoint_edges(level[order])
    if level[order[0]] < 0 or (np.diff(edges) <= 0).any():
        raise GridError(f"{coordinate.name}: depths must differ and lie below the surface")
    edges[0] = 0.0
    thickness = np.empty_like(level)
    thickness[order] = np.diff(edges)
    return thickness


# ---------------------------------------------------------------- whole grids


def is_periodic(obj: Labelled) -> bool:
    """Tell whether the first column follows the last: n * dlon is 360 degrees.

    Only for longitudes of one dimension, in any range and direction. A grid without them, or
    with the first column repeated at the end (0 and 360), is not called periodic.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> is_periodic(xr.Dataset(coords={"lon": np.arange(-180.0, 180.0)}))
    True
    """
    if not _candidates(obj, "longitude"):
        return False
    lon = longitude(obj)
    if lon.ndim != 1 or lon.size < 3 or lon.dims == _lat_dims(obj):
        return False
    values = np.unwrap(np.asarray(lon.values, np.float64), period=360)
    step = np.diff(values)
    size = abs(values[-1] - values[0]) / (lon.size - 1)
    even = np.abs(np.abs(step) - size).max() < 0.1 * size
    return bool(even and abs(lon.size * size - 360) < 0.01 * size)


def _lat_dims(obj: Labelled) -> tuple[Hashable, ...]:
    return latitude(obj).dims if _candidates(obj, "latitude") else ()


def same_grid(a: Labelled, b: Labelled, tolerance: float = 1e-3) -> bool:
    """Tell whether two objects have the same latitudes and longitudes in the same order.

    Parameters
    ----------
    a, b : Dataset or DataArray
        Latitude and longitude of one or two dimensions; they are read.
    tolerance : float
        Greatest difference, in degrees of arc. Longitudes may differ by whole turns.

    Examples
    --------
    >>> import xarray as xr
    >>> east = xr.Dataset(coords={"lat": [0.0, 1.0], "lon": [200.0, 201.0]})
    >>> west = xr.Dataset(coords={"LATITUDE": [0.0, 1.0], "LONGITUDE": [-160.0, -159.0]})
    >>> same_grid(east, west)
    True
    """
    for kind in (latitude, longitude):
        one, other = kind(a), kind(b)
        if one.shape != other.shape:
            return False
        apart = np.abs(one.values.astype(np.float64) - other.values.astype(np.float64))
        if kind is longitude:
            apart = np.minimum(apart % 360, -apart % 360)
        if not (apart <= tolerance).all():
            return False
    return True
