"""Smoothing of data-assimilation increments."""

from xocean_ml.smoothing.dong import Dong
from xocean_ml.smoothing.increments import increments
from xocean_ml.smoothing.own import StateSpaceSmoother
from xocean_ml.smoothing.smooth import plan, smooth
from xocean_ml.smoothing.smoother import Smoother
from xocean_ml.smoothing.tcn import TCNSmoother

__all__ = ["Dong", "Smoother", "StateSpaceSmoother", "TCNSmoother", "increments", "plan", "smooth"]
