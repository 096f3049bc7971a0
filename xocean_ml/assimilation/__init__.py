"""Assimilation: the full state of the climate from any subset of its fields, or from points.

Which model finds the latent is one rule per module; a call walks down this table.

==============  ===========================================================================
`assimilate`    the call, and `plan`
`perturb`       the difference of two
`codes`         `encode`, `decode`, `sample`
`prepare`       all that is decided before anything runs; `planning` prints it
`sources`       what is observed: on the model's grid, on another, at points
`when`          which observation belongs to which time
`output`        grid, names and units of what is given
`blocks`        one task; `checks`, values that cannot be right
`analysis`      the update, what the patterns leave, members
`assimilator`   what a model is
`eof`           the linear model; `fit_eof` learns it, `coupling` what is chance in it
`dcvae`         the convolutional one; `newton` solves it, `fit_dcvae` trains it, and
                `train` the packaged one
`impact`        from the latent to a series; `fit_impact`
`fit`           a model of one's own fields; `reading` and `climate` make anomalies of them
`extend`        further fields join a model
`tables`        climatology and transforms
`rows`          what observations see of the state
`state`         the state as one vector
==============  ===========================================================================
"""

from __future__ import annotations

from xocean_ml.assimilation.assimilate import assimilate, plan

__all__ = ["assimilate", "plan"]
