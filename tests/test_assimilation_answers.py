"""What `.assimilate` gives beside the analysis: members, latents, responses, plans; real files."""

from __future__ import annotations

from pathlib import Path

import climates
import numpy as np
import pytest
import xarray as xr
from climates import KEYS, NAMES, at_points, gappy, globe, model, two_years

import xocean_ml
from xocean_ml.assimilation.fit import fit

TEMPERATURE, PRESSURE, RAIN = KEYS


# ---- members ---------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[True, False], ids=["residual", "open"])
def drawn(request):
    seen = gappy(two_years()[["sst", "pr"]].isel(time=[0, 5]), 0.7)
    errors = {TEMPERATURE: 0.3, RAIN: 3e-6}
    given = {"error": errors, "residual": request.param}
    return seen.assimilate(model(), members=200, **given), seen.assimilate(model(), **given)


@pytest.mark.parametrize("name", NAMES[:2])
def test_members_agree_with_analysis_and_spread(drawn, name):
    out, plain = drawn
    assert out[name].dims == ("realization", "time", "lat", "lon")
    away = (out[name].mean("realization") - plain[name]) / plain[f"{name}_spread"]
    assert float(np.abs(away).max()) < 5 / np.sqrt(200)
    ratio = out[name].std("realization") / plain[f"{name}_spread"]
    assert abs(float(ratio.mean()) - 1) < 0.03
    assert float(ratio.min()) > 0.75
    assert float(ratio.max()) < 1.25
    np.testing.assert_array_equal(out[f"{name}_spread"], plain[f"{name}_spread"])


def test_members_of_rain_too(drawn):
    """Nearly: they are not below zero."""
    out, plain = drawn
    away = (out.pr.mean("realization") - plain.pr) / plain.pr_spread
    assert abs(float(away.mean())) < 0.03
    ratio = float(out.pr.std("realization").mean() / plain.pr_spread.mean())
    assert abs(ratio - 1) < 0.05


def test_members_vary_together_as_the_patterns_say(drawn):
    """Pressure is not observed: its members have the covariance of its posterior."""
    out, _ = drawn
    m = model()
    part = m.state.parts[1]
    scale = m.tables.at(0).scale[part]
    away = out.psl[:, 0] - out.psl[:, 0].mean("realization")
    found = np.cov((away.values.reshape(200, -1) / scale).T)
    patterns = m.patterns[:, part].astype(float)
    off = ~np.eye(len(found), dtype=bool)
    assert np.linalg.norm(found[off]) < np.linalg.norm((patterns.T @ patterns)[off])


def test_members_are_numbered(drawn):
    out, _ = drawn
    np.testing.assert_array_equal(out.realization, np.arange(200))
    assert out.realization.attrs["standard_name"] == "realization"


def test_members_of_the_prior_spread_as_the_prior():
    ds = two_years()[["psl"]].isel(time=[0])
    out = ds.where(False).assimilate(model(), members=200)
    ratio = out.psl.std("realization") / out.psl_spread
    assert abs(float(ratio.mean()) - 1) < 0.04


def test_fewer_members_are_the_first_of_more():
    seen = gappy(two_years()[["sst"]].isel(time=slice(3)))
    few, more = (seen.assimilate(model(), members=n, seed=3) for n in (2, 5))
    np.testing.assert_array_equal(few.sst, more.sst.isel(realization=slice(2)))
    other = seen.assimilate(model(), members=2, seed=4)
    assert not np.allclose(few.psl, other.psl)


# ---- encode, decode --------------------------------------------------------------------------


def test_decoded_and_encoded_it_is_the_same():
    """Fields of the latent's span: what is found is what they were made of."""
    m = fit(climates.climate(count=480, seed=3), latent=5, rank=5)
    latent = np.random.default_rng(0).standard_normal((24, 5))
    time = climates.months(24)
    ds = xr.Dataset({"latent": (("time", "latent_number"), latent)}, {"time": time})
    fields = ds.assimilate.decode(m)
    # rain is what is expected, which is not what its median is made of
    again = fields[["sst", "psl"]].assimilate.encode(m)
    np.testing.assert_allclose(again.latent, latent, atol=0.05)
    assert set(again.data_vars) == {"latent", "observations", "misfit", "chi_square"}
    back = again.assimilate.decode(m)
    for name in NAMES[:2]:
        assert float(np.abs(back[name] - fields[name]).max()) < 0.05 * float(fields[name].std())


