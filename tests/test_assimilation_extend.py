"""Further fields join a model whose latent stays as it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import numpy as np
import pytest
import xarray as xr
from climates import globe

import xocean_ml as xo
from xocean_ml.assimilation.dcvae import Dcvae
from xocean_ml.assimilation.eof import Eof

ERROR = {"sea_surface_temperature": 0.1}
TRAIN, TEST = slice(0, 180), slice(180, 240)


@cache
def plain(kind: str = "eof") -> Eof:
    ds = globe().isel(time=TRAIN)[["sst", "pr"]]
    more = {} if kind == "eof" else {"steps": 2, "withheld": globe().isel(time=TEST)}
    return ds.assimilate.fit(kind, latent=6, rank=40, **more)


@cache
def wider(kind: str = "eof") -> Eof:
    return globe().isel(time=TRAIN).assimilate.fit(extend=plain(kind))


@pytest.mark.parametrize("kind", ["eof", "dcvae"])
def test_the_new_field_is_recovered_from_the_old(kind):
    test = globe().isel(time=TEST)
    full = test[["sst"]].assimilate(wider(kind), error=ERROR)
    usual = test.where(False)[["sst"]].assimilate(wider(kind))
    scores = [float(((each.psl - test.psl) ** 2).mean()) for each in (full, usual)]
    assert scores[0] < 0.6 * scores[1]
    ratio = np.sqrt(float((full.psl_spread**2).mean()) / scores[0])
    assert 0.8 < ratio < 1.25
    assert full.psl.attrs["units"] == "hPa"


@pytest.mark.parametrize("kind", ["eof", "dcvae"])
def test_the_old_ones_stay_as_they_are(kind):
    test = globe().isel(time=slice(180, 183))[["sst"]]
    one, other = (test.assimilate(m, error=ERROR) for m in (plain(kind), wider(kind)))
    for name in ("sst", "pr", "sst_spread", "latent"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=1e-6)


def test_threads_share_a_fresh_model():
    """Blocks of a dask graph begin with one model at the same moment."""
    made = plain("dcvae")
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            fresh = Dcvae.build(made.spec, made.tensors())
            start = Barrier(8)

            def precision(_, fresh=fresh, start=start):
                start.wait()
                return fresh.known.precision

            assert all(each is not None for each in pool.map(precision, range(8)))


def test_the_new_field_may_be_observed():
    """And then tells of the old ones."""
    test = globe().isel(time=TEST)
    error = {"air_pressure_at_mean_sea_level": 0.5}
    full = test[["psl"]].assimilate(wider(), error=error)
    usual = test.where(False)[["psl"]].assimilate(wider())
    scores = [float(((each.sst - test.sst) ** 2).mean()) for each in (full, usual)]
    assert scores[0] < 0.6 * scores[1]
    assert float(abs(full.psl - test.psl).max()) < 8


def test_latents_may_be_given():
    ds = globe().isel(time=TRAIN)
    latent = ds[["sst", "pr"]].assimilate.encode(plain())["latent"]
    model = ds[["psl"]].assign(latent=latent).assimilate.fit(extend=plain())
    np.testing.assert_allclose(model.patterns, wider().patterns, atol=1e-5)


def test_a_file_gives_the_same_answers(tmp_path):
    model = wider("dcvae")
    assert isinstance(model, Dcvae)
    model.save(tmp_path / "wide.safetensors")
    test = globe().isel(time=slice(180, 182))[["sst"]]
    one = test.assimilate(model, error=ERROR)
    other = test.assimilate(tmp_path / "wide.safetensors", error=ERROR)
    np.testing.assert_allclose(one.psl, other.psl, rtol=1e-6)
    assert len(xo.load(tmp_path / "wide.safetensors").config["fields"]) == 3


def new(**change) -> xr.Dataset:
    return globe().isel(time=TRAIN)[["psl", "sst"]].isel(**change)


@pytest.mark.parametrize(
    ("ds", "fields", "error", "says"),
    [
        (lambda: new()[["sst"]], None, xo.FieldNotFound, "air_pressure"),
        (new, ["sea_surface_temperature"], xo.GridError, "already"),
        (lambda: new(lat=slice(1, None)), None, xo.GridError, "grid"),
        (lambda: new()[["psl"]], None, xo.FieldNotFound, "sea_surface_temperature"),
        (
            lambda: new()[["psl"]].assign(latent=(("time", "latent_number"), np.ones((180, 2)))),
            None,
            xo.GridError,
            "latent_number",
        ),
    ],
)
def test_bad_input_is_told(ds, fields, error, says):
    with pytest.raises(error, match=says):
        ds().assimilate.fit(extend=plain(), fields=fields)
