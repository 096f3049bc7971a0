"""Training of a downscaling network: its loss, its score, and the loop around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from xocean_ml.downscaling.pairs import Batch, Pairs
from xocean_ml.networks.where import where
from xocean_ml.training import Fitted, Schedule, fit, generator

__all__ = ["loss", "missed", "teach"]

EDGES = 0.1
"""Weight of errors of gradients."""
SURE = 0.05
"""Weight of the likelihood of the spread."""
CHECKED = 6
"""Withheld batches that a network is scored on."""


def ask(network: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The network's residual and logarithm of its spread."""
    device = next(network.parameters()).device
    coarse, guide = (
        None if each is None else torch.as_tensor(each, device=device)
        for each in (batch.coarse, batch.guide)
    )
    residual, log_std = network(coarse, guide, where(batch.lattice, device))
    return residual, log_std


def loss(network: Any, batch: Batch) -> torch.Tensor:
    r"""Squared errors of values and of gradients, over those of bicubic; and of the spread.

    Each sample is measured by its own variance, so that calm seas count like stormy ones. The
    spread's likelihood sees errors as given: it does not steer the field.
    """
    residual, log_std = ask(network, batch)
    device = residual.device
    truth = torch.as_tensor(batch.residual, device=device)
    counts = torch.as_tensor(batch.counts, device=device).to(truth.dtype)
    error = (residual - truth) * counts
    number = counts.sum((1, 2, 3)).clamp_min(1)
    size = (truth**2 * counts).sum((1, 2, 3)) / number + 1e-5
    total = ((error**2).sum((1, 2, 3)) / number / size).mean()
    slope, slopes = _slopes(error, counts), _slopes(truth, counts)
    total = total + EDGES * (slope / (slopes + 1e-2 * size * number)).mean()
    if log_std is not None:
        told = (0.5 * torch.exp(-2 * log_std) * error.detach() ** 2 + log_std) * counts
        total = total + SURE * (told.sum((1, 2, 3)) / number).mean()
    return total


def _slopes(x: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Sums of squared differences between neighbours that both count."""
    across = torch.diff(x, dim=-1) * counts[..., 1:] * counts[..., :-1]
    along = torch.diff(x, dim=-2) * counts[..., 1:, :] * counts[..., :-1, :]
    return (across**2).sum((1, 2, 3)) + (along**2).sum((1, 2, 3))


def missed(network: Any, batches: Sequence[Batch]) -> float:
    """Root mean square error over that of bicubic, batches alike."""
    ratios = []
    for batch in batches:
        residual, _ = ask(network, batch)
        counts = batch.counts
        error = (residual.float().cpu().numpy() - batch.residual)[counts]
        ratios.append(np.log(np.mean(error**2) / np.mean(batch.residual[counts] ** 2)) / 2)
    return float(np.exp(np.mean(ratios)))


def teach(
    network: Any, pairs: Pairs, withheld: Pairs, schedule: Schedule, **more: Any
) -> Fitted[Any]:
    """Train a network on pairs, stopped by others.

    Parameters
    ----------
    network : torch.nn.Module
    pairs, withheld : Pairs
        Never the same times.
    schedule : Schedule
    **more
        ``config`` and ``progress``, for `xocean_ml.training.fit`.
    """
    seed = schedule.seed
    checks = [withheld.draw(generator(seed, 1, number)) for number in range(CHECKED)]
    return fit(
        network,
        lambda step: pairs.draw(generator(seed, 0, step)),
        loss,
        schedule=schedule,
        validate=lambda each: missed(each, checks),
        **more,
    )
