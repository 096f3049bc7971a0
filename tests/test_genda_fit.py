"""Priors trained on one's own fields: units, times, coasts, resuming, currents."""

from __future__ import annotations

import functools
import re
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from surfaces_small import (
    HEIGHT,
    SSH,
    SST,
    TINY,
    coast,
    draw,
    like,
    model,
    seen,
    tracks,
    truth,
    two,
)

import xocean_ml as xo
from xocean_ml.currents import split
from xocean_ml.errors import GridError, ModelFileError, ValuesError
from xocean_ml.generative.diffusion import Diffusion
from xocean_ml.generative.fit import fit
from xocean_ml.generative.oi import Interpolation
from xocean_ml.generative.samples import samples
from xocean_ml.generative.windows import LARGEST, LEAST, Windows, normed

KEYS = [SSH, SST]
PLAIN = {"fields": KEYS, **TINY}
GONE_ON = {**PLAIN, "sizes": None}


def half(first: bool) -> xr.Dataset:
    return truth()[["ssh", "sst"]].isel(time=slice(6) if first else slice(6, None))


def other_units(ds: xr.Dataset) -> xr.Dataset:
    return ds.assign(
        ssh=(ds.ssh * 100).assign_attrs(ds.ssh.attrs, units="cm"),
        sst=(ds.sst + 273.15).assign_attrs(ds.sst.attrs, units="K"),
    )


def alike(one: Any, other: Any, tolerance: float = 0.0) -> None:
    """The same weights."""
    assert set(one.tensors()) == set(other.tensors())
    for name, each in one.tensors().items():
        size = max(1.0, float(np.abs(each).max()))
        np.testing.assert_allclose(other.tensors()[name], each, rtol=0, atol=tolerance * size)


def told(chosen: Any, name: str) -> list[float]:
    return [each[name] for each in chosen.config["fields"]]


# ---- what is remembered ----------------------------------------------------------------------


def test_what_kind_is_asked_for_is_made():
    assert isinstance(two("oi"), Interpolation)
    assert isinstance(two("diffusion"), Diffusion)
    assert [each["key"] for each in two().config["fields"]] == KEYS
    assert len(model("oi").config["fields"]) == 5
    assert repr(two()) == f"OI({SSH}, {SST}; your fields)"


def test_fields_are_remembered_as_they_are_written():
    first = two().config["fields"][0]
    assert first["name"] == "ssh"
    assert first["units"] == "m"
    assert first["attrs"]["long_name"] == truth().ssh.attrs["long_name"]
    assert np.dtype(first["dtype"]) == np.float32


