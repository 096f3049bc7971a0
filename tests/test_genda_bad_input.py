"""Bad input of `.genda` as tables: input, call, error, what its message names."""

from __future__ import annotations

import warnings
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from bad import Bad, bad
from surfaces_small import (
    COLUMNS,
    HEIGHT,
    ROWS,
    SSH,
    SSS,
    SST,
    as_points,
    close,
    coast,
    draw,
    like,
    model,
    no_compute,
    seen,
    tracks,
    truth,
    two,
)

import xocean_ml as xo
from xocean_ml import persist
from xocean_ml.errors import (
    AmbiguousField,
    FieldNotFound,
    GridError,
    ModelFileError,
    UnitsError,
    ValuesError,
)

DAY = np.timedelta64(1, "D")
GRID = ("latitude", "longitude")


# ---- inputs ----------------------------------------------------------------------------------


def _good() -> xr.Dataset:
    """Cloudy temperature, with standard errors."""
    return seen()[1].copy(deep=True)


def _points() -> xr.Dataset:
    """With standard errors of their own."""
    ds = tracks(like())
    told = {"standard_name": f"{ds.ssh.standard_name} standard_error", "units": "m"}
    ds["ssh_error"] = ("obs", np.full(ds.sizes["obs"], 0.02), told)
    ds.ssh.attrs["ancillary_variables"] = "ssh_error"
    return ds


def _at(lat: Any, lon: Any, time: Any = None) -> xr.Dataset:
    count = len(lat)
    when = [like().time.values[0]] * count if time is None else time
    return as_points(like(), "ssh", lat, lon, np.full(count, 0.05), when)


def _as(units: str, factor: float = 1.0, offset: float = 0.0, name: str = "sst") -> xr.Dataset:
    """Values that are not in the units that they are said to be in."""
    ds = truth()[[name]].isel(time=slice(3))
    return ds.assign({name: (ds[name] * factor + offset).assign_attrs(ds[name].attrs, units=units)})


def _infinite() -> xr.Dataset:
    ds = _good()
    ds.sst.values[1, 7, 10] = np.inf
    return ds


def _errors(value: float) -> xr.Dataset:
    ds = _good()
    ds.sst_standard_error.values[:, 5] = value
    ds.sst.values[:, 5] = 16.0
    return ds


def _undecoded() -> xr.Dataset:
    return _good().drop_vars("time").assign_coords(time=("time", [0, 1, 2], {"axis": "T"}))


def _coarse(factor: int) -> xr.Dataset:
    ds = truth()[["sst"]].isel(time=slice(3))
    return ds.coarsen(latitude=factor, longitude=factor, boundary="trim").mean()


def _nonsense() -> xr.Dataset:
    ds = truth()[["sst"]].isel(time=slice(3))
    return ds.rename(sst="chlor").assign(chlor=lambda d: d.chlor.drop_attrs(deep=False))


def _seen_through(width: Any) -> xr.Dataset:
    ds = _good()
    ds.sst.attrs["footprint_km"] = width
    return ds


def _curved() -> xr.Dataset:
    ds = like()[["sst"]]
    lat, lon = xr.broadcast(ds.latitude, ds.longitude)
    bare = ds.drop_vars(["latitude", "longitude"]).rename(latitude="y", longitude="x")
    names = {"latitude": "y", "longitude": "x"}
    flat = {"lat": lat.drop_vars(list(names)), "lon": lon.drop_vars(list(names))}
    flat = {k: v.rename(names) for k, v in flat.items()}
    attrs = {"lat": {"units": "degrees_north"}, "lon": {"units": "degrees_east"}}
    return bare.assign_coords({k: v.assign_attrs(attrs[k]) for k, v in flat.items()})


def _quantity(value: float, unit: str) -> Any:
    import pint

    return pint.get_application_registry().Quantity(value, unit)


LATE = {SSH: 0.02}

# ---- the table -------------------------------------------------------------------------------

