"""What a prior learns from: fields, normalised; times to train on, and to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.errors import ValuesError, warn
from xocean_ml.generative.background import about, tensors_of
from xocean_ml.generative.reading import Read, read
from xocean_ml.generative.windows import normed

__all__ = ["Part", "Samples", "samples"]

WITHHELD, GAP = 0.2, 0.1
"""Share of the times that is withheld, the last; and before these that is not used at all.

Maps of neighbouring days are nearly the same: withheld between those that are learnt from, they
would call a network good that has learnt the record by heart.
"""

FEWEST = 5
"""Times of which some can be withheld."""


@dataclass(frozen=True, eq=False)
class Part:
    """Datasets, their fields, and which times are used.

    Parameters
    ----------
    datasets : sequence of Dataset
    fields : sequence of array, (times, fields, rows, columns)
        Normalised, of all times.
    picks : sequence of array of int
        Times that are used.
    """

    datasets: Sequence[xr.Dataset]
    fields: Sequence[np.ndarray]
    picks: Sequence[np.ndarray]

    @property
    def used(self) -> list[np.ndarray]:
        """Fields of the times that are used."""
        return [each[pick] for each, pick in zip(self.fields, self.picks, strict=True)]


@dataclass(frozen=True, eq=False)
class Samples:
    """Everything that a prior is trained on.

    Parameters
    ----------
    train, check : Part
        To train on, and to judge by.
    told : list of dict
        Fields, as a model's configuration has them.
    cell : (float, float)
        Height and width of a usual cell, km.
    background : dict of str to array
        A map of what is expected, for the model's file; or nothing.
    """

    train: Part
    check: Part
    told: list[dict[str, Any]]
    cell: tuple[float, float]
    background: dict[str, np.ndarray]


def samples(
    given: Sequence[xr.Dataset],
    withheld: Sequence[xr.Dataset],
    fields: Any,
    *,
    smooth: float | None,
    background: bool,
    withhold: bool = True,
) -> Samples:
    """Read, split and normalise.

    Parameters
    ----------
    given, withheld : sequence of Dataset
        To train on; and to judge by.
    fields
        As of `xocean_ml.generative.fit.fit`.
    smooth : float or None
        As of `xocean_ml.generative.reading.read`.
    background : bool
        Whether departures from the mean of each cell are learnt.
    withhold : bool
        Whether the last times are withheld to judge by, where nothing else is given for that.
    """
    seen = _read(given, fields, smooth, ())
    held = _read(withheld, fields, smooth, seen[0].fields)
    splits = [_split(each, withhold and not held) for each in seen]
    train, check = ([split[k] for split in splits] for k in (0, 1))
    told, kept = _told(seen, train), {}
    if background:
        mean = _mean_map(seen, held, train[0])
        kept = tensors_of(seen[0], mean)
        seen, held = (
            [replace(each, values=about(each.values, mean, told)) for each in several]
            for several in (seen, held)
        )
        told = _about_map(told, _told(seen, train))
    whole = [normed(each.values, told) for each in seen]
    part = Part(given, whole, check)
    if held:
        every = [np.arange(len(each.values)) for each in held]
        part = Part(withheld, [normed(each.values, told) for each in held], every)
    cell = [float(np.median([each.cell[k] for each in seen])) for k in (0, 1)]
    return Samples(Part(given, whole, train), part, told, (cell[0], cell[1]), kept)


def _read(
    given: Sequence[xr.Dataset], fields: Any, smooth: float | None, like: Sequence[Any]
) -> list[Read]:
    made: list[Read] = []
    for each in given:
        made.append(read(each, fields, smooth, like or (made[0].fields if made else ())))
    return made


def _split(data: Read, withhold: bool) -> tuple[np.ndarray, np.ndarray]:
    """Maps to train on and maps withheld: never of the same time."""
    many = int(data.times.max()) + 1
    if not withhold or many < FEWEST:
        if withhold:
            warn(
                f"{many} times are too few to withhold some: fit is scored on what it is trained "
                f"on. Give withheld=, or {FEWEST} times or more"
            )
        return np.arange(len(data.times)), np.arange(len(data.times))
    held = many - max(1, round(WITHHELD * many))
    train = data.times < held - round(GAP * many)
    return np.flatnonzero(train), np.flatnonzero(data.times >= held)


def _told(seen: Sequence[Read], picks: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """Fields with what is known of their size."""
    made = []
    for number, told in enumerate(seen[0].fields):
        maps = [each.values[pick, number] for each, pick in zip(seen, picks, strict=True)]
        values = np.concatenate([each[np.isfinite(each)] for each in maps])
        if not values.size:
            raise ValuesError(f"{told['key']}: every value is missing at the times to train on")
        std = float(values.std(dtype=np.float64)) or 1.0
        mean = float(values.mean(dtype=np.float64))
        grown = _growth(seen, number)
        rate = None if grown is None else grown / std**2
        made.append({**told, "mean": mean, "std": std, "size": std, "growth": rate})
    return made


def _mean_map(seen: Sequence[Read], held: Sequence[Read], pick: np.ndarray) -> np.ndarray:
    """Mean of each cell over the times to train on, (fields, rows, columns); NaN on land."""
    shapes = {each.values.shape[1:] for each in (*seen, *held)}
    if len(seen) > 1 or len(shapes) > 1:
        raise ValueError(
            "background=True is for one Dataset, of one region (and withheld= on the same grid)"
        )
    values = seen[0].values[pick]
    there = np.isfinite(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _about_map(
    raw: Sequence[dict[str, Any]], left: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Fields whose sizes are those of departures from a map, but for what is far from all seen."""
    return [
        {**each, "std": part["std"], "growth": part["growth"]}
        for each, part in zip(raw, left, strict=True)
    ]


def _growth(seen: Sequence[Read], number: int) -> float | None:
    """Variance of the change of a field in a day, from that of its shortest step."""
    squares = []
    for each in seen:
        if not np.isfinite(each.step):
            continue
        many = int(each.times.max()) + 1
        maps = each.values[:, number].reshape(many, -1, *each.values.shape[-2:])
        squares.append(float(np.nanmean(np.diff(maps, axis=0) ** 2)) / each.step**2)
    return float(np.mean(squares)) if squares else None
