"""Real numbers turned into the integers of a student file: see docs/SPEC.md.

Everything here runs once, at export, in float64; nothing of it runs between token ids and logits.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

LENGTH_ONE = 2**15
NORM_UNIT = 20  # the normalized value counts 2^-20


def round_half_up(x: ArrayLike) -> Floats:
    """floor(x + 1/2) of the exact sum, any shape, as float64: the only rounding there is.

    Adding 1/2 in floating point would round 0.49999999999999994 to 1.
    """
    x = np.asarray(x, np.float64)
    below = np.floor(x)
    with np.errstate(invalid="ignore"):  # infinity, which callers refuse
        return np.asarray(below + (x - below >= 0.5))


def multiplier_shift(real: ArrayLike) -> tuple[Int32, Int32]:
    """Multiplier m and shift s, shaped like `real`, with m / 2^s nearest to it.

    2^23 <= |m| < 2^24 and 1 <= s <= 46; |real| < 2^-23 gives m = 0, s = 1.
    ValueError where |real| is not below 2^23 - 1/4, which would round to 2^24 at s = 1.
    """
    real = np.asarray(real, np.float64)
    if not (np.abs(real) < 2.0**23 - 0.25).all():
        raise ValueError("a ratio of scales is not a number below 2^23")
    fraction, exponent = np.frexp(real)  # 1/2 <= |fraction| < 1
    multiplier = round_half_up(fraction * 2**24)
    carry = np.abs(multiplier) == 2**24
    shift = 24 - exponent - carry
    tiny = np.abs(real) < 2.0**-23
    multiplier = np.where(carry, multiplier / 2, multiplier)
    return _int32(np.where(tiny, 0, multiplier)), _int32(np.where(tiny, 1, shift))


def score_multiplier_offset_shift(
    real: ArrayLike, alpha_over_scale_v: ArrayLike
) -> tuple[Int32, Int32, Int32]:
    """Score multiplier, offset and shift, in the operators' order, per head [H].

    m = round(real * 2^s), a = round(alpha/scale_v * 2^s) + 2^(s-1) for the largest s in 1..30
    with |m| < 2^16 and |a| < 2^30: with head widths up to 64, |S - mean| < 2^14 and 32 bits hold
    (S - mean)*m + a. ValueError where no shift fits.
    """
    shift = np.arange(30, 0, -1).reshape(-1, 1)
    power = np.exp2(shift)
    multiplier = round_half_up(power * np.atleast_1d(real))
    offset = round_half_up(power * np.atleast_1d(alpha_over_scale_v)) + power / 2
    best = _first((np.abs(multiplier) < 2**16) & (np.abs(offset) < 2**30))
    return _int32(_pick(multiplier, best)), _int32(_pick(offset, best)), _int32(_pick(shift, best))


def norm_parameters(gain: ArrayLike, bias: ArrayLike, scale: float) -> tuple[Int32, Int64, Int32]:
    """Layer norm's weight, bias and shift, per channel [C], for an output of the given scale.

    w = round(gain/scale * 2^(t-20)), b = round(bias/scale * 2^t) for the largest t in 1..46 with
    |w| < 2^24 and |b| < 2^51. ValueError where no shift fits.
    """
    shift = np.arange(46, 0, -1).reshape(-1, 1)
    weight = round_half_up(np.exp2(shift - NORM_UNIT) * (np.asarray(gain, np.float64) / scale))
    offset = round_half_up(np.exp2(shift) * (np.asarray(bias, np.float64) / scale))
    best = _first((np.abs(weight) < 2**24) & (np.abs(offset) < 2**51))
    return (
        _int32(_pick(weight, best)),
        _pick(offset, best).astype(np.int64),
        _int32(_pick(shift, best)),
    )


def length_table(max_tokens: int, n0: float | None) -> Int32:
    """The length factor [max_tokens + 1], 2^15 = 1: n0/n, or 1 everywhere for a plain sum.

    ValueError where n0 is not in (0, 128]: the multiplier after it has to fit 32 bits, and any
    other constant belongs to beta.
    """
    if n0 is None:
        table = np.full(max_tokens + 1, float(LENGTH_ONE))
    elif 0 < n0 <= 128:
        table = round_half_up(n0 * LENGTH_ONE / np.maximum(np.arange(max_tokens + 1), 1))
    else:
        raise ValueError(f"n0 must be above 0 and at most 128, not {n0}")
    table[0] = 0
    return _int32(table)


def exp_table(step: float) -> NDArray[np.uint16]:
    """round(65535 * exp(-i*step)) for i = 0..255: dot-product attention's exponential."""
    return round_half_up(65535 * np.exp(-step * np.arange(256))).astype(np.uint16)


def _first(fits: Flags) -> Int64:
    if not fits.any(axis=0).all():
        raise ValueError("a ratio of scales is too large for every shift, or not a number")
    return np.argmax(fits, axis=0)


def _pick(choices: NDArray[Any], best: Int64) -> NDArray[Any]:
    rows = np.broadcast_to(choices, (len(choices), *best.shape))
    return np.take_along_axis(rows, best[None], axis=0)[0]


def _int32(x: NDArray[Any]) -> Int32:
    return np.asarray(x).astype(np.int32)
