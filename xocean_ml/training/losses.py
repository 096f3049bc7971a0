"""Means over what is there: missing values add neither to a loss nor to its gradient."""

from __future__ import annotations

import torch

__all__ = ["filled", "masked_mean"]


def filled(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`values` where `mask` is true, zero elsewhere, with no gradient there.

    Inputs and targets go through this *before* anything is computed with them. A mask on the loss
    alone comes too late: the derivative of ``(prediction - nan)**2`` is NaN, and zero times NaN is
    NaN.

    Parameters
    ----------
    values : torch.Tensor
        Any shape; NaN where there is nothing.
    mask : torch.Tensor of bool
        True where there is a value; of a shape that broadcasts with that of `values`.

    Examples
    --------
    >>> filled(torch.tensor([1.0, torch.nan]), torch.tensor([True, False]))
    tensor([1., 0.])
    """
    return torch.where(mask, values, 0)


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of `values` where `mask` is true; zero, with a zero gradient, where it never is.

    Parameters
    ----------
    values : torch.Tensor
        Any shape, in the units of the mean. Half precision is summed in single.
    mask : torch.Tensor of bool
        True where values count; of a shape that broadcasts to that of `values`.

    Returns
    -------
    torch.Tensor
        A scalar. What stands in `values` where the mask is false has no influence, NaN included;
        but see `filled` for NaN that goes into their making.

    Examples
    --------
    >>> mask = torch.tensor([True, True, False])
    >>> prediction = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> target = filled(torch.tensor([0.0, 0.0, torch.nan]), mask)
    >>> loss = masked_mean((prediction - target) ** 2, mask)
    >>> loss.backward()
    >>> loss.item(), prediction.grad
    (2.5, tensor([1., 2., 0.]))
    """
    mask = mask.broadcast_to(values.shape)
    dtype = torch.promote_types(values.dtype, torch.float32)
    return filled(values, mask).sum(dtype=dtype) / mask.sum().clamp(min=1)
