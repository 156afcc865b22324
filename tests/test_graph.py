"""The exported file: names, metadata, and that nothing but integers gets in."""

from collections.abc import Callable
from pathlib import Path

import inhibi.engine
import numpy as np
import onnx
import pytest
from inhibi.engine.errors import InputError
from inhibi.engine.metadata import Metadata
from inhibi.export.check import check
from inhibi.export.graph import build, metadata, write
from inhibi.export.integers import InhibitorAttention
from onnx import TensorProto, helper, numpy_helper
from tiny import VOCABULARY, tiny_student

PACKAGED = Path(inhibi.engine.__file__).parent / "models"
LAYER = (
    "qkv.product qkv attention attention_output.product attention_output "
    "intermediate.product intermediate output.product output"
)


@pytest.fixture
def model() -> onnx.ModelProto:
    return build(tiny_student(layers=1))


def test_nodes_have_the_names_of_the_specification_and_so_have_their_outputs() -> None:
    model = build(tiny_student(layers=2))
    layers = [f"layer.{i}.{name}" for i in range(2) for name in LAYER.split()]
    end = ["pooled.rows", "pooled", "pooler.product", "pooler", "classifier.product", "logits"]
    assert [node.name for node in model.graph.node] == ["embeddings", *layers, *end]
    assert all(list(node.output) == [node.name] for node in model.graph.node)


def test_initializers_are_named_after_their_node_and_hold_the_student() -> None:
    student = tiny_student(layers=1)
    held = {t.name: numpy_helper.to_array(t) for t in build(student).graph.initializer}
    output, attention = student.layers[0].output, student.layers[0].attention
    assert isinstance(attention, InhibitorAttention)
    expected: dict[str, np.ndarray] = {
        "zero_point": np.array(128, np.uint8),
        "embeddings.word": student.embeddings.word,
        "layer.0.output.product.weight": output.weight,
        "layer.0.output.bias": output.bias,
        "layer.0.output.weight": output.norm.weight,
        "layer.0.output.norm_bias": output.norm.norm_bias,
        "layer.0.attention.length": attention.length,
        "logits.bias": student.classifier.bias,
    }
    for name, value in expected.items():
        assert held[name].dtype == value.dtype
        assert np.array_equal(held[name], value), name


def test_inputs_and_output() -> None:
    def kinds(model: onnx.ModelProto) -> dict[str, int]:
        values = [*model.graph.input, *model.graph.output]
        return {v.name: v.type.tensor_type.elem_type for v in values}

    ids = dict.fromkeys(["input_ids", "position_ids", "offsets"], TensorProto.INT64)
    logits = {"logits": TensorProto.INT32}
    assert kinds(build(tiny_student(token_types=False))) == ids | logits
    assert kinds(build(tiny_student())) == ids | {"token_type_ids": TensorProto.INT64} | logits


def test_own_operators_state_every_attribute(model: onnx.ModelProto) -> None:
    attributes = {
        node.name: {a.name: a.i for a in node.attribute}
        for node in model.graph.node
        if node.domain == "ai.inhibi"
    }
    limits = {"lo": -127, "hi": 127}
    expected = limits | {"heads": 4, "centred": 1, "signed": 1}
    assert attributes.pop("layer.0.attention") == expected
    assert all(of_node == limits for of_node in attributes.values())


def test_metadata_come_back_as_they_were_written() -> None:
    student = tiny_student(labels=("no", 'a "quoted" ü'), n0=None, seed=3)
    model = build(student)
    read = Metadata.parse({p.key: p.value for p in model.metadata_props})
    assert read == metadata(student, dict(read.accumulator_bounds))
    assert read.labels == ("no", 'a "quoted" ü')
    assert (read.layers, read.hidden, read.heads, read.intermediate) == (2, 32, 4, 48)
    assert (read.vocabulary, read.max_tokens, read.token_types) == (len(VOCABULARY), 40, 2)
    assert read.n0 is None
    assert read.strings() == {p.key: p.value for p in model.metadata_props}


def test_the_same_student_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(build(tiny_student()), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_a_student_whose_shapes_disagree_is_refused() -> None:
    with pytest.raises(ValueError, match="do not divide"):
        tiny_student(hidden=30, heads=4)


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
