"""The formulas of what the student is compared with, against operations really executed."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import counting
import counting_floats
import numpy as np
import pytest
import rivals
import torch
from tiny import tiny_student
from torch.nn import functional as F

from inhibi.eval.energy import counts, float_formulas, formulas
from inhibi.eval.energy.counts import NodeCount
from inhibi.eval.energy.graph import MOVING, Graph, Node, read
from inhibi.eval.energy.variants import (
    FP16_DOT_PRODUCT,
    FP32_DOT_PRODUCT,
    FP32_INHIBITOR,
    INTEGER_DOT_PRODUCT,
    INTEGER_I_BERT,
    Variant,
)
from inhibi.export.graph import build, write

RNG = np.random.default_rng(11)
SHAPES = (([1], 1, 4), ([5, 2], 2, 8), ([9, 1, 3], 3, 3))  # tokens of sentences, heads, head width
FLAGS = [(centred, signed) for centred in (True, False) for signed in (True, False)]


def real(*shape: int) -> Any:
    return RNG.normal(size=shape).tolist()


@pytest.mark.parametrize(("lengths", "heads", "d"), SHAPES)
def test_softmax_attention(lengths: list[int], heads: int, d: int) -> None:
    total: counting_floats.Kinds = Counter()
    for n in [n for n in lengths for _ in range(heads)]:
        q, k, v = (real(n, d) for _ in range(3))
        kinds, made = counting_floats.execute(rivals.softmax_attention, q, k, v, scale=d**-0.5)
        total += kinds
        expected = F.scaled_dot_product_attention(*(torch.tensor(x)[None] for x in (q, k, v)))[0]
        assert np.allclose(made, expected, atol=1e-6)
    assert total == float_formulas.dot_product_attention(lengths, heads * d, heads)


@pytest.mark.parametrize(("centred", "signed"), FLAGS)
@pytest.mark.parametrize(("lengths", "heads", "d"), SHAPES)
def test_inhibitor(lengths: list[int], heads: int, d: int, centred: bool, signed: bool) -> None:
    gamma, alpha, beta, n0 = 0.4, 0.3, 0.7, 16.0
    total = executed_inhibitor(lengths, heads, d, centred, signed)
    assert total == float_formulas.inhibitor_attention(lengths, heads * d, heads, centred, signed)
    n = lengths[0]
    q, k, v = (real(n, d) for _ in range(3))
    made = rivals.inhibitor(q, k, v, gamma, alpha, beta, n0, centred, signed)
    s = np.abs(np.array(q)[:, None] - np.array(k)).sum(-1)
    z = np.maximum(gamma * (s - s.mean(1, keepdims=True) * centred) + alpha, 0)[:, :, None]
    values = np.array(v)[None]
    terms = values - np.clip(values, -z, z) if signed else np.maximum(values - z, 0)
    assert np.allclose(made, beta * n0 / n * terms.sum(1))


def executed_inhibitor(
    lengths: list[int], heads: int, d: int, centred: bool, signed: bool
) -> counting_floats.Kinds:
    total: counting_floats.Kinds = Counter()
    scalars = {"gamma": 0.4, "alpha": 0.3, "beta": 0.7, "n0": 16.0}
    for n in lengths:
        # Plain numbers to rivals.inhibitor: n0 / n of each sentence, times beta of each head.
        total += Counter({"divide": 1, "multiply": heads})
        for _ in range(heads):
            parts = (real(n, d) for _ in range(3))
            flags: dict[str, Any] = {"centred": centred, "signed": signed, **scalars}
            total += counting_floats.execute(rivals.inhibitor, *parts, **flags)[0]
    return total


@pytest.mark.parametrize("channels", [1, 6])
def test_layer_norm(channels: int) -> None:
    added, gain, bias = real(3, channels), real(channels), real(channels)
    kinds, made = counting_floats.execute(rivals.layer_norm, added, gain, bias, epsilon=1e-5)
    assert kinds == float_formulas.layer_norm(1, channels, added=2)
    x = torch.tensor(added).sum(0)
    expected = F.layer_norm(x, (channels,), torch.tensor(gain), torch.tensor(bias))
    assert np.allclose(made, expected, atol=1e-5)


def test_gelu() -> None:
    kinds, made = counting_floats.execute(lambda x, b: rivals.gelu(x + b), 1.3, 0.4)
    assert kinds == float_formulas.activation(1, 1)
    assert made == pytest.approx(float(F.gelu(torch.tensor(1.7), approximate="tanh")), abs=1e-6)


def test_products_and_biases() -> None:
    a, b = real(4, 5), real(5, 3)
    kinds, _ = counting_floats.execute(product, a, b)
    assert kinds == float_formulas.matrix_product(4, 5, 3)
    kinds, _ = counting_floats.execute(lambda x, y: [x + y], 1.0, 2.0)
    assert kinds == float_formulas.bias(1, 1)


@pytest.mark.parametrize("lengths", [(2,), (3, 5), (1,)])
@pytest.mark.parametrize(("heads", "d"), [(1, 8), (3, 16)])
def test_i_bert_attention(lengths: tuple[int, ...], heads: int, d: int) -> None:
    assert executed_i_bert(lengths, heads, d) == formulas.i_bert_attention(
        lengths, heads * d, heads
    )


def executed_i_bert(lengths: Sequence[int], heads: int, d: int) -> counting.Tally:
    """Counts, of a context that is close to that of the real softmax."""
    tally: counting.Tally = Counter()
    scale = 40 / (64 * 64 * d)
    ln2, b = round(np.log(2) / scale), round(0.96963238 / 0.35815147 / scale)
    c = round(1 / 0.35815147 / scale**2)
    constants = [ln2, -round(2**24 / ln2), b, c, round(2**24 * (2**15 - 1) / (c + 1))]
    for n in [n for n in lengths for _ in range(heads)]:
        parts = [RNG.integers(64, 192, (n, d)) for _ in range(3)]
        counted = [counting.counted(x.tolist(), 8, tally) for x in parts]
        wide = [counting.counted(x, 32, tally) for x in constants]
        with patch.multiple(rivals, clamp=counting.clamp, fits=counting.fits):
            made = rivals.i_bert_attention(*counted, *wide)
        q, k, v = (torch.tensor(x - 128.0) for x in parts)
        expected = (q @ k.T * scale).softmax(-1) @ v
        # Each weight is floored to a 255th; the polynomial is within 0.002.
        error = np.abs(np.array(made, float) / 255 - expected.numpy()).max()
        assert error < 64 * (n / 255 + 0.004)
    rest = formulas._req(sum(lengths) * heads * d)
    rest["add", "int8"] += sum(lengths) * heads * d
    return tally + rest


@pytest.mark.parametrize("variant", [FP16_DOT_PRODUCT, FP32_DOT_PRODUCT, FP32_INHIBITOR])
def test_every_node_in_floats_is_counted_as_it_is_executed(
    variant: Variant, tmp_path: Path
) -> None:
    graph = small(tmp_path)
    for found in counts.count(graph, variant, [5]):
        kinds = executed(found.node)
        expected = Counter({(kind, variant.number): n for kind, n in kinds.items()})
        assert found.operations == expected, found.node.name


def test_every_node_with_polynomial_softmax_is_counted_as_it_is_executed(tmp_path: Path) -> None:
    graph = small(tmp_path)
    others = counts.count(graph, INTEGER_DOT_PRODUCT, [5])
    for found, other in zip(counts.count(graph, INTEGER_I_BERT, [5]), others, strict=True):
        expected = executed_i_bert([5], 3, 8) if found.node.core else other.operations
        assert found.operations == expected, found.node.name


def small(folder: Path) -> Graph:
    path = folder / "student.onnx"
    write(build(tiny_student(layers=1, hidden=24, heads=3)), path)
    return read(path)


def executed(node: Node) -> counting_floats.Kinds:
    """What a node's operator executes in floats, for a sentence of 5 tokens."""
    rows, execute = node.rows([5]), counting_floats.execute
    match node.operator:
        case "MatMulInteger":
            inputs, outputs = node.shapes[1]
            return execute(product, real(rows, inputs), real(inputs, outputs))[0]
        case "Requantize" | "Add":
            return execute(lambda x, y: [a + b for a, b in zip(x, y, strict=True)],
                           *(real(rows * node.channels) for _ in range(2)))[0]  # fmt: skip
        case "RequantizeLookup":
            values = (real(rows * node.channels) for _ in range(2))
            return execute(
                lambda x, y: [rivals.gelu(a + b) for a, b in zip(x, y, strict=True)], *values
            )[0]
        case "AddLayerNorm" | "EmbedLayerNorm":
            inputs = (real(3, node.channels), real(node.channels), real(node.channels))
            kinds = execute(rivals.layer_norm, *inputs, epsilon=1e-5)[0]
            return Counter({kind: rows * n for kind, n in kinds.items()})
        case "InhibitorAttention":
            return executed_inhibitor([5], 3, 8, True, True)
        case "DotProductAttention":
            parts = [real(5, 8) for _ in range(3)]
            kinds = execute(rivals.softmax_attention, *parts, scale=0.3)[0]
            return Counter({kind: 3 * n for kind, n in kinds.items()})
    assert node.operator in MOVING
    return Counter()