def test_norms_are_those_of_the_times_that_are_trained_on():
    """Of six times that are all taken: withheld ones are others."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = fit(half(True), "oi", fields=KEYS, withheld=half(False))
    for number, name in enumerate(("ssh", "sst")):
        values = half(True)[name]
        assert told(made, "mean")[number] == pytest.approx(float(values.mean()), rel=1e-4)
        assert told(made, "std")[number] == pytest.approx(float(values.std()), rel=1e-4)
        change = float((values.diff("time") ** 2).mean()) / 25 / float(values.var())
        assert told(made, "growth")[number] == pytest.approx(change, rel=1e-3)


def test_cells_are_remembered():
    lat, lon = (float(truth()[n].diff(n).median()) for n in ("latitude", "longitude"))
    across = lon * np.cos(np.deg2rad(float(truth().latitude.mean())))
    np.testing.assert_allclose(two().config["cell"], [111.2 * lat, 111.2 * across], rtol=0.01)


# ---- several Datasets ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["oi", "diffusion"])
def test_several_are_brought_to_the_units_of_the_first(kind):
    options = PLAIN if kind == "diffusion" else {"fields": KEYS}
    one = fit([half(True), half(False)], kind, **options)
    other = fit([half(True), other_units(half(False))], kind, **options)
    alike(one, other, 2e-3)
    np.testing.assert_allclose(told(one, "mean"), told(other, "mean"), rtol=1e-4)
    assert told(other, "units") == ["m", "degC"]
    turned = fit([other_units(half(True)), half(False)], kind, **options)
    alike(one, turned, 2e-3)
    assert told(turned, "units") == ["cm", "K"]
    np.testing.assert_allclose(told(turned, "std")[0], 100 * told(one, "std")[0], rtol=1e-4)


def test_what_is_withheld_is_brought_to_them_too():
    options = {**PLAIN, "withheld": half(False)}
    one = fit(half(True), **options)
    other = fit(half(True), **{**options, "withheld": other_units(half(False))})
    alike(one, other, 1e-6)


def test_names_of_the_others_may_be_others():
    renamed = half(False).rename(ssh="sla", sst="analysed_sst")
    alike(fit([half(True), renamed], "oi", fields=KEYS), fit([half(True), half(False)], "oi"))


def quantities(ds: xr.Dataset) -> xr.Dataset:
    import pint

    registry = pint.get_application_registry()
    attrs = {n: {k: v for k, v in ds[n].attrs.items() if k != "units"} for n in ds}
    units = {"ssh": "m", "sst": "degC"}
    return ds.assign(
        {n: (ds[n].dims, registry.Quantity(ds[n].values, units[n]), attrs[n]) for n in ds}
    )


def test_storage_does_not_matter():
    for turn in (
        lambda ds: ds.isel(latitude=slice(None, None, -1)),
        lambda ds: ds.transpose("longitude", "time", "latitude"),
        lambda ds: ds.chunk(time=5, latitude=9),
        lambda ds: ds.assign_coords(
            longitude=(ds.longitude % 360).assign_attrs(ds.longitude.attrs)
        ),
        quantities,
    ):
        alike(fit(turn(truth()[["ssh", "sst"]]), "oi"), two(), 1e-5)


def test_the_input_is_not_modified():
    ds = truth().copy(deep=True)
    fit(ds, "oi")
    xr.testing.assert_identical(ds, truth())


def test_members_of_an_ensemble_are_samples():
    ds = truth()[["ssh", "sst"]]
    both = xr.concat([ds, ds], "realization")
    made = fit(both, "oi")
    np.testing.assert_allclose(told(made, "growth"), told(two(), "growth"), rtol=0.3)
    alike(made, two(), 1e-2)


def test_named_fields_are_found():
    bare = truth()[["sst"]].rename(sst="t").assign(t=lambda d: d.t.drop_attrs(deep=False))
    bare["t"].attrs = {"units": "degC"}
    made = fit(bare, "oi", fields={SST: "t"})
    assert told(made, "name") == ["t"]
    alike(made, fit(truth(), "oi", fields=[SST]))


# ---- times -----------------------------------------------------------------------------------


def test_too_few_times_to_withhold_some_are_told():
    few = truth()[["ssh", "sst"]].isel(time=slice(4))
    with pytest.warns(UserWarning, match="4 times are too few to withhold some"):
        fit(few, **PLAIN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(few, "oi")
        fit(few, **PLAIN, withheld=truth().isel(time=slice(5, 7)))
        fit(truth()[["ssh", "sst"]].isel(time=slice(5)), **PLAIN)


def test_the_last_times_are_withheld_and_some_before_are_not_used():
    """Of 12: maps between those that are learnt from would show nothing that is not learnt."""
    data = samples([truth()], [], KEYS, smooth=None, background=False)
    np.testing.assert_array_equal(data.train.picks[0], np.arange(9))
    np.testing.assert_array_equal(data.check.picks[0], [10, 11])
    every = samples([truth()], [], KEYS, smooth=None, background=False, withhold=False)
    np.testing.assert_array_equal(every.train.picks[0], np.arange(12))


def test_one_time_will_do():
    made = fit(truth()[["sst"]].isel(time=[0]), "oi")
    assert told(made, "growth") == [None]
    assert np.isfinite(draw(made, seen()[1]).sst).all()


# ---- the result depends on its arguments -----------------------------------------------------


def test_the_same_arguments_give_the_same_weights():
    torch.manual_seed(3)
    one = fit(truth(), **PLAIN)
    torch.manual_seed(4)
    np.random.default_rng(5).random()
    alike(one, fit(truth(), **PLAIN))
    other = fit(truth(), **PLAIN, seed=1)
    assert any((other.tensors()[n] != each).any() for n, each in one.tensors().items())


def test_a_fit_that_was_killed_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    from dataclasses import replace

    from xocean_ml.generative import fit as module

    # a check, and so a checkpoint, at every step
    eager = replace(module.SCHEDULE, check_every=1)
    monkeypatch.setattr(module, "SCHEDULE", eager)
    path = tmp_path / "run.safetensors"
    options = {**PLAIN, "steps": 3}
    whole = fit(truth(), **options)

    made: list[int] = []
    before = Windows.__call__

    def killed(self: Windows, step: int) -> Any:
        made.append(step)
        if step == 2 and made.count(2) == 1:
            raise KeyboardInterrupt
        return before(self, step)

    monkeypatch.setattr(Windows, "__call__", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(truth(), **options, checkpoint=path)
    assert path.exists()
    resumed = fit(truth(), **options, checkpoint=path)
    assert made == [0, 1, 2, 2]
    alike(whole, resumed)


def test_a_checkpoint_of_other_fields_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    options = {**PLAIN, "checkpoint": path}
    fit(truth(), **options)
    with pytest.raises(ModelFileError, match="another run"):
        fit(truth().isel(time=slice(6)), **options)


def test_a_checkpoint_of_another_patch_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    fit(truth(), **PLAIN, checkpoint=path)
    with pytest.raises(ModelFileError, match="another run"):
        fit(truth(), **{**PLAIN, "patch": 16, "checkpoint": path})


# ---- a prior to go on from --------------------------------------------------------------------


def test_training_goes_on_from_another_network():
    begun = fit(half(True), **{**PLAIN, "steps": 3}, withheld=half(False))
    made = fit(half(False), **{**GONE_ON, "steps": 1}, start=begun, withheld=half(True))
    far = fit(half(False), **{**PLAIN, "steps": 1, "seed": 1}, withheld=half(True))

    def apart(one: Any) -> float:
        return max(
            float(np.abs(each - begun.weights[name]).max())
            for name, each in one.weights.items()
            if name.startswith("network.")
        )

    assert 0 < apart(made) < 0.2 * apart(far)
    assert told(made, "mean") == told(far, "mean") != told(begun, "mean")
    alike_wiener = [(m.weights["wiener.covariance"]) for m in (made, far)]
    np.testing.assert_array_equal(*alike_wiener)


def test_a_file_is_gone_on_from_too(tmp_path):
    begun = two("diffusion")
    begun.save(tmp_path / "begun.safetensors")
    options = {**GONE_ON, "withheld": half(False)}
    one = fit(half(True), **options, start=begun)
    alike(one, fit(half(True), **options, start=tmp_path / "begun.safetensors"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kind": "oi"}, TypeError, "start= belongs to kind='diffusion'"),
        ({"sizes": {"width": 32}}, TypeError, "has the sizes of its network"),
        ({"fields": [SSH]}, ValueError, f"start= is a prior of {SSH}, {SST}; asked are {SSH}"),
        ({"start": 3}, TypeError, "start=3: it is a diffusion prior"),
    ],
)
def test_what_cannot_be_gone_on_from_is_refused(options, error, message):
    given = {"fields": KEYS, "steps": 1, "start": two("diffusion"), **options}
    with pytest.raises(error, match=re.escape(message)):
        fit(truth(), **given)


def test_an_interpolation_is_nothing_to_go_on_from():
    with pytest.raises(TypeError, match="it is a diffusion prior"):
        fit(truth(), **GONE_ON, start=two("oi"))


# ---- coasts ----------------------------------------------------------------------------------


@functools.cache
def bounded() -> xr.Dataset:
    return truth()[["ssh", "sst"]].where(coast())


@pytest.mark.parametrize("kind", ["oi", "diffusion"])
def test_what_is_land_is_no_value(kind):
    """Norms are of the sea, whatever part of it there is; members are finite."""
    options = TINY if kind == "diffusion" else {}
    made = fit(bounded(), kind, withheld=bounded(), **options)
    np.testing.assert_allclose(
        told(made, "mean"), [float(bounded()[n].mean()) for n in ("ssh", "sst")], rtol=1e-3
    )
    assert all(np.isfinite(each).all() for each in made.tensors().values())
    out = draw(made, seen()[1], like=bounded().isel(time=slice(3)))
    np.testing.assert_array_equal(out.sst.isnull(), np.broadcast_to(~coast(), out.sst.shape))


def test_coastal_windows_are_trained_on():
    """Land is told, and out of the loss, and in every window if it is in the domain's midst."""
    fields = normed(
        np.stack([bounded()[n].values for n in ("ssh", "sst")], axis=1), two().config["fields"]
    )
    every = Windows([fields], 16, 32, 0)
    clean, sea, noise, sigma, at = every(0)
    assert clean.shape == noise.shape == (32, 2, *clean.shape[-2:])
    assert sea.shape == (32, 1, *clean.shape[-2:])
    assert 0 < (sea.mean(axis=(1, 2, 3)) < 1).mean() <= 1
    assert np.isfinite(clean).all()
    assert not (clean * (1 - sea)).any()
    assert ((sigma >= 0.8 * LEAST * 0.99) & (sigma <= 1.2 * LARGEST * 1.01)).all()
    size = clean.shape[-1]
    assert all(0 <= each <= size - 16 for each in at)
    again = every(0)
    for one, other in zip(again[:4], (clean, sea, noise, sigma), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(every(1)[2], noise)


def test_windows_are_parts_of_the_fields():
    fields = np.random.default_rng(0).standard_normal((3, 2, 24, 28)).astype("f4")
    known = {
        each.tobytes()
        for each in np.lib.stride_tricks.sliding_window_view(fields, (16, 16), (2, 3)).reshape(
            -1, 16
        )
    }
    clean, *_ = Windows([fields], 16, 20, 0).fixed(20)
    assert {row.tobytes() for row in clean.reshape(-1, 16)} <= known


@pytest.mark.parametrize("shape", [(9, 28), (10, 11)])
def test_a_domain_smaller_than_a_patch_is_filled_up(shape):
    """With land, of which nothing is asked."""
    small = truth()[["ssh", "sst"]].isel(latitude=slice(shape[0]), longitude=slice(shape[1]))
    made = fit(small, "diffusion", **{**TINY, "patch": 32})
    assert all(np.isfinite(each).all() for each in made.tensors().values())
    where = small.isel(time=[0])
    out = draw(made, where[["sst"]], like=where, error=0.2, steps=2)
    assert out.sst.shape[-2:] == tuple(where.sst.shape[-2:])
    assert np.isfinite(out.sst).all()
    assert float(abs(out.sst - where.sst).mean()) < 0.5


def test_a_domain_of_another_size_than_that_of_the_training():
    """Smaller, and larger than both tile and training."""
    wide = xo.tutorial.open_dataset("surface")[["ssh", "sst"]].isel(
        time=[0], latitude=slice(50), longitude=slice(45)
    )
    for where in (truth()[["ssh", "sst"]].isel(time=[0], latitude=slice(9)), wide):
        for kind in ("oi", "diffusion"):
            out = draw(two(kind), where[["sst"]], like=where, error=0.1, members=1)
            assert out.sst.shape[-2:] == where.sst.shape[-2:]
            assert float(abs(out.sst - where.sst).mean()) < 0.2


# ---- currents --------------------------------------------------------------------------------


def test_currents_are_learnt_without_their_geostrophic_part():
    """What is left by `split`, with slopes smoothed as is asked; whole ones as they are."""
    for smooth in (0.0, 1.5):
        parts = split(truth(), ekman=None, smooth=smooth)
        made = model("oi", smooth=smooth)
        assert made.config["smooth"] == smooth
        rest = [float(parts[f"{n}_ageostrophic"].std()) for n in ("u", "v")]
        np.testing.assert_allclose(told(made, "std")[3:], rest, rtol=0.25)
    whole = model("oi", currents="whole")
    np.testing.assert_allclose(
        told(whole, "std")[3:], [float(truth()[n].std()) for n in ("u", "v")], rtol=0.25
    )
    assert whole.config["smooth"] is None
    assert told(whole, "std")[3] > 2 * told(model("oi"), "std")[3]


def test_currents_alone_are_whole():
    made = fit(truth()[["u", "v", "sst"]], "oi")
    assert made.config["smooth"] is None
    one = fit(truth()[["ssh", "u"]], "oi")
    assert one.config["smooth"] is None
    out = draw(made, seen()[1])
    assert set(out.data_vars) == {"sst", "u", "v", "observations"}


def test_currents_of_heights_above_the_geoid_lose_all_of_it():
    attrs = {"standard_name": HEIGHT, "units": "m"}
    absolute = truth().assign(ssh=(truth().ssh + truth().mdt).assign_attrs(attrs)).drop_vars("mdt")
    made = fit(absolute, "oi")
    np.testing.assert_allclose(told(made, "std")[3:], told(model("oi"), "std")[3:], rtol=1e-3)
    ssh = absolute[["ssh"]].isel(time=slice(3)).where(like().longitude < -43.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = draw(made, ssh, error=0.02, like=absolute.isel(time=slice(3)))
    parts = split(out, ekman=None, smooth=0)
    assert float(parts.u_ageostrophic.std() / told(made, "std")[3]) < 2


# ---- about a map of averages -----------------------------------------------------------------


@functools.cache
def about_a_map() -> Any:
    return fit(truth(), "oi", fields=KEYS, background=True, withheld=truth())


def averages(ds: xr.Dataset) -> xr.Dataset:
    return ds[["ssh", "sst"]].mean("time")


def test_unobserved_members_vary_about_the_map():
    """On any part of it, in any storage."""
    sst = seen()[1].isel(time=[0])
    part = {"latitude": slice(3, 20), "longitude": slice(5, 28)}
    west = (like().longitude % 360).assign_attrs(like().longitude.attrs)
    for where in (
        like().isel(part),
        like().isel(latitude=slice(None, None, -1)).assign_coords(longitude=west),
    ):
        out = draw(about_a_map(), sst, like=where.isel(time=[0, 2]), members=36).isel(time=1)
        for name in ("ssh", "sst"):
            spread = out[name].std("realization").values / 6
            expected = averages(truth())[name]
            if where.sizes != like().sizes:
                expected = expected.isel(part)
            if where.latitude[0] > where.latitude[1]:
                expected = expected.isel(latitude=slice(None, None, -1))
            away = (out[name].mean("realization").values - expected.values) / spread
            assert np.sqrt((away**2).mean()) < 2.5
        assert float(out.sst.std("realization").mean()) < float(truth().sst.std())


def test_the_map_is_saved_and_loaded(tmp_path):
    about_a_map().save(tmp_path / "map.safetensors")
    again = xo.load(tmp_path / "map.safetensors")
    one, other = (draw(each, seen()[1]) for each in (about_a_map(), again))
    np.testing.assert_array_equal(one.sst, other.sst)


def moved(ds: xr.Dataset, degrees: float) -> xr.Dataset:
    return ds.assign_coords(latitude=(ds.latitude + degrees).assign_attrs(ds.latitude.attrs))


@pytest.mark.parametrize("degrees", [20.0, -2.0, 0.9])
def test_a_map_of_another_place_is_refused(degrees):
    with pytest.raises(GridError, match=r"averages of 32\.43 to 33\.58 N"):
        draw(about_a_map(), moved(seen()[1], degrees), like=moved(like(), degrees))


def test_a_map_is_of_one_region():
    with pytest.raises(ValueError, match="one Dataset"):
        fit([half(True), half(False)], "oi", background=True)


# ---- regression, a rival ---------------------------------------------------------------------

UNET = {"steps": 2, "patch": 16, "pairs": 4, "progress": False, "fields": KEYS}
UNET["sizes"] = {"channels": [8, 8], "blocks": 1, "width": 8}


def system(ds: xr.Dataset, seed: int, share: float = 0.5) -> dict[str, xr.Dataset]:
    """Some cells of the temperature."""
    keep = np.random.default_rng(seed).random(ds.sst.shape) < share
    told = {"standard_name": f"{SST} standard_error", "units": "K"}
    sst = ds.sst.where(keep).assign_attrs(ds.sst.attrs, ancillary_variables="err")
    return {"sst": xr.Dataset({"sst": sst, "err": xr.full_like(sst, 0.2).assign_attrs(told)})}


def now_and_then(ds: xr.Dataset, seed: int) -> dict[str, xr.Dataset]:
    """And of some windows nothing."""
    return system(ds, seed, 0.5 * (seed % 2))


@functools.cache
def regression() -> Any:
    return fit(truth(), "unet", observing=system, **UNET)


def test_a_regression_draws_members_too(tmp_path):
    out = xo.genda(seen()[1], regression(), members=3, like=like())
    assert np.isfinite(out.sst).all()
    assert float(out.sst.std("realization").mean()) > 0
    regression().save(tmp_path / "unet.safetensors")
    again = xo.genda(seen()[1], str(tmp_path / "unet.safetensors"), members=3, like=like())
    np.testing.assert_array_equal(out.sst, again.sst)


def test_a_regression_needs_an_observing_system():
    with pytest.raises(TypeError, match="observing="):
        fit(truth(), "unet", **UNET)


def test_a_regression_answers_times_without_observations():
    out = xo.genda(seen()[1].isel(time=[0]), regression(), members=2, like=like())
    assert list(out.observations)[1:] == [0, 0]
    assert np.isfinite(out.sst).all()


def test_a_regression_of_a_domain_smaller_than_a_patch():
    made = fit(truth().isel(latitude=slice(12)), "unet", observing=system, **UNET)
    where = like().isel(latitude=slice(12))
    out = xo.genda(seen()[1].isel(latitude=slice(12)), made, members=2, like=where)
    assert out.sst.sizes["latitude"] == 12
    assert np.isfinite(out.sst).all()


def test_a_regression_learns_from_windows_of_which_nothing_is_seen():
    made = fit(truth(), "unet", observing=now_and_then, **UNET)
    assert all(np.isfinite(each).all() for each in made.tensors().values())


def test_a_regression_on_points_that_see_nothing_is_refused():
    def nowhere(ds: xr.Dataset, seed: int) -> dict[str, xr.Dataset]:
        return {"sst": tracks(ds, 3, "sst").where(False)}

    with pytest.raises(ValuesError, match="nothing is observed of any window"):
        fit(truth(), "unet", observing=nowhere, **UNET)
