"""Scores: each is a set of sums and a function of them, with a bootstrap interval."""

from __future__ import annotations

from xocean_ml.metrics.assimilation import assimilation
from xocean_ml.metrics.downscaling import downscaling
from xocean_ml.metrics.ensemble import ensemble
from xocean_ml.metrics.proper import crps_normal
from xocean_ml.metrics.rivals import running_mean, whittaker
from xocean_ml.metrics.smoothing import smoothing
from xocean_ml.metrics.sweep import at_noise, frontier, inside

__all__ = [
    "assimilation",
    "at_noise",
    "crps_normal",
    "downscaling",
    "ensemble",
    "frontier",
    "inside",
    "running_mean",
    "smoothing",
    "whittaker",
]
