"""What fields are like on average: one number each, or a map of the region of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from xocean_ml.errors import GridError
from xocean_ml.generative.domain import Domain
from xocean_ml.generative.generator import Generator, norms
from xocean_ml.generative.reading import Read

__all__ = ["NAMES", "about", "background_of", "tensors_of"]

NAMES = ("background", "background_latitude", "background_longitude")
"""Of what a model's file has beside its weights."""

OUTSIDE = 0.02
"""Share of a domain's sea that may lie off the map: coasts of another grid."""


def tensors_of(data: Read, mean: np.ndarray) -> dict[str, np.ndarray]:
    """For a model's file: a map (fields, rows, columns), in the model's units, and its grid."""
    values = (mean.astype(np.float32), data.latitude, data.longitude)
    return dict(zip(NAMES, values, strict=True))


def background_of(model: Generator, domain: Domain) -> np.ndarray:
    """What is expected on a domain before anything is observed, (fields, rows, columns).

    Raises
    ------
    GridError
        The model's map does not cover the domain.
    """
    state = domain.state
    if not model.config.get("background"):
        mean = norms(model.config, "mean")[:, None, None]
        return np.broadcast_to(mean, state.known.shape).astype(np.float64)
    values, lat, lon = (model.tensors()[name] for name in NAMES)
    known = xr.DataArray(values, {"lat": lat, "lon": lon}, ("field", "lat", "lon"))
    made = domain.placed(known, "lat", "lon")
    values = made.values
    missing = np.isnan(values) & state.known
    over = any(
        here.min() < there.min() - step or here.max() > there.max() + step
        for here, there in ((made["lat"].values, lat), (made["lon"].values, lon))
        for step in (float(np.median(np.diff(there))),)
    )
    if over or missing.mean() > OUTSIDE:
        raise GridError(
            f"the prior knows the averages of {lat.min():.4g} to {lat.max():.4g} N, "
            f"{lon.min():.4g} to {lon.max():.4g} E, and the members' grid lies beyond. Take a part "
            "of it, or train a prior without background="
        )
    usual = norms(model.config, "mean")[:, None, None]
    return np.where(np.isnan(values), usual, values).astype(np.float64)


def about(
    values: np.ndarray, mean: np.ndarray, fields: Sequence[Mapping[str, float]]
) -> np.ndarray:
    """Fields (samples, fields, rows, columns) less a map, about the fields' own means."""
    usual = np.array([each["mean"] for each in fields], np.float32)[:, None, None]
    return np.asarray(values - mean + usual)
