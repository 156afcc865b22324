"""Proofs that no accumulator of a student can overflow, whatever the input.

Activations are values in [-127, 127], so a channel's product is at most 127 * sum |w|. What is
proven goes into the file, by the name of the node that adds the bias or sums; what does not hold
is refused. docs/SPEC.md gives the limits. All arithmetic is in Python's or 64-bit integers.
"""

from math import isqrt

import numpy as np

from inhibi.engine.errors import InputError
from inhibi.export.integers import (
    Classifier,
    DotProductAttention,
    Embeddings,
    FirstToken,
    InhibitorAttention,
    IntegerStudent,
    Linear,
    LookupLinear,
    MeanPool,
    Norm,
    NormLinear,
    RequantizedLinear,
)

VALUE = 127  # the largest absolute activation, table entry and weight
ACCUMULATOR = 2**28 - 1
EXACT = 2**53 - 1  # up to here int64 and doubles give the same bits
RESIDUAL = 64  # the largest multiplier of a residual: |x| <= 2^15 - 1 + 128*64 < 2^16
EXP_SUM = 4096  # keys whose uint16 exponentials sum below 2^28


def prove(student: IntegerStudent) -> dict[str, int]:
    """Node name to the proven bound of its absolute accumulator; `InputError` where one fails.

    `X.norm` is the layer norm inside node X; `X.scores` and `X` are attention's two sides before
    their shifts, and every one counts the rounding term.
    """
    d = student.hidden // student.heads
    _limit("layer norm's channels", student.hidden, 1024)
    _limit("attention's head width", d, 128)
    bounds = _embeddings("embeddings", student.embeddings)
    for i, layer in enumerate(student.layers):
        name = f"layer.{i}."
        bounds |= _linear(name + "qkv", layer.qkv)
        bounds |= _attention(name + "attention", layer.attention, d, student.max_tokens)
        bounds |= _linear(name + "attention_output", layer.attention_output)
        bounds |= _linear(name + "intermediate", layer.intermediate)
        bounds |= _linear(name + "output", layer.output)
    return bounds | _head(student.head)


def _head(head: Classifier | MeanPool | FirstToken) -> dict[str, int]:
    """A mean's 256th parts lie below 2^15: its requantization needs no more than its ranges."""
    if isinstance(head, Classifier):
        return _linear("pooler", head.pooler) | _linear("logits", head.classifier)
    if isinstance(head, MeanPool):
        _multipliers("vector", head.multiplier, head.shift)
        return {"vector": 256 * VALUE}
    return {}


def _linear(name: str, linear: Linear) -> dict[str, int]:
    """|acc + bias| < 2^28, so that with |m| < 2^24 its requantization stays below 2^53."""
    weight = np.abs(linear.weight.astype(np.int64))
    _limit(f"{name}'s weight", weight.max(), VALUE)
    per_channel = VALUE * weight.sum(axis=0) + np.abs(linear.bias.astype(np.int64))
    channel = int(per_channel.argmax())
    bound = _limit(f"{name}'s accumulator in channel {channel}", per_channel.max(), ACCUMULATOR)
    bounds = {name: bound}
    if isinstance(linear, RequantizedLinear):
        _multipliers(name, linear.multiplier, linear.shift)
    if isinstance(linear, LookupLinear):
        _within(f"{name}'s table", linear.table, 1, 255)  # 0 would be the value -128
        _within(f"{name}'s table_index", linear.table_index, 0, len(linear.table) - 1)
    if isinstance(linear, NormLinear):
        _within(f"{name}'s residual_multiplier", linear.residual_multiplier, 1, RESIDUAL)
        bounds |= _norm(name, linear.norm)
    return bounds


def _embeddings(name: str, embeddings: Embeddings) -> dict[str, int]:
    for table in ("word", "position", "token_type"):
        _within(f"{name}: {table}", getattr(embeddings, table), -VALUE, VALUE)
    _within(f"{name}: table_multiplier", embeddings.table_multiplier, 0, 2**16)
    total = int(embeddings.table_multiplier.astype(np.int64).sum(axis=0).max())
    bounds = {name: _limit(f"{name}'s sum", VALUE * total, 2**16 - 1)}
    return bounds | _norm(name, embeddings.norm)


