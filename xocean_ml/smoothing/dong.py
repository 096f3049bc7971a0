r"""The smoother of Dong, Haines & Martin (2021): future increments with exponential decay.

A fraction of what was learned at later analyses is moved to earlier steps. With amounts
:math:`d_k`, :math:`g_k = \exp(-(t_{k+1} - t_k)/\tau)` and :math:`c_k = d_k + u_k` what step `k`
holds, it keeps a part and hands the rest to the step before:

.. math:: u_{k-1} = g_{k-1} c_k, \qquad s_k = c_k - u_{k-1}, \qquad u_N = 0 .

For even steps :math:`s_k = (1-g) \sum_l g^l d_{k+l}`. The flux :math:`u_k` is at the same time the
running sum of :math:`s - d`, so the smoothed *state* is :math:`x^s_k = x^a_k + u_k` with
:math:`u_k = g_k (d_{k+1} + u_{k+1})`: one backward scan serves both modes.

Two repairs of the ends:

head
    Step 0 has no step before it: it keeps all that it holds. Without this the amount
    :math:`g c_0` is lost.
tail
    Near the end part of the exponential lies beyond the record: `s` is divided by the part that
    lies inside, :math:`1 - \exp(-(t_{end} - t_k)/\tau)`. This adds an amount.

Missing steps keep nothing and hand on all that they get.

References
----------
Dong, B., Haines, K., & Martin, M. (2021). Improved high resolution ocean reanalyses using a simple
smoother algorithm. J. Adv. Model. Earth Syst., 13, e2021MS002626.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xocean_ml import persist
from xocean_ml.device import namespace
from xocean_ml.kernels.columns import backward
from xocean_ml.smoothing.smoother import FIELDS, Prediction
from xocean_ml.smoothing.steps import Steps
from xocean_ml.spec import Spec

if TYPE_CHECKING:
    from xocean_ml.smoothing.tiles import Columns

__all__ = ["DEFAULT_DECAY", "Dong", "days_of"]

DEFAULT_DECAY = 30.0


@persist.register("dong")
@dataclass(frozen=True)
class Dong:
    """Model of the Dong smoother: a decay time and which ends are repaired.

    Parameters
    ----------
    decay_days : float or None
        e-folding time of the weight of future increments, in days. None: yet to be fitted.
    head, tail : bool or None
        Whether that end is repaired. None: the head where a state is asked for, the tail where
        increments are.
    """

    decay_days: float | None = DEFAULT_DECAY
    head: bool | None = None
    tail: bool | None = None

    options: ClassVar[tuple[str, ...]] = ("decay", "head", "tail")
    wants: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ()
    carries: ClassVar[bool] = True

    def __post_init__(self) -> None:
        days = self.decay_days
        if days is not None and not (np.isfinite(days) and days > 0):
            raise ValueError(f"decay must be a positive length of time, not {days} days")

    @property
    def needs_fit(self) -> bool:
        """Whether the decay is yet to be fitted."""
        return self.decay_days is None

    @property
    def spec(self) -> Spec:
        """Reads and writes increments of temperature or salinity, or both."""
        config = {"decay_days": self.decay_days, "head": self.head, "tail": self.tail}
        return Spec("dong", FIELDS, FIELDS, whole=("T",), config=config)

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Dong:
        """Rebuild from a spec; there are no weights."""
        return cls(**spec.config)

    def tensors(self) -> Mapping[str, np.ndarray]:
        """No weights."""
        return {}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""
        persist.save(self, path)

    def with_options(self, *, decay: Any = None, **repairs: bool | None) -> Dong:
        """The same model with another decay (a length of time or ``"fit"``) or other repairs."""
        if decay is None:
            return replace(self, **repairs)
        days = None if isinstance(decay, str) and decay == "fit" else days_of(decay)
        return replace(self, decay_days=days, **repairs)

    def settled(self, *, state: bool) -> Dong:
        """Decide the repairs that were left open.

        What the head loses is better given back by a closure, over a window, than as a lump at
        step 0; the recursion of states has its head repaired by nature, and no tail.
        """
        head = state if self.head is None else self.head
        tail = (not state) if self.tail is None else self.tail
        return replace(self, head=head, tail=tail)

    def smooth(self, now: Columns, steps: Steps, part: slice, inflow: Any = None) -> Prediction:
        """Smooth a part of the record; see `Smoother.smooth`."""
        if self.decay_days is None:
            raise ValueError('the decay is yet to be fitted: ds.ml_smooth.fit("dong")')
        xp = namespace(now.amounts)
        passed = np.exp(-steps.gaps / self.decay_days)
        if self.head:
            passed[0] = 0.0
        if inflow is None:
            inflow = xp.zeros(now.amounts.shape[1:])
        smoothed, flux, outflow = backward(now.amounts, now.valid, xp.asarray(passed[part]), inflow)
        if self.tail:
            inside = -np.expm1(-steps.left[part] / self.decay_days)
            smoothed /= xp.asarray(inside)[:, None, None]
        return Prediction(smoothed, flux, outflow)

    @property
    def _told(self) -> str:
        return "decay to be fitted" if self.needs_fit else f"decay {self.decay_days:g} days"

    def __repr__(self) -> str:
        return f"Dong({self._told})"

    def _repr_html_(self) -> str:
        return (
            "<b>Dong smoother</b> (Dong, Haines &amp; Martin 2021)<br>"
            f"{self._told}; reads temperature and salinity increments; no weights"
        )


def days_of(length: Any) -> float:
    """Days in a length of time: ``"30D"``, ``"1h"``, a timedelta, or a pint quantity.

    Raises
    ------
    ValueError
        If it cannot be read as one.

    Examples
    --------
    >>> days_of("36h")
    1.5
    """
    import pandas as pd

    if hasattr(length, "units"):
        return float(length.to("day").magnitude)
    if isinstance(length, (int, float)):
        raise ValueError(f'decay={length} has no units; give it like "30D"')
    try:
        return float(pd.Timedelta(length) / pd.Timedelta("1D"))
    except (ValueError, TypeError) as error:
        raise ValueError(f'decay={length!r} is no length of time; give it like "30D"') from error
