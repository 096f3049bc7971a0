"""Whole currents as sums of cells: the matrix is the geostrophic current, whatever the grid."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xocean_ml as xo
from xocean_ml.assimilation.state import State
from xocean_ml.currents.geostrophy import Places, geostrophic
from xocean_ml.generative.balance import matrices
from xocean_ml.generative.fit import fit
from xocean_ml.generative.prepare import prepare


@pytest.mark.parametrize("smooth", [0.0, 0.7])
@pytest.mark.parametrize(
    ("first", "wraps", "land"), [(30, False, False), (-4, False, True), (40, True, True)]
)
def test_the_matrix_is_the_geostrophic_current(smooth, first, wraps, land):
    random = np.random.default_rng(0)
    rows, columns = 20, 36
    sea = random.random((rows, columns)) > 0.15 if land else np.ones((rows, columns), bool)
    longitude = np.arange(columns) * (10.0 if wraps else 0.25)
    state = State(first + 0.25 * np.arange(rows), longitude, wraps, sea[None])
    height = np.where(sea, random.standard_normal((rows, columns)), np.nan)
    expected = geostrophic(height, Places(state.latitude, longitude, wraps), smooth)
    for matrix, each in zip(matrices(state, smooth), expected, strict=True):
        made = (matrix @ np.nan_to_num(height).ravel()).reshape(rows, columns)
        there = np.isfinite(each)
        scale = np.abs(each[there]).max()
        np.testing.assert_allclose(made[there] / scale, each[there] / scale, atol=1e-9)


def test_observed_currents_are_those_of_the_members():
    """What the operator sees of a state is what the output's current is there."""
    truth = xo.tutorial.open_dataset("surface").isel(latitude=slice(24), longitude=slice(24))
    prior = fit(truth, "oi")
    one = truth.isel(time=[0])
    drifters = one[["u", "v"]].where(np.random.default_rng(0).random((24, 24)) < 0.2)
    ready = prepare(
        drifters,
        prior,
        like=one,
        error=dict.fromkeys(("eastward_sea_water_velocity", "northward_sea_water_velocity"), 0.01),
        members=1,
    )
    seen = ready.seen(0)
    import torch

    from xocean_ml.generative.reading import read
    from xocean_ml.generative.windows import normed

    fields = normed(read(one, None, 0.0).values, prior.config["fields"])
    found = seen.observe(torch.from_numpy(fields.astype(np.float32)))[0]
    np.testing.assert_allclose(found, seen.values, atol=2e-3)


def test_drifters_tell_of_the_sea_level():
    truth = xo.tutorial.open_dataset("surface").isel(latitude=slice(24), longitude=slice(24))
    prior = fit(truth, "oi")
    one = truth.isel(time=[0])
    key = dict.fromkeys(("eastward_sea_water_velocity", "northward_sea_water_velocity"), 0.01)
    made = one[["u", "v"]].genda(prior, like=one, error=key, members=12)
    slope = lambda ssh: ssh - ssh.mean(("latitude", "longitude"))  # noqa: E731
    error = float(((slope(made.ssh.mean("realization")) - slope(one.ssh)) ** 2).mean())
    assert error < 0.4 * float((slope(one.ssh) ** 2).mean())
    left = float(((made.u.mean("realization") - one.u) ** 2).mean()) ** 0.5
    assert left < 0.02
    assert isinstance(made, xr.Dataset)
