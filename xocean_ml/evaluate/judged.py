"""What is judged: models by name, and the members that they draw."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from xocean_ml import grid, units
from xocean_ml.errors import GridError
from xocean_ml.generative import genda
from xocean_ml.generative.generator import Generator

__all__ = ["Judged", "judged"]

SHARED = ("also", "like", "members", "seed")
"""Arguments of `genda` that are the same for all: else scores could not be compared."""


@dataclass(frozen=True, eq=False)
class Judged:
    """One of those that are compared.

    Parameters
    ----------
    name : str
    model : model, path, name, None, or Dataset
        Whatever `genda` takes, or members that are there already.
    options : mapping
        Further arguments of `genda`.
    """

    name: str
    model: Any
    options: Mapping[str, Any]

    def members(self, observations: Sequence[xr.Dataset], **shared: Any) -> xr.Dataset:
        """Members that are there already, or are drawn: `shared` are arguments of `genda`."""
        if isinstance(self.model, xr.Dataset):
            return units.dequantify(self.model)[0]
        first, *others = observations
        return genda(first, self.model, also=others, **shared, **self.options)


def judged(models: Any, options: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Judged]:
    """All that are compared, by name.

    Parameters
    ----------
    models : mapping of str to model, or one model
        A model may be a Dataset of members.
    options : mapping of str to mapping, optional
        Further arguments of `genda`, by the names of the models.

    Raises
    ------
    ValueError
        No models; options of a model that is not there, or that are shared by all.
    TypeError
        What makes no members.
    GridError
        A Dataset without an ensemble dimension.
    """
    single = isinstance(models, xr.Dataset) or not isinstance(models, Mapping)
    named = {_called(models): models} if single else {str(k): v for k, v in models.items()}
    if not named:
        raise ValueError("models is empty: at least one is needed, {'mine': model}")
    given = dict(options or {})
    if unknown := sorted(map(str, set(given) - set(named))):
        raise ValueError(f"options has {', '.join(unknown)}, and the models are {', '.join(named)}")
    for name, model in named.items():
        _check(name, model, given.get(name, {}))
    return {name: Judged(name, model, given.get(name, {})) for name, model in named.items()}


def _called(model: Any) -> str:
    if isinstance(model, xr.Dataset):
        return "members"
    if model is None:
        return "packaged"
    if isinstance(model, (str, os.PathLike)):
        return Path(model).stem
    return str(model.spec.name) if isinstance(model, Generator) else type(model).__name__


def _check(name: str, model: Any, options: Mapping[str, Any]) -> None:
    if shared := [each for each in SHARED if each in options]:
        raise ValueError(
            f"options of {name}: {', '.join(shared)} cannot differ between models; give it once, "
            "as an argument of the call"
        )
    if isinstance(model, xr.Dataset):
        if "E" not in grid.axes(model):
            raise GridError(
                f"{name}: a Dataset of members needs an ensemble dimension, and this has "
                f"{', '.join(map(str, model.dims))}. Rename it to realization, or use "
                "expand_dims('realization') where there is one member"
            )
        if options:
            raise ValueError(f"options of {name}: it is a Dataset of members, nothing is drawn")
    elif model is not None and not isinstance(model, (str, os.PathLike, Generator)):
        raise TypeError(
            f"{name}: {type(model).__name__} makes no members; give a model of "
            "`ds.genda.fit()`, its file, or a Dataset of members"
        )
