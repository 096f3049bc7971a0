"""Laws of `.assimilate` beyond those that every accessor obeys (`test_laws.py`).

There one complete field is seen; here several with gaps, points beside them, errors of their own,
members, covariances.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import climates
import dask
import numpy as np
import pytest
import xarray as xr
from climates import KEYS, NAMES, at_points, gappy, globe
from compliance import findings_of
from hypothesis import given, settings
from hypothesis import strategies as st

TEMPERATURE, PRESSURE, RAIN = KEYS
STEPS = 9
ERRORS = {TEMPERATURE: 0.2, PRESSURE: 0.8, RAIN: 4e-6}


def model() -> Any:
    return climates.model()


@functools.cache
def seen() -> xr.Dataset:
    """Three fields with other gaps each; of one time nothing."""
    ds = gappy(globe().isel(time=slice(STEPS)))
    attrs = {name: ds[name].attrs for name in NAMES}
    ds = ds.where(ds.time != ds.time[4])
    return ds.assign({name: ds[name].assign_attrs(attrs[name]) for name in NAMES})


@functools.cache
def points() -> xr.Dataset:
    random = np.random.default_rng(7)
    lat, lon = random.uniform(-80, 80, 20), random.uniform(0, 360, 20)
    return at_points(globe(), "psl", lat, lon, random.integers(0, STEPS, 20))


@functools.cache
def error() -> xr.DataArray:
    """Of temperature: another in each cell, the same at all times."""
    random = np.random.default_rng(8)
    return xr.full_like(seen().sst[0].drop_vars("time"), 0).copy(
        data=random.uniform(0.1, 1, (12, 24))
    )


WAYS: dict[str, dict[str, Any]] = {
    "gaps": {"error": ERRORS},
    "open": {"error": ERRORS, "residual": False},
    "points": {"also": "points", "error": {PRESSURE: 0.5}},
    "errors": {"error": {TEMPERATURE: "array"}},
    "members": {"error": ERRORS, "members": 3, "seed": 5},
    "anomalies": {"error": ERRORS, "anomalies": True},
    "covariance": {"covariance": True},
}


def call(ds: xr.Dataset, way: str, **more: Any) -> xr.Dataset:
    given = {**WAYS[way], **more}
    if given.get("also") == "points":
        ds, given = ds.drop_vars("psl"), {**given, "also": [points()]}
    if given.get("error") == {TEMPERATURE: "array"}:
        array = error() if ds.sst.chunks is None else error().chunk(lat=5)
        given = {**given, "error": {TEMPERATURE: array}}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rechunked")
        return ds.assimilate(given.pop("model", None) or model(), **given)


@functools.cache
def answer(way: str) -> xr.Dataset:
    return call(seen(), way)


def close(one: xr.Dataset, other: xr.Dataset, rtol: float = 1e-8) -> None:
    assert set(one.data_vars) == set(other.data_vars)
    for name in other.data_vars:
        expected = other[name].transpose(*one[name].dims).values
        scale = np.nanmax(np.abs(expected)) + 1e-30
        np.testing.assert_allclose(one[name].values, expected, rtol=0, atol=rtol * scale)


def _no_compute(*args, **kwargs):
    raise AssertionError("something was computed before it was asked for")


@pytest.fixture(params=list(WAYS))
def way(request) -> str:
    return request.param


# ---- lazily ----------------------------------------------------------------------------------

CHUNKS = [{"time": 1}, {"time": 4, "lat": 5}, {"lat": 1, "lon": 7}, {"time": (2, 6, 1), "lon": 12}]


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_lazy_in_lazy_out_and_the_same_for_every_chunking(way, chunks):
    lazy = seen().chunk(chunks)
    with dask.config.set(scheduler=_no_compute):
        out = call(lazy, way)
    for name in out.data_vars:
        assert out[name].chunks is not None
        assert out[name].chunksizes["time"] == lazy.chunksizes["time"]
    close(out.compute(scheduler="threads"), answer(way))


def test_one_lazy_field_makes_it_lazy():
    ds = seen().assign(psl=seen().psl.chunk(time=3))
    with dask.config.set(scheduler=_no_compute):
        out = call(ds, "gaps")
    assert out.sst.chunksizes["time"] == (3, 3, 3)
    close(out, answer("gaps"))


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_members_are_the_same_on_every_scheduler(scheduler):
    lazy = call(seen().chunk(time=2, lat=3), "members")
    close(lazy.compute(scheduler=scheduler), answer("members"))


def test_the_same_on_a_cluster():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    lazy = call(seen().chunk(time=4), "members")
    with (
        distributed.LocalCluster(processes=False, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        out = client.compute(lazy).result()
    close(out, answer("members"))


def test_same_call_same_keys(way):
    lazy = seen().chunk(time=4)
    assert call(lazy, way).sst.data.name == call(lazy, way).sst.data.name


def test_some_times_alone_are_as_among_the_others(way):
    """Members too: they are keyed by the date."""
    some = seen().isel(time=[2, 5, 7])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*lie at none of the times")
        out = call(some, way)
    close(out, answer(way).isel(time=[2, 5, 7]))


# ---- however it is stored --------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(
    st.integers(0, 23),
    st.sampled_from(["0", "-180", "stored", "more"]),
    st.booleans(),
    st.permutations(["time", "lat", "lon"]),
    st.sampled_from(["gaps", "points", "members"]),
)
def test_seam_orientation_and_order_do_not_matter(roll, west, flip, order, way):
    turned = seen().roll(lon=roll, roll_coords=True)
    lon = turned.lon.values
    if west == "-180":
        turned = turned.assign_coords(lon=turned.lon.copy(data=(lon + 180) % 360 - 180))
    if west == "more":
        turned = turned.assign_coords(
            lon=turned.lon.copy(data=np.where(lon < lon[0], lon + 360, lon))
        )
    if west in ("0", "-180"):
        turned = turned.sortby("lon")
    turned = turned.isel(lat=slice(None, None, -1 if flip else 1)).transpose(*order)
    out = call(turned, way)
    assert tuple(d for d in out.sst.dims if d != "realization") == tuple(order)
    np.testing.assert_array_equal(out.lat, turned.lat)
    np.testing.assert_array_equal(out.lon, turned.lon)
    back = out.assign_coords(lon=out.lon % 360).sortby(["lat", "lon"])
    close(back, answer(way).sortby(["lat", "lon"]), 1e-7)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_dtypes_come_back(dtype, way):
    out = call(seen().astype(dtype), way)
    for name in NAMES[:1] if way == "points" else NAMES:
        assert out[name].dtype == np.dtype(dtype)
        assert out[f"{name}_spread"].dtype == np.dtype(dtype)
    if dtype == "f4":
        close(out, answer(way), 1e-3)


def test_single_precision_of_the_model_comes_where_nothing_is_observed():
    from xocean_ml.assimilation.fit import fit

    single = fit(globe().astype("f4"), latent=4, rank=6)
    assert seen()[["psl"]].assimilate(single).sst.dtype == np.float32
    assert seen()[["psl"]].assimilate(single).psl.dtype == np.float64


def test_members_of_the_input_are_each_analysed():
    one, two = seen(), gappy(globe().isel(time=slice(STEPS)), seed=9)
    both = xr.concat([one, two], "realization", join="exact")
    out = call(both, "gaps")
    assert out.sst.dims == ("realization", "time", "lat", "lon")
    for number, each in enumerate((one, two)):
        close(out.isel(realization=number), call(each, "gaps"))
    lazy = both.chunk(realization=1, time=4)
    close(call(lazy, "gaps"), out)


def test_further_dimensions_of_one_field_are_seen_with_the_others():
    both = seen().sst.expand_dims(member=["a", "b"]).assign_attrs(seen().sst.attrs)
    ds = seen().drop_vars("sst").assign(sst=both)
    out = call(ds, "gaps")
    np.testing.assert_array_equal(out.member, ["a", "b"])
    for number in range(2):
        close(out.isel(member=number), answer("gaps"))


# ---- units -----------------------------------------------------------------------------------

OTHER = {"sst": ("K", 1.0, 273.15), "psl": ("Pa", 100.0, 0.0), "pr": ("mm day-1", 86400.0, 0.0)}


def _in_other_units(ds: xr.Dataset) -> xr.Dataset:
    made = {}
    for name, (unit, factor, offset) in OTHER.items():
        made[name] = (ds[name] * factor + offset).assign_attrs(ds[name].attrs, units=unit)
    return ds.assign(made)


def _back(out: xr.Dataset, anomalies: bool) -> xr.Dataset:
    made = {}
    for name, (unit, factor, offset) in OTHER.items():
        assert out[name].attrs["units"] == unit
        assert out[f"{name}_spread"].attrs["units"] == unit
        made[name] = (out[name] - (0 if anomalies else offset)) / factor
        made[f"{name}_spread"] = out[f"{name}_spread"] / factor
    return out.assign(made)


@pytest.mark.parametrize("way", ["gaps", "members", "anomalies", "covariance"])
def test_units_commute(way):
    more = {}
    if "error" in WAYS[way]:
        values = [ERRORS[key] * OTHER[name][1] for key, name in zip(KEYS, NAMES, strict=True)]
        more = {"error": dict(zip(KEYS, values, strict=True))}
    out = call(_in_other_units(seen()), way, **more)
    close(_back(out, way == "anomalies"), answer(way), 1e-7)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("way", ["gaps", "anomalies", "members"])
def test_quantities_come_back_as_quantities(way, lazy):
    import pint

    registry = pint.get_application_registry()
    units = {"sst": "degree_Celsius", "psl": "hectopascal", "pr": "kilogram / meter**2 / second"}
    ds = seen().chunk(time=4) if lazy else seen()
    made = {}
    for name, unit in units.items():
        attrs = {k: v for k, v in ds[name].attrs.items() if k != "units"}
        made[name] = (ds[name].dims, registry.Quantity(ds[name].data, unit), attrs)
    out = call(ds.assign(made), way)
    plain = {}
    for name, unit in units.items():
        difference = "delta_degree_Celsius" if name == "sst" else unit
        expected = difference if way == "anomalies" else unit
        assert out[name].data.units == registry.Unit(expected)
        assert out[f"{name}_spread"].data.units == registry.Unit(difference)
        for each in (name, f"{name}_spread"):
            values = out[each].data.magnitude
            assert dask.is_dask_collection(values) == lazy
            plain[each] = (out[each].dims, np.asarray(values))
    close(out.assign(plain), answer(way))


# ---- what it says of itself ------------------------------------------------------------------


def test_metadata_stay(way):
    out, before = answer(way), seen()
    for name in NAMES[:1] if way == "points" else NAMES:
        kept = {k: v for k, v in out[name].attrs.items() if k != "units_metadata"}
        if way != "anomalies":
            assert kept == before[name].attrs
            assert [d for d in out[name].dims if d != "realization"] == list(before[name].dims)
        assert out[name].attrs["units"] == before[name].attrs["units"]
        assert "standard_name" not in out[f"{name}_spread"].attrs
        assert "standard error" in out[f"{name}_spread"].attrs["long_name"]
    for name in ("time", "lat", "lon"):
        xr.testing.assert_identical(out[name].variable, before[name].variable)
    assert out.attrs["title"] == before.attrs["title"]
    (line,) = out.attrs["history"].splitlines()
    assert "assimilate(model=eof, sha256=" in line
    assert ("members=3, seed=5" in line) == (way == "members")
    assert ("residual=False" in line) == (way == "open")
    assert out.observations.attrs["standard_name"] == "number_of_observations"
    assert out.observations.attrs["units"] == "1"


def test_history_gains_one_line():
    ds = seen().assign_attrs(history="2020-01-01T00:00:00Z made")
    lines = call(ds, "gaps").attrs["history"].splitlines()
    assert len(lines) == 2
    assert lines[0] == ds.attrs["history"]


def test_other_variables_are_carried_along():
    ds = seen().assign(depth_of_water=(("lat", "lon"), np.ones((12, 24)), {"units": "m"}))
    ds = ds.assign_coords(crs=((), 0))
    out = call(ds, "gaps")
    xr.testing.assert_identical(out.depth_of_water.variable, ds.depth_of_water.variable)
    assert "crs" in out.coords


def test_the_input_is_not_modified(way):
    ds, kept = seen().copy(deep=True), seen().copy(deep=True)
    call(ds, way)
    xr.testing.assert_identical(ds, kept)
    xr.testing.assert_identical(points(), points().copy(deep=True))
    for name in ds.variables:
        assert ds[name].encoding == kept[name].encoding


def test_written_file_adds_no_finding(way, tmp_path):
    before = findings_of(seen(), tmp_path / "in.nc")
    after = findings_of(answer(way), tmp_path / "out.nc") - before
    # the latent's own dimensions come after time on purpose
    assert {each for each in after if "latent" not in each} == set()
    with xr.open_dataset(tmp_path / "out.nc") as back:
        close(back.load(), answer(way))


def test_results_of_points_alone_are_clean_too(tmp_path):
    out = points().assimilate(model(), error=0.5)
    before = findings_of(points(), tmp_path / "in.nc")
    after = findings_of(out, tmp_path / "out.nc") - before
    assert {each for each in after if "latent" not in each} == set()
    assert out.sst.attrs["standard_name"] == "sea_surface_temperature"
    assert out.lat.attrs["units"] == "degrees_north"


# ---- plan ------------------------------------------------------------------------------------


def test_a_plan_computes_nothing():
    with dask.config.set(scheduler=_no_compute):
        told = seen().chunk(time=2, lat=3).assimilate.plan(model(), error=ERRORS, members=5)
    assert "5 blocks" in str(told)
    assert "<table" in told._repr_html_()
    assert "sst" in told._repr_html_()


def test_encoding_and_perturbing_compute_nothing():
    lazy = seen().chunk(time=2)
    with dask.config.set(scheduler=_no_compute):
        codes = lazy.assimilate.encode(model(), error=ERRORS)
        fields = codes.assimilate.decode(model())
        change = lazy.assimilate.perturb(model(), {TEMPERATURE: 1.0}, error=ERRORS)
    for each in (codes.latent, fields.sst, change.psl):
        assert each.chunks is not None
    plain = seen().assimilate.perturb(model(), {TEMPERATURE: 1.0}, error=ERRORS)
    close(change.compute(), plain)
