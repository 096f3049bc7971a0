"""Times withheld from training in blocks: neighbouring times are too alike to test with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xocean_ml.training.seeds import generator

__all__ = ["Split", "withheld_blocks"]


class Split(NamedTuple):
    """Which times are trained on and which are withheld; those in neither are guards.

    Parameters
    ----------
    train, withheld : numpy.ndarray of bool, (time,)
        Never both true.
    """

    train: np.ndarray
    withheld: np.ndarray


def withheld_blocks(
    n_time: int, fraction: float, block: int, seed: int = 0, guard: int = 0
) -> Split:
    """Withhold blocks of times, spread evenly over a series but for a random shift of each.

    Parameters
    ----------
    n_time : int
        Length of the series.
    fraction : float
        Share of the times to withhold, as nearly as whole blocks allow, at least one block.
    block : int
        Times in a block.
    seed : int
        Another seed shifts the blocks otherwise.
    guard : int
        Times on each side of a block that are neither trained on nor withheld. With windows that
        reach r times to either side of a time, ``guard=r`` keeps those of training times out of
        the blocks.

    Returns
    -------
    Split
        Blocks never touch: at least one time to train on lies between two.

    Raises
    ------
    ValueError
        If the blocks and their guards do not fit into the series.

    Examples
    --------
    >>> split = withheld_blocks(20, fraction=0.3, block=3, guard=1)
    >>> "".join(np.where(split.train, "t", np.where(split.withheld, "W", ".")))
    'ttt.WWW.ttt.WWW.tttt'
    """
    if not (block >= 1 and guard >= 0 and 0 < fraction < 1):
        raise ValueError(
            f"fraction={fraction}, block={block}, guard={guard}: the fraction is between 0 and 1, "
            "a block has 1 time or more, a guard is not negative"
        )
    count = max(1, round(fraction * n_time / block))
    pitch = block + 2 * guard + 1
    free = n_time - block - (count - 1) * pitch
    if free < 0 or n_time <= count * block:
        raise ValueError(
            f"{count} blocks of {block} times with guards of {guard} do not fit into {n_time} "
            "times; take a smaller fraction, block or guard"
        )
    # Where the free room before each block ends, in strata that overlap: strata side by side would
    # leave times between them that no seed ever withholds. Reflected at both ends, sorted.
    draws = np.arange(count) + generator(seed).uniform(-0.5, 1.5, count)
    shares = np.sort(count - np.abs(count - np.abs(draws))) / count
    room = np.minimum(np.floor(shares * (free + 1)).astype(int), free)
    starts = room + np.arange(count) * pitch
    train = np.ones(n_time, dtype=bool)
    withheld = np.zeros(n_time, dtype=bool)
    for start in starts:
        withheld[start : start + block] = True
        train[max(0, start - guard) : start + block + guard] = False
    if not train.any():
        raise ValueError(f"guards of {guard} leave none of {n_time} times to train on")
    return Split(train, withheld)
