"""Refuses a model that is not integers all the way, or not exact on every processor.

Every function body is inlined and the element type of every value inferred, so nothing between the
token ids and the logits escapes the walk.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.inliner import inline_local_functions

from inhibi.engine.errors import InputError
from inhibi.export.weight_pairs import LIMIT, pair_excess

INTEGERS = {
    TensorProto.BOOL,
    TensorProto.UINT8,
    TensorProto.INT8,
    TensorProto.UINT16,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.UINT64,
}

# Types alone do not tell: ReduceL2 or Pow of integers goes through floats inside a runtime.
OPERATORS = {
    *("MatMulInteger", "MatMul", "Add", "Sub", "Mul", "Div", "Neg", "Abs", "BitShift"),
    *("Min", "Max", "ReduceMin", "ReduceMax", "ReduceSum", "CumSum", "Less", "Greater", "Equal"),
    *("LessOrEqual", "GreaterOrEqual", "And", "Or", "Not", "Where", "Cast"),
    *("Gather", "Slice", "Concat", "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Expand"),
    *("Constant", "Identity", "Shape", "Range"),
}

# onnxruntime computes these wrongly on int64 on x86-64: its pull requests 25280 and 32475.
NOT_IN_64_BITS = {"Clip", "Min", "Max"}


def check(model: onnx.ModelProto) -> None:
    """`InputError` where the model is no valid ONNX, holds a float or an operator that computes
    in floats, or has weights that saturate on processors without a wide int8 dot product."""
    try:
        onnx.checker.check_model(model, full_check=True)
        flat = inline_local_functions(model)
        flat = onnx.shape_inference.infer_shapes(flat, check_type=True, strict_mode=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise InputError(f"the model is no valid ONNX: {error}") from error
    _only_integers(flat.graph)
    _exact_weights(flat.graph)


def _only_integers(graph: onnx.GraphProto) -> None:
    types = _types(graph)
    for node in graph.node:
        where = f"node {node.name or node.output[0]} ({node.op_type})"
        if node.domain or node.op_type not in OPERATORS:
            raise InputError(f"{where}: this operator is not known to compute in integers")
        for value in filter(None, [*node.input, *node.output]):
            if types.get(value) not in INTEGERS:
                kind = TensorProto.DataType.Name(types.get(value, TensorProto.UNDEFINED))
                raise InputError(f"{where}: {value} is {kind}, not an integer type")
        if node.op_type in NOT_IN_64_BITS and types[node.output[0]] == TensorProto.INT64:
            raise InputError(f"{where}: onnxruntime computes it wrongly on int64")
    for initializer in graph.initializer:
        if initializer.data_type not in INTEGERS:
            raise InputError(f"{initializer.name} is not of an integer type")


def _types(graph: onnx.GraphProto) -> dict[str, int]:
    """Element type of every value, as far as inference knows it."""
    typed = _typed(graph.input, graph.value_info, graph.output)
    return dict(typed) | {tensor.name: tensor.data_type for tensor in graph.initializer}


def _typed(*groups: Iterable[onnx.ValueInfoProto]) -> Iterator[tuple[str, int]]:
    for group in groups:
        for value in group:
            yield value.name, value.type.tensor_type.elem_type


def _exact_weights(graph: onnx.GraphProto) -> None:
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "MatMulInteger":
            continue
        if node.input[1] not in weights:
            raise InputError(f"node {node.name}: its weights are no constants")
        pairs = int(np.count_nonzero(pair_excess(numpy_helper.to_array(weights[node.input[1]]))))
        if pairs:
            raise InputError(
                f"{node.input[1]}: {pairs} pairs of adjacent weights exceed {LIMIT} and would "
                "saturate on processors without VNNI: limit them with weight_pairs.limit_pairs"
            )
