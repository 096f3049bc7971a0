"""What the figures show is what was given: values, limits, units; and nothing global changes."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

matplotlib = pytest.importorskip("matplotlib")

from xocean_ml import metrics, plot  # noqa: E402

DEPTH = np.array([5.0, 50.0, 200.0, 500.0, 1500.0, 3000.0])
EDGES = np.array([0, 27.5, 125, 350, 1000, 2250, 3750])


def twin(columns: int = 4, *, units: str = "K", cftime: bool = False) -> xr.Dataset:
    """Pulses on a slow truth; observations get denser and shallower in time."""
    rng = np.random.default_rng(0)
    time = xr.date_range("1955-01-01", periods=720, freq="MS", use_cftime=cftime)
    shape = (time.size, DEPTH.size, columns)
    slow = np.cumsum(rng.normal(size=shape), axis=0)
    slow = 0.02 * (slow - slow.mean(0)) / (1 + DEPTH[:, None] / 500)
    seen = rng.random(shape) < np.linspace(0.1, 1, time.size)[:, None, None]
    raw = seen * (slow + rng.normal(size=shape) / (1 + DEPTH[:, None] / 500))
    fields = {"raw": raw, "truth": slow, "spread": seen / (1 + DEPTH[:, None] / 500)}
    return xr.Dataset(
        {
            name: (("time", "depth", "column"), data, {"units": units})
            for name, data in fields.items()
        },
        coords={"time": time, "depth": ("depth", DEPTH, {"units": "m", "axis": "Z"})},
    )


@pytest.fixture(scope="module")
def drawn():
    ds = twin()
    smoothed = metrics.whittaker(ds.raw, 1e4)
    score = metrics.smoothing(smoothed, ds.raw, truth=ds.truth, conserve="5YS", bootstrap=50)
    sweep = metrics.frontier(
        ds.raw,
        ds.truth,
        {"whittaker": [(lam, metrics.whittaker(ds.raw, lam)) for lam in (1.0, 1e3, 1e5)]},
        optimum=smoothed,
    )
    fig = plot.smoothing(
        ds.raw,
        smoothed,
        truth=ds.truth,
        spread=ds.spread,
        score=score,
        frontier=sweep,
        conserve="10YS",
        select={"column": 2},
    )
    return ds, smoothed, score, sweep, fig


def panel(fig, title: str):
    (found,) = [ax for ax in fig.axes if ax.get_title(loc="left").startswith(title)]
    return found


def lines(ax) -> dict[str, np.ndarray]:
    return {str(line.get_label()): line.get_ydata() for line in ax.lines}


def test_maps_show_the_fields_on_one_symmetric_scale(drawn) -> None:
    ds, smoothed, *_, fig = drawn
    fields = {"raw": ds.raw, "smoothed": smoothed, "truth": ds.truth}
    norms = set()
    for name, field in fields.items():
        (mesh,) = panel(fig, name).collections
        expected = field.isel(column=2).transpose("depth", "time")
        np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(expected.shape), expected)
        norms.add((mesh.norm.vmin, mesh.norm.vmax, mesh.norm.linear_width, mesh.cmap.name))
    ((low, high, width, _),) = norms
    assert low == -high
    assert 0 < width < high


def test_depth_is_down_and_the_upper_ocean_widened(drawn) -> None:
    ax = panel(drawn[-1], "raw")
    bottom, top = ax.get_ylim()
    assert (bottom, top) == (3750, 0)
    y = ax.transData.transform([(ax.get_xlim()[0], depth) for depth in (0, 300, 3750)])[:, 1]
    assert y[0] > y[1] > y[2]
    assert (y[0] - y[1]) / (y[0] - y[2]) > 3 * 300 / 3750


def test_series_is_the_level_nearest_500_m(drawn) -> None:
    ds, smoothed, *_, fig = drawn
    got = lines(panel(fig, "increment at 500 m"))
    np.testing.assert_allclose(got["raw"], ds.raw.isel(column=2, depth=3))
    np.testing.assert_allclose(got["smoothed"], smoothed.isel(column=2, depth=3))
    np.testing.assert_allclose(got["truth"], ds.truth.isel(column=2, depth=3))


@pytest.mark.parametrize(
    ("units", "factor"), [("K", 1.0), ("mK", 1e-3), ("degC", 1.0), ("K s-1", None)]
)
def test_heat_is_the_running_column_total(units: str, factor: float | None) -> None:
    ds = twin(1, units=units)
    ax = panel(plot.smoothing(ds.raw, 2 * ds.raw.assign_attrs(units=units)), "heat")
    power = int(ax.get_ylabel().split("{")[1].split("}")[0]) if "{" in ax.get_ylabel() else 0
    assert r"J m$^{-2}$" in ax.get_ylabel()
    power = power if ax.get_ylabel().startswith("heat [10") else 0
    thick = xr.DataArray(np.diff(EDGES), dims="depth")
    month = ds.time.dt.days_in_month if factor is None else xr.ones_like(ds.time, dtype=float)
    scale = 86400.0 if factor is None else factor
    kelvin = ds.raw.isel(column=0) * scale * month
    expected = 1026 * 3991.86795711963 * (kelvin * thick).sum("depth").cumsum("time")
    # Without time bounds steps meet half-way between times: months are a day or two off.
    rtol, atol = (0.06, 0.05 * float(abs(expected).max())) if factor is None else (1e-9, 0)
    np.testing.assert_allclose(lines(ax)["raw"] * 10.0**power, expected, rtol=rtol, atol=atol)


def test_other_quantities_have_amounts_in_their_own_units() -> None:
    ds = twin(1, units="1e-3")
    ax = panel(plot.smoothing(ds.raw, ds.raw), "amount")
    assert "1e-3 m" in ax.get_ylabel()


def test_windows_and_eras_are_drawn(drawn) -> None:
    ax = panel(drawn[-1], "smoothed")
    years = [
        int(str(np.datetime64(line.get_xdata()[0], "Y")))
        for line in ax.lines
        if len(line.get_xdata()) == 2
    ]
    # windows of ten years from 1900, those of xbt and argo; a series from 1955 to 2014
    assert sorted(years) == [1960, 1970, 1970, 1980, 1990, 2000, 2004]
    assert [text.get_text() for text in ax.texts] == ["ship", "xbt", "argo"]


def test_frontier_holds_every_method_and_the_optimum(drawn) -> None:
    _, _, score, sweep, fig = drawn
    got = lines(panel(fig, "error against noise, 300-800 m"))
    expected = sweep.rmse.sel(band="300-800", era="all")
    np.testing.assert_allclose(got["whittaker"], expected.sel(smoother="whittaker"))
    best = sweep.optimum_rmse.sel(band="300-800", era="all")
    np.testing.assert_allclose(np.ravel(got["optimum"]), best)
    own = score.rmse.sel(band="300-800", era="all")
    np.testing.assert_allclose(np.ravel(got["smoothed"]), own)


def test_scores_are_drawn_for_each_era(drawn) -> None:
    _, _, score, _, fig = drawn
    for title, name in (
        ("noise ratio", "noise_ratio"),
        ("correlation with truth", "correlation_truth"),
    ):
        ax = panel(fig, title)
        assert {str(line.get_label()) for line in ax.lines} == set(score.era.values)
        for line in ax.lines:
            np.testing.assert_allclose(line.get_xdata(), score[name].sel(era=line.get_label()))


def test_figure_is_1600_by_1000_pixels_and_draws(drawn) -> None:
    fig = drawn[-1]
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    buffer.seek(0)
    from matplotlib.image import imread

    image = imread(buffer)
    assert image.shape[:2] == (1000, 1600)
    assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 100


def same(a, b) -> bool:
    return [ax.get_title(loc="left") for ax in a.axes] == [
        ax.get_title(loc="left") for ax in b.axes
    ] and all(
        np.allclose(x.get_ydata(), y.get_ydata(), equal_nan=True)
        for one, two in zip(a.axes, b.axes, strict=True)
        for x, y in zip(one.lines, two.lines, strict=True)
    )


def test_layout_and_laziness_change_nothing() -> None:
    ds = twin()
    smoothed = metrics.running_mean(ds.raw, 13)
    expected = plot.smoothing(ds.raw, smoothed, truth=ds.truth)
    lazy, turned = ds.chunk(time=100), ds.transpose("column", "depth", "time")
    assert same(plot.smoothing(lazy.raw, smoothed.chunk(column=1), truth=lazy.truth), expected)
    assert same(plot.smoothing(turned.raw, smoothed, truth=turned.truth), expected)
    xr.testing.assert_identical(ds, twin())


def test_levels_in_any_order_and_sign() -> None:
    ds = twin(1)
    expected = plot.smoothing(ds.raw, ds.raw)
    up = ds.isel(depth=slice(None, None, -1))
    up = up.assign_coords(depth=("depth", -up.depth.values, {"units": "m", "positive": "up"}))
    turned = plot.smoothing(up.raw, up.raw)
    assert same(turned, expected)
    one, two = (panel(fig, "raw").collections[0] for fig in (turned, expected))
    np.testing.assert_array_equal(one.get_array(), two.get_array())
    assert panel(turned, "raw").get_ylim() == panel(expected, "raw").get_ylim()


def test_one_level_has_no_maps() -> None:
    ds = twin().isel(depth=[2])
    fig = plot.smoothing(ds.raw, ds.raw)
    assert [ax.get_title(loc="left") for ax in fig.axes][1] == "amount added since the start"


def test_land_and_calendars() -> None:
    ds = twin(cftime=True)
    deep = ds.raw.where(ds.depth < 1000)
    fig = plot.smoothing(deep, metrics.running_mean(deep, 13), select={"column": 0})
    fig.savefig(io.BytesIO(), format="png")
    assert np.isfinite(lines(panel(fig, "heat"))["raw"]).all()
    land = ds.raw.where(
        xr.DataArray(np.arange(4) > 0, dims="column")
    )  # a mean over columns leaves land out
    expected = ds.raw.isel(column=[1, 2, 3])
    assert same(plot.smoothing(land, land), plot.smoothing(expected, expected))


def test_a_series_without_depth_has_no_maps() -> None:
    ds = twin().isel(depth=0, drop=True)
    fig = plot.smoothing(ds.raw, metrics.running_mean(ds.raw, 13))
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        "increment",
        "amount added since the start",
    ]


def test_nothing_global_changes() -> None:
    code = """
import sys, io, numpy as np, xarray as xr, matplotlib
before = dict(matplotlib.rcParams)
from xocean_ml import plot
time = xr.date_range("1990-01-01", periods=60, freq="MS")
raw = xr.DataArray(np.ones((60, 2)), {"time": time, "depth": [5.0, 50.0]}, ("time", "depth"))
plot.smoothing(raw, raw).savefig(io.BytesIO())
assert dict(matplotlib.rcParams) == before
import matplotlib.pyplot
assert matplotlib.pyplot.get_fignums() == []
"""
    subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-c", code], check=True)


def test_import_does_not_need_matplotlib() -> None:
    code = "import sys, xocean_ml.plot; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
