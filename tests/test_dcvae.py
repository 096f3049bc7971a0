"""The convolutional model: linear where its network is silent, least where it is not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import xarray as xr
from climates import globe

import xocean_ml as xo
from xocean_ml import persist
from xocean_ml.assimilation.analysis import Given, Seen
from xocean_ml.assimilation.dcvae import Dcvae
from xocean_ml.assimilation.eof import Eof
from xocean_ml.assimilation.rows import own
from xocean_ml.assimilation.tables import Tables
from xocean_ml.networks.vae import Decoder, Encoder

LATENT = 5


@cache
def fitted() -> Dcvae:
    ds = globe()
    train, other = ds.isel(time=slice(0, 192)), ds.isel(time=slice(192, 240))
    options = {"latent": LATENT, "rank": 40, "steps": 4, "withheld": other, "progress": False}
    return train.assimilate.fit("dcvae", **options)


@cache
def curved() -> Dcvae:
    """The same with a decoder that bends: random last weights."""
    model = fitted()
    random = np.random.default_rng(0)
    weights = dict(model.weights)
    name = "last.conv.weight"
    weights[name] = random.normal(0, 0.5, weights[name].shape).astype(np.float32)
    return replace(model, weights=weights)


def silent() -> Dcvae:
    """The same with a decoder that adds nothing, and a standard normal prior."""
    model = fitted()
    none = {n: np.zeros_like(w) for n, w in model.weights.items() if n.startswith("last.")}
    prior = np.concatenate([np.zeros((1, LATENT)), np.eye(LATENT)])
    return replace(model, weights={**model.weights, **none}, prior=prior)


def seen(share: float = 0.2, months: int = 3) -> xr.Dataset:
    ds = globe().isel(time=slice(0, months))
    random = np.random.default_rng(1)
    return ds.where(random.random(ds.psl.shape) < share)


ERROR = {"sea_surface_temperature": 0.3, "air_pressure_at_mean_sea_level": 1.0}


def given(model: Dcvae, month: int = 0, field: int = 1) -> Given:
    state = model.state
    values = state.pack(np.stack([globe()[n].values[month] for n in ("sst", "psl", "pr")]))
    rows = own(state, field)
    random = np.random.default_rng(2)
    keep = random.random(len(rows)) < 0.3
    part = values[state.parts[field]][keep]
    error = np.full(int(keep.sum()), 1.0)
    return Given.of(rows.some(keep), part[None], error, model.tables.at(float(month)), model.tables)


# ---- the networks ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "wraps", "channels", "halved"),
    [((12, 24), True, (8, 6), 0), ((9, 11), False, (8, 6, 4), 0), ((13, 26), True, (6, 4), 1)],
)
def test_tangents_are_those_of_autograd(shape, wraps, channels, halved):
    decoder = Decoder(4, 2, 3, shape, wraps, channels, hidden=16, halved=halved)
    torch.nn.init.normal_(decoder.last.conv.weight)
    z, phase = torch.randn(6, generator=torch.Generator().manual_seed(0)).split([4, 2])
    with torch.no_grad():
        fields, tangents = decoder.linearized(z, phase)

    def decoded(z):
        return decoder(z[None], phase[None])[0]

    jacobian = torch.autograd.functional.jacobian(decoded, z)
    assert fields.shape == (3, *shape)
    torch.testing.assert_close(fields, decoded(z).detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(tangents, jacobian.movedim(-1, 0), rtol=1e-4, atol=1e-6)


def test_before_training_networks_add_nothing():
    decoder, encoder = Decoder(4, 2, 2, (9, 12), True), Encoder(4, 2, (9, 12), True)
    with torch.no_grad():
        assert not decoder(torch.randn(3, 4), torch.ones(3, 2)).any()
        assert not encoder(torch.randn(3, 2, 9, 12), torch.ones(3, 2, 9, 12))[0].any()


def test_the_encoder_knows_no_seam():
    """Fields that are turned round the globe by a coarsest cell give features turned likewise."""
    encoder = Encoder(4, 1, (8, 16), True, channels=(4, 4))
    x = torch.randn(1, 2, 8, 16)
    with torch.no_grad():
        for conv in encoder.convs:
            turned, x = conv(x.roll(4, dims=-1)), conv(x)
            torch.testing.assert_close(turned, x.roll(2, dims=-1))


# ---- the analysis ----------------------------------------------------------------------------


@pytest.mark.parametrize("residual", [True, False])
def test_with_a_silent_network_it_is_the_linear_model(residual):
    model = silent()
    linear = Eof(model.state, model.tables, model.patterns, model.rest, model.config)
    one = seen().assimilate(model, error=ERROR, residual=residual)
    other = seen().assimilate(linear, error=ERROR, residual=residual)
    for name in ("sst", "psl", "pr", "psl_spread", "latent", "chi_square"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6, atol=1e-6, equal_nan=True)


def test_the_gradient_is_that_of_finite_differences():
    model = curved()
    known = given(model)
    random = np.random.default_rng(3)
    z, weights = random.standard_normal(LATENT), random.standard_normal(len(known.rows))

    def product(z):
        return weights @ known.rows.of(known.now.scale * model._added(z[None], known.now)[0])

    steps = 1e-2 * np.eye(LATENT)
    expected = [(product(z + step) - product(z - step)) / 2e-2 for step in steps]
    np.testing.assert_allclose(model._pull(known)(z, weights), expected, rtol=2e-2, atol=1e-2)


@pytest.mark.parametrize("month", [0, 5, 30])
def test_newton_goes_as_low_as_adam(month):
    model = curved()
    known = given(model, month)
    background = Seen.of(model.known, known)
    newton, *_ = model.solve(known, background, "newton", 0)
    adam, *_ = model.solve(known, background, "adam", 600)
    assert newton.cost <= 1.01 * adam.cost
    assert newton.iterations < 15


def test_the_bent_decoder_matters():
    """Else the tests above would say nothing of it."""
    model = curved()
    known = given(model)
    straight, *_ = silent().solve(known, Seen.of(silent().known, known), "newton", 0)
    bent, *_ = model.solve(known, Seen.of(model.known, known), "newton", 0)
    assert bent.iterations > 1
    assert not np.allclose(bent.coefficients, straight.coefficients, atol=1e-2)


def test_a_file_gives_the_same_answers(tmp_path):
    model = curved()
    model.save(tmp_path / "mine.safetensors")
    one = seen().assimilate(model, error=ERROR)
    other = seen().chunk(time=1).assimilate(tmp_path / "mine.safetensors", error=ERROR).compute()
    np.testing.assert_allclose(one.psl, other.psl, rtol=1e-6)
    assert isinstance(xo.load(tmp_path / "mine.safetensors"), Dcvae)


def test_members_lie_about_the_analysis_as_wide_as_it_says():
    model = curved()
    full = seen(months=1).assimilate(model, error=ERROR)
    drawn = seen(months=1).assimilate(model, error=ERROR, members=60)
    wide = float((drawn.psl.std("realization") / full.psl_spread).mean())
    assert wide == pytest.approx(1, abs=0.15)


def test_what_is_encoded_is_decoded():
    model = curved()
    latent = np.random.default_rng(4).standard_normal((2, LATENT))
    time = globe().time[:2]
    codes = xr.Dataset({"latent": (("time", "latent_number"), latent)}, {"time": time})
    fields = codes.assimilate.decode(model)
    back = fields.assimilate.encode(model, error={"sea_surface_temperature": 1e-3})
    assert float(np.abs(back.latent - codes.latent).max()) < 0.4
    assert model.sample(2, seed=1).psl.notnull().all()


def test_the_same_seed_trains_the_same_model():
    fitted.cache_clear()
    again, model = fitted(), fitted.__wrapped__()
    for name, each in again.weights.items():
        np.testing.assert_array_equal(each, model.weights[name])
    assert model.config["told"] == "fitted to 192 times"


def test_a_network_that_adds_nothing_is_left_out():
    """Three steps teach nothing: what is given is the linear model of all times."""
    with pytest.warns(UserWarning, match="left out"):
        model = globe().assimilate.fit("dcvae", latent=LATENT, rank=40, steps=3, progress=False)
    linear = globe().assimilate.fit("eof", latent=LATENT, rank=40)
    assert type(model) is Eof
    np.testing.assert_array_equal(model.patterns, linear.patterns)


def test_rain_has_no_part_in_the_latent():
    """Where other fields are there: encodings are the same whatever the rain."""
    from xocean_ml.assimilation.fit_dcvae import Vae, sizes_of

    state = fitted().state
    weight = np.where(np.arange(state.size) < state.parts[2].start, 1.0, 0.0)
    patterns = np.random.default_rng(0).standard_normal((LATENT, state.size))
    network = Vae(state, patterns, weight, sizes_of(state.shape))
    x = torch.randn(2, state.size, generator=torch.Generator().manual_seed(0))
    other = x.clone()
    other[:, state.parts[2]] = 7.0
    with torch.no_grad():
        for one, two in zip(network.encode(x), network.encode(other), strict=True):
            torch.testing.assert_close(one, two)
        assert not torch.equal(network.encode(x)[0], network.encode(x + 1)[0])


def test_the_decoder_knows_the_season():
    """The same latent in two months differs; without a season it does not."""
    model, z = curved(), np.ones((1, LATENT))
    winter, summer = (model.decode(z, model.tables.at(month)) for month in (0.0, 6.0))
    assert not np.allclose(winter, summer)
    plain = Tables(model.tables.mean[:1], model.tables.scale[:1], model.tables.power)
    one, other = (plain.at(month).phase for month in (0.0, 6.0))
    np.testing.assert_array_equal(one, other)


def steep() -> Dcvae:
    """A decoder that bends within what few observations leave open."""
    model = curved()
    more = {name: 8 * model.weights[name] for name in ("widen.weight", "spread.weight")}
    return replace(model, weights={**model.weights, **more})


def test_what_is_expected_is_the_mean_of_all_that_is_possible():
    """Not the likeliest state; and as sure as all that is possible is narrow, not its tangents."""
    model, known = steep(), given(steep())
    few = replace(
        known, rows=known.rows.some(np.arange(4)), values=known.values[:, :4], error=known.error[:4]
    )
    made = model.analyse(few, residual=False)
    random = np.random.default_rng(0)
    patterns = model.known.patterns
    drawn = made.posterior.draw(random.standard_normal((len(patterns), 4000)))
    u = (made.coefficients + drawn).T
    states = u @ patterns + model._added(u[:, :LATENT], few.now)
    mode = made.coefficients[:, 0]
    likeliest = mode @ patterns + model._added(mode[None, :LATENT], few.now)[0]

    def away(anomaly):
        return float(np.sqrt(((anomaly - states.mean(axis=0)) ** 2).mean()))

    assert away(likeliest) > 0.1  # else this would say nothing
    assert away(made.anomaly[0]) < 0.5 * away(likeliest)
    told = made.variance - model.known.rest**2
    ratio = told.sum() / states.var(axis=0).sum()
    assert ratio == pytest.approx(1, abs=0.25)
    members = model.members(
        few, made, [[np.random.default_rng(k) for k in range(200)]], residual=False
    )[0]
    assert away(members.mean(axis=0)) < 0.5 * away(likeliest)


def test_it_says_what_it_is_in_a_line():
    assert repr(fitted()).startswith("DCVAE(5 numbers for sea_surface_temperature")
    assert "fitted to 192 times" in fitted()._repr_html_()


def test_the_packaged_model_fits_its_network():
    """And is small enough for a package."""
    model = xo.load("dcvae")
    assert isinstance(model, Dcvae)
    assert model.decoder is not None
    assert (persist.WEIGHTS / "dcvae.safetensors").stat().st_size < 8e6


def test_the_packaged_model_says_that_its_planet_is_simulated():
    with pytest.warns(UserWarning, match="simulated planet"):
        seen(months=1)[["sst"]].assimilate()
