"""Values that cannot be right, told with their place and what they are likely to be."""

from __future__ import annotations

from typing import Any

import numpy as np

from xocean_ml import units
from xocean_ml.assimilation.rows import Rows
from xocean_ml.assimilation.tables import raised, root
from xocean_ml.errors import UnitsError, ValuesError

__all__ = ["FAR", "in_range"]

FAR = 20.0
"""Standard deviations from the climatology at which half of a field is of other units."""

LIKELY = {"K": ("degC", "degF"), "degC": ("K", "degF"), "Pa": ("hPa",), "hPa": ("Pa",)}
LIKELY |= {"m": ("cm", "mm"), "kg m-2 s-1": ("mm day-1",), "mm day-1": ("kg m-2 s-1",)}


def in_range(values: np.ndarray, rows: Rows, sample: np.ndarray, job: Any, model: Any) -> None:
    """Refuse infinite values, and fields that are far from all that the model has seen.

    Parameters
    ----------
    values : array, (samples, m)
        In the model's units.
    rows : Rows
    sample : array of int, (samples,)
        Number of each one's time.
    """
    tables = model.tables
    for number, told in enumerate(model.config["fields"]):
        mine = rows.field == number
        if not mine.any():
            continue
        some, now = values[:, mine], tables.at(float(job.season[sample[0]]))
        infinite = np.isinf(some)
        if infinite.any():
            at = int(sample[np.flatnonzero(infinite.any(axis=1))[0]])
            raise ValuesError(
                f"{told['key']}: {int(infinite.sum())} observations are infinite, first at time "
                f"{at}. Mask them"
            )
        part = Rows(rows.cell[mine], rows.weight[mine], rows.field[mine], rows.point[mine])
        mean, scale = part.of(now.mean), part.of(now.scale)
        power = told["power"]
        far = _far(some, mean, scale, power)
        if far <= FAR:
            continue
        likely = [
            each
            for each in LIKELY.get(told["units"], ())
            if _far(_as(some, each, told["units"]), mean, scale, power) <= FAR
        ]
        usual = float(np.median(raised(mean, scale**2, power)[0]))
        hint = f"They look like {likely[0]}: mend the units attribute" if likely else "Look at them"
        raise UnitsError(
            f"{told['key']}: half of the values are {far:.0f} standard deviations or more from the "
            f"climatology (about {usual:.4g} {told['units']}; median of the values "
            f"{np.nanmedian(some):.4g}). {hint}"
        )


def _far(values: np.ndarray, mean: np.ndarray, scale: np.ndarray, power: int) -> float:
    there = np.isfinite(values)
    if not there.any():
        return 0.0
    anomaly = (root(values, power) - mean) / scale
    return float(np.median(np.abs(anomaly[there])))


def _as(values: np.ndarray, likely: str, own: str) -> np.ndarray:
    """What the values would be, had they these units."""
    change = units.conversion(likely, own, "state")
    return np.asarray(values * change.factor + change.offset)
