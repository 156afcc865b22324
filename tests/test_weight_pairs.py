"""The rule that keeps products exact on processors that add two of them in 16 bits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from inhibi.export.weight_pairs import limit_pairs, pair_excess

WEIGHTS = np.arange(-127, 128)


def every_pair() -> np.ndarray:
    """int8 [2, 255 * 255]: each column one pair."""
    return np.stack(np.meshgrid(WEIGHTS, WEIGHTS)).reshape(2, -1).astype(np.int8)


def test_every_pair_fits_16_bits_and_loses_half_the_excess_from_each() -> None:
    pairs = every_pair()
    limited, changed = limit_pairs(pairs)
    first, second = limited.astype(int)
    extremes = [x * first + y * second for x in (0, 255) for y in (0, 255)]
    assert max(e.max() for e in extremes) <= 2**15 - 1
    assert min(e.min() for e in extremes) >= -(2**15)

    loss = np.abs(pairs.astype(int)) - np.abs(limited.astype(int))
    excess = pair_excess(pairs)[0]
    assert changed == np.count_nonzero(excess) == 2 * sum(range(126 + 1))
    assert (loss.sum(axis=0) == excess).all()
    assert (np.abs(loss[0] - loss[1]) == excess % 2).all()
    assert (np.sign(limited) == np.sign(pairs)).all()


def test_the_odd_one_comes_from_the_larger() -> None:
    limited, _ = limit_pairs(np.array([[127, 2, -100], [2, 127, -127]], np.int8))
    assert limited.tolist() == [[126, 2, -51], [2, 126, -77]]


def test_the_largest_allowed_pair_stays_and_one_more_does_not() -> None:
    allowed = np.array([[64, 127, -127], [64, 1, -1]], np.int8)
    assert limit_pairs(allowed)[1] == 0
    assert limit_pairs(allowed + np.sign(allowed) * [[0, 0, 0], [1, 1, 1]])[1] == 3


@given(arrays(np.int8, array_shapes(min_dims=2, max_dims=2), elements=st.integers(-127, 127)))
def test_limiting_is_idempotent_and_leaves_its_argument_and_an_odd_last_row(
    weight: np.ndarray,
) -> None:
    before = weight.copy()
    limited, _ = limit_pairs(weight)
    assert (weight == before).all()
    assert limited.dtype == np.int8
    assert not pair_excess(limited).any()
    again, changed = limit_pairs(limited)
    assert changed == 0
    assert (again == limited).all()
    if len(weight) % 2:
        assert (limited[-1] == weight[-1]).all()
