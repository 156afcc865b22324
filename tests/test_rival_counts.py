"""The formulas of what the student is compared with, against operations really executed."""

from collections import Counter
from typing import Any
from unittest.mock import patch

import counting
import counting_floats
import numpy as np
import pytest
import rivals
import torch
from torch.nn import functional as F

from inhibi.eval.energy import float_formulas, formulas

RNG = np.random.default_rng(11)
SHAPES = ((1, 4), (5, 8), (9, 3))  # tokens, head width
FLAGS = [(centred, signed) for centred in (True, False) for signed in (True, False)]


def real(*shape: int) -> Any:
    return RNG.normal(size=shape).tolist()


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_softmax_attention(n: int, d: int) -> None:
    q, k, v = (real(n, d) for _ in range(3))
    kinds, made = counting_floats.execute(rivals.softmax_attention, q, k, v, scale=d**-0.5)
    assert kinds == float_formulas.dot_product_attention([n], d, 1)
    expected = F.scaled_dot_product_attention(*(torch.tensor(x)[None] for x in (q, k, v)))[0]
    assert np.allclose(made, expected, atol=1e-6)


@pytest.mark.parametrize(("centred", "signed"), FLAGS)
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_inhibitor(n: int, d: int, centred: bool, signed: bool) -> None:
    q, k, v = (real(n, d) for _ in range(3))
    gamma, alpha, beta, n0 = 0.4, 0.3, 0.7, 16.0
    flags = {"centred": centred, "signed": signed}
    kinds, made = counting_floats.execute(
        rivals.inhibitor, q, k, v, gamma=gamma, alpha=alpha, beta=beta, n0=n0, **flags
    )
    counted = Counter(kinds)
    counted.update({"multiply": 1, "divide": 1})  # beta n0 / n, of plain numbers here
    assert counted == float_formulas.inhibitor_attention([n], d, 1, centred, signed)
    s = np.abs(np.array(q)[:, None] - np.array(k)).sum(-1)
    z = np.maximum(gamma * (s - s.mean(1, keepdims=True) * centred) + alpha, 0)[:, :, None]
    values = np.array(v)[None]
    terms = values - np.clip(values, -z, z) if signed else np.maximum(values - z, 0)
    assert np.allclose(made, beta * n0 / n * terms.sum(1))


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
    kinds, _ = counting_floats.execute(
        lambda a, b: [[rivals._dot(row, column) for column in zip(*b, strict=True)] for row in a],
        a, b,
    )  # fmt: skip
    assert kinds == float_formulas.matrix_product(4, 5, 3)
    kinds, _ = counting_floats.execute(lambda x, y: [x + y], 1.0, 2.0)
    assert kinds == float_formulas.bias(1, 1)


@pytest.mark.parametrize("lengths", [(2,), (3, 5), (1,)])
@pytest.mark.parametrize(("heads", "d"), [(1, 8), (3, 16)])
def test_i_bert_attention(lengths: tuple[int, ...], heads: int, d: int) -> None:
    """Counts, and a context close to that of the real softmax."""
    tally: counting.Tally = Counter()
    scale = 40 / (64 * 64 * d)
    ln2, b = round(np.log(2) / scale), round(1.353 / scale)
    c = round(0.344 / 0.3585 / scale**2)
    constants = [ln2, -round(2**16 / ln2), b, c, round(2**24 * (2**15 - 1) / (c + 1))]
    for n in lengths:
        for _ in range(heads):
            parts = [RNG.integers(64, 192, (n, d)) for _ in range(3)]
            counted = [counting.counted(x.tolist(), 8, tally) for x in parts]
            wide = [counting.counted(x, 32, tally) for x in constants]
            helpers = {"clamp": counting.clamp, "fits": counting.fits}
            with patch.multiple(rivals, **helpers):
                made = rivals.i_bert_attention(*counted, *wide)
            q, k, v = (torch.tensor(x - 128.0) for x in parts)
            expected = (q @ k.T * scale).softmax(-1) @ v
            assert np.abs(np.array(made, float) / 255 - expected.numpy()).max() < 2
    rest = formulas._req(sum(lengths) * heads * d)
    rest["add", "int8"] += sum(lengths) * heads * d
    assert tally + rest == formulas.i_bert_attention(lengths, heads * d, heads)
