"""A student file's nodes with the shapes that counting needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from inhibi.engine import student_file
from inhibi.engine.metadata import Metadata

if TYPE_CHECKING:
    import onnx

INHIBITOR, DOT_PRODUCT = "InhibitorAttention", "DotProductAttention"
# Counted alone, in no file: dot products with I-BERT's softmax (arXiv 2101.01321, algorithm 2).
I_BERT = "IBertAttention"
ATTENTIONS = (INHIBITOR, DOT_PRODUCT, I_BERT)
# What follows a layer's name in those of attention, its projections and their norm.
BLOCK = ("qkv", "attention", "attention_output")
# Pick rows, make zeros of ids, or name a result: no arithmetic on data.
MOVING = ("Slice", "Gather", "Sub", "Identity")
MEAN = "MeanPool"

PER_HEAD = (2, 3, 4)  # inputs of attention that have one entry for each head
# The input that has one entry for each channel of the result.
PER_CHANNEL = {**dict.fromkeys(ATTENTIONS, 5), "EmbedLayerNorm": 7, MEAN: 2}


@dataclass(frozen=True)
class Node:
    """One node: `shapes` and `sizes` (bytes) of its initializers, by input position.

    `item_sizes`: bytes of one of their elements. `pooled`: it works on one row for each sentence
    instead of one for each token.
    """

    name: str
    operator: str
    pooled: bool
    attributes: dict[str, int]
    shapes: dict[int, tuple[int, ...]]
    item_sizes: dict[int, int]

    @property
    def sizes(self) -> dict[int, int]:
        """Bytes of its initializers, by input position."""
        return {i: math.prod(shape) * self.item_sizes[i] for i, shape in self.shapes.items()}

    @property
    def channels(self) -> int:
        """Channels of the result, of all operators but products and those that only move."""
        return self.shapes[PER_CHANNEL.get(self.operator, 1)][0]

    @property
    def heads(self) -> int:
        return self.attributes["heads"]

    def rows(self, lengths: Sequence[int]) -> int:
        """Rows that it works on, for sentences of these lengths."""
        return len(lengths) if self.pooled else sum(lengths)

    @property
    def layer(self) -> str:
        """`layer.3` of `layer.3.output`; `embeddings`; `classifier` for all behind the layers."""
        first, *rest = self.name.split(".")
        if first == "layer":
            return f"{first}.{rest[0]}"
        return "classifier" if self.pooled else "embeddings"

    @property
    def core(self) -> bool:
        """Whether it is attention itself: from Q, K and V to the context."""
        return self.operator in ATTENTIONS

    @property
    def block(self) -> bool:
        """Whether it belongs to attention with its projections and their norm."""
        first, *rest = self.name.split(".")
        return first == "layer" and rest[1] in BLOCK


@dataclass(frozen=True)
class Graph:
    """All nodes of a file, in order, and what the file says about itself."""

    nodes: Sequence[Node]
    metadata: Metadata

    @property
    def attention(self) -> str:
        """The operator of the attention."""
        return next(n.operator for n in self.nodes if n.operator in ATTENTIONS)


def read(path: str | Path) -> Graph:
    """The graph of a student file. `InputError` where it is none."""
    model, metadata = student_file.read(Path(path))
    return Graph(_nodes(model.graph), metadata)


def _nodes(graph: "onnx.GraphProto") -> list[Node]:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    pooled: set[str] = set()
    nodes = []
    for node in graph.node:
        given = {i: constants[name] for i, name in enumerate(node.input) if name in constants}
        # What is computed from gathered rows, or from means, has B rows.
        if node.op_type in ("Gather", MEAN) or pooled & set(node.input):
            pooled |= set(node.output)
        nodes.append(
            Node(
                name=node.name,
                operator=node.op_type,
                pooled=bool(pooled & set(node.output)),
                attributes={a.name: a.i for a in node.attribute},
                shapes={i: tuple(tensor.dims) for i, tensor in given.items()},
                item_sizes={i: _item_size(tensor) for i, tensor in given.items()},
            )
        )
    return nodes


def _item_size(tensor: "onnx.TensorProto") -> int:
    from onnx.helper import tensor_dtype_to_np_dtype

    return int(tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def resized(graph: Graph, hidden: int, heads: int) -> Graph:
    """The same transformer with other widths: every channel count in proportion to `hidden`.

    `hidden` has to be a multiple of `heads`, and old widths times it of the old one (ValueError).
    """
    old = graph.metadata
    if hidden % heads or old.intermediate * hidden % old.hidden:
        raise ValueError(f"{hidden} channels, {heads} heads")
    metadata = replace(
        old, hidden=hidden, heads=heads, intermediate=old.intermediate * hidden // old.hidden
    )
    widths = {n * old.hidden: n * hidden for n in (1, 3)} | {
        old.intermediate: metadata.intermediate
    }
    nodes = []
    for node in graph.nodes:
        shapes = dict(node.shapes)
        for i, channels in _channels(node).items():
            shapes[i] = tuple(widths[n] if k in channels else n for k, n in enumerate(shapes[i]))
        if node.core:
            shapes |= dict.fromkeys(PER_HEAD, (heads,))
        attributes = node.attributes | ({"heads": heads} if node.core else {})
        nodes.append(replace(node, shapes=shapes, attributes=attributes))
    return Graph(nodes, metadata)


def _channels(node: Node) -> dict[int, tuple[int, ...]]:
    """Which dimensions of its initializers count channels, by input position."""
    if node.operator in MOVING or node.operator == "Add":
        return {}
    if node.operator == "MatMulInteger":
        return {1: (0,) if node.name.startswith("classifier") else (0, 1)}
    without = {"RequantizeLookup": (4,), **dict.fromkeys(ATTENTIONS, (*PER_HEAD, 7))}
    last = {i: (len(shape) - 1,) for i, shape in node.shapes.items()}
    return {i: k for i, k in last.items() if i not in without.get(node.operator, ())}
