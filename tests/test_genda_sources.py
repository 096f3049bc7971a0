"""What observations see of a domain: operators against maths of their own, grids, datums, times."""

from __future__ import annotations

import functools
import itertools
import warnings
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from surfaces_small import (
    COLUMNS,
    HEIGHT,
    ROWS,
    SSH,
    SST,
    TURNS,
    coast,
    like,
    seen,
    tracks,
    truth,
    turned,
    two,
)

from xocean_ml.assimilation.rows import Rows, bilinear, own
from xocean_ml.assimilation.state import State
from xocean_ml.errors import FieldNotFound, GridError, UnitsError, ValuesError
from xocean_ml.generative import footprints as seen_through
from xocean_ml.generative.checks import in_range
from xocean_ml.generative.domain import domain_of
from xocean_ml.generative.footprints import area_means, correlated, footprints
from xocean_ml.generative.sources import mean_topography, observed
from xocean_ml.generative.when import DAY, duration, nearby, wanted_times
from xocean_ml.grid import sides_of
from xocean_ml.units import conversion

CONFIG = two().config
CELL = float(truth().latitude.diff("latitude").median())
WIDE = float(truth().longitude.diff("longitude").median())


# ---- grids and fields of them ----------------------------------------------------------------


def grid(lat: Any, lon: Any, **attrs: Any) -> xr.DataArray:
    """Zeros on centres."""
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    coords = {
        "latitude": ("latitude", lat, {"units": "degrees_north"}),
        "longitude": ("longitude", lon, {"units": "degrees_east"}),
    }
    zero = np.zeros((len(lat), len(lon)))
    return xr.DataArray(zero, coords, ("latitude", "longitude"), "ssh", attrs)


def state_of(lat: Any, lon: Any, known: np.ndarray | None = None, fields: int = 2) -> State:
    shape = len(lat), len(lon)
    sea = np.ones(shape, bool) if known is None else known
    return State(np.asarray(lat), np.asarray(lon), False, np.broadcast_to(sea, (fields, *shape)))


def centres(first: float, step: float, count: int) -> np.ndarray:
    return first + step * np.arange(count)


LAT, LON = centres(30, 0.1, 20), centres(-40, 0.125, 24)


def matrix(rows: Rows, state: State) -> np.ndarray:
    """Observations of the state's vector, (m, n)."""
    made = np.zeros((len(rows), state.size))
    for number, (cell, weight) in enumerate(zip(rows.cell, rows.weight, strict=True)):
        np.add.at(made[number], cell, weight)
    return made


def islands(seed: int, share: float = 0.3) -> np.ndarray:
    """Sea at random."""
    return np.random.default_rng(seed).random((len(LAT), len(LON))) > share


def coarse(step: float, at: tuple[float, float] = (0.0, 0.0)) -> xr.DataArray:
    """A map of larger cells over the domain and a little beyond."""
    lat = np.arange(LAT[0] - step + at[0] * step, LAT[-1] + step, step)
    lon = np.arange(LON[0] - step + at[1] * step, LON[-1] + step, step)
    return grid(lat, lon)


wide = given(
    step=st.floats(0.2, 1.0),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    seed=st.integers(0, 99),
    share=st.sampled_from([0.0, 0.3, 0.6]),
    width=st.one_of(st.none(), st.floats(5.0, 150.0)),
)


def through(width: float | None, state: State, array: xr.DataArray, field: int = 1) -> Any:
    """Means over cells, or over footprints."""
    sides = sides_of(array)
    if width is None:
        return area_means(state, field, sides)
    return footprints(state, field, sides, width)


# ---- rows of every kind ----------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@wide
def test_coarse_cells_are_means_of_the_sea_of_one_field(step, at, seed, share, width):
    state = state_of(LAT, LON, islands(seed, share))
    rows, cells = through(width, state, coarse(step, at))
    assert sorted(cells[cells >= 0]) == list(range(len(rows)))
    seen = matrix(rows, state)
    assert (seen >= 0).all()
    np.testing.assert_allclose(seen.sum(axis=1), 1, atol=1e-12)
    part = state.parts[1]
    assert not seen[:, : part.start].any()
    assert (rows.field == 1).all()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.3, 0.9]))
def test_points_are_means_of_the_sea_of_one_field(seed, share):
    random = np.random.default_rng(seed)
    state = state_of(LAT, LON, islands(seed, share))
    lat, lon = (random.uniform(each[0] - 1, each[-1] + 1, 60) for each in (LAT, LON))
    rows, used = bilinear(state, 1, lat, lon)
    made = matrix(rows, state)
    assert len(rows) == used.sum()
    assert (made >= 0).all()
    np.testing.assert_allclose(made.sum(axis=1), 1, atol=1e-12)
    assert not made[:, : state.parts[1].start].any()


