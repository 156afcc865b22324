"""Bytes that a node moves, by (weights, activations or accumulators; read or written).

The model: what a node must at least move. Each operand is read once, each result written once, all
inside a node stays in registers, except each query's row of n scores (4 bytes each), which is
written and read once because both kinds of attention need the whole row before its first weight.
"""

from collections import Counter
from collections.abc import Sequence

from inhibi.eval.formulas import Counts
from inhibi.eval.graph import INHIBITOR, MOVING, Node

ID, WORD = 8, 4  # bytes of a token id; of an accumulator or an fp32 number


def traffic(node: Node, lengths: Sequence[int]) -> Counts:
    """Bytes of the integer file: uint8 activations, int8 weights, int32 accumulators."""
    parameters = sum(node.sizes.values())
    if node.operator == "MatMulInteger":
        parameters = node.sizes[1]
    elif node.operator == "EmbedLayerNorm":  # rows of the three tables, not the tables
        parameters += 3 * node.rows(lengths) * node.channels - sum(node.sizes[i] for i in (3, 4, 5))
    elif node.operator == INHIBITOR:  # one entry of the length table for each sentence
        parameters += len(lengths) * WORD - node.sizes[7]
    return _traffic(node, lengths, parameters, 1)


def float_traffic(node: Node, lengths: Sequence[int]) -> Counts:
    """The same tensors in fp32; scales, shifts and tables do not exist there."""
    vectors = {"AddLayerNorm": 3, "EmbedLayerNorm": 2, "DotProductAttention": 0}
    if node.operator == "MatMulInteger":
        parameters = node.sizes[1] * WORD
    elif node.operator in MOVING:
        parameters = 0
    else:
        parameters = vectors.get(node.operator, 1) * node.channels * WORD
    if node.operator == "EmbedLayerNorm":
        parameters += 3 * node.rows(lengths) * node.channels * WORD
    return _traffic(node, lengths, parameters, WORD)


def _traffic(node: Node, lengths: Sequence[int], parameters: int, width: int) -> Counts:
    """`parameters` bytes of weights and, with `width` bytes a value, what flows through a node."""
    rows = node.rows(lengths)
    if node.operator in MOVING:  # the few rows are counted where they are read
        return Counter()
    if node.operator == "MatMulInteger":
        inputs, outputs = node.shapes[1]
        return _moved(parameters, rows * inputs * width, 0, 0, rows * outputs * WORD)
    values = rows * node.channels
    match node.operator:
        case "Add":
            return _moved(parameters, 0, 0, values * WORD, values * WORD)
        case "EmbedLayerNorm":
            return _moved(parameters, 3 * rows * ID, values * width, 0, 0)
        case "InhibitorAttention" | "DotProductAttention":
            scores = node.heads * sum(n * n for n in lengths) * WORD
            return _moved(parameters, 3 * values * width, values * width, scores, scores)
    residual = values * width * (node.operator == "AddLayerNorm")
    return _moved(parameters, residual, values * width, values * WORD, 0)


def _moved(
    weights: int, activations_in: int, activations_out: int, accumulators_in: int, accumulators: int
) -> Counts:
    moved = {
        ("weights", "read"): weights,
        ("activations", "read"): activations_in,
        ("activations", "written"): activations_out,
        ("accumulators", "read"): accumulators_in,
        ("accumulators", "written"): accumulators,
    }
    return Counter({what: size for what, size in moved.items() if size})
