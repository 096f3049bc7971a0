"""Laws of the conservation sums: one result for every chunking, layout and number of threads."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xocean_ml.errors import GridError
from xocean_ml.kernels import Sums, segment_sums

finite = st.floats(-1e300, 1e300) | st.floats(-10, 10) | st.just(0.0)
quick = settings(max_examples=60, deadline=None)


def series(elements=finite, most=40):
    return hnp.arrays("f8", st.integers(1, most), elements=elements)


def cubes():
    elements = st.floats(-1e6, 1e6) | st.just(math.nan)
    shapes = hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)
    return hnp.arrays("f8", shapes, elements=elements)


def same(one: Sums, two: Sums) -> bool:
    """Whether two sums are the same bits, in state and in value."""
    names = ("bins", "limbs", "carries", "counts", "flags")
    states = all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)
    return states and one.value().tobytes() == two.value().tobytes()


def total(values, weights=None, **options) -> Sums:
    """One sum of everything."""
    values = np.asarray(values)
    zeros = np.zeros(values.shape[0], int)
    rest = tuple(range(1, values.ndim))
    return segment_sums(values, weights, zeros, 1, reduce=rest, **options)


def rounded(exact: Fraction) -> float:
    """The float64 nearest to a fraction."""
    return exact.numerator / exact.denominator


@quick
@given(series(st.floats(-1e30, 1e30) | st.integers(-9, 9).map(float)))
def test_error_is_within_the_bound(values):
    exact = sum(map(Fraction, values.tolist()), Fraction(0))
    scale = sum(map(Fraction, np.abs(values).tolist()), Fraction(0))
    got = float(total(values).value()[0])
    assert abs(Fraction(got) - exact) <= scale * Fraction(1, 10**14)
    bound = values.size * Fraction(np.abs(values).max()) / 2**80
    assert abs(Fraction(got) - exact) <= bound + abs(exact) / 2**53


@quick
@given(series(st.integers(-(2**53), 2**53).map(float), most=200))
def test_integers_are_summed_exactly_and_rounded_once(values):
    exact = sum(map(int, values.tolist()))
    assert total(values).value()[0] == float(exact)


@quick
@given(st.lists(st.tuples(st.integers(-(2**52), 2**52), st.integers(0, 24)), min_size=1))
def test_value_is_correctly_rounded(terms):
    """Terms within 79 bits of each other lose nothing: the sum is the exact one, rounded once."""
    values = np.array([math.ldexp(size, shift) for size, shift in terms])
    exact = sum((Fraction(value) for value in values.tolist()), Fraction(0))
    assert total(values).value()[0] == rounded(exact)


@quick
@given(series(), st.data())
def test_any_chunking_and_merge_order_give_the_same_bits(values, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, values.size - 1)), max_size=6)))
    parts = [total(part) for part in np.split(values, cuts) if part.size]
    whole = total(values)
    order = data.draw(st.permutations(parts))
    pairwise = order[0]
    for part in order[1:]:
        pairwise = pairwise + part
    assert same(whole, pairwise)
    assert same(whole, order[0].merge(*order[1:]))


@quick
@given(series(), st.randoms())
def test_order_of_terms_does_not_matter(values, random):
    shuffled = values.tolist()
    random.shuffle(shuffled)
    assert same(total(values), total(np.array(shuffled)))


@quick
@given(cubes(), st.integers(0, 2), st.integers(1, 5), st.booleans())
def test_chunks_along_any_axis_join(values, axis, cut, absolute):
    """Summed axes merge, the kept axis concatenates."""
    segments = np.arange(values.shape[0]) % 2
    weights = np.linspace(-1, 2, values.shape[2])
    cut = min(cut, values.shape[axis])
    whole = segment_sums(values, weights, segments, 2, reduce=2, absolute=absolute)
    parts = []
    for low, high in ((0, cut), (cut, values.shape[axis])):
        piece = (slice(None),) * axis + (slice(low, high),)
        weight = weights[low:high] if axis == 2 else weights
        steps = segments[low:high] if axis == 0 else segments
        parts.append(segment_sums(values[piece], weight, steps, 2, reduce=2, absolute=absolute))
    if axis == 1:
        joined = np.concatenate([part.value() for part in parts], axis=1)
        assert joined.tobytes() == whole.value().tobytes()
    else:
        assert same(whole, parts[0] + parts[1])


layouts = {
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "fortran": np.asfortranarray,
    "middle out": lambda a: np.ascontiguousarray(a.transpose(1, 2, 0)).transpose(2, 0, 1),
    "flipped": lambda a: np.ascontiguousarray(a[:, ::-1, ::-1])[:, ::-1, ::-1],
    "strided": lambda a: np.repeat(a, 2, axis=2)[:, :, ::2],
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}


@pytest.mark.parametrize("reduce", [(), 1, 2, (1, 2)])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
@pytest.mark.parametrize("layout", layouts)
def test_memory_layout_does_not_matter(layout, dtype, reduce):
    random = np.random.default_rng(0)
    values = (100 * random.normal(size=(5, 18, 70))).astype(dtype)
    weights = random.random((18, 1))
    segments = [0, 1, -1, 1, 0]
    plain = segment_sums(values, weights, segments, reduce=reduce)
    other = segment_sums(layouts[layout](values), weights, segments, reduce=reduce)
    assert same(plain, other)
    expect = np.stack([(values[[0, 4]] * weights).sum(0), (values[[1, 3]] * weights).sum(0)]).sum(
        reduce if isinstance(reduce, int) else reduce or ()
    )
    np.testing.assert_allclose(plain.value(), expect, rtol=1e-4 if dtype == "f4" else 1e-9)


@pytest.mark.parametrize("shape", [(2, 3, 70, 80), (40, 700, 4, 1), (3, 1, 1500, 9)])
@pytest.mark.parametrize("axes", [(0, (2, 3)), (1, (0,)), (0, ()), (3, (1, 0)), (2, (0, 1, 3))])
def test_layouts_agree_with_numpy_and_with_threads(shape, axes):
    time, reduce = axes
    random = np.random.default_rng(1)
    values = random.normal(size=shape)
    values[random.random(shape) < 0.3] = np.nan
    weights = random.normal(size=shape[2:])
    segments = random.integers(-1, 3, shape[time])
    sums = segment_sums(values, weights, segments, 3, axis=time, reduce=reduce)
    terms = np.moveaxis(values * weights, time, 0)
    rest = tuple(1 + [axis for axis in range(4) if axis != time].index(each) for each in reduce)
    for segment in range(3):
        expect = np.nansum(terms[segments == segment], axis=(0, *rest))
        np.testing.assert_allclose(sums.value()[segment], expect, rtol=1e-9, atol=1e-10)
    for threads in (2, 3):
        options = {"axis": time, "reduce": reduce, "threads": threads}
        assert same(sums, segment_sums(values, weights, segments, 3, **options))


@pytest.mark.parametrize("reduce", [(), (1,)])
def test_many_blocks_give_the_same_bits_on_any_threads(reduce):
    """An array of several blocks, each with its own scale, so that bins must be raised."""
    random = np.random.default_rng(2)
    values = random.normal(size=(30, 1 << 17)) * 2.0 ** (20 * np.arange(30)[:, None])
    segments = np.arange(30) % 2
    sums = [segment_sums(values, None, segments, reduce=reduce, threads=n) for n in (1, 2, 3)]
    assert same(sums[0], sums[1])
    assert same(sums[0], sums[2])
    swapped = segment_sums(np.asfortranarray(values), None, segments, reduce=reduce)
    assert same(sums[0], swapped)
    if reduce:
        assert sums[0].value()[0] == pytest.approx(math.fsum(values[::2].ravel()), rel=1e-15)


@quick
@given(series(st.integers(-(2**53), 2**53).map(float)), st.integers(-900, 900))
def test_powers_of_two_commute(values, power):
    scaled = total(np.ldexp(values, power)).value()
    assert scaled.tobytes() == np.ldexp(total(values).value(), power).tobytes()


@quick
@given(series(), st.data())
def test_masked_is_removed(values, data):
    shape = values.shape
    hidden = data.draw(hnp.arrays(bool, shape))
    weights = data.draw(hnp.arrays("f8", shape, elements=st.sampled_from([1.0, -2.5, 1e-3])))
    nothing = data.draw(hnp.arrays("f8", shape, elements=st.sampled_from([0.0, math.nan])))
    removed = total(values[~hidden], weights[~hidden])
    assert same(total(np.where(hidden, np.nan, values), weights), removed)
    assert same(total(values, np.where(hidden, nothing, weights)), removed)
    assert removed.count()[0] == (~hidden).sum()


@quick
@given(series())
def test_absolute_and_opposite_sums(values):
    assert same(total(values, absolute=True), total(np.abs(values)))
    assert total(values).value()[0] == -total(-values).value()[0]
    assert total(np.concatenate([values, -values])).value()[0] == 0


@pytest.mark.parametrize(
    ("values", "expect", "count"),
    [
        ([], 0.0, 0),
        ([math.nan], 0.0, 0),
        ([-0.0], 0.0, 1),
        ([5e-324, 5e-324, 1e-310], 1e-310 + 1e-323, 3),
        ([1e300, 1.7e308, -1.7e308], 1e300, 3),
        ([1.7e308, 1.7e308, -1.7e308], 1.7e308, 3),
        ([1.7e308, 1.7e308], math.inf, 2),
        ([1e16, 1.0, -1e16], 1.0, 3),
        ([math.inf, 1.0], math.inf, 1),
        ([-math.inf, math.nan, 1.0], -math.inf, 1),
        ([math.inf, -math.inf, 3.0], math.nan, 1),
    ],
)
@pytest.mark.parametrize("columns", [1, 20])
def test_extremes(values, expect, count, columns):
    """In the kernel for rows (one element) and in that for columns (twenty)."""
    array = np.repeat(np.array(values, "f8")[:, None], columns, axis=1)
    with np.errstate(over="ignore"):
        sums = segment_sums(array, None, np.zeros(len(values), int), 1)
        np.testing.assert_array_equal(sums.value(), np.full((1, columns), expect))
    np.testing.assert_array_equal(sums.count(), count)


def test_carries_hold_what_a_limb_cannot():
    """More terms at the top of a bin than 64 bits hold, without summing them: by doubling."""
    one = total(np.full(1000, 2.0**38 * (1 - 2.0**-50)))
    sums = one
    for _ in range(40):
        sums = sums + sums
    assert sums.value()[0] == math.ldexp(float(one.value()[0]), 40)
    assert sums.count()[0] == 1000 << 40


def test_total_reduces_exactly():
    values = np.random.default_rng(3).normal(size=(4, 30, 70)) * 1e10 ** np.arange(4)[:, None, None]
    segments = np.zeros(4, int)
    kept = segment_sums(values, None, segments)
    assert same(kept.total(axis=2), segment_sums(values, None, segments, reduce=2))
    assert same(kept.total(axis=1).total(axis=-1), total(values))
    assert same(kept.total().reshape(1), total(values))


def test_sums_travel_and_zeros_are_neutral():
    sums = segment_sums(np.arange(6.0).reshape(2, 3))
    assert same(pickle.loads(pickle.dumps(sums)), sums)
    assert same(sums + Sums.zeros(sums.shape), sums)
    assert sums.shape == (2, 3)
    assert sums.nbytes == 46 * 6


def test_input_is_not_modified():
    values = np.arange(6.0).reshape(2, 3)
    before = values.copy()
    segment_sums(values, values[0], reduce=1)
    np.testing.assert_array_equal(values, before)
    assert values.flags.writeable


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weights": np.ones(4)}, GridError, "do not broadcast"),
        ({"weights": np.ones((1, 2, 3))}, GridError, "do not broadcast"),
        ({"segments": [0]}, GridError, "one for each of 2 time steps"),
        ({"segments": [0.0, 1.0]}, GridError, "must be integers"),
        ({"segments": [0, 5], "n_segments": 2}, GridError, "-1 \\(none\\) to 1"),
        ({"reduce": 0}, GridError, "must all differ"),
        ({"reduce": 2}, GridError, "do not all exist"),
        ({"values": np.ones((2, 3), complex)}, TypeError, "real numbers"),
    ],
)
def test_bad_input(options, error, message):
    with pytest.raises(error, match=message):
        segment_sums(**({"values": np.ones((2, 3))} | options))


def test_merge_refuses_other_shapes():
    with pytest.raises(GridError, match="one shape"):
        Sums.zeros((2,)).merge(Sums.zeros((3,)))
