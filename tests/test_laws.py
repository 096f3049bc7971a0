"""Laws that every accessor obeys, written once."""

from __future__ import annotations

import warnings

import dask
import numpy as np
import pytest
import xarray as xr
from compliance import findings_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import CASES, Case

CHUNKS = [
    {"time": -1, "lat": 1, "lon": 2},
    {"time": 1},
    {"time": 7, "depth": 2, "lat": 2},
    {"time": 25, "depth": 1, "lon": 3},
]


@pytest.fixture(params=CASES, scope="module")
def case(request) -> Case:
    return request.param


@pytest.fixture(scope="module")
def sample(case) -> xr.Dataset:
    return case.sample()


@pytest.fixture(scope="module")
def answer(case, sample) -> xr.Dataset:
    return case(sample)


def _chunk(ds, chunks):
    """Chunked, but for bounds: they belong to the coordinates, which are checked at once."""
    return ds.chunk(chunks).assign({n: ds[n] for n in ds.data_vars if str(n).endswith("_bnds")})


def _no_compute(*args, **kwargs):
    raise AssertionError("something was computed before it was asked for")


def _close(case, got, expected):
    got, expected = got[case.variable].values, expected[case.variable].values
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    scale = np.nanmax(np.abs(expected))
    np.testing.assert_allclose(got, expected, rtol=0, atol=case.tolerance * scale)


def _beneath(case, sample, answer):
    """The input's cell that each cell of the answer lies in."""
    before, after = sample[case.variable], answer[case.variable]
    if not case.refines:
        return before
    lat = np.abs(after.lat.values[:, None] - before.lat.values).argmin(1)
    lon = _apart(after.lon.values[:, None], before.lon.values).argmin(1)
    return before.isel(lat=lat, lon=lon)


def _apart(one, other):
    """Distance in longitude."""
    return np.abs((one - other + 180) % 360 - 180)


def _quiet(case, ds, **more):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rechunked")
        return case(ds, **more)


def test_it_changes_something(case, sample, answer):
    before = _beneath(case, sample, answer)
    assert not np.allclose(answer[case.variable], before, equal_nan=True)


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_lazy_in_lazy_out_and_the_same_for_every_chunking(case, sample, answer, chunks):
    lazy = _chunk(sample, chunks)
    with dask.config.set(scheduler=_no_compute):
        out = _quiet(case, lazy)
    assert out[case.variable].chunks is not None
    assert out[case.variable].dtype == answer[case.variable].dtype
    _close(case, out.compute(scheduler="threads"), answer)


def test_numpy_in_numpy_out(case, answer):
    assert isinstance(answer[case.variable].data, np.ndarray)


def test_same_call_same_keys(case, sample):
    lazy = _chunk(sample, CHUNKS[0])
    names = {_quiet(case, lazy)[case.variable].data.name for _ in range(2)}
    assert len(names) == 1


def test_metadata_stay(case, sample, answer):
    before, after = sample[case.variable], answer[case.variable]
    assert list(answer.data_vars)[: len(sample.data_vars)] == list(sample.data_vars)
    assert after.dims == before.dims
    assert after.dtype == before.dtype
    for name in ("units", "standard_name", "cell_methods", "long_name"):
        assert after.attrs.get(name) == before.attrs.get(name)
    old, new = before.coords.to_dataset(), after.coords.to_dataset()
    if case.refines:
        for name in ("lat", "lon"):
            assert new[name].attrs.items() >= old[name].attrs.items()
            bounds = answer[new[name].attrs["bounds"]]
            inside = (bounds.min("bnds") < new[name]) & (new[name] < bounds.max("bnds"))
            assert inside.all()
        old, new = (each.drop_vars(["lat", "lon"]) for each in (old, new))
    xr.testing.assert_identical(new, old)
    added = answer.attrs["history"].replace(sample.attrs["history"], "").strip().splitlines()
    assert len(added) == 1
    assert case.accessor in added[0]
    assert not after.attrs.get("history")


def test_the_input_is_not_modified(case):
    ds, kept = case.sample(), case.sample()
    case(ds)
    xr.testing.assert_identical(ds, kept)
    for name in ds.variables:
        assert ds[name].encoding == kept[name].encoding


def test_units_commute(case, sample, answer):
    other = sample.copy()
    changed = other[case.variable]
    kelvin_state = changed.attrs.get("units_metadata", "").endswith("on_scale")
    factor, offset, units = (1, 273.15, "degC") if kelvin_state else (1e3, 0.0, "mK")
    other[case.variable] = ((changed - offset) * factor).assign_attrs(changed.attrs, units=units)
    out = case(other)
    assert out[case.variable].attrs["units"] == units
    back = out.assign({case.variable: out[case.variable] / factor + offset})
    _close(case, back, answer)


