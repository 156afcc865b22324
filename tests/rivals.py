"""What the student is compared with, in plain Python: I-BERT's softmax, and operators in floats.

As tests/oracle.py it also runs on numbers that count their operations: data meets operators, `sum`,
`max`, `abs` and the helpers at the end only, and nothing is computed twice.
"""

import math
from collections.abc import Sequence
from typing import Any

from oracle import clamp, fits

Row = Sequence[Any]
Table = Sequence[Row]

MEAN_BITS = 24  # of the softmax's normalization


def i_bert_attention(
    q: Table, k: Table, v: Table, ln2: Any, reciprocal: Any, b: Any, c: Any, m: Any, zero: int = 128
) -> list[list[Any]]:
    """One head's context [n][d], from bytes [n][d], before its requantization.

    arXiv 2101.01321, algorithm 2: exp(x) = 2^-z p(r), x = r - z ln 2, p a polynomial of degree 2.
    p(r) is 0.358 ((r + b) r + c), without its factor here. ln2 and b are in units of the scores'
    scale, c of its square. reciprocal is
    -2^24 / ln2; m / 2^24 brings p to 15 bits.
    """
    q, k, v = ([[x - zero for x in row] for row in part] for part in (q, k, v))
    context = []
    for query in q:
        s = [_dot(query, key) for key in k]
        top = max(s)
        x = [max(a - top, -30 * int(ln2)) for a in s]
        z = [fits((a * reciprocal) >> 24, 32) for a in x]
        r = [a + fits(i * ln2, 32) for a, i in zip(x, z, strict=True)]
        p = [max(fits((a + b) * a + c, 32) >> int(i), 0) for a, i in zip(r, z, strict=True)]
        e = [clamp((a * m + 2**23) >> 24, 0, 2**15 - 1) for a in p]
        factor = fits((255 << MEAN_BITS) // sum(e), 32)
        weights = [fits((a * factor) >> MEAN_BITS, 8) for a in e]
        context.append([_dot(weights, column) for column in zip(*v, strict=True)])
    return context


def softmax_attention(q: Table, k: Table, v: Table, scale: float) -> list[list[Any]]:
    """One head's softmax(scale q k) v [n][d] in floats."""
    context = []
    for query in q:
        s = [_dot(query, key) * scale for key in k]
        top = max(s)
        e = [exp(a - top) for a in s]
        total = sum(e)
        p = [a / total for a in e]
        context.append([_dot(p, column) for column in zip(*v, strict=True)])
    return context


def inhibitor(
    q: Table,
    k: Table,
    v: Table,
    gamma: float,
    alpha: Any,
    beta: Any,
    n0: Any,
    centred: bool,
    signed: bool,
) -> list[list[Any]]:
    """One head of InhibiDistilbert's attention (arXiv 2503.15983) times n0 / n, in floats. gamma is
    over sqrt(d)."""
    factor = beta * (n0 / len(k))
    context = []
    for query in q:
        s = [sum(abs(a - b) for a, b in zip(query, key, strict=True)) for key in k]
        if centred:
            mean = sum(s) / len(k)
            s = [a - mean for a in s]
        z = [relu(a * gamma + alpha) for a in s]
        if signed:
            least = [-a for a in z]
            terms = [
                [a - clamp(a, lo, hi) for a in row] for row, lo, hi in zip(v, least, z, strict=True)
            ]
        else:
            terms = [[relu(a - hi) for a in row] for row, hi in zip(v, z, strict=True)]
        context.append([sum(column) * factor for column in zip(*terms, strict=True)])
    return context


def layer_norm(added: Table, gain: Row, bias: Row, epsilon: Any) -> list[Any]:
    """The norm of the sum of these rows, in floats."""
    first, *others = added
    x = list(first)
    for row in others:
        x = [a + b for a, b in zip(x, row, strict=True)]
    part = 1 / len(x)
    mean = sum(x) * part
    u = [a - mean for a in x]
    r = 1 / sqrt(sum(a * a for a in u) * part + epsilon)
    return [fused(a * r) * g + b for a, g, b in zip(u, gain, bias, strict=True)]


def gelu(x: Any) -> Any:
    """tanh's form of GELU in floats."""
    slope = 2 * math.sqrt(2 / math.pi)
    y = (0.044715 * fused(fused(x * x) * x) + x) * slope
    return fused(x * 0.5) * (1 + (1 - 2 / (exp(y) + 1)))


def _dot(a: Row, b: Row) -> Any:
    return sum(x * y for x, y in zip(a, b, strict=True))


def exp(x: float) -> float:
    return math.exp(x)


def sqrt(x: float) -> float:
    return math.sqrt(x)


def relu(x: float) -> float:
    return max(x, 0.0)


def fused(x: float) -> float:
    """A product that is not part of a multiply-accumulate."""
    return x
