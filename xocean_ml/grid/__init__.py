"""Where a field lies: axes, coordinates, time steps and windows, cell sizes, the seam.

Nothing here computes the data of a variable; small one-dimensional coordinates are read at once,
so that a wrong axis is told before anything runs.

The vocabulary follows CF: ``T`` time, ``Z`` vertical, ``Y`` and ``X`` horizontal; ``E`` is the
ensemble, as in GrADS. Axes are found by attributes first, then by kind of values, then by the
names that producers use; never by position.

==============  ===========================================================================
`vocabulary`    what names and attributes tell of a coordinate
`horizontal`    `latitude`, `longitude`
`dimensions`    which dimension is which axis: `Axes`, `axes`, `dimension`
`vertical`      `depth`, of heights and pressures too
`windows`       `Segments`: windows such as ``"5YS"``, counted from an anchor
`times`         `TimeAxis`, `time_axis`: checked times, lengths of steps, their windows
`cells`         `cell_area`, `cell_thickness`
`whole`         `is_periodic`, `same_grid`
`sides`         `Side`, `side_of`, `sides_of`: rectilinear grids, ascending
==============  ===========================================================================

Each knows only those above it. Under them lie the private modules: `_labelled` (either kind of
object, alike), `_bounds` (edges of cells), `_calendar` (dates as integers), `_sphere` (areas of
arrays).
"""

from __future__ import annotations

from xocean_ml.grid._bounds import edges_of, midpoint_edges
from xocean_ml.grid._sphere import EARTH_RADIUS
from xocean_ml.grid.cells import cell_area, cell_thickness
from xocean_ml.grid.dimensions import Axes, axes, dimension
from xocean_ml.grid.horizontal import latitude, longitude
from xocean_ml.grid.sides import Side, side_of, sides_of
from xocean_ml.grid.times import TimeAxis, time_axis
from xocean_ml.grid.vertical import depth
from xocean_ml.grid.whole import is_periodic, same_grid
from xocean_ml.grid.windows import Segments

__all__ = [
    "EARTH_RADIUS",
    "Axes",
    "Segments",
    "Side",
    "TimeAxis",
    "axes",
    "cell_area",
    "cell_thickness",
    "depth",
    "dimension",
    "edges_of",
    "is_periodic",
    "latitude",
    "longitude",
    "midpoint_edges",
    "same_grid",
    "side_of",
    "sides_of",
    "time_axis",
]
