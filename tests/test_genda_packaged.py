"""The packaged prior: small, sound, and better than knowing nothing."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr

import xocean_ml as xo
from xocean_ml import persist
from xocean_ml.generative.diffusion import Diffusion

NAMES = ("ssh", "sst", "sss", "u", "v")


@cache
def day() -> xr.Dataset:
    """A day of an ocean of another family than those of the training."""
    world = xo.tutorial.open_dataset("surface")
    return world.isel(time=[5], latitude=slice(60, 108), longitude=slice(40, 88))


@cache
def members() -> xr.Dataset:
    tracks, *others = xo.simulate.observe(day(), nadirs=6, coarse=True, seed=12).values()
    return tracks.genda(also=others, members=4, like=day(), steps=16)


def test_it_is_small():
    file = persist.WEIGHTS / "diffusion.safetensors"
    assert file.stat().st_size < 12e6
    model = xo.load("diffusion")
    assert isinstance(model, Diffusion)
    assert sum(each.size for each in model.weights.values()) < 6e6
    assert "simulated" in repr(model)


@pytest.mark.parametrize("name", NAMES)
def test_members_are_nearer_to_the_truth_than_the_mean_of_the_training(name):
    model = xo.load("diffusion")
    told = next(e for e in model.config["fields"] if e["name"] == name)
    usual = float(((day()[name] - (0.0 if name in "uv" else told["mean"])) ** 2).mean())
    error = float(((members()[name].mean("realization") - day()[name]) ** 2).mean())
    # one pass of an altimeter says little of currents across it
    assert error < (1.0 if name in "uv" else 0.7) * usual


def test_members_say_how_sure_they_are():
    made = members()
    for name in NAMES:
        spread = float(made[name].var("realization", ddof=1).mean()) * 5 / 4
        error = float(((made[name].mean("realization") - day()[name]) ** 2).mean())
        assert 0.2 < np.sqrt(spread / error) < 5, name


def test_members_are_as_rough_as_the_truth():
    """Slopes of neighbouring cells, which a mean of members loses."""
    made = members()
    for name in ("ssh", "sst", "sss"):
        rough = [float((each.diff("latitude") ** 2).mean()) for each in (made[name], day()[name])]
        assert 0.4 < rough[0] / rough[1] < 2.5, name


def test_of_what_is_not_simulated_it_says_that_it_is_no_product():
    seen = day()[["sst"]].drop_attrs(deep=False)
    with pytest.warns(UserWarning, match="simulated turbulence"):
        seen.genda.plan(error=0.3)
