"""What observations see of fields, as one sparse matrix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch

__all__ = ["Sparse"]


class Sparse:
    """Observations that are weighted sums of cells.

    Parameters
    ----------
    row, cell : Tensor of int64, (entries,)
        Number of the observation, and of the cell in (fields, rows, columns), flat.
    weight : Tensor, (entries,)
    count : int
        Observations m.
    shape : sequence of int
        Fields, rows, columns.

    Examples
    --------
    >>> mean = Sparse(torch.tensor([0, 0]), torch.tensor([1, 2]), torch.tensor([0.5, 0.5]), 1,
    ...               (1, 2, 2))
    >>> mean(torch.tensor([[[[1.0, 2.0], [4.0, 8.0]]]])), mean.back(torch.tensor([[2.0]]))[0, 0]
    (tensor([[3.]]), tensor([[0., 1.],
            [1., 0.]]))
    """

    def __init__(
        self,
        row: torch.Tensor,
        cell: torch.Tensor,
        weight: torch.Tensor,
        count: int,
        shape: Sequence[int],
    ) -> None:
        self.count, self.shape = count, tuple(int(each) for each in shape)
        size = self.shape[0] * self.shape[1] * self.shape[2]
        self._there = _compressed(row, cell, weight, (count, size))
        self._back = _compressed(cell, row, weight, (size, count))

    def __call__(self, fields: torch.Tensor) -> torch.Tensor:
        """Observations (members, m) of fields (members, fields, rows, columns)."""
        return (self._there @ fields.flatten(1).T).T

    def back(self, weights: torch.Tensor) -> torch.Tensor:
        """The adjoint: fields of weights (members, m)."""
        return (self._back @ weights.T).T.reshape(-1, *self.shape)


def _compressed(
    row: torch.Tensor, column: torch.Tensor, weight: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    coordinates = torch.stack([row, column])
    with warnings.catch_warnings():
        # torch says that this layout may change; what is used of it has not for years
        warnings.filterwarnings("ignore", message=".*[Ss]parse.*")
        return torch.sparse_coo_tensor(coordinates, weight, size).coalesce().to_sparse_csr()
