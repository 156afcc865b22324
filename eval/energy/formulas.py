"""How many operations an operator takes, from its shapes alone.

A count is a Counter of (kind, number type). Kinds: add, subtract, absolute difference, compare
(clips, minima and maxima too), multiply, multiply-accumulate, shift, look-up, divide, square root,
exp. Number types: int8, int16, int32, int64 (the width of the widest operand, as docs/SPEC.md
bounds it), fp16 and fp32. The formulas follow docs/SPEC.md line by line.

Letters: N rows (tokens), K inputs, M outputs, C channels, H heads, d = C/H head width, n tokens of
one sentence. Zero points are subtracted once per value; that of Q and K cancels in a distance.
"""

from collections import Counter
from collections.abc import Sequence

Counts = Counter[tuple[str, str]]


def matrix_product(rows: int, inputs: int, outputs: int) -> Counts:
    """MatMulInteger: uint8 [N,K] minus its zero point, times int8 [K,M]."""
    return _counts(
        ("subtract", "int8", rows * inputs),
        ("multiply-accumulate", "int8", rows * inputs * outputs),
    )


def bias(rows: int, channels: int) -> Counts:
    """int32 [N,M] + int32 [M]."""
    return _counts(("add", "int32", rows * channels))


def _req(values: int) -> Counts:
    """req(acc; m, s, lo, hi): one multiplier, the rounding half, one shift, two bounds."""
    return _counts(
        ("multiply-accumulate", "int32", values),
        ("shift", "int64", values),
        ("compare", "int64", 2 * values),
    )


def requantize(rows: int, channels: int) -> Counts:
    """Requantize: bias, req, zero point."""
    values = rows * channels
    return bias(rows, channels) + _req(values) + _counts(("add", "int8", values))


def requantize_lookup(rows: int, channels: int) -> Counts:
    """RequantizeLookup: Requantize, then one table entry."""
    return requantize(rows, channels) + _counts(("look-up", "int8", rows * channels))


def _norm(rows: int, channels: int, x_type: str) -> Counts:
    """norm(x), zero point included: per row a sum, two divisions and a root, per value the rest."""
    values = rows * channels
    times_channels = "shift" if channels & (channels - 1) == 0 else "multiply"
    per_row = _counts(
        ("divide", "int64", 2),  # the variance and the reciprocal R
        ("square root", "int64", 1),
        ("add", "int64", 2),  # + 1, and half of D before it divides
        ("shift", "int32", 1),  # D div 2
    )
    per_value = _counts(
        ("add", "int32", 1),  # sum x
        (times_channels, x_type, 1),
        ("subtract", "int32", 1),
        ("multiply-accumulate", "int32", 2),  # u^2 and n*w
        ("multiply-accumulate", "int64", 1),  # u*R
        ("add", "int64", 1),
        ("shift", "int64", 2),
        ("compare", "int64", 2),
        ("add", "int8", 1),
    )
    return _times(per_row, rows) + _times(per_value, values)


def add_layer_norm(rows: int, channels: int) -> Counts:
    """AddLayerNorm: bias, req, residual times its multipliers, norm of 16-bit values."""
    values = rows * channels
    residual = _counts(("subtract", "int8", values), ("multiply-accumulate", "int8", values))
    return bias(rows, channels) + _req(values) + residual + _norm(rows, channels, "int16")


def embed_layer_norm(rows: int, channels: int) -> Counts:
    """EmbedLayerNorm: three table rows times their multipliers (below 2^10), norm."""
    values = rows * channels
    total = _counts(("multiply", "int16", values), ("multiply-accumulate", "int16", 2 * values))
    return total + _norm(rows, channels, "int32")