TABLE = [
    # fields
    bad("nothing of the prior", _nonsense, FieldNotFound, SSH, SST, "chlor", "fields="),
    bad(
        "two of a field",
        lambda: _good().assign(other=_good().sst),
        AmbiguousField,
        "sst",
        "other",
    ),
    bad(
        "fields= names what is not there",
        _good,
        FieldNotFound,
        "'temp'",
        "sst",
        fields={SST: "temp"},
    ),
    bad("fields= names no field", _good, FieldNotFound, "warmth", fields={"warmth": "sst"}),
    bad(
        "the height of the other datum",
        lambda: _points().assign(
            ssh=_points().ssh.assign_attrs(standard_name="sea_surface_height_above_geoid")
        ),
        FieldNotFound,
        "ssh: the prior knows sea_level_anomaly",
        "mean dynamic topography",
        "'mdt'",
        like=like().drop_vars("mdt"),
    ),
    # times
    bad("no time", lambda: _good().isel(time=0, drop=True), GridError, "sst", "expand_dims"),
    bad("a scalar time", lambda: _good().isel(time=0), GridError, "sst", "expand_dims"),
    bad("undecoded", _undecoded, GridError, "time", "decode_cf"),
    bad(
        "maps of another time",
        lambda: _good().assign_coords(time=_good().time + 400 * DAY),
        GridError,
        "no observation lies near the times of the members",
        "2000-01-01",
    ),
    bad(
        "points of another time",
        lambda: _points().assign_coords(time=_points().time + 400 * DAY),
        GridError,
        "no observation lies near the times of the members",
    ),
    bad(
        "out of the window",
        lambda: _points().assign_coords(time=_points().time + 30 * DAY),
        GridError,
        "no observation lies near",
        window="10D",
    ),
    # places
    bad(
        "a grid elsewhere",
        lambda: _good().assign_coords(
            latitude=(_good().latitude + 20).assign_attrs(_good().latitude.attrs)
        ),
        GridError,
        "sst: none of its cells lies in",
        "32.43 to 33.58 N",
    ),
    bad(
        "points elsewhere",
        lambda: _at([50.0, 51.0], [-44.0, -43.0]),
        GridError,
        "ssh: all 2 observations lie outside",
        "32.43 to 33.58 N",
        error=0.02,
    ),
    bad(
        "points on land alone",
        lambda: _at([32.5, 32.6], [-44.3, -44.2]),
        GridError,
        "all 2 observations",
        "on its land",
        error=0.02,
        like=like()[["sst"]].where(coast()),
    ),
    bad("points without a grid", _points, GridError, "no grid", "5.56 by 5.76 km", like=None),
    bad(
        "further dimensions",
        lambda: _good().expand_dims(realization=2),
        GridError,
        "sst",
        "realization",
        "isel",
    ),
    bad(
        "like= with land alone",
        _good,
        ValuesError,
        "like=",
        "every cell is missing",
        like=like().where(False),
    ),
    bad("like= a word", _good, TypeError, "like=", "str", like="glorys"),
    bad("like= a bare mask", _good, GridError, "like=", "sea_binary_mask", like=coast()),
    bad(
        "like= a bare mask of numbers",
        _good,
        GridError,
        "like=",
        "sea_binary_mask",
        like=coast().astype("i1"),
    ),
    bad("like= points", _good, GridError, "like=", like=tracks(like())),
    bad("like= a curved grid", _good, GridError, "like=", "Regrid", like=_curved()),
    bad("like= a row", _good, GridError, "like=", "one cell", like=like().isel(latitude=[3])),
    bad(
        "like= much coarser",
        _good,
        GridError,
        "22.2 by 23 km",
        "5.56 by 5.76 km",
        "like=",
        "fit()",
        like=_coarse(4),
    ),
    bad(
        "observations of much coarser cells alone",
        lambda: _coarse(4),
        GridError,
        "no grid",
        like=None,
    ),
    bad(
        "a grid that is not sorted",
        lambda: _good().isel(latitude=[0, 2, 1, *range(3, 24)]),
        GridError,
        "latitude is not monotonic",
    ),
    # units
    bad("units of another kind", lambda: _as("m"), UnitsError, "sst", "'m'"),
    bad("no units", lambda: _as(""), UnitsError, "sst"),
    bad(
        "kelvin as Celsius",
        lambda: _as("degC", 1, 273.15),
        UnitsError,
        SST,
        "look like K",
        late=True,
    ),
    bad(
        "Fahrenheit as Celsius",
        lambda: _as("degC", 1.8, 32),
        UnitsError,
        "look like degF",
        late=True,
    ),
    bad(
        "centimetres as metres",
        lambda: _as("m", 100, name="ssh"),
        UnitsError,
        SSH,
        "look like cm",
        late=True,
    ),
    bad("something else", lambda: _as("degC", 1, 5000), UnitsError, "Look at them", late=True),
    bad("error in other units", _good, UnitsError, "error", error={SST: _quantity(1, "m")}),
    # values
    bad("infinite", _infinite, ValuesError, "sst", "infinite", late=True),
    bad(
        "infinite points",
        lambda: _points().assign(ssh=(_points().ssh * np.inf).assign_attrs(_points().ssh.attrs)),
        ValuesError,
        "ssh",
        "infinite",
    ),
    # errors
    bad("error zero", _good, ValuesError, SST, "not positive", error={SST: 0}),
    bad("error negative", _good, ValuesError, SST, "not positive", error=-0.1),
    bad("error missing", _good, ValuesError, SST, "not positive", error=np.nan),
    bad("error infinite", _good, ValuesError, SST, "not positive", error=np.inf),
    bad("error of no kind", _good, TypeError, "error=[0.1]", error={SST: [0.1]}),
    bad("error true", _good, TypeError, "error=True", error=True),
    bad("errors zero", lambda: _errors(0), ValuesError, "sst", "zero or negative", late=True),
    bad("errors negative", lambda: _errors(-1), ValuesError, "zero or negative", late=True),
    bad(
        "errors of points zero",
        _points,
        ValuesError,
        "ssh",
        "zero or negative",
        error={SSH: xr.zeros_like(_points().ssh)},
    ),
    bad(
        "errors elsewhere",
        _good,
        GridError,
        "sst",
        "reindex",
        error={SST: _good().sst.assign_coords(latitude=_good().latitude + 3)},
    ),
    bad("error by no name", _good, FieldNotFound, "'sst_err'", error="sst_err"),
    bad(
        "one error for two fields",
        lambda: truth()[["ssh", "sst"]].isel(time=slice(3)),
        TypeError,
        "2 fields",
        "error={'sea",
        error=0.5,
    ),
    bad(
        "error of a field that the prior lacks",
        _good,
        FieldNotFound,
        SSS,
        f"it has {SSH}, {SST}",
        error={SSS: 0.1},
    ),
    bad("error of no field", _good, FieldNotFound, "warmth", error={"warmth": 0.1}),
    # footprints
    bad("footprint zero", _good, ValueError, "footprint", "0", footprint=0),
    bad("footprint negative", _good, ValueError, "footprint", "-3", footprint={SST: -3.0}),
    bad("footprint missing", _good, ValueError, "footprint", "nan", footprint=np.nan),
    bad("footprint true", _good, ValueError, "footprint", "True", footprint=True),
    bad("footprint of the file a word", lambda: _seen_through("wide"), ValueError, "sst", "wide"),
    bad("footprint of the file missing", lambda: _seen_through(np.nan), ValueError, "sst", "nan"),
    bad("footprint of the file zero", lambda: _seen_through(0), ValueError, "sst", "0"),
    bad("footprint with its unit", _good, ValueError, "'30 km'", "km", footprint="30 km"),
    bad("footprint of no field", _good, FieldNotFound, "warmth", footprint={"warmth": 30.0}),
    # options
    bad("members none", _good, ValueError, "members=0", members=0),
    bad("members negative", _good, ValueError, "members=-1", members=-1),
    bad("members a half", _good, ValueError, "members=2.5", members=2.5),
    bad("members true", _good, ValueError, "members=True", members=True),
    bad("members a word", _good, ValueError, "members='8'", members="8"),
    bad("window no time span", _good, ValueError, "window='abc'", "'10D'", window="abc"),
    bad("window negative", _good, ValueError, "window='-3D'", window="-3D"),
    bad("window zero", _good, ValueError, "window='0D'", window="0D"),
    bad("a window without its unit", _good, ValueError, "window='10'", window="10"),
    bad("a window of numpy without its unit", _good, ValueError, "window", window=np.int64(10)),
    bad("window a number", _good, ValueError, "window=10", "'10D'", window=10),
    bad("coherence a number", _good, ValueError, "coherence=2.5", "'2.5D'", coherence=2.5),
    bad("coherence negative", _good, ValueError, "coherence='-1D'", coherence="-1D"),
    bad("coherence no time span", _good, ValueError, "coherence=[3]", coherence=[3]),
    bad("seed a half", _good, ValueError, "seed=0.5", seed=0.5),
    bad("seed true", _good, ValueError, "seed=True", seed=True),
    bad("seed none", _good, ValueError, "seed=None", seed=None),
    bad("device unknown", _good, ValueError, "tpu", device="tpu"),
    bad("an option of no model", _good, TypeError, "OI(", "take sharpness", sharpness=3),
    bad("an option of another model", _good, TypeError, "OI(", "take steps", steps=30),
    bad(
        "an option that diffusion lacks",
        _good,
        TypeError,
        "DIFFUSION(",
        "steps, guidance, corrector",
        "sharpness",
        model="diffusion",
        sharpness=3,
    ),
    bad(
        "guidance unknown",
        _good,
        ValueError,
        "guidance='x'",
        "'gaussian', 'sda'",
        model="diffusion",
        guidance="x",
    ),
    bad("a single step", _good, ValueError, "steps=1", model="diffusion", steps=1),
    bad("steps a half", _good, ValueError, "steps=4.5", model="diffusion", steps=4.5),
    bad("steps true", _good, ValueError, "steps=True", model="diffusion", steps=True),
    # models
    bad("model a number", _good, TypeError, "3", "makes no members", model=3),
    bad("model bicubic", _good, TypeError, "Bicubic()", "makes no members", model="bicubic"),
    bad("model of no name", _good, ModelFileError, "'oii'", "known", model="oii"),
    bad("model not packaged", _good, ModelFileError, "genda.fit('oi')", model="oi-packaged"),
    bad("model not there", _good, ModelFileError, "mine.safetensors", model="mine.safetensors"),
    bad("a pickle", _good, ModelFileError, "mine.pt", model="mine.pt"),
    bad("a Dataset that is none", _good, TypeError, "DataArray", "to_dataset", also=[_good().sst]),
    bad("a DataArray for several", _good, TypeError, "DataArray", "to_dataset", also=_good().sst),
    bad("a path for a Dataset", _good, TypeError, "str", also=["file.nc"]),
]


