"""Inputs of requantizations and layer norms: random ones within SPEC's ranges, and their edges."""

import math

import numpy as np
from case import FULL, Array, Case, int32

Rng = np.random.Generator


def scales(rng: Rng, width: int, reach: int = 2**22) -> tuple[Array, Array]:
    """Multiplier and shift [width], of both signs, some 0, that take `reach` to about 100."""
    multiplier = rng.integers(2**23, 2**24, width) * rng.choice([-1, 1], width)
    shift = rng.integers(-3, 3, width) + reach.bit_length() + 23 - 7
    none = rng.random(width) < 0.05
    return int32(np.where(none, 0, multiplier)), int32(np.where(none, 1, np.clip(shift, 1, 46)))


def accumulators(rng: Rng, rows: int, width: int, reach: int = 2**22) -> tuple[Array, Array]:
    """acc [rows, width] and bias [width], |acc + bias| <= 2 * reach < 2^28."""
    acc = rng.integers(-reach, reach, (rows, width), endpoint=True)
    return int32(acc), int32(rng.integers(-reach, reach, width, endpoint=True))


def requantize(rng: Rng, rows: int, width: int, **limits: int) -> Case:
    acc, bias = accumulators(rng, rows, width)
    inputs = (acc, bias, *scales(rng, width))
    return Case("Requantize", f"{rows}x{width}-{limits['lo']}..{limits['hi']}", inputs, limits)


def requantize_extremes() -> Case:
    """Every shift with the largest and smallest multipliers and accumulators."""
    shift, sign = np.repeat(np.arange(1, 47), 6), np.tile([-1, 1, 1], 92)
    multiplier = sign * np.tile([2**24 - 1, 2**23, 2**23 + 1], 92)
    big = 2**28 - 1
    acc = np.array([big, -big, 2**27, -(2**27), 1, -1, 0, 2**22 + 1]).reshape(-1, 1)
    none = np.zeros(len(shift))
    inputs = (np.broadcast_to(acc, (8, len(shift))), none, multiplier, shift)
    return Case("Requantize", "extremes", tuple(map(int32, inputs)), FULL)


def requantize_ties() -> Case:
    """acc / 2^k for k = 0..5 and both signs: every half is met, and its neighbours."""
    acc = np.repeat(np.arange(-300, 301).reshape(-1, 1), 12, axis=1)
    shift = np.tile(23 + np.arange(6), 2)
    multiplier = np.repeat([2**23, -(2**23)], 6)
    inputs = (acc, np.arange(12) - 6, multiplier, shift)
    return Case("Requantize", "ties", tuple(map(int32, inputs)), FULL)