def test_what_is_decoded_is_the_climatology_and_patterns():
    m = model()
    ds = xr.Dataset(
        {"latent": (("time", "latent_number"), np.eye(8))}, {"time": climates.months(8)}
    )
    out = ds.assimilate.decode(m)
    for step in range(8):
        now = m.tables.at(step)
        fields = m.state.unpack(now.mean + now.scale * m.patterns[step].astype(float))
        np.testing.assert_allclose(out.sst[step], fields[0], rtol=1e-9)
        np.testing.assert_allclose(out.psl[step], fields[1], rtol=1e-9)
    assert out.sst.attrs["units"] == "degC"
    assert out.attrs["history"].count("decode(") == 1
    away = ds.assimilate.decode(m, anomalies=True)
    assert float(np.abs(away.sst.mean())) < 1
    assert "standard_name" not in away.sst.attrs


def test_latents_of_members_are_decoded_lazily_in_any_order():
    m = model()
    values = np.random.default_rng(0).standard_normal((3, 8, 6))
    ds = xr.Dataset(
        {"latent": (("member", "latent_number", "time"), values)}, {"time": climates.months(6)}
    )
    plain = ds.assimilate.decode(m)
    lazy = ds.chunk(time=2, member=1, latent_number=3).assimilate.decode(m)
    assert plain.sst.dims == ("time", "member", "lat", "lon")
    assert lazy.sst.chunksizes["time"] == (2, 2, 2)
    np.testing.assert_allclose(lazy.sst, plain.sst, rtol=1e-12)


def test_encoding_and_decoding_is_the_analysis_of_the_latent():
    out = gappy(two_years()).assimilate(model(), residual=False)
    codes = gappy(two_years()).assimilate.encode(model())
    np.testing.assert_array_equal(codes.latent, out.latent)


# ---- perturb ---------------------------------------------------------------------------------


def test_a_change_of_nothing_changes_nothing():
    out = two_years()[["sst"]].assimilate.perturb(model(), {TEMPERATURE: 0.0}, error=0.1)
    assert float(np.abs(out.psl).max()) == 0
    assert float(np.abs(out.sst).max()) == 0


@pytest.mark.parametrize("residual", [False, True])
def test_responses_add_up(residual):
    """Linear, and of single precision not only nearly: differences of large numbers lose none."""
    ds = two_years()[["sst", "psl"]].astype("f4").isel(time=slice(3))
    given = {"error": {TEMPERATURE: 0.1, PRESSURE: 1.0}, "residual": residual}

    def response(**change: float) -> xr.Dataset:
        named = {TEMPERATURE: change.get("sst", 0.0), PRESSURE: change.get("psl", 0.0)}
        return ds.assimilate.perturb(model(), named, **given)

    one, other, both = response(sst=1.0), response(psl=-2.0), response(sst=3.0, psl=-2.0)
    for name in NAMES[:2]:
        np.testing.assert_allclose(
            both[name], 3 * one[name] + other[name], atol=3e-6 * float(np.abs(both[name]).max())
        )
        assert one[name].dtype == np.float32


def test_changes_have_units():
    import pint

    registry = pint.get_application_registry()
    ds = two_years()[["sst"]].isel(time=[0])
    pattern = xr.full_like(ds.sst, 1.0).drop_attrs(deep=False)
    expected = ds.assimilate.perturb(model(), {TEMPERATURE: 1.0}, error=0.1)
    for change in (
        registry.Quantity(1.0, "kelvin"),
        registry.Quantity(1000.0, "mK"),
        pattern,
        pattern[0].drop_vars("time"),
        (pattern * 1000).assign_attrs(units="mK"),
    ):
        found = ds.assimilate.perturb(model(), {TEMPERATURE: change}, error=0.1)
        np.testing.assert_allclose(found.psl, expected.psl, atol=1e-12)
    assert expected.sst.attrs["long_name"] == "change of sea surface temperature"
    assert expected.sst.attrs["units_metadata"] == "temperature: difference"
    assert "standard_name" not in expected.sst.attrs
    assert "perturb(model=eof, change={sea_surface_temperature: 1.0})" in expected.history
    assert set(expected.data_vars) == {*NAMES, *(f"{name}_spread" for name in NAMES)}


def test_a_change_of_also_and_by_standard_name():
    ds = two_years().isel(time=slice(2))
    errors = {TEMPERATURE: 0.1, PRESSURE: 1.0}
    one = ds[["sst", "psl"]].assimilate.perturb(model(), {PRESSURE: 1.0}, error=errors)
    other = ds[["sst"]].assimilate.perturb(
        model(), {"air_pressure_at_sea_level": 1.0}, also=[ds[["psl"]]], error=errors
    )
    np.testing.assert_allclose(one.sst, other.sst, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (None, TypeError, "mapping"),
        ({}, TypeError, "mapping"),
        ({PRESSURE: 1.0}, xocean_ml.errors.FieldNotFound, "not observed"),
        ({"sea_surface_salinity": 1.0}, xocean_ml.errors.FieldNotFound, "no field of the model"),
        ({"warmth": 1.0}, xocean_ml.errors.FieldNotFound, "warmth"),
        (
            {TEMPERATURE: xr.DataArray([1.0, 2], {"lat": [0.0, 1]}, "lat")},
            xocean_ml.errors.GridError,
            "does not lie",
        ),
        (
            {TEMPERATURE: xr.DataArray([1.0, 2], dims="depth")},
            xocean_ml.errors.GridError,
            "depth",
        ),
        (
            {TEMPERATURE: xr.DataArray(1.0, attrs={"units": "m"})},
            xocean_ml.errors.UnitsError,
            "'m'",
        ),
    ],
)
def test_changes_that_cannot_be(change, error, says):
    with pytest.raises(error, match=says):
        two_years()[["sst"]].assimilate.perturb(model(), change)


