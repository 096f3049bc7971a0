"""What a smoother is: the protocol that `smooth` asks of any model, ours or a third party's."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from xocean_ml.persist import Model
from xocean_ml.smoothing.steps import Steps

__all__ = ["Smoother"]


@runtime_checkable
class Smoother(Model, Protocol):
    """A model whose blocks hand a carry from the future to the past.

    Attributes
    ----------
    options : tuple of str
        Keyword options of the call that it takes.
    needs_fit : bool
        Whether something is yet to be fitted to the data of the call.
    """

    options: tuple[str, ...]

    @property
    def needs_fit(self) -> bool:
        """Whether `smooth` has to fit it to the data first."""

    def with_options(self, **options: Any) -> Smoother:
        """The same model with the user's options; raises ValueError for a bad one."""

    def settled(self, *, state: bool) -> Smoother:
        """The same model with what depends on the kind of call decided."""

    def smooth(
        self, amounts: Any, valid: Any, steps: Steps, part: slice, inflow: Any = None
    ) -> tuple[Any, Any, Any]:
        """Smooth a part of the record.

        Parameters
        ----------
        amounts : array, (time, reduced, kept)
            Increments of the part as amounts in the spec's units, float64, 0 where missing.
        valid : array of bool, (time, reduced, kept)
            False where missing.
        steps : Steps
            Times of the whole record.
        part : slice
            Which steps these are.
        inflow : array, (reduced, kept), optional
            What comes from the part after this one; None at the end of the record.

        Returns
        -------
        smoothed : array, (time, reduced, kept)
            Smoothed amounts.
        flux : array, (time, reduced, kept)
            Running sum of smoothed minus raw.
        outflow : array, (reduced, kept)
            What goes to the part before.
        """
