"""Operations and bytes of every node of a student file, for sentences of given lengths.

The file is counted with its own attention or, over the same shapes, with the other one
(`with_attention`), and as the same transformer in fp32 with dot-product attention.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inhibi.engine.errors import InputError
from inhibi.eval import float_formulas, formulas
from inhibi.eval.formulas import Counts
from inhibi.eval.graph import ATTENTIONS, DOT_PRODUCT, INHIBITOR, MOVING, Graph, Node
from inhibi.eval.traffic import float_traffic, traffic

EXPONENTIALS = 256 * 2  # bytes of the softmax's table


@dataclass(frozen=True)
class NodeCount:
    """What one node executes, by (kind, number type), and the bytes that it moves."""

    node: Node
    operations: Counts
    traffic: Counts


def count(graph: Graph, lengths: Sequence[int]) -> list[NodeCount]:
    """Counts of each node for sentences of these lengths, in tokens."""
    return [NodeCount(n, _operations(n, lengths), traffic(n, lengths)) for n in graph.nodes]


def count_float(graph: Graph, lengths: Sequence[int]) -> list[NodeCount]:
    """Counts of the same transformer in fp32, with dot-product attention and softmax."""
    return [
        NodeCount(n, _float_operations(n, lengths), float_traffic(n, lengths))
        for n in with_attention(graph, DOT_PRODUCT).nodes
    ]


def with_attention(graph: Graph, operator: str) -> Graph:
    """The graph with this attention of the same bits, heads and widths in each layer."""
    nodes = [_with(n, graph, operator) if n.operator in ATTENTIONS else n for n in graph.nodes]
    return Graph(nodes, graph.metadata)


def attention_core(counts: Sequence[NodeCount]) -> list[NodeCount]:
    """The attention operators alone: from Q, K and V to the context."""
    return [count for count in counts if count.node.operator in ATTENTIONS]


def _with(node: Node, graph: Graph, operator: str) -> Node:
    """Input 7 is the length table of the inhibitor, the exponentials of the dot product."""
    metadata = graph.metadata
    length = (metadata.max_tokens + 1) * 4
    return replace(
        node,
        operator=operator,
        attributes={"centred": metadata.centred, "signed": metadata.signed} | node.attributes,
        sizes=node.sizes | {7: length if operator == INHIBITOR else EXPONENTIALS},
    )


def _operations(node: Node, lengths: Sequence[int]) -> Counts:
    rows = node.rows(lengths)
    match node.operator:
        case "MatMulInteger":
            return formulas.matrix_product(rows, *node.shapes[1])
        case "Add":
            return formulas.bias(rows, node.channels)
        case "Requantize":
            return formulas.requantize(rows, node.channels)
        case "RequantizeLookup":
            return formulas.requantize_lookup(rows, node.channels)
        case "AddLayerNorm":
            return formulas.add_layer_norm(rows, node.channels)
        case "EmbedLayerNorm":
            return formulas.embed_layer_norm(rows, node.channels)
        case "InhibitorAttention":
            centred, signed = (bool(node.attributes[name]) for name in ("centred", "signed"))
            return formulas.inhibitor_attention(lengths, node.channels, node.heads, centred, signed)
        case "DotProductAttention":
            return formulas.dot_product_attention(lengths, node.channels, node.heads)
    if node.operator in MOVING:
        return Counter()
    raise InputError(f"the operations of {node.operator} ({node.name}) are not known")


def _float_operations(node: Node, lengths: Sequence[int]) -> Counts:
    rows = node.rows(lengths)
    match node.operator:
        case "MatMulInteger":
            return float_formulas.matrix_product(rows, *node.shapes[1])
        case "Add" | "Requantize":
            return float_formulas.bias(rows, node.channels)
        case "RequantizeLookup":
            return float_formulas.activation(rows, node.channels)
        case "AddLayerNorm" | "EmbedLayerNorm":  # bias and residual; position and token type
            return float_formulas.layer_norm(rows, node.channels, added=2)
        case "DotProductAttention":
            return float_formulas.dot_product_attention(lengths, node.channels, node.heads)
    return _operations(node, lengths)
