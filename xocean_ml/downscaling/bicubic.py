"""Bicubic interpolation as a model: any field, any finer grid, land left out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from xocean_ml import persist
from xocean_ml.downscaling.downscaler import Finer, Seen
from xocean_ml.kernels.resample import BICUBIC_REACH, bicubic, fill
from xocean_ml.spec import Spec

__all__ = ["Bicubic"]

FILLED = 2
"""Cells by which the sea is carried on into land: as many as the interpolation sees."""


@persist.register("bicubic")
@dataclass(frozen=True)
class Bicubic:
    """Cubic convolution (Keys 1981), land filled from the sea around it.

    Examples
    --------
    >>> Bicubic().reach
    4
    """

    guided: ClassVar[bool] = False
    gives: ClassVar[tuple[str, ...]] = ()
    channels: ClassVar[int] = 0
    reach: ClassVar[int] = BICUBIC_REACH + FILLED

    @property
    def spec(self) -> Spec:
        """It reads and writes whatever it is given."""
        return Spec("bicubic", (), (), reach={"Y": self.reach, "X": self.reach})

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Bicubic:
        """Rebuild: nothing to do."""
        return cls()

    def tensors(self) -> Mapping[str, np.ndarray]:
        """None."""
        return {}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""
        persist.save(self, path)

    def context(self, fields: np.ndarray, wraps: bool, device: str = "cpu") -> np.ndarray:
        """It has no global branch."""
        raise NotImplementedError

    def predict(self, seen: Seen, device: str = "cpu") -> Finer:
        """Interpolate; see `Downscaler.predict`."""
        filled = fill(seen.fields, ~np.isnan(seen.fields), FILLED)
        return Finer(bicubic(filled, seen.lattice.window(*seen.inner)))

    def beyond(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Nothing: it was trained on nothing."""
        return ()

    def __repr__(self) -> str:
        return "Bicubic()"

    def _repr_html_(self) -> str:
        return "<b>Bicubic</b><br>cubic convolution, land left out; reads any field"
