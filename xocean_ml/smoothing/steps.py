"""The time axis as tasks need it: plain numbers, small enough to travel with the graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Steps"]


@dataclass(frozen=True)
class Steps:
    """Times of the whole record.

    Parameters
    ----------
    days : array, (time,)
        Days since the first step.
    length : array, (time,)
        Length of each step in days (from time bounds where there are any).
    rate : bool
        Whether increments are rates (per time), so that an amount is increment times length.
    """

    days: np.ndarray
    length: np.ndarray
    rate: bool = False

    def __len__(self) -> int:
        return len(self.days)

    @property
    def gaps(self) -> np.ndarray:
        """Days from the step before to each step; for the first, its own length."""
        return np.diff(self.days, prepend=self.days[0] - self.length[0])

    @property
    def amount(self) -> np.ndarray:
        """What turns an increment into an amount, (time,): days for rates, else 1."""
        return self.length if self.rate else np.ones(len(self))

    @property
    def left(self) -> np.ndarray:
        """Days from each step to the end of the record, its last step included."""
        return self.days[-1] - self.days + self.length[-1]