def _arguments(case: Bad) -> tuple[Any, dict[str, Any]]:
    options: dict[str, Any] = {"like": like(), "members": 2} | case.options
    named = options.pop("model", "two")
    known = {"two": two, "diffusion": lambda: two("diffusion"), "oi-packaged": lambda: "oi"}
    return known[named]() if named in known else named, options


def _check(case: Bad, caught: pytest.ExceptionInfo) -> None:
    assert caught.type is case.error
    for part in case.says:
        assert part in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*no standard error is told")
@pytest.mark.filterwarnings("ignore:.*lie at none of the times")
@pytest.mark.parametrize("case", TABLE)
def test_bad_input_in_memory(case):
    chosen, options = _arguments(case)
    with pytest.raises(case.error) as caught:
        case.ds().genda(chosen, **options)
    _check(case, caught)


LAZY = [
    each
    for each in TABLE
    if each.values[0].late or each.id in ("no time", "undecoded", "a grid elsewhere", "error zero")
]
"""What is known from coordinates and metadata is told at once, values when computed."""


@pytest.mark.filterwarnings("ignore:.*no standard error is told")
@pytest.mark.parametrize("case", LAZY)
def test_bad_input_lazily(case):
    chosen, options = _arguments(case)
    ds = case.ds()
    ds = ds.assign({n: each.chunk() for n, each in ds.data_vars.items()})
    with dask.config.set(scheduler=no_compute):
        if not case.late:
            with pytest.raises(case.error) as caught:
                ds.genda(chosen, **options)
        else:
            lazy = ds.genda(chosen, **options)
    if case.late:
        with pytest.raises(case.error) as caught:
            lazy.compute(scheduler="synchronous")
    _check(case, caught)


