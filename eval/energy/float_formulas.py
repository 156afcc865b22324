"""The same operators in floats, for the comparison with float transformers.

Letters as in `formulas`. GELU and tanh are counted as tanh's form of GELU,
x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) with tanh(y) = 1 - 2/(exp(2y) + 1). Counts are by kind
alone: the number type (fp16 or fp32) is one for all.
"""

from collections import Counter
from collections.abc import Sequence

Kinds = Counter[str]


def matrix_product(rows: int, inputs: int, outputs: int) -> Kinds:
    """[N,K] times [K,M]."""
    return _kinds({"multiply-accumulate": rows * inputs * outputs})


def bias(rows: int, channels: int) -> Kinds:
    """[N,M] + [M]."""
    return _kinds({"add": rows * channels})


def activation(rows: int, channels: int) -> Kinds:
    """Bias, then GELU."""
    values = rows * channels
    gelu = {"multiply": 5, "add": 2, "multiply-accumulate": 1, "subtract": 1, "divide": 1, "exp": 1}
    return bias(rows, channels) + _kinds({kind: times * values for kind, times in gelu.items()})


def layer_norm(rows: int, channels: int, added: int) -> Kinds:
    """`added` tensors added to the first one, then the norm with gain and bias."""
    values = rows * channels
    return _kinds(
        {
            "add": values * (added + 1),  # the last one: sum x
            "subtract": values,
            "multiply": values + rows,  # by 1 / deviation; the mean by 1 / C
            "multiply-accumulate": 2 * values + rows,  # squares; gain and bias; by 1 / C, + epsilon
            "square root": rows,
            "divide": rows,
        }
    )


def mean_pool(lengths: Sequence[int], channels: int) -> Kinds:
    """The mean over each sentence's tokens."""
    return _kinds({"add": sum(lengths) * channels, "divide": len(lengths) * channels})


def dot_product_attention(lengths: Sequence[int], channels: int, heads: int) -> Kinds:
    """softmax(q k / sqrt(d)) v over sentences of these lengths."""
    pairs = heads * sum(n * n for n in lengths)
    return _kinds(
        {
            "multiply-accumulate": 2 * channels * sum(n * n for n in lengths),
            "multiply": pairs,  # by 1 / sqrt(d)
            "compare": heads * sum(n * (n - 1) for n in lengths),
            "subtract": pairs,
            "exp": pairs,
            "add": pairs,
            "divide": pairs,
        }
    )


def inhibitor_attention(
    lengths: Sequence[int], channels: int, heads: int, centred: bool = True, signed: bool = True
) -> Kinds:
    """InhibiDistilbert's attention (arXiv 2503.15983) times n0 / n, over sentences of these
    lengths."""
    squares = sum(n * n for n in lengths)
    pairs, tokens = heads * squares, sum(lengths)
    mean = {"add": pairs, "divide": heads * tokens, "subtract": pairs} if centred else {}
    return _kinds(
        {
            "absolute difference": channels * squares,
            "add": 2 * channels * squares,  # sums of distances; of inhibited values
            "multiply-accumulate": pairs,  # gamma / sqrt(d) S + alpha
            "compare": pairs + (2 if signed else 1) * channels * squares,
            # v - clip(v, -z, z), and -z; unsigned max(v - z, 0)
            "subtract": channels * squares + (pairs if signed else 0),
            "multiply": channels * tokens + heads * len(lengths),  # by beta n0 / n
            "divide": len(lengths),
        }
    ) + _kinds(mean)


def _kinds(counts: dict[str, int]) -> Kinds:
    return Counter({kind: times for kind, times in counts.items() if times})
