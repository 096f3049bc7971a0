"""The learned smoother: a gated TCN on increments, spread, counts and depth."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xocean_ml import persist
from xocean_ml.device import is_cuda, namespace, to_numpy, to_torch
from xocean_ml.smoothing.smoother import FIELDS, Prediction, flat
from xocean_ml.smoothing.steps import Steps
from xocean_ml.spec import Spec

if TYPE_CHECKING:
    from xocean_ml.networks.tcn import GatedTCN
    from xocean_ml.smoothing.tiles import Columns

__all__ = ["TCNSmoother"]

DOMAIN = {"length of step, days": (4.0, 95.0), "depth, m": (0.0, 4500.0), "years": (15.0, 105.0)}
"""What the twins of training spanned."""

BATCH = 128
CUDA_BATCH = 8192
"""Series that go through the network at a time."""


@persist.register("tcn")
@dataclass(frozen=True)
class TCNSmoother:
    """Model of the learned smoother.

    Parameters
    ----------
    weights : mapping of str to array
        Of `xocean_ml.networks.tcn.GatedTCN`.
    config : mapping
        ``channels``, ``blocks``, and what the weights were trained on.
    """

    weights: Mapping[str, np.ndarray] = field(repr=False)
    config: Mapping[str, Any]

    options: ClassVar[tuple[str, ...]] = ()
    wants: ClassVar[tuple[str, ...]] = ("spread", "counts", "depth")
    gives: ClassVar[tuple[str, ...]] = ("gate", "spread")
    carries: ClassVar[bool] = False

    @property
    def needs_fit(self) -> bool:
        """It is fitted already."""
        return False

    @property
    def spec(self) -> Spec:
        """Reads and writes increments; wants spread, counts and depth."""
        return Spec("tcn", FIELDS, FIELDS, whole=("T",), domain=DOMAIN, config=dict(self.config))

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> TCNSmoother:
        """Rebuild from a spec and weights."""
        return cls(dict(tensors), dict(spec.config))

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Weights by name."""
        return self.weights

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""
        persist.save(self, path)

    def with_options(self, **options: Any) -> TCNSmoother:
        """There are none."""
        return self

    def settled(self, *, state: bool) -> TCNSmoother:
        """Nothing depends on the kind of call."""
        return self

    @cached_property
    def network(self) -> GatedTCN:
        """The network with its weights, ready to predict."""
        import torch

        from xocean_ml.networks.tcn import GatedTCN
        from xocean_ml.smoothing.surroundings import BANK, CONDITION, CONTEXT

        network = GatedTCN(CONTEXT, BANK, CONDITION, self.config["channels"], self.config["blocks"])
        network.load_state_dict({n: torch.from_numpy(w.copy()) for n, w in self.weights.items()})
        return network.eval()

    def smooth(self, now: Columns, steps: Steps, part: slice, inflow: Any = None) -> Prediction:
        """Smooth whole series; see `Smoother.smooth`."""
        xp = namespace(now.amounts)
        shape = now.amounts.shape
        wide = {name: flat(values, shape) for name, values in now.given.items()}
        amounts = flat(now.amounts, shape)
        found = np.zeros((3, *amounts.shape))
        live = np.flatnonzero((amounts != 0).any(axis=0))
        device = "cuda" if is_cuda(now.amounts) else "cpu"
        batch = BATCH if device == "cpu" else CUDA_BATCH
        for start in range(0, len(live), batch):
            some = live[start : start + batch]
            pick = {name: values[:, some] for name, values in wide.items()}
            found[:, :, some] = self._answer(amounts[:, some], steps, pick, device)
        smoothed, gate, error = (xp.asarray(each.reshape(shape)) for each in found)
        flux = (smoothed - now.amounts).cumsum(axis=0)
        return Prediction(smoothed, flux, gate=gate, spread=error)

    def _answer(
        self, amounts: np.ndarray, steps: Steps, given: dict[str, np.ndarray], device: str
    ) -> np.ndarray:
        """Smoothed amounts, gate and standard error, (3, time, columns); halves out of memory."""
        import torch

        try:
            return self._ask(amounts, steps, given, device)
        except torch.cuda.OutOfMemoryError:
            if amounts.shape[1] < 2:
                raise
        halves = np.array_split(np.arange(amounts.shape[1]), 2)
        answers = [
            self._answer(amounts[:, h], steps, {n: v[:, h] for n, v in given.items()}, device)
            for h in halves
        ]
        return np.concatenate(answers, axis=2)

    def _ask(
        self, amounts: np.ndarray, steps: Steps, given: dict[str, np.ndarray], device: str
    ) -> np.ndarray:
        import torch

        from xocean_ml.smoothing.surroundings import surroundings

        seen = surroundings(
            amounts,
            steps.days,
            steps.length,
            given["depth"][0],
            _known(given.get("spread")),
            _known(given.get("counts")),
        )
        arrays = (seen.context, seen.bank, seen.condition)
        with torch.inference_mode():
            network = self.network.to(device)
            found = network(*(to_torch(each, device) for each in arrays))[:3]
        answer, gate, error = (to_numpy(each).T for each in found)
        return np.stack([answer * seen.scale, gate, np.exp(error) * seen.scale])

    def __repr__(self) -> str:
        return f"TCN({self.config.get('told', 'gated')})"

    def _repr_html_(self) -> str:
        count = sum(w.size for w in self.weights.values())
        return (
            "<b>Gated TCN smoother</b><br>"
            f"{count} weights, trained on {self.config.get('told', 'twins')}; reads increments of "
            "temperature and salinity, spread, counts and depth"
        )


def _known(values: np.ndarray | None) -> np.ndarray | None:
    return None if values is None else np.nan_to_num(values)
