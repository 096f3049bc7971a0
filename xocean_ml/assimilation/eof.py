"""The linear model: a latent of EOFs, whose update is exact.

Empirical orthogonal functions of normalised anomalies, each scaled by how much of it is met in
times that were withheld; the first are the latent, those that follow are what it cannot represent.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from xocean_ml import persist
from xocean_ml.assimilation.analysis import (
    Analysis,
    Background,
    Given,
    analyse,
    deviations,
    prior_draw,
)
from xocean_ml.assimilation.state import State
from xocean_ml.assimilation.tables import Moment, Tables
from xocean_ml.errors import ModelFileError
from xocean_ml.spec import FieldSpec, Spec

__all__ = ["Eof"]


@persist.register("eof")
@dataclass(frozen=True, eq=False)  # arrays do not compare to one truth
class Eof:
    """Model of a linear latent assimilation.

    Parameters
    ----------
    state : State
        Grid and known cells.
    tables : Tables
        Climatology and transforms.
    patterns : array, (K, n)
        Of each coefficient, in normalised anomalies: first those of the latent.
    rest : array, (n,)
        Standard deviation of what no pattern holds.
    config : mapping
        ``fields``, each with key, role, units, power, name, attrs and correlation length;
        ``latent``, how many; ``season`` and ``step`` of the climatology; ``grid``, names and
        attributes of its coordinates.
    """

    state: State
    tables: Tables
    patterns: np.ndarray = field(repr=False)
    rest: np.ndarray = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)

    kind: ClassVar[str] = "eof"
    linear: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    @property
    def latent(self) -> int:
        """Size of the latent."""
        return int(self.config["latent"])

    @property
    def spec(self) -> Spec:
        """Reads any of its fields, writes all."""
        specs = [
            FieldSpec(each["key"], each["role"], each["units"], required=False)
            for each in self.config["fields"]
        ]
        return Spec(self.kind, tuple(specs), tuple(specs), config=dict(self.config))

    @cached_property
    def known(self) -> Background:
        """What is known before anything is observed."""
        return self._background()

    def _background(self) -> Background:
        # no kind overrides `known` and asks `super().known`: that would be stored under the same
        # name, where another thread finds it
        lengths = tuple(float(each["length"]) for each in self.config["fields"])
        patterns = self.patterns.astype(np.float64)
        mean = np.zeros(len(patterns))
        return Background(
            self.state, self.tables, patterns, mean, None, self.rest.astype(np.float64), lengths
        )

    def to(self, device: str) -> None:
        """It has no network."""

    def analyse(self, given: Given, *, residual: bool, **options: Any) -> Analysis:
        """What observations say of the state: exact."""
        return analyse(self.known, given, residual=residual)

    def members(
        self,
        given: Given,
        made: Analysis,
        random: Sequence[Sequence[np.random.Generator]],
        *,
        residual: bool,
    ) -> np.ndarray:
        """Draws of the state, (times, draws, n), as normalised anomalies."""
        known = self.known

        def change(away: np.ndarray) -> np.ndarray:
            return np.asarray(away.T @ known.patterns)

        drawn = [deviations(known, given, made, each, change, residual=residual) for each in random]
        return np.asarray(made.anomaly[:, None] + np.stack(drawn))

    @cached_property
    def unseen(self) -> np.ndarray:
        """Variance, (n,), of what the latent does not hold."""
        beyond = self.known.patterns[self.latent :]
        return np.asarray((beyond**2).sum(axis=0) + self.known.rest**2)

    def draw(self, random: np.random.Generator, now: Moment) -> np.ndarray:
        """A state that nothing is observed of, (n,), as normalised anomalies."""
        return prior_draw(self.known, random)[0]

    def sample(self, n: int, *, seed: int = 0, month: int | None = None) -> xr.Dataset:
        """Draw states that nothing is observed of: `xocean_ml.assimilation.codes.sample`."""
        from xocean_ml.assimilation.codes import sample

        return sample(self, n, seed=seed, month=month)

    def decode(self, latent: np.ndarray, now: Moment) -> np.ndarray:
        """Normalised anomalies, (..., n), of latents (..., latent) of one time of the year."""
        return np.asarray(latent @ self.known.patterns[: self.latent])

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Grid, climatology and patterns."""
        return {
            **self.state.tensors(),
            "mean": self.tables.mean.astype(np.float32),
            "scale": self.tables.scale.astype(np.float32),
            "patterns": self.patterns,
            "rest": self.rest,
        }

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Eof:
        """Rebuild from a spec and tensors."""
        config = dict(spec.config)
        if not tensors:
            raise ModelFileError(
                f"no {spec.name!r} is packaged; fit one to fields of your own: "
                f"fields.assimilate.fit({spec.name!r})"
            )
        state = State.build(tensors, bool(config["grid"]["wraps"]))
        power = np.concatenate(
            [
                np.full(part.stop - part.start, each["power"])
                for part, each in zip(state.parts, config["fields"], strict=True)
            ]
        )
        tables = Tables(
            tensors["mean"].astype(np.float64), tensors["scale"].astype(np.float64), power
        )
        return cls(state, tables, tensors["patterns"], tensors["rest"], config)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""
        persist.save(self, path)

    def __repr__(self) -> str:
        names = ", ".join(each["key"] for each in self.config["fields"])
        return f"{self.kind.upper()}({self.latent} numbers for {names})"

    def _repr_html_(self) -> str:
        rows, columns = self.state.shape
        return f"<b>{self!r}</b><br>{rows} by {columns} cells, {self.config['told']}"
