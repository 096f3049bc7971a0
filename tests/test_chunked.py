"""Laws of the window primitive: tasks get what numpy's ``take`` gives, for any chunks and grid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xocean_ml import chunked
from xocean_ml.chunked import Carry, Input, Output, PerBlock

SETTINGS = settings(max_examples=60, deadline=None)


def _no_compute(*args, **kwargs):
    raise AssertionError("something was computed before it was asked for")


def _value(array):
    return array.compute(scheduler="synchronous")


@st.composite
def sizes_of(draw, total: int) -> tuple[int, ...]:
    """Any way to cut an axis of `total` cells into blocks."""
    cuts = draw(st.sets(st.integers(1, total - 1), max_size=5)) if total > 1 else set()
    edges = [0, *sorted(cuts), total]
    return tuple(b - a for a, b in pairwise(edges))


@st.composite
def chunked_arrays(draw, max_rank: int = 3, max_size: int = 9) -> da.Array:
    shape = draw(st.lists(st.integers(1, max_size), min_size=1, max_size=max_rank))
    chunks = tuple(draw(sizes_of(n)) for n in shape)
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    return da.from_array(values, chunks=chunks)


def _taken(values: np.ndarray, windows) -> np.ndarray:
    """The window by numpy: positions wrapped, or those outside left out."""
    for axis, (low, high, wrap) in enumerate(windows):
        at = np.arange(low, high)
        if not wrap:
            at = at[(at >= 0) & (at < values.shape[axis])]
        values = np.take(values, at, axis=axis, mode="wrap" if wrap else "raise")
    return values


def _given(place, *windows):
    return place, windows


def _results(work) -> list:
    """Results of all blocks, last grid axis fastest."""
    return list(dask.get(work.graph.to_dict(), work.__dask_keys__()))


@dataclass(frozen=True)
class Numbered:
    """A function with a parameter, known by its content."""

    factor: float
    __name__ = "numbered"

    def __call__(self, place, window):
        return self.factor * window


# ---- windows -------------------------------------------------------------------------------


@st.composite
def an_axis(draw, size: int):
    """Grid sizes of one axis, an `Along` of any kind, and the window it should mean per block."""
    kind = draw(st.sampled_from(["whole", "own", "halo", "wrapped", "scaled", "selected"]))
    if kind == "scaled":
        scale = draw(st.sampled_from([0.4, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 1.1, 1 / 3]))
        grid = draw(sizes_of(max(1, round(size * scale))))
    elif kind in ("whole", "selected"):
        grid = draw(sizes_of(draw(st.integers(1, 5))))
    else:
        grid = draw(sizes_of(size))
    edges = np.cumsum([0, *grid])
    pairs = [(int(a), int(b)) for a, b in pairwise(edges)]
    reach = draw(st.integers(0, 2 * size + 1))

    def make(axis: int):
        if kind == "whole":
            return chunked.whole(size), [(0, size, False)] * len(grid)
        if kind == "own":
            return chunked.own(axis, grid), [(a, b, False) for a, b in pairs]
        if kind in ("halo", "wrapped"):
            wrap = kind == "wrapped"
            along = chunked.halo(axis, grid, reach, wrap=wrap)
            return along, [(a - reach, b + reach, wrap) for a, b in pairs]
        if kind == "scaled":
            along = chunked.scaled(axis, grid, scale, reach)
            bounds = [(floor(a / scale) - reach, ceil(b / scale) + reach, False) for a, b in pairs]
            return along, bounds
        return chunked.selected(axis, [(a, b) for a, b in ragged]), [(*b, False) for b in ragged]

    inside = st.integers(0, size)
    ragged = [sorted(draw(st.tuples(inside, inside))) for _ in grid]
    return grid, make


@SETTINGS
@given(st.data())
def test_a_task_gets_what_take_gives(data):
    array = data.draw(chunked_arrays())
    parts = [data.draw(an_axis(size)) for size in array.shape]
    grid = tuple(sizes for sizes, _ in parts)
    made = [make(axis) for axis, (_, make) in enumerate(parts)]
    work = chunked.tasks(_given, grid, [Input(array, tuple(along for along, _ in made))])
    values = array.compute()
    got = _results(work)
    for index, (place, (window,)) in zip(chunked.indices(grid), got, strict=True):
        bounds = [wanted[i] for (_, wanted), i in zip(made, index, strict=True)]
        np.testing.assert_array_equal(window, _taken(values, bounds))
        assert place.index == index
        starts = [sum(sizes[:i]) for sizes, i in zip(grid, index, strict=True)]
        assert [s.start for s in place.slices] == starts
        assert [s.stop - s.start for s in place.slices] == [
            sizes[i] for sizes, i in zip(grid, index, strict=True)
        ]


@SETTINGS
@given(st.data())
def test_a_window_depends_on_no_chunk_that_it_does_not_touch(data):
    size = data.draw(st.integers(1, 12))
    sizes = data.draw(sizes_of(size))
    low = data.draw(st.integers(-size, size))
    high = data.draw(st.integers(low + 1, 2 * size))
    numbers, parts = chunked.touched(sizes, low, high, wrap=True)
    edges = np.cumsum([0, *sizes])
    found = zip(numbers, parts, strict=True)
    cells = np.concatenate([np.arange(size)[edges[n] :][p] for n, p in found])
    np.testing.assert_array_equal(cells, np.arange(low, high) % size)
    assert all(p.stop > p.start for p in parts)


def test_an_input_may_follow_another_order_of_axes_or_none():
    """A guide on its own grid, transposed; a table that all blocks share."""
    guide = da.from_array(np.arange(24).reshape(6, 4), chunks=(4, 3))
    table = da.from_array(np.arange(5), chunks=2)
    grid = ((1, 3), (2, 4))
    along = (chunked.own(1, grid[1]), chunked.own(0, grid[0]))
    work = chunked.tasks(_given, grid, [Input(guide, along), Input(table, (chunked.whole(5),))])
    got = _results(work)
    for place, (window, shared) in got:
        rows, columns = place.slices
        np.testing.assert_array_equal(window, np.arange(24).reshape(6, 4)[columns, rows])
        np.testing.assert_array_equal(shared, np.arange(5))


def test_a_window_that_is_one_chunk_is_not_copied():
    array = da.from_array(np.arange(8.0), chunks=4)

    def own_memory(place, window):
        return window.base is not None or not window.flags.owndata

    work = chunked.tasks(own_memory, ((4, 4),), [Input(array, (chunked.own(0, (4, 4)),))])
    assert all(_results(work))


def test_a_block_without_observations_gets_an_empty_window():
    table = da.from_array(np.arange(6, dtype="f4"), chunks=2)
    along = chunked.selected(0, [(0, 3), (3, 3), (3, 6), (6, 6)])
    work = chunked.tasks(_given, ((1,) * 4,), [Input(table, (along,))])
    got = _results(work)
    assert [len(window) for _, (window,) in got] == [3, 0, 3, 0]
    assert {window.dtype for _, (window,) in got} == {np.dtype("f4")}


# ---- carries -------------------------------------------------------------------------------


def _scan(place, window, carry=None):
    result = np.cumsum(window) + _handed(carry)
    return result, result[-1]


def _scan_back(place, window, carry=None):
    result = np.cumsum(window[::-1])[::-1] + _handed(carry)
    return result, result[0]


def _handed(carry):
    """The carry; a light one comes together with the result."""
    if carry is None:
        return 0
    return carry[1] if isinstance(carry, tuple) else carry


@SETTINGS
@given(st.data(), st.booleans(), st.booleans())
def test_a_carry_is_a_scan_for_any_grouping(data, reverse, light):
    size = data.draw(st.integers(1, 12))
    values = np.arange(1, size + 1) ** 2
    array = da.from_array(values, chunks=(data.draw(sizes_of(size)),))
    grid = (data.draw(sizes_of(size)),)
    carry = Carry(0, reverse=reverse, light=light)
    inputs = [Input(array, (chunked.own(0, grid[0]),))]
    work = chunked.tasks(_scan_back if reverse else _scan, grid, inputs, carry=carry)
    got = _results(work)
    got = np.concatenate([each[0] for each in got])
    wanted = values[::-1].cumsum()[::-1] if reverse else values.cumsum()
    np.testing.assert_array_equal(got, wanted)


def test_carries_of_other_columns_do_not_mix():
    values = np.arange(12).reshape(4, 3)
    grid = ((1, 3), (1, 2))
    along = (chunked.own(0, grid[0]), chunked.own(1, grid[1]))

    def scan(place, window, carry=None):
        result = window.cumsum(axis=0) + (0 if carry is None else carry)
        return result, result[-1]

    work = chunked.tasks(
        scan, grid, [Input(da.from_array(values, chunks=2), along)], carry=Carry(0)
    )
    (out,) = chunked.arrays(work, [Output(grid, (0, 1), np.empty((0, 0), int))])
    np.testing.assert_array_equal(_value(out), values.cumsum(axis=0))


# ---- outputs -------------------------------------------------------------------------------


@st.composite
def finer(draw, coarse: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for block in coarse for size in draw(sizes_of(block)))


def _two(place, window):
    return window + 1, window.sum(axis=0)


@SETTINGS
@given(st.data())
def test_several_outputs_with_chunks_finer_than_the_grid(data):
    shape = (data.draw(st.integers(1, 8)), data.draw(st.integers(1, 8)))
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    array = da.from_array(values, chunks=tuple(data.draw(sizes_of(n)) for n in shape))
    grid = ((shape[0],), data.draw(sizes_of(shape[1])))
    along = tuple(chunked.own(axis, sizes) for axis, sizes in enumerate(grid))
    fine = (data.draw(finer(grid[0])), data.draw(finer(grid[1])))
    outputs = [
        Output(fine, (0, 1), np.empty((0, 0))),
        Output((data.draw(finer(grid[1])),), (1,), np.empty(0)),
    ]
    plus, total = chunked.arrays(chunked.tasks(_two, grid, [Input(array, along)]), outputs)
    assert plus.chunks == fine
    np.testing.assert_array_equal(_value(plus), values + 1)
    np.testing.assert_array_equal(_value(total), values.sum(axis=0))
    # dask may fuse and cull: a part alone is right too
    np.testing.assert_array_equal(_value(plus[-1:, -1:]), values[-1:, -1:] + 1)


def test_two_layouts_of_one_result_have_different_keys():
    work = chunked.tasks(_given, ((4,),))
    one, two = (
        chunked.arrays(work, [Output((sizes,), (0,), np.empty(0))])[0] for sizes in ((1, 3), (2, 2))
    )
    assert one.name != two.name


def test_an_output_chunk_across_blocks_is_refused():
    work = chunked.tasks(_given, ((2, 2),))
    with pytest.raises(ValueError, match="across a block border"):
        chunked.arrays(work, [Output(((3, 1),), (0,), np.empty(0))])


def test_one_task_per_block_with_one_output_and_a_getter_each_with_more():
    array = da.ones((8, 6), chunks=(2, 3))
    along = tuple(chunked.own(axis, sizes) for axis, sizes in enumerate(array.chunks))
    reading = len(array.__dask_graph__())
    output = Output(array.chunks, (0, 1), array._meta)
    work = chunked.tasks(Numbered(2.0), array.chunks, [Input(array, along)])
    (out,) = chunked.arrays(work, [output])
    assert len(out.__dask_graph__()) - reading == 8
    pair = chunked.tasks(_two, array.chunks, [Input(array, along)])
    both = chunked.arrays(pair, [output, output])
    assert len({**both[0].__dask_graph__(), **both[1].__dask_graph__()}) - reading == 8 * 3


# ---- reductions ----------------------------------------------------------------------------


def _join(parts):
    return "".join(parts)


def _letter(place, letters):
    return "".join(letters)


@SETTINGS
@given(st.data(), st.integers(2, 7))
def test_reduced_is_the_direct_reduction(data, fan):
    """Joining strings is associative and not commutative: it tells the order too."""
    shape = tuple(data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)))
    grid = tuple(data.draw(sizes_of(n)) for n in shape)
    keep = data.draw(st.lists(st.sampled_from(range(len(shape))), unique=True).map(sorted))
    letters = np.array([chr(97 + i) for i in range(shape[0])])
    array = da.from_array(letters, chunks=2)
    work = chunked.tasks(_letter, grid, [Input(array, (chunked.own(0, grid[0]),))])
    merged = chunked.reduced(work, _join, keep, fan)
    got = _results(merged)
    blocks = np.empty([len(sizes) for sizes in grid], object)
    results = _results(work)
    for index, text in zip(chunked.indices(grid), results, strict=True):
        blocks[index] = text
    wanted = np.moveaxis(blocks, keep, range(len(keep)))
    wanted = wanted.reshape(*wanted.shape[: len(keep)], -1).sum(axis=-1)
    assert got == np.atleast_1d(wanted).ravel().tolist()


@SETTINGS
@given(st.data(), st.integers(2, 5))
def test_no_merge_takes_more_than_the_fan(data, fan):
    grid = ((1,) * data.draw(st.integers(1, 40)),)
    most = []

    def count(parts):
        most.append(len(parts))
        return sum(parts)

    merged = chunked.reduced(chunked.tasks(lambda place: 1, grid), count, (), fan)
    assert chunked.compute(merged) == len(grid[0])
    assert max(most) <= fan


# ---- keys ----------------------------------------------------------------------------------


def _doubled(place, window):
    return 2 * window


def _made(function=_doubled, size=6, **shared):
    array = da.from_array(np.arange(size, dtype=float), chunks=2)
    inputs = [Input(array, (chunked.own(0, array.chunks[0]),))]
    return chunked.tasks(function, array.chunks, inputs, shared=shared)


def test_the_same_call_gives_the_same_keys():
    assert _made().__dask_keys__() == _made().__dask_keys__()
    assert _made(Numbered(2.0)).name == _made(Numbered(2.0)).name
    assert _made(factor=np.arange(3)).name == _made(factor=np.arange(3)).name


@pytest.mark.parametrize(
    "other",
    [
        lambda: _made(Numbered(2.0)),
        lambda: _made(size=8),
        lambda: _made(factor=np.arange(3)),
        lambda: _made(factor=chunked.constant(3)),
        lambda: _made(factor=chunked.constant(4)),
        lambda: _made(factor=PerBlock(lambda i: i[0])),
        lambda: _made(factor=PerBlock(lambda i: 2 * i[0])),
        lambda: _made(factor=PerBlock(chunked.constant(3).reference)),
    ],
)
def test_another_call_gives_other_keys(other):
    everything = [_made(), _made(Numbered(3.0)), _made(factor=PerBlock(lambda i: 7 - i[0]))]
    assert other().name not in {each.name for each in everything}


def test_clone_has_other_keys_and_the_same_values():
    array = da.from_array(np.arange(12.0).reshape(3, 4), chunks=2) + 1
    again = chunked.clone(array, "second")
    assert not set(again.__dask_graph__()) & set(array.__dask_graph__())
    assert again.chunks == array.chunks
    assert again.name == chunked.clone(array, "second").name
    np.testing.assert_array_equal(_value(again), _value(array))
    both = da.stack([array, again])
    np.testing.assert_array_equal(_value(both)[0], _value(both)[1])


# ---- what is shared ------------------------------------------------------------------------


def _with_model(place, window, model):
    return window * model["weight"]


@pytest.mark.parametrize("blocks", [1, 50])
def test_a_constant_is_one_node_however_many_blocks(blocks):
    array = da.ones(100, chunks=100 // blocks)
    model = chunked.constant({"weight": 3.0})
    along = (chunked.own(0, array.chunks[0]),)
    work = chunked.tasks(_with_model, array.chunks, [Input(array, along)], shared={"model": model})
    (out,) = chunked.arrays(work, [Output(array.chunks, (0,), np.empty(0))])
    graph = out.__dask_graph__()
    assert len(graph) == len(array.__dask_graph__()) + blocks + 1
    assert len(graph.layers[model.name]) == 1
    np.testing.assert_array_equal(_value(out), np.full(100, 3.0))


def test_a_shared_argument_must_be_one_task():
    many = chunked.tasks(_given, ((1, 1),))
    with pytest.raises(ValueError, match="one task"):
        chunked.tasks(_with_model, ((1, 1),), shared={"model": many})


def _numbers(place, mine, plain):
    return mine, plain


def test_per_block_arguments_are_values_or_results():
    squares = chunked.tasks(lambda place: place.index[0] ** 2, ((1,) * 4,))
    backwards = PerBlock(lambda i: squares.reference((3 - i[0],)))
    work = chunked.tasks(
        _numbers,
        squares.grid,
        shared={"mine": backwards, "plain": PerBlock(lambda i: 10 * i[0])},
        after=[squares],
    )
    got = _results(work)
    assert got == [(9, 0), (4, 10), (1, 20), (0, 30)]


def test_once_takes_all_results_and_is_computed_alone():
    squares = chunked.tasks(lambda place: place.index[0] ** 2, ((1,) * 4,))
    assert chunked.compute(chunked.once(lambda few, plus: sum(few) + plus, squares, 5)) == 19


# ---- cutting -------------------------------------------------------------------------------


@SETTINGS
@given(st.data())
def test_tiles_cover_the_shape_and_are_bounded(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 30), min_size=1, max_size=4)))
    keep = data.draw(st.sets(st.sampled_from(range(len(shape)))))
    most = data.draw(st.integers(1, 3000))
    found = chunked.tiles(shape, tuple(keep), most)
    assert tuple(map(sum, found)) == shape
    assert all(len(found[axis]) == 1 for axis in keep)
    must = np.prod([shape[axis] for axis in keep], dtype=int)
    assert np.prod([max(sizes) for sizes in found]) <= max(most, must)
    assert all(sizes and (min(sizes) > 0 or sum(sizes) == 0) for sizes in found)


@SETTINGS
@given(st.lists(st.integers(1, 9), min_size=1), st.integers(1, 40))
def test_groups_join_neighbours_and_nothing_else(sizes, most):
    blocks, counts = chunked.groups(sizes, most)
    at = 0
    for block, count in zip(blocks, counts, strict=True):
        assert block == sum(sizes[at : at + count])
        assert block <= most or count == 1
        at += count
    assert at == len(sizes)


# ---- schedulers ----------------------------------------------------------------------------


def _everything() -> tuple[da.Array, np.ndarray]:
    """A halo, a carry, a reduction, a constant and a second reading, in one graph."""
    values = np.random.default_rng(0).integers(0, 9, (12, 8)).astype(float)
    array = da.from_array(values, chunks=(5, 3))
    grid = ((4, 8), (3, 3, 2))
    own = Input(array, tuple(chunked.own(a, s) for a, s in enumerate(grid)))
    first = chunked.tasks(_total, grid, [own])
    whole = chunked.reduced(first, sum, ())
    again = chunked.clone(array, "again")
    near = Input(again, (chunked.own(0, grid[0]), chunked.halo(1, grid[1], 1, wrap=True)))
    shared = {"total": whole, "factor": chunked.constant(2.0)}
    work = chunked.tasks(_smoothed, grid, [near], shared=shared, carry=Carry(0, reverse=True))
    (out,) = chunked.arrays(work, [Output(((4, 2, 6), grid[1]), (0, 1), np.empty((0, 0)))])
    mean = values + np.roll(values, 1, axis=1) + np.roll(values, -1, axis=1)
    wanted = 2 * mean[::-1].cumsum(axis=0)[::-1] / values.sum()
    return out, wanted


def _total(place, window):
    return window.sum()


def _smoothed(place, window, total, factor, carry=None):
    mean = window[:, :-2] + window[:, 1:-1] + window[:, 2:]
    held = mean[::-1].cumsum(axis=0)[::-1] + (0.0 if carry is None else carry)
    return factor * held / total, held[0]


def test_nothing_computes_while_the_graph_is_made():
    with dask.config.set(scheduler=_no_compute):
        out, _ = _everything()
        assert out.shape == (12, 8)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_the_same_on_local_schedulers(scheduler):
    out, wanted = _everything()
    np.testing.assert_allclose(out.compute(scheduler=scheduler), wanted, rtol=1e-14)


def test_the_same_on_a_cluster():
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    out, wanted = _everything()
    with (
        distributed.LocalCluster(processes=False, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        np.testing.assert_allclose(client.compute(out).result(), wanted, rtol=1e-14)
