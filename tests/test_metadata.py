"""Output metadata: attributes, encodings, history; no finding is added."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from compliance import findings, findings_of
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import clean_increments

from xocean_ml.errors import GridError
from xocean_ml.metadata import describe, finish, history_line

LINE = history_line("test")

# ------------------------------------------------------------------------------------- attributes

UNITS_METADATA = [
    ("state", "K", "temperature: on_scale"),
    ("state", "degC", "temperature: on_scale"),
    ("state", "Deg C", "temperature: on_scale"),
    ("state", "degrees_celsius", "temperature: on_scale"),
    ("state", "C", "temperature: on_scale"),
    ("difference", "K", "temperature: difference"),
    ("difference", "K s-1", "temperature: difference"),
    ("spread", "Celsius", "temperature: difference"),
    ("variance", "K2", "temperature: difference"),
    ("variance", "degC^2", "temperature: difference"),
    ("state", "J kg-1 K-1", "temperature: difference"),
    ("state", "W/(m2 kelvin)", "temperature: difference"),
    ("state", "0.01 K", "temperature: on_scale"),
    ("state", "mK", "temperature: on_scale"),
    ("state", "K K-1", None),
    ("state", "no unit at all", None),
    ("state", "m", None),
    ("state", "kg m-3", None),
    ("difference", "m s-1", None),
    ("count", "1", None),
    ("weight", "K", None),
]


@pytest.mark.parametrize(("role", "units", "expected"), UNITS_METADATA)
def test_units_metadata(role: Any, units: str, expected: str | None) -> None:
    stale = {"units_metadata": "temperature: unknown"}
    described = describe(stale, role=role, units=units)
    assert described.get("units_metadata") == expected
    assert described["units"] == units


def test_describe_does_not_touch_its_input() -> None:
    attrs = {"units": "degC", "valid_max": 40.0, "actual_range": np.array([0, 1]), "comment": "c"}
    before = dict(attrs)
    described = describe(attrs, role="state", units="K", standard_name="x_y", comment=None, n=1)
    assert attrs == before
    assert described == {
        "standard_name": "x_y",
        "long_name": "x y",
        "units": "K",
        "units_metadata": "temperature: on_scale",
        "n": 1,
    }


def test_describe_keeps_or_takes_away() -> None:
    attrs = {"standard_name": "s", "long_name": "l", "cell_methods": "time: mean", "units": "m"}
    assert describe(attrs, role="state", units="m") == attrs
    bare = describe(attrs, role="state", units="m", standard_name="", cell_methods="")
    assert bare == {"long_name": "l", "units": "m"}
    assert describe({}, role="count", units="")["units"] == ""


def test_history_line() -> None:
    line = history_line("smooth", model="dong", sha256=None, seed=0)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ xocean_ml \S+: smooth\(model=dong, seed=0\)", line
    )


# ------------------------------------------------------------------------------------- finish


def packed() -> xr.Dataset:
    """Return a Dataset as read from a packed, chunked, compressed file."""
    ds = clean_increments(12)
    ds["increment"].encoding = {
        "dtype": np.dtype("i2"),
        "scale_factor": 0.001,
        "add_offset": 5.0,
        "_FillValue": np.int16(-32767),
        "zlib": True,
        "complevel": 4,
        "chunksizes": (1, 3, 3, 4),
        "preferred_chunks": {"time": 1, "depth": 3, "lat": 3, "lon": 4},
        "source": "old.nc",
    }
    ds["increment"].attrs["valid_range"] = np.array([-100, 100], "i2")
    ds["spread"].encoding = {"dtype": np.dtype("i2"), "scale_factor": 0.01, "_FillValue": -1}
    ds.lat.encoding = {"_FillValue": np.nan}
    return ds


def deep_state(ds: xr.Dataset) -> dict[Any, Any]:
    variables = {n: (v.dims, dict(v.attrs), dict(v.encoding)) for n, v in ds.variables.items()}
    return {**variables, "": (dict(ds.attrs), dict(ds.encoding), list(ds.variables))}


def test_input_is_not_modified_nor_shared() -> None:
    ds = packed()
    before, values = deep_state(ds), ds.copy(deep=True)
    out = finish(ds, {"increment": ds.increment * 2}, line=LINE)
    for variable in out.variables.values():
        variable.attrs["new"] = 1
        variable.encoding["new"] = 1
    out.attrs["new"] = 1
    assert repr(deep_state(ds)) == repr(before)
    xr.testing.assert_identical(ds, values)


def test_packing_is_cleared_where_values_change_and_only_there(tmp_path: Path) -> None:
    ds = packed()
    ds["increment"] = ds.increment.assign_attrs(valid_range=np.array([-100, 100], "i2"))
    changed = (ds.increment * 1e4).assign_attrs(ds.increment.attrs)
    out = finish(ds, {"increment": changed}, line=LINE)
    encoding = out.increment.encoding
    assert not {"scale_factor", "add_offset", "dtype", "source"} & set(encoding)
    assert np.isnan(encoding["_FillValue"])
    assert (encoding["zlib"], encoding["chunksizes"]) == (True, (1, 3, 3, 4))
    assert "valid_range" not in out.increment.attrs
    assert out.spread.encoding == ds.spread.encoding
    out.to_netcdf(tmp_path / "out.nc")
    with xr.open_dataset(tmp_path / "out.nc") as back:
        np.testing.assert_array_equal(back.increment, changed)
        assert np.abs(back.spread - ds.spread).max() <= 0.0051


@pytest.mark.parametrize("fill", [np.float32(-1e34), np.nan])
def test_floating_fill_value_is_kept(fill: float) -> None:
    ds = clean_increments(12)
    ds.increment.encoding["_FillValue"] = fill
    out = finish(ds, {"increment": ds.increment * 2}, line=LINE)
    np.testing.assert_equal(out.increment.encoding["_FillValue"], np.float32(fill))


def test_chunk_encodings_that_no_longer_fit_go() -> None:
    ds = packed()
    out = finish(ds, {"increment": ds.increment.isel(depth=[0])}, line=LINE)
    assert not {"chunksizes", "preferred_chunks"} & set(out.increment.encoding)
    collapsed = finish(ds, {"increment": ds.increment.mean("lon")}, line=LINE)
    assert "chunksizes" not in collapsed.increment.encoding


def test_zarr_chunks_cut_by_dask_go() -> None:
    ds = clean_increments(12)
    ds.increment.encoding["chunks"] = (4, 3, 3, 4)
    even = finish(ds, {"increment": ds.increment.chunk(time=8)}, line=LINE)
    cut = finish(ds, {"increment": ds.increment.chunk(time=6)}, line=LINE)
    assert even.increment.encoding["chunks"] == (4, 3, 3, 4)
    assert "chunks" not in cut.increment.encoding


def test_order_name_and_dtype_come_back() -> None:
    ds = clean_increments(12)
    changed = ds.increment.astype("f8").transpose("lon", ..., "time").rename("other")
    out = finish(ds, {"spread": changed, "increment": changed}, line=LINE)
    assert list(out.data_vars) == list(ds.data_vars)
    assert out.increment.dims == ds.increment.dims
    assert out.increment.dtype == np.float32
    xr.testing.assert_equal(out.increment, ds.increment)
    assert out.increment.name == "increment"


def test_an_integer_dtype_is_not_given_back() -> None:
    ds = xr.Dataset({"n": ("x", [1, 2])})
    np.testing.assert_array_equal(finish(ds, {"n": ds.n / 2}, line=LINE).n, [0.5, 1])


def test_what_fits_is_carried_and_what_does_not_is_left() -> None:
    ds = clean_increments(12).assign(orography=(("lat", "lon"), np.ones((3, 4))), scalar=3)
    fine = ds.increment.interp(lat=[-10.0, -5, 0, 5, 10], lon=[45.0, 90, 135])
    out = finish(ds, {"increment": fine}, line=LINE)
    assert {"scalar", "time_bnds", "depth_bnds", "realization"} <= set(out.variables)
    assert not {"orography", "spread", "lat_bnds", "lon_bnds"} & set(out.variables)
    np.testing.assert_array_equal(out.lat, fine.lat)


def test_same_size_elsewhere_does_not_fit() -> None:
    ds = clean_increments(12)
    shifted = ds.increment.assign_coords(lat=ds.lat + 1)
    out = finish(ds, {"increment": shifted}, line=LINE)
    assert "spread" not in out
    assert "bounds" not in out.lat.attrs


def test_unrelated_coordinates_are_carried() -> None:
    ds = clean_increments(12).assign_coords(station=("station", ["a", "b"]))
    assert "station" in finish(ds, {"increment": ds.increment}, line=LINE).coords


def test_new_dimension_and_new_variable() -> None:
    ds = clean_increments(12).drop_vars("realization")
    members = ds.increment.expand_dims(realization=[0, 1, 2])
    out = finish(ds, {"members": members}, line=LINE)
    assert out.members.dims[0] == "realization"
    assert set(ds.variables) <= set(out.variables)


def test_coordinates_that_lost_their_attributes_get_them_back() -> None:
    ds = clean_increments(12)
    coords = {dim: ds[dim].values for dim in ds.increment.dims}
    bare = xr.DataArray(ds.increment.values, coords=coords, dims=ds.increment.dims)
    out = finish(ds, {"increment": bare}, line=LINE)
    assert out.time.attrs == ds.time.attrs
    assert out.time.encoding["units"] == "days since 1900-01-01"


def test_changed_variables_must_share_a_grid() -> None:
    ds = clean_increments(12)
    changed = {"a": ds.increment, "b": ds.increment.isel(lat=[0, 1])}
    with pytest.raises(GridError, match="a and b do not lie on one grid along lat"):
        finish(ds, changed, line=LINE)


@pytest.mark.parametrize("old", ["", "2001 made", "2001 made\n2002 changed\n"])
def test_history_gains_one_line_on_the_dataset_only(old: str) -> None:
    ds = clean_increments(12).assign_attrs(history=old)
    out = finish(ds, {"increment": ds.increment}, line="2003 did\nthis")
    assert out.attrs["history"].splitlines() == [*old.splitlines(), "2003 did this"]
    assert "history" not in out.increment.attrs
    assert ds.attrs["history"] == old


def test_conventions_are_the_producers_claim() -> None:
    ds = clean_increments(12).assign_attrs(Conventions="CF-1.6")
    assert finish(ds, {}, line=LINE).attrs["Conventions"] == "CF-1.6"
    del ds.attrs["Conventions"]
    assert "Conventions" not in finish(ds, {}, line=LINE).attrs


def test_nothing_is_computed() -> None:
    def explode(block: np.ndarray) -> np.ndarray:
        raise AssertionError("computed")

    def untouchable(array: da.Array) -> da.Array:
        return array.map_blocks(explode, dtype=array.dtype, meta=np.empty(0, array.dtype))

    ds = clean_increments(12).chunk(time=3)
    ds = ds.assign_coords(area=(("lat", "lon"), untouchable(ds.increment.data[0, 0])))
    lazy = ds.increment.copy(data=untouchable(ds.increment.data))
    out = finish(ds, {"increment": lazy, "spread": lazy}, line=LINE)
    assert dask.is_dask_collection(out.increment.data)
    assert dask.is_dask_collection(out.coords["area"].data)


@settings(max_examples=30, deadline=None)
@given(
    dims=st.permutations(["time", "depth", "lat", "lon"]),
    dtype=st.sampled_from(["f4", "f8"]),
    names=st.sets(st.sampled_from(["increment", "spread"])),
)
def test_finish_of_the_input_is_the_input(dims: list[str], dtype: str, names: set[str]) -> None:
    """Whatever goes in unchanged comes out the same, but for the history."""
    ds = clean_increments(2).transpose(*dims, ...).astype(dtype)
    out = finish(ds, {name: ds[name].transpose("time", ...) for name in names}, line=LINE)
    xr.testing.assert_identical(out.assign_attrs(history=ds.history), ds)


# ------------------------------------------------------------------------------------- CF checker


def test_the_checker_does_find_what_is_wrong(tmp_path: Path) -> None:
    ds = clean_increments(2)
    del ds.increment.attrs["units"]
    assert any("increment" in each for each in findings_of(ds, tmp_path / "bad.nc"))


def test_a_clean_input_gives_no_finding(tmp_path: Path) -> None:
    ds = clean_increments()
    assert findings_of(ds, tmp_path / "in.nc") == set()
    with xr.open_dataset(tmp_path / "in.nc") as back:
        smooth = back.increment.rolling(time=3, center=True, min_periods=1).mean()
        smooth.attrs = describe(back.increment.attrs, role="difference", units="K")
        rate = back.increment / 86400
        rate.attrs = describe(
            back.increment.attrs, role="difference", units="K s-1", standard_name="", long_name="r"
        )
        out = finish(back, {"increment": smooth, "rate": rate}, line=LINE)
        assert findings_of(out, tmp_path / "out.nc") == set()


def test_states_and_members_give_no_finding(tmp_path: Path) -> None:
    ds = clean_increments().drop_vars(["realization", "spread"])
    attrs = describe(
        {}, role="state", units="degC", standard_name="sea_water_potential_temperature"
    )
    members = ds.increment.expand_dims(realization=np.arange(3, dtype="i4"))
    members = members.assign_attrs(attrs)
    members["realization"].attrs = {"standard_name": "realization", "units": "1"}
    out = finish(ds, {"members": members}, line=LINE)
    assert findings_of(out, tmp_path / "out.nc") == set()


def test_a_finer_grid_gives_no_finding(tmp_path: Path) -> None:
    """Bounds of the coarse grid are neither carried nor referred to."""
    ds = clean_increments()
    fine = ds.increment.interp(lat=np.linspace(-10, 10, 5), lon=np.linspace(45, 315, 7))
    out = finish(ds, {"increment": fine.astype("f4")}, line=LINE)
    assert findings_of(out, tmp_path / "out.nc") == set()


def test_a_messy_input_gets_no_worse(tmp_path: Path) -> None:
    ds = xr.Dataset(
        {"SST": (("TIME", "Y", "X"), np.ones((2, 3, 4), "f4"), {"units": "Deg C"})},
        {
            "TIME": ("TIME", [366.0, 1096.0], {"units": "hour since 0000-01-01 00:00:00"}),
            "nav_lat": (("Y", "X"), np.ones((3, 4))),
        },
    )
    before = findings_of(ds, tmp_path / "in.nc")
    assert before
    out = finish(ds, {"SST": ds.SST * 2}, line=LINE)
    assert findings_of(out, tmp_path / "out.nc") <= before


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "variable", "steps"),
    [
        ("monthly_4var_20deg.nc", "sst", 312),
        ("roms_arctic20_5day.nc", "temperature", 5),
        ("ssh_med_2005.nc", "adt", 10),
        ("sst_ersst_2010_2016.nc", "sst", 84),
        ("coads_climatology.nc", "SST", 12),
        ("atlas_temperature.nc", "TEMP", 12),
        ("currents_agulhas_2002.nc", "u", 20),
    ],
)
def test_real_files_get_no_worse(
    realdata: Path, tmp_path: Path, name: str, variable: str, steps: int
) -> None:
    before = findings(realdata / name)
    climatology = name in {"coads_climatology.nc", "atlas_temperature.nc"}
    with xr.open_dataset(realdata / name, decode_times=not climatology) as ds:
        ds = ds.isel(time=slice(steps)) if "time" in ds.dims else ds
        changed = ds[variable] + 1
        attrs = ds[variable].attrs
        changed.attrs = describe(attrs, role="state", units=attrs.get("units", "degC"))
        out = finish(ds, {variable: changed}, line=LINE)
        after = findings_of(out, tmp_path / "out.nc")
        assert after - before == set()
        with xr.open_dataset(tmp_path / "out.nc", decode_times=not climatology) as back:
            np.testing.assert_allclose(back[variable], changed, rtol=1e-6)
