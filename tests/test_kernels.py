"""Every native kernel of every instruction set that this machine offers, against the oracle."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from attention_cases import attention, largest_sums
from case import FULL, Case, expected
from cases import KERNEL_CASES
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import Kernels, padded, unpadded
from row_cases import add_norm, embed, lookup, requantize

from inhibi.engine import ops
from inhibi.engine.native_library import Library

WIDTHS = (*range(1, 68), 127, 128, 129, 255, 256, 257, 511, 513, 1024)
HEAD_WIDTHS = (8, 16, 24, 32, 40, 64, 72, 120, 128)
LENGTHS = (1, 2, 15, 16, 17, 31, 33, 63, 65, 127, 129, 130, 200, 255, 256, 257)
RANDOM = st.integers(0, 2**32 - 1).map(np.random.default_rng)
FLAGS: list[dict[str, Any]] = [{"centred": c, "signed": s} for c in (0, 1) for s in (0, 1)]


@pytest.fixture(scope="module")
def kernels(library: Library) -> Kernels:
    """Those that are installed with the package."""
    return Kernels(library.path)


def computed(case: Case) -> np.ndarray:
    """What the definition in NumPy says, which the oracle holds: it is faster."""
    return getattr(ops, case.function)(*case.inputs, **case.attributes)


def agree(kernels: Kernels, case: Case, **options: Any) -> None:
    right = computed(case)
    for isa in kernels.isas:
        np.testing.assert_array_equal(kernels.run(isa, case, **options), right, err_msg=isa)


@pytest.mark.parametrize("case", KERNEL_CASES, ids=str)
def test_case(kernels: Kernels, case: Case) -> None:
    for isa in kernels.isas:
        result = unpadded(kernels.run(isa, padded(case)), case)
        np.testing.assert_array_equal(result, expected(case), err_msg=isa)


def row_cases(rows: int, width: int) -> Iterator[Case]:
    rng = np.random.default_rng(width)
    yield requantize(rng, rows, width, **FULL)
    yield lookup(rng, rows, width)
    if width <= 1024:
        yield add_norm(rng, rows, width, lo=-120, hi=99)
        yield embed(rng, rows, width, (200, 90, 30), -127)


@pytest.mark.parametrize("width", [*WIDTHS, 1536])
def test_rows_of_every_width(kernels: Kernels, width: int) -> None:
    for case in row_cases(1 + width % 5, width):
        agree(kernels, case, skew=width % 4)


@pytest.mark.parametrize("skew", [1, 3, 5, 8, 15])
def test_rows_that_are_not_aligned(kernels: Kernels, skew: int) -> None:
    """Bytes at odd addresses, int32 and int64 at odd multiples of their size."""
    for width in (13, 64, 75):
        for case in row_cases(3, width):
            agree(kernels, case, skew=skew)


@pytest.mark.parametrize("gap", [1, 31, 64])
def test_rows_that_lie_apart(kernels: Kernels, gap: int) -> None:
    for width in (1, 16, 31, 64, 300):
        for case in (
            requantize(np.random.default_rng(0), 4, width, **FULL),
            next(looked_up(width)),
        ):
            agree(kernels, case, gap=gap)


def looked_up(width: int) -> Iterator[Case]:
    yield lookup(np.random.default_rng(1), 4, width)


@pytest.mark.parametrize("width", [16, 17])
def test_norms_whose_reciprocal_nears_31_bits(kernels: Kernels, width: int) -> None:
    """R = 2^31 where the deviation D is 8192 = 16 * 512; rows on both sides of it."""
    case = add_norm(np.random.default_rng(0), 200, width, **FULL)
    _, bias, multiplier, shift, residual, *rest = case.inputs
    acc = (np.arange(width) % 2 * 2 - 1) * np.linspace(440, 540, 200).astype(np.int32)[:, None]
    branch = (acc.astype(np.int32), 0 * bias, 0 * multiplier + 2**23, 0 * shift + 23)
    inputs = (*branch, np.full_like(residual, 128), *rest)
    agree(kernels, Case(case.operator, "near-31-bits", inputs, case.attributes))


@given(RANDOM, st.integers(1, 9), st.integers(1, 300), st.integers(-127, 127), st.integers(0, 15))
@settings(max_examples=200)
def test_rows(
    kernels: Kernels, rng: np.random.Generator, rows: int, width: int, lo: int, skew: int
) -> None:
    for case in (
        requantize(rng, rows, width, lo=lo, hi=max(lo, 100)),
        lookup(rng, rows, width),
        add_norm(rng, rows, width, lo=lo, hi=127),
        embed(rng, rows, width, (300, 200, 16), -127),
    ):
        agree(kernels, case, skew=skew)


def attention_cases(
    rng: np.random.Generator, lengths: tuple[int, ...], heads: int, d: int, near: bool = True
) -> Iterator[Case]:
    for flags in FLAGS:
        yield attention(rng, lengths, heads, d, near=near, **flags)
    yield attention(rng, lengths, heads, d, "DotProductAttention", near)


@pytest.mark.parametrize("d", HEAD_WIDTHS)
def test_attention_of_every_head_width(kernels: Kernels, d: int) -> None:
    rng = np.random.default_rng(d)
    for lengths, near in (((33,), True), ((1, 40, 7), False)):
        for case in attention_cases(rng, lengths, 2, d, near):
            agree(kernels, case, skew=d % 5)


@pytest.mark.parametrize("n", [*LENGTHS, 512, 700, 1030])
def test_attention_of_every_length(kernels: Kernels, n: int) -> None:
    rng = np.random.default_rng(n)
    agree(kernels, attention(rng, (n,), 2, 16, near=True, centred=1, signed=1))
    agree(kernels, attention(rng, (n,), 1, 8, near=True, centred=0, signed=0))
    agree(kernels, attention(rng, (n,), 1, 24, "DotProductAttention", n % 2 == 0))


def longest_sums(d: int) -> Iterator[Case]:
    """The edges of 16-bit accumulators: values of one byte, blocked, let through and limited."""
    through = {"score_multiplier": np.array([0]), "score_offset": np.array([0])}
    most = {"score_multiplier": np.array([0]), "score_offset": np.array([127 * 2])}
    for v in (0, 1, 255):
        for n in (512, 516, 520):
            yield largest_sums(f"blocked-{n}-{d}-{v}", n, d, v, output=10)
            yield largest_sums(f"through-{n}-{d}-{v}", n, d, v, output=10, **through)
            yield largest_sums(f"limited-{n}-{d}-{v}", n, d, v, output=3, signed=0, **most)


@pytest.mark.parametrize("d", [8, 128])
def test_sums_of_long_sentences(kernels: Kernels, d: int) -> None:
    for case in longest_sums(d):
        agree(kernels, case)


@given(
    RANDOM,
    st.lists(st.integers(1, 70), min_size=1, max_size=5).map(tuple),
    st.integers(1, 3),
    st.sampled_from(HEAD_WIDTHS),
    st.booleans(),
    st.integers(0, 15),
)
@settings(max_examples=80)
def test_attention(
    kernels: Kernels,
    rng: np.random.Generator,
    lengths: tuple[int, ...],
    heads: int,
    d: int,
    near: bool,
    skew: int,
) -> None:
    for case in attention_cases(rng, lengths, heads, d, near):
        agree(kernels, case, skew=skew)


@pytest.mark.parametrize("operator", ["InhibitorAttention", "DotProductAttention"])
def test_tasks_run_in_any_order_and_in_several_threads(kernels: Kernels, operator: str) -> None:
    flags = {"centred": 1, "signed": 1} if operator == "InhibitorAttention" else {}
    case = attention(np.random.default_rng(0), (3, 1030, 40, 1), 2, 16, operator, True, **flags)
    with ThreadPoolExecutor(4) as pool:
        agree(kernels, case, map=pool.map)
    agree(kernels, case, map=lambda run, tasks: map(run, reversed(list(tasks))))


def test_rows_in_several_threads(kernels: Kernels) -> None:
    case = add_norm(np.random.default_rng(0), 200, 384, **FULL)
    right = computed(case)
    for isa in kernels.isas:
        with ThreadPoolExecutor(4) as pool:
            for result in pool.map(lambda _, isa=isa: kernels.run(isa, case), range(8)):
                np.testing.assert_array_equal(result, right)


def test_instruction_sets_have_names(kernels: Kernels) -> None:
    assert kernels.isas[-1] == "scalar"
    assert len(set(kernels.isas)) == len(kernels.isas)
    for isa in kernels.isas:
        assert kernels.isa(isa).name.decode() == isa
    assert kernels.isa(None).name.decode() == kernels.isas[0]
    assert kernels.isa("sse9") is None


def test_sums_of_the_scores_of_long_sentences(kernels: Kernels) -> None:
    """Beyond 2^31: every one of 65,808 keys' 128 bytes is 255 away from the queries'."""
    n, d = 65_808, 128
    keys, queries = np.full((n, d), 255, np.uint8), np.zeros((8, d), np.uint8)
    for isa in kernels.isas:
        scores, sums = kernels.distances(isa, queries, keys)
        assert (scores == 255 * d).all(), isa
        assert sums.tolist() == [255 * d * n] * 8, isa
