"""Inputs of both attentions: random bytes, complete byte domains, and the largest sums."""

from typing import Any

import numpy as np
from case import FULL, Array, Case, int32
from row_cases import scales

Rng = np.random.Generator


def attention(
    rng: Rng,
    lengths: tuple[int, ...],
    heads: int,
    d: int,
    operator: str = "InhibitorAttention",
    near: bool = False,
    **attributes: int,
) -> Case:
    """Random bytes. `near` has small distances; scores then fall on both sides of every bound."""
    offsets = np.cumsum((0, *lengths))
    spread = 24 if near else 128
    shape = (int(offsets[-1]), 3 * heads * d)
    qkv = rng.integers(128 - spread, 128 + spread, shape).astype(np.uint8)
    qkv[:, 2 * heads * d :] = rng.integers(0, 256, (shape[0], heads * d))
    rest = _inhibitor if operator == "InhibitorAttention" else _dot_product
    inputs = (qkv, offsets, *rest(rng, max(lengths), heads, d, spread))
    flags = "".join(f"-{key}{value}" for key, value in attributes.items())
    name = f"{'+'.join(map(str, lengths))}-{heads}x{d}{'-near' if near else ''}{flags}"
    return Case(operator, name, inputs, {"heads": heads, **attributes, **FULL})


def _inhibitor(rng: Rng, n: int, heads: int, d: int, spread: int) -> tuple[Array, ...]:
    """z's deviation is tens of steps, around an alpha of about as much; n0 is 5.5."""
    shift = rng.integers(8, 17, heads)
    real = rng.uniform(0.3, 2, heads) * 64 / (spread * np.sqrt(d))
    score = np.minimum(np.rint(real * 2.0**shift), 2**16 - 1) * rng.choice([1, 1, 1, -1], heads)
    offset = rng.integers(-20, 90, heads) * 2**shift + 2 ** (shift - 1)
    length = np.floor(5.5 * 2**15 / np.maximum(np.arange(n + 3), 1) + 0.5)
    length[0] = 0
    output = scales(rng, heads * d, reach=127 * min(n, 6))
    return int32(score), int32(offset), int32(shift), *output, int32(length)


def _dot_product(rng: Rng, n: int, heads: int, d: int, spread: int) -> tuple[Array, ...]:
    shift = rng.integers(10, 25, heads)
    real = 100 / (spread * spread * np.sqrt(d)) * rng.uniform(0.3, 3, heads)
    score = np.minimum(np.rint(real * 2.0**shift), 2**16 - 1)
    table = np.floor(65535 * np.exp(-np.arange(256) * 0.04) + 0.5).astype(np.uint16)
    output = scales(rng, heads * d, reach=127 * 255)
    return int32(score), int32(2 ** (shift - 1)), int32(shift), *output, table


def inhibitor(name: str, qkv: Array, offsets: Array, heads: int, **options: Any) -> Case:
    """Given bytes, with z = S (uncentred, signed, alpha 0), h passed on and a plain sum by default;
    `options` change attributes or the named inputs."""
    hidden = qkv.shape[1] // 3
    longest = int(np.diff(offsets).max())
    given = {
        "score_multiplier": np.full(heads, 2),
        "score_offset": np.ones(heads),
        "score_shift": np.ones(heads),
        "multiplier": np.full(hidden, 2**23),
        "shift": np.full(hidden, 23),
        "length": np.full(longest + 1, 2**15),
    }
    attributes = {"heads": heads, "centred": 0, "signed": 1, **FULL}
    inputs = [int32(options.get(key, value)) for key, value in given.items()]
    attributes |= {key: value for key, value in options.items() if key not in given}
    return Case("InhibitorAttention", name, (qkv.astype(np.uint8), offsets, *inputs), attributes)


def every_difference(name: str, offset: int) -> Case:
    """All 65,536 pairs of a query's and a key's byte: 256 sentences of 16 queries and 16 keys, one
    channel at work; key j alone has a value, 127, in channel j, so that 127 - z comes out."""
    block = np.arange(256).reshape(16, 16)
    qkv = np.full((16, 16, 16, 48), 128)
    qkv[..., 0] = block[:, None, :]
    qkv[..., 16] = block[None, :, :]
    qkv[..., 32:] += 127 * np.eye(16, dtype=int)
    offsets = 16 * np.arange(257)
    return inhibitor(name, qkv.reshape(-1, 48), offsets, 1, score_offset=np.array([offset]))


