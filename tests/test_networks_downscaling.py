"""Networks that downscale: RESAC, JIIF, FNO. Laws that hold whatever their weights are."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from plain_liif import plain
from torch import nn

from xocean_ml.kernels.lattice import Lattice, regular
from xocean_ml.networks.edsr import EDSR
from xocean_ml.networks.fno import FNO, Spectral
from xocean_ml.networks.jiif import JIIF
from xocean_ml.networks.liif import LIIF
from xocean_ml.networks.resac import RESAC, _shown
from xocean_ml.networks.where import split, where

SHIFTED = Lattice(np.arange(13) * 0.3 + 0.37, np.arange(17) * 0.4 - 0.11, (0.3, 0.4))
LATTICES = {
    "x3": ((5, 7), regular((5, 7), 3)),
    "x2.5": ((6, 4), regular((6, 4), 2.5)),
    "x9": ((3, 4), regular((3, 4), 9)),
    "x1": ((5, 6), regular((5, 6), 1)),
    "shifted": ((6, 7), SHIFTED),
}
NETWORKS = {
    "resac": functools.partial(RESAC, 2, 1, channels=6, depth=2),
    "resac, no guide": functools.partial(RESAC, 2, 0, channels=6, depth=1),
    "jiif": functools.partial(JIIF, 2, 1, channels=6, hidden=(12, 8), blocks=1),
    "jiif, area": functools.partial(
        JIIF, 2, 1, channels=6, hidden=(12, 8), blocks=1, weights="area"
    ),
    "fno": functools.partial(FNO, 2, 1, channels=6, layers=2, modes=4),
    "fno, no guide": functools.partial(FNO, 2, 0, channels=6, layers=2, modes=4, padding=0.4),
}
LOCAL = [name for name in NETWORKS if "fno" not in name]


def made(name: str, start: bool = False) -> nn.Module:
    torch.manual_seed(0)
    network = NETWORKS[name]()
    if not start:
        for parameter in network.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.3)
    return network


def data(
    network: nn.Module, shape: tuple[int, int], lattice: Lattice
) -> tuple[torch.Tensor, torch.Tensor | None]:
    torch.manual_seed(1)
    coarse = torch.cat([torch.randn(2, 2, *shape), torch.rand(2, 1, *shape)], 1)
    guide = torch.cat([torch.randn(2, 1, *lattice.shape), torch.rand(2, 1, *lattice.shape)], 1)
    return coarse, guide if network.guided else None


@pytest.mark.parametrize("kind", LATTICES)
@pytest.mark.parametrize("name", NETWORKS)
def test_residuals_lie_on_the_lattice_and_are_zero_at_the_start(name, kind):
    shape, lattice = LATTICES[kind]
    for start in (True, False):
        network = made(name, start)
        with torch.no_grad():
            residual, log_std = network(*data(network, shape, lattice), where(lattice))
        assert residual.shape == (2, 2, *lattice.shape)
        assert log_std is None
        assert residual.isfinite().all()
        assert residual.any() != start


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_flow_to_all_parameters(name):
    network, lattice = made(name), regular((4, 5), 27 if "resac" in name else 3)
    network(*data(network, (4, 5), lattice), where(lattice))[0].square().mean().backward()
    without = [k for k, v in network.named_parameters() if v.grad is None or not v.grad.any()]
    assert not without


@pytest.mark.parametrize("name", NETWORKS)
def test_all_land_gives_numbers(name):
    network, lattice = made(name), regular((4, 5), 3)
    coarse, guide = (x if x is None else x.zero_() for x in data(network, (4, 5), lattice))
    residual, _ = network(coarse, guide, where(lattice))
    residual.sum().backward()
    assert residual.isfinite().all()
    assert all(v.grad is None or v.grad.isfinite().all() for v in network.parameters())


@pytest.mark.parametrize("factor", [1, 2, 2.5, 3, 9])
@pytest.mark.parametrize("name", LOCAL)
def test_a_window_gives_the_answer_of_the_whole_field(name, factor):
    network = made(name)
    reach = network.reach
    shape = (2 * reach + 8, 2 * reach + 9)
    lattice = regular(shape, factor)
    coarse, guide = data(network, shape, lattice)
    # A block in the middle, and one in a corner.
    for block in ((reach + 2, reach + 5), (reach + 3, reach + 5)), ((0, 2), (0, 3)):
        windows = [(max(a - reach, 0), b + reach) for a, b in block]
        fine, inner = [], []
        for places, window, (a, b) in zip(
            (lattice.rows, lattice.columns), windows, block, strict=True
        ):
            within = np.flatnonzero((places > window[0] - 0.5) & (places < window[1] - 0.5))
            wanted = np.flatnonzero((places > a - 0.5) & (places < b - 0.5))
            fine.append(slice(within[0], within[-1] + 1))
            inner.append(slice(wanted[0], wanted[-1] + 1))
        part = lattice.window(*fine, (windows[0][0], windows[1][0]))
        rows, columns = (slice(*window) for window in windows)
        seen = guide if guide is None else guide[:, :, *fine]
        with torch.no_grad():
            whole, _ = network(coarse, guide, where(lattice))
            windowed, _ = network(coarse[:, :, rows, columns], seen, where(part))
        crop = [
            slice(i.start - f.start, i.stop - f.start) for i, f in zip(inner, fine, strict=True)
        ]
        scale = float(whole.abs().max())
        torch.testing.assert_close(
            windowed[:, :, *crop], whole[:, :, *inner], atol=1e-5 * scale, rtol=0
        )


def test_edsr_sees_as_far_as_it_says():
    torch.manual_seed(0)
    encoder = EDSR(1, channels=4, blocks=2)
    x = torch.randn(1, 1, 1, 31, requires_grad=True)
    encoder(x)[0, :, 0, 15].sum().backward()
    seen = torch.nonzero(x.grad[0, 0, 0])[:, 0]
    assert (int(seen.min()), int(seen.max())) == (15 - encoder.reach, 15 + encoder.reach)


@pytest.mark.parametrize(("factor", "stages"), [(1, 1), (3, 1), (3.2, 2), (9, 2), (27, 3), (90, 3)])
def test_resac_takes_the_stages_that_it_needs(factor, stages):
    assert made("resac").count(where(regular((9, 9), factor))) == stages


def test_a_stage_sees_means_of_the_guide_over_sea():
    torch.manual_seed(0)
    guide = torch.randn(1, 2, 36, 45)
    guide[:, -1] = torch.rand(36, 45) > 0.3
    found = _shown(guide, where(regular((4, 5), 9)), split(torch.Size((4, 5)), 3, guide.device))
    sea = nn.functional.avg_pool2d(guide[:, 1:], 3)
    mean = nn.functional.avg_pool2d(guide[:, :1] * guide[:, 1:], 3) / sea.clamp_min(1e-3)
    torch.testing.assert_close(found, torch.cat([mean, sea], 1))


def test_jiif_s_weights_add_up_to_one():
    shape, lattice = LATTICES["x2.5"]
    for name in ("jiif", "jiif, area"):
        network = made(name)
        nn.init.zeros_(network.leave.weight[:2])
        residual, _ = network(*data(network, shape, lattice), where(lattice))
        expected = network.leave.bias[:2, None, None].expand_as(residual)
        torch.testing.assert_close(residual, expected)


def smooth(lattice: Lattice, *, phase: float) -> torch.Tensor:
    row, column = np.meshgrid(lattice.rows, lattice.columns, indexing="ij")
    field = np.sin(0.5 * row + phase) * np.cos(0.4 * column) + 0.3 * np.sin(0.6 * (row - column))
    return torch.as_tensor(field, dtype=torch.float32)[None, None]


@pytest.mark.parametrize("shape", [(16, 16), (13, 18)])
def test_fno_s_answer_does_not_depend_on_resolution(shape):
    torch.manual_seed(0)
    network = FNO(1, 1, channels=8, layers=3, modes=6)
    nn.init.normal_(network.leave.weight)
    coarse = torch.cat([smooth(regular(shape, 1), phase=0), torch.ones(1, 1, *shape)], 1)
    answers = []
    for factor in (3, 9, 27):
        lattice = regular(shape, factor)
        guide = smooth(lattice, phase=1)
        seen = torch.cat([guide, torch.ones_like(guide)], 1)
        with torch.no_grad():
            answers.append(network(coarse, seen, where(lattice))[0])
    for finer, lattice in zip(answers[1:], (3, 9), strict=True):
        common = finer[..., lattice // 2 :: lattice, lattice // 2 :: lattice]
        apart = (common - answers[0]).square().mean().sqrt() / answers[0].std()
        assert apart < 1e-2


def waves(shape: tuple[int, int], per_cell: int) -> torch.Tensor:
    """A periodic field of long waves, at so many points in a coarse cell along each axis."""
    rows, columns = (
        2 * torch.pi * torch.arange(n * per_cell, dtype=torch.float64) / (n * per_cell)
        for n in shape
    )
    row, column = torch.meshgrid(rows, columns, indexing="ij")
    parts = [torch.sin(row + 2 * column), torch.cos(2 * row - column + 1), torch.sin(3 * column)]
    return torch.stack(parts)[None].float()


def spectral() -> Spectral:
    torch.manual_seed(0)
    return Spectral(3, modes=5)


def test_fno_s_weights_belong_to_lengths_of_waves_not_to_the_domain():
    x = torch.randn(1, 3, 24, 30, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one = spectral()(x, (1 / 3, 1 / 4))
        four = spectral()(x.repeat(1, 1, 2, 3), (1 / 3, 1 / 4))
    torch.testing.assert_close(four, one.repeat(1, 1, 2, 3))
    assert one.std() > 1e-3


def test_fno_s_waves_are_the_same_on_any_lattice():
    with torch.no_grad():
        one, two = (spectral()(waves((12, 15), n), (1 / n, 1 / n)) for n in (2, 6))
    torch.testing.assert_close(two[..., ::3, ::3], one, rtol=0, atol=1e-5)
    assert one.std() > 1e-3


def test_fno_s_waves_are_mixed_a_few_at_a_time(monkeypatch):
    x = torch.randn(2, 3, 24, 30, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one = spectral()(x, (0.3, 0.3))
        monkeypatch.setattr("xocean_ml.networks.fno.MIXED", 1)
        torch.testing.assert_close(spectral()(x, (0.3, 0.3)), one)


def test_fno_s_transforms_keep_their_digits_under_autocast():
    x = torch.randn(2, 3, 24, 30, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = spectral()(x, (0.3, 0.3))
    with torch.no_grad():
        torch.testing.assert_close(half, spectral()(x.float(), (0.3, 0.3)))


def test_fno_s_padding_is_a_length_whatever_the_domain():
    network = FNO(1, 0, channels=2, layers=1, modes=2, padding=0.85)
    for cells, padded in ((9, 9), (13, 9), (100, 9), (5, 5)):
        lengths = {network._cells(cells * factor, 1 / factor) / factor for factor in (1, 2, 3, 9)}
        assert lengths == {padded}


@pytest.mark.parametrize(
    "make",
    [
        lambda: RESAC(1, 0, depth=0),
        lambda: JIIF(1, 0),
        lambda: JIIF(1, 1, weights="equal"),
        lambda: FNO(1, 0, padding=2.0),
    ],
)
def test_settings_that_make_no_sense_are_refused(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.parametrize(
    ("size", "factor"), [((7, 7), 3), ((5, 8), 4), ((6, 6), 2.5), ((4, 9), 27)]
)
def test_folded_liif_is_the_published_formula(size, factor):
    torch.manual_seed(0)
    network = LIIF(2, channels=16, blocks=2, hidden=32)
    torch.nn.init.normal_(network.leave.weight, std=0.3)
    lattice = regular(size, factor)
    coarse = torch.randn(2, 3, *size)
    with torch.no_grad():
        folded, _ = network(coarse, None, where(lattice))
        expected = plain(network, coarse, lattice)
    # Half a coarse cell at the edges, where the plain formula's rounding picks another cell.
    rows, columns = (
        (p > 0.01) & (p < n - 1.01)
        for p, n in zip((lattice.rows, lattice.columns), size, strict=True)
    )
    scale = float(expected.std())
    apart = (folded - expected)[..., rows, :][..., columns].abs().max()
    assert float(apart) < 1e-5 * scale
