"""Counts of operations and bytes, their energy, and the report."""

from collections import Counter

import cases
import counting
import numpy as np
import pytest
from cases import Case
from inhibi.eval import formulas
from inhibi.eval.graph import DOT_PRODUCT

RNG = np.random.default_rng(7)
LENGTHS = ((2,), (3, 5), (8, 2, 9))
SHAPES = ((1, 8), (3, 16), (2, 24))  # heads, head width; 24 channels a power of 2 short
FLAGS = [{"centred": centred, "signed": signed} for centred in (0, 1) for signed in (0, 1)]
ROWS = ((1, 8), (3, 24), (5, 33))
FULL = {"lo": -127, "hi": 127}

OPERATORS = [
    *(cases.requantize(RNG, *shape, **FULL) for shape in ROWS),
    *(cases.lookup(RNG, *shape) for shape in ROWS),
    *(cases.add_norm(RNG, *shape, **FULL) for shape in ROWS),
    *(cases.embed(RNG, *shape, (200, 90, 30), -127) for shape in ROWS),
]
INHIBITORS = [
    cases.attention(RNG, lengths, *shape, **flags)
    for lengths in LENGTHS
    for shape in SHAPES
    for flags in FLAGS
]
DOT_PRODUCTS = [
    cases.attention(RNG, lengths, *shape, DOT_PRODUCT) for lengths in LENGTHS for shape in SHAPES
]


def analytic(case: Case) -> formulas.Counts:
    """The formulas' count, from a case's shapes alone."""
    rows, columns = case.inputs[0].shape if case.inputs[0].ndim == 2 else (0, 0)
    flags = case.attributes
    lengths = np.diff(case.inputs[1]).tolist()
    match case.operator:
        case "Requantize":
            return formulas.requantize(rows, columns)
        case "RequantizeLookup":
            return formulas.requantize_lookup(rows, columns)
        case "AddLayerNorm":
            return formulas.add_layer_norm(rows, columns)
        case "EmbedLayerNorm":
            return formulas.embed_layer_norm(len(case.inputs[0]), case.inputs[3].shape[1])
        case "InhibitorAttention":
            return formulas.inhibitor_attention(
                lengths, columns // 3, flags["heads"], bool(flags["centred"]), bool(flags["signed"])
            )
    return formulas.dot_product_attention(lengths, columns // 3, flags["heads"])


@pytest.mark.parametrize("case", [*OPERATORS, *INHIBITORS, *DOT_PRODUCTS], ids=str)
def test_the_formulas_count_what_the_oracle_executes(case: Case) -> None:
    executed, result = counting.execute(case)
    assert analytic(case) == executed
    assert result == cases.expected(case).tolist()


@pytest.mark.parametrize("shape", [(1, 8, 3), (5, 33, 7)])
def test_the_formula_of_a_matrix_product_counts_what_the_oracle_executes(
    shape: tuple[int, int, int],
) -> None:
    rows, inputs, outputs = shape
    tally: counting.Tally = Counter()
    a = counting.counted(RNG.integers(0, 256, (rows, inputs)).tolist(), 8, tally)
    b = counting.counted(RNG.integers(-127, 128, (inputs, outputs)).tolist(), 8, tally)
    counting.oracle.matmul_integer(a, b)
    assert formulas.matrix_product(*shape) == tally
