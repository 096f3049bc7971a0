"""What the figure of an analysis shows is what was given."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from climates import globe

pytest.importorskip("matplotlib")

from xocean_ml import plot
from xocean_ml.errors import FieldNotFound

TITLES = ["truth", "analysis", "spread", "r", "mean over the area"]


def analysed() -> tuple[xr.Dataset, xr.Dataset]:
    truth = globe().isel(time=slice(0, 6))
    spreads = {f"{name}_spread": 0 * truth[name] + 0.5 for name in truth}
    return (truth + 0.1).assign(spreads), truth


def maps(fig) -> list[np.ndarray]:
    """Values of all maps, in order."""
    from matplotlib.collections import QuadMesh

    return [
        np.ma.filled(mesh.get_array().astype(float), np.nan)
        for ax in fig.axes
        for mesh in ax.collections
        if isinstance(mesh, QuadMesh) and ax.get_title("left")
    ]


def test_a_row_for_each_field_with_maps_of_what_was_given():
    full, truth = analysed()
    fig = plot.assimilation(full, truth, time=3)
    titles = [ax.get_title("left").split(" = ")[0] for ax in fig.axes if ax.get_title("left")]
    assert titles == TITLES * 3
    shown = maps(fig)
    np.testing.assert_array_equal(shown[0], truth.sst.values[3])
    np.testing.assert_allclose(shown[1], full.sst.values[3])
    np.testing.assert_allclose(shown[5], 0.5)


def test_differences_from_the_climatology_are_shown_about_zero():
    full, truth = analysed()
    fig = plot.assimilation(full, truth, base=truth, fields=["psl"])
    shown = maps(fig)
    np.testing.assert_array_equal(shown[0], 0)
    np.testing.assert_allclose(shown[1], 0.1, rtol=1e-4)
    mesh = fig.axes[1].collections[0]
    assert mesh.get_clim()[0] == -mesh.get_clim()[1]


def test_series_are_weighted_by_area():
    full, truth = analysed()
    fig = plot.assimilation(full, truth, fields=["psl"])
    series = next(ax for ax in fig.axes if ax.get_title("left") == "mean over the area")
    weight = np.cos(np.deg2rad(truth.lat))
    expected = truth.psl.weighted(weight).mean(["lat", "lon"])
    np.testing.assert_allclose(series.lines[0].get_ydata(), expected, rtol=1e-6)


def test_what_was_seen_in_part_is_marked():
    full, truth = analysed()
    seen = truth.where(np.random.default_rng(0).random(truth.psl.shape) < 0.2)
    fig = plot.assimilation(full, truth, observed=seen, fields=["psl"], time=2)
    dots = fig.axes[1].lines[0]
    assert len(dots.get_xdata()) == int(seen.psl[2].notnull().sum())


def test_land_is_no_part_of_the_correlation():
    full, truth = analysed()
    fig = plot.assimilation(full, truth, fields=["sst"])
    assert "r = 1.000" in [ax.get_title("left") for ax in fig.axes]


def test_nothing_to_show_is_told():
    full, truth = analysed()
    with pytest.raises(FieldNotFound, match="spread"):
        plot.assimilation(truth, truth)
    with pytest.raises(FieldNotFound, match="spread"):
        plot.assimilation(full, truth, fields=["salt"])
