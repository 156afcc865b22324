"""`export.check` lets nothing but integers and exact weights pass."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny import tiny_student

import inhibi.engine
from inhibi.engine.errors import InputError
from inhibi.engine.metadata import Metadata
from inhibi.export.check import check
from inhibi.export.graph import build

PACKAGED = Path(inhibi.engine.__file__).parent / "models"


@pytest.fixture
def model() -> onnx.ModelProto:
    return build(tiny_student(layers=1))


def splice(model: onnx.ModelProto, value: str, *nodes: onnx.NodeProto) -> None:
    """Let the readers of `value` read the last node's output instead."""
    graph = model.graph
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == value:
                node.input[i] = nodes[-1].output[0]
    at = next(i for i, node in enumerate(graph.node) if value in node.output) + 1
    rest = list(graph.node)[at:]
    del graph.node[at:]
    graph.node.extend([*nodes, *rest])


def float_in_the_graph(model: onnx.ModelProto) -> None:
    there = helper.make_node("Cast", ["layer.0.qkv"], ["float"], to=TensorProto.FLOAT)
    back = helper.make_node("Cast", ["float"], ["integer"], to=TensorProto.UINT8)
    splice(model, "layer.0.qkv", there, back)


def half_in_a_body(model: onnx.ModelProto) -> None:
    body = next(f for f in model.functions if f.name == "AddLayerNorm")
    body.node[-1].output[0] = "raw"
    there = helper.make_node("Cast", ["raw"], ["half"], to=TensorProto.FLOAT16)
    back = helper.make_node("Cast", ["half"], ["y"], to=TensorProto.UINT8)
    body.node.extend([there, back])


def dequantized(model: onnx.ModelProto) -> None:
    for name, value in {"scale": np.float32(0.1), "zero": np.uint8(128)}.items():
        model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    inputs = ["pooler", "scale", "zero"]
    there = helper.make_node("DequantizeLinear", inputs, ["float"])
    back = helper.make_node("QuantizeLinear", ["float", "scale", "zero"], ["integer"])
    splice(model, "pooler", there, back)


def float_initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1), "unused"))


def root_of_integers(model: onnx.ModelProto) -> None:
    """int32 in, int32 out, a float square root between."""
    node = helper.make_node("ReduceL2", ["classifier.product"], ["norm"], axes=[1], keepdims=1)
    splice(model, "classifier.product", node)


def foreign_operator(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    node = helper.make_node("Gelu", ["pooler"], ["gelu"], domain="com.microsoft")
    splice(model, "pooler", node)


def int64_minimum(model: onnx.ModelProto) -> None:
    node = helper.make_node("Min", ["pooled.rows", "pooled.rows"], ["minimum"])
    splice(model, "pooled.rows", node)


def saturating_pair(model: onnx.ModelProto) -> None:
    weight = next(t for t in model.graph.initializer if t.name == "pooler.product.weight")
    values = numpy_helper.to_array(weight).copy()
    values[6:8, 5] = [65, 64]
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))


def computed_weights(model: onnx.ModelProto) -> None:
    node = next(n for n in model.graph.node if n.name == "pooler.product")
    copy = helper.make_node("Identity", [node.input[1]], ["copy"])
    model.graph.node.insert(0, copy)
    node = next(n for n in model.graph.node if n.name == "pooler.product")
    node.input[1] = "copy"


def dangling_input(model: onnx.ModelProto) -> None:
    model.graph.node[-1].input[0] = "nowhere"


def test_the_check_passes_as_built(model: onnx.ModelProto) -> None:
    check(model)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (float_in_the_graph, "float is FLOAT"),
        (half_in_a_body, "half.* is FLOAT16"),
        (dequantized, "DequantizeLinear"),
        (float_initializer, "unused is not of an integer type"),
        (root_of_integers, "ReduceL2"),
        (foreign_operator, "Gelu"),
        (int64_minimum, "wrongly on int64"),
        (saturating_pair, "pooler.product.weight: 1 pairs"),
        (computed_weights, "no constants"),
        (dangling_input, "no valid ONNX"),
    ],
)
def test_the_check_refuses(
    model: onnx.ModelProto, spoil: Callable[[onnx.ModelProto], None], message: str
) -> None:
    spoil(model)
    with pytest.raises(InputError, match=message):
        check(model)


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("*.onnx")), ids=lambda path: path.name)
def test_a_packaged_student_passes_the_check_and_holds_its_bounds(path: Path) -> None:
    packaged = onnx.load(path)
    check(packaged)
    bounds = Metadata.parse({p.key: p.value for p in packaged.metadata_props}).accumulator_bounds
    held = {t.name: numpy_helper.to_array(t).astype(int) for t in packaged.graph.initializer}
    products = [n.name for n in packaged.graph.node if n.op_type == "MatMulInteger"]
    assert products
    for product in products:
        name = product.removesuffix(".product").replace("classifier", "logits")
        most = 127 * np.abs(held[f"{product}.weight"]).sum(axis=0) + np.abs(held[f"{name}.bias"])
        assert bounds[name] == most.max() < 2**28


def test_a_float_in_every_single_body_is_found() -> None:
    names = set()
    for attention in ("inhibitor", "dot_product"):
        for i, function in enumerate(build(tiny_student(attention=attention)).functions):
            names.add(function.name)
            spoiled = build(tiny_student(attention=attention))
            body = spoiled.functions[i]
            value = body.node[-1].input[0]
            there = helper.make_node("Cast", [value], ["real"], to=TensorProto.DOUBLE)
            body.node.insert(len(body.node) - 1, there)
            with pytest.raises(InputError, match=r"real.* is DOUBLE"):
                check(spoiled)
    assert len(names) == 6
