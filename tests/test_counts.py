"""The formulas' operation counts against operations that the oracle really executes."""

from collections import Counter
from pathlib import Path
from typing import Any

import counting
import numpy as np
import onnx
import oracle
import pytest
from attention_cases import attention
from case import FULL, Case, from_oracle
from onnx.numpy_helper import to_array
from pool_cases import mean_pool
from row_cases import add_norm, embed, lookup, requantize
from tiny import tiny_student

from inhibi.engine.session import open_session
from inhibi.engine.text import Encoded
from inhibi.eval.energy import counts, formulas
from inhibi.eval.energy.graph import DOT_PRODUCT, INHIBITOR, MOVING, read, resized
from inhibi.eval.energy.variants import INTEGER_DOT_PRODUCT, INTEGER_INHIBITOR
from inhibi.export.graph import build, write

RNG = np.random.default_rng(7)
ROWS = ((1, 8), (3, 24), (5, 33))  # rows, channels: 8 is a power of 2
# Not 1: the mean over 1 key divides by 2, which the counting takes for a shift.
LENGTHS = ((2,), (3, 5), (8, 2, 9))
SHAPES = ((1, 8), (3, 16), (2, 24))  # heads, head width
FLAGS: list[dict[str, Any]] = [
    {"centred": centred, "signed": signed} for centred in (0, 1) for signed in (0, 1)
]

CASES = [
    *(requantize(RNG, *shape, **FULL) for shape in ROWS),
    *(lookup(RNG, *shape) for shape in ROWS),
    *(add_norm(RNG, *shape, **FULL) for shape in ROWS),
    *(embed(RNG, *shape, (200, 90, 30), -127) for shape in ROWS),
    *(attention(RNG, ns, *shape, **flags) for ns in LENGTHS for shape in SHAPES for flags in FLAGS),
    *(attention(RNG, ns, *shape, DOT_PRODUCT) for ns in LENGTHS for shape in SHAPES),
    *(mean_pool(RNG, ns, 24) for ns in LENGTHS),
]


def analytic(case: Case) -> formulas.Counts:
    """The formulas' count, from a case's shapes alone."""
    if case.operator == "EmbedLayerNorm":
        return formulas.embed_layer_norm(len(case.inputs[0]), case.inputs[3].shape[1])
    rows, columns = case.inputs[0].shape
    if case.operator == "MeanPool":
        return formulas.mean_pool(np.diff(case.inputs[1]).tolist(), columns)
    if "Attention" not in case.operator:
        return getattr(formulas, case.function)(rows, columns)
    lengths, heads = np.diff(case.inputs[1]).tolist(), case.attributes["heads"]
    if case.operator == DOT_PRODUCT:
        return formulas.dot_product_attention(lengths, columns // 3, heads)
    centred, signed = (bool(case.attributes[name]) for name in ("centred", "signed"))
    return formulas.inhibitor_attention(lengths, columns // 3, heads, centred, signed)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_formula_counts_what_the_oracle_executes(case: Case) -> None:
    executed, result = counting.execute(case)
    assert analytic(case) == executed
    assert result == from_oracle(case).tolist()


@pytest.mark.parametrize("shape", [(1, 8, 3), (5, 33, 7)])
def test_the_formula_of_a_matrix_product_does(shape: tuple[int, int, int]) -> None:
    rows, inputs, outputs = shape
    a = RNG.integers(0, 256, (rows, inputs))
    b = RNG.integers(-127, 128, (inputs, outputs))
    assert formulas.matrix_product(*shape) == executed_product(a, b)


def executed_product(a: np.ndarray, b: np.ndarray) -> counting.Tally:
    tally: counting.Tally = Counter()
    oracle.matmul_integer(*(counting.counted(x.tolist(), 8, tally) for x in (a, b)))
    return tally


@pytest.mark.parametrize("attention", ["inhibitor", "dot_product"])
@pytest.mark.parametrize("token_types", [True, False])
def test_every_node_of_a_file_is_counted_as_it_is_executed(
    tmp_path: Path, attention: str, token_types: bool
) -> None:
    path = tmp_path / "student.onnx"
    write(build(tiny_student(layers=1, hidden=24, heads=3, attention=attention,
                             token_types=token_types)), path)  # fmt: skip
    sentence = Encoded([2, 9, 30, 11, 3], [0] * 5, 5)
    graph = read(path)
    variant = INTEGER_INHIBITOR if graph.attention == INHIBITOR else INTEGER_DOT_PRODUCT
    found = {count.node.name: count for count in counts.count(graph, variant, [5])}
    tensors = dict(open_session(path, "numpy").trace(sentence))
    tensors |= {"input_ids": np.array(sentence.ids), "position_ids": np.arange(5)}
    tensors = {"token_type_ids": np.zeros(5, int), "offsets": np.array([0, 5])} | tensors
    graph = onnx.load(path).graph
    tensors |= {tensor.name: to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        inputs = tuple(tensors[name] for name in node.input)
        assert found.pop(node.name).operations == executed(node, inputs), node.name
    assert not found


def executed(node: onnx.NodeProto, inputs: tuple[np.ndarray, ...]) -> counting.Tally:
    """What the oracle executes for a node of a file."""
    if node.op_type in MOVING:
        return Counter()
    if node.op_type == "MatMulInteger":
        return executed_product(inputs[0], inputs[1])
    if node.op_type == "Add":
        return Counter({("add", "int32"): inputs[0].size})
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    return counting.execute(Case(node.op_type, node.name, inputs, attributes))[0]


def test_counting_notices_one_operation_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: an oracle that does one superfluous addition a row."""
    case = requantize(RNG, 3, 8, **FULL)
    whole = oracle._requantized
    monkeypatch.setattr(
        oracle, "_requantized", lambda a, *rest: whole([a[0] + 0, *a[1:]], *rest)
    )  # fmt: skip
    more = counting.execute(case)[0]
    assert more - analytic(case) == {("add", "int32"): 3}


@pytest.mark.parametrize("attention", ["inhibitor", "dot_product"])
@pytest.mark.parametrize(("hidden", "heads"), [(64, 4), (32, 2), (48, 3), (16, 16)])
def test_a_resized_graph_is_that_of_a_file_of_these_widths(
    tmp_path: Path, attention: str, hidden: int, heads: int
) -> None:
    small, other = tmp_path / "small.onnx", tmp_path / "other.onnx"
    write(build(tiny_student(hidden=32, heads=4, attention=attention)), small)
    intermediate = 48 * hidden // 32
    student = tiny_student(
        hidden=hidden, heads=heads, intermediate=intermediate, attention=attention
    )
    write(build(student), other)
    made, expected = resized(read(small), hidden, heads), read(other)
    assert list(made.nodes) == list(expected.nodes)
    for name in ("hidden", "heads", "intermediate"):
        assert getattr(made.metadata, name) == getattr(expected.metadata, name)


def test_widths_that_do_not_fit_are_refused(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match="30 channels, 4 heads"):
        resized(read(tiny_model), 30, 4)