def requantize_near_ties(rng: Rng) -> Case:
    """Large accumulators on both sides of every half: less than 53 bits round some of them away."""
    value = np.tile(np.arange(-128, 128), 4)
    shift = rng.integers(42, 45, len(value))
    multiplier = np.repeat([-1, 1], len(value) // 2) * rng.integers(2**23, 2**24, len(value))
    below = ((2 * value + 1) << (shift - 1)) // multiplier  # exact: the half lies above it
    acc = below + np.arange(2).reshape(-1, 1)
    kept = np.abs(acc).max(axis=0) < 2**28
    inputs = (acc, np.zeros(len(value)), multiplier, shift)
    return Case("Requantize", "near-ties", tuple(int32(x)[..., kept] for x in inputs), FULL)


def lookup(rng: Rng, rows: int, width: int, tables: int = 1) -> Case:
    acc, bias = accumulators(rng, rows, width)
    table = rng.permuted(np.tile(np.arange(256, dtype=np.uint8), (tables, 1)), axis=1)
    index = np.sort(rng.integers(0, tables, width)).astype(np.uint8)
    index[-1] = rng.integers(0, tables)  # a table may serve columns apart
    inputs = (acc, bias, *scales(rng, width), table, index)
    return Case("RequantizeLookup", f"{rows}x{width}-{tables}", inputs, FULL)


def lookup_complete(rng: Rng) -> Case:
    """Each entry that can be reached, and beyond both ends."""
    acc = np.arange(-140, 141).reshape(-1, 1)
    inputs = (acc, [0], [2**23], [23])
    table = rng.permutation(256).astype(np.uint8)[None]
    index = np.zeros(1, np.uint8)
    return Case("RequantizeLookup", "complete", (*map(int32, inputs), table, index), FULL)


# Layer norms.


def norm(rng: Rng, width: int, low: int = 1, high: int = 46) -> tuple[Array, Array, Array]:
    """weight, norm_bias and norm_shift [width] that spread a normalized value over the bytes."""
    shift = rng.integers(low, high, width, endpoint=True)
    unit = 2.0 ** (shift - 20)  # of the weight, for an output of one step
    weight = np.clip(rng.normal(0, 60, width) * unit, -(2**24) + 1, 2**24 - 1)
    bias = np.clip(rng.normal(0, 20, width) * 2.0**shift, -(2**51) + 1, 2**51 - 1)
    return int32(np.rint(weight)), np.rint(bias).astype(np.int64), int32(shift)


def add_norm(rng: Rng, rows: int, width: int, **limits: int) -> Case:
    acc, bias = accumulators(rng, rows, width)
    multiplier, shift = scales(rng, width, reach=2**14)
    residual = rng.integers(0, 256, (rows, width)).astype(np.uint8)
    times = int32(rng.integers(1, 64, width, endpoint=True))
    inputs = (acc, bias, multiplier, shift, residual, times, *norm(rng, width, 20, 38))
    name = f"{rows}x{width}-{limits['lo']}..{limits['hi']}"
    return Case("AddLayerNorm", name, inputs, limits)


def add_norm_extremes(rng: Rng, width: int) -> Case:
    """Rows with the largest sums there are, one spike, no variance, and next to none; the weights,
    biases and shifts of the norm at their edges."""
    half = np.arange(width) % 2 * 2 - 1
    spike = np.where(np.arange(width) == width // 2, 1, -1)
    signs = np.stack([half, -half, spike, -spike, np.ones(width), -np.ones(width), spike > 0])
    acc = signs * (2**28 - 1)
    acc[6] = (spike > 0) * 2  # 1 after the shift below: the smallest variance
    residual = np.where(signs > 0, 255, 0)
    residual[6] = 128
    weight, bias, shift = norm(rng, width)
    weight[::3], bias[::5] = 2**24 - 1, -(2**51) + 1
    weight[1::3], bias[1::5] = -(2**24) + 1, 2**51 - 1
    inputs = (acc, np.zeros(width), np.full(width, 2**23), np.full(width, 24))
    largest = int32(np.full(width, 64))
    tensors = (*map(int32, inputs), residual.astype(np.uint8), largest, weight, bias, shift)
    return Case("AddLayerNorm", f"extremes-{width}", tensors, FULL)


def embed(rng: Rng, tokens: int, width: int, multipliers: tuple[int, int, int], lo: int) -> Case:
    """The multipliers are the first channel's, and other channels' largest."""
    ids = [rng.integers(0, rows, tokens) for rows in (50, 20, 2)]
    tables = [rng.integers(-127, 128, (rows, width)).astype(np.int8) for rows in (50, 20, 2)]
    most = np.array(multipliers).reshape(3, 1)
    t = rng.integers(most // 2, most, (3, width), endpoint=True)
    t[:, :1] = most
    inputs: tuple[Array, ...] = (*ids, *tables, int32(t), *norm(rng, width, 20, 38))
    name = f"{tokens}x{width}-{'-'.join(map(str, multipliers))}"
    return Case("EmbedLayerNorm", name, inputs, {"lo": lo, "hi": 127})


def embed_laid_bare(rng: Rng, width: int, t: int) -> Case:
    """One token, whose norm_bias takes n*w away but for its last bits, which come out undivided."""
    word = rng.integers(-127, 128, (1, width))
    x = [t * e for e in word[0].tolist()]
    u = [width * e - sum(x) for e in x]
    d = math.isqrt(sum(e * e for e in u) // width + 1)
    r = (2**44 + d // 2) // d
    n = np.array([(e * r + 2**23) >> 24 for e in u])
    weight = rng.integers(-(2**24) + 1, 2**24, width)
    weight[::2] = 1
    none = np.zeros((1, width), np.int8)
    tables = (word.astype(np.int8), none, none, int32(np.full((3, width), [[t], [0], [0]])))
    norm = (int32(weight), rng.integers(-200, 200, width) - n * weight, int32(np.ones(width)))
    ids = [np.zeros(1, np.int64)] * 3
    inputs: tuple[Array, ...] = (*ids, *tables, *norm)
    return Case("EmbedLayerNorm", f"laid-bare-{width}-{t}", inputs, FULL)
