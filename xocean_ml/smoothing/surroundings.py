"""What the gated TCN sees of a series: numbers without units, the same for any model and step.

Every column and level is scaled by the root mean square of its own increments, so that weights
carry over between models, units and time steps. Scales of the bank are in days, and surroundings
are given for groups of steps that span `SPAN` days, so that the network reaches equally far in
time whatever the step. How much of the variance is how slow (a spectrum, of the whole series and
around each step) tells what kind of model and assimilation the increments come from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xocean_ml.kernels.bank import SCALES, averages, energies

__all__ = ["BANK", "CONDITION", "CONTEXT", "Surroundings", "bank", "surroundings"]

SEEN = (0, 2, 4, 6, 8)
"""Scales of the bank at which the surroundings are looked at."""

COUNTED = (2, 5, 7)

HEARD = {1: 3, 3: 5, 5: 7, 7: 8}
"""Scales whose energy is looked at around each step, and the scale that it is averaged over."""

BANK = 2 * len(SCALES)
CONTEXT = 3 * 2 * len(SEEN) + len(COUNTED) + 2 + len(HEARD)
CONDITION = 5 + len(SCALES)
MONTH = 30.0
SPAN = 120.0
"""Days of the steps that share their surroundings."""


class Surroundings(NamedTuple):
    """A batch of series as the network takes it (float32).

    Attributes
    ----------
    context : array, (columns, CONTEXT, groups)
    condition : array, (columns, CONDITION)
    scale : array, (columns,)
        Root mean square of the increments.
    """

    context: np.ndarray
    condition: np.ndarray
    scale: np.ndarray


def surroundings(
    amounts: np.ndarray,
    days: np.ndarray,
    length: np.ndarray,
    depth: np.ndarray,
    spread: np.ndarray | None = None,
    counts: np.ndarray | None = None,
) -> Surroundings:
    """See series as the network does.

    Parameters
    ----------
    amounts : array, (time, columns)
        Increments as amounts, 0 where missing.
    days, length : array, (time,)
        Days since the first step, and length of each step in days.
    depth : array, (columns,)
        m, positive down.
    spread : array, (time, columns), optional
        Ensemble spread of the increments, as amounts.
    counts : array, (time, columns), optional
        Number of observations.
    """
    columns = amounts.shape[1]
    step = float(np.median(length))
    pool = max(1, round(SPAN / step))
    scale = np.sqrt((amounts**2).mean(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    x = amounts / scale
    made = (amounts != 0).astype(np.float64)

    def around(values: np.ndarray, scales: tuple[int, ...] = SEEN) -> np.ndarray:
        return averages(values, days, length, SCALES[list(scales)], pool)

    # Increments made in a month; averages of their squares, and of spread squared.
    density, square = around(made) * MONTH, around(x**2) * step
    given = np.zeros_like(square)
    local = np.zeros(density.shape[2:], np.float32)
    known = np.zeros(columns) if spread is None else (spread > 0).any(axis=0).astype(float)
    if spread is not None:
        ratio = spread / scale
        given = known * np.log(around(ratio**2) * step + 1e-4)
        local = known * np.log(np.sqrt(_pool(ratio**2, pool)) + 1e-2)
    number = np.zeros((len(COUNTED), *local.shape))
    if counts is not None:
        number = np.log(around(counts, COUNTED).sum(axis=1) * MONTH + 1e-2)
    seen = [np.log(density + 1e-3), given, np.log(square + 1e-4)]
    context = [each.reshape(-1, *local.shape) for each in seen]
    context += [number, local[None], _pool(made, pool)[None] * (MONTH / step)]
    rate = density[2].sum(axis=0).mean(axis=0)
    energy = energies(x, days, length)
    energy *= length[:, None]
    for heard, over in HEARD.items():
        local = around(energy[heard], (over,)).sum(axis=1)
        context.append(np.log(local + 1e-4))
    condition = np.stack(
        [
            np.log(np.maximum(depth, 1.0) / 500.0),
            np.full_like(depth, np.log(length.mean() / MONTH)),
            np.log(rate + 1e-3),
            known,
            np.full_like(depth, float(counts is not None)),
            *np.log(energy.sum(axis=1) / length.sum() + 1e-4),
        ],
        axis=1,
    )
    together = np.concatenate(context, dtype=np.float32)
    return Surroundings(together.transpose(2, 0, 1), condition.astype(np.float32), scale)


def bank(x: np.ndarray, days: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Averages as amounts of a step, as the network takes them.

    Parameters
    ----------
    x : array, (time, columns)
        Increments as amounts in units of `Surroundings.scale`, 0 where missing.
    days, length : array, (time,)
        As for `surroundings`.

    Returns
    -------
    array of float32, (columns, BANK, time)
    """
    amount = averages(x, days, length) * length[:, None].astype(np.float32)
    return np.ascontiguousarray(amount.reshape(BANK, *x.shape).transpose(2, 0, 1))


def _pool(values: np.ndarray, pool: int) -> np.ndarray:
    """Means over `pool` steps, (groups, columns)."""
    first = np.arange(0, len(values), pool)
    count = np.diff(np.append(first, len(values)))
    return np.add.reduceat(values, first, axis=0) / count[:, None]
