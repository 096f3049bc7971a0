"""Learned downscalers: a network, and what turns fields with units into what it takes and back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from xocean_ml import persist
from xocean_ml.downscaling.downscaler import Finer, Seen
from xocean_ml.errors import ModelFileError
from xocean_ml.kernels.resample import FILL_REACH, bicubic, fill
from xocean_ml.spec import FieldSpec, Spec

if TYPE_CHECKING:
    import torch

__all__ = ["NETWORKS", "Learned", "network_of"]

NETWORKS = {
    "resac": ("xocean_ml.networks.resac", "RESAC"),
    "liif": ("xocean_ml.networks.liif", "LIIF"),
    "jiif": ("xocean_ml.networks.jiif", "JIIF"),
    "fno": ("xocean_ml.networks.fno", "FNO"),
    "glio": ("xocean_ml.networks.glio", "GLIO"),
}
"""Kinds of network, and where each is."""

CELLS = 1 << 15
"""Fine cells that go through a network at a time on a CPU; more on a GPU. One sample at least."""

FEATURES = 16
"""Fine cells that a coarse cell counts as: networks find features on the coarse grid or near it."""

CUDA_CELLS = 1 << 23

SLACK = 1e-3
"""Of what was seen in training, by which sizes may lie beyond it: rounding of coordinates."""


def network_of(kind: str, fields: int, guides: int, **sizes: Any) -> Any:
    """A new network of a kind, by name, so that only what is used is imported."""
    module, name = NETWORKS[kind]
    return getattr(import_module(module), name)(fields, guides, **sizes)


@dataclass(frozen=True, eq=False)  # arrays do not compare to one truth
class Learned:
    """Model of a learned downscaler.

    Parameters
    ----------
    weights : mapping of str to array
        Of the network.
    config : mapping
        ``kind``; ``sizes`` of the network; ``fields`` and ``guides``, each with key, role, units,
        mean and std; ``trained``, ranges of what it saw; ``told``, on what.
    """

    weights: Mapping[str, np.ndarray] = field(repr=False)
    config: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Kind of network."""
        return str(self.config["kind"])

    @property
    def guided(self) -> bool:
        """Whether it needs guides."""
        return bool(self.config["guides"])

    @cached_property
    def reach(self) -> int | None:
        """Coarse cells that it sees beyond a block, filling of land included."""
        reach = self.network.reach
        return None if reach is None else int(reach) + FILL_REACH

    @property
    def gives(self) -> tuple[str, ...]:
        """Its spread, if it knows one."""
        return ("spread",) if self.config.get("spread") else ()

    @property
    def channels(self) -> int:
        """Of what a global branch makes of the whole field; 0 without such a branch."""
        return int(getattr(self.network, "channels", 0))

    @property
    def spec(self) -> Spec:
        """Reads fields and guides, writes fields."""
        fields, guides = (
            tuple(FieldSpec(each["key"], each["role"], each["units"]) for each in self.config[part])
            for part in ("fields", "guides")
        )
        domain = {name: (low, high) for name, (low, high) in self.config["trained"].items()}
        return Spec(self.kind, fields + guides, fields, domain=domain, config=dict(self.config))

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Learned:
        """Rebuild from a spec and weights, which must fit the network."""
        if not tensors:
            raise ModelFileError(
                f"no weights of {spec.name!r} are packaged; train some on fine fields: "
                f"hires.downscale.fit({spec.name!r}, factor=...)"
            )
        model = cls(dict(tensors), dict(spec.config))
        _ = model.network  # now: a file that does not fit is told where it is read
        return model

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Weights by name."""
        return self.weights

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file (safetensors)."""
        persist.save(self, path)

    @cached_property
    def network(self) -> Any:
        """The network with its weights, ready to predict."""
        import torch

        fields, guides = len(self.config["fields"]), len(self.config["guides"])
        network = network_of(self.kind, fields, guides, **self.config["sizes"])
        _same_shapes(self.kind, self.weights, network.state_dict())
        # In whatever precision they are stored, the network's parameters stay float32.
        network.load_state_dict({n: torch.from_numpy(w.copy()) for n, w in self.weights.items()})
        return network.eval()

    def normalised(self, values: np.ndarray, part: str) -> np.ndarray:
        """Fields or guides (samples, channels, rows, columns) as the network takes them."""
        mean, std = self._norms(part)
        return ((values - mean) / std).astype(np.float32)

    def _norms(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        numbers = [[each["mean"], each["std"]] for each in self.config[part]]
        mean, std = np.array(numbers).T[:, :, None, None]
        return mean, std

    def coarse(self, fields: np.ndarray) -> np.ndarray:
        """Coarse fields for the network, land filled, and last the sea."""
        x = self.normalised(fields, "fields")
        valid = ~np.isnan(x)
        sea = valid.all(axis=1, keepdims=True)
        return np.concatenate([fill(x, valid), sea.astype(np.float32)], axis=1)

    def guide(self, guides: np.ndarray) -> np.ndarray:
        """Guides for the network, zero where missing, and last where all are there."""
        g = self.normalised(guides, "guides")
        valid = ~np.isnan(g)
        there = valid.all(axis=1, keepdims=True)
        return np.concatenate([np.where(valid, g, 0), there.astype(np.float32)], axis=1)

    def context(self, fields: np.ndarray, wraps: bool, device: str = "cpu") -> np.ndarray:
        """What the global branch makes of whole fields, (samples, channels, rows, columns)."""
        import torch

        with torch.inference_mode():
            network = self.network.to(device)
            found = network.context(torch.from_numpy(self.coarse(fields)).to(device), wraps)
        return np.asarray(found.cpu().numpy())

    def predict(self, seen: Seen, device: str = "cpu") -> Finer:
        """Make one block finer; see `Downscaler.predict`."""
        coarse = self.coarse(seen.fields)
        guide = None if seen.guides is None else self.guide(seen.guides)
        base = bicubic(coarse[:, :-1], seen.lattice.window(*seen.inner))
        cells = CELLS if device == "cpu" else CUDA_CELLS
        many = max(1, cells // max(base[0, 0].size, FEATURES * coarse[0, 0].size))
        residual, log_std = np.empty_like(base), np.empty_like(base)

        def answer(some: slice) -> None:
            pick = [None if each is None else each[some] for each in (coarse, guide, seen.context)]
            residual[some], log_std[some] = self._ask(pick, seen, device)

        for start in range(0, len(base), many):
            _halving(answer, slice(start, min(start + many, len(base))))
        mean, std = (each.astype(seen.fields.dtype) for each in self._norms("fields"))
        spread = np.exp(log_std) * std if self.gives else None
        return Finer((base + residual) * std + mean, spread)

    def _ask(
        self, pick: Sequence[np.ndarray | None], seen: Seen, device: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Residual and logarithm of the spread, of coarse fields, guides and context."""
        import torch

        from xocean_ml.networks.where import where

        def tensor(each: np.ndarray | None) -> torch.Tensor | None:
            return None if each is None else torch.from_numpy(np.ascontiguousarray(each)).to(device)

        network = self.network.to(device)
        coarse, guide, context = map(tensor, pick)
        more: dict[str, Any] = {} if context is None else {"context": context}
        rows, columns = seen.inner
        beside = getattr(network, "beside", None)
        if beside is not None:
            asked = more["asked"] = seen.lattice.around(rows, columns, beside)
            rows, columns = map(_within, seen.inner, asked, seen.lattice.shape)
        with torch.inference_mode():
            residual, log_std = network(coarse, guide, where(seen.lattice, device), **more)
        # No spread is no number, not a small one.
        told = torch.full_like(residual, torch.nan) if log_std is None else log_std
        mean, error = (each[..., rows, columns].cpu().numpy() for each in (residual, told))
        return mean, error

    def beyond(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """What lies outside the training, in words."""
        return tuple(
            f"{name}: {_span(*facts[name])}, trained on {_span(low, high)}"
            for name, (low, high) in self.config["trained"].items()
            if name in facts and not _within_range(facts[name], low, high)
        )

    def __repr__(self) -> str:
        return f"{self.kind.upper()}({self.config.get('told', 'fitted')})"

    def _repr_html_(self) -> str:
        count = sum(w.size for w in self.weights.values())
        made, guided = (
            ", ".join(each["key"] for each in self.config[part]) for part in ("fields", "guides")
        )
        by = f", guided by {guided}" if guided else ""
        return f"<b>{self.kind.upper()}</b><br>{count} weights; makes {made} finer{by}"


for _kind in NETWORKS:
    persist.register(_kind)(Learned)


def _within_range(facts: Sequence[float], low: float, high: float) -> bool:
    """Whether facts lie in a range, to the rounding of coordinates."""
    return low * (1 - SLACK) <= facts[0] <= facts[1] <= high * (1 + SLACK)


def _span(low: float, high: float) -> str:
    return " to ".join(dict.fromkeys(f"{each:.3g}" for each in (low, high)))


def _same_shapes(kind: str, weights: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse weights of another network than this one."""
    given = {name: tuple(each.shape) for name, each in weights.items()}
    wanted = {name: tuple(each.shape) for name, each in own.items()}
    wrong = [
        f"{name} is {given.get(name, 'missing')}, {wanted.get(name, 'nothing')} is wanted"
        for name in sorted({*given, *wanted})
        if given.get(name) != wanted.get(name)
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ModelFileError(
            f"weights do not fit this xocean_ml's {kind.upper()}: {'; '.join(wrong[:3])}{more}. "
            "Load them with the xocean_ml that they were trained with, or train anew"
        )


def _within(inner: slice, asked: slice, count: int) -> slice:
    """The block's own cells among those asked for."""
    start, stop, _ = inner.indices(count)
    return slice(start - asked.start, stop - asked.start)


def _halving(answer: Callable[[slice], None], some: slice) -> None:
    """Ask for some samples, in two halves where the device has no memory for all."""
    import torch

    try:
        answer(some)
    except torch.cuda.OutOfMemoryError:
        if some.stop - some.start < 2:
            raise
        middle = (some.start + some.stop) // 2
        _halving(answer, slice(some.start, middle))
        _halving(answer, slice(middle, some.stop))
