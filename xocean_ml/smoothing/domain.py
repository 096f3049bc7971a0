"""Whether data lie in the range that a model was trained on."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xocean_ml.smoothing.steps import Steps
from xocean_ml.spec import Spec

__all__ = ["outside"]


def outside(spec: Spec, steps: Steps, depth: xr.DataArray | None) -> list[str]:
    """What lies outside the spec's domain, in words; empty if nothing does.

    Parameters
    ----------
    spec : Spec
        Its domain may name "length of step, days", "years" and "depth, m".
    steps : Steps
        Times.
    depth : DataArray, optional
        m; not looked at if it is lazy.

    Examples
    --------
    >>> spec = Spec("tcn", (), (), domain={"years": (15.0, 105.0)})
    >>> outside(spec, Steps(np.arange(24) * 30.0, np.full(24, 30.0)), None)
    ['years: 1.97, trained on 15 to 105']
    """
    found = {
        "length of step, days": [float(np.median(steps.length))],
        "years": [float(steps.length.sum() / 365.25)],
    }
    if depth is not None and depth.chunks is None:
        found["depth, m"] = [float(depth.min()), float(depth.max())]
    told = []
    for name, (low, high) in spec.domain.items():
        wrong = [value for value in found.get(name, []) if not low <= value <= high]
        told += [f"{name}: {value:.3g}, trained on {low:g} to {high:g}" for value in wrong]
    return told
