"""Bootstrap of scores that are functions of sums: resample the units that were summed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

__all__ = ["blocks", "interval"]

Sums = Mapping[str, np.ndarray]


def blocks(sums: Sums, used: np.ndarray, largest: int = 100) -> dict[str, np.ndarray]:
    """Join neighbouring units into at most `largest` blocks; unused ones (land) are left out.

    Parameters
    ----------
    sums : mapping of str to ndarray, shape (..., unit)
        Sums, or maxima where the name starts with ``max_``.
    used : ndarray of bool, shape (unit,)
        Units that hold data.
    largest : int
        Most blocks made. Neighbours resemble each other: a block of them counts once.

    Returns
    -------
    dict of str to ndarray, shape (..., block)
    """
    size = int(used.sum())
    starts = np.unique(np.linspace(0, size, min(size, largest), endpoint=False).astype(int))
    return {
        name: _reducer(name).reduceat(value[..., used], starts, axis=-1) if size else value[..., :0]
        for name, value in sums.items()
    }


def interval(
    sums: Sums,
    score: Callable[[Sums], np.ndarray],
    *,
    samples: int,
    seed: int,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bootstrap interval of a score.

    Parameters
    ----------
    sums : mapping of str to ndarray, shape (..., unit)
        What `score` is a function of, for each resampled unit; see `blocks`.
    score : callable
        Function of the totals, each of shape (..., sample).
    samples : int
        Number of resamplings; 0 gives NaN.
    seed : int
        Seed of the resampling.
    level : float
        Probability inside the interval.

    Returns
    -------
    low, high : ndarray, shape (...)
        NaN with fewer than two units.
    """
    first = next(iter(sums.values()))
    units = first.shape[-1]
    if samples < 1 or units < 2:
        nothing = np.full(first.shape[:-1], np.nan)
        return nothing, nothing
    # How often each unit is drawn is all a sum needs: resampling is one matrix product.
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=samples)
    totals = {name: _total(name, value, drawn) for name, value in sums.items()}
    values = score(totals)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = _quantiles(values, tails)
    return low, high


def _reducer(name: str) -> np.ufunc:
    return np.maximum if name.startswith("max_") else np.add


def _total(name: str, value: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    if not name.startswith("max_"):
        return value @ drawn.T
    return np.stack([value[..., row > 0].max(axis=-1) for row in drawn], axis=-1)


def _quantiles(values: np.ndarray, tails: list[float]) -> np.ndarray:
    values = np.where(np.isfinite(values), values, np.nan)
    out = np.full((len(tails), *values.shape[:-1]), np.nan)
    known = ~np.isnan(values).all(axis=-1)
    if known.any():
        out[:, known] = np.nanquantile(values[known], tails, axis=-1)
    return out
