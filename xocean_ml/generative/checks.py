"""Observed values that cannot be right, told with what they are likely to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xocean_ml import units
from xocean_ml.assimilation.checks import TAKEN
from xocean_ml.errors import UnitsError, ValuesError, warn
from xocean_ml.generative.generator import Generator

__all__ = ["FAR", "WARNED", "in_range"]

FAR = 25.0
"""Standard deviations from the mean of the training at which half of a field is of other units."""

WARNED = 5.0
"""From which it is told that the prior has not seen such an ocean."""


def in_range(observed: Sequence[tuple[int, np.ndarray, str]], model: Generator) -> None:
    """Refuse infinite values, and fields far from all that the prior was trained on.

    Parameters
    ----------
    observed : sequence of (int, array, str)
        Number of a field, values in the model's units, and the units they are stored in.
    model : Generator

    Raises
    ------
    ValuesError
        Infinite values.
    UnitsError
        Half of the values of a field further than `FAR` from the mean.

    Warns
    -----
    UserWarning
        Half of them further than `WARNED`.
    """
    for number, told in enumerate(model.config["fields"]):
        some = [(values, stored) for field, values, stored in observed if field == number]
        values = np.concatenate([each for each, _ in some]) if some else np.zeros(0)
        if not values.size:
            continue
        if np.isinf(values).any():
            raise ValuesError(f"{told['key']}: infinite values among the observations")
        far = float(np.median(np.abs(values - told["mean"]))) / told["size"]
        middle = float(np.median(values))
        if far > FAR:
            likely = next(filter(None, (_likely(*each, told) for each in some)), None)
            hint = (
                f"They look like {likely}: mend the units attribute" if likely else "Look at them"
            )
            raise UnitsError(
                f"{told['key']}: half of the values are {far:.0f} standard deviations or more from "
                f"the mean of the training ({told['mean']:.4g} {told['units']}; median of the "
                f"values {middle:.4g}). {hint}"
            )
        if far > WARNED:
            warn(
                f"{told['key']}: values about {middle:.4g} {told['units']} lie far outside what "
                f"the prior was trained on ({told['mean']:.4g}, give or take {told['size']:.2g})"
            )


def _likely(values: np.ndarray, stored: str, told: dict[str, float]) -> str | None:
    """Units in which the values, as they are stored, would be near the mean."""
    own = str(told["units"])
    back = units.conversion(own, stored)
    raw = values * back.factor + back.offset
    best, found = WARNED, None
    for group in TAKEN:
        if not any(units.compatible(own, each) for each in group):
            continue
        for each in group:
            change = units.conversion(each, own)
            made = raw * change.factor + change.offset
            far = float(np.median(np.abs(made - told["mean"]))) / told["size"]
            if far < best:
                best, found = far, each
    return found
