"""Figures: what a model did, at a glance. Needs the extra ``plot``.

Figures are made without pyplot, so no global state is left behind.

==============  ===========================================================================
`style`         how every panel looks: colours, labels with units, ticks
`shown`         what is drawn: `Shown`, plain arrays of one column or a mean of columns
`maps`          panels over depth and time
`lines`         panels over time: increments at one depth, running content
`scores`        panels of scores: error against noise, by depth band and era
`figure`        `smoothing`: the panels put together
`geographic`    panels of one map
`downscaled`    `downscaling`: coarse, guide, models, truth, errors, spectra
`assimilated`   `assimilation`: truth, analysis, spread, scatter, means over time
`drawn`         `members`: truth, mean, spread and members
`ensembles`     `ensemble`: scores of ensembles, their spectra and rank histograms
==============  ===========================================================================

Each knows only those above it.
"""

from __future__ import annotations

from xocean_ml.plot.assimilated import assimilation
from xocean_ml.plot.downscaled import downscaling
from xocean_ml.plot.drawn import members
from xocean_ml.plot.ensembles import ensemble
from xocean_ml.plot.figure import smoothing

__all__ = ["assimilation", "downscaling", "ensemble", "members", "smoothing"]
