"""Lattices, interpolation, area means, filled land: laws on plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from xocean_ml.kernels.lattice import Lattice, overlaps, positions, regular
from xocean_ml.kernels.resample import (
    BICUBIC_REACH,
    FILL_REACH,
    area_mean,
    bicubic,
    fill,
)
from xocean_ml.networks import where as tensors

RNG = np.random.default_rng(0)
FACTORS = [1, 2, 3, 4, 9, 1.5, 2.7, 13.7]


def keys(x: np.ndarray) -> np.ndarray:
    """The kernel of Keys (1981), eq. 15, as printed there."""
    s = np.abs(x)
    near = 1.5 * s**3 - 2.5 * s**2 + 1
    far = -0.5 * s**3 + 2.5 * s**2 - 4 * s + 2
    return np.where(s < 1, near, np.where(s < 2, far, 0.0))


@pytest.mark.parametrize("factor", FACTORS)
def test_bicubic_is_the_kernel_s_sum(factor):
    coarse, lattice = RNG.normal(size=(9, 11)), regular((9, 11), factor)
    wide = np.pad(coarse, 2, mode="edge")
    rows = keys(lattice.rows[:, None] - np.arange(-2, 11))
    columns = keys(lattice.columns[:, None] - np.arange(-2, 13))
    np.testing.assert_allclose(bicubic(coarse, lattice), rows @ wide @ columns.T, atol=1e-12)


def test_bicubic_is_exact_for_quadratic_fields():
    y, x = np.mgrid[:12.0, :10.0]
    lattice = regular((12, 10), 3)
    row, column = np.meshgrid(lattice.rows, lattice.columns, indexing="ij")
    found = bicubic(1 + x - 2 * y + 0.3 * x * y + x**2 - y**2, lattice)
    exact = 1 + column - 2 * row + 0.3 * row * column + column**2 - row**2
    np.testing.assert_allclose(found[6:-6, 6:-6], exact[6:-6, 6:-6], atol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_window_gives_the_same_bits(dtype):
    coarse, lattice = RNG.normal(size=(3, 20, 24)).astype(dtype), regular((20, 24), 3)
    whole = bicubic(coarse, lattice)
    assert whole.dtype == dtype
    block = slice(24, 36), slice(30, 45)
    first = 24 // 3 - BICUBIC_REACH, 30 // 3 - BICUBIC_REACH
    part = coarse[:, first[0] : 12 + BICUBIC_REACH, first[1] : 15 + BICUBIC_REACH]
    windowed = bicubic(part, lattice.window(*block, first))
    np.testing.assert_array_equal(windowed, whole[:, block[0], block[1]])


@pytest.mark.parametrize("factor", FACTORS)
def test_torch_and_numpy_agree(factor):
    coarse, lattice = RNG.normal(size=(2, 3, 8, 7)), regular((8, 7), factor)
    places = tensors.where(lattice)
    found = tensors.bicubic(torch.tensor(coarse, dtype=torch.float32), places)
    np.testing.assert_allclose(found, bicubic(coarse, lattice), atol=2e-5)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 9), st.floats(1.0, 14.0))
def test_regular_lattices_tile_the_coarse_cells(count, factor):
    lattice = regular((count, count), factor)
    edges = lattice.rows - lattice.size[0] / 2
    assert edges[0] == pytest.approx(-0.5)
    assert lattice.rows[-1] + lattice.size[0] / 2 == pytest.approx(count - 0.5)
    np.testing.assert_allclose(np.diff(lattice.rows), lattice.size[0])


def test_positions_invert_coordinates():
    coarse = np.sort(RNG.uniform(0, 100, 9))
    places = np.linspace(0, 8, 50)
    fine = np.interp(places, np.arange(9), coarse)
    np.testing.assert_allclose(positions(fine, coarse), places, atol=1e-12)


# ---- area means ------------------------------------------------------------------------------


def test_area_means_of_nested_cells_are_plain_means():
    fine = RNG.normal(size=(2, 12, 15))
    along = [overlaps(np.arange(n + 1.0), np.linspace(0, n, 3 * n + 1)) for n in (4, 5)]
    mean, share = area_mean(fine, *along)
    np.testing.assert_allclose(mean, fine.reshape(2, 4, 3, 5, 3).mean(axis=(2, 4)), atol=1e-14)
    np.testing.assert_allclose(share, 1)


def test_area_means_leave_land_out():
    fine = RNG.normal(size=(6, 6))
    fine[:2, :2] = np.nan
    fine[:3, 3:] = np.nan
    along = overlaps(np.arange(3.0), np.linspace(0, 2, 7))
    mean, share = area_mean(fine, along, along)
    assert mean[0, 0] == pytest.approx(np.nanmean(fine[:3, :3]))
    assert np.isnan(mean[0, 1])
    np.testing.assert_allclose(share, [[5 / 9, 0], [1, 1]])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_no_grid_however_uneven_loses_anything(seed):
    rng = np.random.default_rng(seed)
    coarse = np.concatenate([[0], np.sort(rng.uniform(0, 1, 4)), [1.0]])
    fine = np.concatenate([[0], np.sort(rng.uniform(0, 1, 9)), [1.0]])
    lengths = overlaps(coarse, fine)
    np.testing.assert_allclose(lengths.sum(axis=0), np.diff(fine), atol=1e-14)
    np.testing.assert_allclose(lengths.sum(axis=1), np.diff(coarse), atol=1e-14)
    values = rng.normal(size=(10, 10))
    mean, _ = area_mean(values, lengths, lengths)
    area = np.outer(np.diff(coarse), np.diff(coarse))
    total = (values * np.outer(np.diff(fine), np.diff(fine))).sum()
    assert (mean * area).sum() == pytest.approx(total)


# ---- filled land -----------------------------------------------------------------------------


def test_filling_keeps_the_sea_and_carries_it_on():
    values, valid = RNG.normal(size=(2, 12, 14)), RNG.random((12, 14)) > 0.4
    filled = fill(np.where(valid, values, np.nan), valid)
    np.testing.assert_array_equal(filled[:, valid], values[:, valid])
    assert np.isfinite(filled).all()
    assert filled.max() <= values[:, valid].max()
    assert filled.min() >= values[:, valid].min()


def test_filling_reaches_so_far_and_no_further():
    values = np.full((1, 12), np.nan)
    values[0, 0] = 3.0
    filled = fill(values, ~np.isnan(values))
    np.testing.assert_array_equal(filled[0, : FILL_REACH + 1], 3.0)
    np.testing.assert_array_equal(filled[0, FILL_REACH + 1 :], 0.0)


def test_a_window_is_filled_like_the_whole():
    values, valid = RNG.normal(size=(30, 30)), RNG.random((30, 30)) > 0.7
    whole = fill(np.where(valid, values, np.nan), valid)
    part = slice(6, 24)
    windowed = fill(np.where(valid, values, np.nan)[part, part], valid[part, part])
    inner = slice(FILL_REACH, -FILL_REACH)
    np.testing.assert_array_equal(windowed[inner, inner], whole[part, part][inner, inner])


def test_windows_of_lattices_shift_places():
    lattice = Lattice(np.array([0.0, 1.5, 3.0]), np.array([2.0, 4.0]), (1.5, 2.0))
    part = lattice.window(slice(1, 3), slice(1, 2), (1, 3))
    np.testing.assert_array_equal(part.rows, [0.5, 2.0])
    np.testing.assert_array_equal(part.columns, [1.0])
    assert part.shape == (2, 1)
