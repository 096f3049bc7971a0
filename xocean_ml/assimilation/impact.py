"""Impact models: from the latent to a series, a river's flow, say, with quantiles.

A two-layer perceptron (100, 100) of the latent and the time of the year, as in Brohan's impact
model for the Thames. The series is made normal by its ranks, so that skewed and bounded ones serve;
blocks of times are withheld in turn, which gives as many networks, whose mixture is the prediction,
and scores on times that none of them has seen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri

from xocean_ml import metadata, persist
from xocean_ml.assimilation.codes import LATENT, encode
from xocean_ml.assimilation.reading import seasons
from xocean_ml.errors import FieldNotFound, GridError, ModelFileError
from xocean_ml.spec import Spec

__all__ = ["FOLDS", "QUANTILES", "Impact", "impact", "inputs_of", "latent_of", "time_of", "told"]

FOLDS = 5
QUANTILES = (0.05, 0.5, 0.95)
DRAWN = 400
"""Values that a predictive distribution is read off."""


@persist.register("impact")
@dataclass(frozen=True, eq=False)
class Impact:
    """Model of a series.

    Parameters
    ----------
    weights : mapping of str to array
        Of all networks, ``fold.layer``.
    values : array, (knots,)
        Of the series, at even ranks.
    norms : array, (2, inputs)
        Means and standard deviations of the inputs.
    config : mapping
        ``name``, ``attrs``, ``latent``, ``scores``; ``wider``, by how much spreads are widened so
        that they hold on withheld blocks.
    """

    weights: Mapping[str, np.ndarray] = field(repr=False)
    values: np.ndarray = field(repr=False)
    norms: np.ndarray = field(repr=False)
    config: Mapping[str, Any]

    @property
    def spec(self) -> Spec:
        """Reads a latent, writes a series: no fields."""
        return Spec("impact", (), (), config=dict(self.config))

    @property
    def scores(self) -> Mapping[str, float]:
        """On withheld blocks: ``rmse``, ``climatology`` and ``linear`` (those of the mean of the
        month and of a ridge regression), ``correlation``, ``covered`` (share within 5 to 95 %)."""
        return dict(self.config["scores"])

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Of the networks, and the tables."""
        return {**self.weights, "table.values": self.values, "table.norms": self.norms}

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Impact:
        """Rebuild from a spec and tensors."""
        if not tensors:
            raise ModelFileError("no impact model is packaged: ds.assimilate.fit_impact(series)")
        weights = {name: each for name, each in tensors.items() if not name.startswith("table.")}
        return cls(weights, tensors["table.values"], tensors["table.norms"], dict(spec.config))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""
        persist.save(self, path)

    @cached_property
    def networks(self) -> list[Any]:
        """One of each fold."""
        import torch

        from xocean_ml.networks.perceptron import Perceptron

        made = []
        for fold in range(FOLDS):
            network = Perceptron(self.norms.shape[1])
            start = f"{fold}."
            mine = {
                name.removeprefix(start): torch.from_numpy(np.array(each))
                for name, each in self.weights.items()
                if name.startswith(start)
            }
            network.load_state_dict(mine)
            made.append(network.eval().requires_grad_(False))
        return made

    def predict(self, latent: np.ndarray, season: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means, (samples,), and quantiles, (samples, quantiles), of latents."""
        import torch

        x = torch.from_numpy(inputs_of(latent, season, self.norms))
        found = [each(x) for each in self.networks]
        mean, log_std = (np.stack([each[k].numpy() for each in found]) for k in (0, 1))
        return told(mean, np.exp(log_std) * self.config["wider"], self.values)

    def __repr__(self) -> str:
        return f"Impact({self.config['name']} of {self.config['latent']} numbers)"

    def _repr_html_(self) -> str:
        told = ", ".join(f"{name} {value:.3g}" for name, value in self.scores.items())
        return f"<b>{self!r}</b><br>{told}"


def impact(ds: xr.Dataset, model: Any, latents: Any = None, **arguments: Any) -> xr.Dataset:
    """Predict a series.

    Parameters
    ----------
    ds : Dataset
        With ``latent``, or fields.
    model : Impact, or path
    latents : model, path or name, optional
        That finds the latent of fields.
    **arguments
        As for `xocean_ml.assimilation.codes.encode`.

    Returns
    -------
    Dataset
        The series under its own name, the mean of what may be, and ``<name>_quantile``
        (..., quantile): 0.05, 0.5 and 0.95. ``latent`` may have further dimensions (members).
    """
    found, _ = persist.loaded(model)
    if not isinstance(found, Impact):
        raise TypeError(f"model {found!r} is no impact model: ds.assimilate.fit_impact(series)")
    latent = latent_of(ds, latents, arguments)
    if latent.sizes[LATENT] != found.config["latent"]:
        raise GridError(
            f"latent has {latent.sizes[LATENT]} numbers, and the model was fitted to "
            f"{found.config['latent']}"
        )
    time = time_of(latent)
    ordered = latent.transpose(time, ..., LATENT)
    season = np.repeat(seasons(latent[time]), int(np.prod(ordered.shape[1:-1], dtype=int)))
    flat = np.asarray(ordered.values, np.float64).reshape(-1, ordered.shape[-1])
    mean, quantiles = found.predict(flat, season)
    name, attrs = found.config["name"], dict(found.config["attrs"])
    lead = ordered.isel({LATENT: 0}, drop=True)
    made = lead.copy(data=mean.reshape(lead.shape)).assign_attrs(attrs)
    made.attrs = attrs
    dims = (*lead.dims, "quantile")
    levels = xr.DataArray(quantiles.reshape(*lead.shape, -1), lead.coords, dims, attrs=dict(attrs))
    levels.attrs["long_name"] = f"quantiles of {name}"
    levels = levels.assign_coords(quantile=("quantile", list(QUANTILES)))
    line = metadata.history_line("impact", model="impact", sha256=persist.digest(found)[:16])
    source = ds.drop_vars(list(ds.data_vars))
    return metadata.finish(source, {name: made, f"{name}_quantile": levels}, line=line)


def latent_of(ds: xr.Dataset, model: Any, arguments: Mapping[str, Any]) -> xr.DataArray:
    """The latent in a Dataset, or that of its fields."""
    if "latent" in ds.data_vars and LATENT in ds["latent"].dims:
        return ds["latent"]
    if model is None:
        raise FieldNotFound(
            "there is no variable 'latent': give one (assimilate.encode), or a model that finds it"
        )
    return encode(ds, model, **arguments)["latent"]


def time_of(latent: xr.DataArray) -> str:
    """Dimension of the dates."""
    for dim in latent.dims:
        if dim in latent.coords and latent[dim].dtype.kind in "MO":
            return str(dim)
    raise GridError("latent has no time")


# ---- shared with the fit ---------------------------------------------------------------------


def inputs_of(latent: np.ndarray, season: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Latent and time of the year, normalised: (samples, latent + 2)."""
    angle = 2 * np.pi * season / 12
    x = np.concatenate([latent, np.sin(angle)[:, None], np.cos(angle)[:, None]], axis=1)
    return np.asarray((x - norms[0]) / norms[1], np.float32)


def told(mean: np.ndarray, std: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and quantiles of the series, of networks (networks, samples) of its normal ranks."""
    ranks = (np.arange(DRAWN) + 0.5) / DRAWN
    drawn = mean[..., None] + std[..., None] * ndtri(ranks)
    at = np.linspace(0, 1, len(values))
    series = np.interp(ndtr(drawn), at, values)
    every = np.moveaxis(series, 0, 1).reshape(mean.shape[1], -1)
    return every.mean(axis=1), np.quantile(every, QUANTILES, axis=1).T
