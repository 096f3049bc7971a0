"""Multivariate optimal interpolation: the Gaussian prior, solved as it should be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xocean_ml import persist
from xocean_ml.errors import ModelFileError
from xocean_ml.generative.diffusion import spec_of
from xocean_ml.generative.generator import Noise, Seen
from xocean_ml.spec import Spec

if TYPE_CHECKING:
    import torch

__all__ = ["Interpolation"]


@persist.register("oi")
@dataclass(frozen=True, eq=False)
class Interpolation:
    """Model of multivariate optimal interpolation.

    Parameters
    ----------
    weights : mapping of str to array
        ``covariance`` and ``mean`` of `xocean_ml.networks.wiener.Wiener`: of all pairs of fields,
        at each wavelength.
    config : mapping
        As of `Generator`.
    """

    weights: Mapping[str, np.ndarray] = field(repr=False)
    config: Mapping[str, Any]

    options: ClassVar[tuple[str, ...]] = ()

    @property
    def spec(self) -> Spec:
        """Reads any of its fields, writes all."""
        return spec_of("oi", self.config)

    @cached_property
    def wiener(self) -> Any:
        """The covariance, ready to be asked."""
        import torch

        from xocean_ml.networks.wiener import Wiener

        both = (torch.from_numpy(np.asarray(self.weights[n], np.float32)) for n in _NAMES)
        return Wiener(*both)

    def to(self, device: str) -> None:
        """Place the covariance."""
        self.wiener.to(device)

    def members(self, seen: Seen, noise: Noise, **options: Any) -> torch.Tensor:
        """Draws of the posterior: a draw of the prior, and what observations correct of it.

        Each member takes the observations in with errors of its own, so that members are as far
        apart as they are from the truth.
        """
        from xocean_ml.solvers.gaussian import update

        prior = self.wiener.draw(noise(0))
        if seen.observe is None:
            return prior
        values = seen.values + seen.variance.sqrt() * noise.observed(seen.place)
        return update(self.wiener.covary, prior, seen.observe, values, seen.variance)

    def tensors(self) -> Mapping[str, np.ndarray]:
        """The covariance."""
        return self.weights

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""
        persist.save(self, path)

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Interpolation:
        """Rebuild from a spec and tensors."""
        if not tensors:
            raise ModelFileError(
                "no 'oi' is packaged; fit one to fields of your own: hires.genda.fit('oi')"
            )
        return cls(dict(tensors), dict(spec.config))

    def __repr__(self) -> str:
        names = ", ".join(each["key"] for each in self.config["fields"])
        return f"OI({names}; {self.config['told']})"

    def _repr_html_(self) -> str:
        return f"<b>{self!r}</b>"


_NAMES = ("covariance", "mean")