PLANNED = [
    each
    for each in TABLE
    if each.id
    in ("members none", "no time", "an option of no model", "error zero", "window no time span")
]


@pytest.mark.parametrize("case", PLANNED)
def test_a_plan_tells_the_same(case):
    chosen, options = _arguments(case)
    with pytest.raises(case.error) as caught:
        case.ds().genda.plan(chosen, **options)
    _check(case, caught)


def test_the_input_of_the_table_is_good():
    """Nothing is refused, nor warned of, but for the reason that a row gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ds in (_good(), _points()):
            ds.genda(two(), like=like(), members=1)


@pytest.mark.parametrize("given", [truth().sst, None, "file.nc", 3], ids=type)
def test_a_dataset_is_needed(given):
    with pytest.raises(TypeError, match="genda takes Datasets"):
        xo.genda(given, two())


def test_an_assimilator_makes_no_members():
    other = truth()[["sst"]].assimilate.fit("eof", latent=3, climatology=None)
    with pytest.raises(TypeError, match="makes no members"):
        _good().genda(other, like=like())


@pytest.mark.parametrize("make", [_good, _points])
def test_calendars_are_not_mixed_up(make):
    """Dates without leap days lie a week from the same dates with them."""
    if "obs" in make().dims:
        from cftime import DatetimeNoLeap as Date

        days = [Date(*map(int, str(each)[:10].split("-"))) for each in make().time.values]
        ds = make().assign_coords(time=("obs", days))
    else:
        ds = make().convert_calendar("noleap", use_cftime=True)
    with pytest.raises(GridError, match=r"s[sh][th]: its calendar is noleap.*convert_calendar"):
        draw(two(), ds)


def test_a_grid_of_one_scalar_time_is_a_grid():
    """Times are those of the observations."""
    out = draw(two(), _good(), like=like().isel(time=0))
    close(out, draw(two(), _good(), like=like().isel(time=0, drop=True)), 0)
    assert out.sizes["time"] == 3


def test_no_further_datasets_may_be_none():
    close(draw(two(), _good(), also=None), draw(two(), _good(), also=[]), 0)


def test_points_that_are_all_missing_are_told():
    with pytest.raises(ValuesError, match="every value is missing"):
        draw(two(), _points().where(False))
    both = draw(two(), _points().where(False), also=[_good()])
    close(both, draw(two(), _good()), 0)


@pytest.mark.parametrize(
    ("said", "factor", "offset", "true"), [("K", 1, 0, "degC"), ("K", 1.8, 32, "degF")]
)
def test_the_likely_units_are_named_whatever_they_are_said_to_be(said, factor, offset, true):
    with pytest.raises(UnitsError, match=f"look like {true}"):
        draw(two(), _as(said, factor, offset), error=0.2)


# ---- not errors, and told --------------------------------------------------------------------


@pytest.mark.parametrize("number", [np.float32(30), np.int64(30)], ids=type)
def test_a_width_may_be_a_number_of_numpy(number):
    one, other = (draw(two(), _good(), footprint=each) for each in (number, 30.0))
    close(one, other, 0)


def test_points_outside_are_left_out_and_told():
    ds = _at([33.0, 33.1, 60.0], [-44.0, -43.5, -43.0])
    with pytest.warns(UserWarning, match=r"ssh: 1 of 3 observations lie outside.*not used") as told:
        out = draw(two(), ds, error=0.02)
    assert len(told) == 1
    assert list(out.observations) == [2, 0, 0]


def test_points_of_other_times_are_left_out_and_told():
    first, second, _ = like().time.values
    ds = _at([33.0, 33.1, 33.2], [-44.0, -43.5, -43.0], [first, second, first - 99 * DAY])
    with pytest.warns(UserWarning, match=r"ssh: 1 of 3 observations lie at none of the times"):
        out = draw(two(), ds, error=0.02)
    assert list(out.observations) == [1, 1, 0]


@pytest.mark.parametrize("what", ["time", "latitude", "longitude"])
def test_points_of_no_time_or_place_are_left_out_and_told(what):
    first, second, _ = like().time.values
    ds = _at([33.0, 33.1, 33.2, 33.3], [-44.0, -43.5, -43.0, -43.2], [first, second, first, first])
    ds[what].values[[0, 2]] = "NaT" if what == "time" else np.nan
    with pytest.warns(UserWarning, match=r"ssh: 2 observations have no time or no place") as told:
        out = draw(two(), ds, error=0.02)
    assert len(told) == 1
    assert list(out.observations) == [1, 1, 0]


def test_points_of_no_value_need_no_time_or_place(recwarn):
    first, second, _ = like().time.values
    ds = _at([33.0, np.nan, 33.2], [-44.0, np.nan, -43.0], [first, "NaT", second])
    ds.ssh.values[1] = np.nan
    out = draw(two(), ds, error=0.02)
    assert list(out.observations) == [1, 1, 0]
    assert not len(recwarn)


def test_a_map_whose_cells_are_wider_than_the_domain_is_left_out_and_told():
    """But one that does not lie over it at all is an error."""
    wide = xo.tutorial.open_dataset("surface")[["sst"]].isel(time=slice(3))
    mean = wide.sst.mean(["latitude", "longitude"], keep_attrs=True)
    lat, lon = ([float(like()[n].mean()) + k * 5.0 for k in (-1, 0, 1)] for n in GRID)
    attrs = {n: like()[n].attrs for n in GRID}
    sides = {n: (n, each, attrs[n]) for n, each in zip(GRID, (lat, lon), strict=True)}
    coarse = mean.expand_dims(latitude=3, longitude=3).assign_coords(sides).to_dataset()
    coarse = coarse.transpose("time", ...)
    with pytest.warns(UserWarning, match=r"sst: its cells are means over more than the domain"):
        out = draw(two(), coarse, also=[_points()], error={SST: 0.1})
    close(out, draw(two(), _points()), 0)
    off = coarse.assign_coords(latitude=(coarse.latitude + 40).assign_attrs(attrs["latitude"]))
    with pytest.raises(GridError, match="sst"):
        draw(two(), off, also=[_points()], error={SST: 0.1})


def test_maps_that_stick_out_serve_where_they_are():
    ds = xo.tutorial.open_dataset("surface")[["sst"]].isel(
        time=slice(3), latitude=slice(12, 40), longitude=slice(10, 60)
    )
    out = draw(two(), ds, error=0.2)
    assert (out.observations == (ROWS - 12) * (COLUMNS - 10)).all()


def test_cells_half_as_large_again_are_told():
    lat, lon = (truth()[n].values for n in ("latitude", "longitude"))
    wider = (
        truth()[["ssh", "sst"]]
        .isel(time=slice(3))
        .interp(
            latitude=np.arange(lat[0], lat[-1], 1.5 * (lat[1] - lat[0])),
            longitude=np.arange(lon[0], lon[-1], 1.5 * (lon[1] - lon[0])),
        )
    )
    for name in ("latitude", "longitude"):
        wider[name].attrs = truth()[name].attrs
    with pytest.warns(UserWarning, match=r"cells of 8.3\d by 8.6\d km; the prior was trained on"):
        out = draw(two(), wider[["sst"]], error=0.2, like=wider)
    assert np.isfinite(out.sst).all()


@pytest.mark.parametrize("kind", ["oi"])
def test_another_ocean_is_told(kind):
    with pytest.warns(UserWarning, match=r"sea_surface_temperature: values about .* far outside"):
        draw(model(kind), _as("degC", 1, -12.0), error=0.2)


def test_no_error_is_told():
    with pytest.warns(UserWarning, match=r"sst: no standard error is told; .* degC is taken"):
        draw(two(), _as("degC"))


@pytest.mark.parametrize("far", [0.2, 0.45])
def test_less_than_half_may_be_far_off(far):
    """Outliers are for whoever made the observations to judge."""
    ds = truth()[["sst"]].isel(time=slice(3))
    keep = np.random.default_rng(0).random(ds.sst.shape) > far
    ds["sst"] = ds.sst.where(keep, 1000.0).assign_attrs(truth().sst.attrs)
    assert np.isfinite(draw(two(), ds, error=5.0).sst).all()


packaged = pytest.mark.skipif(
    not (persist.WEIGHTS / "diffusion.safetensors").exists(), reason="no prior is packaged yet"
)


@packaged
def test_the_packaged_prior_is_told_to_be_no_ocean():
    real = [each.copy() for each in seen()]
    for each in real:
        each.attrs.pop("history", None)
    options = {"members": 1, "like": like().isel(time=[0]), "steps": 2}
    with pytest.warns(UserWarning, match="simulated turbulence"):
        xo.genda(real[1].isel(time=[0]), **options)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        xo.genda(seen()[1].isel(time=[0]), **options)
    assert not any("simulated turbulence" in str(each.message) for each in told)


@pytest.mark.skipif(
    (persist.WEIGHTS / "diffusion.safetensors").exists(), reason="a prior is packaged"
)
def test_without_a_packaged_prior_it_is_said_how_to_make_one():
    with pytest.raises(ModelFileError, match=r"genda\.fit\(\)"):
        xo.genda(_good(), like=like())


# ---- fit -------------------------------------------------------------------------------------


def _bare() -> xr.Dataset:
    ds = truth()[["sst"]].copy()
    ds["sst"] = ds.sst.drop_attrs(deep=False).assign_attrs(standard_name=SST)
    return ds


FIT = [
    bad("kind unknown", truth, ValueError, "kind='gan'", "'diffusion'", "'oi'", kind="gan"),
    bad("steps none", truth, ValueError, "steps=0", steps=0),
    bad("steps a half", truth, ValueError, "steps=2.5", steps=2.5),
    bad("steps true", truth, ValueError, "steps=True", steps=True),
    bad("seed a half", truth, ValueError, "seed=0.5", seed=0.5),
    bad("seed a word", truth, ValueError, "seed='x'", seed="x"),
    bad("seed true", truth, ValueError, "seed=True", seed=True),
    bad("patch too small", truth, ValueError, "patch=8", "16", patch=8),
    bad("patch no multiple", truth, ValueError, "patch=20", "multiple of 8", patch=20),
    bad("patch a half", truth, ValueError, "patch=16.0", patch=16.0),
    bad("currents unknown", truth, ValueError, "currents='none'", "'whole'", currents="none"),
    bad(
        "the rest of currents that are not there",
        lambda: truth()[["ssh", "sst"]],
        ValueError,
        "currents='rest'",
        SST,
        currents="rest",
    ),
    bad("no fields", _nonsense, FieldNotFound, SST, "chlor", "fields="),
    bad(
        "a field that is not there",
        lambda: truth()[["sst"]],
        FieldNotFound,
        "salinity",
        fields=[SSS],
    ),
    bad("fields a word", truth, TypeError, "fields='sst'", fields="sst"),
    bad("units missing", _bare, UnitsError, "sst"),
    bad("no time", lambda: truth().isel(time=0, drop=True), GridError, "time"),
    bad(
        "other dimensions",
        lambda: truth().assign(sss=truth().sss.isel(time=0, drop=True)),
        GridError,
        "dimensions",
    ),
    bad("infinite", lambda: truth().assign(sst=truth().sst / 0), ValuesError, "infinite"),
    bad("all missing", lambda: truth().where(False), ValuesError, "missing"),
    bad(
        "one field all missing",
        lambda: truth().assign(sss=truth().sss.where(False)),
        ValuesError,
        "sss",
    ),
    bad("a DataArray", lambda: truth().sst, TypeError, "DataArray"),
    bad("nothing", list, ValueError),
    bad("a curved grid", _curved, GridError, "Regrid"),
    bad(
        "another with other fields",
        lambda: [truth(), truth().drop_vars("sss")],
        FieldNotFound,
        "salinity",
    ),
    bad(
        "another of other kinds of heights",
        lambda: [truth(), truth().assign(ssh=truth().ssh.assign_attrs(standard_name=HEIGHT))],
        FieldNotFound,
        SSH,
    ),
]


@pytest.mark.filterwarnings("ignore:.*anomaly and no mean", "ignore:invalid value")
@pytest.mark.parametrize(
    "case",
    [pytest.param(*each.values, id=each.id) for each in FIT],
)
def test_bad_input_of_fit(case):
    from xocean_ml.generative.fit import fit

    options = dict(case.options)
    with pytest.raises(case.error) as caught:
        fit(case.ds(), options.pop("kind", "oi"), **options)
    _check(case, caught)
