"""What an assimilating model is: the protocol that `assimilate` asks of any model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from xocean_ml.assimilation.analysis import Analysis, Given
from xocean_ml.assimilation.state import State
from xocean_ml.assimilation.tables import Moment, Tables
from xocean_ml.persist import Model

__all__ = ["Assimilator"]


@runtime_checkable
class Assimilator(Model, Protocol):
    """A model of `assimilate`.

    Attributes
    ----------
    state : State
        Its grid and known cells.
    tables : Tables
        Climatology and transforms.
    latent : int
        Size of the latent.
    linear : bool
        Whether times that are seen alike have the same errors, and may be analysed together.
    options : tuple of str
        What `analyse` takes beside.
    config : mapping
        ``fields``, ``grid``, ``season``, ``step``: see `xocean_ml.assimilation.eof.Eof`.
    """

    linear: ClassVar[bool]
    options: ClassVar[tuple[str, ...]]

    @property
    def state(self) -> State: ...

    @property
    def tables(self) -> Tables: ...

    @property
    def config(self) -> Mapping[str, Any]: ...

    @property
    def latent(self) -> int: ...

    def to(self, device: str) -> None:
        """Place its network, if it has one."""

    def analyse(self, given: Given, *, residual: bool, **options: Any) -> Analysis:
        """What observations say of the state."""

    def members(
        self,
        given: Given,
        made: Analysis,
        random: Sequence[Sequence[np.random.Generator]],
        *,
        residual: bool,
    ) -> np.ndarray:
        """Draws of the state, (times, draws, n), as normalised anomalies."""

    @property
    def unseen(self) -> np.ndarray:
        """Variance, (n,), of what the latent does not hold."""

    def draw(self, random: np.random.Generator, now: Moment) -> np.ndarray:
        """A state that nothing is observed of, (n,), as normalised anomalies."""

    def decode(self, latent: np.ndarray, now: Moment) -> np.ndarray:
        """Normalised anomalies, (..., n), of latents (..., latent) of one time of the year."""
