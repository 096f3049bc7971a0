"""Further fields join a model whose latent stays as it is.

What the latent tells of a new field is a ridge regression on the latents of its times, with as
much damping as withheld blocks of times ask for; what it leaves has patterns of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import xarray as xr

from xocean_ml.assimilation.climate import Climate, climate
from xocean_ml.assimilation.codes import LATENT, encode
from xocean_ml.assimilation.eof import Eof
from xocean_ml.assimilation.fit_eof import Patterns, folds_of, learn, means_of
from xocean_ml.assimilation.reading import Read, read, same_grid
from xocean_ml.assimilation.state import State
from xocean_ml.assimilation.tables import Tables
from xocean_ml.errors import GridError, ValuesError

__all__ = ["extend"]

DAMPING = np.geomspace(1e-3, 30.0, 10)
"""Tried for the ridge, in units of the latent's variance."""

OWN = 100
"""Most patterns of a new field's own."""

FILLED = 4
"""How often gaps are filled anew."""

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
    folds = folds_of(data.times)
    ridge = _Ridge(_latent(ds, data, model), known, folds)
    damping = min(DAMPING, key=ridge.error)
    some = np.any(folds, axis=0)
    left = ridge.crossed(damping)[some]
    times = np.unique(data.times[some], return_inverse=True)[1]
    rank = min(OWN, len(times) // 2)
    rest = replace(known, anomaly=left)
    told = ridge.fitted(damping, np.ones(len(some), bool), known.anomaly)
    return _joined(model, data, known, told, learn(rest, times, rank, seed, crossed=True))


def _check(data: Read, model: Eof) -> None:
    """Fields are new, and lie on the model's grid."""
    mine = {each["key"] for each in model.config["fields"]}
    if again := [each["key"] for each in data.fields if each["key"] in mine]:
        raise GridError(f"the model has {', '.join(again)} already: extend= is for further fields")
    same_grid(data, model.state.latitude, model.state.longitude, "a new field")


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
        raise GridError(
            f"there are {len(values)} latents and {len(data.times)} samples of the new fields: "
            "times, or members that only one of them has"
        )
    if not np.isfinite(values).all():
        raise ValuesError("latent: some are missing")
    return np.asarray(values, np.float64)


@dataclass(frozen=True, eq=False)
class _Told:
    """What the latent makes of a field: ``(z - centre of the month) @ slope``."""

    slope: np.ndarray
    centre: np.ndarray

    def of(self, latent: np.ndarray, month: np.ndarray) -> np.ndarray:
        return np.asarray((latent - self.centre[month]) @ self.slope)


class _Ridge:
    """Regressions of a field's anomalies on latents, both about the climatology of some samples."""

    def __init__(self, latent: np.ndarray, known: Climate, folds: list[np.ndarray]) -> None:
        self.latent, self.known = latent, known
        filled = np.nan_to_num(known.anomaly)
        # what is withheld, and anomalies about the climatology of the others
        self.folds = [
            (each, known.anomaly - means_of(filled, ~each, known.month)) for each in folds
        ]
        self.month = np.zeros(len(latent), int) if known.month is None else known.month

    def fitted(self, damping: float, some: np.ndarray, anomaly: np.ndarray) -> _Told:
        """Learnt from some of the samples; gaps are filled with its own answer."""
        latent, month = self.latent[some], self.month[some]
        centre = np.zeros((self.month.max() + 1, latent.shape[1]))
        for each in np.unique(month):
            centre[each] = latent[month == each].mean(axis=0)
        away = latent - centre[month]
        matrix = away.T @ away
        matrix += damping * len(away) * np.mean(away**2) * np.eye(len(matrix))
        anomaly = anomaly[some]
        there = np.isfinite(anomaly)
        made = _Told(np.linalg.solve(matrix, away.T @ np.nan_to_num(anomaly)), centre)
        for _ in range(0 if there.all() else FILLED):
            whole = np.where(there, anomaly, away @ made.slope)
            made = _Told(np.linalg.solve(matrix, away.T @ whole), centre)
        return made

    def crossed(self, damping: float) -> np.ndarray:
        """What is left of withheld samples, told from the others; NaN where there is nothing."""
        left = np.zeros(self.known.anomaly.shape, np.float32)
        for withheld, anomaly in self.folds:
            told = self.fitted(damping, ~withheld, anomaly).of(self.latent, self.month)
            left[withheld] = (anomaly - told)[withheld]
        return left

    def error(self, damping: float) -> float:
        """Of withheld samples."""
        return float((np.nan_to_num(self.crossed(damping)) ** 2 @ self.known.weight).sum())


def _joined(model: Model, data: Read, new: Climate, told: _Told, found: Patterns) -> Model:
    """The model with the new fields behind its own."""
    # the latents of the new field's years may lie elsewhere than those of the model's
    offset = (told.centre @ told.slope)[: len(new.tables.mean)]
    mean = new.tables.mean.copy()
    mean[: len(offset)] -= new.tables.scale[: len(offset)] * offset
    tables_of_new = replace(new.tables, mean=mean)
    old, here = model.state, new.state
    state = State(old.latitude, old.longitude, old.wraps, np.concatenate([old.known, here.known]))
    tables = Tables(
        *(
            np.concatenate([getattr(model.tables, name), getattr(tables_of_new, name)], axis=-1)
            for name in ("mean", "scale", "power")
        )
    )
    beyond = np.zeros((len(model.patterns), here.size))
    beyond[: model.latent] = told.slope
    first = np.concatenate([model.patterns, beyond], axis=1)
    alone = np.concatenate([np.zeros((len(found.patterns), old.size)), found.patterns], axis=1)
    fields = data.told(new.power, found.lengths)
    return replace(
        model,
        state=state,
        tables=tables,
        patterns=np.concatenate([first, alone]).astype(model.patterns.dtype),
        rest=np.concatenate([model.rest, found.rest]).astype(np.float32),
        config={**model.config, "fields": [*model.config["fields"], *fields]},
    )
