"""Downscaling: from coarse fields to any finer grid, guided by another field or not.

============  =============================================================================
`axis`        one horizontal axis: fine places on coarse cells, cut into blocks
`target`      the grid to be reached: coordinates, bounds, where its cells lie
`coast`       which cells of the target are sea
`guides`      guides on times and a grid of their own
`downscaler`  what a model must be
`bicubic`     interpolation, as a model
`learned`     networks, as models
`conserve`    means over coarse cells made the input's
`blocks`      what one task does, on plain arrays
`graph`       from a prepared call to dask arrays
`prepare`     everything decided about a call, from metadata alone
`planning`    ... told as a plan
`downscale`   the public functions
`coarsen`     coarse fields from fine ones
`reading`     fine fields and guides found, aligned, in the same units
`fit`         a network trained on one's own fields
`pairs`       ... from patches at any scale
`teach`       ... by which loss
`train`       the packaged weights remade
============  =============================================================================
"""

from __future__ import annotations

from xocean_ml.downscaling.downscale import downscale, plan

__all__ = ["downscale", "plan"]
