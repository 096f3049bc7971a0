"""Regression from observations to fields: one answer, and how far off it usually is."""

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

__all__ = ["BESIDE", "Regression", "rasters"]

BESIDE = 4
"""Channels of each field: values and weights of what is sharp, and of what is wide."""


def rasters(seen: Seen, fields: int) -> torch.Tensor:
    """Observations on the members' cells, (1, 4 fields + 1, rows, columns).

    Of each cell the mean of what observations that see it say, weighted by their errors, and the
    logarithm of their weight; of means over wide footprints apart from the others; and the sea.
    """
    import torch

    shape = seen.sea.shape[-2:]
    if seen.observe is None:
        nothing = seen.sea.new_zeros(1, BESIDE * fields, *shape)
        return torch.cat([nothing, seen.sea], dim=1)
    made = []
    for wide in (False, True):
        weight = torch.where(seen.wide == wide, 1 / seen.variance, 0.0)[None]
        total = seen.observe.back(weight)
        mean = seen.observe.back(weight * seen.values) / total.clamp(min=1e-6)
        made += [mean, torch.log1p(total)]
    return torch.cat([*made, seen.sea.expand(1, 1, *shape)], dim=1)


@persist.register("unet")
@dataclass(frozen=True, eq=False)
class Regression:
    """Model of a regression.

    Parameters
    ----------
    weights : mapping of str to array
        Of a `xocean_ml.networks.unet.UNet` (``network.``), and of the Gaussian of its errors
        (``errors.``).
    config : mapping
        As of `Generator`; ``sizes`` of the network.
    """

    weights: Mapping[str, np.ndarray] = field(repr=False)
    config: Mapping[str, Any]

    options: ClassVar[tuple[str, ...]] = ()

    @property
    def spec(self) -> Spec:
        """Reads any of its fields, writes all."""
        return spec_of("unet", self.config)

    def _part(self, name: str) -> dict[str, Any]:
        import torch

        begin = f"{name}."
        return {
            key.removeprefix(begin): torch.from_numpy(np.array(each, np.float32))
            for key, each in self.weights.items()
            if key.startswith(begin)
        }

    @cached_property
    def network(self) -> Any:
        """The network, ready to be asked."""
        from xocean_ml.networks.unet import UNet

        fields = len(self.config["fields"])
        made = UNet(fields, (BESIDE - 1) * fields + 1, **self.config["sizes"])
        made.load_state_dict(self._part("network"))
        return made.eval().requires_grad_(False)

    @cached_property
    def errors(self) -> Any:
        """The Gaussian of its errors."""
        from xocean_ml.networks.wiener import Wiener

        return Wiener(**self._part("errors"))

    def to(self, device: str) -> None:
        """Place network and errors."""
        self.network.to(device)
        self.errors.to(device)

    def members(self, seen: Seen, noise: Noise, **options: Any) -> torch.Tensor:
        """The answer, and draws of its usual errors."""
        import torch

        from xocean_ml.networks.tiles import blended

        with torch.no_grad():
            given = rasters(seen, len(self.config["fields"]))
            patch = int(self.config["patch"])
            level = given.new_zeros(1)
            mean = blended(lambda tile: self.network(tile, level), given, patch, seen.origin)
            made: torch.Tensor = mean + self.errors.draw(noise(0))
        return made

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Weights by name."""
        return self.weights

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""
        persist.save(self, path)

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Regression:
        """Rebuild from a spec and weights, which must fit the network."""
        if not tensors:
            raise ModelFileError(
                "no 'unet' is packaged: it is of one observing system. Train one for yours: "
                "hires.genda.fit('unet', observing=...)"
            )
        model = cls(dict(tensors), dict(spec.config))
        _ = model.network
        return model

    def __repr__(self) -> str:
        names = ", ".join(each["key"] for each in self.config["fields"])
        return f"UNET({names}; {self.config['told']})"

    def _repr_html_(self) -> str:
        return f"<b>{self!r}</b>"
