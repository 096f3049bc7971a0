"""The tour: what the accessors do, on data with a known truth or on a user's own file.

`python -m xocean_ml` runs it. Each part prints what it finds, and writes a file and a figure, whole
or not at all.

==============  ============================================================
`telling`       tables, files, figures
`smoothing`     `.ml_smooth`, on a simulated reanalysis or a user's file
`downscaling`   `.downscale`, on the packaged surface
`assimilation`  `.assimilate`, on the packaged climate
`generative`    `.genda`, on the packaged surface
==============  ============================================================
"""

from __future__ import annotations

from xocean_ml.tour.assimilation import climate
from xocean_ml.tour.downscaling import surface
from xocean_ml.tour.generative import ensemble
from xocean_ml.tour.smoothing import own, twin

__all__ = ["climate", "ensemble", "own", "surface", "twin"]
