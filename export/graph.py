"""Writes an integer student as one ONNX model: docs/SPEC.md, "The file"."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from inhibi.engine import files
from inhibi.engine.fixed import multiplier_shift
from inhibi.engine.metadata import Metadata, Ratio
from inhibi.export.bodies import functions
from inhibi.export.body_builder import DOMAIN, OPSET
from inhibi.export.bounds import prove
from inhibi.export.check import check
from inhibi.export.integers import (
    Classifier,
    InhibitorAttention,
    IntegerLayer,
    IntegerStudent,
    Linear,
    LookupLinear,
    MeanPool,
    NormLinear,
)

IR_VERSION = 8

REQUANTIZE = ("bias", "multiplier", "shift")
NORM = ("weight", "norm_bias", "norm_shift")
ATTENTION = ("score_multiplier", "score_offset", "score_shift", "multiplier", "shift")


def build(student: IntegerStudent) -> onnx.ModelProto:
    """The student's ONNX model, checked; `InputError` where its accumulators could overflow."""
    bounds = prove(student)
    graph = _Graph()
    _student(graph, student)
    model = helper.make_model(
        graph.proto(student),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
        functions=functions(sorted({n.op_type for n in graph.nodes if n.domain == DOMAIN})),
        ir_version=IR_VERSION,
        producer_name="inhibi",
    )
    helper.set_model_props(model, metadata(student, bounds).strings())
    check(model)
    return model


def write(model: onnx.ModelProto, path: str | Path) -> None:
    """Write the file whole or not at all: a reader never sees half a model.

    `InputError` where it cannot be written, or where `path` is a folder or a device.
    """
    files.write(Path(path), model.SerializeToString(deterministic=True))


def metadata(student: IntegerStudent, bounds: dict[str, int]) -> Metadata:
    """What the file says about the student."""
    inhibitor = isinstance(student.layers[0].attention, InhibitorAttention)
    return Metadata(
        family=student.family,
        attention="inhibitor" if inhibitor else "dot_product",
        layers=len(student.layers),
        hidden=student.hidden,
        heads=student.heads,
        intermediate=student.intermediate,
        vocabulary=len(student.embeddings.word),
        max_tokens=student.max_tokens,
        token_types=len(student.embeddings.token_type) if student.token_types else 0,
        centred=student.centred,
        signed=student.signed,
        n0=student.n0,
        task=student.task,
        texts=student.texts,
        problem=student.problem,
        labels=student.labels,
        output_scale=student.output_scale,
        probability_scale=_probability_scale(student),
        tokenizer=student.tokenizer,
        accumulator_bounds=bounds,
        nudged_pairs=student.nudged_pairs,
        provenance=student.provenance,
    )


def _probability_scale(student: IntegerStudent) -> Ratio | None:
    """Output scale / temperature, as integers; none where no multiplier is that small."""
    if student.temperature is None:
        return None
    multiplier, shift = multiplier_shift(student.output_scale / student.temperature)
    return Ratio(int(multiplier), int(shift)) if multiplier else None


