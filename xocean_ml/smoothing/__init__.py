"""Smoothing of data-assimilation increments."""

from xocean_ml.smoothing.dong import Dong
from xocean_ml.smoothing.increments import increments
from xocean_ml.smoothing.smooth import plan, smooth

__all__ = ["Dong", "increments", "plan", "smooth"]
