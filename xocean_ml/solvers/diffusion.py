r"""From noise to samples, by a denoiser: the probability flow and its stochastic twin.

A field with noise of standard deviation :math:`\sigma` added moves along

.. math:: \frac{dx}{d \ln\sigma} = x - D(x, \sigma), \qquad D(x, \sigma) = E[x_0 | x],

(Karras et al. 2022), linear in x but for D. Each step takes x exactly and D, as a function of
:math:`\ln\sigma`, linear from the last two levels: the multistep scheme of second order of Lu et
al. 2022 (DPM-Solver++ 2M), which asks for one D a step. With noise given anew at each step it is
the stochastic equation of the same marginal distributions, which forgets what was wrong before.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch

__all__ = ["levels", "sample"]

Denoise = Callable[[torch.Tensor, float], torch.Tensor]


def levels(steps: int, largest: float, least: float) -> list[float]:
    """Levels of noise, falling, evenly spaced in their logarithm.

    Parameters
    ----------
    steps : int
        How many, at least 2.
    largest, least : float
        The first should drown the largest amplitude of any pattern of the fields, and not a cell's;
        the last lie below what matters.

    Examples
    --------
    >>> [round(each, 6) for each in levels(3, 100.0, 0.01)]
    [100.0, 1.0, 0.01]
    """
    if steps < 2 or not largest > least > 0:
        raise ValueError(f"steps={steps}, from {largest} to {least}: 2 steps or more, falling")
    ratio = (least / largest) ** (1 / (steps - 1))
    return [largest * ratio**number for number in range(steps)]


def sample(
    denoise: Denoise,
    start: torch.Tensor,
    sigmas: Sequence[float],
    noise: Callable[[int], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Follow fields from the first level of noise to none.

    Parameters
    ----------
    denoise : callable
        Fields with noise, and its level, to what is expected of them without: of members one by
        one, so that each is the same whatever others are drawn.
    start : Tensor, (members, ...)
        Fields at the first level: a draw of the prior, or nothing, plus ``sigmas[0]`` times white
        noise.
    sigmas : sequence of float
        As of `levels`.
    noise : callable, optional
        White noise, shaped as `start`, of each step: the stochastic way. None: the flow.

    Returns
    -------
    Tensor, (members, ...)

    Examples
    --------
    Of a prior N(0, 1), whose denoiser is known:

    >>> x = 50.01 * torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
    >>> made = sample(lambda x, s: x / (1 + s**2), x, levels(40, 50.0, 0.01))
    >>> bool((made - torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])).abs().max() < 0.02)
    True
    """
    x, before, last = start, None, 1.0
    for number, (here, there) in enumerate(itertools.pairwise(sigmas)):
        clean = denoise(x, here)
        width = math.log(here / there)
        ahead = clean if before is None else clean + (0.5 * width / last) * (clean - before)
        share = there / here
        if noise is None:
            x = share * x + (1 - share) * ahead
        else:
            share = share**2
            x = share * x + (1 - share) * ahead
            x = x + there * (1 - share) ** 0.5 * noise(number)
        before, last = clean, width
    return denoise(x, sigmas[-1])
