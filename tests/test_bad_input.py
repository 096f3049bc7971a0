"""Bad input of ``.ml_smooth`` as one table: input, call, error, what its message names."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from bad import Bad, bad
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import clean_increments

from xocean_ml import persist
from xocean_ml.errors import (
    AmbiguousField,
    FieldNotFound,
    GridError,
    ModelFileError,
    UnitsError,
    ValuesError,
    XOceanError,
)
from xocean_ml.smoothing import Dong

DIMS = ("time", "depth", "lat", "lon")


def _good() -> xr.Dataset:
    return clean_increments(steps=12)


def _like(ds: xr.Dataset, **attrs: str) -> xr.DataArray:
    return ds.increment.copy().assign_attrs(attrs)


# ---- inputs --------------------------------------------------------------------------------


def _plain_state() -> xr.Dataset:
    ds = _good()
    state = _like(ds, standard_name="sea_water_potential_temperature", long_name="analysis")
    state.attrs.pop("units_metadata")
    return ds.drop_vars(["increment", "spread"]).assign(thetao=state)


def _nothing() -> xr.Dataset:
    return _good().drop_vars(["increment", "spread"])


def _two() -> xr.Dataset:
    ds = _good()
    return ds.assign(other=ds.increment)


def _no_time() -> xr.Dataset:
    return _good().isel(time=0, drop=True).drop_vars("time_bnds")


def _scalar_time() -> xr.Dataset:
    return _good().isel(time=0).drop_vars("time_bnds")


def _times(change: Callable[[np.ndarray], Any], bounds: bool = False) -> xr.Dataset:
    ds = _good()
    ds = ds if bounds else ds.drop_vars("time_bnds")
    attrs = dict(ds.time.attrs)
    if not bounds:
        attrs.pop("bounds")
    return ds.assign_coords(time=("time", change(ds.time.values), attrs))


def _swapped(values: np.ndarray) -> np.ndarray:
    return values[[0, 1, 3, 2, *range(4, len(values))]]


def _doubled(values: np.ndarray) -> np.ndarray:
    return values[[0, 1, 1, *range(3, len(values))]]


def _missing(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[4] = np.datetime64("NaT")
    return values


def _undecoded() -> xr.Dataset:
    ds = _times(lambda values: np.arange(len(values)) * 30.0)
    ds.time.attrs["units"] = "days since 1900-13-45"
    return ds


def _numbers_for_times() -> xr.Dataset:
    return _times(lambda values: np.arange(len(values)))


def _units(unit: str) -> xr.Dataset:
    ds = _good()
    ds.increment.attrs["units"] = unit
    return ds


def _no_units() -> xr.Dataset:
    ds = _good()
    del ds.increment.attrs["units"]
    return ds


def _with_spread(change: Callable[[xr.DataArray], xr.DataArray]) -> xr.Dataset:
    ds = _good()
    return ds.assign(spread=change(ds.spread))


def _negative(spread: xr.DataArray) -> xr.DataArray:
    return spread.where(spread.time != spread.time[5], -spread)


def _all_land() -> xr.Dataset:
    ds = _good()
    return ds.assign(increment=ds.increment.where(False))


def _infinite(at: tuple[int, ...] = (7, 2, 1, 3)) -> xr.Dataset:
    ds = _good()
    ds.increment.values[at] = -np.inf
    return ds


def _without(*names: str) -> xr.Dataset:
    ds = _good().drop_vars(names)
    for name in ds.variables:
        if ds[name].attrs.get("bounds") in names:
            del ds[name].attrs["bounds"]
    return ds


def _words() -> xr.Dataset:
    ds = _good()
    return ds.assign(increment=_like(ds).astype(str))


def _nemo_box() -> xr.Dataset:
    """Horizontal dimensions without latitude, longitude or cell sizes."""
    ds = _good().drop_vars(["lat", "lon", "lat_bnds", "lon_bnds"])
    return ds.rename(lat="y", lon="x")


def _unstructured_column() -> xr.Dataset:
    return _good().isel(depth=0, drop=True).drop_vars("depth_bnds")


def _model_file(change: Callable[[bytes], bytes]) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        path = folder / "mine.safetensors"
        path.write_bytes(change(persist.encode(Dong(60.0))))
        return str(path)

    return write


def _altered(data: bytes) -> bytes:
    return data.replace(b"60.0", b"61.0")


def _newer(data: bytes) -> bytes:
    return data.replace(rb"\"format\": 1", rb"\"format\": 9")


# ---- the table -----------------------------------------------------------------------------


TABLE = [
    # fields
    bad("a plain state", _plain_state, FieldNotFound, "xo.increments(", "fields=", "thetao"),
    bad("nothing at all", _nothing, FieldNotFound, "temperature_increment", "fields="),
    bad("two candidates", _two, AmbiguousField, "increment", "other", "fields="),
    bad(
        "fields= names what is not there",
        _good,
        FieldNotFound,
        "dT",
        "increment",
        fields={"temperature_increment": "dT"},
    ),
    bad(
        "fields= names an unknown field",
        _good,
        XOceanError,
        "temperatur",
        fields={"temperatur": "increment"},
    ),
    # time
    bad("no time axis", _no_time, GridError, "no time axis", "depth, lat, lon"),
    bad("times unsorted", lambda: _times(_swapped), GridError, "time", "sortby", "1990-0"),
    bad("times double", lambda: _times(_doubled), GridError, "time", "1990-02", "drop_duplicates"),
    bad("times descending", lambda: _times(lambda v: v[::-1]), GridError, "time", "sortby"),
    bad("times missing", lambda: _times(_missing), GridError, "time", "missing", "4"),
    bad("time undecoded", _undecoded, GridError, "time", "decode", "days since 1900-13-45"),
    bad("time by number", _numbers_for_times, GridError, "time", "decode"),
    bad("one step", lambda: _good().isel(time=[0]), GridError, "time", "1", "3"),
    bad("two steps", lambda: _good().isel(time=[0, 1]), GridError, "time", "2", "3"),
    # units
    bad("units of another kind", lambda: _units("m"), UnitsError, "increment", "'m'", "K"),
    bad("units not readable", lambda: _units("furlong per"), UnitsError, "increment", "furlong"),
    bad("units of a state", lambda: _units("K2"), UnitsError, "increment", "K2"),
    bad("no units", _no_units, UnitsError, "increment", "units"),
    # spread
    bad("spread absent", _good, FieldNotFound, "sprd", "spread", spread="sprd"),
    bad(
        "spread of another shape",
        lambda: _with_spread(lambda s: s.isel(lon=slice(2)).rename(lon="x")),
        GridError,
        "spread",
        "increment",
        "x",
        spread="spread",
    ),
    bad(
        "spread in other units",
        lambda: _with_spread(lambda s: s.assign_attrs(units="m")),
        UnitsError,
        "spread",
        "'m'",
        spread="spread",
    ),
    # values
    bad(
        "all land",
        _all_land,
        ValuesError,
        "increment",
        "all land",
        conserve_over="global",
        late=True,
    ),
    bad(
        "infinite",
        _infinite,
        ValuesError,
        "increment",
        "infinite",
        "time=7, depth=2, lat=1, lon=3",
        late=True,
    ),
    # options
    bad("an option of no model", _good, TypeError, "sharpness", "decay", sharpness=3),
    bad("conserve a number", _good, TypeError, "conserve", "5", conserve=5),
    bad("conserve no running length", _good, ValueError, "conserve", conserve="running:soon"),
    bad(
        "conserve over what is not",
        _good,
        ValueError,
        "conserve_over='planet'",
        "'cell', 'column', 'global'",
        conserve_over="planet",
    ),
    bad(
        "columns without depth",
        _unstructured_column,
        GridError,
        "increment",
        "vertical",
        'conserve_over="cell"',
        conserve_over="column",
    ),
    bad("mode unknown", _good, ValueError, "mode='rate'", "'increment', 'state'", mode="rate"),
    bad(
        "a state without analysis",
        _good,
        FieldNotFound,
        "analysis",
        "mode=",
        "thetao",
        mode="state",
    ),
    bad("device unknown", _good, ValueError, "device='gpu'", "'cuda'", device="gpu"),
    bad("decay without units", _good, ValueError, "decay", "30D", decay=30),
    bad("decay no length", _good, ValueError, "decay", "'slow'", decay="slow"),
    bad("decay negative", _good, ValueError, "decay", "positive", decay="-3D"),
    bad("also= on other times", _good, GridError, "also=", "time", also="shifted"),
    # models
    bad("model of no kind", _good, TypeError, "model", "3", model=3),
    bad("model of no name", _good, ModelFileError, "'smoothie'", "dong", model="smoothie"),
    bad(
        "model truncated",
        _good,
        ModelFileError,
        "mine.safetensors",
        "truncated",
        model=_model_file(lambda data: data[:100]),
    ),
    bad("model altered", _good, ModelFileError, "altered", "mine", model=_model_file(_altered)),
    bad("model newer", _good, ModelFileError, "newer", "upgrade", model=_model_file(_newer)),
    bad(
        "model a pickle",
        _good,
        ModelFileError,
        "pickle",
        "mine",
        model=_model_file(lambda data: pickle.dumps({"decay": 3})),
    ),
    bad("model a .pt", _good, ModelFileError, "pickle", "model.save", model="mine.pt"),
    bad("model not there", _good, ModelFileError, "no.safetensors", model="no.safetensors"),
    bad(
        "spread of a variable that is not there",
        _good,
        FieldNotFound,
        "nosuch",
        "increment",
        spread={"nosuch": "spread"},
    ),
    bad(
        "spread infinite",
        lambda: _with_spread(lambda s: s.where(s.lat < 10, np.inf)),
        ValuesError,
        "spread: infinite",
        "lat=2",
        spread="spread",
        late=True,
    ),
    bad(
        "spread negative",
        lambda: _with_spread(_negative),
        ValuesError,
        "spread: negative",
        "time=5",
        spread="spread",
        late=True,
    ),
    bad(
        "no steps",
        lambda: _good().isel(time=slice(0)),
        GridError,
        "time",
        "3",
    ),
    bad(
        "time a scalar",
        _scalar_time,
        GridError,
        "time",
        "expand_dims",
    ),
    bad(
        "conserve no frequency",
        _good,
        GridError,
        "conserve",
        "'soon'",
        conserve="soon",
    ),
    bad(
        "conserve empty",
        _good,
        GridError,
        "conserve",
        conserve="",
    ),
    bad(
        "globe without cells' sizes",
        _nemo_box,
        GridError,
        "cell_area",
        "latitude",
        conserve_over="global",
    ),
    bad(
        "words for numbers",
        _words,
        FieldNotFound,
        "increment",
        "<U",
    ),
]


def _call(ds: xr.Dataset, case: Bad, folder: Path) -> xr.Dataset:
    options = {k: v(folder) if callable(v) else v for k, v in case.options.items()}
    if options.get("also") == "shifted":
        shifted = _good().spread.rename("other")
        options["also"] = [
            shifted.assign_coords(time=shifted.time + np.timedelta64(1, "h")).to_dataset()
        ]
    model = options.pop("model", "dong")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rechunked")
        return ds.ml_smooth(model, **options)


def _no_compute(*args, **kwargs):
    raise AssertionError("something was computed before it was asked for")


def _message(error: BaseException) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def _check(case: Bad, caught: pytest.ExceptionInfo) -> None:
    assert caught.type is case.error or case.error is XOceanError
    for part in case.says:
        assert part in _message(caught.value)


@pytest.mark.parametrize("case", TABLE)
def test_bad_input_in_memory(case, tmp_path):
    with pytest.raises(case.error) as caught:
        _call(case.ds(), case, tmp_path)
    _check(case, caught)


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.parametrize("chunks", [{"time": -1, "lon": 1}, {"time": 5, "depth": 2, "lat": 3}])
def test_bad_input_lazily(case, chunks, tmp_path):
    """What is known from coordinates and metadata is told at once, values when computed."""
    ds = case.ds()
    held = [n for n in ds.data_vars if str(n).endswith("_bnds")]
    ds = ds.chunk({k: v for k, v in chunks.items() if k in ds.dims}).assign(
        {n: ds[n] for n in held}
    )
    if not case.late:
        with dask.config.set(scheduler=_no_compute), pytest.raises(case.error) as caught:
            _call(ds, case, tmp_path)
    else:
        with dask.config.set(scheduler=_no_compute):
            lazy = _call(ds, case, tmp_path)
        with pytest.raises(case.error) as caught:
            lazy.compute(scheduler="synchronous")
    _check(case, caught)


@pytest.mark.parametrize("case", TABLE)
def test_a_plan_tells_the_same(case, tmp_path):
    if case.late:
        pytest.skip("a plan does not look at values")
    options = {k: v(tmp_path) if callable(v) else v for k, v in case.options.items()}
    if options.get("also") == "shifted":
        pytest.skip("told above")
    with pytest.raises(case.error) as caught:
        case.ds().ml_smooth.plan(options.pop("model", "dong"), **options)
    _check(case, caught)


def test_the_input_of_the_table_is_good():
    """Nothing is refused but for the reason that a row gives."""
    for options in ({}, {"conserve_over": "column"}, {"conserve_over": "global"}):
        _good().ml_smooth("dong", spread="spread", **options)


# ---- places --------------------------------------------------------------------------------


@st.composite
def chunks_of(draw, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    chunks = {}
    for dim, size in zip(DIMS, shape, strict=True):
        cuts = draw(st.sets(st.integers(1, size - 1), max_size=3))
        chunks[dim] = tuple(np.diff([0, *sorted(cuts), size]).tolist())
    return chunks


SHAPE = (12, 3, 3, 4)  # of `clean_increments`
WAYS = [
    {"conserve": None},
    {"conserve": "YS"},
    {"conserve": "all", "conserve_over": "column"},
    {"conserve": "YS", "conserve_over": "global"},
    {"conserve": "running:1Y"},
    {"conserve": "YS", "spread": "spread"},
    {"conserve": "YS", "spread": "spread", "conserve_over": "column"},
    {"conserve": "YS", "spread": "spread", "conserve_over": "global"},
]


@pytest.mark.parametrize("order", [DIMS, ("lon", "depth", "time", "lat")], ids=["tzyx", "xzty"])
@pytest.mark.parametrize("options", WAYS, ids=lambda o: "-".join(map(str, o.values())))
@pytest.mark.filterwarnings("ignore:.*rechunked")
@settings(max_examples=6, deadline=None)
@given(st.data())
def test_the_place_of_a_bad_value_is_in_the_whole_array(options, order, data):
    at = tuple(data.draw(st.integers(1 if n == 3 else 0, s - 1)) for n, s in enumerate(SHAPE))
    name = data.draw(
        st.sampled_from(["increment", *([] if "spread" not in options else ["spread"])])
    )
    ds = _good()
    ds[name].values[at] = np.inf if name == "increment" else -1.0
    ds = ds.assign({n: ds[n].transpose(*order) for n in ("increment", "spread")})
    if data.draw(st.booleans()):
        chunks = data.draw(chunks_of(SHAPE))
        ds = ds.assign({n: ds[n].chunk(chunks) for n in ("increment", "spread")})
    with pytest.raises(ValuesError) as caught:
        ds.ml_smooth("dong", **options).compute(scheduler="synchronous")
    said = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", str(caught.value))}
    assert said == dict(zip(DIMS, at, strict=True))
    assert name in str(caught.value)


# ---- DataArrays ----------------------------------------------------------------------------


def test_a_dataarray_without_a_name_needs_none():
    ds = _good()
    got = ds.increment.rename(None).ml_smooth("dong", conserve="YS")
    assert got.name is None
    xr.testing.assert_equal(got, ds.increment.ml_smooth("dong", conserve="YS").rename(None))


def test_a_dataarray_that_is_no_increment_is_told():
    with pytest.raises(FieldNotFound, match=r"xo\.increments\("):
        _plain_state().thetao.ml_smooth("dong")
    with pytest.raises(FieldNotFound, match=r"fields="):
        _plain_state().thetao.rename(None).ml_smooth("dong")


def test_a_dataarray_with_infinite_values_is_told_with_its_name():
    with pytest.raises(ValuesError, match="increment: infinite"):
        _infinite().increment.ml_smooth("dong")


def test_the_function_takes_datasets_only():
    import xocean_ml as xo

    with pytest.raises(TypeError, match=r"Dataset, not DataArray; ds\.ml_smooth"):
        xo.smooth(_good().increment, "dong")  # type: ignore[arg-type]


def test_bad_variables_are_told_together():
    """A user mends a file in one go."""
    ds = _good()
    salt = _like(ds, standard_name="change_over_time_in_sea_water_practical_salinity", units="m")
    salt.attrs.pop("units_metadata")
    ds = ds.assign(salt=salt)
    ds.increment.attrs["units"] = "m"
    with pytest.raises(UnitsError) as caught:
        ds.ml_smooth("dong")
    assert "increment" in str(caught.value)
    assert "salt" in str(caught.value)


def test_nothing_is_wrong_with_no_cells():
    """An empty selection is no error: nothing in, nothing out."""
    empty = _good().isel(lat=slice(0))
    assert empty.ml_smooth("dong").increment.shape == empty.increment.shape
