"""Point observations: one table from every discrete-sampling geometry that CF knows.

Points, trajectories, profiles, time series, ragged arrays (contiguous and indexed, nested or not)
and gridded fields with gaps all reduce to the same idea: a value at (time, latitude, longitude,
depth). A coordinate belongs to an observation if its dimensions are dimensions of the value, or
can be reached from them through a ragged array's index; that one rule serves every geometry.

Making a table reads the variable, its error and its coordinates into memory (and nothing else of
the Dataset): where observations lie decides what a model is fitted to, so it must be known first.

==============  ===========================================================================
`sampling`      which variables belong to an observed one: coordinates, depth, error
`tables`        `table`, `from_grid`, `select`
`floats`        `argo`: profiles of floats, before a table is made of them
==============  ===========================================================================
"""

from __future__ import annotations

from xocean_ml.observations.floats import argo
from xocean_ml.observations.tables import from_grid, select, table

__all__ = ["argo", "from_grid", "select", "table"]
