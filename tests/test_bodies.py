"""Function bodies in plain onnxruntime, at every optimization level, against the oracle."""

from functools import cache

import numpy as np
import onnxruntime
import pytest
from case import FUNCTIONS, Array, Case, expected, one_by_one
from cases import CASES
from hypothesis import given
from hypothesis import strategies as st
from onnx import FunctionProto, ModelProto, TensorProto, checker, helper, inliner, shape_inference

from inhibi.export.bodies import functions
from inhibi.export.body_builder import DOMAIN, INT32, INT64, OPSET, UINT8, Body

LEVELS = list(onnxruntime.GraphOptimizationLevel.__members__)
LARGEST = 700  # tokens at once: a body compares all with all
INTEGERS = {"BOOL", "UINT8", "INT8", "UINT16", "INT32", "INT64", "UINT64"}

Input = tuple[int, int]  # type, rank


def model_of(
    function: FunctionProto, inputs: tuple[Input, ...], output: Input, **attributes: int
) -> ModelProto:
    """One node, whose operator only the function tells."""
    tensors = [
        helper.make_tensor_value_info(name, type, [None] * rank)
        for name, (type, rank) in zip(function.input, inputs, strict=True)
    ]
    node = helper.make_node(function.name, function.input, ["y"], domain=DOMAIN, **attributes)
    result = helper.make_tensor_value_info("y", output[0], [None] * output[1])
    return helper.make_model(
        helper.make_graph([node], "single", tensors, [result]),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
        functions=[function],
        ir_version=8,
    )


def model(case: Case) -> ModelProto:
    (function,) = functions([case.operator])
    inputs = tuple((helper.np_dtype_to_tensor_dtype(x.dtype), x.ndim) for x in case.inputs)
    return model_of(function, inputs, (UINT8, 2), **case.attributes)


@cache
def session(serialized: bytes, level: str = "ORT_ENABLE_ALL") -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])


def computed(case: Case, level: str) -> Array:
    """By onnxruntime, sentence by sentence where they are too many together."""
    runner = session(model(case).SerializeToString(), level)
    names = [x.name for x in runner.get_inputs()]
    many = "Attention" in case.operator and len(case.inputs[0]) > LARGEST
    parts = one_by_one(case) if many else [case]
    return np.concatenate(
        [runner.run(None, dict(zip(names, part.inputs, strict=True)))[0] for part in parts]
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, level: str) -> None:
    result = computed(case, level)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected(case))


@pytest.mark.parametrize("operator", FUNCTIONS)
def test_bodies_are_valid_and_hold_integers_only(operator: str) -> None:
    case = next(case for case in CASES if case.operator == operator)
    checker.check_model(model(case), full_check=True)
    flat = shape_inference.infer_shapes(
        inliner.inline_local_functions(model(case)), check_type=True, strict_mode=True
    )
    tensors = {v.name: v.type.tensor_type.elem_type for v in flat.graph.value_info}
    inner = {name for node in flat.graph.node for name in node.output} - {"y"}
    assert tensors.keys() >= inner
    assert {TensorProto.DataType.Name(type) for type in tensors.values()} <= INTEGERS


def test_functions_come_once_each() -> None:
    names = [f.name for f in functions(["Requantize", "AddLayerNorm", "Requantize"])]
    assert names == ["Requantize", "AddLayerNorm"]


def shift_model() -> bytes:
    body = Body("Shift")
    y = body.input("x", INT64) >> body.input("s", INT64)
    return model_of(body.function(y), ((INT64, 1), (INT64, 1)), (INT64, 1)).SerializeToString()


@given(st.lists(st.tuples(st.integers(1 - 2**62, 2**62 - 1), st.integers(0, 62)), min_size=1))
def test_shift_floors(pairs: list[tuple[int, int]]) -> None:
    x, s = np.array(pairs).T
    (y,) = session(shift_model()).run(None, {"x": x, "s": s})
    assert y.tolist() == [a >> b for a, b in pairs]


def test_a_constant_is_written_once_for_each_type() -> None:
    body = Body("Constants")
    x = body.input("x", INT32)
    y = (x + 7).cast(INT64) + 7 + 7
    written = [node for node in body.function(y).node if node.op_type == "Constant"]
    assert len(written) == 2
