"""The operators of docs/SPEC.md in NumPy: the definition that every engine must equal.

Letters: N tokens of all sentences, n tokens of one, C hidden, H heads, d = C / H, M outputs.
Every operator takes SPEC's inputs in SPEC's order and its attributes by keyword, and returns uint8.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Array = NDArray[Any]  # the integer type that SPEC gives

ZERO_POINT = 128
BLOCK = 2**18  # values of the widest temporary of attention, [d, rows, n]
POWERS_OF_FOUR = 4 ** np.arange(26)


def requantize(
    acc: Array, bias: Array, multiplier: Array, shift: Array, *, lo: int, hi: int
) -> Bytes:
    """int32 [N, M] to uint8 [N, M], with bias, multiplier and shift per column [M]."""
    return _byte(_req(_wide(acc) + bias, multiplier, shift, lo, hi))


def requantize_lookup(
    acc: Array,
    bias: Array,
    multiplier: Array,
    shift: Array,
    table: Bytes,
    table_index: Bytes,
    *,
    lo: int,
    hi: int,
) -> Bytes:
    """The same, then GELU, tanh or ReLU: column k by row table_index[k] of table uint8 [G, 256]."""
    return table[table_index, requantize(acc, bias, multiplier, shift, lo=lo, hi=hi)]


def add_layer_norm(
    acc: Array,
    bias: Array,
    multiplier: Array,
    shift: Array,
    residual: Bytes,
    residual_multiplier: Array,
    weight: Array,
    norm_bias: Array,
    norm_shift: Array,
    *,
    lo: int,
    hi: int,
) -> Bytes:
    """acc int32 [N, C] on a fraction of the residual's scale, plus the residual, of which a step
    counts residual_multiplier [C] such units, normalized."""
    x = _req(_wide(acc) + bias, multiplier, shift, -(2**15 - 1), 2**15 - 1)
    x = x + (_wide(residual) - ZERO_POINT) * residual_multiplier
    return _byte(_norm(x, weight, norm_bias, norm_shift, lo, hi))


def embed_layer_norm(
    input_ids: Array,
    position_ids: Array,
    token_type_ids: Array,
    word: Array,
    position: Array,
    token_type: Array,
    table_multiplier: Array,
    weight: Array,
    norm_bias: Array,
    norm_shift: Array,
    *,
    lo: int,
    hi: int,
) -> Bytes:
    """Ids int64 [N] to the sum of three rows [N, C], normalized. Ids must lie in their tables."""
    rows = (word[input_ids], position[position_ids], token_type[token_type_ids])
    scaled = [_wide(row) * t for t, row in zip(table_multiplier, rows, strict=True)]
    x = np.sum(scaled, axis=0)
    return _byte(_norm(x, weight, norm_bias, norm_shift, lo, hi))


def inhibitor_attention(
    qkv: Bytes,
    offsets: Array,
    score_multiplier: Array,
    score_offset: Array,
    score_shift: Array,
    multiplier: Array,
    shift: Array,
    length: Array,
    *,
    heads: int,
    centred: int,
    signed: int,
    lo: int,
    hi: int,
) -> Bytes:
    """Q, K, V side by side [N, 3C] to the context [N, C], each sentence by itself."""
    context = np.empty((len(qkv), qkv.shape[1] // 3), np.uint8)
    for start, end in pairwise(offsets.tolist()):
        n = end - start
        h = np.empty((n, heads, context.shape[1] // heads), np.int64)
        for i, (q, k, v) in enumerate(_heads(qkv[start:end], heads)):
            s = _distances(q, k)
            mean = (2 * s.sum(axis=1, keepdims=True) + n) // (2 * n) * centred
            z = ((s - mean) * int(score_multiplier[i]) + int(score_offset[i])) >> score_shift[i]
            h[:, i] = _inhibit(v, np.clip(z, 0, 127), signed)
        scaled = (_wide(multiplier) * length[n] + 2**14) >> 15
        context[start:end] = _byte(_req(h.reshape(n, -1), scaled, shift, lo, hi))
    return context


def dot_product_attention(
    qkv: Bytes,
    offsets: Array,
    score_multiplier: Array,
    score_offset: Array,
    score_shift: Array,
    multiplier: Array,
    shift: Array,
    table: Array,
    *,
    heads: int,
    lo: int,
    hi: int,
) -> Bytes:
    """The comparator: the same signature, with table uint16 [256] of exponentials."""
    context = np.empty((len(qkv), qkv.shape[1] // 3), np.uint8)
    for start, end in pairwise(offsets.tolist()):
        n = end - start
        h = np.empty((n, heads, context.shape[1] // heads), np.int64)
        for i, (q, k, v) in enumerate(_heads(qkv[start:end], heads)):
            s = _exact_matmul(q, k.T)
            gap = s.max(axis=1, keepdims=True) - s
            index = (gap * int(score_multiplier[i]) + int(score_offset[i])) >> score_shift[i]
            e = _wide(table[np.minimum(index, 255)])
            total = e.sum(axis=1, keepdims=True)
            p = (255 * e + total // 2) // total
            h[:, i] = _exact_matmul(p, v)
        context[start:end] = _byte(_req(h.reshape(n, -1), multiplier, shift, lo, hi))
    return context


def mean_pool(
    x: Bytes, offsets: Array, multiplier: Array, shift: Array, *, lo: int, hi: int
) -> Bytes:
    """Tokens [N, C] to each sentence's mean [B, C], rounded to 1/256 step, then requantized."""
    starts, n = offsets[:-1], np.diff(_wide(offsets))[:, None]
    total = np.add.reduceat(_wide(x), starts, axis=0)
    mean = (512 * total + n) // (2 * n) - 256 * ZERO_POINT
    return _byte(_req(mean, multiplier, shift, lo, hi))


