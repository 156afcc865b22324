"""One-node models of attention: ours, onnxruntime's in fp32 and torch's in fp32."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from benchmarks.attention_parameters import UNIT, dot_product_parameters, inhibitor_parameters
from benchmarks.native import session_options
from inhibi.engine import ops
from inhibi.export.bodies import functions

Call = Callable[[], np.ndarray]

FULL = {"lo": -127, "hi": 127}


@dataclass(frozen=True)
class Shape:
    """T tokens of one sentence, H heads of width d."""

    tokens: int
    heads: int
    width: int

    @property
    def hidden(self) -> int:
        return self.heads * self.width


@dataclass(frozen=True)
class Operator:
    """One of ours: its type, its definition in NumPy, its inputs after qkv and offsets."""

    kind: str
    function: Callable[..., np.ndarray]
    parameters: dict[str, np.ndarray]
    attributes: dict[str, int]


def inhibitor(shape: Shape) -> Operator:
    parameters = inhibitor_parameters(shape.heads, shape.width, shape.tokens)
    attributes = {"heads": shape.heads, "centred": 1, "signed": 1, **FULL}
    return Operator("InhibitorAttention", ops.inhibitor_attention, parameters, attributes)


def dot_product(shape: Shape) -> Operator:
    parameters = dot_product_parameters(shape.heads, shape.width)
    attributes = {"heads": shape.heads, **FULL}
    return Operator("DotProductAttention", ops.dot_product_attention, parameters, attributes)


def floats(shape: Shape) -> np.ndarray:
    """Q, K and V, float32 [3, T, C] of mean 0 and deviation 1."""
    random = np.random.default_rng(0)
    return random.normal(0, 1, (3, shape.tokens, shape.hidden)).astype(np.float32)


def to_bytes(values: np.ndarray) -> np.ndarray:
    """[3, T, C] to uint8 [T, 3C], as our operators take them."""
    return np.clip(np.rint(np.concatenate(values, 1) * UNIT) + 128, 1, 255).astype(np.uint8)


def our_call(operator: Operator, shape: Shape, threads: int) -> Call:
    """uint8 [T, C] of the same values as `floats`."""
    feeds = {"qkv": to_bytes(floats(shape)), "offsets": np.array([0, shape.tokens])}
    types = {"qkv": TensorProto.UINT8, "offsets": TensorProto.INT64}
    node = helper.make_node(
        operator.kind,
        [*feeds, *operator.parameters],
        ["y"],
        domain="ai.inhibi",
        **operator.attributes,
    )
    model = _model(node, types, TensorProto.UINT8, operator.parameters)
    output = np.empty((shape.tokens, shape.hidden), np.uint8)
    return _bound(model, session_options(threads), feeds, output)


def onnxruntime_call(shape: Shape, threads: int) -> Call:
    """float32 [1, T, C]: the fused operator of com.microsoft."""
    feeds = dict(zip("qkv", floats(shape)[:, None], strict=True))
    node = helper.make_node(
        "MultiHeadAttention", list(feeds), ["y"], domain="com.microsoft", num_heads=shape.heads
    )
    model = _model(node, dict.fromkeys(feeds, TensorProto.FLOAT), TensorProto.FLOAT, {})
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return _bound(model, options, feeds, np.empty_like(feeds["q"]))


def torch_call(shape: Shape, threads: int) -> Call:
    """float32 [1, H, T, d]. Sets torch's threads for the whole process."""
    import torch

    torch.set_num_threads(threads)
    split = floats(shape).reshape(3, 1, shape.tokens, shape.heads, shape.width)
    q, k, v = torch.from_numpy(np.ascontiguousarray(split.transpose(0, 1, 3, 2, 4)))

    def run() -> np.ndarray:
        with torch.inference_mode():
            return torch.nn.functional.scaled_dot_product_attention(q, k, v).numpy()

    return run


def _model(
    node: onnx.NodeProto, inputs: dict[str, int], output: int, constants: dict[str, np.ndarray]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [node],
        "attention",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in inputs.items()],
        [helper.make_tensor_value_info("y", output, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(node.domain, 1)]
    bodies = functions([node.op_type]) if node.domain == "ai.inhibi" else []
    return helper.make_model(graph, opset_imports=opsets, functions=bodies, ir_version=8)


def _bound(
    model: onnx.ModelProto,
    options: ort.SessionOptions,
    feeds: dict[str, np.ndarray],
    output: np.ndarray,
) -> Call:
    """Inputs and output are bound before, so that a call copies nothing and checks little."""
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    for name, array in feeds.items():
        binding.bind_cpu_input(name, array)
    binding.bind_output("y", "cpu", 0, output.dtype, output.shape, output.ctypes.data)

    def run() -> np.ndarray:
        session.run_with_iobinding(binding)
        return output

    return run