# ---- plan, accessors -------------------------------------------------------------------------


def test_a_plan_tells_what_would_be_done():
    ds = two_years()
    points = at_points(ds, "pr", np.array([10.0, 20]), np.array([200.0, 210]), np.array([1, 2]))
    told = str(
        ds[["sst"]]
        .chunk(time=6)
        .assimilate.plan(model(), also=[points], error={TEMPERATURE: 0.3}, residual=False)
    )
    for part in (
        "EOF(8 numbers",
        "sst (time: 24, lat: 12, lon: 24)",
        "sea_surface_temperature, found by standard_name",
        "on the model's grid",
        "0.3, and what the latent cannot represent",
        "pr (2 points)",
        "linear between the model's cells",
        "kg m-2 s-1",
        "sst [degC], psl [hPa], pr [kg m-2 s-1]",
        "24, by calendar months",
        "12 x 24 cells",
        "4 blocks",
        "memory",
        "inferred from the others: air_pressure_at_mean_sea_level",
        "what the latent cannot represent is not analysed",
    ):
        assert part in told


def test_the_function_and_the_accessors_are_one():
    ds = gappy(two_years()[["sst"]].isel(time=slice(2)))
    plain = xocean_ml.assimilate(ds, model(), error=0.1)
    xr.testing.assert_equal(plain, ds.assimilate(model(), error=0.1))
    array = ds.sst.assimilate(model(), error=0.1)
    xr.testing.assert_equal(array, plain.sst)
    assert array.name == "sst"
    assert "sst" in str(ds.sst.assimilate.plan(model()))
    assert globe().assimilate.fit("eof", latent=3).latent == 3
    assert globe().sst.assimilate.fit("eof", latent=3).latent == 3
    unnamed = ds.sst.rename(None).assimilate(model(), error=0.1)
    assert unnamed.name is None
    np.testing.assert_array_equal(unnamed, array)


# ---- real files ------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore:.*because of its name")
def test_a_real_temperature_with_a_basin_withheld(realdata: Path):
    """No standard name, a valid range, latitude downwards, 2 degrees."""
    with xr.open_dataset(realdata / "sst_ersst_2010_2016.nc") as file:
        ds = file.coarsen(lat=4, lon=4, boundary="trim").mean(keep_attrs=True).load()
    m = ds.isel(time=slice(72)).assimilate.fit("eof", latent=10)
    assert m.config["fields"][0]["key"] == TEMPERATURE
    late = ds.isel(time=slice(72, None))
    basin = (ds.lon > 180) & (ds.lon < 260) & (abs(ds.lat) < 12)
    out = late.where(~basin).assimilate(m)
    away = (out.sst - late.sst).where(basin)
    anomaly = late.sst.where(basin) - ds.sst[:72].groupby("time.month").mean().sel(
        month=late.time.dt.month
    )
    assert float((away**2).mean()) < 0.5 * float((anomaly**2).mean())
    assert out.sst.attrs["units"] == "degC"
    assert out.sst.dtype == np.float32
    assert out.lat[0] > out.lat[-1]


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore:.*because of its name")
def test_four_real_fields_of_anomalies(realdata: Path):
    """Found by their names, as differences."""
    with xr.open_dataset(realdata / "monthly_4var_20deg.nc") as file:
        ds = file.load()
    m = ds.isel(time=slice(240)).assimilate.fit("eof", latent=20)
    assert {each["role"] for each in m.config["fields"]} == {"difference"}
    assert len(m.config["fields"]) == 4
    late = ds.isel(time=slice(240, None))
    out = late[["sst", "slp"]].assimilate(m, error={TEMPERATURE: 0.3, PRESSURE: 1.0})
    for name in ("t2m", "precip"):
        away = ((out[name] - late[name]) ** 2).mean()
        assert float(away) < float((late[name] ** 2).mean())
        said = float((out[f"{name}_spread"] ** 2).mean())
        assert 0.6 < float(away) / said < 1.8
