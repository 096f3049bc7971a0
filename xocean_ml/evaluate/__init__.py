"""Experiments that tell how good ensembles are: `osse`, of a known truth, and `ose`, of real data.

Both draw members with `xocean_ml.genda` from the same observations, with the same chance, and
give the scores of all models in one table. Members that come from elsewhere are scored as they
are.

==============  ===========================================================================
`judged`        models by name, and the members that they draw
`points`        members between cells, and noise of observations by their place
`matching`      members by the names, in the units and datum of what they are judged by
`derived`       speed and vorticity of currents
`tables`        scores of several models as one table
`simulated`     `osse`: a known truth, observations simulated from it
`verified`      scores at points
`withheld`      `ose`: real observations, some of them withheld
==============  ===========================================================================

Each knows only those above it.
"""

from __future__ import annotations

from xocean_ml.evaluate.simulated import osse
from xocean_ml.evaluate.withheld import ose

__all__ = ["ose", "osse"]
