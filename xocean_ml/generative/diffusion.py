"""The diffusion prior: fields from noise, guided by observations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xocean_ml import persist
from xocean_ml.errors import ModelFileError
from xocean_ml.generative.background import NAMES
from xocean_ml.generative.generator import Noise, Seen
from xocean_ml.spec import FieldSpec, Spec

if TYPE_CHECKING:
    import torch

__all__ = ["GUIDANCE", "LARGEST", "LEAST", "Diffusion", "Near", "spec_of"]

LARGEST, LEAST = 200.0, 0.002
"""Levels of noise, in standard deviations of a field: from one that drowns the mean of a tile."""

GUIDANCE = ("gaussian", "sda")
ITERATIONS = 1
GAMMA = 0.1


def spec_of(name: str, config: Mapping[str, Any]) -> Spec:
    """Reads any of its fields, writes all."""
    specs = [
        FieldSpec(each["key"], each["role"], each["units"], required=False)
        for each in config["fields"]
    ]
    return Spec(name, tuple(specs), tuple(specs), config=dict(config))


@persist.register("diffusion")
@dataclass(frozen=True, eq=False)
class Diffusion:
    """Model of a diffusion prior.

    Parameters
    ----------
    weights : mapping of str to array
        Of `xocean_ml.networks.edm.Denoiser`.
    config : mapping
        As of `Generator`; ``patch``, cells of a tile's side; ``sizes`` of the network; ``shares``
        of the level of noise that it is told, for each field.
    """

    weights: Mapping[str, np.ndarray] = field(repr=False)
    config: Mapping[str, Any]

    options: ClassVar[tuple[str, ...]] = ("steps", "guidance", "corrector")

    @property
    def spec(self) -> Spec:
        """Reads any of its fields, writes all."""
        return spec_of("diffusion", self.config)

    @cached_property
    def network(self) -> Any:
        """The denoiser, ready to be asked."""
        import torch

        from xocean_ml.networks.edm import Denoiser
        from xocean_ml.networks.unet import UNet
        from xocean_ml.networks.wiener import Wiener

        given = {
            name: torch.from_numpy(np.array(each, np.float32))
            for name, each in self.weights.items()
            if name not in NAMES
        }
        count = len(self.config["fields"])
        wiener = Wiener(given["wiener.covariance"], given["wiener.mean"])
        network = UNet(count, 2 * count + 1, **self.config["sizes"])
        made = Denoiser(wiener, network, self.patch, self.config.get("shares"))
        made.load_state_dict(given)
        return made.eval().requires_grad_(False)

    @property
    def patch(self) -> int:
        """Cells of a tile's side."""
        return int(self.config["patch"])

    def to(self, device: str) -> None:
        """Place the denoiser."""
        self.network.to(device)

    def members(
        self,
        seen: Seen,
        noise: Noise,
        *,
        steps: int = 32,
        guidance: str = "gaussian",
        corrector: bool = False,
        **options: Any,
    ) -> torch.Tensor:
        """Normalised fields, (members, fields, rows, columns), that agree with observations.

        Parameters
        ----------
        seen : Seen
        noise : Noise
        steps : int
            Levels of noise.
        guidance : {"gaussian", "sda"}
            The update with the denoiser's own covariance; or the published one, with a number.
        corrector : bool
            Whether noise is given anew at each step, which forgets earlier errors.
        """
        import torch

        from xocean_ml.solvers.diffusion import levels, sample
        from xocean_ml.solvers.guidance import Exact, Published

        network = self.network
        wide = max(1.0, max(seen.sea.shape[-2:]) / self.patch)

        def denoise(x: torch.Tensor, sigma: float) -> torch.Tensor:
            made: torch.Tensor = network(x, x.new_full((len(x),), sigma), seen.sea, seen.origin)
            return made

        guided: Any = denoise
        if seen.observe is not None:
            told = denoise, seen.observe, seen.values, seen.variance
            guided = (
                Exact(*told, ITERATIONS, Near(network.wiener, seen.sea))
                if guidance == "gaussian"
                else Published(*told, GAMMA)
            )
        sigmas = levels(steps, LARGEST * wide, LEAST)
        anew = (lambda step: noise(step + 1)) if corrector else None
        with torch.no_grad():
            start = network.wiener.draw(noise(0), sigmas[0] ** 2)
            return sample(guided, start, sigmas, anew)

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Weights by name."""
        return self.weights

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""
        persist.save(self, path)

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Diffusion:
        """Rebuild from a spec and weights, which must fit the network."""
        if not tensors:
            raise ModelFileError(
                f"no weights of {spec.name!r} are packaged; train a prior on fields of your own: "
                "hires.genda.fit()"
            )
        model = cls(dict(tensors), dict(spec.config))
        _ = model.network  # now: a file that does not fit is told where it is read
        return model

    def __repr__(self) -> str:
        names = ", ".join(each["key"] for each in self.config["fields"])
        return f"DIFFUSION({names}; {self.config['told']})"

    def _repr_html_(self) -> str:
        count = sum(w.size for w in self.weights.values())
        return f"<b>{self!r}</b><br>{count} weights, tiles of {self.patch} cells"


@dataclass(frozen=True, eq=False)
class Near:
    """The Gaussian of a denoiser, over the sea."""

    wiener: Any
    sea: torch.Tensor

    def kept(self, fields: torch.Tensor, sigma: float) -> torch.Tensor:
        return self._of(fields, sigma, 1.0)

    def half(self, fields: torch.Tensor, sigma: float) -> torch.Tensor:
        return self._of(fields, sigma, 0.5)

    def _of(self, fields: torch.Tensor, sigma: float, power: float) -> torch.Tensor:
        level = fields.new_full((len(fields),), sigma)
        made: torch.Tensor = self.sea * self.wiener(fields * self.sea, level, power)
        return made
