"""A smoother of one's own: a state space fitted to the user's increments, without a truth."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from xocean_ml import persist
from xocean_ml.device import namespace, to_numpy
from xocean_ml.errors import GridError
from xocean_ml.smoothing.sample import Sample, sample
from xocean_ml.smoothing.smoother import FIELDS, Prediction, flat
from xocean_ml.smoothing.statespace import StateSpace
from xocean_ml.smoothing.statespace import fit as fit_laws
from xocean_ml.smoothing.steps import Steps
from xocean_ml.spec import Spec

if TYPE_CHECKING:
    from xocean_ml.smoothing.tiles import Columns

__all__ = ["StateSpaceSmoother", "fit_statespace", "laws_of"]

_ARRAYS = ("law", "size", "rate", "error", "loose", "slow", "free")
YEAR = 365.25


@persist.register("statespace")
@dataclass(frozen=True, eq=False)
class StateSpaceSmoother:
    """Model of the fitted state space; made by ``ds.ml_smooth.fit("statespace")``.

    Parameters
    ----------
    laws : StateSpace or None
        One law for each level.
    depth : array, (levels,)
        Depth of each level, m; a cell takes the law of the nearest. Empty without depth.
    given : tuple of str
        What it was fitted with beside increments: "spread", "counts".
    """

    laws: StateSpace | None
    depth: np.ndarray
    given: tuple[str, ...]

    options: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("spread",)
    carries: ClassVar[bool] = False

    @property
    def needs_fit(self) -> bool:
        """It is fitted already."""
        return False

    @property
    def wants(self) -> tuple[str, ...]:
        """What it was fitted with, and depth if there was more than one level."""
        return (*self.given, "depth") if len(self.depth) > 1 else self.given

    @property
    def spec(self) -> Spec:
        """Reads and writes increments."""
        return Spec("statespace", FIELDS, FIELDS, whole=("T",), config={"given": self.given})

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> StateSpaceSmoother:
        """Rebuild from a spec and laws."""
        laws = StateSpace(*(tensors.get(name) for name in _ARRAYS))  # type: ignore[arg-type]
        return cls(laws, tensors["depth"], tuple(spec.config["given"]))

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Laws by name."""
        laws = {name: getattr(self.laws, name, None) for name in _ARRAYS}
        return {"depth": self.depth} | {n: v for n, v in laws.items() if v is not None}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""
        persist.save(self, path)

    def with_options(self, **options: Any) -> StateSpaceSmoother:
        """There are none."""
        return self

    def settled(self, *, state: bool) -> StateSpaceSmoother:
        """Nothing depends on the kind of call."""
        return self

    def smooth(self, now: Columns, steps: Steps, part: slice, inflow: Any = None) -> Prediction:
        """Smooth whole series; see `Smoother.smooth`."""
        if self.laws is None:
            raise ValueError('not fitted: use ds.ml_smooth.fit("statespace")')
        self._fits(now, steps)
        xp, shape = namespace(now.amounts), now.amounts.shape
        series = np.where(to_numpy(now.valid), to_numpy(now.amounts), np.nan)
        wide = {n: flat(v, shape) for n, v in now.given.items()}
        smoothed = self.laws.smooth(
            series.reshape(shape[0], -1),
            steps.length / YEAR,
            self._level(wide),
            counts=wide.get("counts"),
            spread=wide.get("spread"),
        )
        mean, error = (
            xp.asarray(np.nan_to_num(each).reshape(shape))
            for each in (smoothed.mean, smoothed.deviation)
        )
        return Prediction(mean, spread=error)

    def _fits(self, now: Columns, steps: Steps) -> None:
        missing = [name for name in self.given if name not in now.given]
        if missing:
            raise GridError(f"this smoother was fitted with {', '.join(missing)}, not found here")
        rate = self.laws.rate if self.laws is not None else None
        if rate is not None and rate.shape[1] != len(steps):
            raise GridError(
                f"this smoother was fitted to {rate.shape[1]} steps, here are {len(steps)}: fit "
                "it to this record, or give counts of observations"
            )

    def _level(self, wide: Mapping[str, np.ndarray]) -> np.ndarray | None:
        if len(self.depth) < 2:
            return None
        apart = np.log1p(wide["depth"][0])[:, None] - np.log1p(self.depth)
        return np.abs(apart).argmin(axis=1)

    def __repr__(self) -> str:
        told = ", ".join(("increments", *self.given))
        return f"StateSpace({max(1, len(self.depth))} levels, fitted to {told})"

    def _repr_html_(self) -> str:
        return f"<b>State-space smoother</b><br>{self!r}"


def fit_statespace(
    ds: xr.Dataset, *, fields: Any = None, also: Sequence[xr.Dataset] = ()
) -> StateSpaceSmoother:
    """Fit a state space to increments by maximum likelihood; this computes.

    Parameters
    ----------
    ds : Dataset
        With increments of one field; spread and counts of observations are used where found.
    fields, also
        As for `xocean_ml.smooth`.
    """
    from xocean_ml.smoothing.prepare import prepare

    blank = StateSpaceSmoother(None, np.zeros(0), ("spread", "counts"))
    ready = prepare(ds, blank, {}, fields=fields, also=also, conserve=None)
    if len(ready.variables) > 1:
        names = [str(each.increments.name) for each in ready.variables]
        raise ValueError(f"a state space is fitted to one field at a time: drop one of {names}")
    return laws_of(sample(ready.variables[0]))


def laws_of(some: Sample) -> StateSpaceSmoother:
    """A state space fitted to cells that were read."""
    years = some.steps.length / YEAR
    many = len(some.depth) > 1
    groups = some.level if many else None
    laws = fit_laws(some.series, years, groups, counts=some.counts, spread=some.spread)
    return StateSpaceSmoother(laws, some.depth if many else np.zeros(0), tuple(some.given))
