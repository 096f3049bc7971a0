"""Values that cannot be right, told with their place and what they are likely to be."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xocean_ml import units
from xocean_ml.assimilation.rows import Rows
from xocean_ml.assimilation.tables import raised, root
from xocean_ml.errors import UnitsError, ValuesError

__all__ = ["FAR", "in_range", "positive"]

FAR = 20.0
"""Standard deviations from the climatology at which half of a field is of other units."""

TAKEN = (("K", "degC", "degF"), ("Pa", "hPa"), ("m", "cm", "mm"), ("kg m-2 s-1", "mm day-1"))
"""Units that are taken for one another."""

Group = tuple[np.ndarray, Rows, np.ndarray, float]
"""Numbers of the times, what is observed, values (times, m) in the model's units, and the season
of a group of times."""


def in_range(groups: Sequence[Group], model: Any) -> None:
    """Refuse infinite values, and fields that are far from all that the model has seen.

    Parameters
    ----------
    groups : sequence of tuple
        All observations of a block.
    model : Assimilator

    Raises
    ------
    ValuesError
        Infinite values.
    UnitsError
        Half of the values of a field further from the climatology than `FAR`.
    """
    for number, told in enumerate(model.config["fields"]):
        values, mean, scale = _of_field(groups, model, number)
        far = _far(values, mean, scale, told["power"])
        if far <= FAR:
            continue
        usual = float(np.median(raised(mean, scale**2, told["power"])[0]))
        likely = _likely(values, mean, scale, told)
        hint = f"They look like {likely}: mend the units attribute" if likely else "Look at them"
        raise UnitsError(
            f"{told['key']}: half of the values are {far:.0f} standard deviations or more from the "
            f"climatology (about {usual:.4g} {told['units']}; median of the values "
            f"{np.median(values):.4g}). {hint}"
        )


def _of_field(
    groups: Sequence[Group], model: Any, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All values of a field, and mean and standard deviation of the climatology of each."""
    found = []
    for time, rows, values, season in groups:
        mine = rows.field == number
        seen, some, now = values[:, mine], rows.some(mine), model.tables.at(season)
        if np.isinf(seen).any():
            at = int(time[np.flatnonzero(np.isinf(seen).any(axis=1))[0]])
            raise ValuesError(
                f"{model.config['fields'][number]['key']}: {int(np.isinf(seen).sum())} "
                f"observations are infinite at time {at}. Mask them"
            )
        moments = [np.broadcast_to(some.of(each), seen.shape) for each in (now.mean, now.scale)]
        found.append([each.ravel() for each in (seen, *moments)])
    one, two, three = (np.concatenate(each) for each in zip(*found, strict=True))
    return one, two, three


def positive(error: np.ndarray, name: str) -> None:
    """Refuse standard errors, of a variable, that are zero or negative."""
    wrong = int((error <= 0).sum())
    if wrong:
        raise ValuesError(
            f"{name}: {wrong} standard errors are zero or negative. Mask them, or leave errors "
            "out: what the model cannot represent is always counted"
        )


def _far(values: np.ndarray, mean: np.ndarray, scale: np.ndarray, power: int) -> float:
    return float(np.median(np.abs(root(values, power) - mean) / scale)) if len(values) else 0.0


def _likely(
    values: np.ndarray, mean: np.ndarray, scale: np.ndarray, told: Mapping[str, Any]
) -> str | None:
    """The units that the values are in: then they are not far, whatever they were said to be in."""
    own, spelled = told["units"], units.normalise(told["units"])
    alike = next((some for some in TAKEN if spelled in map(units.normalise, some)), ())
    for said, true in itertools.product(alike, alike):
        wrong, right = (
            units.conversion(each, own, told["role"], equivalence="liquid_water")
            for each in (said, true)
        )
        stored = (values - wrong.offset) / wrong.factor
        if _far(stored * right.factor + right.offset, mean, scale, told["power"]) <= FAR:
            return true
    return None
