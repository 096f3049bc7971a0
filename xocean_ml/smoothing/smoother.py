"""What a smoother is: the protocol that `smooth` asks of any model, ours or a third party's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from xocean_ml.device import to_numpy
from xocean_ml.persist import Model
from xocean_ml.smoothing.steps import Steps
from xocean_ml.spec import FieldSpec

if TYPE_CHECKING:
    from xocean_ml.smoothing.tiles import Columns

__all__ = ["FIELDS", "Prediction", "Smoother", "flat"]

FIELDS = (
    FieldSpec("temperature_increment", "difference", "K", required=False),
    FieldSpec("salinity_increment", "difference", "1e-3", required=False),
)
"""What the smoothers here read and write: either increment, or both."""


@dataclass(frozen=True)
class Prediction:
    """What a smoother says of a tile; every array is (time, reduced, kept).

    Parameters
    ----------
    smoothed : array
        Smoothed amounts.
    flux : array, optional
        Running sum of smoothed minus raw; summed up where it is needed if None.
    outflow : array, (reduced, kept), optional
        What goes to the part before, if the smoother hands a carry on.
    gate : array, optional
        If asked for: how far the answer departs from a light average, 0 to 1.
    spread : array, optional
        If asked for: standard deviation of the answer's error, as an amount.
    """

    smoothed: Any
    flux: Any = None
    outflow: Any = None
    gate: Any = None
    spread: Any = None


@runtime_checkable
class Smoother(Model, Protocol):
    """A model of `smooth`.

    Attributes
    ----------
    options : tuple of str
        Keyword options of the call that it takes.
    wants : tuple of str
        What it takes beside the increments where it is found: "spread", "counts", "depth".
    gives : tuple of str
        What it can give beside smoothed increments: "gate", "spread".
    carries : bool
        Whether blocks of time hand a carry from the future to the past; else time is made whole.
    """

    options: ClassVar[tuple[str, ...]]
    gives: ClassVar[tuple[str, ...]]
    carries: ClassVar[bool]

    @property
    def wants(self) -> tuple[str, ...]:
        """What it takes beside the increments."""

    @property
    def needs_fit(self) -> bool:
        """Whether `smooth` has to fit it to the data first."""

    def with_options(self, **options: Any) -> Smoother:
        """The same model with the user's options; raises ValueError for a bad one."""

    def settled(self, *, state: bool) -> Smoother:
        """The same model with what depends on the kind of call decided."""

    def smooth(self, now: Columns, steps: Steps, part: slice, inflow: Any = None) -> Prediction:
        """Smooth a part of the record.

        Parameters
        ----------
        now : Columns
            Increments as amounts in the spec's units, where they are valid, and what is wanted.
        steps : Steps
            Times of the whole record.
        part : slice
            Which steps these are.
        inflow : array, (reduced, kept), optional
            What comes from the part after this one; None at the end of the record.
        """


def flat(values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """(time, reduced, kept) as (time, columns) on the CPU; one step stays one."""
    values = to_numpy(values)
    full = np.broadcast_to(values, (values.shape[0], *shape[1:]))
    return full.reshape(values.shape[0], -1)
