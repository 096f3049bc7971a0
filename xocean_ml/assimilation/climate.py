"""Fields to learn from as normalised anomalies: grid, climatology, weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xocean_ml.assimilation.reading import Read, month_of, told_apart
from xocean_ml.assimilation.state import State
from xocean_ml.assimilation.tables import CUBE, Tables, climatology, raised
from xocean_ml.errors import ValuesError

__all__ = ["SEASONS", "Climate", "anomalies", "climate"]

SEASONS = ("month", "day", None)

SKEWED = ("precipitation", "precipitation_amount")
"""Fields that are positive and skewed by nature."""

ROUNDING = 0.01
"""Standard deviations by which rain may be negative."""

SHARE = 0.5
"""Of the times at which a cell must be there to be known."""


@dataclass(frozen=True, eq=False)
class Climate:
    """What a fit begins with.

    Parameters
    ----------
    state : State
    tables : Tables
    anomaly : array of float32, (samples, n)
        Normalised; NaN where missing.
    weight : array, (n,)
        Of the squared normalised anomalies: each cell by its area and its variance in the field's
        units, each field adding up to 1.
    power : tuple of int
        Of each field.
    month : array of int, (samples,), optional
        0 for January; None where the climatology has no season.
    """

    state: State
    tables: Tables
    anomaly: np.ndarray
    weight: np.ndarray
    power: tuple[int, ...]
    month: np.ndarray | None


def climate(data: Read, season: str | None) -> Climate:
    """Climatology and normalised anomalies of fields.

    Parameters
    ----------
    data : Read
    season : {"month", "day", None}
        Whether the climatology is one of months (``"day"``: linear between the middles of months),
        or has no season.
    """
    there = np.isfinite(data.values).mean(axis=0)
    known = there >= SHARE
    state = State(data.latitude, data.longitude, bool(data.layout["wraps"]), known)
    values = state.pack(data.values).astype(np.float64)
    month = None if season is None else month_of(data.month)
    if month is not None:
        _check_years(month)
    power = tuple(
        _power(each, values[:, part]) for each, part in zip(data.fields, state.parts, strict=True)
    )
    parts = [climatology(values[:, p], month, k) for p, k in zip(state.parts, power, strict=True)]
    mean, scale = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
    each_power = np.concatenate(
        [np.full(p.stop - p.start, k) for p, k in zip(state.parts, power, strict=True)]
    )
    # as a file holds them, so that a model does the same when it is read again
    mean, scale = (each.astype(np.float32).astype(np.float64) for each in (mean, scale))
    tables = Tables(mean, scale, each_power)
    anomaly = anomalies(tables, values, told_apart(data.month, season))
    if not np.nan_to_num(anomaly).any():
        raise ValuesError("nothing varies from one time to another: there is nothing to learn")
    return Climate(state, tables, anomaly, _weight(state, tables), power, month)


def anomalies(tables: Tables, values: np.ndarray, season: np.ndarray) -> np.ndarray:
    """Normalised anomalies of vectors of values, in float32."""
    made = np.empty(values.shape, np.float32)
    for each in np.unique(season):
        some = season == each
        made[some] = tables.normal(values[some], tables.at(each))
    return made


def _check_years(month: np.ndarray) -> None:
    count = np.bincount(month)
    if np.median(count[count > 0]) < 2:
        raise ValuesError(
            "most months are there once, and their climatology takes all that varies. Give two "
            "years or more, or climatology=None"
        )


def _power(field: Mapping[str, Any], values: np.ndarray) -> int:
    """Whether a field is positive and skewed; anomalies of one are not positive."""
    if field["key"] not in SKEWED or field["role"] != "state":
        return 1
    # packed or regridded rain is a little below zero where there is none
    return CUBE if np.nanmin(values) >= -ROUNDING * np.nanstd(values) else 1


def _weight(state: State, tables: Tables) -> np.ndarray:
    spread = raised(tables.mean, tables.scale.astype(np.float64) ** 2, tables.power)[1]
    weight = state.area * (spread**2).mean(axis=0)
    for part in state.parts:
        weight[part] /= weight[part].sum()
    return weight
