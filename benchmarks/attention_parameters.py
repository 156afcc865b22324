"""Integers for attention on random bytes: scores and contexts spread over their ranges."""

import numpy as np

from inhibi.engine.fixed import (
    exp_table,
    length_table,
    multiplier_shift,
    score_multiplier_offset_shift,
)

UNIT = 40  # the bytes' deviation
SCORES = ("score_multiplier", "score_offset", "score_shift", "multiplier", "shift")


def inhibitor_parameters(heads: int, width: int, tokens: int) -> dict[str, np.ndarray]:
    """By the names of InhibitorAttention's inputs after offsets: gamma 1, alpha 0.5, n0 16."""
    score = score_multiplier_offset_shift(
        np.full(heads, 1 / np.sqrt(width)), np.full(heads, 0.5 * UNIT)
    )
    output = multiplier_shift(np.full(heads * width, 0.3))
    return dict(zip((*SCORES, "length"), (*score, *output, length_table(tokens, 16)), strict=True))


def dot_product_parameters(heads: int, width: int) -> dict[str, np.ndarray]:
    """By the names of DotProductAttention's inputs after offsets: an average of the values."""
    step = 0.05  # of the exponential's table
    real = np.full(heads, 1 / (step * UNIT * UNIT * np.sqrt(width)))
    score = score_multiplier_offset_shift(real, np.zeros(heads))
    output = multiplier_shift(np.full(heads * width, 2 / 255))
    return dict(zip((*SCORES, "table"), (*score, *output, exp_table(step)), strict=True))
