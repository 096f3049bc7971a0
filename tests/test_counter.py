"""Random numbers keyed by position: known answers, independence of what else is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xocean_ml.kernels.counter import key_of, normal, philox

ONES = 0xFFFFFFFF

KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
"""Test vectors of the paper's library, Random123."""


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter, key, words):
    assert tuple(int(each) for each in philox(counter, key)) == words


@given(
    rows=st.integers(0, 40), columns=st.integers(0, 40), sizes=st.tuples(*[st.integers(1, 9)] * 2)
)
def test_a_cell_has_the_same_number_in_every_window(rows, columns, sizes):
    key = key_of(7, "2001-02-03", 4)
    whole = normal(range(50), range(50), key, layer=2, step=3)
    part = normal(
        range(rows, rows + sizes[0]), range(columns, columns + sizes[1]), key, layer=2, step=3
    )
    np.testing.assert_array_equal(part, whole[rows : rows + sizes[0], columns : columns + sizes[1]])


def test_it_is_white_and_normal():
    made = normal(range(300), range(300), key_of(1))
    assert stats.kstest(made.ravel(), "norm").pvalue > 1e-3
    power = np.abs(np.fft.rfft2(made)) ** 2 / made.size
    assert power[1:150, 1:75].mean() == pytest.approx(1, abs=0.05)
    assert power[1:20, 1:20].mean() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(
    "other",
    [{"key": key_of(2)}, {"key": key_of(1), "layer": 1}, {"key": key_of(1), "step": 1}],
)
def test_other_keys_layers_and_steps_have_nothing_in_common(other):
    one = normal(range(100), range(100), key_of(1))
    two = normal(range(100), range(100), **other)
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.05
