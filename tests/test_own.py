"""A state space fitted to one's own increments, through the accessor."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import xocean_ml as xo
from xocean_ml.errors import GridError

NAME = "temperature_increment"
BESIDE = ["number_of_observations", f"{NAME}_spread"]


@pytest.fixture(scope="module")
def twin() -> xr.Dataset:
    return xo.simulate.increments("test_inside", columns=24, seed=5, depth=(430.0, 1200.0))


def _errors(out: xr.Dataset, twin: xr.Dataset) -> xr.DataArray:
    options = {"truth": twin.true_increment, "optimum": twin.optimum_a, "bootstrap": 0}
    score = xo.metrics.smoothing(out[NAME], twin[NAME], **options)
    return score.rmse_ratio.sel(era="all", band=["300-800", "800-2000"])


@pytest.mark.parametrize("without", [[], BESIDE[:1], BESIDE], ids=str)
def test_without_a_truth_it_is_near_the_optimum(twin, without):
    ds = twin.drop_vars(without)
    model = ds.ml_smooth.fit("statespace")
    assert float(_errors(ds.ml_smooth(model, conserve=None), twin).max()) < 1.15


def test_it_is_saved_with_its_laws_and_chunks_do_not_matter(twin, tmp_path):
    model = twin.ml_smooth.fit("statespace")
    model.save(tmp_path / "mine.safetensors")
    again = xo.load(tmp_path / "mine.safetensors")
    one = twin.ml_smooth(model, uncertainty=True)
    two = twin.chunk(column=5).ml_smooth(again, uncertainty=True).compute()
    for name in (NAME, f"{NAME}_spread"):
        np.testing.assert_allclose(one[name], two[name], atol=1e-6 * float(abs(one[name]).max()))


def test_a_lazy_record_is_fitted_as_one_in_memory_is(twin):
    one, two = (each.ml_smooth.fit("statespace") for each in (twin, twin.chunk(time=100)))
    for name, values in one.tensors().items():
        np.testing.assert_array_equal(values, two.tensors()[name])


def test_it_asks_for_what_it_was_fitted_with(twin):
    model = twin.ml_smooth.fit("statespace")
    with pytest.raises(GridError, match="fitted with"):
        twin.drop_vars(BESIDE).ml_smooth(model)
    bare = twin.drop_vars(BESIDE)
    with pytest.raises(GridError, match="fitted to 1200 steps"):
        bare.isel(time=slice(600)).ml_smooth(bare.ml_smooth.fit("statespace"))


def test_unknown_kinds_and_options_are_told(twin):
    with pytest.raises(ValueError, match="statespace"):
        twin.ml_smooth.fit("magic")
    with pytest.raises(TypeError, match="decay"):
        twin.ml_smooth.fit("statespace", decay="3D")
