"""How long, how fast and how carefully a network is trained."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Schedule"]

OPTIMIZERS = ("adam", "muon")

ELSEWHERE = ("checkpoint", "device")
"""Fields that say where a run takes place, not what comes out of it."""


@dataclass(frozen=True)
class Schedule:
    """How a network is trained.

    Parameters
    ----------
    steps : int
        Updates of the weights, unless the run stops early.
    rate : float
        Highest learning rate. It rises linearly over `warmup` steps, then falls along a
        cosine to zero at `steps` [1]_.
    warmup : int
        Steps until the highest rate.
    batch : int
        Examples in a batch, for the function that makes batches; the loop does not look at it.
    ema : float
        Decay of the moving average of the weights; see `ema_at`. 0 is no average.
    clip : float or None
        Norm to which longer gradients are cut; None for no limit.
    check_every : int
        Steps between checks: validation, a line of the history, a checkpoint.
    patience : int
        Checks without a better score after which the run stops.
    optimizer : {"adam", "muon"}
        What steps the weights; "muon" is `xocean_ml.training.muon.Muon`, which learns
        convolutions in half the steps.
    seed : int
        Key of all that is random inside the loop (dropout, noise drawn by the loss).
    checkpoint : path, optional
        File, ending in ``.safetensors``, that a killed run goes on from.
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:N"``; None is where the network is if that is a GPU, else
        CUDA if there is one, else the CPU.

    Raises
    ------
    ValueError
        If a number is out of its range.

    References
    ----------
    .. [1] Loshchilov & Hutter (2017), SGDR: stochastic gradient descent with warm restarts.
       arXiv:1608.03983

    Examples
    --------
    >>> schedule = Schedule(steps=100, rate=1e-3, warmup=10)
    >>> [round(schedule.rate_at(step), 5) for step in (0, 9, 10, 55, 99)]
    [0.0001, 0.001, 0.001, 0.0005, 0.0]
    """

    steps: int = 1000
    rate: float = 1e-3
    warmup: int = 50
    batch: int = 32
    ema: float = 0.999
    clip: float | None = 1.0
    check_every: int = 100
    patience: int = 10
    optimizer: str = "adam"
    seed: int = 0
    checkpoint: str | os.PathLike[str] | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        ranges = {
            "steps": self.steps >= 1,
            "rate": 0 < self.rate < math.inf,
            "warmup": self.warmup >= 0,
            "batch": self.batch >= 1,
            "ema": 0 <= self.ema < 1,
            "clip": self.clip is None or self.clip > 0,
            "check_every": self.check_every >= 1,
            "patience": self.patience >= 1,
            "optimizer": self.optimizer in OPTIMIZERS,
            "seed": self.seed >= 0,
        }
        wrong = [f"{name}={getattr(self, name)!r}" for name, good in ranges.items() if not good]
        if wrong:
            raise ValueError(f"out of range: {', '.join(wrong)}; see Schedule for what each means")

    def rate_at(self, step: int) -> float:
        """Learning rate of step 0, 1, ..., `steps` - 1."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / (self.steps - self.warmup)
        return self.rate * (1 + math.cos(math.pi * done)) / 2

    def ema_at(self, step: int) -> float:
        """Decay of the moving average at step 0, 1, ...: ``min(ema, step / (step + 10))``.

        With a constant decay the average of a run shorter than some ``1 / (1 - ema)`` steps would
        consist of first guesses. Until the decay reaches `ema` this one gives the weights of step
        i a share that grows like i**9 (the power function average of Karras et al. 2024,
        arXiv:2312.02696, with gamma = 9): it looks back over a tenth of the run. The weights
        before the first step have no share.
        """
        return min(self.ema, step / (step + 10))

    def is_check(self, step: int) -> bool:
        """Whether there is a check once `step` steps are done."""
        return step % self.check_every == 0 or step == self.steps

    def config(self) -> dict[str, Any]:
        """What decides the outcome, as plain JSON values: all but `checkpoint` and `device`."""
        return {name: value for name, value in asdict(self).items() if name not in ELSEWHERE}
