"""The learned smoother: a gated TCN on increments, spread, counts and depth."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
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
    from xocean_ml.smoothing.surroundings import Surroundings
    from xocean_ml.smoothing.tiles import Columns

__all__ = ["TCNSmoother"]

DOMAIN = {"length of step, days": (4.0, 95.0), "depth, m": (0.0, 4500.0), "years": (15.0, 105.0)}
"""What the twins of training spanned."""

BATCH = 64
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
        known = self.config.get("domain", DOMAIN)
        domain = {name: (low, high) for name, (low, high) in known.items()}
        return Spec("tcn", FIELDS, FIELDS, whole=("T",), domain=domain, config=dict(self.config))

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
        xp, shape = namespace(now.amounts), now.amounts.shape
        amounts = flat(now.amounts, shape)
        given = {name: flat(values, shape) for name, values in now.given.items()}
        found = {name: np.zeros(amounts.shape) for name in ("smoothed", *now.asked)}
        ask, batch = (self._on_cuda, CUDA_BATCH) if is_cuda(now.amounts) else (self._on_cpu, BATCH)

        def answer(some: np.ndarray) -> dict[str, np.ndarray]:
            seen = _see(amounts[:, some], steps, {n: v[:, some] for n, v in given.items()})
            return ask(amounts[:, some] / seen.scale, seen, steps, now.asked)

        live = np.flatnonzero((amounts != 0).any(axis=0))
        for some in np.array_split(live, -(-len(live) // batch)) if len(live) else []:
            for name, values in _halving(answer, some).items():
                found[name][:, some] = values
        return Prediction(**{n: xp.asarray(each.reshape(shape)) for n, each in found.items()})

    def _on_cpu(
        self, x: np.ndarray, seen: Surroundings, steps: Steps, asked: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """The network weighs, a compiled loop adds up: the bank is never held."""
        import torch

        from xocean_ml.kernels.bank import Weights, between, blend

        logit, error, adapted, light = self.network.predict(
            torch.from_numpy(seen.context), torch.from_numpy(seen.condition)
        )
        weights = Weights(*(each.numpy() for each in (logit, adapted, light.contiguous())))
        answer, gate = blend(x, steps.days, steps.length, weights)
        found = {"smoothed": answer * seen.scale}
        if "gate" in asked:
            found["gate"] = gate
        if "spread" in asked:
            grouped = error.numpy()
            lower, fraction = between(len(steps), len(grouped))
            upper = np.minimum(lower + 1, len(grouped) - 1)
            along = grouped[lower] + fraction[:, None] * (grouped[upper] - grouped[lower])
            found["spread"] = np.exp(along) * seen.scale
        return found

    def _on_cuda(
        self, x: np.ndarray, seen: Surroundings, steps: Steps, asked: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """The network's own forward pass on the device."""
        import torch

        from xocean_ml.smoothing.surroundings import bank

        arrays = (seen.context, bank(x, steps.days, steps.length), seen.condition)
        with torch.inference_mode():
            network = self.network.to("cuda")
            answer, gate, error, _ = network(*(to_torch(each, "cuda") for each in arrays))
        smoothed, gate, error = (to_numpy(each).T for each in (answer, gate, error))
        found = {"gate": gate, "spread": np.exp(error) * seen.scale}
        return {"smoothed": smoothed * seen.scale} | {name: found[name] for name in asked}

    def __repr__(self) -> str:
        return f"TCN({self.config.get('told', 'gated')})"

    def _repr_html_(self) -> str:
        count = sum(w.size for w in self.weights.values())
        return (
            "<b>Gated TCN smoother</b><br>"
            f"{count} weights, trained on {self.config.get('told', 'twins')}; reads increments of "
            "temperature and salinity, spread, counts and depth"
        )


def _see(amounts: np.ndarray, steps: Steps, given: Mapping[str, np.ndarray]) -> Surroundings:
    from xocean_ml.smoothing.surroundings import surroundings

    return surroundings(
        amounts,
        steps.days,
        steps.length,
        given["depth"][0],
        _known(given.get("spread")),
        _known(given.get("counts")),
    )


def _known(values: np.ndarray | None) -> np.ndarray | None:
    return None if values is None else np.nan_to_num(values)


def _halving(
    answer: Callable[[np.ndarray], dict[str, np.ndarray]], some: np.ndarray
) -> dict[str, np.ndarray]:
    """Ask for some columns, in two halves where the device has no memory for all."""
    import torch

    try:
        return answer(some)
    except torch.cuda.OutOfMemoryError:
        if len(some) < 2:
            raise
    halves = [_halving(answer, half) for half in np.array_split(some, 2)]
    return {name: np.concatenate([h[name] for h in halves], axis=1) for name in halves[0]}
