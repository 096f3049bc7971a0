"""Three masks: land, unobserved, zero."""

from __future__ import annotations

from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xocean_ml import masks
from xocean_ml.errors import GridError

VALUES = arrays(np.float64, (4, 5), elements=st.sampled_from([np.nan, 0.0, 1.0]))


@settings(deadline=None)
@given(VALUES)
def test_every_value_is_land_unobserved_or_a_value(values: np.ndarray) -> None:
    field = xr.DataArray(values, dims=("time", "x"))
    land, unobserved = masks.land(field), masks.unobserved(field)
    known = field.notnull()
    total = land.astype(int) + unobserved.astype(int) + known.astype(int)
    np.testing.assert_array_equal(total, 1)


@settings(deadline=None)
@given(VALUES)
def test_zero_is_a_value(values: np.ndarray) -> None:
    field = xr.DataArray(values, dims=("time", "x"))
    other = field.where((field != 0) | field.isnull(), 7.0)
    xr.testing.assert_identical(masks.land(field), masks.land(other))
    xr.testing.assert_identical(masks.unobserved(field), masks.unobserved(other))


def test_land_runs_over_time_and_members() -> None:
    values = np.full((2, 3, 4), np.nan)
    values[1, 2, 0] = 0.0
    field = xr.DataArray(values, dims=("number", "time", "x"))
    np.testing.assert_array_equal(masks.land(field), [False, True, True, True])
    assert masks.land(field, over=("T",)).dims == ("number", "x")
    assert masks.land(field, over=("x", "Z")).dims == ("number", "time")
    np.testing.assert_array_equal(masks.land(field.isel(time=0), over=()), True)


def test_masks_stay_lazy_and_bear_no_units() -> None:
    field = xr.DataArray(np.ones((2, 3)), dims=("time", "x"), attrs={"units": "K"})
    for mask in (masks.land(field.chunk(time=1)), masks.unobserved(field.chunk(time=1))):
        assert dask.is_dask_collection(mask.data)
        assert mask.dtype == bool
        assert mask.attrs == {}
    assert field.attrs == {"units": "K"}


def test_unobserved_with_a_given_mask_keeps_the_order() -> None:
    field = xr.DataArray([[np.nan, 1.0], [np.nan, 2.0]], dims=("time", "x"))
    nowhere = xr.DataArray([False, False], dims="x")
    unobserved = masks.unobserved(field, nowhere)
    assert unobserved.dims == ("time", "x")
    np.testing.assert_array_equal(unobserved, [[True, False], [True, False]])


GIVEN = {
    "sea_binary_mask": ([0, 1, 1], {"standard_name": "sea_binary_mask"}),
    "land_binary_mask": ([1, 0, 0], {"standard_name": "land_binary_mask"}),
    "percent of sea": ([10, 60, 100], {"standard_name": "sea_area_fraction", "units": "%"}),
    "fraction of land": ([np.nan, 0.4, 0.0], {"standard_name": "land_area_fraction"}),
    "ROMS": (
        [0, 1, 1],
        {"long_name": "mask on RHO-points"} | {"option_0": "land", "option_1": "w"},
    ),
    "flags": ([3, 1, 2], {"flag_values": np.array([1, 2, 3]), "flag_meanings": "sea ice land"}),
    "flags as text": ([1, 0, 0], {"flag_values": "0b, 1b", "flag_meanings": "water land"}),
    "bits": ([6, 1, 5], {"flag_masks": np.array([1, 2, 4]), "flag_meanings": "water land ice"}),
}


@pytest.mark.parametrize(("values", "attrs"), GIVEN.values(), ids=GIVEN.keys())
def test_given_land(values: list[float], attrs: dict[str, object]) -> None:
    ds = xr.Dataset({"mask": ("x", values, attrs), "sst": ("x", [np.nan, 1.0, np.nan])})
    found = masks.given_land(ds)
    assert found is not None
    np.testing.assert_array_equal(found, [True, False, False])


def test_no_attributes_no_mask() -> None:
    assert masks.given_land(xr.Dataset({"tmask": ("x", [0, 1])})) is None


def test_several_masks_are_named() -> None:
    attrs = {"standard_name": "sea_binary_mask"}
    ds = xr.Dataset({"mask_rho": ("x", [0, 1], attrs), "mask_u": ("x", [0, 1], attrs)})
    with pytest.raises(GridError, match="mask_rho, mask_u"):
        masks.given_land(ds)


@pytest.mark.realdata
def test_real_given_land_is_where_the_field_is_missing(realdata: Path) -> None:
    with xr.open_dataset(realdata / "roms_arctic20_5day.nc") as ds:
        np.testing.assert_array_equal(masks.given_land(ds), masks.land(ds.zeta))
