"""Smoothing of data-assimilation increments."""

from xocean_ml.smoothing.dong import Dong
from xocean_ml.smoothing.increments import increments
from xocean_ml.smoothing.smooth import plan, smooth
from xocean_ml.smoothing.smoother import Smoother

__all__ = ["Dong", "Smoother", "increments", "plan", "smooth"]
