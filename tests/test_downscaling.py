"""Downscaling: where the target's cells lie, guides, models through the accessor, bad input."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import dask
import numpy as np
import pytest
import torch
import xarray as xr
from bad import Bad
from bad import bad as bad_call
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import xocean_ml as xo
from xocean_ml import persist, tutorial
from xocean_ml.downscaling import blocks, downscale, plan
from xocean_ml.downscaling.axis import Axis
from xocean_ml.downscaling.coarsen import coarsen
from xocean_ml.downscaling.downscaler import COARSE_CELL
from xocean_ml.downscaling.downscaler import FACTOR as BY
from xocean_ml.downscaling.learned import Learned, network_of
from xocean_ml.errors import FieldNotFound, GridError, ModelFileError, UnitsError, ValuesError


def axis(name: str, values: Any) -> xr.DataArray:
    kind = {"lat": "latitude", "lon": "longitude"}[name]
    units = {"lat": "degrees_north", "lon": "degrees_east"}[name]
    attrs = {"standard_name": kind, "units": units}
    return xr.DataArray(np.asarray(values, float), dims=name, attrs=attrs)


def globe(lon: Any, lat: Any) -> np.ndarray:
    """A smooth function of the sphere: it knows of no seam."""
    phi, lam = np.deg2rad(np.asarray(lat))[:, None], np.deg2rad(np.asarray(lon))
    return np.sin(2 * phi) + np.cos(phi) * np.cos(lam - 0.7) + 0.3 * np.sin(3 * lam) * np.cos(phi)


def field_on(lat: Any, lon: Any, dtype: str = "f8", **attrs: str) -> xr.Dataset:
    lat, lon = axis("lat", lat), axis("lon", lon)
    values = globe(lon.values, lat.values).astype(dtype)
    sst = {"standard_name": "sea_surface_temperature", "units": "K"} | attrs
    return xr.Dataset({"sst": (("lat", "lon"), values, sst)}, {"lat": lat, "lon": lon})


def grid_on(lat: Any, lon: Any) -> xr.Dataset:
    return xr.Dataset(coords={"lat": axis("lat", lat), "lon": axis("lon", lon)})


def truth(ds: xr.Dataset) -> np.ndarray:
    return globe(ds.lon.values, ds.lat.values)


def error(out: xr.Dataset, skip: float = 0.0) -> float:
    """Greatest error against the function, off the edges of a box by `skip` degrees."""
    wrong = np.abs(out.sst.values - truth(out))
    lat = out.lat.values
    inner = (lat > lat.min() + skip) & (lat < lat.max() - skip)
    wrong = wrong[inner]
    if skip and float(np.ptp(np.unwrap(out.lon.values, period=360))) < 340:
        lon = np.unwrap(out.lon.values, period=360)
        wrong = wrong[:, (lon > lon.min() + skip) & (lon < lon.max() - skip)]
    return float(wrong.max())


def steps(low: float, high: float, size: float) -> np.ndarray:
    """Centres of cells of a size that fill a range."""
    return low + size * (np.arange(round((high - low) / size)) + 0.5)


BOX = functools.partial(field_on, steps(20, 60, 1), steps(-30, 20, 1))
WORLD = functools.partial(field_on, steps(-80, 80, 2), steps(0, 360, 2))
FINE = 2e-5
"""Bicubic on cells of 1 degree: third order."""


# ---- where the target's cells lie ------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "shape"),
    [
        (1, (40, 50)),
        (3, (120, 150)),
        (2.5, (100, 125)),
        (1.313, (53, 66)),
        (np.int64(2), (80, 100)),
        ({"lat": 2}, (80, 50)),
        ({"Y": 2, "longitude": 3.0}, (80, 150)),
    ],
)
def test_a_factor_cuts_cells(factor, shape):
    ds = BOX()
    out = ds.downscale("bicubic", factor=factor)
    assert out.sst.shape == shape
    assert error(out, 3) < FINE
    for name, low, high in (("lat", 20, 60), ("lon", -30, 20)):
        bounds = out[out[name].attrs["bounds"]].values
        np.testing.assert_allclose(bounds[[0, -1], [0, 1]], (low, high))
        np.testing.assert_allclose(bounds[1:, 0], bounds[:-1, 1])
        np.testing.assert_allclose(bounds.mean(axis=1), out[name], atol=1e-9)


def test_a_factor_goes_round_the_globe():
    out = WORLD().downscale("bicubic", factor=4)
    assert out.sst.shape == (320, 720)
    assert error(out, 6) < 8 * FINE


LIKES = {
    "finer": (steps(20, 60, 0.25), steps(-30, 20, 0.25)),
    "not whole": (steps(20, 60, 0.4), steps(-30, 20, 5 / 12)),
    "shifted": (steps(24.13, 50, 0.25), steps(-20.07, 10, 0.2)),
    "cropped": (steps(30, 31, 0.1), steps(1, 3, 0.1)),
    "0..360": (steps(25, 55, 0.25), steps(-20, 10, 0.25) % 360),
    "0..360 all": (steps(25, 55, 0.25), steps(-20, 10, 0.25) + 360),
    "downwards": (steps(25, 55, 0.25)[::-1], steps(-20, 10, 0.25)),
    "eastern first": (steps(25, 55, 0.25), steps(-20, 10, 0.25)[::-1]),
    "uneven": (30 + 20 * np.linspace(0, 1, 120) ** 1.2, steps(-20, 10, 0.25)),
}


@pytest.mark.parametrize("flip", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("name", LIKES)
def test_like_another_grid(name, flip):
    ds = BOX().isel(lat=slice(None, None, -1 if flip else 1))
    like = grid_on(*LIKES[name])
    out = ds.downscale("bicubic", like=like)
    assert error(out, 0 if name == "cropped" else 3) < FINE
    for each in ("lat", "lon"):
        np.testing.assert_array_equal(out[each], like[each])


GLOBAL_LIKES = {
    "finer": (steps(-80, 80, 0.5), steps(0, 360, 0.5)),
    "-180..180": (steps(-80, 80, 0.5), steps(-180, 180, 0.5)),
    "shifted": (steps(-70, 70, 0.7), steps(0, 360, 0.5) + 0.13),
    "from 90 on": (steps(-70, 70, 0.7), (steps(90, 450, 0.5) + 180) % 360 - 180),
    "dateline": (steps(-30, 30, 0.5), (steps(150, 210, 0.5) + 180) % 360 - 180),
    "Greenwich": (steps(-30, 30, 0.5), steps(-20, 20, 0.5)),
    "Greenwich 0..360": (steps(-30, 30, 0.5), steps(-20, 20, 0.5) % 360),
    "westwards": (steps(-30, 30, 0.5), steps(-20, 20, 0.5)[::-1]),
    "seam repeated": (steps(-30, 30, 0.5), np.arange(0, 360.5, 0.5)),
}


@pytest.mark.parametrize("west", [False, True], ids=["0..360", "-180..180"])
@pytest.mark.parametrize("name", GLOBAL_LIKES)
def test_like_another_grid_from_a_globe(name, west):
    ds = WORLD()
    if west:
        ds = ds.assign_coords(lon=ds.lon.copy(data=(ds.lon + 180) % 360 - 180)).sortby("lon")
    out = ds.downscale("bicubic", like=grid_on(*GLOBAL_LIKES[name]))
    assert error(out, 5) < 8 * FINE
    chunked = ds.chunk(lat=17, lon=23).downscale("bicubic", like=grid_on(*GLOBAL_LIKES[name]))
    np.testing.assert_allclose(chunked.sst, out.sst, rtol=0, atol=1e-12)


def test_a_box_over_the_dateline():
    lon = (steps(150, 210, 1) + 180) % 360 - 180
    ds = field_on(steps(-20, 20, 1), lon)
    out = ds.downscale("bicubic", factor=3)
    assert error(out, 3) < FINE
    assert (np.diff(np.unwrap(out.lon, period=360)) > 0).all()
    bounds = out[out.lon.attrs["bounds"]]
    assert (np.abs(bounds.mean("bnds") - out.lon) < 1e-9).all()
    like = grid_on(steps(-10, 10, 0.3), steps(170, 190, 0.3))
    out = ds.downscale("bicubic", like=like)
    assert error(out, 2) < FINE


GAUSS = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(90)[0]))
MERCATOR = np.rad2deg(np.arctan(np.sinh(np.deg2rad(steps(-70, 70, 1)))))


@pytest.mark.parametrize("flip", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("lat", [GAUSS, MERCATOR], ids=["gauss", "mercator"])
def test_uneven_latitudes(lat, flip):
    """Interpolation between places that are linear between centres: second order."""
    ds = field_on(lat[:: -1 if flip else 1], steps(0, 360, 2))
    size = np.diff(lat).max()
    for options in ({"factor": 3}, {"like": grid_on(steps(-55, 55, 0.25), steps(0, 360, 0.5))}):
        out = ds.downscale("bicubic", **options)
        assert error(out, 5) < 2e-4 * size**2
        assert (np.abs(out.lat) <= 90).all()


def test_a_grid_with_the_poles():
    """Cells at the poles end there."""
    ds = field_on(np.linspace(-90, 90, 91), steps(0, 360, 2))
    out = ds.downscale("bicubic", factor=4)
    bounds = out[out.lat.attrs["bounds"]].values
    assert np.abs(bounds).max() == 90
    assert (np.diff(out.lat) > 0).all()
    assert error(out, 10) < 8 * FINE
    assert error(out) < 0.02


def test_bounds_tell_where_cells_are():
    """Given under any name, in attributes or encoding, in any range."""
    ds = BOX()
    lat = np.stack([ds.lat - 0.5, ds.lat + 0.5], 1)
    lon = np.stack([ds.lon - 0.5, ds.lon + 0.5], 1) % 360
    for where in ("attrs", "encoding"):
        given = ds.assign(lat_edges=(("lat", "nv"), lat), lon_edges=(("lon", "nv"), lon))
        for name in ("lat", "lon"):
            getattr(given[name], where)["bounds"] = f"{name}_edges"
        given = given.set_coords(["lat_edges"]) if where == "encoding" else given
        out = given.downscale("bicubic", factor=3)
        assert error(out, 3) < FINE
        np.testing.assert_allclose(out.lat_edges.values.mean(1), out.lat)
        np.testing.assert_allclose(out.lon_edges.values.mean(1), out.lon)
        out = given.downscale("bicubic", like=field_on(*LIKES["0..360"]))
        np.testing.assert_allclose(out.lon_edges.values.mean(1), out.lon)


def test_target_coordinates_keep_their_own_names():
    """Names of the input, values of `like`; nothing stale."""
    ds = BOX().rename(lat="latitude", lon="longitude")
    ds.latitude.attrs |= {"valid_min": 20.5, "actual_range": [20.5, 59.5], "long_name": "north"}
    out = ds.downscale("bicubic", like=grid_on(*LIKES["cropped"]))
    assert out.sst.dims == ("latitude", "longitude")
    assert not {"valid_min", "actual_range"} & set(out.latitude.attrs)
    assert out.latitude.attrs["long_name"] == "north"
    assert out.latitude.attrs["bounds"] in out.variables


def test_dimensions_with_other_names_than_coordinates():
    ds = BOX().rename_dims(lat="y", lon="x").reset_index(["lat", "lon"])
    out = ds.downscale("bicubic", factor={"y": 2, "x": 3})
    assert out.sst.dims == ("y", "x")
    assert out.lat.dims == ("y",)
    assert error(out, 3) < FINE


def test_like_a_dataarray_and_its_own_fields_do_not_matter():
    like = field_on(*LIKES["finer"])
    one = BOX().downscale("bicubic", like=like)
    two = BOX().downscale("bicubic", like=like.sst)
    np.testing.assert_array_equal(one.sst, two.sst)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", ">f8"])
def test_dtypes_come_back(dtype):
    ds = BOX(dtype=dtype)
    out = ds.downscale("bicubic", factor=2)
    assert out.sst.dtype == np.dtype(dtype)
    assert ds.chunk(lat=9).downscale("bicubic", factor=2).sst.dtype == np.dtype(dtype)


def test_whole_numbers_become_floating():
    ds = BOX()
    ds["sst"] = (100 * ds.sst).round().astype("i4").assign_attrs(ds.sst.attrs)
    for each in (ds, ds.chunk(lat=10)):
        out = each.downscale("bicubic", factor=2, fields={"any": "sst"})
        assert out.sst.dtype == np.float64
        assert out.compute().sst.values[5, 5] % 1 != 0


def test_differences_stay_differences():
    ds = BOX(units_metadata="temperature: difference")
    out = ds.downscale("bicubic", factor=2)
    assert {**out.sst.attrs, "long_name": ""} == {**ds.sst.attrs, "long_name": ""}


def test_fields_choose_variables():
    ds = BOX()
    ds = ds.assign(other=ds.sst + 1, flag=ds.sst > 0, month=("time", [1.0, 2.0]))
    out = ds.downscale("bicubic", factor=2, fields={"sea_surface_temperature": "sst"})
    assert set(out.data_vars) >= {"sst", "month"}
    assert not {"other", "flag"} & set(out.variables)
    out = ds.downscale("bicubic", factor=2)
    np.testing.assert_allclose(out.other, out.sst + 1)


def test_what_tells_of_cells_is_no_field():
    """Areas do not add up on finer cells: they go, and what refers to them."""
    ds = BOX()
    for measure in ({"standard_name": "cell_area", "units": "m2"}, {"units": "km2"}):
        given = ds.assign(areacello=(("lat", "lon"), np.ones((40, 50)), measure))
        given.sst.attrs["cell_measures"] = "area: areacello"
        out = given.downscale("bicubic", factor=2)
        assert "areacello" not in out.variables
        assert "cell_measures" not in out.sst.attrs
    given.sst.encoding["cell_measures"] = given.sst.attrs.pop("cell_measures")
    assert "areacello" not in given.downscale("bicubic", factor=2).variables
    alone = ds.assign(area=(("lat", "lon"), np.ones((40, 50)), {"standard_name": "cell_area"}))
    assert "area" not in alone.downscale("bicubic", factor=2).variables


@pytest.mark.parametrize("model", ["bicubic", "liif"])
def test_coordinates_in_other_chunks(model):
    """What lies beside the field may be chunked as it likes."""
    area = (("lat", "lon"), dask.array.ones((24, 30), chunks=(5, 11)))
    model = model if model == "bicubic" else made(model)
    ds = COARSE().chunk(lat=6).assign_coords(area=area)
    out = ds.downscale(model, factor=2)
    assert out.sla.chunksizes["lat"] == (12,) * 4
    close(out, COARSE().downscale(model, factor=2))


@pytest.mark.parametrize("factor", [2.5, 3])
def test_even_chunks_stay_even_for_zarr(tmp_path, factor):
    ds = BOX().chunk(lat=7, lon=9)
    out = ds.downscale("bicubic", factor=factor)
    out.drop_encoding().to_zarr(tmp_path / "fine.zarr", consolidated=False)
    expected = BOX().downscale("bicubic", factor=factor)
    np.testing.assert_array_equal(out.sst, expected.sst)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_blocks_cover_an_axis_and_see_what_they_need(data):
    """Every fine cell in one block, with its own coarse cells and their neighbours."""
    count, reach = data.draw(st.integers(2, 12)), data.draw(st.integers(0, 15))
    wraps = data.draw(st.booleans())
    cuts = sorted(data.draw(st.sets(st.integers(1, count - 1), max_size=4)))
    chunks = np.diff([0, *cuts, count]).tolist()
    size = data.draw(st.floats(0.1, 1))
    first = data.draw(st.floats(-0.5, count - 0.6 if wraps else 1))
    places = first + size * np.arange(data.draw(st.integers(1, 40)))
    # A place on the end itself belongs to no cell, as rounding may have it.
    places = places[places < (first + count if wraps else count - 0.5) - 1e-6]
    assume(len(places))
    axis = Axis(places, size, count, wraps)
    blocks = axis.cuts(chunks, reach)
    assert [i for cut in blocks for i in range(*cut.own)] == list(range(len(places)))
    edges = np.cumsum([0, *chunks])
    for cut in blocks:
        own = places[slice(*cut.own)]
        cells = np.floor(own + 0.5 + 1e-9).astype(int)
        assert len(set(np.searchsorted(edges, cells % count, side="right"))) == 1
        low, high = cells.min() - reach, cells.max() + 1 + reach
        assert cut.coarse == ((low, high) if wraps else (max(low, 0), min(high, count)))
        np.testing.assert_allclose(axis.seen(cut)[cut.inner], own - cut.coarse[0])
        assert cut.seen[0] <= cut.own[0] < cut.own[1] <= cut.seen[1]


# ---- land ------------------------------------------------------------------------------------


def test_all_land_is_land_and_no_news():
    ds = BOX()
    ds["sst"] = ds.sst.where(ds.lon < -5)
    for each in (ds, ds.chunk(lat=10, lon=10)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            out = each.downscale("bicubic", factor=3).compute()
        assert out.sst.isel(lon=slice(75, None)).isnull().all()
        assert out.sst.isel(lon=slice(75)).notnull().all()
    nothing = ds.assign(sst=ds.sst.where(False)).downscale("bicubic", factor=3)
    assert nothing.sst.isnull().all()


# ---- networks --------------------------------------------------------------------------------

SIZES = {
    "glio": {"channels": 4, "modes": 0, "hidden": 6},
    "jiif": {"channels": 4, "hidden": [8], "blocks": 1},
    "liif": {"channels": 4, "blocks": 1, "hidden": 8, "layers": 2},
    "fno": {"channels": 4, "layers": 1, "modes": 3},
}
SLA = {"key": "sea_level_anomaly", "role": "difference", "units": "m", "mean": 0.0, "std": 0.3}
SST = {"key": "sea_surface_temperature", "role": "state", "units": "K", "mean": 285.0, "std": 2.0}


@functools.cache
def made(kind: str) -> Learned:
    """A model of random weights that are not zero."""
    torch.manual_seed(3)
    guides = [] if kind in ("liif", "fno") else [SST]
    network = network_of(kind, 1, len(guides), **SIZES[kind])
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    weights = {n: w.detach().numpy().copy() for n, w in network.state_dict().items()}
    config = {"kind": kind, "sizes": SIZES[kind], "fields": [SLA], "guides": guides}
    return Learned(weights, config | {"trained": {}, "spread": kind == "glio"})


TIMES = xr.date_range("2000-01-01", periods=3)


def rough(lat: Any, lon: Any) -> np.ndarray:
    """A function of the sphere with small scales: what a guide may look like."""
    phi, lam = np.deg2rad(np.asarray(lat))[:, None], np.deg2rad(np.asarray(lon))
    return globe(lon, lat) + 0.5 * np.sin(30 * lam) * np.cos(25 * phi)


def sla_on(lat: Any, lon: Any) -> xr.Dataset:
    """Sea level on (time, lat, lon) with a coast."""
    ds = field_on(lat, lon)
    tide = xr.DataArray([1.0, 0.5, -1.0], {"time": TIMES}, "time")
    ds["sla"] = (tide * ds.sst).where(ds.sst < 1.1).astype("f4")
    ds.sla.attrs = {"standard_name": "sea_surface_height_above_sea_level", "units": "m"}
    return ds.drop_vars("sst")


def guide_on(lat: Any, lon: Any, time: bool = True) -> xr.Dataset:
    lat, lon = axis("lat", lat), axis("lon", lon)
    values = xr.DataArray(rough(lat, lon), {"lat": lat, "lon": lon}, ("lat", "lon"))
    tide = xr.DataArray([1.0, 2.0, 3.0], {"time": TIMES}, "time")
    values = (285 + values * tide if time else 285 + values).astype("f4")
    values.attrs = {"standard_name": "sea_surface_temperature", "units": "K"}
    return values.to_dataset(name="analysed_sst")


COARSE = functools.partial(sla_on, steps(20, 44, 1), steps(-30, 0, 1))
FACTOR = 4
OUT = steps(20, 44, 0.25), steps(-30, 0, 0.25)


def close(got: xr.Dataset, expected: xr.Dataset, tolerance: float = 1e-5) -> None:
    for name in [n for n in expected.data_vars if not str(n).endswith("_bnds")]:
        one, two = got[name].values, expected[name].values
        np.testing.assert_array_equal(np.isnan(one), np.isnan(two))
        scale = np.abs(two).max(initial=0, where=~np.isnan(two))
        np.testing.assert_allclose(one, two, rtol=0, atol=tolerance * scale)


CHUNKS = [{"time": 1}, {"lat": 5, "lon": 7}, {"time": 2, "lat": 1}, {"lon": (1, 13, 2, 14)}]


@pytest.mark.parametrize("kind", ["glio", "jiif", "liif", "fno"])
def test_a_network_in_any_chunks(kind):
    ds, options = COARSE(), {"factor": FACTOR}
    if made(kind).guided:
        options["guide"] = guide_on(*OUT)
    whole = ds.downscale(made(kind), **options)
    assert whole.sla.shape == (3, 96, 120)
    bicubic = ds.downscale("bicubic", factor=FACTOR)
    assert abs(whole.sla - bicubic.sla).max() > 1e-3
    assert ("sla_spread" in whole) == (kind == "glio")
    for chunks in CHUNKS:
        if made(kind).guided:
            options["guide"] = guide_on(*OUT).chunk({"lat": 31, "lon": 17, "time": 2})
        lazy = ds.chunk(chunks).downscale(made(kind), **options)
        assert lazy.sla.chunks is not None
        close(lazy, whole)


@pytest.mark.parametrize("kind", ["glio", "jiif", "liif"])
def test_a_network_tile_by_tile(kind, monkeypatch):
    ds, options = COARSE(), {"factor": FACTOR}
    if made(kind).guided:
        options["guide"] = guide_on(*OUT)
    whole = ds.downscale(made(kind), **options)
    monkeypatch.setattr(blocks, "TILE", 5)
    close(ds.downscale(made(kind), **options), whole)


def test_only_a_lazy_guide_makes_the_answer_lazy():
    out = COARSE().downscale(made("jiif"), factor=FACTOR, guide=guide_on(*OUT).chunk(lat=20))
    assert out.sla.chunks is not None


GUIDES: dict[str, Callable[[], xr.Dataset]] = {
    "downwards": lambda: guide_on(OUT[0][::-1], OUT[1]),
    "westwards": lambda: guide_on(OUT[0], OUT[1][::-1]),
    "0..360": lambda: guide_on(OUT[0], OUT[1] % 360),
    "other names": lambda: guide_on(*OUT).rename(lat="y", lon="x", time="t"),
    "transposed": lambda: guide_on(*OUT).transpose("lon", "time", "lat"),
    "degrees Celsius": lambda: guide_on(*OUT).assign(
        analysed_sst=lambda ds: (ds.analysed_sst - 273.15).assign_attrs(
            standard_name="sea_surface_temperature", units="degC"
        )
    ),
    "more times": lambda: guide_on(*OUT).reindex(time=TIMES.union(TIMES + np.timedelta64(9, "h"))),
    "times in another order": lambda: guide_on(*OUT).isel(time=[2, 0, 1]),
    "a level": lambda: guide_on(*OUT).expand_dims(depth=[0.5]),
    "wider": lambda: guide_on(steps(10, 50, 0.25), steps(-40, 10, 0.25)),
}


@pytest.mark.parametrize("name", GUIDES)
def test_the_same_guide_in_another_form(name):
    ds = COARSE()
    expected = ds.downscale(made("glio"), factor=FACTOR, guide=guide_on(*OUT))
    got = ds.downscale(made("glio"), factor=FACTOR, guide=GUIDES[name]())
    close(got, expected, 2e-4)
    lazy = GUIDES[name]().chunk(-1).chunk({GUIDES[name]().analysed_sst.dims[-1]: 11})
    lazy = ds.chunk(lat=7).downscale(made("glio"), factor=FACTOR, guide=lazy)
    close(lazy, got)


@pytest.mark.parametrize(
    ("lat", "lon"),
    [
        (steps(20, 44, 0.125), steps(-30, 0, 0.125)),
        (steps(18.1, 45, 0.2), steps(-31.03, 2, 0.21)),
        (steps(-90, 90, 0.25), steps(0, 360, 0.25)),
        (steps(-90, 90, 0.25)[::-1], steps(-180, 180, 0.25)),
    ],
    ids=["finer", "shifted", "globe", "globe, 180"],
)
def test_a_guide_on_another_grid_is_seen_in_its_place(lat, lon):
    """The guide is smooth on these grids, so the answer is that of one on the target."""
    ds = COARSE().isel(time=0, drop=True)
    guide = guide_on(lat, lon).isel(time=0, drop=True)
    expected = ds.downscale(made("jiif"), factor=FACTOR, guide=guide_on(*OUT).isel(time=0))
    got = ds.downscale(made("jiif"), factor=FACTOR, guide=guide)
    wrong = guide.assign(analysed_sst=guide.analysed_sst.roll(lon=3))
    off = ds.downscale(made("jiif"), factor=FACTOR, guide=wrong)
    miss = float(abs(got.sla - expected.sla).quantile(0.9))
    assert miss < 0.15 * float(abs(off.sla - expected.sla).quantile(0.9))
    for chunks in ({"lat": 5, "lon": 7}, {"lon": 1}):
        lazy = ds.chunk(chunks)
        close(lazy.downscale(made("jiif"), factor=FACTOR, guide=guide.chunk(lon=25)), got)


def test_a_guide_without_time_serves_every_time():
    ds = COARSE()
    guide = guide_on(*OUT, time=False)
    out = ds.downscale(made("glio"), factor=FACTOR, guide=guide)
    for step in range(3):
        one = ds.isel(time=step).downscale(made("glio"), factor=FACTOR, guide=guide)
        close(out.isel(time=step), one)
    close(ds.chunk(time=1, lat=6).downscale(made("glio"), factor=FACTOR, guide=guide), out)


@pytest.mark.parametrize("chunks", [None, {"time": 1, "lat": 9}])
def test_a_field_of_one_time_takes_the_guide_of_that_time(chunks):
    """However its time is held: as a dimension, or as a scalar beside other dates."""
    ds, guide = COARSE(), guide_on(*OUT)
    guide = guide if chunks is None else guide.chunk(chunks)
    out = ds.downscale(made("glio"), factor=FACTOR, guide=guide)
    for step in (1, 2):
        expected = out.isel(time=step)
        one = ds.isel(time=step)
        run = one.assign_coords(forecast_reference_time=TIMES[0])
        for each in (one, run, one.rename(time="date")):
            close(each.downscale(made("glio"), factor=FACTOR, guide=guide), expected)
        for own in (guide.isel(time=[step]), guide.isel(time=step)):
            close(one.downscale(made("glio"), factor=FACTOR, guide=own), expected)
        alone = {"time": [step]}
        got = ds.isel(alone).downscale(made("glio"), factor=FACTOR, guide=guide.isel(time=step))
        close(got, out.isel(alone))


def test_a_guide_of_one_time_without_a_date_serves_every_time():
    ds, guide = COARSE(), guide_on(*OUT, time=False)
    expected = ds.downscale(made("jiif"), factor=FACTOR, guide=guide)
    undated = guide.expand_dims("time")
    close(ds.downscale(made("jiif"), factor=FACTOR, guide=undated), expected)
    dated = guide.assign_coords(time=TIMES[0])
    timeless = ds.isel(time=0, drop=True).downscale(made("jiif"), factor=FACTOR, guide=dated)
    close(timeless, expected.isel(time=0))


def test_fields_name_guides_too():
    guide = guide_on(*OUT).rename(analysed_sst="q")
    expected = COARSE().downscale(made("jiif"), factor=FACTOR, guide=guide)
    guide.q.attrs = {"units": "K"}
    named = {"sea_surface_temperature": "q"}
    got = COARSE().downscale(made("jiif"), factor=FACTOR, guide=guide, fields=named)
    close(got, expected, 0)
    named["sea_level_anomaly"] = "sla"
    got = COARSE().downscale(made("jiif"), factor=FACTOR, guide=guide, fields=named)
    close(got, expected, 0)


def test_holes_in_a_guide_make_no_land_and_stay_local():
    ds, guide = COARSE(), guide_on(*OUT)
    whole = ds.downscale(made("jiif"), factor=FACTOR, guide=guide)
    cloud = (guide.lat < 32) & (guide.lon < -15)
    clouded = ds.downscale(made("jiif"), factor=FACTOR, guide=guide.where(~cloud))
    cells = ds.sla.notnull().reindex_like(whole.sla, method="nearest")
    assert not (clouded.sla.isnull() & cells).any()
    far = {"lat": slice(44 - 5, None), "lon": slice(-9, None)}
    close(clouded[["sla"]].sel(far), whole[["sla"]].sel(far))
    nothing = guide.where(False)
    out = ds.downscale(made("jiif"), factor=FACTOR, guide=nothing)
    np.testing.assert_array_equal(out.sla.notnull(), cells)
    lazy = ds.chunk(lat=5, lon=6)
    close(lazy.downscale(made("jiif"), factor=FACTOR, guide=guide.where(~cloud)), clouded)


def test_a_guide_of_a_part_guides_that_part():
    ds = COARSE()
    part = guide_on(*OUT).sel(lat=slice(None, 32), lon=slice(-20, None))
    missing = guide_on(*OUT)
    missing = missing.where((missing.lat < 32) & (missing.lon > -20))
    expected = ds.downscale(made("jiif"), factor=FACTOR, guide=missing)
    close(ds.downscale(made("jiif"), factor=FACTOR, guide=part), expected)
    close(ds.chunk(lat=4, lon=4).downscale(made("jiif"), factor=FACTOR, guide=part), expected)
    assert "does not cover" in str(ds.downscale.plan(made("jiif"), factor=FACTOR, guide=part))


def test_a_finer_coast_is_followed():
    """Land of the guide is sea where the coarse field has it so, and the reverse next to it."""
    ds = COARSE()
    guide = guide_on(*OUT)
    guide = guide.where(guide.lon < -9.6)
    ds["sla"] = ds.sla.fillna(0).where(ds.lon < -10)
    out = ds.downscale(made("jiif"), factor=FACTOR, guide=guide)
    sea = out.sla.isel(time=0, lat=50).notnull()
    assert sea.sel(lon=-9.875)
    assert not sea.sel(lon=-9.375)
    assert not sea.sel(lon=-8.875)


# ---- round the globe -------------------------------------------------------------------------

ROUND = functools.partial(sla_on, steps(-40, 40, 4), steps(0, 360, 4))
ROUND_GUIDE = functools.partial(guide_on, steps(-40, 40, 1), steps(0, 360, 1))


def turned(ds: xr.Dataset, by: int) -> xr.Dataset:
    ds = ds.roll(lon=by, roll_coords=True)
    lon = np.unwrap(ds.lon.values, period=360)
    return ds.assign_coords(lon=ds.lon.copy(data=lon))


@pytest.mark.parametrize("kind", ["glio", "jiif", "liif"])
def test_the_seam_does_not_matter_to_a_network(kind):
    ds, options = ROUND(), {"factor": 4}
    guided = made(kind).guided
    whole = ds.downscale(made(kind), **options | ({"guide": ROUND_GUIDE()} if guided else {}))
    for by, shift in ((31, 0), (0, 100), (45, 7)):
        if guided:
            options["guide"] = turned(ROUND_GUIDE(), shift).chunk(lon=50)
        out = turned(ds, by).chunk(lon=20).downscale(made(kind), **options)
        close(out.roll(lon=-4 * by), whole)


def test_the_seam_does_not_matter_on_a_small_globe():
    """The network sees further than the globe is wide."""
    ds = sla_on(steps(-40, 40, 20), steps(0, 360, 60))
    guide = guide_on(steps(-40, 40, 10), steps(0, 360, 30))
    whole = ds.downscale(made("jiif"), factor=2, guide=guide)
    out = turned(ds, 2).downscale(made("jiif"), factor=2, guide=guide)
    close(out.roll(lon=-4), whole)
    close(ds.chunk(lon=1).downscale(made("jiif"), factor=2, guide=guide), whole)


@pytest.mark.parametrize("kind", ["jiif", "liif"])
def test_a_part_of_the_globe_is_the_globe_cropped(kind):
    """Of a guide that is cropped as well, only off the edges."""
    ds, options = ROUND(), {"factor": 4}
    guided = made(kind).guided
    whole = ds.downscale(made(kind), **options | ({"guide": ROUND_GUIDE()} if guided else {}))
    box = whole.roll(lon=180, roll_coords=True).isel(lon=slice(120, 240))
    lon = (box.lon + 180) % 360 - 180
    box = box.assign_coords(lon=lon.assign_attrs(box.lon.attrs))[["sla"]]
    off = slice(4 * made(kind).reach, -4 * made(kind).reach)
    regional = turned(ROUND_GUIDE(), 180).isel(lon=slice(110, 250)).chunk(lon=13)
    for guide, inner in ((ROUND_GUIDE(), slice(None)), (regional, off)):
        out = ds.downscale(made(kind), like=box, **({"guide": guide} if guided else {}))
        close(out[["sla"]].isel(lon=inner), box.isel(lon=inner))


@pytest.mark.parametrize("low", [-60.0, 0.0, 100.0, 170.0])
def test_a_guide_of_a_part_of_the_globe(low):
    """What lies outside is missing, wherever its own longitudes begin."""
    ds, guide = ROUND(), ROUND_GUIDE()
    inside = (guide.lon - low) % 360 < 150
    expected = ds.downscale(made("jiif"), factor=4, guide=guide.where(inside))
    part = guide_on(steps(-40, 40, 1), steps(low, low + 150, 1))
    close(ds.downscale(made("jiif"), factor=4, guide=part), expected, 2e-4)
    close(ds.chunk(lon=11).downscale(made("jiif"), factor=4, guide=part), expected, 2e-4)


def test_a_model_of_whole_fields_on_a_part_of_the_globe():
    """It takes the globe as it lies about the target."""
    ds = ROUND()
    assert made("fno").reach is None
    like = grid_on(steps(-20, 20, 1), steps(-30, 30, 1))
    bicubic = ds.downscale("bicubic", like=like)
    expected = turned(ds, 45).downscale("bicubic", like=like)
    close(bicubic, expected)
    zeros = {n: 0 * w for n, w in made("fno").weights.items()}
    out = ds.downscale(Learned(zeros, made("fno").config), like=like)
    inner = {"lat": slice(-10, 10)}
    close(out[["sla"]].sel(inner), bicubic[["sla"]].sel(inner))


# ---- spreads, units, plans -------------------------------------------------------------------


def test_fields_and_spreads_in_other_units():
    ds, guide = COARSE(), guide_on(*OUT)
    out = ds.downscale(made("glio"), factor=FACTOR, guide=guide)
    cm = ds.assign(sla=(100 * ds.sla).assign_attrs(ds.sla.attrs, units="cm"))
    got = cm.downscale(made("glio"), factor=FACTOR, guide=guide)
    for name in ("sla", "sla_spread"):
        assert got[name].attrs["units"] == "cm"
        assert got[name].dtype == np.float32
        np.testing.assert_allclose(got[name] / 100, out[name], rtol=1e-4, atol=1e-5)
    assert (out.sla_spread > 0).sum() == out.sla.notnull().sum()


def test_spreads_are_quantities_where_the_field_is():
    import pint

    ds, guide = COARSE(), guide_on(*OUT)
    out = ds.downscale(made("glio"), factor=FACTOR, guide=guide)
    registry = pint.UnitRegistry()
    quantity = registry.Quantity(ds.sla.values, "m")
    attrs = {"standard_name": ds.sla.attrs["standard_name"]}
    given = ds.assign(sla=(ds.sla.dims, quantity, attrs))
    got = given.downscale(made("glio"), factor=FACTOR, guide=guide)
    for name in ("sla", "sla_spread"):
        assert got[name].data.units == registry.Unit("m")
        assert "units" not in got[name].attrs
        np.testing.assert_array_equal(got[name].data.magnitude, out[name])
    assert (got.sla + got.sla_spread).data.units == registry.Unit("m")


@pytest.mark.parametrize("kind", ["Dataset", "DataArray"])
def test_like_with_quantified_coordinates(kind):
    pytest.importorskip("pint_xarray")
    like = field_on(*LIKES["finer"])
    expected = BOX().downscale("bicubic", like=like)
    plain = like.assign_coords(
        {name: like[name].assign_attrs(units="degree") for name in ("lat", "lon")}
    )
    given = plain.pint.quantify()
    assert type(given.xindexes["lat"]).__name__ == "PintIndex"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = BOX().downscale("bicubic", like=given if kind == "Dataset" else given.sst)
    np.testing.assert_array_equal(got.sst, expected.sst)
    np.testing.assert_array_equal(got.lat, like.lat)


@pytest.mark.parametrize("kind", ["glio", "liif"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_network_answers_in_the_precision_of_the_fields(kind, dtype):
    from xocean_ml.downscaling.downscaler import Seen
    from xocean_ml.kernels.lattice import regular

    model = made(kind)
    lattice = regular((6, 7), (2.0, 2.0))
    fields = np.ones((1, 1, 6, 7), dtype)
    guides = np.full((1, 1, 12, 14), 285, dtype) if model.guided else None
    finer = model.predict(Seen(fields, guides, lattice, (slice(None), slice(None))))
    assert finer.fields.dtype == np.dtype(dtype)
    assert finer.spread is None or finer.spread.dtype == np.dtype(dtype)


def test_a_dataarray_is_made_finer_alone():
    ds, guide = COARSE(), guide_on(*OUT)
    options: dict[str, Any] = {"factor": FACTOR, "guide": guide}
    expected = ds.downscale(made("glio"), **options).sla
    xr.testing.assert_identical(ds.sla.downscale(made("glio"), **options), expected)
    without = ds.sla.rename(None).downscale(made("glio"), **options)
    assert without.name is None
    xr.testing.assert_equal(without, expected.rename(None))
    plain = ds.sla.rename(None).downscale("bicubic", factor=2)
    xr.testing.assert_equal(plain, ds.downscale("bicubic", factor=2).sla.rename(None))
    assert "96 x 120" in str(ds.sla.downscale.plan(made("glio"), **options))
    assert ds.sla.chunk(lat=6).downscale("bicubic", factor=2).chunks is not None


def test_a_dataarray_is_learned_from():
    fine = tutorial.open_dataset("surface").ssh.isel(time=slice(6))
    model = fine.downscale.fit("liif", factor=4, steps=1, progress=False)
    assert [each.key for each in model.spec.writes] == ["sea_level_anomaly"]


def _trained(kind: str, **ranges: tuple[float, float]) -> Learned:
    names = {"cell": COARSE_CELL, "factor": BY}
    trained = {names[name]: list(each) for name, each in ranges.items()}
    return Learned(made(kind).weights, {**made(kind).config, "trained": trained})


BEYOND = {
    "the greater factor": ({"factor": (1, 3)}, {"factor": {"lat": 2, "lon": 4}}, "2 to 4"),
    "the smaller factor": ({"factor": (2, 5)}, {"factor": {"lat": 1, "lon": 4}}, "1 to 4"),
    "cells narrow to the east": ({"cell": (100, 120)}, {"factor": 2}, "94.3 to 111"),
    "cells high to the north": ({"cell": (80, 100)}, {"factor": 2}, "94.3 to 111"),
}


@pytest.mark.parametrize("name", BEYOND)
def test_what_lies_outside_the_training_is_told(name):
    trained, options, told = BEYOND[name]
    with pytest.warns(UserWarning, match=f"sla: outside what 'liif'.*{told}, trained on"):
        COARSE().downscale(_trained("liif", **trained), **options)
    wide = {"cell": (90, 120), "factor": (1, 4)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        COARSE().downscale(_trained("liif", **wide), **options)


def test_a_warning_points_at_the_line_that_called():
    model, options = _trained("liif", factor=(1, 2)), {"factor": 3}
    ds = COARSE()
    calls: list[Callable[[], Any]] = [
        lambda: ds.downscale(model, **options),
        lambda: xo.downscale(ds, model, **options),
        lambda: ds.sla.downscale(model, **options),
        lambda: ds.downscale.plan(model, **options),
        lambda: plan(ds, model, **options),
    ]
    for call in calls:
        with pytest.warns(UserWarning, match="outside what") as told:
            call()
        assert [each.filename for each in told] == [__file__]
        assert told[0].lineno == call.__code__.co_firstlineno


# ---- model files -----------------------------------------------------------------------------


def test_models_are_compared_as_objects():
    one, other = made("liif"), Learned(made("liif").weights, made("liif").config)
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2


@pytest.mark.parametrize("kind", SIZES)
def test_weights_that_do_not_fit_are_refused_at_load(kind, tmp_path):
    model, path = made(kind), tmp_path / "mine.safetensors"
    name = max(model.weights, key=lambda each: model.weights[each].size)
    shorter = {**model.weights, name: model.weights[name][..., :1]}
    missing = {each: w for each, w in model.weights.items() if each != name}
    for weights in (shorter, missing, {**model.weights, "further": np.zeros(3, "f4")}):
        Learned(weights, model.config).save(path)
        with pytest.raises(ModelFileError, match=f"do not fit this xocean_ml's {kind.upper()}"):
            xo.load(path)


@pytest.mark.parametrize("kind", SIZES)
def test_halved_weights_are_used_in_single_precision(kind, tmp_path):
    halved = {name: each.astype("f2") for name, each in made(kind).weights.items()}
    Learned(halved, made(kind).config).save(tmp_path / "mine.safetensors")
    model = xo.load(tmp_path / "mine.safetensors")
    assert isinstance(model, Learned)
    assert {each.dtype for each in model.network.state_dict().values()} == {torch.float32}


def test_packaged_weights_fit_their_networks():
    for path in persist.WEIGHTS.glob("glio*.safetensors"):
        model: Any = persist.load(path.stem)
        assert model.network is not None


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """Small models in the place of the packaged ones."""
    monkeypatch.setattr(persist, "WEIGHTS", tmp_path)
    made("liif").save(tmp_path / "glio.safetensors")
    made("jiif").save(tmp_path / "glio-guided.safetensors")
    return tmp_path


@pytest.mark.usefixtures("packaged")
def test_history_names_the_packaged_model():
    """So that the call can be repeated."""
    ds, guide = COARSE(), guide_on(*OUT)
    for model, options, name in (
        (None, {}, "glio"),
        ("glio", {}, "glio"),
        (None, {"guide": guide}, "glio-guided"),
        ("glio-guided", {"guide": guide}, "glio-guided"),
        (made("liif"), {}, "liif"),
    ):
        out = ds.downscale(model, factor=FACTOR, **options)
        assert f"downscale(model={name}, " in out.attrs["history"]
    with pytest.raises(TypeError, match=r"'glio' does not take guide.*'glio-guided'"):
        ds.downscale("glio", factor=FACTOR, guide=guide)
    with pytest.raises(TypeError, match="'glio-guided' needs guide="):
        ds.downscale("glio-guided", factor=FACTOR)


def test_a_model_saved_and_loaded(tmp_path):
    made("glio").save(tmp_path / "mine.safetensors")
    ds, guide = COARSE(), guide_on(*OUT)
    again = xo.load(tmp_path / "mine.safetensors")
    for model in (again, str(tmp_path / "mine.safetensors")):
        got = ds.downscale(model, factor=FACTOR, guide=guide)
        close(got, ds.downscale(made("glio"), factor=FACTOR, guide=guide), 0)


def test_a_plan_tells_what_would_be_done():
    ds, guide = COARSE(), guide_on(*OUT)

    def nothing(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("computed")

    with dask.config.set(scheduler=nothing):
        lazy = ds.chunk(time=1, lat=12, lon=15)
        told = str(lazy.downscale.plan(made("glio"), factor=FACTOR, guide=guide))
        eager = str(ds.downscale.plan(made("glio"), factor=FACTOR, guide=guide))
        any_field = str(ds.downscale.plan("bicubic", factor=FACTOR))
        whole = str(lazy.downscale.plan(made("fno"), factor=FACTOR))
    for part in ("sla, sla_spread", "24 x 30 cells to 96 x 120", "x 4", "sea_level_anomaly", "m"):
        assert part in told
        assert part in eager
    assert "12 blocks" in told
    assert "analysed_sst" in told
    assert "in memory" in eager
    assert "any field" in any_field
    assert "whole field" in whole
    assert "put together" in whole
    assert "a task" in told


# ---- bad input -------------------------------------------------------------------------------


def bad(name: str, ds: Any, error: Any, *says: str, model: Any = "bicubic", **options: Any) -> Any:
    return bad_call(name, ds, error, *says, model=model, **options)


def _curvilinear() -> xr.Dataset:
    ds = BOX()
    lat, lon = xr.broadcast(ds.lat, ds.lon)
    ds = ds.rename(lat="y", lon="x").drop_vars(["y", "x"])
    return ds.assign_coords(
        nav_lat=(("y", "x"), lat.values, BOX().lat.attrs),
        nav_lon=(("y", "x"), lon.values, BOX().lon.attrs),
    )


def _points() -> xr.Dataset:
    ds = BOX().stack(cell=("lat", "lon")).reset_index("cell")
    return ds


def _swapped() -> xr.Dataset:
    ds = BOX()
    return ds.isel(lat=[0, 2, 1, *range(3, ds.sizes["lat"])])


def _swapped_with_bounds() -> xr.Dataset:
    ds = BOX()
    ds = ds.assign(lat_bnds=(("lat", "bnds"), np.stack([ds.lat - 0.5, ds.lat + 0.5], 1)))
    return ds.isel(lat=[0, 2, 1, *range(3, ds.sizes["lat"])])


def _infinite() -> xr.Dataset:
    ds = COARSE()
    ds.sla.values[1, 20, 26] = np.inf
    return ds


def _infinite_downwards() -> xr.Dataset:
    ds = _infinite().transpose("lon", "time", "lat")
    return ds.isel(lat=slice(None, None, -1))


def _infinite_guide() -> xr.Dataset:
    guide = guide_on(*OUT)
    guide.analysed_sst[{"time": 2, "lat": 33, "lon": 44}] = -np.inf
    return guide


def _guide(**change: Any) -> Callable[[], xr.Dataset]:
    def make() -> xr.Dataset:
        guide = guide_on(change.get("lat", OUT[0]), change.get("lon", OUT[1]))
        if "units" in change:
            guide.analysed_sst.attrs["units"] = change["units"]
        if "time" in change:
            guide = guide.assign_coords(time=change["time"])
        return guide

    return make


LATER = xr.date_range("2005-01-01", periods=3)


def _repeated(**lon: Any) -> xr.Dataset:
    """A globe that holds its first meridians once more, up or down."""
    return field_on(steps(-40, 40, 2), np.arange(0, lon["last"] + 1, 2)[:: lon.get("step", 1)])


def _other_calendar() -> xr.Dataset:
    guide = guide_on(*OUT)
    return guide.assign_coords(time=xr.date_range("2000-01-01", periods=3, calendar="noleap"))


def _scalar_lat() -> xr.Dataset:
    return BOX().isel(lat=3)


TABLE = [
    # the target
    bad("neither factor nor like", BOX, TypeError, "factor=", "like=", "neither"),
    bad(
        "both factor and like",
        BOX,
        TypeError,
        "factor=",
        "like=",
        "both",
        factor=2,
        like=grid_on(*LIKES["finer"]),
    ),
    bad("factor of zero", BOX, GridError, "factor=0", "at least 1", factor=0),
    bad("factor under one", BOX, GridError, "0.5", "at least 1", factor=0.5),
    bad("factor nan", BOX, GridError, "nan", "at least 1", factor=np.nan),
    bad("factor infinite", BOX, GridError, "inf", "at least 1", factor=np.inf),
    bad("factor a word", BOX, GridError, "'three'", "number", factor="three"),
    bad("factor a truth", BOX, GridError, "True", "number", factor=True),
    bad("factor a pair", BOX, GridError, "(2, 3)", "number", "'lat'", factor=(2, 3)),
    bad("factor of no axis", BOX, GridError, "'depth'", "lat", "longitude", factor={"depth": 2}),
    bad("factor in words", BOX, GridError, "'two'", factor={"lat": "two"}),
    bad(
        "factor of an axis, twice",
        BOX,
        GridError,
        "'lat' and 'Y'",
        "same axis",
        factor={"lat": 2, "Y": 3},
    ),
    bad(
        "coarser in a part",
        BOX,
        GridError,
        "lat",
        "3 times as coarse",
        "at 39.975",
        like=grid_on([*steps(30, 40, 0.05), 42.975, 45.975], steps(-10, 10, 0.5)),
    ),
    bad(
        "coarser",
        BOX,
        GridError,
        "lat",
        "2 times as coarse",
        "coarsen",
        like=grid_on(steps(20, 60, 2), steps(-30, 20, 0.5)),
    ),
    bad(
        "coarser in longitude",
        BOX,
        GridError,
        "lon",
        "coarse",
        like=grid_on(steps(20, 60, 0.5), steps(-30, 20, 2.5)),
    ),
    bad(
        "outside",
        BOX,
        GridError,
        "lat",
        "not inside",
        "15 to 55",
        "20 to 60",
        "sel",
        like=grid_on(steps(15, 55, 0.5), steps(-30, 20, 0.5)),
    ),
    bad(
        "elsewhere",
        BOX,
        GridError,
        "lon",
        "not inside",
        like=grid_on(steps(20, 60, 0.5), steps(100, 120, 0.5)),
    ),
    bad(
        "like without latitude",
        BOX,
        GridError,
        "like",
        "latitude",
        like=xr.Dataset(coords={"lon": axis("lon", steps(0, 3, 0.5))}),
    ),
    bad("like a number", BOX, TypeError, "like=", "Dataset", "int", like=3),
    bad("like one cell", BOX, GridError, "like", "lat", "one cell", like=grid_on([30], [1, 1.5])),
    bad("like curvilinear", BOX, GridError, "like", "two-dimensional", like=_curvilinear()),
    # the input
    bad(
        "the first meridian repeated",
        lambda: _repeated(last=360),
        GridError,
        "lon",
        "obj.isel(lon=slice(-1))",
        factor=2,
    ),
    bad(
        "the first meridian repeated, westwards",
        lambda: _repeated(last=360, step=-1),
        GridError,
        "lon",
        "obj.isel(lon=slice(-1))",
        like=grid_on(steps(-20, 20, 0.5), steps(-20, 20, 0.5)),
    ),
    bad(
        "two meridians repeated",
        lambda: _repeated(last=362),
        GridError,
        "lon",
        "obj.isel(lon=slice(-2))",
        factor=2,
    ),
    bad("one row", lambda: BOX().isel(lat=[3]), GridError, "lat", "one cell", factor=2),
    bad("no rows", lambda: BOX().isel(lat=[]), GridError, "lat", factor=2),
    bad("a section", _scalar_lat, GridError, "lat", "one cell", factor=2),
    bad(
        "one column",
        lambda: COARSE().isel(lon=[3]),
        GridError,
        "lon",
        "one cell",
        model=made("liif"),
        factor=2,
    ),
    bad("curvilinear", _curvilinear, GridError, "two-dimensional", "y, x", "Regrid", factor=2),
    bad("points", _points, GridError, "cell", "points", "grid", factor=2),
    bad("latitude in disorder", _swapped, GridError, "lat", "monotonic", "sortby('lat')", factor=2),
    bad(
        "latitude in disorder, with bounds",
        _swapped_with_bounds,
        GridError,
        "lat",
        "monotonic",
        "sortby('lat')",
        factor=2,
    ),
    bad("no latitude", lambda: BOX().drop_vars("lat"), GridError, "latitude", factor=2),
    bad("a DataArray", lambda: BOX().sst, TypeError, "DataArray", "da.downscale", factor=2),
    bad(
        "nothing to do",
        lambda: BOX().drop_vars("sst"),
        FieldNotFound,
        "floating-point",
        factor=2,
    ),
    bad(
        "whole numbers only",
        lambda: BOX().astype("i4"),
        FieldNotFound,
        "floating-point",
        "sst",
        "fields=",
        factor=2,
    ),
    bad(
        "words",
        lambda: BOX().astype("U4"),
        ValuesError,
        "sst",
        "numbers",
        "<U4",
        factor=2,
        fields={"any": "sst"},
    ),
    bad(
        "fields= names what is not there",
        BOX,
        FieldNotFound,
        "'tos'",
        "sst",
        factor=2,
        fields={"any": "tos"},
    ),
    bad(
        "fields= names what is not on the grid",
        lambda: BOX().assign(month=("time", [1.0])),
        GridError,
        "month",
        "lat, lon",
        factor=2,
        fields={"any": "month"},
    ),
    bad(
        "fields= a list",
        BOX,
        TypeError,
        "fields=['sst']",
        "mapping",
        "'sea_surface_temperature': 'sst'",
        factor=2,
        fields=["sst"],
    ),
    bad(
        "never learned",
        BOX,
        FieldNotFound,
        "sea_level_anomaly",
        "sst",
        model=made("liif"),
        factor=2,
    ),
    bad(
        "field in other units",
        lambda: COARSE().assign(sla=lambda ds: ds.sla.assign_attrs(units="K")),
        UnitsError,
        "sla",
        "K",
        model=made("liif"),
        factor=2,
    ),
    bad(
        "infinite",
        _infinite,
        ValuesError,
        "sla",
        "infinite",
        "time=1, lat=20, lon=26",
        late=True,
        factor=2,
    ),
    bad(
        "infinite, in another order",
        _infinite_downwards,
        ValuesError,
        "sla",
        "lon=26",
        "time=1",
        "lat=3",
        late=True,
        model=made("liif"),
        factor=2,
    ),
    # guides
    bad(
        "guide missing",
        COARSE,
        TypeError,
        "guide=",
        "sea_surface_temperature",
        model=made("jiif"),
        factor=2,
    ),
    bad(
        "guide not wanted",
        COARSE,
        TypeError,
        "guide",
        "liif",
        "not guided",
        model=made("liif"),
        factor=2,
        guide=_guide(),
    ),
    bad(
        "guide not wanted by bicubic",
        COARSE,
        TypeError,
        "guide",
        "bicubic",
        factor=2,
        guide=_guide(),
    ),
    bad(
        "guide a DataArray",
        COARSE,
        TypeError,
        "guide",
        "Dataset",
        "to_dataset",
        model=made("jiif"),
        factor=2,
        guide=lambda: _guide()().analysed_sst,
    ),
    bad(
        "guide without the field",
        COARSE,
        FieldNotFound,
        "sea_surface_temperature",
        "sla",
        model=made("jiif"),
        factor=2,
        guide=COARSE,
    ),
    bad(
        "guide coarser",
        COARSE,
        GridError,
        "guide",
        "coarse",
        "finer guide",
        model=made("jiif"),
        factor=4,
        guide=_guide(lat=steps(20, 44, 0.5)),
    ),
    bad(
        "guide at other times",
        COARSE,
        GridError,
        "guide",
        "2000-01-01",
        "2005-01-01",
        "interp",
        model=made("jiif"),
        factor=4,
        guide=_guide(time=LATER),
    ),
    bad(
        "guide of one time, another",
        COARSE,
        GridError,
        "guide",
        "2000-01-01",
        "2015-06-01",
        "guide.sel(time=field.time)",
        "drop_vars",
        model=made("jiif"),
        factor=4,
        guide=lambda: _guide()().isel(time=0).assign_coords(time=np.datetime64("2015-06-01", "ns")),
    ),
    bad(
        "guide of one time, in words",
        COARSE,
        GridError,
        "guide",
        "2000-01-01",
        "2015-06-01",
        "decode",
        model=made("jiif"),
        factor=4,
        guide=lambda: _guide()().isel(time=0).assign_coords(time="2015-06-01"),
    ),
    bad(
        "guide of one of the times",
        COARSE,
        GridError,
        "guide",
        "no value at 2000-01-02",
        "2000-01-01 00:00:00 is there",
        model=made("jiif"),
        factor=4,
        guide=lambda: _guide()().isel(time=0),
    ),
    bad(
        "guide of another time than the only one",
        lambda: COARSE().isel(time=0),
        GridError,
        "guide",
        "2000-01-01",
        "2005-01-01",
        model=made("jiif"),
        factor=4,
        guide=lambda: _guide(time=LATER)().isel(time=[0]),
    ),
    bad(
        "guide at other times than the only one",
        lambda: COARSE().isel(time=0),
        GridError,
        "guide",
        "2000-01-01",
        "guide.sel(time=field.time)",
        model=made("jiif"),
        factor=4,
        guide=_guide(time=LATER),
    ),
    bad(
        "guide at times, of a field without",
        lambda: COARSE().isel(time=0, drop=True),
        GridError,
        "guide",
        "time",
        "guide.sel(time=...)",
        model=made("jiif"),
        factor=4,
        guide=_guide(),
    ),
    bad(
        "guide in another calendar",
        COARSE,
        GridError,
        "guide",
        "datetime64",
        "calendar 'noleap'",
        "convert_calendar",
        model=made("jiif"),
        factor=4,
        guide=_other_calendar,
    ),
    bad(
        "guide at double times",
        COARSE,
        GridError,
        "guide",
        "drop_duplicates",
        model=made("jiif"),
        factor=4,
        guide=_guide(time=TIMES[[0, 1, 1]]),
    ),
    bad(
        "guide at times without dates",
        COARSE,
        GridError,
        "guide",
        "time",
        model=made("jiif"),
        factor=4,
        guide=lambda: _guide()().drop_vars("time"),
    ),
    bad(
        "guide elsewhere",
        COARSE,
        GridError,
        "guide",
        "elsewhere",
        "100 to 130",
        "-30 to 0",
        model=made("jiif"),
        factor=4,
        guide=_guide(lon=OUT[1] + 130),
    ),
    bad(
        "guide north of it",
        COARSE,
        GridError,
        "guide",
        "elsewhere",
        model=made("jiif"),
        factor=4,
        guide=_guide(lat=OUT[0] + 30),
    ),
    bad(
        "guide in other units",
        COARSE,
        UnitsError,
        "analysed_sst",
        "'m'",
        model=made("jiif"),
        factor=4,
        guide=_guide(units="m"),
    ),
    bad(
        "guide of members",
        COARSE,
        GridError,
        "guide",
        "member",
        "sla",
        model=made("jiif"),
        factor=4,
        guide=lambda: _guide()().expand_dims(member=[1, 2]),
    ),
    bad(
        "guide curvilinear",
        COARSE,
        GridError,
        "guide",
        "two-dimensional",
        model=made("jiif"),
        factor=4,
        guide=_curvilinear,
    ),
    bad(
        "guide infinite",
        COARSE,
        ValuesError,
        "analysed_sst",
        "infinite",
        "time=2, lat=33, lon=44",
        late=True,
        model=made("jiif"),
        factor=4,
        guide=_infinite_guide,
    ),
    # the rest
    bad("an option of no model", BOX, TypeError, "sharpness", factor=2, sharpness=3),
    bad("model of no kind", BOX, TypeError, "model", "3", "downscaler", model=3, factor=2),
    bad("model of another task", BOX, TypeError, "model", "downscaler", model="dong", factor=2),
    bad("device unknown", BOX, ValueError, "device='gpu'", "'cuda'", factor=2, device="gpu"),
]


def _call(case: Bad, ds: Any, call: Any = downscale) -> Any:
    options = dict(case.options)
    if callable(options.get("guide")):
        options["guide"] = options["guide"]()
    model = options.pop("model")
    return call(ds, model, **options)


def _no_compute(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("something was computed before it was asked for")


def _told(case: Bad, caught: pytest.ExceptionInfo) -> None:
    assert caught.type is case.error
    said = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    for part in case.says:
        assert part in said


@pytest.mark.parametrize("case", TABLE)
def test_bad_input(case):
    with pytest.raises(case.error) as caught:
        _call(case, case.ds())
    _told(case, caught)


@pytest.mark.parametrize("case", TABLE)
def test_bad_input_lazily(case):
    """What coordinates and metadata tell is told at once, values when computed."""
    ds = case.ds()
    chunks = {k: v for k, v in {"time": 2, "lat": 7, "lon": 9}.items() if k in ds.sizes}
    held = {n: ds[n] for n in getattr(ds, "data_vars", ()) if str(n).endswith("_bnds")}
    held |= {n: c for n, c in getattr(ds, "coords", {}).items() if c.dims == ("cell",)}
    ds = ds.chunk(chunks).assign(held) if isinstance(ds, xr.Dataset) else ds
    if case.late:
        with dask.config.set(scheduler=_no_compute):
            lazy = _call(case, ds)
        with pytest.raises(case.error) as caught:
            lazy.compute(scheduler="synchronous")
    else:
        with dask.config.set(scheduler=_no_compute), pytest.raises(case.error) as caught:
            _call(case, ds)
    _told(case, caught)


@pytest.mark.parametrize("case", [each for each in TABLE if not each.values[0].late])
def test_a_plan_tells_the_same(case):
    with pytest.raises(case.error) as caught:
        _call(case, case.ds(), plan)
    _told(case, caught)


# ---- means over coarse cells -----------------------------------------------------------------

UNEVEN = np.array([-61.0, -55.0, -48.5, -41.0, -33.0, -24.0, -16.0, -9.0])


@pytest.mark.parametrize("latitude", [UNEVEN, UNEVEN[::-1], np.linspace(20.0, 40.0, 8)])
@pytest.mark.parametrize("factor", [2, 3, {"lat": 2, "lon": 5}])
@pytest.mark.parametrize("chunks", [None, {"lat": 3, "lon": 5}])
def test_means_over_coarse_cells_are_the_input(latitude, factor, chunks):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 8, 12)).astype("f4")
    values[:, 2:4, 5:8] = np.nan
    lat = ("lat", latitude, {"units": "degrees_north"})
    lon = ("lon", np.arange(12.0), {"units": "degrees_east"})
    coarse = xr.Dataset({"h": (("time", "lat", "lon"), values)}, {"lat": lat, "lon": lon})
    given = coarse if chunks is None else coarse.chunk(chunks)
    fine = given.downscale("bicubic", factor=factor, conserve=True).compute()
    down, across = factor.values() if isinstance(factor, dict) else (factor, factor)
    # Independently: areas from the written bounds, for cells that nest.
    area = np.abs(np.diff(np.sin(np.deg2rad(fine["lat_bnds"].values)), axis=1))
    sea = np.isfinite(fine["h"].values)
    total = [np.where(sea, area * fine["h"].values, 0.0), area * sea]
    for axis, step in ((1, down), (2, across)):
        total = [np.add.reduceat(x, np.arange(0, x.shape[axis], step), axis) for x in total]
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(total[0] / total[1], values, atol=3e-6)


def test_closing_is_not_blocky_and_brings_true_means_nearer_to_the_truth():
    fine = tutorial.open_dataset("surface")[["ssh"]]
    coarse = coarsen(fine, 9)
    errors, steps = {}, {}
    for conserve in (False, True):
        out = coarse.downscale("bicubic", like=fine, conserve=conserve)["ssh"]
        errors[conserve] = float(((out - fine["ssh"]) ** 2).mean() ** 0.5)
        step = np.abs(np.diff(out.values, axis=-1))
        edge = np.arange(step.shape[-1]) % 9 == 8
        steps[conserve] = np.nanmean(step[..., edge]) / np.nanmean(step[..., ~edge])
    assert errors[True] < 0.8 * errors[False]
    assert steps[True] < 1.05 * steps[False]


@pytest.mark.parametrize("factor", [3, 2.5])
def test_coarse_fields_are_area_means(factor):
    fine = tutorial.open_dataset("surface")[["ssh", "sst"]]
    coarse = coarsen(fine, factor)
    assert coarse["ssh"].attrs == fine["ssh"].attrs
    weights = np.cos(np.deg2rad(fine["latitude"]))
    whole = fine["wind_u"] if "wind_u" in fine else fine["sst"].fillna(15.0)
    mean = float(whole.weighted(weights).mean())
    again = coarsen(whole.to_dataset(name="x"), factor)["x"]
    area = np.diff(np.sin(np.deg2rad(coarse["latitude_bnds"].values)), axis=1)[:, 0]
    assert float((again * area[:, None]).mean() / area.mean()) == pytest.approx(mean, rel=1e-4)
