"""What moves two fields together by chance is told from what does so elsewhere too."""

from __future__ import annotations

import numpy as np
import pytest
from climates import globe

import xocean_ml as xo  # noqa: F401  its accessors
from xocean_ml.assimilation.coupling import Coupling

CELLS, TIMES, INDICES = 60, 90, 12
PARTS = (slice(0, CELLS), slice(CELLS, 2 * CELLS))
WEIGHT = np.full(2 * CELLS, 1 / CELLS)


def samples(times: int, *, together: bool, seed: int) -> np.ndarray:
    """Two fields of the same patterns, whose indices are the same or each its own."""
    patterns = np.random.default_rng(0).standard_normal((2, INDICES, CELLS))
    random = np.random.default_rng(seed)
    index = random.standard_normal((2, times, INDICES)) * 0.7 ** np.arange(INDICES)
    if together:
        index[1] = index[0]
    made = np.concatenate([i @ p for i, p in zip(index, patterns, strict=True)], axis=1)
    return made + 0.05 * random.standard_normal(made.shape)


def patterns_of(anomaly: np.ndarray) -> np.ndarray:
    _, size, right = np.linalg.svd(anomaly, full_matrices=False)
    return (right * size[:, None] / np.sqrt(len(anomaly)))[: 4 * INDICES]


def coupling(*, together: bool) -> Coupling:
    made = Coupling(PARTS, WEIGHT, seed=0)
    for fold in range(3):
        patterns = patterns_of(samples(TIMES, together=together, seed=fold))
        other = samples(TIMES, together=together, seed=10 + fold)
        made.add(patterns, other, 0.1 * other)
    return made


def test_couplings_that_are_met_stay():
    made = coupling(together=True)
    assert (made.shares()[:2] > 0.9).all()
    patterns = patterns_of(samples(TIMES, together=True, seed=0))
    kept = made.loosened(patterns, 50)[0]
    cross = [(p.T @ p)[PARTS[0], PARTS[1]] for p in (patterns, kept)]
    assert np.linalg.norm(cross[1] - cross[0]) < 0.1 * np.linalg.norm(cross[0])


def test_couplings_by_chance_go():
    made = coupling(together=False)
    shares = made.shares()
    assert (shares[:, 0, 1] < 0.35).all()
    patterns = patterns_of(samples(TIMES, together=False, seed=0))
    loose = made.loosened(patterns, 200)[0]
    cross = [(p.T @ p)[PARTS[0], PARTS[1]] for p in (patterns, loose)]
    assert np.linalg.norm(cross[1]) < 0.35 * np.linalg.norm(cross[0])


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("rank", [10, 30, 200])
def test_each_field_keeps_its_own_covariance(together, rank):
    """Shares are of pairs: within a field nothing changes but what the rank cuts off, and that
    comes back as variance."""
    made = coupling(together=together)
    patterns = patterns_of(samples(TIMES, together=together, seed=0))
    loose, beyond = made.loosened(patterns, rank)
    assert len(loose) <= max(rank, len(patterns))
    variance = (loose**2).sum(axis=0) + beyond
    np.testing.assert_allclose(variance, (patterns**2).sum(axis=0), rtol=1e-6)
    if rank == 200:
        for part in PARTS:
            one, other = loose[:, part], patterns[:, part]
            np.testing.assert_allclose(one.T @ one, other.T @ other, atol=1e-8)


def test_shares_are_shares():
    shares = coupling(together=True).shares()
    assert ((shares >= 0) & (shares <= 1)).all()
    np.testing.assert_array_equal(shares, shares.transpose(0, 2, 1))
    np.testing.assert_array_equal(shares[:, [0, 1], [0, 1]], 1)


def test_a_field_that_tells_nothing_of_another_says_so():
    """Pressure of other years beside the sea of these: the spread of one is what it varies by."""
    ds = globe().copy()
    ds["psl"] = ds.psl.copy(data=np.roll(ds.psl.values, 96, axis=0))
    train, test = ds.isel(time=slice(0, 180)), ds.isel(time=slice(180, 240))
    model = train[["sst", "psl"]].assimilate.fit("eof", latent=10)
    full = test[["sst"]].assimilate(model, error=0.1)
    usual = test.where(False)[["sst"]].assimilate(model)
    error = float(np.sqrt(((full.psl - test.psl) ** 2).mean()))
    nothing = float(np.sqrt(((usual.psl - test.psl) ** 2).mean()))
    assert error < 1.1 * nothing
    assert 0.8 < float(np.sqrt((full.psl_spread**2).mean())) / error < 1.25
