"""The training loop of every network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from xocean_ml.training import checkpoint
from xocean_ml.training.run import Run
from xocean_ml.training.schedule import Schedule

__all__ = ["Fitted", "fit"]

Network = TypeVar("Network", bound=torch.nn.Module)
Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Fitted(Generic[Network]):
    """What training gives.

    Parameters
    ----------
    network : torch.nn.Module
        The moving average of the weights, at its best score if there are scores; in ``eval`` mode,
        on the device on which the network came.
    step : int
        Steps after which it was so.
    history : dict of str to list of float
        ``step``, ``loss`` (mean since the last check) and, with `validate`, ``score``: one value
        for each check.
    stopped_early : bool
        Whether patience ended before the steps did.
    """

    network: Network
    step: int
    history: dict[str, list[float]]
    stopped_early: bool


def fit(
    network: Network,
    batch: Callable[[int], Batch],
    loss: Callable[[Network, Batch], torch.Tensor],
    *,
    schedule: Schedule,
    validate: Callable[[Network], float] | None = None,
    config: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Fitted[Network]:
    """Train a network, going on from the schedule's checkpoint if there is one.

    The result depends on the arguments alone: not on torch's or numpy's global random state, which
    stays as it is, nor on how often the run was killed and started again. On one machine with the
    same number of torch threads the CPU gives the same bits; CUDA does not promise as much.
    A checkpoint is written at each check; a run that had ended returns its result again.

    Parameters
    ----------
    network : torch.nn.Module
        Copied, not changed. Whatever changes in training must be a parameter or a buffer.
    batch : callable
        Makes the batch of a step (0, 1, ...), always the same one for the same step: key what is
        random by it, ``generator(seed, step)``. Tensors and numpy arrays, alone or in tuples,
        lists and mappings, are taken to the device; anything else is passed on.
    loss : callable
        Scalar to be made small, of network and batch; `masked_mean` helps with missing values.
        What it draws from torch's random numbers is keyed by the step. On CUDA it runs under
        autocast in bfloat16, and modules with a true attribute ``compiles`` are compiled.
    schedule : Schedule
        How long and how fast.
    validate : callable, optional
        Score, the smaller the better, of the averaged network on withheld data
        (`withheld_blocks`). It is called without gradients, takes its data to the network's device
        itself, and draws the same random numbers at each check.
    config : mapping, optional
        What else decides the outcome (data, loss), as plain JSON values: a checkpoint of another
        configuration is refused.
    progress : bool, optional
        Whether to show a bar; None shows it on a terminal only.

    Returns
    -------
    Fitted
        The network with its best averaged weights, and how it came about.

    Raises
    ------
    ModelFileError
        If the checkpoint is damaged or of another run, or cannot be written where it should be.
    ValuesError
        If the loss, the weights or the score are not finite at a check.

    Examples
    --------
    >>> from xocean_ml.training import Schedule, fit, generator, seeded
    >>> def batch(step):
    ...     x = generator(0, step).normal(size=(32, 1)).astype("float32")
    ...     return x, 3 * x + 1
    >>> def loss(network, batch):
    ...     x, y = batch
    ...     return ((network(x) - y) ** 2).mean()
    >>> with seeded(0):
    ...     network = torch.nn.Linear(1, 1)
    >>> fitted = fit(network, batch, loss, schedule=Schedule(steps=200, rate=0.1, device="cpu"))
    >>> round(fitted.network.weight.item(), 2), round(fitted.network.bias.item(), 2)
    (3.0, 1.0)
    """
    home = next(network.parameters()).device
    run = Run(network, schedule, _device(schedule.device, home))
    compile_parts(run.network, run.device)
    whole = {
        "schedule": schedule.config(),
        "network": _layout(network),
        "validated": validate is not None,
        "config": dict(config or {}),
    }
    path = None if schedule.checkpoint is None else Path(schedule.checkpoint)
    if path is not None:
        checkpoint.check_path(path)
        if path.exists():
            run.restore(*checkpoint.read(path, whole))
    # Autocast of the caller's would reach into the backward pass and into scores.
    with _bar(run, progress) as bar, torch.autocast(run.device.type, enabled=False):
        while not run.over:
            run.advance(batch, loss)
            bar.update()
            if schedule.is_check(run.step):
                run.check(validate)
                bar.set_postfix({name: each[-1] for name, each in run.history.items() if each})
                if path is not None:
                    checkpoint.write(path, whole, run.state(), run.tensors())
    return _fitted(run, home)


def _device(asked: str | None, home: torch.device) -> torch.device:
    """Where the user says, else the GPU where the network is, else any, else the CPU."""
    cuda = torch.cuda.is_available()
    if asked is None:
        return home if home.type == "cuda" or not cuda else torch.device("cuda")
    device = torch.device(asked)
    if device.type == "cuda" and not cuda:
        raise ValueError(f"device={asked!r}: torch finds no CUDA device on this machine")
    return device


def compile_parts(network: torch.nn.Module, device: torch.device) -> None:
    """Compile, on CUDA, those modules of a network that say they can be: ``compiles = True``.

    In place, so that names of weights stay; it happens when each is first called.
    """
    if device.type != "cuda":
        return
    for each in network.modules():
        if getattr(each, "compiles", False):
            each.compile()


def _layout(network: torch.nn.Module) -> dict[str, Any]:
    """What tells a network from others: its class, its layers, its tensors."""
    named = [*network.named_parameters(), *network.named_buffers()]
    return {
        "class": type(network).__qualname__,
        # Dilation, dropout and the like are in no tensor's shape, but in what layers say of them.
        "layers": hashlib.sha256(repr(network).encode()).hexdigest()[:16],
        "tensors": {name: f"{value.dtype} {tuple(value.shape)}" for name, value in named},
    }


def _bar(run: Run[Network], progress: bool | None) -> Any:
    """A progress bar; tqdm itself is silent off a terminal where `disable` is None."""
    from tqdm.auto import tqdm

    disable = None if progress is None else not progress
    return tqdm(desc="training", total=run.schedule.steps, initial=run.step, disable=disable)


def _fitted(run: Run[Network], home: torch.device) -> Fitted[Network]:
    history = {name: values for name, values in run.history.items() if values}
    early = run.step < run.schedule.steps
    return Fitted(run.outcome().to(home), run.best_step, history, early)
