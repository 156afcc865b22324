"""The same operators in fp32, for the comparison with a float dot-product transformer.

Letters as in `formulas`. GELU and tanh are counted as tanh's form of GELU,
x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) with tanh(y) = 1 - 2/(exp(2y) + 1).
"""

from collections.abc import Sequence

from inhibi.eval.formulas import Counts


def matrix_product(rows: int, inputs: int, outputs: int) -> Counts:
    """[N,K] times [K,M]."""
    return _fp32({"multiply-accumulate": rows * inputs * outputs})


def bias(rows: int, channels: int) -> Counts:
    """[N,M] + [M]."""
    return _fp32({"add": rows * channels})


def activation(rows: int, channels: int) -> Counts:
    """Bias, then GELU."""
    values = rows * channels
    gelu = {"multiply": 5, "add": 3, "subtract": 1, "divide": 1, "exp": 1}
    return bias(rows, channels) + _fp32({kind: times * values for kind, times in gelu.items()})


def layer_norm(rows: int, channels: int, added: int) -> Counts:
    """`added` tensors added to the first one, then the norm with gain and bias."""
    values = rows * channels
    return _fp32(
        {
            "add": values * (added + 1) + rows,  # sum x; epsilon
            "subtract": values,
            "multiply": values + 2 * rows,
            "multiply-accumulate": 2 * values,
            "square root": rows,
            "divide": rows,
        }
    )


def dot_product_attention(lengths: Sequence[int], channels: int, heads: int) -> Counts:
    """softmax(q k / sqrt(d)) v over sentences of these lengths."""
    pairs = heads * sum(n * n for n in lengths)
    return _fp32(
        {
            "multiply-accumulate": 2 * channels * sum(n * n for n in lengths),
            "multiply": pairs,
            "compare": heads * sum(n * (n - 1) for n in lengths),
            "subtract": pairs,
            "exp": pairs,
            "add": pairs,
            "divide": pairs,
        }
    )


def _fp32(counts: dict[str, int]) -> Counts:
    return Counts({(kind, "fp32"): times for kind, times in counts.items() if times})