def test_points_are_bilinear():
    """Products of triangles of one cell on either side."""
    random, state = np.random.default_rng(0), state_of(LAT, LON, fields=1)
    lat, lon = (random.uniform(each[0], each[-1], 50) for each in (LAT, LON))
    hats = [
        np.maximum(0, 1 - np.abs(at[:, None] - side) / (side[1] - side[0]))
        for at, side in ((lat, LAT), (lon, LON))
    ]
    expected = np.einsum("mi,mj->mij", *hats).reshape(50, -1)
    rows, _ = bilinear(state, 0, lat, lon)
    np.testing.assert_allclose(matrix(rows, state), expected, atol=1e-9)


def test_own_cells_are_seen_as_they_are():
    state = state_of(LAT, LON, islands(1))
    part = state.parts[1]
    np.testing.assert_array_equal(
        matrix(own(state, 1), state)[:, part], np.eye(part.stop - part.start)
    )


def fractions(edges: np.ndarray, cells: np.ndarray, many: int = 4000) -> np.ndarray:
    """Share of each fine cell in each coarse one, by counting points."""
    points = (np.arange(many * (len(edges) - 1)) + 0.5) / many
    at = np.interp(points, np.arange(len(edges)), edges)
    inside = np.digitize(at, cells) - 1
    made = np.zeros((len(edges) - 1, len(cells) - 1))
    ok = (inside >= 0) & (inside < len(cells) - 1)
    np.add.at(made, (np.arange(len(at))[ok] // many, inside[ok]), 1 / many)
    return made


def edges(at: np.ndarray) -> np.ndarray:
    half = (at[1] - at[0]) / 2
    return np.append(at - half, at[-1] + half)


def means(lat: np.ndarray, lon: np.ndarray, array: xr.DataArray) -> np.ndarray:
    """Means over coarse cells, (rows, columns, cells), of the area in common on a sphere."""
    north = [np.sin(np.deg2rad(edges(each))) for each in (array.latitude.values, lat)]
    down = fractions(*north)
    along = fractions(edges(array.longitude.values), edges(lon))
    return np.einsum("ai,bj->abij", down, along).reshape(*array.shape, -1)


def test_means_over_area_are_of_the_area_in_common():
    state = state_of(LAT, LON, fields=1)
    array = coarse(0.37, (0.4, 0.2))
    rows, cells = area_means(state, 0, sides_of(array))
    expected = means(LAT, LON, array).reshape(array.size, -1)
    enough = expected.sum(axis=1)
    # cells whose middle is off the domain, or most of which is, tell nothing of it
    assert (enough[cells >= 0] >= 0.5 - 1e-3).all()
    whole = np.flatnonzero(enough > 0.999)
    assert (cells[whole] >= 0).all()
    found = matrix(rows, state)[cells[whole]]
    np.testing.assert_allclose(found, expected[whole] / enough[whole, None], atol=1e-3)


def test_means_over_area_are_so_where_cells_differ_in_area():
    """Twenty degrees of latitude in a cell: its rows are weighted by their area once."""
    lat, lon = centres(1, 2, 40), centres(0, 2, 40)
    state, array = state_of(lat, lon, fields=1), grid([10, 30, 50, 70], [9, 29, 49, 69])
    rows, _ = area_means(state, 0, sides_of(array))
    expected = means(lat, lon, array).reshape(array.size, -1)
    np.testing.assert_allclose(matrix(rows, state), expected, atol=1e-4)


@pytest.mark.parametrize("first", [0.0, -180.0, 180.0, -360.0])
def test_a_map_of_the_globe_lies_on_both_sides_of_greenwich(first):
    """Whatever meridian it begins at."""
    lat, lon = centres(30.05, 0.1, 40), centres(-4.95, 0.1, 100)
    state = state_of(lat, lon, fields=1)
    array = grid(centres(28.5, 1, 8), centres(first + 0.5, 1, 360))
    rows, cells = area_means(state, 0, sides_of(array))
    assert (cells >= 0).sum() == 4 * 10
    inside = cells.reshape(array.shape) >= 0
    middle = (array.longitude.values + 180) % 360 - 180
    assert sorted(middle[inside.any(axis=0)]) == [*centres(-4.5, 1, 10)]
    east = np.broadcast_to(lon, state.shape).ravel()
    expected = np.broadcast_to(middle, array.shape)[inside]
    np.testing.assert_allclose(rows.of(east)[cells[cells >= 0]], expected, atol=1e-3)


def test_means_over_area_keep_the_mean():
    """Of a domain that coarse cells fill up, the mean over all is that of the coarse map."""
    state = state_of(LAT, LON, fields=1)
    array = grid(centres(30.2, 0.5, 4), centres(-39.8125, 0.5, 6))
    values = np.random.default_rng(0).standard_normal(state.size)
    rows, cells = area_means(state, 0, sides_of(array))
    assert (cells >= 0).all()
    area = np.diff(np.sin(np.deg2rad(edges(array.latitude.values)))).repeat(6)
    mean = np.average(rows.of(values)[cells], weights=area)
    assert mean == pytest.approx(float(state.area @ values), abs=1e-4)


@settings(deadline=None, max_examples=15)
@given(
    step=st.floats(0.2, 0.7),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    slope=st.tuples(*[st.floats(-3, 3)] * 2),
)
def test_means_over_area_of_a_plane_are_its_values_at_the_middle(step, at, slope):
    state, array = state_of(LAT, LON, fields=1), coarse(step, at)
    plane = (slope[0] * LAT[:, None] + slope[1] * LON).ravel()
    rows, cells = area_means(state, 0, sides_of(array))
    mesh = np.meshgrid(array.latitude, array.longitude, indexing="ij")
    lat, lon = (each.ravel() for each in mesh)
    inside = (np.abs(lat - LAT.mean()) < 1 - step / 2) & (np.abs(lon - LON.mean()) < 1.5 - step / 2)
    inside &= cells >= 0
    expected = slope[0] * lat + slope[1] * lon
    # fine cells that lie in two coarse ones have one value: to a part of a fine cell
    np.testing.assert_allclose(
        rows.of(plane)[cells[inside]], expected[inside], atol=0.03 * sum(map(abs, slope)) + 1e-9
    )


def test_means_over_area_of_a_plane_are_exact_where_cells_are_whole():
    state = state_of(LAT, LON, fields=1)
    array = grid(centres(30.15, 0.4, 4), centres(-39.8125, 0.5, 6))
    rows, cells = area_means(state, 0, sides_of(array))
    mesh = np.meshgrid(array.latitude, array.longitude, indexing="ij")
    for side, where in zip(np.meshgrid(LAT, LON, indexing="ij"), mesh, strict=True):
        found = rows.of(side.ravel())[cells]
        np.testing.assert_allclose(found, where.ravel(), atol=1e-3)


@pytest.mark.parametrize("width", [25.0, 40.0, 80.0])
def test_footprints_are_gaussians_of_that_width(width):
    """In km on either axis; cells count by their area."""
    state, array = (
        state_of(LAT, LON, fields=1),
        grid(centres(30.4, 0.31, 4), centres(-39.3, 0.4, 4)),
    )
    rows, cells = footprints(state, 0, sides_of(array), width)
    sigma = width / 2.3548
    expected = np.zeros((array.size, state.size))
    for number, (lat, lon) in enumerate(
        (a, o) for a in array.latitude.values for o in array.longitude.values
    ):
        y = 111.2 * (LAT - lat)[:, None]
        x = 111.2 * np.cos(np.deg2rad(lat)) * (LON - lon)
        weight = np.exp(-0.5 * (x**2 + y**2) / sigma**2) * np.cos(np.deg2rad(LAT))[:, None]
        expected[number] = weight.ravel() / weight.sum()
    there = cells >= 0
    assert there.any()
    # a footprint ends at three standard deviations
    np.testing.assert_allclose(
        matrix(rows, state)[cells[there]], expected[there], atol=0.02 * expected.max()
    )


def test_half_of_a_footprint_lies_within_its_width():
    """Along a line: at half the width on either side the weight is half of that in the middle."""
    lat, lon = centres(30, 0.02, 101), centres(-40, 0.02, 101)
    state, array = state_of(lat, lon, fields=1), grid([31.0, 32.0], [-39.0, -38.0])
    rows, cells = footprints(state, 0, sides_of(array), 60.0)
    seen = matrix(rows, state)[cells[0]].reshape(101, 101)
    half = np.interp(31 + 30 / 111.2, lat, seen[:, 50])
    assert half / seen[50, 50] == pytest.approx(0.5, abs=0.01)


@settings(deadline=None, max_examples=20)
@wide
def test_what_is_the_same_everywhere_is_so_through_any_footprint(step, at, seed, share, width):
    state = state_of(LAT, LON, islands(seed, share))
    rows, _ = through(width, state, coarse(step, at))
    np.testing.assert_allclose(rows.of(np.full(state.size, 4.2)), 4.2)


def test_a_footprint_of_no_width_is_the_nearest_cell():
    """At the middle of a cell, nearly; between cells, mostly."""
    state, random = state_of(LAT, LON, fields=1), np.random.default_rng(0)
    lat, lon = (np.sort(random.uniform(each[1], each[-2], 5)) for each in (LAT, LON))
    rows, cells = footprints(state, 0, sides_of(grid(lat, lon)), 1e-3)
    assert (cells >= 0).all()
    seen = matrix(rows, state)[cells]
    nearest = [np.abs(at[:, None] - side).argmin(axis=1) for at, side in ((lat, LAT), (lon, LON))]
    expected = (nearest[0][:, None] * len(LON) + nearest[1]).ravel()
    np.testing.assert_array_equal(seen.argmax(axis=1), expected)


def test_no_footprint_is_much_narrower_than_a_cell():
    """The narrowest is a Gaussian of 0.4 cells, which sees what lies between two of both."""
    state = state_of(LAT, LON, fields=1)
    rows, cells = footprints(state, 0, sides_of(grid(LAT[2:9], LON[3:11])), 1e-3)
    beside = np.exp(-0.5 / 0.4**2)
    assert matrix(rows, state)[cells].max(axis=1) == pytest.approx(1 / (1 + 2 * beside) ** 2, 0.01)


def cell_by_cell(
    state: State, field: int, sides: Any, down: np.ndarray, across: Any, area: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Observations of the state's vector, and which is of which cell of a map: a plain loop."""
    made, cells = [], np.full([len(side) for side in sides], -1)
    half = [float(np.diff(each)[0]) / 2 for each in (state.latitude, state.longitude)]
    for row, lat in enumerate(sides[0].centres):
        for column, lon in enumerate(sides[1].centres):
            off = np.abs(lat - state.latitude), np.abs((lon - state.longitude + 180) % 360 - 180)
            y, x = (int(each.argmin()) for each in off)
            if off[0][y] > half[0] or off[1][x] > half[1] or state.index[field, y, x] < 0:
                continue
            weight = np.outer(down[row], across(row, np.array([column]))[0])
            if weight[state.known[field]].sum() >= 0.5:
                cells[row, column] = len(made)
                share = np.zeros(state.known.shape)
                share[field] = weight * area[:, None] * state.known[field]
                made.append(state.pack(share / share.sum()))
    return np.array(made), cells[sides[0].order, sides[1].order].ravel()


@pytest.mark.parametrize("how", TURNS[:2])
@pytest.mark.parametrize("width", [None, 60.0, 400.0])
def test_the_part_of_a_map_of_the_globe_that_lies_over_a_domain(width, how):
    """Whatever is skipped, or looked at together: as each cell by itself."""
    lat, lon = centres(25.1, 0.5, 50), centres(-71.3, 0.5, 60)
    sea = np.random.default_rng(3).random((50, 60)) > 0.2
    sea[10:30, 20:50] = False
    state, array = state_of(lat, lon, sea), grid(centres(-89, 2, 90), centres(1, 2, 180))
    array = turned(array, how)
    rows, cells = through(width, state, array)
    with mock.patch.object(seen_through, "_rows", cell_by_cell):
        expected, numbers = through(width, state, array)
    assert 100 < len(rows) < 400
    np.testing.assert_array_equal(cells, numbers)
    np.testing.assert_allclose(matrix(rows, state), expected, rtol=0, atol=1e-14)


def test_cells_on_land_or_outside_tell_nothing():
    known = np.ones((len(LAT), len(LON)), bool)
    known[:, :12] = False
    state, array = state_of(LAT, LON, known, 1), coarse(0.4)
    for width in (None, 30.0):
        _, cells = through(width, state, array, 0)
        seen = cells.reshape(array.shape) >= 0
        assert seen.any()
        mesh = np.meshgrid(array.latitude, array.longitude, indexing="ij")
        off = (mesh[1] < LON[12] - 0.0625) | (mesh[1] > LON[-1] + 0.0625)
        off |= (mesh[0] < LAT[0] - 0.05) | (mesh[0] > LAT[-1] + 0.05)
        assert not seen[off].any()


def test_cells_whose_errors_are_one_error():
    """The integral of a Gaussian of that width, 2 pi sigma^2, over the area of a cell."""
    array = grid(centres(30, 0.25, 8), centres(-40, 0.25, 8))
    size = (111.2 * 0.25) ** 2 * np.cos(np.deg2rad(array.latitude.values.mean()))
    sigma = 100 / np.sqrt(8 * np.log(2))
    found = correlated(100.0, sides_of(array))
    assert found == pytest.approx(2 * np.pi * sigma**2 / size, rel=1e-3)
    assert correlated(5.0, sides_of(array)) == 1.0


# ---- in what geometry ------------------------------------------------------------------------


@functools.cache
def domain() -> Any:
    return domain_of(like(), [], CONFIG, {})


def found(ds: xr.Dataset, where: Any = None, mdt: Any = None, **more: Any) -> list[Any]:
    options: dict[str, Any] = {"fields": {}, "error": {SSH: 0.02, SST: 0.2}, "footprint": {}}
    return observed(ds, where or domain(), **options | more, mdt=mdt)


def remade(lat: Any, lon: Any, name: str = "sst") -> xr.Dataset:
    """A field on other centres."""
    attrs = {k: truth()[k].attrs for k in ("latitude", "longitude")}
    made = truth()[[name]].interp(latitude=np.asarray(lat), longitude=np.asarray(lon))
    for each, told in attrs.items():
        made[each].attrs = told
    return made.isel(time=slice(3))


def _sides(factor: float, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    lat, lon = truth().latitude.values, truth().longitude.values
    rows, columns = (
        np.arange(side[1] + shift * step, side[-2], factor * step)
        for side, step in ((lat, CELL), (lon, WIDE))
    )
    return rows, columns


@pytest.mark.parametrize(
    ("factor", "shift", "how"),
    [(1, 0, "own"), (0.5, 0, "mean"), (1, 0.5, "linear"), (1.4, 0, "linear"), (2, 0, "area")],
)
def test_grids_are_told_apart(factor, shift, how):
    (one,) = found(remade(*_sides(factor, shift)))
    assert one.seen.how == how
    assert one.wide == (how == "area")
    assert one.inflated == 1


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_a_footprint_that_is_told_is_taken_on_any_grid(factor):
    ds = remade(*_sides(factor))
    (named,) = found(ds, footprint={SST: 25.0})
    ds["sst"].attrs["footprint_km"] = 25.0
    (attribute,) = found(ds)
    for one in (named, attribute):
        assert one.seen.how == "footprint"
        assert one.wide
        assert one.inflated == pytest.approx(correlated(25.0, one.seen.sides))
    np.testing.assert_array_equal(named.rows.weight, attribute.rows.weight)


@pytest.mark.parametrize("how", TURNS)
@pytest.mark.parametrize(
    ("factor", "width"), [(1, None), (0.5, None), (1.3, None), (3, None), (3, 30.0)]
)
def test_a_value_is_seen_where_it_lies_however_it_is_stored(factor, width, how):
    ds = remade(*_sides(factor, 0.25 if factor < 1 else 0.0))
    told = {} if width is None else {SST: width}
    random = np.random.default_rng(0).standard_normal(domain().state.size)
    seen = []
    for each in (ds, turned(ds, how)):
        (one,) = found(each, footprint=told)
        stored = one.seen.array.isel(time=0).values.reshape(1, -1)
        values = one.seen.gridded.observed(stored)[0]
        order = np.argsort(one.rows.of(random))  # of observations, of which nothing is promised
        seen.append((matrix(one.rows, domain().state)[order], values[order]))
    (first, values), (second, others) = seen
    np.testing.assert_allclose(first, second, atol=1e-9)
    np.testing.assert_allclose(values, others, atol=1e-9)


def test_points_without_value_are_no_observations():
    ds = tracks(truth().isel(time=slice(3)))
    (whole,) = found(ds)
    (part,) = found(ds.where(np.arange(40) % 4 > 0))
    assert (len(whole.rows), len(part.rows)) == (40, 30)
    assert found(ds.where(False)) == []


# ---- errors ----------------------------------------------------------------------------------


def test_where_no_error_is_told_one_is_taken_and_said():
    for ds in (tracks(truth().isel(time=slice(3))), truth()[["ssh"]].isel(time=[0])):
        with pytest.warns(UserWarning, match=r"ssh: no standard error is told.*sea_level_anomaly"):
            (one,) = found(ds, error={})
        taken = one.seen.error[0] if "obs" in ds.dims else one.seen.gridded.error
        assert taken == pytest.approx(0.05 * CONFIG["fields"][0]["std"])


def test_errors_of_the_argument_go_before_those_of_the_file():
    first, sst, _ = seen()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (one,) = found(first, error={})
        (other,) = found(sst, error={})
        (given_,) = found(first, error={SSH: 0.5})
    assert one.seen.error == pytest.approx(0.02)
    assert other.seen.error.name == "sst_standard_error"
    assert given_.seen.error == pytest.approx(0.5)


# ---- the domain ------------------------------------------------------------------------------


def sea_of(given: Any, datasets: Any = ()) -> np.ndarray:
    return domain_of(given, list(datasets), CONFIG, {}).sea


def test_what_is_missing_at_all_times_is_land():
    ds = like()[["sst"]].where(coast())
    np.testing.assert_array_equal(sea_of(ds), coast())
    np.testing.assert_array_equal(sea_of(ds.sst), coast())
    cloudy = ds.where(np.random.default_rng(0).random(ds.sst.shape) > 0.3)
    cloudy = xr.concat([cloudy, ds.isel(time=[0]).assign_coords(time=ds.time[[2]] + DAY)], "time")
    np.testing.assert_array_equal(sea_of(cloudy), coast())
    np.testing.assert_array_equal(sea_of(ds.isel(latitude=slice(None, None, -1))), coast())
    np.testing.assert_array_equal(sea_of(ds.transpose("longitude", ...)), coast())


def test_a_mask_tells_land():
    attrs = {"standard_name": "sea_binary_mask", "units": "1"}
    mask = coast().astype("i1").assign_attrs(attrs)
    np.testing.assert_array_equal(sea_of(mask.to_dataset(name="mask")), coast())
    np.testing.assert_array_equal(sea_of(mask.rename("mask")), coast())
    np.testing.assert_array_equal(sea_of(like()[["sst"]].assign(mask=mask)), coast())
    np.testing.assert_array_equal(sea_of(None, [like()[["sst"]].assign(mask=mask)]), coast())


def test_a_mask_that_does_not_tell_of_what_is_refused():
    """True may be the sea, or the land."""
    for each in (coast(), coast().to_dataset(name="sea")):
        with pytest.raises(GridError, match=r"sea may be a mask.*sea_binary_mask.*land_binary"):
            sea_of(each)


def test_winds_over_land_hide_none():
    """Land is where the prior's own fields are missing; without one, where all are."""
    ds = like()[["sst"]].where(coast())
    wind = truth().u.isel(time=slice(3)).assign_attrs(standard_name="eastward_wind")
    np.testing.assert_array_equal(sea_of(ds.assign(wind=wind)), coast())
    bare = xr.Dataset({"wind": wind.where(coast())})
    np.testing.assert_array_equal(sea_of(bare), coast())


def test_land_is_where_every_field_is_missing():
    """What one of them lacks another has."""
    ds = like()[["ssh", "sst"]].where(coast())
    ds["ssh"] = ds.ssh.where(ds.latitude > 32.9)
    np.testing.assert_array_equal(sea_of(ds), coast())


def test_a_mean_topography_over_land_hides_none():
    ds = like()[["sst"]].where(coast()).assign(mdt=truth().mdt)
    np.testing.assert_array_equal(sea_of(ds), coast())


def test_of_few_observed_times_clouds_are_no_land():
    few = truth()[["sst"]].where(coast())
    assert sea_of(None, [few]).all()
    many = xr.concat([few, few.assign_coords(time=few.time + np.timedelta64(90, "D"))], "time")
    np.testing.assert_array_equal(sea_of(None, [many]), coast())


def test_without_like_the_grid_nearest_to_the_training_is_taken():
    first, sst, sss = seen()
    made = domain_of(None, [first, sss, sst], CONFIG, {})
    assert made.state.shape == (ROWS, COLUMNS)
    with pytest.raises(GridError, match="like=DATASET"):
        domain_of(None, [first], CONFIG, {})


def half_cells(step: float, first: tuple[float, float]) -> xr.Dataset:
    """On a grid whose edges, not centres, are multiples of a step: that of most products."""
    lat, lon = (centres(at, step, n) for at, n in zip(first, (ROWS, COLUMNS), strict=True))
    told = {
        name: (name, values, truth()[name].attrs)
        for name, values in (("latitude", lat), ("longitude", lon))
    }
    return truth()[["sst"]].isel(time=[0]).drop_vars(list(told)).assign_coords(told)


GRIDS = {
    "twentieths": (1 / 20, (32.4, -44.4)),
    "twentieths, halves": (1 / 20, (32.425, -44.425)),
    "sixteenths, halves": (1 / 16, (32.03125, -44.46875)),
    "twelfths, halves": (1 / 12, (32 + 1 / 24, -44 - 1 / 24)),
}


def origin(ds: xr.Dataset) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="cells of")
        return np.array(domain_of(ds, [], CONFIG, {}).origin)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, "f8") for name in GRIDS),
        *((name, "f4") for name in GRIDS if name != "twentieths"),
        ("twentieths", "f4"),
    ],
)
def test_a_part_of_a_grid_keeps_its_numbers(name, dtype):
    ds = half_cells(*GRIDS[name])
    each = ds.assign_coords({n: ds[n].astype(dtype) for n in ("latitude", "longitude")})
    for cut in range(8):
        part = each.isel(latitude=slice(cut, cut + 16), longitude=slice(cut, cut + 20))
        np.testing.assert_array_equal(origin(part), origin(ds) + cut)


