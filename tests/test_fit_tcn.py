"""Fitting the learned smoother: towards a target, or on twins matched to the data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import xarray as xr

import xocean_ml as xo
from xocean_ml.errors import FieldNotFound, GridError, UnitsError, ValuesError
from xocean_ml.smoothing.matched import Matched
from xocean_ml.smoothing.own import StateSpaceSmoother, laws_of
from xocean_ml.smoothing.prepare import prepare
from xocean_ml.smoothing.sample import sample

NAME = "temperature_increment"
QUICK = {"steps": 3, "progress": False}


@pytest.fixture(scope="module")
def twin() -> xr.Dataset:
    depth = (15.0, 150.0, 530.0, 1500.0)
    return xo.simulate.increments("select", columns=8, seed=9, years=(1985, 2012), depth=depth)


@pytest.fixture(scope="module")
def some(twin):
    blank = StateSpaceSmoother(None, np.zeros(0), ("spread", "counts"))
    return sample(prepare(twin, blank, {}, conserve=None).variables[0])


@pytest.fixture(scope="module")
def laws(some):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return laws_of(some)


# ---- matched twins -------------------------------------------------------------------------


def test_twins_are_like_the_data(some, laws):
    world = Matched(some, laws).draw(200, 0, 0)
    series = world.bank.shape[-1]
    assert series == len(some.steps)
    for level, depth in enumerate(some.depth):
        made = world.scale[world.depth == depth]
        size = np.sqrt(np.nanmean(some.series[:, some.level == level] ** 2))
        assert 0.5 < np.median(made) / size < 2.0


def test_the_best_answer_is_best_and_keyed_by_position(some, laws):
    one, again, other = (Matched(some, laws).draw(150, 3, draw) for draw in (1, 1, 2))
    assert (one.best == again.best).all()
    assert one.best.shape != other.best.shape or not (one.best == other.best).all()
    off = ((one.best - one.truth) ** 2).mean()
    for rival in (0 * one.best, 0.5 * one.best, 1.5 * one.best):
        assert off < ((rival - one.truth) ** 2).mean()


def test_increments_are_made_where_the_data_have_them(some, laws):
    """A step of a level in which no cell of the data has an increment has none in a twin."""
    world = Matched(some, laws).draw(150, 0, 0)
    for level, depth in enumerate(some.depth):
        data = (np.nan_to_num(some.series[:, some.level == level]) != 0).mean()
        seen = world.context[torch_mask(world.depth == depth), -5].mean().item()
        step = np.median(some.steps.length)
        assert seen == pytest.approx(data * 30 / step, abs=0.15 * 30 / step)


def torch_mask(mask):
    import torch

    return torch.from_numpy(mask)


# ---- fits ----------------------------------------------------------------------------------


def test_without_a_target_it_smooths_as_well_as_the_state_space(twin):
    model = twin.ml_smooth.fit(steps=60, progress=False)
    assert model.config["told"] == "twins matched to your increments"
    out = twin.ml_smooth(model, conserve=None, gate=True, uncertainty=True)
    raw, truth, best = (twin[n] for n in (NAME, "true_increment", "optimum_a"))
    off = {n: float(((x - truth) ** 2).mean()) for n, x in {"raw": raw, "best": best}.items()}
    assert float(((out[NAME] - truth) ** 2).mean()) < 1.3 * off["best"] < 0.5 * off["raw"]
    assert {f"{NAME}_gate", f"{NAME}_spread"} <= set(out)


def test_a_target_is_learned(twin):
    """What the packaged smoother does not do, a half of the raw increment, is learned."""
    target = (0.5 * twin[NAME]).assign_attrs(twin[NAME].attrs)
    before = xo.load("tcn")
    after = twin.ml_smooth.fit(target=target, steps=150, progress=False)
    off = [
        float(((twin.ml_smooth(m, conserve=None)[NAME] - target) ** 2).mean())
        for m in (before, after)
    ]
    assert off[1] < 0.5 * off[0]


def test_a_target_by_name_or_in_a_dataset_and_in_other_units(twin):
    milli = (1e3 * twin.true_increment).assign_attrs(twin.true_increment.attrs | {"units": "mK"})
    as_dataset = xr.Dataset({"dT": milli.assign_attrs(twin[NAME].attrs | {"units": "mK"})})
    models = [
        twin.ml_smooth.fit(target=target, **QUICK)
        for target in ("true_increment", twin.true_increment, milli, as_dataset)
    ]
    for model in models[1:]:
        for name, weight in model.weights.items():
            np.testing.assert_allclose(weight, models[0].weights[name], atol=1e-5)


def test_both_fields_lazy_with_land_and_members(twin):
    salt = (0.2 * twin[NAME]).assign_attrs(
        standard_name="change_over_time_in_sea_water_salinity", units="1e-3"
    )
    both = twin[[NAME, "time_bnds"]].assign(dS=salt).isel(column=slice(3))
    both = both.where(both.column != 1)
    members = both.copy()
    for name in (NAME, "dS"):
        pair = [both[name], 1.1 * both[name]]
        members[name] = xr.concat(pair, "realization").assign_attrs(both[name].attrs)
    model = members.chunk(column=1).ml_smooth.fit(**QUICK)
    out = members.ml_smooth(model, conserve=None)
    assert bool(out[NAME].isel(column=1).isnull().all())
    assert bool(out["dS"].isel(column=0).notnull().all())


def test_one_column_is_enough_for_blocks_of_time(twin):
    one = twin.isel(column=[0])
    model = one.ml_smooth.fit(target="true_increment", **QUICK)
    assert bool(np.isfinite(one.ml_smooth(model)[NAME]).all())


def test_it_is_kept_and_knows_its_own_domain(twin, tmp_path):
    model = twin.ml_smooth.fit(**QUICK)
    model.save(tmp_path / "mine.safetensors")
    again = xo.load(tmp_path / "mine.safetensors")
    assert again.spec == model.spec
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xr.testing.assert_identical(twin.ml_smooth(again)[NAME], twin.ml_smooth(model)[NAME])
    with pytest.warns(UserWarning, match="outside what"):
        twin.isel(time=slice(60)).ml_smooth(again)


def test_noise_is_told_and_shrunk():
    rng = np.random.default_rng(0)
    noise = xo.simulate.increments("select", columns=8, years=(1990, 2012), depth=(500.0,))
    noise[NAME][:] = rng.normal(size=noise[NAME].shape)
    bare = noise[[NAME, "time_bnds"]]
    with pytest.warns(UserWarning, match="no slow part is detectable"):
        model = bare.ml_smooth.fit(steps=80, progress=False)
    shrunk = bare.ml_smooth(model, conserve=None)[NAME]
    assert float(shrunk.std()) < 0.15 * float(bare[NAME].std())


# ---- killed --------------------------------------------------------------------------------

SCRIPT = """
import sys, warnings
import xocean_ml as xo
warnings.simplefilter("ignore")
twin = xo.simulate.increments("select", columns=3, seed=1, years=(2000, 2012), depth=(150.0, 800.0))
model = twin.ml_smooth.fit(steps=250, progress=False, checkpoint=sys.argv[1] or None)
model.save(sys.argv[2])
"""


def test_a_killed_fit_goes_on_to_the_same_weights(tmp_path):
    point = tmp_path / "point.safetensors"
    env = dict(os.environ, OMP_NUM_THREADS="1")

    def begin(checkpoint, name):
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, checkpoint, tmp_path / name], env=env
        )

    killed = begin(point, "killed.safetensors")
    while not point.exists() and killed.poll() is None:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed.safetensors").exists()
    runs = [begin(point, "resumed.safetensors"), begin("", "whole.safetensors")]
    assert [run.wait() for run in runs] == [0, 0]
    one, two = (xo.load(tmp_path / f"{n}.safetensors") for n in ("resumed", "whole"))
    for name, weight in one.weights.items():
        np.testing.assert_array_equal(weight, two.weights[name])


# ---- bad input: input, error, message ------------------------------------------------------


def _land(twin):
    return twin.where(twin.column < 0), {}


def _lazy_land(twin):
    return twin.where(twin.column < 0).chunk(), {}


BAD = {
    "all land": (_land, ValuesError, "all land"),
    "all land, lazy": (_lazy_land, ValuesError, "all land"),
    "no depth": (lambda t: (t.isel(depth=0, drop=True), {}), GridError, "needs depth"),
    "two steps": (lambda t: (t.isel(time=slice(2)), {}), GridError, "3"),
    "no such target": (lambda t: (t, {"target": "truth"}), FieldNotFound, "no variable"),
    "target of other size": (
        lambda t: (t, {"target": t.true_increment.isel(depth=[0])}),
        GridError,
        "does not lie on the grid",
    ),
    "target at other times": (
        lambda t: (
            t,
            {
                "target": t.true_increment.shift(time=0).assign_coords(
                    time=t.time + np.timedelta64(1, "D")
                )
            },
        ),
        GridError,
        "other coordinates",
    ),
    "target in metres": (
        lambda t: (t, {"target": t.true_increment.assign_attrs(units="m")}),
        UnitsError,
        "m",
    ),
    "target of another field": (
        lambda t: (t, {"target": t[["number_of_observations"]]}),
        FieldNotFound,
        "temperature_increment",
    ),
    "target empty": (
        lambda t: (t, {"target": t.true_increment.where(t.column < 0)}),
        ValuesError,
        "no value",
    ),
    "target of no kind": (lambda t: (t, {"target": 3.0}), TypeError, "target is a Dataset"),
    "unknown option": (lambda t: (t, {"decay": "30D"}), TypeError, "does not take decay"),
    "another model to begin with": (lambda t: (t, {"init": "dong"}), TypeError, "no learned"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(twin, case):
    make, error, message = BAD[case]
    ds, options = make(twin)
    with pytest.raises(error, match=message):
        ds.ml_smooth.fit(**QUICK, **options)


def test_unknown_kind(twin):
    with pytest.raises(ValueError, match='known: "tcn"'):
        twin.ml_smooth.fit("lstm")