def matmul_integer(a: Bytes, b: Array, zero_point: int = ZERO_POINT) -> NDArray[np.int32]:
    """(a - zero_point) @ b, uint8 [N, K] by int8 [K, M], to int32 [N, M]."""
    return _exact_matmul(a.astype(np.int16) - zero_point, b).astype(np.int32)


def isqrt(v: Ints) -> Ints:
    """Floor of the square root of 1 <= v < 2^52, by integers alone.

    The start 2^i lies above the root, at most twice it. Newton's steps fall towards the floor and
    may end 1 above it; 5 steps make the error smaller than 1 at 2^26, the 6th is for the floors.
    """
    root = 2 ** np.searchsorted(POWERS_OF_FOUR, v, side="right")
    for _ in range(6):
        root = (root + v // root) // 2
    return root - (root * root > v)


def _req(acc: Array, multiplier: Array, shift: Array, lo: int, hi: int) -> Ints:
    """SPEC's requantization: |acc*multiplier| + 2^(shift-1) < 2^53."""
    shift = _wide(shift)
    return np.clip((_wide(acc) * multiplier + (1 << (shift - 1))) >> shift, lo, hi)


def _norm(x: Ints, weight: Array, bias: Array, shift: Array, lo: int, hi: int) -> Ints:
    """Layer norm over the last axis of int64 [N, C], C <= 1024, |x| < 2^16: sums below 2^62."""
    channels = x.shape[1]
    u = channels * x - x.sum(axis=1, keepdims=True)
    v = (u * u).sum(axis=1, keepdims=True) // channels + 1
    d = isqrt(v)
    r = (2**44 + d // 2) // d
    n = (u * r + 2**23) >> 24
    shift = _wide(shift)
    return np.clip((n * weight + bias + (1 << (shift - 1))) >> shift, lo, hi)


def _heads(qkv: Bytes, heads: int) -> NDArray[np.int16]:
    """[n, 3C] to the values of q, k and v of each head, int16 [H, 3, n, d]."""
    n, columns = qkv.shape
    values = qkv.reshape(n, 3, heads, columns // (3 * heads)).astype(np.int16) - ZERO_POINT
    return values.transpose(2, 1, 0, 3)


def _distances(q: NDArray[np.int16], k: NDArray[np.int16]) -> Ints:
    """S [n, n], rows of q by rows of k, both [n, d]; d <= 128 keeps the sums in 16 bits."""
    keys = k.T[:, None, :]
    blocks = [
        np.abs(q.T[:, rows, None] - keys).sum(axis=0, dtype=np.int16) for rows in _blocks(*q.shape)
    ]
    return _wide(np.concatenate(blocks))


def _inhibit(v: NDArray[np.int16], z: Ints, signed: int) -> Ints:
    """h [n, d] of values v [n, d] under z [n, n]."""
    values, z = v.T[:, None, :], z.astype(np.int16)
    least = -z if signed else np.full_like(z, -ZERO_POINT)
    blocks = [
        np.minimum(np.maximum(values, least[rows]), z[rows]).sum(axis=2, dtype=np.int64)
        for rows in _blocks(*v.shape)
    ]
    return _wide(v).sum(axis=0) - np.concatenate(blocks, axis=1).T


def _blocks(n: int, d: int) -> list[slice]:
    """Slices of the n queries such that [d, rows, n] stays small."""
    rows = max(1, BLOCK // (n * d))
    return [slice(i, i + rows) for i in range(0, n, rows)]


def _exact_matmul(a: Array, b: Array) -> Ints:
    """Through float64 BLAS, which is exact while sums stay below 2^53."""
    return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)


def _wide(x: Array) -> Ints:
    return np.asarray(x, np.int64)


def _byte(y: Ints) -> Bytes:
    return (y + ZERO_POINT).astype(np.uint8)