@pytest.mark.parametrize(
    "grid_",
    [*GRIDS.values(), (0.06175681, (32.4, -44.4156))],
    ids=[*GRIDS, "of a model of its own"],
)
def test_ranges_of_longitude_are_alike(grid_):
    """Whatever part of it is taken."""
    ds = half_cells(*grid_)
    for cut in range(8):
        part = ds.isel(longitude=slice(cut, cut + 20))
        other = part.longitude.values % 360
        turned = part.assign_coords(longitude=("longitude", other, part.longitude.attrs))
        np.testing.assert_array_equal(origin(part), origin(turned))


def test_a_grid_over_the_seam_has_the_same_numbers():
    step, first = GRIDS["twentieths"]
    ds = half_cells(step, (first[0], -0.5))
    other = ds.longitude.values % 360
    assert (np.diff(other) < 0).any()
    turned = ds.assign_coords(longitude=("longitude", other, ds.longitude.attrs))
    np.testing.assert_array_equal(origin(ds), origin(turned))
    np.testing.assert_array_equal(sea_of(ds), sea_of(turned))
    made = domain_of(ds, [], CONFIG, {})
    assert made.turn == 7200
    assert (origin(ds.isel(longitude=slice(10, None)))[1] - origin(ds)[1]) % made.turn == 10


