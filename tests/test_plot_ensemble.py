"""What the figure of an experiment shows is what is in its table."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("matplotlib")

from xocean_ml import plot
from xocean_ml.errors import FieldNotFound

NAMES = ["ssh", "vorticity"]


def table(models: int = 3, base: bool = False, intervals: bool = True) -> xr.Dataset:
    """Scores as `evaluate.osse` gives them; the last model has half as many members."""
    random = np.random.default_rng(0)
    where = ("model", "variable")

    def some(*shape: int) -> np.ndarray:
        return random.uniform(0.5, 1.5, (models, len(NAMES), *shape))

    ranks = some(9)
    ranks[-1, :, 5:] = np.nan
    ranks /= np.nansum(ranks, axis=-1, keepdims=True)
    scores = {
        "crps": (where, some() * np.array([0.02, 3e-6])),
        "spread_over_error": (where, some()),
        "psd_ratio": ((*where, "wavenumber"), some(12)),
        "rank_histogram": ((*where, "rank"), ranks),
    }
    if base:
        scores["crps_ratio"] = (where, some())
    if intervals:
        ends = {"low": 0.9, "high": 1.2}
        scores |= {f"{n}_{e}": (d, f * v) for n, (d, v) in scores.items() for e, f in ends.items()}
    coords = {
        "model": [f"model {k}" for k in range(models)],
        "variable": NAMES,
        "wavenumber": np.linspace(0.005, 0.06, 12),
        "rank": np.arange(9),
        "units": ("variable", ["m", "s-1"]),
        "observed": ("variable", [True, False]),
    }
    return xr.Dataset(scores, coords, {"base": "model 1"} if base else {})


def panels(fig, columns: int = 2) -> list[list]:
    return [fig.axes[k : k + columns] for k in range(0, len(fig.axes), columns)]


def dots(ax) -> list[float]:
    return [float(line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "o"]


def test_each_score_of_each_variable_is_drawn():
    ds = table()
    crps, spread, spectra, ranks = panels(plot.ensemble(ds))
    np.testing.assert_allclose(dots(crps[0]), ds.crps[:, 0])
    np.testing.assert_allclose(dots(crps[1]), 1e6 * ds.crps[:, 1])
    for k in range(2):
        np.testing.assert_allclose(dots(spread[k]), ds.spread_over_error[:, k])
        drawn = [line for line in spectra[k].lines if len(line.get_xdata()) == 12]
        for number, line in enumerate(drawn):
            np.testing.assert_allclose(line.get_xdata(), 1 / ds.wavenumber)
            np.testing.assert_allclose(line.get_ydata(), ds.psd_ratio[number, k])
        steps = [patch.get_data() for patch in ranks[k].patches]
        np.testing.assert_allclose(steps[0].values, 9 * ds.rank_histogram[0, k])
        np.testing.assert_allclose(steps[2].values, 5 * ds.rank_histogram[2, k, :5])
        assert steps[2].edges[-1] == 1


def test_names_units_and_what_was_observed():
    fig = plot.ensemble(table())
    crps, *_, ranks = panels(fig)
    assert [ax.get_title("left") for ax in crps] == NAMES
    assert [ax.texts[0].get_text() for ax in crps] == ["observed", "not observed"]
    assert crps[0].get_ylabel() == "CRPS [m]"
    assert crps[1].get_ylabel() == "[10$^{-6}$ s$^{-1}$]"
    assert [row[0].get_ylabel() for row in panels(fig)[1:]] == [
        "spread over error",
        "power relative to truth",
        "share relative to flat",
    ]
    assert ranks[1].get_ylabel() == ""
    (legend,) = fig.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"model {k}" for k in range(3)]


def test_panels_of_a_row_share_a_scale_that_holds_all():
    ds = table(base=True)
    for row in panels(plot.ensemble(ds)):
        assert row[0].get_ylim() == row[1].get_ylim()
    ranks = panels(plot.ensemble(ds))[-1]
    assert ranks[0].get_ylim()[0] == 0
    assert ranks[0].get_ylim()[1] > 9 * float(ds.rank_histogram[:2].max())


def test_intervals_are_drawn_where_there_are_any():
    ds = table()
    first = panels(plot.ensemble(ds))[0][0]
    (ends,) = first.collections[0].get_segments()
    np.testing.assert_allclose(ends[:, 1], [ds.crps_low[0, 0], ds.crps_high[0, 0]])
    assert not panels(plot.ensemble(table(intervals=False)))[0][0].collections


def test_ratios_are_shown_in_place_of_scores():
    ds = table(base=True)
    first = panels(plot.ensemble(ds))[0]
    assert first[0].get_ylabel() == "CRPS relative to model 1"
    np.testing.assert_allclose(dots(first[1]), ds.crps_ratio[:, 1])


def test_what_is_not_there_is_told_or_left_out():
    ds = table(base=True)
    lacking = ds.assign(crps_ratio=ds.crps_ratio.where(ds.variable == "ssh"))
    assert next(t.get_text() for t in panels(plot.ensemble(lacking))[0][1].texts) == "not given"
    fig = plot.ensemble(ds.drop_vars(["psd_ratio", "wavenumber"]), variables=["vorticity"])
    assert [ax.get_ylabel() for ax in fig.axes] == [
        "CRPS relative to model 1",
        "spread over error",
        "share relative to flat",
    ]
    assert fig.axes[0].get_title("left") == "vorticity"


def test_one_ensemble_of_the_metrics_needs_no_model():
    ds = table(models=1).isel(model=0, drop=True).drop_vars(["observed", "units"])
    fig = plot.ensemble(ds.expand_dims(where=["all", "observed", "unobserved"], axis=1))
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["members"]
    assert dots(fig.axes[0]) == [float(ds.crps[0])]


@pytest.mark.parametrize("models", [1, 3, 9])
def test_nothing_overlaps(models):
    fig = plot.ensemble(table(models=models))
    fig.savefig(io.BytesIO(), format="png")
    renderer = fig.canvas.get_renderer()
    boxes = [ax.get_tightbbox(renderer) for ax in fig.axes]
    boxes.append(fig.legends[0].get_window_extent(renderer))
    for k, one in enumerate(boxes):
        assert one.x0 >= 0
        assert one.y0 >= 0
        for other in boxes[k + 1 :]:
            across = min(one.x1, other.x1) - max(one.x0, other.x0)
            down = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(across, down) < 1


def test_nothing_to_show_is_told():
    with pytest.raises(FieldNotFound, match="no variable 'salt' in the table; there are"):
        plot.ensemble(table(), variables=["salt"])
    with pytest.raises(FieldNotFound, match="no scores of ensembles"):
        plot.ensemble(xr.Dataset({"sst": ("time", [1.0])}))


def test_the_table_is_not_changed():
    ds = table()
    plot.ensemble(ds)
    xr.testing.assert_identical(ds, table())


def test_nothing_global_changes():
    code = """
import matplotlib
before = dict(matplotlib.rcParams)
from test_plot_ensemble import plot, table
plot.ensemble(table())
assert dict(matplotlib.rcParams) == before
import matplotlib.pyplot
assert matplotlib.pyplot.get_fignums() == []
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
