"""Figures: what a smoother did to increments, at a glance. Needs the extra ``plot``.

Figures are made without pyplot, so no global state is left behind.
"""

from __future__ import annotations

from xocean_ml.plot.figure import smoothing

__all__ = ["smoothing"]
