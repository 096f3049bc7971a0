"""Tiles that overlap: their weights, the cells they begin at, what is put together of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xocean_ml.networks.tiles import OVERLAP, blended, starts

SIZES = st.integers(1, 70)
PATCHES = st.sampled_from([8, 16, 24])
ORIGINS = st.integers(-50, 5000)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).float()


def stride(patch: int) -> int:
    return patch - int(patch * OVERLAP)


def placed(tile: torch.Tensor) -> torch.Tensor:
    """Something of its own in each cell of a tile, whatever is in it: what shows where it lies."""
    return random(1, 1, *tile.shape[-2:], seed=3).expand(len(tile), -1, -1, -1)


# ---- where they begin ------------------------------------------------------------------------


@given(size=SIZES, patch=PATCHES, origin=ORIGINS)
def test_tiles_cover_a_side_and_stay_in_it(size, patch, origin):
    at = starts(size, patch, origin)
    assert at == sorted(set(at))
    assert at[0] == 0
    assert at[-1] == max(size - patch, 0)
    assert all(b - a <= patch - int(patch * OVERLAP) for a, b in itertools.pairwise(at))


@given(size=SIZES, patch=PATCHES, origin=ORIGINS)
def test_tiles_begin_at_multiples_of_the_whole_grid(size, patch, origin):
    """But for the first and last, which are moved into the domain."""
    inside = starts(size, patch, origin)[1:-1]
    assert all((origin + each) % stride(patch) == 0 for each in inside)


@given(size=SIZES, patch=PATCHES, origin=st.integers(0, 5000), cut=st.integers(0, 40), more=SIZES)
def test_a_part_of_a_domain_has_the_tiles_of_the_whole(size, patch, origin, cut, more):
    whole = {origin + each for each in starts(cut + size + more, patch, origin)[1:-1]}
    part = {origin + cut + each for each in starts(size, patch, origin + cut)[1:-1]}
    first, last = origin + cut, origin + cut + size - patch
    assert part == {each for each in whole if first < each < last}


# ---- what they weigh -------------------------------------------------------------------------


@settings(deadline=None)
@given(rows=SIZES, columns=SIZES, patch=PATCHES, origin=st.tuples(ORIGINS, ORIGINS))
def test_weights_add_up_to_one(rows, columns, patch, origin):
    made = blended(torch.ones_like, torch.zeros(1, 1, rows, columns), patch, origin)
    torch.testing.assert_close(made, torch.ones(1, 1, rows, columns), atol=1e-6, rtol=0)


@settings(deadline=None)
@given(rows=SIZES, columns=SIZES, patch=PATCHES, origin=st.tuples(ORIGINS, ORIGINS))
def test_no_weight_is_negative(rows, columns, patch, origin):
    """So what is put together lies between what the tiles say."""
    low = blended(placed, torch.zeros(1, 1, rows, columns), patch, origin)
    values = placed(torch.zeros(1, 1, patch, patch))
    assert float(low.min()) >= float(values.min()) - 1e-5
    assert float(low.max()) <= float(values.max()) + 1e-5


@settings(deadline=None)
@given(rows=SIZES, columns=SIZES, patch=PATCHES, origin=st.tuples(ORIGINS, ORIGINS))
def test_the_identity_is_the_identity(rows, columns, patch, origin):
    x = random(2, 3, rows, columns)
    torch.testing.assert_close(blended(lambda tile: tile, x, patch, origin), x)


@settings(deadline=None)
@given(rows=SIZES, columns=SIZES, patch=PATCHES, origin=st.tuples(ORIGINS, ORIGINS))
def test_what_sees_single_cells_sees_them_as_without_tiles(rows, columns, patch, origin):
    x = random(2, 3, rows, columns)

    def function(each: torch.Tensor) -> torch.Tensor:
        return torch.sin(each.sum(dim=1, keepdim=True))

    torch.testing.assert_close(blended(function, x, patch, origin), function(x))


@pytest.mark.parametrize("patch", [16, 64])
def test_one_tile_fades_out_where_the_next_fades_in(patch):
    """No step along a border: tiles that differ by a number are joined by a slope."""
    told = iter(np.random.default_rng(0).permutation(100) * 1.0)

    def function(tile: torch.Tensor) -> torch.Tensor:
        return torch.full_like(tile, next(told) / 100)

    made = blended(function, torch.zeros(1, 1, 4 * patch, patch), patch)[0, 0, :, 0]
    assert float(made.std()) > 0.05
    # sin^2 over the overlap is nowhere steeper than this
    assert float(made.diff().abs().max()) <= 0.5 * np.pi / int(patch * OVERLAP) + 1e-6


# ---- anchored --------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(
    origin=st.tuples(st.integers(0, 3000), st.integers(0, 3000)),
    cut=st.tuples(st.integers(0, 30), st.integers(0, 30)),
)
def test_the_same_cells_lie_in_the_same_tiles_whatever_part_is_asked_for(origin, cut):
    """Away from the sides, where tiles are moved into the domain."""
    patch, size = 16, 80
    whole = blended(placed, torch.zeros(1, 1, size, size), patch, origin)
    rows, columns = cut
    first = origin[0] + rows, origin[1] + columns
    part = blended(placed, torch.zeros(1, 1, size - rows, size - columns), patch, first)
    inside = slice(patch, -patch)
    torch.testing.assert_close(
        part[..., inside, inside], whole[..., rows:, columns:][..., inside, inside]
    )


def test_another_origin_has_other_tiles():
    x = torch.zeros(1, 1, 80, 80)
    one, other = (blended(placed, x, 16, (at, 0)) for at in (0, 3))
    assert not torch.allclose(one, other)
    torch.testing.assert_close(blended(placed, x, 16, (stride(16), 0)), one)


# ---- how the function is asked ---------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (3, 3), (16, 16), (17, 33)])
def test_tiles_are_whole_and_short_sides_are_filled_with_zeros(shape):
    sizes = set()

    def function(tile: torch.Tensor) -> torch.Tensor:
        sizes.add(tuple(tile.shape))
        return tile[:, :1].sum(dim=(-2, -1), keepdim=True).expand(-1, 1, 16, 16)

    made = blended(function, torch.ones(2, 3, *shape), 16)
    assert sizes == {(2, 3, 16, 16)}
    assert made.shape == (2, 1, *shape)
    filled = float(np.prod(np.minimum(shape, 16)))
    torch.testing.assert_close(made, torch.full_like(made, filled))


def test_each_sample_by_itself():
    x = random(3, 2, 40, 50)

    def function(tile: torch.Tensor) -> torch.Tensor:
        return tile - tile.mean(dim=(-2, -1), keepdim=True)

    every = blended(function, x, 16, (7, 9))
    torch.testing.assert_close(blended(function, x[1:2], 16, (7, 9)), every[1:2])


def test_slopes_pass_through():
    """Guidance asks the denoiser for its Jacobian."""
    x = random(1, 1, 20, 27).double().requires_grad_(True)

    def function(each: torch.Tensor) -> torch.Tensor:
        return blended(lambda tile: (tile**2).to(tile), each, 16, (3, 5))

    weight = random(1, 1, 20, 27, seed=1).double()
    (slope,) = torch.autograd.grad((function(x) * weight).sum(), x)
    torch.testing.assert_close(slope, 2 * x.detach() * weight, atol=1e-5, rtol=1e-5)
