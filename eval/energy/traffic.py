"""Bytes that a node moves: weights, activations and accumulators, read or written.

The model: each operand of a node is read once, each result written once, all inside a node stays in
registers, keys and values of a sentence among it. Only each query's row of n scores is written and
read once where all of it is needed before the first weight: for softmax's maximum and sum, and for
centring. Of embedding tables only the sentence's rows are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inhibi.eval.energy.graph import INHIBITOR, MEAN, MOVING, Node

ID, WORD = 8, 4  # bytes of a token id; of an accumulator

# Vectors of parameters of a float operator: bias, gain and bias of a norm; else a bias alone.
FLOAT_VECTORS = {"AddLayerNorm": 3, "EmbedLayerNorm": 2, MEAN: 0}


@dataclass(frozen=True)
class Transfer:
    """`size` bytes that are moved, and how many of them (`held`) a memory has to keep at once."""

    what: str  # weights, activations or accumulators
    direction: str  # read or written
    size: int
    held: int


def traffic(node: Node, lengths: Sequence[int]) -> list[Transfer]:
    """Of the integer file: uint8 activations, int8 weights, int32 accumulators."""
    parameters = stored(node)
    if node.operator == "EmbedLayerNorm":  # rows of the three tables, not the tables
        parameters += 3 * node.rows(lengths) * node.channels
        parameters -= sum(node.sizes[i] for i in (3, 4, 5))
    elif node.operator == INHIBITOR:  # one entry of the length table for each sentence
        parameters += len(lengths) * WORD - node.sizes[7]
    return _traffic(node, lengths, parameters, 1, WORD)


def float_traffic(node: Node, lengths: Sequence[int], width: int) -> list[Transfer]:
    """The same tensors as floats of `width` bytes; scales, shifts and tables do not exist there."""
    parameters = float_stored(node, width)
    if node.operator == "EmbedLayerNorm":
        tables = sum(node.sizes[i] for i in (3, 4, 5))
        parameters += (3 * node.rows(lengths) * node.channels - tables) * width
    return _traffic(node, lengths, parameters, width, width)


def stored(node: Node) -> int:
    """Bytes of a node's parameters in the integer file."""
    if node.operator == "MatMulInteger":
        return node.sizes[1]
    return 0 if node.operator in MOVING else sum(node.sizes.values())


def float_stored(node: Node, width: int) -> int:
    """The same as floats of `width` bytes."""
    if node.operator == "MatMulInteger":
        return node.sizes[1] * width
    if node.operator in MOVING:
        return 0
    tables = sum(node.sizes[i] for i in (3, 4, 5)) if node.operator == "EmbedLayerNorm" else 0
    vectors = 0 if node.core else FLOAT_VECTORS.get(node.operator, 1)
    return (vectors * node.channels + tables) * width


def _traffic(
    node: Node, lengths: Sequence[int], parameters: int, width: int, word: int
) -> list[Transfer]:
    """`parameters` bytes of weights; `width` bytes a value, `word` bytes an accumulator."""
    if node.operator in MOVING:  # the few rows are counted where they are read
        return []
    rows = node.rows(lengths)
    moved = [_whole("weights", "read", parameters)]
    if node.operator == "MatMulInteger":
        inputs, outputs = node.shapes[1]
        moved += [
            _whole("activations", "read", rows * inputs * width),
            _whole("accumulators", "written", rows * outputs * word),
        ]
        return moved
    values = rows * node.channels
    if node.core:
        moved += [
            _whole("activations", "read", 3 * values * width),
            _whole("activations", "written", values * width),
        ]
        return moved + (_scores(node, lengths, word) if _needs_rows(node) else [])
    if node.operator == MEAN:
        moved.append(_whole("activations", "read", sum(lengths) * node.channels * width))
    elif node.operator == "EmbedLayerNorm":
        moved.append(_whole("activations", "read", 3 * rows * ID))
    else:
        moved.append(_whole("accumulators", "read", values * word))
    if node.operator == "AddLayerNorm":
        moved.append(_whole("activations", "read", values * width))
    if node.operator == "Add":
        moved.append(_whole("accumulators", "written", values * word))
    else:
        moved.append(_whole("activations", "written", values * width))
    return moved


def _needs_rows(node: Node) -> bool:
    """Whether attention needs all scores of a query before its first weight."""
    return node.operator != INHIBITOR or bool(node.attributes["centred"])


def _scores(node: Node, lengths: Sequence[int], word: int) -> list[Transfer]:
    size = node.heads * sum(n * n for n in lengths) * word
    row = max(lengths) * word
    return [Transfer("accumulators", way, size, row) for way in ("written", "read")]


def _whole(what: str, direction: str, size: int) -> Transfer:
    """A tensor that is kept as a whole."""
    return Transfer(what, direction, size, size)