class _Graph:
    """Nodes and initializers in the order they are added; a node's output has its name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def constants(self, node: str, values: object, *inputs: str) -> list[str]:
        """The attributes of `values` with these names, as initializers of the node."""
        return [self.constant(f"{node}.{name}", getattr(values, name)) for name in inputs]

    def node(
        self, operator: str, name: str, inputs: list[str], domain: str = "", **attributes: int
    ) -> str:
        self.nodes.append(
            helper.make_node(operator, inputs, [name], name, domain=domain, **attributes)
        )
        return name

    def operator(self, operator: str, name: str, inputs: list[str], **attributes: int) -> str:
        """A node of our own domain, with the range of its uint8 output."""
        return self.node(operator, name, inputs, DOMAIN, **attributes, lo=-127, hi=127)

    def product(self, name: str, x: str, linear: Linear) -> str:
        weight = self.constants(f"{name}.product", linear, "weight")
        return self.node("MatMulInteger", f"{name}.product", [x, *weight, "zero_point"])

    def proto(self, student: IntegerStudent) -> onnx.GraphProto:
        ids = ["input_ids", "position_ids"] + ["token_type_ids"] * student.token_types
        inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["tokens"]) for n in ids]
        inputs.append(helper.make_tensor_value_info("offsets", TensorProto.INT64, ["boundaries"]))
        if isinstance(student.head, Classifier):
            name, kind, width = "logits", TensorProto.INT32, len(student.labels)
        else:
            name, kind, width = "vector", TensorProto.UINT8, student.hidden
        output = helper.make_tensor_value_info(name, kind, ["sentences", width])
        return helper.make_graph(self.nodes, "student", inputs, [output], self.initializers)


def _student(graph: _Graph, student: IntegerStudent) -> None:
    graph.constant("zero_point", np.array(128, np.uint8))
    x = _embeddings(graph, student)
    *layers, last = student.layers
    for i, layer in enumerate(layers):
        context = _attended(graph, f"layer.{i}", x, layer, student)
        x = _fed_forward(graph, f"layer.{i}", x, context, layer)
    name = f"layer.{len(layers)}"
    context = _attended(graph, name, x, last, student)
    if isinstance(student.head, MeanPool):
        x = _fed_forward(graph, name, x, context, last)
        scale = graph.constants("vector", student.head, "multiplier", "shift")
        graph.operator("MeanPool", "vector", [x, "offsets", *scale])
        return
    # Other heads read the first tokens: nothing after the last attention needs more.
    rows = _first_tokens(graph)
    x, context = (
        graph.node("Gather", f"{tensor}.pooled", [tensor, rows], axis=0) for tensor in (x, context)
    )
    x = _fed_forward(graph, name, x, context, last)
    if isinstance(student.head, Classifier):
        _classifier(graph, x, student.head)
    else:
        graph.node("Identity", "vector", [x])


def _classifier(graph: _Graph, x: str, head: Classifier) -> None:
    x = _lookup(graph, "pooler", x, head.pooler)
    acc = graph.product("classifier", x, head.classifier)
    graph.node("Add", "logits", [acc, *graph.constants("logits", head.classifier, "bias")])


def _embeddings(graph: _Graph, student: IntegerStudent) -> str:
    name, values = "embeddings", student.embeddings
    if not student.token_types:
        graph.node("Sub", "token_type_ids", ["input_ids", "input_ids"])
    ids = ["input_ids", "position_ids", "token_type_ids"]
    tables = graph.constants(name, values, "word", "position", "token_type", "table_multiplier")
    norm = graph.constants(name, values.norm, *NORM)
    return graph.operator("EmbedLayerNorm", name, ids + tables + norm)


def _attended(
    graph: _Graph, name: str, x: str, layer: IntegerLayer, student: IntegerStudent
) -> str:
    """A layer's attention context, from its input."""
    acc = graph.product(f"{name}.qkv", x, layer.qkv)
    parameters = graph.constants(f"{name}.qkv", layer.qkv, *REQUANTIZE)
    qkv = graph.operator("Requantize", f"{name}.qkv", [acc, *parameters])
    return _attention(graph, f"{name}.attention", qkv, layer, student)


def _fed_forward(graph: _Graph, name: str, x: str, context: str, layer: IntegerLayer) -> str:
    """A layer's output from its input and its attention context."""
    x = _add_norm(graph, f"{name}.attention_output", context, x, layer.attention_output)
    wide = _lookup(graph, f"{name}.intermediate", x, layer.intermediate)
    return _add_norm(graph, f"{name}.output", wide, x, layer.output)


def _attention(
    graph: _Graph, name: str, qkv: str, layer: IntegerLayer, student: IntegerStudent
) -> str:
    inputs = [qkv, "offsets", *graph.constants(name, layer.attention, *ATTENTION)]
    if not isinstance(layer.attention, InhibitorAttention):
        inputs += graph.constants(name, layer.attention, "table")
        return graph.operator("DotProductAttention", name, inputs, heads=student.heads)
    inputs += graph.constants(name, layer.attention, "length")
    return graph.operator(
        "InhibitorAttention",
        name,
        inputs,
        heads=student.heads,
        centred=int(student.centred),
        signed=int(student.signed),
    )


def _add_norm(graph: _Graph, name: str, x: str, residual: str, linear: NormLinear) -> str:
    acc = graph.product(name, x, linear)
    parameters = graph.constants(name, linear, *REQUANTIZE)
    added = [residual, *graph.constants(name, linear, "residual_multiplier")]
    norm = graph.constants(name, linear.norm, *NORM)
    return graph.operator("AddLayerNorm", name, [acc, *parameters, *added, *norm])


def _lookup(graph: _Graph, name: str, x: str, linear: LookupLinear) -> str:
    acc = graph.product(name, x, linear)
    parameters = graph.constants(name, linear, *REQUANTIZE, "table", "table_index")
    return graph.operator("RequantizeLookup", name, [acc, *parameters])


def _first_tokens(graph: _Graph) -> str:
    """The rows of each sentence's first token: offsets[:-1]."""
    start = graph.constant("pooled.rows.starts", np.array([0]))
    end = graph.constant("pooled.rows.ends", np.array([-1]))
    return graph.node("Slice", "pooled.rows", ["offsets", start, end])
