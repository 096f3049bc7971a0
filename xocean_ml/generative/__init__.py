"""Generative assimilation: ensembles of the surface ocean from sparse observations.

A prior of complete fields is trained once; observations of any kind then choose among what it
knows. A call walks down this table.

==================  =======================================================================
`genda`             the call, and `plan`; currents are put together again
`prepare`           all that is decided before anything runs; `arguments`, what is given;
                    `planning` prints it
`domain`            where members are given: grid, sea, place in the whole grid
`sources`           what is observed, in what geometry and datum; `footprints`, coarse maps;
                    `balance`, whole currents
`background`        what is expected before anything is observed
`when`              which observations each time may use
`output`            names, units and attributes of what is given
`blocks`            one task: a time and a group of members; `checks`, wrong values
`generator`         what a model is, and its chance
`diffusion`         the diffusion prior; `fit_diffusion` trains it, `train` the packaged one
`oi`                multivariate optimal interpolation
`unet`              regression, a rival; `fit_unet` trains it
`fit`               a model of one's own fields; `reading` finds them, `samples` makes them
                    comparable, `windows` cuts them
==================  =======================================================================
"""

from __future__ import annotations

from xocean_ml.generative.genda import genda, plan

__all__ = ["genda", "plan"]