def _norm(name: str, norm: Norm) -> dict[str, int]:
    """|n*w + b| + 2^(t-1) < 2^53.

    The squares of u sum to less than C*v < C*(D+1)^2, so |u| < sqrt(C)*(D+1) and, R being at most
    2^44/D + 1/2, |n| < sqrt(C) * 2^20 * (D+1)/D + |u|/2^25 + 1. Either all x are equal and u = 0,
    or the squares sum to at least C*(C-1), v >= C and D >= isqrt(C). |u| <= 2C * 2^16 <= 2^27.
    """
    channels = len(norm.weight)
    _within(f"{name}'s norm weight", norm.weight, 1 - 2**24, 2**24 - 1)
    _within(f"{name}'s norm_bias", norm.norm_bias, 1 - 2**51, 2**51 - 1)
    _within(f"{name}'s norm_shift", norm.norm_shift, 1, 46)
    d = isqrt(channels)
    largest = (isqrt(channels << 40) + 1) * (d + 1) // d + 1 + 4 + 1
    weight = np.abs(norm.weight.astype(np.int64))
    half = np.int64(1) << (norm.norm_shift.astype(np.int64) - 1)
    bound = (largest * weight + np.abs(norm.norm_bias) + half).max()
    return {name + ".norm": _limit(f"{name}'s norm", bound, EXACT)}


def _attention(
    name: str, attention: InhibitorAttention | DotProductAttention, d: int, max_tokens: int
) -> dict[str, int]:
    _multipliers(name, attention.multiplier, attention.shift)
    _within(f"{name}'s score_multiplier", attention.score_multiplier, 1 - 2**16, 2**16 - 1)
    _within(f"{name}'s score_offset", attention.score_offset, 1 - 2**30, 2**30 - 1)
    _within(f"{name}'s score_shift", attention.score_shift, 1, 30)
    if isinstance(attention, InhibitorAttention):
        distance = 2 * VALUE * d  # S and its mean are both in [0, 254*d]
        values = _inhibitor_values(attention, max_tokens)
    else:
        _within(f"{name}'s score_multiplier", attention.score_multiplier, 0, 2**16 - 1)
        _limit(f"{name}'s tokens", max_tokens, EXP_SUM)
        distance = 2 * VALUE * VALUE * d
        values = _dot_product_values(attention, max_tokens)
    multiplier = np.abs(attention.score_multiplier.astype(np.int64))
    scores = (distance * multiplier + np.abs(attention.score_offset.astype(np.int64))).max()
    # int32 lanes hold the inhibitor's scores where a head has at most 64 channels.
    narrow = isinstance(attention, InhibitorAttention) and d <= 64
    return {
        name + ".scores": _limit(f"{name}'s scores", scores, 2**31 - 1 if narrow else EXACT),
        name: _limit(f"{name}'s sum over {max_tokens} tokens", values, EXACT),
    }


def _inhibitor_values(attention: InhibitorAttention, max_tokens: int) -> int:
    """The largest |h*m'| + 2^(s-1) of every n: |h| <= 127*n because inhibition only shrinks.

    m' = (m * L[n] + 2^14) >> 15 grows with m, so the extreme multipliers bound all channels.
    """
    _within("the length table", attention.length, 0, 2**31 - 1)
    _limit("attention's sum of values", VALUE * max_tokens, ACCUMULATOR)
    extremes = {int(attention.multiplier.min()), int(attention.multiplier.max())}
    scaled = max(
        VALUE * n * abs((m * factor + 2**14) >> 15)
        for m in extremes
        for n, factor in enumerate(attention.length.tolist())
    )
    return scaled + 2 ** (int(attention.shift.max()) - 1)


def _dot_product_values(attention: DotProductAttention, max_tokens: int) -> int:
    """P sums to at most 255 + n/2 by its rounding; the exponential of the nearest key is not 0."""
    _limit("the table's first exponential: 65535 minus it", 65535 - int(attention.table[0]), 0)
    total = VALUE * (255 + max_tokens // 2 + 1)
    multiplier = int(np.abs(attention.multiplier.astype(np.int64)).max())
    return total * multiplier + 2 ** (int(attention.shift.max()) - 1)


def _multipliers(name: str, multiplier: np.ndarray, shift: np.ndarray) -> None:
    size = np.abs(multiplier.astype(np.int64))
    _within(f"{name}'s multiplier", size[size != 0], 2**23, 2**24 - 1)
    _within(f"{name}'s shift", shift, 1, 46)


def _within(what: str, values: np.ndarray, lo: int, hi: int) -> None:
    outside = values[(values < lo) | (values > hi)]
    if outside.size:
        raise InputError(f"{what} holds {outside[0]}, outside {lo}..{hi}: {_ADVICE}")


def _limit(what: str, bound: int | np.integer, limit: int) -> int:
    if bound > limit:
        raise InputError(f"{what} can reach {bound}, more than {limit}: {_ADVICE}")
    return int(bound)


_ADVICE = "the student cannot be exported exactly; retrain or recalibrate it"
