"""Reals turned into integers, against exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhibi.engine.fixed import (
    exp_table,
    length_table,
    multiplier_shift,
    norm_parameters,
    round_half_up,
    score_multiplier_offset_shift,
)

HALF = Fraction(1, 2)


def nearest(x: Fraction) -> int:
    return math.floor(x + HALF)


@given(st.floats(-(2.0**52), 2.0**52))
def test_round_half_up_is_exact(x: float) -> None:
    assert round_half_up(x) == nearest(Fraction(x))


@pytest.mark.parametrize(
    ("x", "rounded"),
    [(0.5, 1), (-0.5, 0), (1.5, 2), (-1.5, -1), (2.5, 3), (-2.5, -2), (0.49999999999999994, 0)],
)
def test_halves_go_up(x: float, rounded: int) -> None:
    assert round_half_up([x]).tolist() == [rounded]


@given(st.floats(2.0**-23, 2.0**22), st.sampled_from([-1, 1]))
def test_multiplier_and_shift_are_nearest_and_in_range(size: float, sign: int) -> None:
    multiplier, shift = multiplier_shift([sign * size])
    m, s = int(multiplier[0]), int(shift[0])
    assert 2**23 <= abs(m) < 2**24
    assert 1 <= s <= 46
    assert abs(Fraction(m, 2**s) - sign * Fraction(size)) <= Fraction(1, 2 ** (s + 1))


@pytest.mark.parametrize(
    ("real", "m", "s"),
    [
        (1.0, 2**23, 23),
        (-1.0, -(2**23), 23),
        (0.0, 0, 1),
        (2.0**-23, 2**23, 46),
        (np.nextafter(2.0**-23, 0), 0, 1),
        (-(2.0**-24), 0, 1),
        (2.0**22, 2**23, 1),
        (1 - 2.0**-26, 2**23, 23),  # rounds up to a power of two
        (1 - 2.0**-24, 2**24 - 1, 24),
        (2.0**23 - 1, 2**24 - 2, 1),
    ],
)
def test_multipliers_at_the_edges(real: float, m: int, s: int) -> None:
    multiplier, shift = multiplier_shift(real)
    assert (int(multiplier), int(shift)) == (m, s)
    assert multiplier.dtype == shift.dtype == np.int32


@pytest.mark.parametrize("real", [2.0**23, -(2.0**23), 2.0**23 - 0.25, math.inf, math.nan])
def test_multipliers_that_do_not_exist(real: float) -> None:
    with pytest.raises(ValueError, match="below 2\\^23"):
        multiplier_shift([1.0, real])


@given(st.floats(-1, 1), st.floats(-300, 300))
def test_scores_keep_32_bits(real: float, alpha: float) -> None:
    m, a, s = (int(x[0]) for x in score_multiplier_offset_shift([real], [alpha]))
    assert 1 <= s <= 30
    assert m == nearest(Fraction(real) * 2**s)
    assert a == nearest(Fraction(alpha) * 2**s) + 2 ** (s - 1)
    assert abs(m) * 2**14 + abs(a) < 2**31  # |S - mean| < 2^14 at d = 64
    if s < 30:  # the largest shift that fits
        finer = s + 1
        assert (
            abs(nearest(Fraction(real) * 2**finer)) >= 2**16
            or abs(nearest(Fraction(alpha) * 2**finer) + 2**s) >= 2**30
        )


def test_scores_are_chosen_head_by_head() -> None:
    m, a, s = score_multiplier_offset_shift([0.5, 0.01, 3.0], [0.0, 100.0, 2.0])
    assert s.tolist() == [16, 22, 14]
    assert m.tolist() == [2**15, 41943, 3 * 2**14]
    assert a.tolist() == [2**15, 100 * 2**22 + 2**21, 2**15 + 2**13]


@pytest.mark.parametrize(("real", "alpha"), [(2.0**16, 0.0), (0.0, 2.0**30), (math.nan, 0.0)])
def test_scores_that_do_not_exist(real: float, alpha: float) -> None:
    with pytest.raises(ValueError, match="too large"):
        score_multiplier_offset_shift([0.1, real], [0.1, alpha])


@given(st.floats(-8, 8), st.floats(-8, 8), st.floats(1e-3, 1))
def test_norm_parameters(gain: float, bias: float, scale: float) -> None:
    w, b, t = (int(x[0]) for x in norm_parameters([gain], [bias], scale))
    assert 1 <= t <= 46
    assert abs(w) < 2**24
    assert abs(b) < 2**51
    assert w == nearest(Fraction(gain / scale) * Fraction(2) ** (t - 20))
    assert b == nearest(Fraction(bias / scale) * 2**t)
    if t < 46:
        assert (
            abs(nearest(Fraction(gain / scale) * Fraction(2) ** (t - 19))) >= 2**24
            or abs(nearest(Fraction(bias / scale) * 2 ** (t + 1))) >= 2**51
        )


def test_norm_parameters_have_their_types() -> None:
    types = [x.dtype for x in norm_parameters(np.ones(3), np.zeros(3), 0.1)]
    assert types == [np.int32, np.int64, np.int32]
    with pytest.raises(ValueError, match="too large"):
        norm_parameters([2.0**44], [0.0], 1.0)


@given(st.integers(1, 600), st.integers(1, 128))
def test_length_table_is_n0_over_n(max_tokens: int, n0: int) -> None:
    table = length_table(max_tokens, n0)
    assert table.dtype == np.int32
    exact = [nearest(Fraction(n0 * 2**15, n)) for n in range(1, max_tokens + 1)]
    assert table.tolist() == [0, *exact]


def test_length_table_of_a_plain_sum() -> None:
    assert length_table(3, None).tolist() == [0, 2**15, 2**15, 2**15]


@pytest.mark.parametrize("n0", [0, -1, 128.5, math.nan])
def test_length_table_refuses(n0: float) -> None:
    with pytest.raises(ValueError, match="n0"):
        length_table(8, n0)


def test_exp_table() -> None:
    table = exp_table(0.04)
    assert table.dtype == np.uint16
    assert table.tolist() == [round(65535 * math.exp(-0.04 * i)) for i in range(256)]
    assert exp_table(1.0)[0] == 65535
