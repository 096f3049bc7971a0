"""Networks fitted to one's own fine fields: kinds, seeds, a kill on the way, transfer."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xocean_ml as xo
from xocean_ml import tutorial
from xocean_ml.downscaling.coarsen import coarsen
from xocean_ml.downscaling.fit import fit
from xocean_ml.downscaling.pairs import Fine, Pairs, paired
from xocean_ml.errors import FieldNotFound, GridError, ModelFileError, UnitsError, ValuesError
from xocean_ml.kernels.resample import bicubic, fill
from xocean_ml.training import generator

SMALL = {
    "liif": {"channels": 8, "blocks": 1, "hidden": 16, "layers": 2},
    "jiif": {"channels": 8, "blocks": 1, "hidden": [16, 8]},
    "resac": {"channels": 8, "depth": 1},
    "fno": {"channels": 8, "layers": 2, "modes": 4},
    "glio": {"channels": 8, "modes": 3, "hidden": 8},
}


@pytest.fixture(scope="module")
def fine() -> xr.Dataset:
    ds = tutorial.open_dataset("surface")[["ssh", "sst"]]
    return ds.isel(time=slice(0, 8), latitude=slice(0, 72), longitude=slice(40, 112))


def fitted(ds: xr.Dataset, kind: str, guided: bool = False, **options):
    guide = {"guide": "sea_surface_temperature"} if guided else {}
    given = {"factor": (2, 6), "steps": 3, "sizes": SMALL[kind], "progress": False}
    return fit(ds, kind, **{**given, **guide, **options})


BOTH = [("liif", False), ("jiif", True), ("fno", True)]
BOTH += [(kind, guided) for kind in ("resac", "glio") for guided in (False, True)]


@pytest.mark.parametrize(("kind", "guided"), BOTH)
def test_every_kind_is_fitted_kept_and_runs(fine, kind, guided, tmp_path):
    model = fitted(fine, kind, guided)
    model.save(tmp_path / "model.safetensors")
    again = xo.load(tmp_path / "model.safetensors")
    guide = {"guide": fine[["sst"]]} if guided else {}
    coarse = coarsen(fine[["ssh"]], 3)
    one, two = (coarse.downscale(each, factor=3, **guide) for each in (model, again))
    xr.testing.assert_identical(one["ssh"], two["ssh"])
    assert one["ssh"].sizes == fine["ssh"].sizes
    assert ("ssh_spread" in one) == (kind == "glio")
    if kind == "glio":
        sea = one["ssh"].notnull()
        assert bool((one["ssh_spread"].where(sea, 1) > 0).all())
        assert one["ssh_spread"].attrs["units"] == "m"


@pytest.mark.parametrize("kind", ["liif", "glio"])
def test_it_learns(fine, kind):
    model = fitted(fine, kind, factor=4, steps=60)
    ds = tutorial.open_dataset("surface")[["ssh"]].isel(time=[10])
    coarse = coarsen(ds, 4)
    error = [
        float(((coarse.downscale(each, factor=4)["ssh"] - ds["ssh"]) ** 2).mean())
        for each in (model, "bicubic")
    ]
    assert error[0] < 0.9 * error[1]


def test_fno_holds_on_a_field_larger_than_what_it_has_seen(fine):
    model = fitted(fine, "fno", guided=True, factor=4, steps=100)
    ds = tutorial.open_dataset("surface")[["ssh", "sst"]].isel(time=[10])
    for cells in (72, 144):
        part = ds.isel(latitude=slice(0, cells), longitude=slice(0, cells))
        coarse = coarsen(part[["ssh"]], 4)
        error = [
            float(((coarse.downscale(each, factor=4, **guide)["ssh"] - part["ssh"]) ** 2).mean())
            for each, guide in ((model, {"guide": part[["sst"]]}), ("bicubic", {}))
        ]
        assert error[0] < 0.8 * error[1]


def test_the_seed_decides(fine):
    one, two, other = (fitted(fine, "liif", seed=seed).tensors() for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert any(not np.array_equal(one[name], other[name]) for name in one)


def test_killed_it_goes_on_to_the_same_weights(fine, tmp_path, monkeypatch):
    monkeypatch.setattr("xocean_ml.downscaling.fit.SCHEDULE.__class__.is_check", lambda s, n: True)
    whole = fitted(fine, "liif", steps=4).tensors()
    draw, path = Pairs.draw, tmp_path / "fit.safetensors"

    def dies(self, rng):
        if path.exists() and dies.left == 0:
            raise KeyboardInterrupt
        dies.left -= path.exists()
        return draw(self, rng)

    dies.left = 1
    with monkeypatch.context() as patch:
        patch.setattr(Pairs, "draw", dies)
        with pytest.raises(KeyboardInterrupt):
            fitted(fine, "liif", steps=4, checkpoint=path)
    resumed = fitted(fine, "liif", steps=4, checkpoint=path).tensors()
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_transfer_begins_with_the_model_and_keeps_its_units(fine):
    first = fitted(fine, "liif")
    cm = fine.assign(ssh=(fine["ssh"] * 100).assign_attrs(fine["ssh"].attrs, units="cm"))
    same = fit(cm, "liif", factor=4, steps=1, init=first, progress=False)
    assert same.config["fields"] == first.config["fields"]
    drift = max(np.abs(same.tensors()[n] - first.tensors()[n]).max() for n in first.tensors())
    assert drift < 1e-3


def test_several_domains_and_withheld_ones(fine):
    west, east = fine.isel(longitude=slice(0, 40)), fine.isel(longitude=slice(32, 72))
    model = fit(
        [west, east.isel(time=slice(0, 5))],
        "liif",
        factor=3,
        steps=2,
        sizes=SMALL["liif"],
        withheld=east.isel(time=slice(6, 8)),
        progress=False,
    )
    assert model.config["fields"][0]["key"] == "sea_level_anomaly"


# ---- what is trained on ----------------------------------------------------------------------


class Taught(Exception):
    """Instead of training."""


@pytest.fixture
def data(monkeypatch):
    """What `fit` hands over to training: domains to train on, and those to score with."""

    def teach(network, pairs, withheld, schedule, **more):
        raise Taught(pairs.fine, withheld.fine)

    def handed(ds, kind="resac", **options):
        monkeypatch.setattr("xocean_ml.downscaling.teach.teach", teach)
        with pytest.raises(Taught) as taught:
            fit(ds, kind, **{"factor": 3, **options})
        monkeypatch.undo()
        return taught.value.args

    return handed


def same(one, two, atol=0.0):
    for each, other in zip([*one[0], *one[1]], [*two[0], *two[1]], strict=True):
        np.testing.assert_allclose(each.fields, other.fields, rtol=0, atol=atol)
        assert (each.guides is None) == (other.guides is None)
        if each.guides is not None:
            np.testing.assert_allclose(each.guides, other.guides, rtol=0, atol=atol)


def _longer(g):
    before = g.isel(time=[0]).assign_coords(time=g.time[:1] - np.timedelta64(9, "D"))
    return xr.concat([before, g], "time")


def _other_names(g):
    return g.rename(latitude="y", longitude="x", time="t").rename(y="lat", x="lon")


def _not_coordinates(g):
    """Dimensions y, x with latitude and longitude along them."""
    renamed = g.rename_dims(latitude="y", longitude="x").reset_index(["latitude", "longitude"])
    return renamed.set_coords(["latitude", "longitude"])


ARRANGED = {
    "as it is": lambda g: g,
    "descending": lambda g: g.isel(latitude=slice(None, None, -1)),
    "both descending": lambda g: g.isel(
        latitude=slice(None, None, -1), longitude=slice(None, None, -1)
    ),
    "times in another order": lambda g: g.isel(time=[2, 0, 1, 7, 6, 5, 4, 3]),
    "more times": _longer,
    "a turn further": lambda g: g.assign_coords(longitude=g.longitude + 360),
    "other names": _other_names,
    "not coordinates": _not_coordinates,
    "transposed": lambda g: g.transpose("longitude", "time", "latitude"),
    "rounded": lambda g: g.assign_coords(latitude=g.latitude.astype("f4")),
    "one of many": lambda g: g.expand_dims(depth=[0.0]),
    "in kelvin": lambda g: g.assign(
        sst=(g.sst.astype("f8") + 273.15).assign_attrs(g.sst.attrs, units="K")
    ),
}


@pytest.mark.parametrize("arranged", ARRANGED.values(), ids=ARRANGED)
def test_a_guide_is_brought_to_the_fields(fine, data, arranged):
    named = data(fine, guide="sea_surface_temperature")
    same(data(fine, guide=arranged(fine[["sst"]])), named, atol=1e-4)


def test_fields_are_trained_on_from_south_to_north(fine, data):
    turned = fine.isel(latitude=slice(None, None, -1))
    same(data(turned, guide=fine[["sst"]]), data(fine, guide="sea_surface_temperature"))


def test_a_guide_without_time_holds_for_all_times(fine, data):
    one = fine[["sst"]].isel(time=0, drop=True)
    every = one.expand_dims(time=fine["time"])
    same(data(fine, guide=one), data(fine, guide=every))
    same(data(fine.assign(sst=one["sst"]), guide="sea_surface_temperature"), data(fine, guide=one))


def in_cm(ds):
    values = ds["ssh"].astype("f8") * 100
    return ds.assign(ssh=values.assign_attrs(ds["ssh"].attrs, units="cm"))


def test_all_fields_are_brought_to_the_units_of_the_first(fine, data):
    plain = data([fine, fine], withheld=fine)
    same(data([fine, in_cm(fine)], withheld=in_cm(fine)), plain, atol=1e-5)
    assert fitted(in_cm(fine), "resac").config["fields"][0]["units"] == "cm"


def test_all_fields_are_brought_to_the_units_of_the_first_model(fine, data):
    first = fitted(fine, "resac", guided=True)
    given = {"init": first, "guide": "sea_surface_temperature"}
    celsius = fine["sst"].astype("f8")
    kelvin = fine.assign(sst=(celsius + 273.15).assign_attrs(fine["sst"].attrs, units="K"))
    same(data(in_cm(kelvin), **given), data(fine, **given), atol=1e-4)


def test_names_reach_the_guide(fine, data):
    bare = fine.rename(ssh="h", sst="t")
    for name in ("h", "t"):
        bare[name].attrs = {"units": bare[name].attrs["units"]}
    names = {"sea_level_anomaly": "h", "sea_surface_temperature": "t"}
    named = data(fine, guide="sea_surface_temperature")
    same(data(bare, guide="sea_surface_temperature", fields=names), named)
    same(data(bare[["h"]], guide=bare[["t"]], fields=names), named)


def test_one_field_may_be_named_alone(fine, data):
    one, two = (data(fine, fields=f) for f in ("sea_surface_temperature",) * 2)
    same(one, two)
    same(one, data(fine, fields=["sea_surface_temperature"]))
    assert one[0][0].fields.shape[1] == 1


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1), [3, 1, 7, 0, 2, 6, 5, 4]])
def test_no_time_is_trained_on_and_withheld(fine, data, order):
    members = fine[["ssh"]].isel(time=order).expand_dims(member=3)
    train, held = (np.concatenate([each.fields for each in part]) for part in data(members))
    assert len(train) % 3 == len(held) % 3 == 0
    assert len(held)
    assert len(train)
    assert not any(np.array_equal(a, b, equal_nan=True) for a in train for b in held)


def test_members_are_withheld_as_one_is(fine, data):
    _, held = data(fine)
    _, many = data(fine.expand_dims(member=3))
    np.testing.assert_array_equal(np.repeat(held[0].fields, 3, axis=0), many[0].fields)


def test_too_few_times_are_told(fine, data, recwarn):
    data(fine)
    data(fine.isel(time=[0, 1]), withheld=fine)
    assert not [each for each in recwarn if issubclass(each.category, UserWarning)]
    with pytest.warns(UserWarning, match="too few to withhold"):
        train, held = data(fine.isel(time=slice(0, 4)))
    np.testing.assert_array_equal(train[0].fields, held[0].fields)


OTHERS = {
    "data": lambda ds: {"ds": ds.assign(ssh=ds["ssh"] + 1)},
    "withheld": lambda ds: {"withheld": ds.isel(time=[1])},
    "init": lambda ds: {"init": fitted(ds, "liif", steps=1, seed=5)},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_checkpoint_of_another_fit_is_refused(fine, tmp_path, other):
    base = {"ds": fine, "withheld": fine.isel(time=[0]), "init": fitted(fine, "liif", steps=1)}
    base |= {"factor": 3, "steps": 1, "progress": False, "checkpoint": tmp_path / "c.safetensors"}

    def fits(**given):
        given = {**base, **given}
        return fit(given.pop("ds"), "liif", **given).tensors()

    one, again = fits(), fits()
    assert all(np.array_equal(one[name], again[name]) for name in one)
    with pytest.raises(ModelFileError, match="of another run"):
        fits(**other(fine))


# ---- pairs -----------------------------------------------------------------------------------


def test_bicubic_and_residual_are_the_fine_field(fine):
    fields = fine["ssh"].values[:, None]
    batch = paired(fields, fine["sst"].values[:, None], (8, 8))
    base = bicubic(batch.coarse[:, :1], batch.lattice)
    sea = np.isfinite(fields)
    np.testing.assert_allclose((base + batch.residual)[sea], fields[sea], atol=1e-5)
    assert batch.counts.sum() == sea.sum()
    assert batch.guide is not None
    assert batch.guide.shape == (8, 2, 72, 72)
    assert np.isfinite(batch.guide).all()


def test_batches_are_keyed_and_scales_vary(fine):
    pairs = Pairs([Fine(fine["ssh"].values[:, None], None)], (2.0, 9.0), 12, 3, (-1.0,))
    draws = [pairs.draw(generator(0, step)) for step in range(12)]
    again = pairs.draw(generator(0, 3))
    np.testing.assert_array_equal(again.coarse, draws[3].coarse)
    scales = {round(1 / d.lattice.size[0], 2) for d in draws}
    assert len(scales) > 5
    assert all(2 <= s <= 9.1 for s in scales)
    assert any(s % 1 for s in scales)


def test_land_is_filled_from_the_sea_alone(fine):
    fields = fine["ssh"].values[:1, None].copy()
    fields[..., 20:40, 30:50] = np.nan
    batch = paired(fields, None, (12, 12))
    assert np.isfinite(batch.coarse).all()
    assert (batch.coarse[:, 1] == 0).any()
    known = batch.coarse[:, 1:] == 1
    np.testing.assert_allclose(fill(batch.coarse[:, :1], known), batch.coarse[:, :1], atol=1e-6)


# ---- bad input -------------------------------------------------------------------------------


def _land(ds):
    return ds.assign(ssh=ds["ssh"] * np.nan)


def _infinite(name):
    def changed(ds):
        values = ds[name].copy()
        values[0, 3, 4:7] = np.inf
        return ds.assign({name: values})

    return changed


def _salty(units):
    def changed(ds):
        sss = ds["sst"].copy()
        sss.attrs = {"standard_name": "sea_surface_salinity", "units": units}
        return ds.assign(sss=sss)

    return changed


def _two_salty(ds):
    return [_salty("1e-3")(ds), _salty("g kg-1")(ds)]


def _shifted(by):
    return lambda ds: ds[["sst"]].assign_coords(longitude=ds.longitude + by)


def _later(ds):
    return ds[["sst"]].assign_coords(time=ds.time + np.timedelta64(1, "D"))


def _nowhere(ds):
    """Dimensions y, x, and nothing that tells where they are."""
    bare = ds[["sst"]].drop_vars(["latitude", "longitude"], errors="ignore")
    return bare.rename_dims(latitude="y", longitude="x")


SST = "sea_surface_temperature"
BAD = [
    ({"kind": "none"}, ValueError, "known: 'resac'"),
    ({"kind": "jiif"}, TypeError, "needs guide="),
    ({"kind": "liif", "guide": SST}, TypeError, "does not take guide"),
    ({"factor": 0.5}, ValueError, "above 1"),
    ({"factor": 50}, ValueError, "fewer than four"),
    ({"factor": (2, 3, 4)}, TypeError, "one number is needed, or a range"),
    ({"factor": {"lat": 2}}, TypeError, "lat.*one number is needed"),
    ({"factor": "3"}, TypeError, "'3': one number is needed"),
    ({"steps": 0}, ValueError, "steps=0: a whole number of at least 1"),
    ({"steps": 2.5}, ValueError, "steps=2.5: a whole number"),
    ({"ds": lambda ds: ds[["sst"]].rename(sst="x").drop_attrs()}, FieldNotFound, "sea_level"),
    ({"ds": _land}, ValuesError, "all land"),
    ({"ds": lambda ds: []}, ValueError, "hires is empty"),
    ({"ds": lambda ds: ds["ssh"]}, TypeError, "not DataArray; use .to_dataset"),
    ({"ds": lambda ds: [ds, ds["ssh"]]}, TypeError, "hires holds a DataArray"),
    ({"ds": lambda ds: "file.nc"}, TypeError, "hires is a Dataset or several, not str"),
    ({"withheld": lambda ds: ds["ssh"]}, TypeError, "withheld is a Dataset or several"),
    ({"ds": _infinite("ssh")}, ValuesError, "ssh: 3 values are infinite"),
    ({"withheld": _infinite("ssh")}, ValuesError, "3 values are infinite. Mask"),
    ({"fields": []}, TypeError, "fields= names nothing"),
    ({"fields": [3]}, TypeError, "fields= names 3"),
    ({"fields": 3}, TypeError, "fields= is a mapping, or keys, not int"),
    ({"fields": ["sla_anomaly"]}, FieldNotFound, "'sla_anomaly' is neither"),
    ({"kind": "glio", "guide": lambda ds: ds["sst"]}, TypeError, "guide= is a Dataset.*to_data"),
    ({"kind": "glio", "guide": 3}, TypeError, "guide= is a Dataset, or names of fields, not int"),
    ({"kind": "glio", "guide": []}, TypeError, "guide= names nothing"),
    ({"kind": "glio", "guide": SST, "ds": _infinite("sst")}, ValuesError, "sst: 3 values"),
    (
        {"kind": "glio", "guide": lambda ds: ds[["sst"]] * np.nan, "fields": {SST: "sst"}},
        ValuesError,
        "sst: every value is missing",
    ),
    (
        {"kind": "glio", "guide": lambda ds: ds[["sst"]].isel(time=slice(0, 3))},
        GridError,
        "no value at 2000-01-16",
    ),
    ({"kind": "glio", "guide": _later}, GridError, "no value at 2000-01-01"),
    ({"kind": "glio", "guide": _shifted(100)}, GridError, "its longitude .* is not that of ssh"),
    ({"kind": "glio", "guide": _shifted(0.03)}, GridError, "must share the grid"),
    (
        {"kind": "glio", "guide": lambda ds: ds[["sst"]].isel(latitude=slice(0, None, 2))},
        GridError,
        r"its latitude \(36 from",
    ),
    (
        {"kind": "glio", "guide": lambda ds: ds[["sst"]].expand_dims(depth=[0.0, 5.0])},
        GridError,
        "dimensions that ssh lacks: depth",
    ),
    ({"kind": "glio", "guide": _nowhere}, GridError, "latitude"),
    (
        {"kind": "glio", "ds": _two_salty, "guide": "sea_surface_salinity"},
        UnitsError,
        "g kg-1",
    ),
    ({"init": "bicubic"}, TypeError, "no model of kind"),
    (
        {"kind": "resac", "guide": SST, "init": lambda ds: fitted(ds, "resac")},
        TypeError,
        "not guided: leave out guide=",
    ),
    (
        {"kind": "resac", "init": lambda ds: fitted(ds, "resac", True)},
        TypeError,
        "guided by sea_surface_temperature: give guide=",
    ),
    (
        {
            "kind": "resac",
            "init": lambda ds: fitted(ds, "resac", True),
            "guide": "sea_surface_salinity",
        },
        TypeError,
        "not by sea_surface_salinity",
    ),
    (
        {"init": lambda ds: fitted(ds, "liif"), "fields": SST},
        TypeError,
        "makes sea_level_anomaly finer, not sea_surface_temperature",
    ),
    (
        {"init": lambda ds: fitted(ds, "liif"), "sizes": SMALL["liif"]},
        TypeError,
        "sizes= are those of init=",
    ),
]


@pytest.mark.parametrize(("case", "error", "words"), BAD, ids=[words for *_, words in BAD])
def test_bad_input(fine, case, error, words):
    case = {name: each(fine) if callable(each) else each for name, each in case.items()}
    ds, kind = case.pop("ds", fine), case.pop("kind", "liif")
    with pytest.raises(error, match=words):
        fit(ds, kind, **{"factor": 3, "steps": 1, "progress": False, **case})