def inhibitor_attention(
    lengths: Sequence[int], channels: int, heads: int, centred: bool = True, signed: bool = True
) -> Counts:
    """InhibitorAttention over sentences of these lengths."""
    total: Counts = Counter()
    for n in lengths:
        pairs, values = n * n * heads, n * channels
        total += _counts(
            ("subtract", "int8", values),  # v
            ("absolute difference", "int8", n * values),
            ("add", "int32", n * values),
        )
        if centred:
            rows = n * heads
            total += _counts(
                ("add", "int32", pairs + rows),
                ("shift", "int32", rows),
                ("divide", "int32", rows),
                ("subtract", "int32", pairs),
            )
        total += _req(pairs)  # z: the same steps as a requantization
        total += _counts(
            ("subtract", "int8", n * values + (pairs if signed else 0)),  # v - clip(v), and -z
            ("compare", "int8", (2 if signed else 1) * n * values),
            ("add", "int32", n * values),
        )
        # the multipliers at this length, once per sentence
        total += _counts(("multiply-accumulate", "int32", channels), ("shift", "int64", channels))
        total += _req(values) + _counts(("add", "int8", values))
    return total


def mean_pool(lengths: Sequence[int], channels: int) -> Counts:
    """MeanPool over sentences of these lengths."""
    values = len(lengths) * channels
    return (
        _counts(
            ("add", "int32", sum(lengths) * channels),
            ("shift", "int32", values),  # times 512
            ("add", "int32", values),  # the half
            ("divide", "int32", values),
            ("subtract", "int32", values),
        )
        + _req(values)
        + _counts(("add", "int8", values))
    )


def dot_product_attention(lengths: Sequence[int], channels: int, heads: int) -> Counts:
    """DotProductAttention with softmax by a table, over sentences of these lengths."""
    total: Counts = Counter()
    for n in lengths:
        pairs, values, rows = n * n * heads, n * channels, n * heads
        total += _counts(
            ("subtract", "int8", 3 * values),
            ("multiply-accumulate", "int8", 2 * n * values),  # q*k and P*v
            ("compare", "int32", (n - 1) * rows),  # max
            ("subtract", "int32", pairs),
            ("multiply-accumulate", "int32", pairs),  # idx
            ("shift", "int64", pairs),
            ("compare", "int64", pairs),
            ("look-up", "int16", pairs),
            ("add", "int32", pairs),  # sum e
            ("shift", "int32", rows),
            ("multiply-accumulate", "int16", pairs),  # 255*e + half
            ("divide", "int32", pairs),
        )
        total += _req(values) + _counts(("add", "int8", values))
    return total


def i_bert_attention(lengths: Sequence[int], channels: int, heads: int) -> Counts:
    """Dot-product attention with I-BERT's softmax: exp by a polynomial of degree 2 and a shift.

    arXiv 2101.01321, algorithm 2, with the division by the constant ln 2 as a multiplication and a
    shift, and exp requantized to 16 bits as in the authors' code.
    """
    total: Counts = Counter()
    for n in lengths:
        pairs, values, rows = n * n * heads, n * channels, n * heads
        total += _counts(
            ("subtract", "int8", 3 * values),
            ("multiply-accumulate", "int8", 2 * n * values),  # q*k and P*v
            ("compare", "int32", (n - 1) * rows),  # max
            ("subtract", "int32", pairs),  # s - max
            ("compare", "int32", 2 * pairs),  # at least -30 ln 2; exp at least 0
            ("multiply", "int32", 2 * pairs),  # how many times ln 2; that multiple
            ("shift", "int64", pairs),
            ("add", "int32", 2 * pairs),  # plus that multiple; plus b
            ("multiply-accumulate", "int32", pairs),  # (x + b) x + c
            ("shift", "int32", pairs),  # times a power of 2
            ("add", "int32", pairs),  # sum of exp
            ("divide", "int32", rows),  # 255 * 2^24 by it
            ("multiply", "int32", pairs),
            ("shift", "int64", pairs),
        )
        total += _req(pairs) + _req(values) + _counts(("add", "int8", values))
    return total


def _counts(*items: tuple[str, str, int]) -> Counts:
    total: Counts = Counter()
    for kind, number, times in items:
        if times:
            total[kind, number] += times
    return total


def _times(counts: Counts, factor: int) -> Counts:
    return Counter({operation: times * factor for operation, times in counts.items()})
