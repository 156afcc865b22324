"""A student file's nodes with the shapes that counting needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inhibi.engine.errors import InputError
from inhibi.engine.metadata import Metadata

if TYPE_CHECKING:
    import onnx

INHIBITOR, DOT_PRODUCT = "InhibitorAttention", "DotProductAttention"
ATTENTIONS = (INHIBITOR, DOT_PRODUCT)
MOVING = ("Slice", "Gather", "Sub")  # pick rows, or make zeros of ids: no arithmetic on data

# The input that has one entry for each channel of the result.
PER_CHANNEL = {INHIBITOR: 5, DOT_PRODUCT: 5, "EmbedLayerNorm": 7}


@dataclass(frozen=True)
class Node:
    """One node: `shapes` and `sizes` (bytes) of its initializers, by input position.

    `pooled`: it works on one row for each sentence instead of one for each token.
    """

    name: str
    operator: str
    pooled: bool
    attributes: dict[str, int]
    shapes: dict[int, tuple[int, ...]]
    sizes: dict[int, int]

    @property
    def channels(self) -> int:
        """Channels of an operator's result."""
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
    import onnx

    if not Path(path).is_file():
        raise InputError(f"no model file {path}")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's own errors have no common base class
        raise InputError(f"{path} is no ONNX file, or a damaged one") from error
    try:
        metadata = Metadata.parse({entry.key: entry.value for entry in model.metadata_props})
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return Graph(_nodes(model.graph), metadata)


def _nodes(graph: "onnx.GraphProto") -> list[Node]:
    constants = {tensor.name: tensor for tensor in graph.initializer}
    pooled: set[str] = set()
    nodes = []
    for node in graph.node:
        given = {i: constants[name] for i, name in enumerate(node.input) if name in constants}
        # Rows of single tokens are gathered once; what is computed from them has B rows.
        if node.op_type == "Gather" or pooled & set(node.input):
            pooled |= set(node.output)
        nodes.append(
            Node(
                name=node.name,
                operator=node.op_type,
                pooled=bool(pooled & set(node.output)),
                attributes={a.name: a.i for a in node.attribute},
                shapes={i: tuple(tensor.dims) for i, tensor in given.items()},
                sizes={i: _bytes(tensor) for i, tensor in given.items()},
            )
        )
    return nodes


def _bytes(tensor: "onnx.TensorProto") -> int:
    import math

    from onnx.helper import tensor_dtype_to_np_dtype

    return math.prod(tensor.dims) * tensor_dtype_to_np_dtype(tensor.data_type).itemsize
