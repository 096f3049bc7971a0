"""Bad input of `.assimilate` as tables: input, call, error, what its message names."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import climates
import dask
import numpy as np
import pytest
import xarray as xr
from bad import Bad, bad
from climates import KEYS, PR, PSL, SST, at_points, globe

import xocean_ml
from xocean_ml.assimilation.fit import fit
from xocean_ml.errors import (
    AmbiguousField,
    FieldNotFound,
    GridError,
    ModelFileError,
    UnitsError,
    ValuesError,
)

TEMPERATURE, PRESSURE, RAIN = KEYS
STEPS = 6


# ---- inputs ----------------------------------------------------------------------------------


def _good() -> xr.Dataset:
    return globe()[["sst"]].isel(time=slice(STEPS)).copy(deep=True)


def _two() -> xr.Dataset:
    return globe()[["sst", "psl"]].isel(time=slice(STEPS)).copy(deep=True)


def _points(lat: Any = (10.0, -20.0), lon: Any = (200.0, 180.0)) -> xr.Dataset:
    return at_points(globe(), "psl", np.array(lat), np.array(lon), np.arange(len(lat)))


def _unknown() -> xr.Dataset:
    return _good().drop_vars("sst").assign(salt=_good().sst.drop_attrs(deep=False))


def _ambiguous() -> xr.Dataset:
    return _good().assign(other=_good().sst)


def _as(units: str, factor: float = 1.0, offset: float = 0.0, name: str = "sst") -> xr.Dataset:
    """Values that are not in the units that they are said to be in."""
    ds = globe()[[name]].isel(time=slice(STEPS))
    return ds.assign({name: (ds[name] * factor + offset).assign_attrs(ds[name].attrs, units=units)})


def _infinite(name: str = "sst") -> xr.Dataset:
    ds = globe()[[name]].isel(time=slice(STEPS)).copy(deep=True)
    ds[name].values[4, 7, 10] = np.inf
    return ds


def _dates(freq: str) -> xr.Dataset:
    return _good().assign_coords(time=xr.date_range("2000-01-01", periods=STEPS, freq=freq))


def _yearly() -> xr.Dataset:
    """Means of years, as their bounds say."""
    edges = xr.date_range("2000-01-01", periods=STEPS + 1, freq="YS").values
    bounds = ("time", "bnds"), np.stack([edges[:-1], edges[1:]], axis=1)
    ds = _good().assign_coords(time=("time", edges[:-1], {"bounds": "time_bnds"}))
    return ds.assign(time_bnds=bounds)


def _undecoded() -> xr.Dataset:
    return _good().assign_coords(time=np.arange(STEPS))


def _undecoded_points() -> xr.Dataset:
    ds = _points()
    return ds.assign_coords(time=("obs", np.array([3.0, 4.0]), {"standard_name": "time"}))


def _far() -> xr.Dataset:
    """Over a part of the globe that a model of another does not have."""
    lat, lon = climates.steps(40, 80, 5), climates.steps(100, 160, 5)
    return climates.climate(lat, lon, STEPS)[["psl"]]


def _errors(value: float) -> xr.DataArray:
    return xr.full_like(_good().sst, 0.5).where(_good().lat != _good().lat[3], value)


def _elsewhere() -> xr.DataArray:
    return xr.full_like(_good().sst, 0.5).assign_coords(lat=_good().lat + 3)


def _quantity(value: float, unit: str) -> Any:
    import pint

    return pint.get_application_registry().Quantity(value, unit)


# ---- the table -------------------------------------------------------------------------------

TABLE = [
    # fields
    bad("nothing of the model", _unknown, FieldNotFound, TEMPERATURE, RAIN, "salt", "fields="),
    bad("two of a field", _ambiguous, AmbiguousField, "sst", "other"),
    bad(
        "fields= names what is not there",
        _good,
        FieldNotFound,
        "'temp'",
        "sst",
        fields={TEMPERATURE: "temp"},
    ),
    bad(
        "fields= names no field",
        _good,
        FieldNotFound,
        "warmth",
        fields={"warmth": "sst"},
    ),
    bad(
        "fields= names a field of another model",
        _good,
        FieldNotFound,
        "sea_surface_salinity",
        TEMPERATURE,
        fields={"sea_surface_salinity": "sst"},
    ),
    # times
    bad(
        "no time", lambda: _good().isel(time=0, drop=True), GridError, "sst", "time", "expand_dims"
    ),
    bad("a scalar time", lambda: _good().isel(time=0), GridError, "sst", "time", "expand_dims"),
    bad("undecoded", _undecoded, GridError, "time", "decode_cf"),
    bad("undecoded points", _undecoded_points, GridError, "time", "decode_cf"),
    bad("daily", lambda: _dates("D"), GridError, "1 days", "30.", "resample(time='MS')"),
    bad("weekly", lambda: _dates("7D"), GridError, "7 days", "resample(time='MS')"),
    bad("yearly", _yearly, GridError, "365 days", "30.", "finer"),
    bad("unsorted", lambda: _good().isel(time=[1, 0, 2]), GridError, "time", "sort"),
    bad(
        "also= without a time in common",
        _good,
        GridError,
        "psl",
        "no time in common",
        also=[globe()[["psl"]].isel(time=slice(100, 110))],
    ),
    bad(
        "also= of other members",
        lambda: _good().expand_dims(member=3),
        GridError,
        "psl",
        "member",
        also=[globe()[["psl"]].isel(time=slice(STEPS)).expand_dims(member=2)],
    ),
    # places
    bad(
        "a grid elsewhere",
        _far,
        GridError,
        "psl",
        "-17.5 to 22.5 N",
        model="region",
    ),
    bad(
        "points elsewhere",
        lambda: _points((60.0, 70.0), (100.0, 120.0)),
        GridError,
        "all 2 observations",
        "-17.5 to 22.5 N",
        model="region",
    ),
    bad(
        "points whose values are all missing",
        lambda: _points().assign(psl=(_points().psl * np.nan).assign_attrs(PSL)),
        ValuesError,
        "nothing is observed",
        "psl",
    ),
    # units
    bad("units of another kind", lambda: _as("m"), UnitsError, "sst", "'m'"),
    bad(
        "no units",
        lambda: _good().assign(sst=_good().sst.assign_attrs(units="")),
        UnitsError,
        "sst",
    ),
    bad(
        "kelvin as Celsius",
        lambda: _as("degC", 1, 273.15),
        UnitsError,
        "look like K",
        "degC",
        late=True,
    ),
    bad(
        "Celsius as kelvin", lambda: _as("K"), UnitsError, "look like degC", TEMPERATURE, late=True
    ),
    bad(
        "pascal as hectopascal",
        lambda: _as("hPa", 100, name="psl"),
        UnitsError,
        "look like Pa",
        PRESSURE,
        late=True,
    ),
    bad(
        "rain by day as by second",
        lambda: _as("kg m-2 s-1", 86400, name="pr"),
        UnitsError,
        "look like mm day-1",
        late=True,
    ),
    bad("something else", lambda: _as("degC", 1, 5000), UnitsError, "Look at them", late=True),
    # values
    bad("infinite", _infinite, ValuesError, TEMPERATURE, "1 obs", "time 4", late=True),
    bad(
        "infinite, of a field without land",
        lambda: _infinite("psl"),
        ValuesError,
        PRESSURE,
        "time 4",
        late=True,
    ),
    bad(
        "infinite points",
        lambda: _points().assign(psl=(_points().psl * np.inf).assign_attrs(PSL)),
        ValuesError,
        "psl",
        "infinite",
    ),
    # errors
    bad("error zero", _good, ValuesError, TEMPERATURE, "not positive", error=0),
    bad("error negative", _good, ValuesError, TEMPERATURE, "not positive", error=-1.0),
    bad("error missing", _good, ValuesError, TEMPERATURE, "not positive", error=np.nan),
    bad("error of no kind", _good, TypeError, "error=[0.1]", error={TEMPERATURE: [0.1]}),
    bad("error true", _good, TypeError, "error=True", error=True),
    bad("errors zero", _good, ValuesError, "sst", "zero or negative", late=True, error=_errors(0)),
    bad("errors negative", _good, ValuesError, "zero or neg", late=True, error=_errors(-1)),
    bad(
        "errors of points zero",
        _points,
        ValuesError,
        "psl",
        "zero or negative",
        error=xr.DataArray([0.5, 0.0], dims="obs"),
    ),
    bad(
        "errors of points negative",
        _points,
        ValuesError,
        "psl",
        "negative",
        error=xr.DataArray([0.5, -1.0], dims="obs"),
    ),
    bad("errors elsewhere", _good, GridError, "sst", "along lat", "reindex", error=_elsewhere()),
    bad(
        "errors of other dimensions",
        _good,
        GridError,
        "sst",
        "depth",
        error=xr.DataArray(np.ones(3), dims="depth"),
    ),
    bad(
        "errors of other points",
        _points,
        GridError,
        "psl",
        "obs",
        error=xr.DataArray([0.5, 1.0, 2.0], dims="obs"),
    ),
    bad("error by no name", _good, FieldNotFound, "'sst_err'", error="sst_err"),
    bad("error in other units", _good, UnitsError, "error", error=_quantity(1.0, "metre")),
    bad("one error for two fields", _two, TypeError, "2 fields", "error={'sea", error=0.5),
    bad(
        "error of another field",
        _good,
        FieldNotFound,
        "sea_surface_salinity",
        "it has sea_surface_temperature",
        error={"sea_surface_salinity": 0.1},
    ),
    bad("error of no field", _good, FieldNotFound, "warmth", error={"warmth": 0.1}),
    # options
    bad("members negative", _good, ValueError, "members=-1", members=-1),
    bad("members a half", _good, ValueError, "members=1.5", members=1.5),
    bad("members true", _good, ValueError, "members=True", members=True),
    bad(
        "members of members",
        lambda: _good().expand_dims(realization=2),
        GridError,
        "realization",
        "rename",
        members=2,
    ),
    bad("an option of no model", _good, TypeError, "'eof'", "sharpness", sharpness=3),
    # models
    bad("model bicubic", _good, TypeError, "Bicubic()", "cannot assimilate", model="bicubic"),
    bad("model a number", _good, TypeError, "3", "cannot assimilate", model=3),
    bad("model of no name", _good, ModelFileError, "'eoff'", "known", model="eoff"),
    bad("model not packaged", _good, ModelFileError, "assimilate.fit('eof')", model="eof"),
    bad("model not there", _good, ModelFileError, "mine.safetensors", model="mine.safetensors"),
    bad("a Dataset that is none", _good, TypeError, "DataArray", "to_dataset", also=[_good().sst]),
]


def _arguments(case: Bad) -> tuple[Any, dict[str, Any]]:
    options = dict(case.options)
    model = options.pop("model", "globe")
    return climates.model(model) if model in ("globe", "region") else model, options


def _check(case: Bad, caught: pytest.ExceptionInfo) -> None:
    assert caught.type is case.error
    for part in case.says:
        assert part in str(caught.value)


def _no_compute(*args, **kwargs):
    raise AssertionError("something was computed before it was asked for")


@pytest.mark.filterwarnings("ignore:.*its grid is not")
@pytest.mark.parametrize("case", TABLE)
def test_bad_input_in_memory(case):
    model, options = _arguments(case)
    with pytest.raises(case.error) as caught:
        case.ds().assimilate(model, **options)
    _check(case, caught)


@pytest.mark.filterwarnings("ignore:.*its grid is not")
@pytest.mark.parametrize("case", TABLE)
def test_bad_input_lazily(case):
    """What is known from coordinates and metadata is told at once, values when computed."""
    model, options = _arguments(case)
    ds = case.ds()
    if "obs" in ds.dims:
        pytest.skip("points are read at once")
    ds = ds.assign({n: each.chunk() for n, each in ds.data_vars.items() if n != "time_bnds"})
    with warnings.catch_warnings(), dask.config.set(scheduler=_no_compute):
        warnings.filterwarnings("ignore", message=".*rechunked")
        if not case.late:
            with pytest.raises(case.error) as caught:
                ds.assimilate(model, **options)
        else:
            lazy = ds.assimilate(model, **options)
    if case.late:
        with pytest.raises(case.error) as caught:
            lazy.compute(scheduler="synchronous")
    _check(case, caught)


@pytest.mark.filterwarnings("ignore:.*its grid is not")
@pytest.mark.parametrize("case", [each for each in TABLE if not each.values[0].late])
def test_a_plan_tells_the_same(case):
    model, options = _arguments(case)
    if case.says[-1] == "sharpness":
        pytest.skip("told above")
    with pytest.raises(case.error) as caught:
        case.ds().assimilate.plan(model, **options)
    _check(case, caught)


def test_the_input_of_the_table_is_good():
    """Nothing is refused but for the reason that a row gives."""
    for ds in (_good(), _points()):
        ds.assimilate(climates.model(), error=0.5, members=1)
    _two().assimilate(climates.model())


def test_a_dataarray_is_not_a_dataset():
    with pytest.raises(TypeError, match=r"DataArray; use \.to_dataset\(\)"):
        xocean_ml.assimilate(_good().sst, climates.model())


# ---- not errors, and told --------------------------------------------------------------------


def test_points_outside_are_left_out_and_told():
    m = climates.model("region")
    ds = _points((10.0, -10.0, 70.0), (5.0, 10.0, 10.0))
    with pytest.warns(UserWarning, match=r"psl: 1 of 3 observations lie outside.*not used") as told:
        out = ds.assimilate(m, error=0.5)
    assert len(told) == 1
    assert list(out.observations) == [1, 1]


def test_points_on_land_are_left_out_and_told():
    ds = at_points(globe().fillna(10), "sst", np.array([5.0, 40]), np.array([20.0, 200]), [0, 0])
    ds["sst"] = ds.sst.assign_attrs(SST)
    with pytest.warns(UserWarning, match=r"sst: 1 of 2 observations .* on its land"):
        out = ds.assimilate(climates.model(), error=0.5)
    assert list(out.observations) == [1]


def test_points_of_other_times_are_left_out_and_told():
    points = at_points(globe(), "psl", np.zeros(3), np.zeros(3), np.array([1, 2, 40]))
    with pytest.warns(UserWarning, match=r"psl: 1 of 3 observations lie at none of the times"):
        out = _good().assimilate(climates.model(), also=[points])
    assert int(out.observations.sum()) == int(_good().sst.notnull().sum()) + 2


@pytest.mark.parametrize("far", [0.2, 0.45])
def test_less_than_half_may_be_far_off(far):
    """Outliers are for whoever made the observations to judge."""
    ds = _good()
    keep = np.random.default_rng(0).random(ds.sst.shape) > far
    ds["sst"] = ds.sst.where(keep, 1000.0).where(ds.sst.notnull()).assign_attrs(SST)
    assert np.isfinite(ds.assimilate(climates.model()).psl).all()


@functools.cache
def _seasonal() -> xr.Dataset:
    """Hardly varying about a season of 40 K, but for one month."""
    ds = climates.climate(count=120)
    season = 20 * np.cos(2 * np.pi * (ds.time.dt.month - 1) / 12)
    return ds.assign(sst=(ds.sst / 20 + season).assign_attrs(SST))[["sst"]]


def test_the_season_is_no_sign_of_other_units():
    """Values are compared to the climatology of their own months."""
    m = fit(_seasonal(), latent=4, rank=8)
    out = _seasonal().isel(time=slice(12)).assimilate(m)
    assert (out.observations > 0).all()


# ---- fit -------------------------------------------------------------------------------------


def _flat() -> xr.Dataset:
    return (globe()[["psl"]] * 0 + 1000).assign(psl=lambda ds: ds.psl.assign_attrs(PSL))


def _bare() -> xr.Dataset:
    return globe().assign(sst=globe().sst.drop_attrs(deep=False).assign_attrs(**_NAME))


_NAME = {"standard_name": "sea_surface_temperature"}

FIT = [
    bad("kind unknown", globe, ValueError, "kind='pca'", "'eof'", kind="pca"),
    bad("climatology unknown", globe, ValueError, "'year'", "'month'", climatology="year"),
    bad("latent none", globe, ValueError, "latent=0", latent=0),
    bad("latent a half", globe, ValueError, "latent=2.5", latent=2.5),
    bad("latent true", globe, ValueError, "latent=True", latent=True),
    bad("latent too large", globe, ValueError, "latent=200", "240 times", "143", latent=200),
    bad("one time", lambda: globe().isel(time=[0]), ValueError, "1 times", latent=1),
    bad("no time", lambda: globe().isel(time=0, drop=True), GridError, "time", latent=1),
    bad(
        "a single year",
        lambda: globe().isel(time=slice(12)),
        ValuesError,
        "two years",
        "climatology=None",
        latent=1,
    ),
    bad("nothing varies", _flat, ValuesError, "nothing varies", latent=2),
    bad(
        "no fields", lambda: globe()[[]].assign(x=("time", np.ones(240))), FieldNotFound, "fields="
    ),
    bad("units missing", _bare, UnitsError, "sst", "units"),
    bad(
        "a field that is not there",
        globe,
        FieldNotFound,
        "salinity",
        fields=["sea_surface_salinity"],
    ),
    bad("fields a word", globe, TypeError, "fields='sst'", fields="sst"),
    bad(
        "other dimensions",
        lambda: globe().assign(pr=globe().pr[0].drop_vars("time")),
        GridError,
        "pr",
        "dimensions",
    ),
    bad(
        "infinite",
        lambda: globe().assign(psl=globe().psl.where(globe().lat < 80, np.inf)),
        ValuesError,
        "psl",
        "infinite",
    ),
    bad("all missing", lambda: globe().where(False), ValuesError, "sst", "missing"),
]


@pytest.mark.parametrize("case", FIT)
def test_bad_input_of_fit(case):
    options = dict(case.options)
    with pytest.raises(case.error) as caught:
        fit(case.ds(), options.pop("kind", "eof"), **options)
    _check(case, caught)


# ---- decode ----------------------------------------------------------------------------------


def _latents(size: int = 8) -> xr.Dataset:
    values = np.zeros((3, size))
    return xr.Dataset({"latent": (("time", "latent_number"), values)}, {"time": climates.months(3)})


DECODE = [
    bad("no latent", _good, FieldNotFound, "'latent'", "sst"),
    bad("another model's", lambda: _latents(5), GridError, "latent_number", "8"),
    bad("no time", lambda: _latents().drop_vars("time"), GridError, "time"),
    bad("undecoded", lambda: _latents().assign_coords(time=[0, 1, 2]), GridError, "time"),
]


@pytest.mark.parametrize("case", DECODE)
def test_bad_input_of_decode(case):
    with pytest.raises(case.error) as caught:
        case.ds().assimilate.decode(climates.model())
    _check(case, caught)


def test_rain_has_units_of_its_own():
    """A depth of water by day is a flux."""
    assert PR["units"] == "kg m-2 s-1"
    ds = _as("mm day-1", 86400, name="pr")
    out = ds.assimilate(climates.model())
    assert out.pr.attrs["units"] == "mm day-1"
    np.testing.assert_allclose(out.pr, ds.pr, atol=0.1)
