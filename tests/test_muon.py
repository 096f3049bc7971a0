"""Muon: orthogonal steps of matrices, Adam for the rest, runs that go on where they were killed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from xocean_ml.training import Schedule, fit, generator
from xocean_ml.training.muon import SIZE, Muon, orthogonal

SCHEDULE = Schedule(
    steps=30, rate=1e-2, warmup=5, ema=0.5, check_every=10, optimizer="muon", device="cpu"
)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(generator(seed).normal(size=shape).astype("f4"))


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(8, 40), columns=st.integers(8, 40), seed=st.integers(0, 99))
def test_the_nearest_orthogonal_matrix(rows, columns, seed):
    matrix = drawn(rows, columns, seed=seed)
    u, size, v = np.linalg.svd(matrix.numpy(), full_matrices=False)
    turned = orthogonal(matrix).numpy()
    # Seen in the singular vectors of the matrix it is diagonal: all but the faintest at about one.
    seen = u.T @ turned @ v.T
    strong = size > 0.02 * size[0]
    assert np.abs(seen - np.diag(np.diag(seen))).max() < 2e-3
    assert (np.diag(seen)[strong] > 0.6).all()
    assert (np.diag(seen) < 1.3).all()


def test_size_does_not_matter_and_a_transpose_is_a_transpose():
    matrix = drawn(9, 20)
    np.testing.assert_allclose(orthogonal(1e3 * matrix), orthogonal(matrix), atol=1e-4)
    np.testing.assert_allclose(orthogonal(matrix.T), orthogonal(matrix).T, atol=1e-5)
    assert torch.equal(orthogonal(torch.zeros(8, 8)), torch.zeros(8, 8))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_as_torchs_own_where_that_takes_the_parameter():
    ours, theirs = (nn.Parameter(drawn(24, 16)) for _ in range(2))
    one = Muon([ours], lr=1e-2)
    two = torch.optim.Muon([theirs], lr=1e-2, weight_decay=0, adjust_lr_fn="match_rms_adamw")
    start = ours.detach().clone()
    for step in range(5):
        ours.grad = drawn(24, 16, seed=step + 1)
        theirs.grad = ours.grad.clone()
        one.step()
        two.step()
    # Theirs iterates in half precision.
    moved = (ours - start).detach(), (theirs - start).detach()
    assert (moved[0] - moved[1]).norm() < 0.02 * moved[1].norm()


def test_a_convolution_steps_as_its_matrix_and_as_far_as_told():
    flat, window = nn.Parameter(drawn(16, 72)), nn.Parameter(drawn(16, 72).view(16, 8, 3, 3))
    for each in (flat, window):
        optimizer = Muon([each], lr=0.1)
        each.grad = drawn(16, 72, seed=1).view_as(each)
        optimizer.step()
    assert torch.equal(flat, window.flatten(1))
    step = (flat - drawn(16, 72)).pow(2).mean().sqrt().item()
    assert math.isclose(step, 0.1 * SIZE, rel_tol=0.2)


def test_what_is_no_matrix_goes_by_adam_and_gradients_stay():
    shapes = [(16,), (16, 4), (2, 8, 8), (1, 8), ()]
    one, two = ([nn.Parameter(drawn(*shape)) for shape in shapes] for _ in range(2))
    matrix = nn.Parameter(drawn(8, 8))
    ours, theirs = Muon([matrix, *one], lr=0.1), torch.optim.Adam(two, lr=0.1)
    for step in range(3):
        for a, b in zip(one, two, strict=True):
            a.grad, b.grad = (drawn(*a.shape, seed=step + 1) for _ in range(2))
        matrix.grad = drawn(8, 8, seed=step + 1)
        ours.step()
        theirs.step()
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert torch.equal(matrix.grad, drawn(8, 8, seed=3))


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(x)))


def pairs(step: int) -> np.ndarray:
    return generator(5, step).normal(size=(16, 8)).astype("f4")


def squares(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return ((network(x) - x.flip(-1)) ** 2).mean()


@pytest.mark.parametrize("at", [0, 13, 27])
def test_a_broken_run_ends_as_a_whole_one(tmp_path, at):
    class Broken(Exception):
        pass

    def breaking(step):
        if step == at:
            raise Broken
        return pairs(step)

    torch.manual_seed(0)
    start = Small()
    whole = fit(start, pairs, squares, schedule=SCHEDULE)
    schedule = replace(SCHEDULE, checkpoint=tmp_path / "run.safetensors")
    with pytest.raises(Broken):
        fit(start, breaking, squares, schedule=schedule)
    resumed = fit(start, pairs, squares, schedule=schedule)
    for a, b in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)
    assert whole.history == resumed.history


def test_an_optimizer_that_is_not_known():
    with pytest.raises(ValueError, match="out of range: optimizer='sgd'"):
        Schedule(optimizer="sgd")