def product(a: Any, b: Any) -> Any:
    return [[rivals._dot(row, column) for column in zip(*b, strict=True)] for row in a]


def test_bytes_in_floats_are_those_of_the_shapes(tmp_path: Path) -> None:
    """5 tokens, 24 channels, 3 heads; 2 and 4 bytes a number."""
    for variant, size in ((FP16_DOT_PRODUCT, 2), (FP32_DOT_PRODUCT, 4)):
        found = {c.node.name: c for c in counts.count(small(tmp_path), variant, [5])}

        def moved(name: str, of: dict[str, NodeCount] = found) -> dict[tuple[str, str], int]:
            return dict(counts.moved([of[name]]))

        assert moved("layer.0.qkv.product") == {
            ("weights", "read"): 24 * 72 * size,
            ("activations", "read"): 5 * 24 * size,
            ("accumulators", "written"): 5 * 72 * size,
        }
        assert moved("layer.0.output")["weights", "read"] == 3 * 24 * size  # bias, gain, bias
        assert moved("layer.0.qkv")["weights", "read"] == 72 * size
        assert moved("layer.0.attention")["weights", "read"] == 0
        assert moved("layer.0.attention")["accumulators", "read"] == 3 * 5 * 5 * size
        # Three rows for each token, gain and bias; ids have 8 bytes each.
        assert moved("embeddings")["weights", "read"] == (3 * 5 + 2) * 24 * size
        assert moved("embeddings")["activations", "read"] == 3 * 5 * 8
        tables = sum(found["embeddings"].node.sizes[i] for i in (3, 4, 5))
        assert found["embeddings"].stored == (tables + 2 * 24) * size