# ---- heights ---------------------------------------------------------------------------------


def test_the_mean_topography_is_taken_as_it_is_on_the_same_cells():
    made = mean_topography([like()], domain(), {})
    np.testing.assert_allclose(made, truth().mdt, atol=1e-6)


def test_the_mean_topography_may_be_anywhere_in_any_order():
    ds = truth()[["mdt"]]
    centimetres = ds.assign(mdt=(ds.mdt * 100).assign_attrs(ds.mdt.attrs, units="cm"))
    west = ds.assign_coords(longitude=(ds.longitude % 360).assign_attrs(ds.longitude.attrs))
    other = ds.rename(mdt="topo")
    for each, named in (
        (ds.isel(latitude=slice(None, None, -1)), {}),
        (ds.transpose("longitude", "latitude"), {}),
        (centimetres, {}),
        (west, {}),
        (other, {"mean_dynamic_topography": "topo"}),
    ):
        made = mean_topography([seen()[0], each], domain(), named)
        np.testing.assert_allclose(made, truth().mdt, atol=1e-5)
    assert mean_topography(list(seen()), domain(), {}) is None


def test_the_mean_topography_is_there_on_the_coast():
    ds = like().where(coast())
    made = mean_topography([ds], domain_of(ds, [], CONFIG, {}), {})
    assert np.isfinite(made[coast().values]).all()


