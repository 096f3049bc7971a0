"""A run of training: all that changes from step to step, and how it is kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from xocean_ml.device import to_torch
from xocean_ml.errors import ValuesError
from xocean_ml.training.muon import Muon
from xocean_ml.training.schedule import Schedule
from xocean_ml.training.seeds import seeded

__all__ = ["Run"]

Network = TypeVar("Network", bound=torch.nn.Module)
Batch = TypeVar("Batch")
Tensors = dict[str, torch.Tensor]

TRAINING, CHECKING = 0, 1
"""First entry of the position by which random numbers are keyed."""


class Run(Generic[Network]):
    """The network, the moving average of its weights, the optimizer and the history.

    Parameters
    ----------
    network : torch.nn.Module
        Copied, not changed.
    schedule : Schedule
        How to train.
    device : torch.device
        Where to train.
    """

    def __init__(self, network: Network, schedule: Schedule, device: torch.device) -> None:
        self.schedule = schedule
        self.device = device
        self.network = copy.deepcopy(network).to(device).train()
        self.average = copy.deepcopy(self.network).eval()
        self.best: Tensors = {}
        self.step = 0
        self.history: dict[str, list[float]] = {"step": [], "loss": [], "score": []}
        named = dict(self.network.named_parameters())
        self._trained = [name for name, each in named.items() if each.requires_grad]
        kind = {"adam": torch.optim.Adam, "muon": Muon}[schedule.optimizer]
        self._optimizer = kind(named[name] for name in self._trained)
        self._losses = torch.zeros((), dtype=torch.float64, device=device)

    # ---- one step, one check -------------------------------------------------------------------

    def advance(
        self, batch: Callable[[int], Batch], loss: Callable[[Network, Batch], torch.Tensor]
    ) -> None:
        """Take one step down the gradient of the loss of this step's batch."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.schedule.rate_at(self.step)
        self._optimizer.zero_grad()
        on_gpu = self.device.type == "cuda"
        with seeded(self.schedule.seed, TRAINING, self.step, device=self.device):
            data = _placed(batch(self.step), self.device)
            with (
                torch.enable_grad(),
                torch.autocast(self.device.type, torch.bfloat16, enabled=on_gpu),
            ):
                value = loss(self.network, data)
            value.backward()
            # What autocast has cast is kept until the outermost one ends, but weights change now.
            torch.clear_autocast_cache()
        self._clip()
        self._optimizer.step()
        self._average()
        self._losses += value.detach()
        self.step += 1

    def check(self, validate: Callable[[Network], float] | None) -> None:
        """Add a line to the history, and keep the averaged weights if they are the best so far.

        Raises
        ------
        ValuesError
            If the loss, the weights or the score are not finite.
        """
        last = self.history["step"][-1] if self.history["step"] else 0
        mean = self._losses.item() / (self.step - last)
        self._losses.zero_()
        _finite("loss", mean, f"between steps {last:.0f} and {self.step}")
        # A loss can be finite and its gradient not; these weights would go into a checkpoint.
        size = sum(each.detach().abs().sum().item() for each in self.network.parameters())
        _finite("weights", size, f"at step {self.step}")
        self.history["step"].append(self.step)
        self.history["loss"].append(mean)
        if validate is None:
            return
        # The same random numbers at each check: scores differ by the weights alone.
        with torch.no_grad(), seeded(self.schedule.seed, CHECKING, device=self.device):
            score = float(validate(self.average))
        _finite("score", score, f"at step {self.step}")
        self.history["score"].append(score)
        if self.waited == 0:
            self.best = {name: value.clone() for name, value in _tensors(self.average).items()}

    @property
    def waited(self) -> int:
        """Checks since the best score."""
        return len(self.history["step"]) - 1 - self._best_check

    @property
    def best_step(self) -> int:
        """Steps after which the best score came, or without scores the last check."""
        return int(self.history["step"][self._best_check])

    @property
    def over(self) -> bool:
        """Whether all steps are done, or patience is."""
        return self.step >= self.schedule.steps or self.waited >= self.schedule.patience

    @property
    def _best_check(self) -> int:
        scores = self.history["score"]
        return scores.index(min(scores)) if scores else len(self.history["step"]) - 1

    def _clip(self) -> None:
        if self.schedule.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.schedule.clip)

    @torch.no_grad()
    def _average(self) -> None:
        share = 1 - self.schedule.ema_at(self.step)
        for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(value, share)
        for copied, buffer in zip(self.average.buffers(), self.network.buffers(), strict=True):
            copied.copy_(buffer)

    # ---- to and from a checkpoint --------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Where the run is, as plain JSON values."""
        return {"step": self.step, "history": self.history}

    def tensors(self) -> Tensors:
        """The rest of where it is, by name."""
        kept = {
            **_named("network", _tensors(self.network)),
            **_named("average", _tensors(self.average)),
            **_named("best", self.best),
        }
        for index, entries in self._optimizer.state_dict()["state"].items():
            kept |= {f"optimizer.{key}.{self._trained[index]}": v for key, v in entries.items()}
        return kept

    def restore(self, state: dict[str, Any], tensors: Tensors) -> None:
        """Go back to where `state` and `tensors` were taken, at a check."""
        self.step = state["step"]
        self.history = state["history"]
        parts: dict[str, Tensors] = {"best": {}, "optimizer": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = value
        _fill(self.network, parts["network"])
        _fill(self.average, parts["average"])
        self.best = {name: value.to(self.device) for name, value in parts["best"].items()}
        entries: dict[int, Tensors] = {}
        for name, value in parts["optimizer"].items():
            key, _, parameter = name.partition(".")
            entries.setdefault(self._trained.index(parameter), {})[key] = value
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": entries, "param_groups": groups})

    def outcome(self) -> Network:
        """The averaged network: at its best score, or without scores as it is now."""
        if self.best:
            _fill(self.average, self.best)
        return self.average


def _tensors(network: torch.nn.Module) -> Tensors:
    """Parameters and buffers by name, each once: tied weights have one name here."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


@torch.no_grad()
def _fill(network: torch.nn.Module, tensors: Tensors) -> None:
    for name, value in _tensors(network).items():
        value.copy_(tensors[name])


def _placed(batch: Any, device: torch.device) -> Any:
    """A batch on the device: its tensors and arrays, in tuples, lists and mappings."""
    if isinstance(batch, (torch.Tensor, np.ndarray)):
        return to_torch(batch, str(device))
    if isinstance(batch, Mapping):
        return {key: _placed(each, device) for key, each in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_placed(each, device) for each in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(_placed(each, device) for each in batch)
    return batch


def _named(part: str, tensors: Tensors) -> Tensors:
    return {f"{part}.{name}": value for name, value in tensors.items()}


def _finite(what: str, value: float, where: str) -> None:
    if not math.isfinite(value):
        raise ValuesError(
            f"{what}: {value} {where}; look for missing values that no mask covers, "
            "or lower the rate"
        )
