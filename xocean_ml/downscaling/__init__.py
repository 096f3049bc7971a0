"""Downscaling: from coarse fields to any finer grid, guided by another field or not.

============  =============================================================================
`axis`        one horizontal axis: fine places on coarse cells, cut into blocks
`target`      the grid to be reached: coordinates, bounds, where its cells lie
`coast`       which cells of the target are sea
`downscaler`  what a model must be
`bicubic`     interpolation, as a model
`blocks`      what one task does, on plain arrays
`graph`       from a prepared call to dask arrays
`prepare`     everything decided about a call, from metadata alone
`planning`    ... told as a plan
`downscale`   the public functions
============  =============================================================================
"""

from __future__ import annotations

from xocean_ml.downscaling.downscale import downscale, plan

__all__ = ["downscale", "plan"]
