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
from xocean_ml.errors import FieldNotFound, GridError, ValuesError
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


def _no_time_match(ds):
    return ds[["sst"]].isel(time=slice(0, 3))


BAD = [
    ({"kind": "none"}, ValueError, "known: 'resac'"),
    ({"kind": "jiif"}, TypeError, "needs guide="),
    ({"kind": "liif", "guide": "sea_surface_temperature"}, TypeError, "does not take guide"),
    ({"factor": 0.5}, ValueError, "above 1"),
    ({"factor": 50}, ValueError, "fewer than four"),
    ({"ds": lambda ds: ds[["sst"]].rename(sst="x").drop_attrs()}, FieldNotFound, "sea_level"),
    ({"ds": _land}, ValuesError, "all land"),
    ({"kind": "glio", "guide": _no_time_match}, GridError, "share times and grid"),
    ({"init": "bicubic"}, TypeError, "no model of kind"),
]


@pytest.mark.parametrize(("case", "error", "words"), BAD, ids=[words for *_, words in BAD])
def test_bad_input(fine, case, error, words):
    case = dict(case)
    ds = case.pop("ds", lambda ds: ds)(fine)
    if callable(case.get("guide")):
        case["guide"] = case["guide"](fine)
    kind = case.pop("kind", "liif")
    with pytest.raises(error, match=words):
        fit(ds, kind, **{"factor": 3, "steps": 1, "progress": False, **case})
