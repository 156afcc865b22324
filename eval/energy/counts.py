"""Operations and bytes of every node of a student file, for sentences of given lengths.

The file is counted as any of `variants`: with its own attention or another, in its integers or as
the same transformer in floats.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inhibi.engine.errors import InputError
from inhibi.eval.energy import float_formulas, formulas
from inhibi.eval.energy.formulas import Counts
from inhibi.eval.energy.graph import DOT_PRODUCT, I_BERT, INHIBITOR, MOVING, Graph, Node
from inhibi.eval.energy.traffic import Transfer, float_stored, float_traffic, stored, traffic
from inhibi.eval.energy.variants import FLOAT_BYTES, Variant

# Of input 7, which differs: shape and bytes of an element.
EXPONENTIALS = ((256,), 2)  # softmax's table
CONSTANTS = ((4,), 4)  # I-BERT's: 1 / ln 2 and the requantization of exp, each with its shift
SHARED = ((0,), 2)  # softmax's table behind the first layer: it is the same for all


@dataclass(frozen=True)
class NodeCount:
    """What one node executes, by (kind, number type), what it moves, and the bytes of parameters
    that the model stores for it."""

    node: Node
    operations: Counts
    traffic: Sequence[Transfer]
    stored: int


def count(graph: Graph, variant: Variant, lengths: Sequence[int]) -> list[NodeCount]:
    """Counts of each node for sentences of these lengths, in tokens."""
    first = next((node.name for node in graph.nodes if node.core), "")
    nodes = [
        _with_attention(node, graph, variant.attention, node.name == first) for node in graph.nodes
    ]
    if variant.integer:
        return [
            NodeCount(n, _operations(n, lengths), traffic(n, lengths), stored(n)) for n in nodes
        ]
    width = FLOAT_BYTES[variant.number]
    return [
        NodeCount(
            node,
            _float_operations(node, lengths, variant.number),
            float_traffic(node, lengths, width),
            float_stored(node, width),
        )
        for node in nodes
    ]


def operations(counts: Sequence[NodeCount]) -> Counts:
    """Operations of all these nodes."""
    return sum((count.operations for count in counts), Counter())


def moved(counts: Sequence[NodeCount]) -> Counter[tuple[str, str]]:
    """Bytes of all these nodes, by what is read or written."""
    total: Counter[tuple[str, str]] = Counter()
    for count in counts:
        for transfer in count.traffic:
            total[transfer.what, transfer.direction] += transfer.size
    return total


def _with_attention(node: Node, graph: Graph, operator: str, first: bool) -> Node:
    """The node; if it is attention, with this operator of the same bits, heads and widths."""
    if not node.core:
        return node
    metadata = graph.metadata
    shape, size = {
        INHIBITOR: ((metadata.max_tokens + 1,), 4),
        DOT_PRODUCT: EXPONENTIALS if first else SHARED,
        I_BERT: CONSTANTS,
    }[operator]
    return replace(
        node,
        operator=operator,
        attributes={"centred": metadata.centred, "signed": metadata.signed} | node.attributes,
        shapes=node.shapes | {7: shape},
        item_sizes=node.item_sizes | {7: size},
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
            return formulas.inhibitor_attention(lengths, node.channels, node.heads, *_flags(node))
        case "DotProductAttention":
            return formulas.dot_product_attention(lengths, node.channels, node.heads)
        case "MeanPool":
            return formulas.mean_pool(lengths, node.channels)
        case "IBertAttention":
            return formulas.i_bert_attention(lengths, node.channels, node.heads)
    _check_moving(node)
    return Counter()


def _float_operations(node: Node, lengths: Sequence[int], number: str) -> Counts:
    kinds = _float_kinds(node, lengths)
    return Counter({(kind, number): times for kind, times in kinds.items()})


def _float_kinds(node: Node, lengths: Sequence[int]) -> float_formulas.Kinds:
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
        case "InhibitorAttention":
            flags = _flags(node)
            return float_formulas.inhibitor_attention(lengths, node.channels, node.heads, *flags)
        case "DotProductAttention":
            return float_formulas.dot_product_attention(lengths, node.channels, node.heads)
        case "MeanPool":
            return float_formulas.mean_pool(lengths, node.channels)
    _check_moving(node)
    return Counter()


def _flags(node: Node) -> tuple[bool, bool]:
    return bool(node.attributes["centred"]), bool(node.attributes["signed"])


def _check_moving(node: Node) -> None:
    """`InputError` where the operator is another than those without arithmetic."""
    if node.operator not in MOVING:
        raise InputError(f"the operations of {node.operator} ({node.name}) are not known")
