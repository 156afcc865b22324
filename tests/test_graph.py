"""The exported file: its names, its inputs and its metadata."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from tiny import VOCABULARY, tiny_student

from inhibi.engine.errors import InputError
from inhibi.engine.metadata import Metadata
from inhibi.export.graph import build, metadata, write
from inhibi.export.integers import Classifier, InhibitorAttention

LAYER = (
    "qkv.product qkv attention attention_output.product attention_output "
    "intermediate.product intermediate output.product output"
)


@pytest.fixture
def model() -> onnx.ModelProto:
    return build(tiny_student(layers=1))


def test_nodes_have_the_names_of_the_specification_and_so_have_their_outputs() -> None:
    model = build(tiny_student(layers=2))
    first, last = ([f"layer.{i}.{name}" for name in LAYER.split()] for i in range(2))
    pooled = ["pooled.rows", "layer.0.output.pooled", "layer.1.attention.pooled"]
    end = ["pooler.product", "pooler", "classifier.product", "logits"]
    names = ["embeddings", *first, *last[:3], *pooled, *last[3:], *end]
    assert [node.name for node in model.graph.node] == names
    assert all(list(node.output) == [node.name] for node in model.graph.node)


def test_initializers_are_named_after_their_node_and_hold_the_student() -> None:
    student = tiny_student(layers=1)
    held = {t.name: numpy_helper.to_array(t) for t in build(student).graph.initializer}
    output, attention = student.layers[0].output, student.layers[0].attention
    assert isinstance(attention, InhibitorAttention)
    assert isinstance(student.head, Classifier)
    expected: dict[str, np.ndarray] = {
        "zero_point": np.array(128, np.uint8),
        "embeddings.word": student.embeddings.word,
        "layer.0.output.product.weight": output.weight,
        "layer.0.output.bias": output.bias,
        "layer.0.output.residual_multiplier": output.residual_multiplier,
        "layer.0.output.weight": output.norm.weight,
        "layer.0.output.norm_bias": output.norm.norm_bias,
        "layer.0.attention.length": attention.length,
        "logits.bias": student.head.classifier.bias,
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


def test_a_file_is_written_whole_or_not_at_all(model: onnx.ModelProto, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (folder, tmp_path / "absent" / "x.onnx", Path("/dev/null")):
        with pytest.raises(InputError, match=f"cannot write {path}: "):
            write(model, path)
    assert list(tmp_path.rglob("*")) == [folder]
    write(model, tmp_path / "x.onnx")
    assert set(tmp_path.iterdir()) == {folder, tmp_path / "x.onnx"}