ADT = [{**CONFIG["fields"][0], "key": HEIGHT}, CONFIG["fields"][1]]


def test_anomalies_get_the_mean_topography_where_they_lie():
    absolute = domain_of(like(), [], {**CONFIG, "fields": ADT}, {})
    ds = tracks(truth().isel(time=slice(3)))
    mdt = tracks(truth()[["mdt"]].expand_dims(time=truth().time[:3]), name="mdt")
    (one,) = found(ds, absolute, np.asarray(truth().mdt), error={HEIGHT: 0.1})
    np.testing.assert_allclose(one.shift, mdt.mdt, atol=1e-6)
    with pytest.raises(FieldNotFound, match=r"ssh: the prior knows .*geoid.*mdt"):
        found(ds, absolute, error={HEIGHT: 0.1})


# ---- times -----------------------------------------------------------------------------------

NS = st.integers(-(10**18), 10**18)
TIMES = st.lists(NS, min_size=1, max_size=12, unique=True).map(lambda each: np.array(each))


@given(own=st.lists(NS, max_size=30).map(lambda each: np.array(each, np.int64)), wanted=TIMES)
def test_without_a_window_each_observation_is_used_once_at_most(own, wanted):
    uses = nearby(own, wanted, None)
    assert len(uses) == len(wanted)
    every = np.concatenate([pick for pick, _ in uses])
    assert len(set(every)) == len(every)
    assert all((age == 0).all() for _, age in uses)
    for at, (pick, _) in zip(wanted, uses, strict=True):
        nearest = np.abs(own[pick][:, None] - wanted).min(axis=1, initial=2**62)
        np.testing.assert_array_equal(np.abs(own[pick] - at), nearest)


