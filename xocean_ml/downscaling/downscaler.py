"""What a model of `.downscale` must be: a protocol, so that users can bring their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from xocean_ml.kernels.lattice import Lattice
from xocean_ml.persist import Model

__all__ = ["COARSE_CELL", "FACTOR", "Downscaler", "Finer", "Seen"]

COARSE_CELL, FACTOR = "coarse cell, km", "factor"
"""What a call is compared by with the training of a model, and what is written in its file."""


@dataclass(frozen=True)
class Seen:
    """What a model sees of one block.

    Parameters
    ----------
    fields : array, (samples, fields, rows, columns)
        Coarse fields in the model's units, NaN over land.
    guides : array or None, (samples, guides, h, w)
        Fine fields on the lattice in the model's units, NaN where missing.
    lattice : Lattice
        Where the fine cells lie.
    inner : (slice, slice)
        Which of them are asked for.
    context : array or None, (samples, channels, rows, columns)
        What the model's global branch found, where it has one and the block is a part.
    """

    fields: np.ndarray
    guides: np.ndarray | None
    lattice: Lattice
    inner: tuple[slice, slice]
    context: np.ndarray | None = None


@dataclass(frozen=True)
class Finer:
    """What a model gives for one block.

    Parameters
    ----------
    fields : array, (samples, fields, h, w)
        In the model's units, over land too.
    spread : array or None
        Standard error, likewise.
    """

    fields: np.ndarray
    spread: np.ndarray | None = None


@runtime_checkable
class Downscaler(Model, Protocol):
    """A model that `downscale` can run.

    Attributes
    ----------
    guided : bool
        Whether it needs guides: the fields of ``spec.reads`` beyond those of ``spec.writes``.
    reach : int or None
        Coarse cells that it sees beyond a block; None if it needs the whole field.
    gives : tuple of str
        ``"spread"``, or nothing.
    channels : int
        Of what a global branch makes of the whole coarse field; 0 without such a branch.
    """

    guided: bool
    reach: int | None
    gives: tuple[str, ...]
    channels: int

    def context(self, fields: np.ndarray, wraps: bool, device: str = "cpu") -> np.ndarray:
        """What the global branch makes of whole fields (samples, fields, rows, columns)."""
        ...

    def predict(self, seen: Seen, device: str = "cpu") -> Finer:
        """Make the fields of one block finer."""
        ...

    def beyond(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """What lies outside the training, in words.

        `facts` has the least and the greatest of `COARSE_CELL` and of `FACTOR`.
        """
        ...