def every_clip(name: str, **options: int) -> Case:
    """All pairs of a value byte and z = 0..127: 128 sentences of one token, 256 channels."""
    qkv = np.full((128, 3 * 256), 128)
    qkv[:, [0, 128]] += np.arange(128).reshape(-1, 1) // 2
    qkv[:, [256, 384]] -= (np.arange(128).reshape(-1, 1) + 1) // 2
    qkv[:, 512:] = np.arange(256)
    return inhibitor(name, qkv, np.arange(129), 2, **options)


def largest_sums(name: str, n: int, d: int, v: int, output: int = 0, **options: Any) -> Case:
    """Queries 0, the first key 0 too and all others 255, values of one byte; h >> `output`."""
    qkv = np.repeat([0, 255, v], d).reshape(1, -1).repeat(n, axis=0)
    qkv[0, d : 2 * d] = 0
    return inhibitor(name, qkv, np.array([0, n]), 1, shift=np.full(d, 23 + output), **options)


def length_ties(n: int) -> Case:
    """Outputs that the rounding of m' = multiplier * L[n] decides: h*m' is just above a half after
    rounding up, or just below one after rounding down; h is 127*n everywhere."""
    factor, h = 9011, 127 * n  # L[n] < 2^14, so that some m is rounded to any m'
    multiplier, shift = [], []
    for k in range(1, 127):
        s = (2**24 * factor * h // (2 * k + 1)).bit_length() - 15
        above = -(-((2 * k + 1) << (s - 1)) // h)  # the smallest m' that gives k + 1
        up, down = -(-(2 * above - 1) * 2**14 // factor), (above - 1) * 2**15 // factor + 1
        multiplier.append(up if k % 2 else down)
        shift.append(s)
    assert 2**23 <= min(multiplier) <= max(multiplier) < 2**24
    qkv = np.full((n, 3 * len(shift)), 128)
    qkv[:, 2 * len(shift) :] = 255
    length = np.append(np.zeros(n), factor)
    given = {"multiplier": multiplier, "shift": shift, "length": length}
    return inhibitor("length-ties", qkv, np.array([0, n]), 1, **given)


def every_weight(rng: Rng, multiplier: int) -> Case:
    """Each of the table's entries, and an index beyond: 2 tokens, whose scores differ by 0..260.
    The index is the gap for a multiplier of 2, half the gap, rounded, for 1."""
    gap = np.arange(261)
    qkv = np.full((261, 2, 6), 128)
    qkv[..., 0] = 129
    qkv[:, 0, 2], qkv[:, 0, 3] = 255, np.where(gap > 250, 138, 128)
    qkv[:, 1, 2] = np.where(gap > 250, 255 - (gap - 10), 255 - gap)
    qkv[..., 1] = 129
    qkv[:, 1, 4], qkv[:, 0, 5] = 255, 0
    table = rng.integers(0, 2**16, 256).astype(np.uint16)
    table[0] = 65535
    inputs = ([multiplier], [1], [1], [2**23] * 2, [30, 31])
    tokens = qkv.reshape(-1, 6).astype(np.uint8)
    tensors: tuple[Array, ...] = (tokens, 2 * np.arange(262), *map(int32, inputs), table)
    return Case("DotProductAttention", f"every-weight-{multiplier}", tensors, {"heads": 1, **FULL})


def largest_gap(rng: Rng) -> Case:
    """Scores as far apart as bytes allow at d = 128, which takes more than 32 bits to scale."""
    qkv = np.full((5, 3, 128), 255)
    qkv[:, 0] = qkv[0, 1] = 0
    qkv[:, 2] = rng.integers(0, 256, (5, 128))
    table = np.append(65535, rng.integers(2**13, 2**16, 255)).astype(np.uint16)
    inputs = ([40_000], [2**29], [30], [2**23] * 128, [31] * 128)
    tensors = (qkv.reshape(5, -1).astype(np.uint8), np.array([0, 5]), *map(int32, inputs), table)
    return Case("DotProductAttention", "largest-gap", tensors, {"heads": 1, **FULL})