@given(
    count=st.integers(1, 9),
    step=st.integers(1, 20),
    order=st.randoms(use_true_random=False),
    away=st.lists(st.floats(-0.49, 0.49), min_size=1, max_size=40),
)
def test_of_even_times_each_observation_within_half_a_step_is_used_once(count, step, order, away):
    """In whatever order; of one time, within half a day."""
    step = step * DAY if count > 1 else DAY
    wanted = [number * step for number in range(count)]
    order.shuffle(wanted)
    at = [order.choice(wanted) for _ in away]
    own = np.array([a + int(share * step) for a, share in zip(at, away, strict=True)])
    uses = nearby(own, np.array(wanted), None)
    used = {int(each): t for (pick, _), t in zip(uses, wanted, strict=True) for each in pick}
    assert used == dict(enumerate(at))


@given(
    own=st.lists(NS, max_size=30).map(lambda each: np.array(each, np.int64)),
    wanted=TIMES,
    days=st.integers(1, 4000),
)
def test_in_a_window_all_are_used_with_their_age_in_days(own, wanted, days):
    for at, (pick, age) in zip(wanted, nearby(own, wanted, days * DAY), strict=True):
        expected = np.flatnonzero(np.abs(own - at) <= days * DAY / 2)
        np.testing.assert_array_equal(pick, expected)
        np.testing.assert_allclose(age, np.abs(own[pick] - at) / 86400e9)
        assert (age <= days / 2).all()


