"""The NumPy definition against plain Python integers."""

import ast
import inspect
import math
from typing import Any

import numpy as np
import oracle
import pytest
from attention_cases import attention
from case import FUNCTIONS, Case, expected, from_oracle, one_by_one
from cases import CASES, WIDTHS
from hypothesis import given
from hypothesis import strategies as st
from row_cases import add_norm, embed, lookup, requantize

from inhibi.engine import ops

RANDOM = st.integers(0, 2**32 - 1).map(np.random.default_rng)
SIZES = st.integers(1, 40)
FLAGS = st.integers(0, 1)


def computed(case: Case) -> Any:
    return getattr(ops, case.function)(*case.inputs, **case.attributes)


def agree(case: Case) -> None:
    result = computed(case)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, from_oracle(case))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    result = computed(case)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected(case))


def test_the_oracle_stands_alone() -> None:
    tree = ast.parse(inspect.getsource(oracle))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {a.name for node in imports if isinstance(node, ast.Import) for a in node.names}
    modules |= {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}
    assert modules == {"math", "collections.abc", "itertools"}


def test_cases_have_every_operator_and_different_names() -> None:
    assert {case.operator for case in CASES} == set(FUNCTIONS)
    assert len({str(case) for case in CASES}) == len(CASES)


@given(RANDOM, SIZES, SIZES, st.integers(-127, 127), st.integers(-127, 127))
def test_rows(rng: np.random.Generator, rows: int, width: int, a: int, b: int) -> None:
    lo, hi = sorted((a, b))
    agree(requantize(rng, rows, width, lo=lo, hi=hi))
    agree(lookup(rng, rows, width, tables=3))
    agree(add_norm(rng, rows, width, lo=lo, hi=hi))
    agree(embed(rng, rows, width, (300, 200, 16), lo=-127))


@given(
    RANDOM,
    st.lists(st.integers(1, 12), min_size=1, max_size=4).map(tuple),
    st.integers(1, 3),
    st.integers(1, 20),
    st.booleans(),
    FLAGS,
    FLAGS,
)
def test_attention(
    rng: np.random.Generator,
    lengths: tuple[int, ...],
    heads: int,
    d: int,
    near: bool,
    centred: int,
    signed: int,
) -> None:
    agree(attention(rng, lengths, heads, d, near=near, centred=centred, signed=signed))
    agree(attention(rng, lengths, heads, d, "DotProductAttention", near))


@pytest.mark.parametrize("operator", ["InhibitorAttention", "DotProductAttention"])
def test_a_sentence_does_not_see_its_neighbours(operator: str) -> None:
    flags: dict[str, Any] = {"centred": 1, "signed": 1} if operator == "InhibitorAttention" else {}
    case = attention(np.random.default_rng(0), (4, 1, 30, 7), 2, 16, operator, **flags)
    alone = np.concatenate([computed(sentence) for sentence in one_by_one(case)])
    np.testing.assert_array_equal(computed(case), alone)


def test_the_size_of_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    case = attention(np.random.default_rng(0), (37,), 2, 8, centred=1, signed=1)
    whole = computed(case)
    monkeypatch.setattr(ops, "BLOCK", 5 * 37 * 8)
    np.testing.assert_array_equal(computed(case), whole)


def test_isqrt_around_every_kind_of_square() -> None:
    rng = np.random.default_rng(0)
    powers = 2 ** np.arange(27)
    some = (np.arange(1, 5000), powers, powers[1:] - 1, rng.integers(1, 2**26, 9999))
    roots = np.concatenate(some)
    squares = (roots[:, None] ** 2 + np.array([-1, 0, 1])).clip(1, 2**52 - 1)
    np.testing.assert_array_equal(ops.isqrt(squares), np.vectorize(math.isqrt)(squares))


@given(st.integers(1, 2**52 - 1))
def test_isqrt(v: int) -> None:
    assert ops.isqrt(np.array([v])).tolist() == [math.isqrt(v)]


@pytest.mark.parametrize("k", [*WIDTHS, 1536])
def test_matmul_integer(k: int) -> None:
    rng = np.random.default_rng(k)
    a = rng.integers(0, 256, (3, k)).astype(np.uint8)
    b = rng.integers(-127, 128, (k, 5)).astype(np.int8)
    a[0], b[:, 0] = 0, 127
    result = ops.matmul_integer(a, b)
    assert result.dtype == np.int32
    assert result.tolist() == oracle.matmul_integer(a.tolist(), b.tolist())


def test_inputs_are_left_as_they_were() -> None:
    for case in CASES:
        before = [x.copy() for x in case.inputs]
        computed(case)
        for was, now in zip(before, case.inputs, strict=True):
            np.testing.assert_array_equal(was, now)
