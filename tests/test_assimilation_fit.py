"""The linear model as it is learnt: patterns, what is left, its file, its own draws."""

from __future__ import annotations

import climates
import numpy as np
import pytest
import xarray as xr
from climates import NAMES, NOISE, SST

from xocean_ml import load, persist
from xocean_ml.assimilation.fit import fit
from xocean_ml.assimilation.fit_eof import ENDS, correlation_length
from xocean_ml.kernels.nearby import EARTH_RADIUS_KM, places

# ---- what is learnt --------------------------------------------------------------------------


def _truth(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of a field's normalised anomalies, and what of it no index moves."""
    waves = climates.waves(*climates.GLOBE, climates.INDICES, NAMES.index(name))
    flat = np.sqrt(1 - NOISE**2) * waves.reshape(len(waves), -1) / np.sqrt(climates.INDICES)
    signal = flat.T @ flat
    return signal, NOISE**2 / (np.diag(signal) + NOISE**2)


@pytest.fixture(scope="module")
def long() -> xr.Dataset:
    return climates.climate(count=960, seed=5)


@pytest.fixture(scope="module")
def learnt(long):
    return fit(long, "eof", latent=climates.INDICES, rank=climates.INDICES)


def test_patterns_hold_the_covariance_of_the_indices(learnt):
    for k, name in enumerate(NAMES):
        signal, _ = _truth(name)
        whole = np.sqrt(np.diag(signal) + NOISE**2)
        here = learnt.state.known[k].ravel()
        expected = (signal / whole[:, None] / whole)[np.ix_(here, here)]
        patterns = learnt.patterns[:, learnt.state.parts[k]].astype(float)
        found = patterns.T @ patterns
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98
        assert np.diag(found).mean() == pytest.approx(np.diag(expected).mean(), rel=0.1)


def test_what_is_left_is_the_noise(learnt):
    for k, name in enumerate(NAMES):
        _, noise = _truth(name)
        left = learnt.rest[learnt.state.parts[k]].astype(float) ** 2
        expected = noise[learnt.state.known[k].ravel()]
        assert left.mean() == pytest.approx(expected.mean(), rel=0.1)
        assert np.corrcoef(left, expected)[0, 1] > 0.8


def test_the_whole_varies_as_much_as_it_does(learnt):
    """Patterns and what is left add up to one, that by which anomalies are normalised."""
    variance = (learnt.patterns.astype(float) ** 2).sum(axis=0) + learnt.rest.astype(float) ** 2
    for part in learnt.state.parts:
        assert variance[part].mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("rank", [20, 500])
@pytest.mark.parametrize("count", [60, 240])
def test_patterns_of_a_short_record_are_not_believed(count, rank):
    """Months that are withheld are not known from the climatology, which is of the others then.

    Values vary about a climatology of few years more than about that of their own.
    """
    model = fit(climates.climate(count=count, seed=6), "eof", latent=15, rank=rank)
    left = (model.rest.astype(float) ** 2).mean()
    assert left > 0.9 * NOISE**2
    years = count / 12
    others = years * (1 - ENDS)
    expected = (1 + 1 / others) / (1 - 1 / years)
    whole = (model.patterns.astype(float) ** 2).sum(axis=0).mean() + left
    assert whole == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("length", [150.0, 300.0, 700.0])
def test_the_correlation_length_is_found(length):
    lat, lon = np.meshgrid(np.arange(-20, 20, 1.5), np.arange(0, 40, 1.5), indexing="ij")
    points = places(lat.ravel(), lon.ravel())
    apart = EARTH_RADIUS_KM * np.linalg.norm(points[:, None] - points, axis=-1)
    covariance = np.exp(-(apart**2) / (2 * length**2)) + 1e-6 * np.eye(len(points))
    half = np.linalg.cholesky(covariance)
    values = np.random.default_rng(0).standard_normal((200, len(points))) @ half.T
    values[:, 7] = np.nan
    assert correlation_length(points, values, 0) == pytest.approx(length, rel=0.1)


# ---- what it is made of ----------------------------------------------------------------------


def test_the_model_tells_what_it_is():
    model = climates.model()
    assert repr(model) == (
        "EOF(8 numbers for sea_surface_temperature, air_pressure_at_mean_sea_level, precipitation)"
    )
    assert "12 by 24 cells" in model._repr_html_()
    assert model.latent == 8
    assert [each["power"] for each in model.config["fields"]] == [1, 1, 3]
    known = np.isfinite(climates.globe().sst[0].values)
    np.testing.assert_array_equal(model.state.known[0], known)
    assert model.state.known[1:].all()
    assert model.state.wraps
    assert not climates.model("region").state.wraps
    np.testing.assert_allclose(model.state.area[model.state.parts[0]].sum(), 1)


def test_fields_may_be_named():
    ds = climates.globe()
    bare = ds.map(lambda each: each.drop_attrs().assign_attrs(units=each.units), keep_attrs=True)
    named = fit(
        bare.rename(sst="one", psl="two"),
        fields={"sea_surface_temperature": "one", "air_pressure_at_mean_sea_level": "two"},
        latent=3,
    )
    plain = fit(ds, fields=["sea_surface_temperature", "air_pressure_at_sea_level"], latent=3)
    np.testing.assert_array_equal(named.patterns, plain.patterns)
    assert [each["name"] for each in named.config["fields"]] == ["one", "two"]


def test_order_and_orientation_do_not_matter():
    ds = climates.globe()
    turned = ds.isel(lat=slice(None, None, -1)).transpose("lon", "time", "lat")
    one, other = climates.model(), fit(turned, latent=8, rank=20)
    np.testing.assert_array_equal(one.state.latitude, other.state.latitude)
    np.testing.assert_allclose(one.patterns, other.patterns, atol=1e-5)


def test_members_are_further_samples():
    """Of one time all are withheld together."""
    ds = climates.climate(count=120)
    other = climates.climate(count=120, seed=9)
    both = xr.concat([ds, other], "realization")
    model = fit(both, latent=6, rank=20)
    alone = fit(ds, latent=6, rank=20)
    assert model.config["told"] == alone.config["told"] == "fitted to 120 times"
    assert not np.allclose(model.patterns, alone.patterns)


def test_anomalies_may_be_learnt_from():
    """Rain of them is not positive, and so not rooted."""
    ds = climates.globe()
    months = ds.groupby("time.month")
    away = months - months.mean()
    for name in NAMES:
        away[name].attrs = {**ds[name].attrs, "long_name": f"{name} anomaly"}
    model = fit(away, latent=6, rank=20)
    assert [each["role"] for each in model.config["fields"]] == ["difference"] * 3
    assert [each["power"] for each in model.config["fields"]] == [1, 1, 1]
    out = away[["sst"]].isel(time=slice(3)).assimilate(model, error=0.2)
    assert float(np.abs(out.sst - away.sst[:3]).max()) < 1


def test_rain_a_little_below_zero_is_still_rain():
    """Packing and regridding leave such."""
    ds = climates.globe()
    pr = xr.where(ds.pr < ds.pr.quantile(0.02), -1e-9, ds.pr).assign_attrs(ds.pr.attrs)
    assert fit(pr.to_dataset(name="pr"), latent=3).config["fields"][0]["power"] == 3


def test_a_daily_climatology_is_linear_between_months():
    time = xr.date_range("2001-01-01", periods=800)
    season = np.cos(2 * np.pi * np.arange(800) / 365.25)[:, None, None]
    noise = np.random.default_rng(0).standard_normal((800, 4, 8))
    sst = (15 + 10 * season + 0.3 * noise).astype("f8")
    axes = climates.axes(climates.steps(-40, 40, 20), climates.steps(0, 360, 45))
    ds = xr.Dataset({"sst": (("time", "lat", "lon"), sst, SST)}, {"time": time, **axes})
    smooth, stepped = (fit(ds, latent=3, climatology=each) for each in ("day", "month"))
    none = fit(ds, latent=3, climatology=None)
    assert none.tables.mean.shape[0] == 1
    scales = [each.tables.scale.mean() for each in (smooth, stepped, none)]
    assert scales[0] <= scales[1] * 1.001
    assert scales[1] < scales[2]
    # at the turn of a month the mean of a month is a step
    now, then = (
        each.isel(time=slice(85, 95)).assimilate(m, anomalies=True).sst.mean(("lat", "lon"))
        for m, each in ((smooth, ds), (stepped, ds))
    )
    assert float(np.abs(now).max()) < float(np.abs(then).max())


@pytest.mark.parametrize("count", [3, 4, 5, 7])
def test_very_few_times_are_enough_for_one_number(count):
    model = fit(climates.globe().isel(time=slice(count)), latent=1, climatology=None)
    assert np.isfinite(model.patterns).all()
    assert np.isfinite(model.rest).all()


def test_fields_of_one_pattern_have_one():
    """Whatever is asked for: others are rounding, and stay as small."""
    ds = climates.globe()
    index = ds.psl.isel(lat=0, lon=0, drop=True)
    flat = (index * xr.ones_like(ds.psl[0]).drop_vars("time")).transpose(*ds.psl.dims)
    ds = flat.assign_attrs(climates.PSL).to_dataset(name="psl")
    model = fit(ds, latent=60)
    variance = (model.patterns.astype(float) ** 2).sum(axis=1)
    assert variance[0] > 1e3 * variance[1:].sum()
    seen = ds.isel(time=slice(3)).where((ds.lat < 0) & (ds.lon < 60))
    assert float(np.abs(seen.assimilate(model).psl - ds.psl[:3]).max()) < 0.05


# ---- files -----------------------------------------------------------------------------------


def test_saved_and_loaded_it_is_the_same(tmp_path):
    model = climates.model()
    model.save(tmp_path / "mine.safetensors")
    again = load(tmp_path / "mine.safetensors")
    assert again.spec == model.spec
    assert persist.digest(again) == persist.digest(model)
    seen = climates.gappy(climates.globe().isel(time=slice(4)))
    one, other = (seen.assimilate(each, members=2) for each in (model, again))
    path = seen.assimilate(tmp_path / "mine.safetensors", members=2)
    for name in one.data_vars:
        np.testing.assert_array_equal(one[name], other[name])
        np.testing.assert_array_equal(one[name], path[name])
    xr.testing.assert_equal(model.sample(3), again.sample(3))


def test_a_model_travels():
    """As one node of a graph."""
    model = climates.model()
    again = persist.revive(persist.parcel(model))
    np.testing.assert_array_equal(again.known.patterns, model.known.patterns)


# ---- its own draws ---------------------------------------------------------------------------


def test_draws_are_keyed_by_number():
    model = climates.model()
    few, more = model.sample(3, seed=4), model.sample(6, seed=4)
    xr.testing.assert_identical(few.drop_attrs(), more.isel(sample=slice(3)).drop_attrs())
    assert not few.drop_vars("month").equals(model.sample(3, seed=5).drop_vars("month"))
    assert set(few.month.values) <= set(range(1, 13))
    assert (model.sample(2, month=7).month == 7).all()
    for name in NAMES:
        assert few[name].attrs["units"] == climates.globe()[name].attrs["units"]
        assert few[name].dims == ("sample", "lat", "lon")


def test_draws_are_of_the_prior():
    model = climates.model()
    drawn = model.sample(300, month=1)
    for k, name in enumerate(NAMES):
        part = model.state.parts[k]
        patterns = model.patterns[:, part].astype(float)
        variance = (patterns**2).sum(0) + model.rest[part].astype(float) ** 2
        now = model.tables.at(0)
        field = drawn[name].values[:, model.state.known[k]]
        if model.config["fields"][k]["power"] == 3:
            field = np.cbrt(field)
        away = (field - now.mean[part]) / now.scale[part]
        np.testing.assert_allclose(away.mean(axis=0).mean(), 0, atol=0.1)
        np.testing.assert_allclose(away.var(axis=0).mean(), variance.mean(), rtol=0.1)
        held = patterns.T @ patterns
        found = np.cov(away.T)
        off = ~np.eye(len(held), dtype=bool)
        assert np.corrcoef(found[off], held[off])[0, 1] > 0.9


@pytest.mark.parametrize("n", [0, -1, 2.5, "three"])
def test_a_number_of_draws_is_whole(n):
    with pytest.raises(ValueError, match="at least 1"):
        climates.model().sample(n)


@pytest.mark.parametrize("month", [0, 13])
def test_months_are_counted_from_one(month):
    with pytest.raises(ValueError, match="1 to 12"):
        climates.model().sample(1, month=month)
