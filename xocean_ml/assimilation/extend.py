"""Further fields join a model whose latent stays as it is.

What the latent tells of a new field is a ridge regression on the latents of its times, with as
much damping as withheld blocks of times ask for; what it leaves has patterns of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
import xarray as xr

from xocean_ml.assimilation.climate import Climate, climate
from xocean_ml.assimilation.codes import LATENT, encode
from xocean_ml.assimilation.eof import Eof
from xocean_ml.assimilation.fit_eof import Patterns, folds_of, learn, means_of
from xocean_ml.assimilation.reading import Read, read
from xocean_ml.assimilation.state import State
from xocean_ml.assimilation.tables import Tables
from xocean_ml.errors import GridError

__all__ = ["extend"]

DAMPING = np.geomspace(1e-3, 30.0, 10)
"""Tried for the ridge, in units of the latent's variance."""

OWN = 100
"""Most patterns of a new field's own."""

CLOSE = 1e-3
"""Degrees by which grids may differ."""

Model = TypeVar("Model", bound=Eof)


def extend(ds: xr.Dataset, model: Model, fields: object, seed: int) -> Model:
    """Let further fields join a model.

    Parameters
    ----------
    ds : Dataset
        The new fields on the model's grid; and ``latent`` of their times, or fields of the model
        from which it is found.
    model : Eof or Dcvae
    fields : mapping or sequence of str, optional
        The new ones; by default all that are known and not the model's.
    seed : int
        Of the choice of cells whose pairs are looked at.

    Raises
    ------
    FieldNotFound
        No new field; nothing that tells the latent.
    GridError
        Another grid; fields that the model has.
    """
    data = read(ds, fields, besides=[each["key"] for each in model.config["fields"]])
    _check(data, model)
    known = climate(data, model.config["season"])
    latent = _latent(ds, data, model)
    filled = np.nan_to_num(known.anomaly).astype(np.float64)
    folds = folds_of(data.times)
    damping, left = _crossed(latent, filled, known, folds)
    left[np.isnan(known.anomaly)] = np.nan
    # withheld times are told from the others alone already, their climatology too
    some = np.any(folds, axis=0)
    rest = replace(known, anomaly=left[some], month=None)
    times = np.unique(data.times[some], return_inverse=True)[1]
    found = learn(rest, times, min(OWN, len(times) // 2), seed)
    return _joined(model, data, known, _ridge(latent, filled, damping), found)


def _check(data: Read, model: Eof) -> None:
    """Fields are new, and lie on the model's grid."""
    mine = {each["key"] for each in model.config["fields"]}
    if again := [each["key"] for each in data.fields if each["key"] in mine]:
        raise GridError(f"the model has {', '.join(again)} already: extend= is for further fields")
    for name in ("latitude", "longitude"):
        here, there = getattr(data, name), getattr(model.state, name)
        same = here.shape == there.shape
        # longitudes may have another range
        if not same or np.abs((here - there + 180) % 360 - 180).max() > CLOSE:
            raise GridError(f"{name}: new fields must lie on the model's grid, {model.state.shape}")


def _latent(ds: xr.Dataset, data: Read, model: Eof) -> np.ndarray:
    """Latents, (samples, latent), of the samples."""
    if "latent" in ds.data_vars:
        latent = ds["latent"]
    else:
        new = [each["name"] for each in data.fields]
        latent = encode(ds.drop_vars(new), model)["latent"]
    time = str(data.layout["time"])
    if LATENT not in latent.dims or latent.sizes[LATENT] != model.latent or time not in latent.dims:
        raise GridError(f"latent has {dict(latent.sizes)}: {time} and {LATENT} are needed")
    rest = [d for d in ds[data.fields[0]["name"]].dims if d in latent.dims and d != time]
    values = latent.transpose(time, *rest, LATENT).values.reshape(-1, model.latent)
    if len(values) != len(data.times):
        raise GridError("latents and new fields have other times")
    return np.asarray(values, np.float64)


def _ridge(latent: np.ndarray, anomaly: np.ndarray, damping: float) -> np.ndarray:
    """What each number of the latent makes of the field, (latent, n)."""
    matrix = latent.T @ latent
    matrix += damping * len(latent) * np.mean(latent**2) * np.eye(len(matrix))
    return np.linalg.solve(matrix, latent.T @ anomaly)


def _crossed(
    latent: np.ndarray, anomaly: np.ndarray, known: Climate, folds: list[np.ndarray]
) -> tuple[float, np.ndarray]:
    """The damping with which withheld times are told best, and what is left of them then."""
    left = np.zeros((len(DAMPING), *anomaly.shape), np.float32)
    for withheld in folds:
        away = anomaly - means_of(anomaly, ~withheld, known.month)
        for number, damping in enumerate(DAMPING):
            told = _ridge(latent[~withheld], away[~withheld], damping)
            left[number, withheld] = away[withheld] - latent[withheld] @ told
    best = int(np.argmin([float((each**2 @ known.weight).sum()) for each in left]))
    return float(DAMPING[best]), left[best]


def _joined(model: Model, data: Read, new: Climate, told: np.ndarray, found: Patterns) -> Model:
    """The model with the new fields behind its own."""
    old, here = model.state, new.state
    state = State(old.latitude, old.longitude, old.wraps, np.concatenate([old.known, here.known]))
    tables = Tables(
        *(
            np.concatenate([getattr(model.tables, name), getattr(new.tables, name)], axis=-1)
            for name in ("mean", "scale", "power")
        )
    )
    beyond = np.zeros((len(model.patterns), here.size))
    beyond[: model.latent] = told
    first = np.concatenate([model.patterns, beyond], axis=1)
    alone = np.concatenate([np.zeros((len(found.patterns), old.size)), found.patterns], axis=1)
    fields = [
        {**each, "power": power, "length": length}
        for each, power, length in zip(data.fields, new.power, found.lengths, strict=True)
    ]
    return replace(
        model,
        state=state,
        tables=tables,
        patterns=np.concatenate([first, alone]).astype(model.patterns.dtype),
        rest=np.concatenate([model.rest, found.rest]).astype(np.float32),
        config={**model.config, "fields": [*model.config["fields"], *fields]},
    )