@pytest.mark.parametrize(
    ("given", "days"), [("10D", 10), ("36h", 1.5), (np.timedelta64(2, "D"), 2), ("1W", 7)]
)
def test_time_spans(given, days):
    assert duration(given, "window") == days * DAY
    assert duration(None, "window") is None


@pytest.mark.parametrize("given", [10, 10.0])
def test_a_bare_number_is_no_time_span(given):
    with pytest.raises((TypeError, ValueError), match="window"):
        duration(given, "window")


def test_times_of_points_are_days_at_noon():
    at = xr.DataArray(np.array(["2001-02-03T23", "2001-02-06T01"], "M8[ns]"), dims="obs")
    found = wanted_times(None, [], [at, at[:0]])
    assert list(found.values) == list(np.arange("2001-02-03T12", "2001-02-07T12", 24, "M8[h]"))
    with pytest.raises(ValuesError, match="like="):
        wanted_times(None, [], [at[:0]])


# ---- values that cannot be -------------------------------------------------------------------

TEMPERATURES = ("degC", "K", "degF")


def _stub(units: str, mean: float, std: float) -> Any:
    told = {"key": SST, "units": units, "mean": mean, "std": std, "size": std}
    return SimpleNamespace(config={"fields": [told]})


@pytest.mark.parametrize(("said", "true"), list(itertools.permutations(TEMPERATURES, 2)))
@pytest.mark.parametrize("own_", ["degC", "K"])
def test_the_likely_units_of_a_temperature_are_named(said, true, own_):
    celsius = 16 + 0.5 * np.random.default_rng(0).standard_normal(99)
    stored = conversion("degC", true)(celsius)
    mean = float(conversion("degC", own_)(np.array(16.0)))
    with pytest.raises(UnitsError, match=rf"look like {true}: mend"):
        in_range([(0, conversion(said, own_)(stored), said)], _stub(own_, mean, 0.5))


@pytest.mark.parametrize(("far", "error", "warned"), [(1, False, False), (8, False, True)])
def test_values_far_from_the_training_are_told(far, error, warned):
    values = 16 + 0.5 * far + 0.1 * np.random.default_rng(0).standard_normal(99)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        in_range([(0, values, "degC")], _stub("degC", 16.0, 0.5))
    assert bool(told) == warned
    if warned:
        assert "far outside what the prior was trained on" in str(told[0].message)


@given(share=st.floats(0, 0.45), seed=st.integers(0, 9))
def test_less_than_half_may_be_anything_finite(share, seed):
    random = np.random.default_rng(seed)
    values = 16 + 0.5 * random.standard_normal(400)
    assume(share < 0.45)
    values[: int(share * 400)] = 1e6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        in_range([(0, values, "degC"), (0, values[:0], "K")], _stub("degC", 16.0, 0.5))


def test_infinite_values_are_refused():
    with pytest.raises(ValuesError, match="infinite"):
        in_range([(0, np.array([16.0, np.inf]), "degC")], _stub("degC", 16.0, 0.5))
