"""What a model has that makes members: one protocol, whatever the kind."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from xocean_ml.kernels.counter import key_of, normal, scattered
from xocean_ml.spec import Spec

if TYPE_CHECKING:
    import torch

    from xocean_ml.solvers.operators import Sparse

__all__ = ["Generator", "Noise", "Seen", "keys_of", "norms"]


@dataclass(frozen=True, eq=False)
class Seen:
    """What observations tell of one time, of normalised fields.

    Parameters
    ----------
    observe : Sparse or None
        What they see; None where there are none.
    values, variance : Tensor, (m,)
        And with which variance of the error.
    sea : Tensor, (1, 1, rows, columns)
        1, and 0 on land.
    origin : (int, int)
        Number of the first row and column in the whole grid.
    wide : Tensor of bool, (m,)
        Which are means over much more than a cell.
    place : array of uint64, (4, m)
        Where and when each was made, as words of 32 bits: what its chance is keyed by.
    """

    observe: Sparse | None
    values: torch.Tensor
    variance: torch.Tensor
    sea: torch.Tensor
    origin: tuple[int, int]
    wide: torch.Tensor
    place: np.ndarray


@dataclass(frozen=True)
class Noise:
    """White noise of members, a function of time, member and place in the whole grid.

    Parameters
    ----------
    seed, time : int
        Time in ns since 1970.
    members : tuple of int
        Their numbers.
    shape : (int, int, int)
        Fields, rows, columns.
    origin : (int, int)
    coherence : int, optional
        Time, ns, in which noise becomes another; None: each time has its own.
    device : str
    turn : int
        Columns round the Earth.
    """

    seed: int
    time: int
    members: tuple[int, ...]
    shape: tuple[int, int, int]
    origin: tuple[int, int]
    coherence: int | None = None
    device: str = "cpu"
    turn: int = 2**31

    def __call__(self, step: int) -> torch.Tensor:
        """White noise, (members, fields, rows, columns), of a step."""
        return self._stacked(lambda key: self._field(key, step))

    def observed(self, place: np.ndarray) -> torch.Tensor:
        """White noise, (members, m), for errors of observations at `Seen.place`."""
        return self._stacked(lambda key: scattered(list(place), key))

    def _stacked(self, draw: Any) -> torch.Tensor:
        import torch

        made = np.stack([self._between(draw, member) for member in self.members])
        return torch.from_numpy(made.astype(np.float32)).to(self.device)

    def _between(self, draw: Any, member: int) -> np.ndarray:
        if self.coherence is None:
            return np.asarray(draw(key_of(self.seed, self.time, member)))
        # unit variance at all times: a quarter turn from one draw to the next
        number, rest = divmod(self.time, self.coherence)
        angle = 0.5 * np.pi * rest / self.coherence
        one, other = (draw(key_of(self.seed, "knot", number + k, member)) for k in (0, 1))
        return np.asarray(np.cos(angle) * one + np.sin(angle) * other)

    def _field(self, key: tuple[int, int], step: int) -> np.ndarray:
        fields, rows, columns = self.shape
        at = (range(o, o + n) for o, n in zip(self.origin, (rows, columns), strict=True))
        row, column = (list(each) for each in at)
        column = [each % self.turn for each in column]
        return np.stack([normal(row, column, key, layer=n, step=step) for n in range(fields)])


@runtime_checkable
class Generator(Protocol):
    """A model that makes members.

    Attributes
    ----------
    options : tuple of str
        What `members` takes beside.
    config : mapping
        ``fields``: of each ``key``, ``role``, ``units``, ``name``, ``attrs``, ``dtype``, ``mean``,
        ``std`` (about what is expected), ``size`` (about the mean) and ``growth`` (variance of
        the change in a day, in variances); ``background``: whether the model has a map of what is
        expected; ``cell``: height and width of a cell, km; ``smooth``: cells over which slopes of
        the sea surface are smoothed where currents are without their geostrophic part, else None;
        ``told``.
    """

    options: ClassVar[tuple[str, ...]]

    @property
    def config(self) -> Mapping[str, Any]: ...

    @property
    def spec(self) -> Spec: ...

    def tensors(self) -> Mapping[str, np.ndarray]:
        """For a model's file."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""

    def to(self, device: str) -> None:
        """Place its networks."""

    def members(self, seen: Seen, noise: Noise, **options: Any) -> torch.Tensor:
        """Normalised fields, (members, fields, rows, columns)."""


def norms(config: Mapping[str, Any], name: str) -> np.ndarray:
    """Means or standard deviations of the fields, (fields,)."""
    return np.array([each[name] for each in config["fields"]], np.float64)


def keys_of(config: Mapping[str, Any]) -> Sequence[str]:
    """Keys of the fields."""
    return [str(each["key"]) for each in config["fields"]]