@pytest.mark.parametrize("chunked", [False, True])
def test_pint_quantities_come_back_as_quantities(case, sample, answer, chunked):
    import pint

    registry = pint.get_application_registry()
    given_as = sample[case.variable]
    ds = _chunk(sample, CHUNKS[0]) if chunked else sample
    on_scale = "on_scale" in given_as.attrs.get("units_metadata", "")
    unit = registry.Unit("kelvin" if on_scale else "delta_degC")
    data = registry.Quantity(ds[case.variable].data, unit)
    attrs = {k: v for k, v in given_as.attrs.items() if k != "units"}
    out = case(ds.assign({case.variable: (given_as.dims, data, attrs)}))
    quantity = out[case.variable].data
    assert quantity.units == unit
    assert dask.is_dask_collection(quantity.magnitude) == chunked
    plain = quantity.magnitude.compute() if chunked else quantity.magnitude
    _close(case, out.assign({case.variable: (given_as.dims, plain)}), answer)


def test_land_stays_land_and_nothing_else_becomes_so(case, sample, answer):
    beneath = _beneath(case, sample, answer)
    np.testing.assert_array_equal(np.isnan(answer[case.variable]), np.isnan(beneath))


def test_land_values_do_not_leak(case, sample, answer):
    """What lies under the land mask cannot matter, because it is not a number."""
    if case.refines or case.joint:
        pytest.skip("cells see their neighbours")
    wet = sample.isel(lon=slice(1, None))
    if "global" in case.options.get("conserve_over", "") or case.options.get("decay") == "fit":
        pytest.skip("cells share a sum, or a fit, over the globe")
    _close(case, case(wet), answer.isel(lon=slice(1, None)))


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(shift=st.integers(0, 3), west=st.booleans(), flip=st.booleans())
def test_seam_and_orientation_do_not_matter(case, sample, answer, shift, west, flip):
    turned = sample.drop_vars(["lat_bnds", "lon_bnds"]).roll(lon=shift, roll_coords=True)
    for name in ("lat", "lon"):
        turned[name].attrs.pop("bounds", None)
    lon = turned.lon.values
    lon = (lon + 180) % 360 - 180 if west else np.where(lon < lon[0], lon + 360, lon)
    attrs = turned.lon.attrs
    turned = turned.assign_coords(lon=("lon", lon, attrs))
    order = np.argsort(lon)
    turned = turned.isel(lon=order, lat=slice(None, None, -1 if flip else 1))
    out = case(turned)
    lat = np.abs(answer.lat.values[:, None] - out.lat.values)
    lon = _apart(answer.lon.values[:, None], out.lon.values)
    assert max(lat.min(1).max(), lon.min(1).max()) < 1e-9
    _close(case, out.isel(lat=lat.argmin(1), lon=lon.argmin(1)), answer)


def test_the_byte_order_of_old_files_comes_back(case, sample, answer):
    """netCDF3 holds big-endian numbers."""
    floats = {n: v for n, v in sample.variables.items() if v.dtype.kind == "f"}
    old = sample.assign({n: v.astype(v.dtype.newbyteorder(">")) for n, v in floats.items()})
    assert old[case.variable].dtype.str[0] == ">"
    for ds in (old, _chunk(old, CHUNKS[2])):
        out = _quiet(case, ds)
        assert out[case.variable].dtype == old[case.variable].dtype
        _close(case, out, answer)


def test_dimension_order_does_not_matter(case, sample, answer):
    turned = sample.transpose("lon", "depth", "time", "lat", ...)
    out = case(turned)
    assert out[case.variable].dims == ("lon", "depth", "time", "lat")
    _close(case, out.transpose(*sample[case.variable].dims, ...), answer)


def test_further_dimensions_broadcast(case, sample, answer):
    if case.options.get("decay") == "fit":
        pytest.skip("a fit sees all members")
    fields = [n for n in sample.data_vars if not str(n).endswith("_bnds")]
    members = sample.drop_vars("realization")
    members = members.assign({n: members[n].expand_dims(member=[0, 1]) for n in fields})
    out = case(members)
    for member in range(2):
        _close(case, out.isel(member=member).transpose(*answer.dims, ...), answer)


def test_written_file_adds_no_finding(case, sample, answer, tmp_path):
    before = findings_of(sample, tmp_path / "in.nc")
    after = {f for f in findings_of(answer, tmp_path / "out.nc") if not f.startswith(case.allowed)}
    assert after - before == set()


def test_saved_and_loaded_is_identical(case, sample, tmp_path):
    model, again = case.save_and_load(tmp_path)
    assert again.spec == model.spec
    options = {k: v for k, v in case.options.items() if k not in ("model", "decay")}
    one, two = (getattr(sample, case.accessor)(each, **options) for each in (model, again))
    np.testing.assert_array_equal(one[case.variable], two[case.variable])


def test_plan_tells_before_anything_runs(case, sample):
    options = {k: v for k, v in case.options.items() if k != "model"}
    with dask.config.set(scheduler=_no_compute):
        told = getattr(_chunk(sample, CHUNKS[2]), case.accessor).plan(case.chosen, **options)
    assert case.variable in str(told)
    assert "<table" in told._repr_html_()


def test_unknown_options_are_named(case, sample):
    with pytest.raises(TypeError, match="sharpness"):
        case(sample, sharpness=3)
