r"""A gated temporal convolutional network that decides how to average, and never makes up values.

The network sees what surrounds a step (how densely observed, how large and how spread increments
are, on several scales, into the past and the future; depth; length of step) and gives weights for
a bank of averages of the increments. Its answer is linear in the increments for given weights:

.. math:: y_t = w_t \sum_j \alpha_{jt} F_{jt} + (1 - w_t) \sum_j \ell_j F_{jt} ,

with :math:`F` the bank of `xocean_ml.kernels.bank`, :math:`w` the gate (open where observations
are sparse), :math:`\alpha` adapted to the surroundings, and :math:`\ell` a fixed light average for
the depth. It also gives the logarithm of the answer's error.

Context is worked through for groups of steps, for surroundings change slowly, and weights are
interpolated between the middles of groups; what is averaged keeps its full resolution.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

__all__ = ["GatedTCN"]


class FiLM(nn.Module):
    r"""Feature-wise affine change by a condition: :math:`(1 + \Delta\gamma) x + \beta`.

    Zero at the start, so that training begins without it (Perez et al. 2018).
    """

    def __init__(self, condition: int, channels: int) -> None:
        super().__init__()
        self.change = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Change x (batch, channels, time) by condition (batch, conditions)."""
        gamma, beta = self.change(condition)[..., None].chunk(2, dim=1)
        return (1 + gamma) * x + beta


class Block(nn.Module):
    """A centred dilated convolution with weight normalisation, FiLM, activation and residual."""

    def __init__(self, channels: int, condition: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        convolution = nn.Conv1d(channels, channels, 3, dilation=dilation, padding=dilation)
        self.convolution = nn.utils.parametrizations.weight_norm(convolution)
        self.film = FiLM(condition, channels)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Refine x (batch, channels, time) under condition (batch, conditions)."""
        return x + nn.functional.gelu(self.film(self.convolution(x), condition))


class GatedTCN(nn.Module):
    """The network.

    Parameters
    ----------
    context : int
        Features of the surroundings.
    bank : int
        Averages in the bank.
    condition : int
        Numbers that hold for a whole series: log depth, log length of step, what is given.
    channels, blocks : int
        Width, and number of blocks with dilations 1, 2, 4, ...
    """

    def __init__(
        self, context: int, bank: int, condition: int, channels: int = 32, blocks: int = 4
    ) -> None:
        super().__init__()
        self.middle: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("middle", torch.zeros(context))
        self.register_buffer("scale", torch.ones(context))
        self.enter = nn.Conv1d(context, channels, 1)
        self.start = FiLM(condition, channels)
        self.blocks = nn.ModuleList(Block(channels, condition, 2**i) for i in range(blocks))
        self.leave = nn.Conv1d(channels, bank + 2, 1)
        last = nn.Linear(16, bank)
        self.light = nn.Sequential(nn.Linear(condition, 16), nn.GELU(), last)
        self.base = nn.Parameter(torch.full((bank,), 1.0 / bank))
        for parameter in (*self.leave.parameters(), *last.parameters()):
            nn.init.zeros_(parameter)

    def forward(
        self, context: torch.Tensor, bank: torch.Tensor, condition: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Smooth a batch of series.

        Parameters
        ----------
        context : Tensor, (batch, context, groups)
        bank : Tensor, (batch, bank, time)
        condition : Tensor, (batch, condition)

        Returns
        -------
        answer, gate, error, light : Tensor, (batch, time)
            Smoothed increment, gate in [0, 1], logarithm of the answer's error, and the light
            average alone.
        """
        logit, error, adapted, light = self.weights(context, condition)
        grouped = torch.cat([logit[:, None], error[:, None], adapted], dim=1)
        x = nn.functional.interpolate(
            grouped, size=bank.shape[-1], mode="linear", align_corners=False
        )
        gate = torch.sigmoid(x[:, 0])
        lightly = (light[..., None] * bank).sum(dim=1)
        answer = gate * (x[:, 2:] * bank).sum(dim=1) + (1 - gate) * lightly
        return answer, gate, x[:, 1], lightly

    def weights(
        self, context: torch.Tensor, condition: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """How the bank is to be weighed.

        Parameters
        ----------
        context, condition : Tensor
            As for `forward`.

        Returns
        -------
        logit, error : Tensor, (batch, groups)
            Of the gate; and the logarithm of the answer's error.
        adapted : Tensor, (batch, bank, groups)
        light : Tensor, (batch, bank)
        """
        x = (context - self.middle[:, None]) / self.scale[:, None]
        x = nn.functional.gelu(self.start(self.enter(x), condition))
        for block in self.blocks:
            x = block(x, condition)
        x = self.leave(x)
        adapted = x[:, 2:] + self.base[:, None]
        return x[:, 0], x[:, 1], adapted, self.base + self.light(condition)

    @torch.inference_mode()
    def predict(
        self, context: torch.Tensor, condition: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """`weights` for prediction on a CPU: two buffers instead of new tensors at every step.

        Large temporaries are pages that the system must hand out anew each time; on workers that
        are told to give memory back at once (dask's are) that took longer than the arithmetic.
        Series are columns of one long row of groups, so that a dilated convolution is a sum of
        products with shifted views of that row.

        Parameters
        ----------
        context, condition : Tensor
            As for `forward`.

        Returns
        -------
        logit, error : Tensor, (groups, batch)
        adapted : Tensor, (bank, groups, batch)
        light : Tensor, (bank, batch)
        """
        context = context.permute(1, 2, 0).flatten(1)
        batch = len(condition)
        blocks = cast("list[Block]", list(self.blocks))
        reach = batch * max((block.dilation for block in blocks), default=0)
        row = slice(reach, reach + context.shape[1])
        enter, bias = _linear(self.enter)
        enter = enter[0] / self.scale
        refined = torch.mm(enter, context)
        room = context.new_zeros(len(refined), reach + row.stop)
        room[:, row] = _film(refined, self.start, condition, bias - enter @ self.middle)
        for block in blocks:
            kernel, bias = _linear(block.convolution)
            for k, tap in enumerate(kernel):
                shift = (k - 1) * batch * block.dilation
                shifted = room[:, row.start + shift : row.stop + shift]
                torch.addmm(refined, tap, shifted, beta=float(k > 0), out=refined)
            room[:, row] += _film(refined, block.film, condition, bias)
        leave, bias = _linear(self.leave)
        x = torch.addmm(bias[:, None], leave[0], room[:, row])
        logit, error, *adapted = x.unflatten(1, (-1, batch))
        weights = torch.stack(adapted) + self.base[:, None, None]
        return logit, error, weights, (self.base + self.light(condition)).T


def _linear(convolution: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """One matrix (outputs, inputs) for each tap of a convolution, and what is added."""
    weight, bias = cast("nn.Conv1d", convolution).weight, cast("nn.Conv1d", convolution).bias
    return weight.movedim(2, 0), cast("torch.Tensor", bias)


def _film(x: torch.Tensor, film: FiLM, condition: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """GELU of FiLM of x + bias, in place; x (channels, groups x batch)."""
    gamma, beta = film.change(condition).T[:, None].chunk(2)
    shift = beta + (1 + gamma) * bias[:, None, None]
    by_series = x.unflatten(1, (-1, len(condition)))
    torch.addcmul(shift, by_series, 1 + gamma, out=by_series)
    torch.ops.aten.gelu_(x)
    return x
