"""Weights that are exact on processors without a wide int8 dot product.

x86 before VNNI multiplies u8 by s8 and adds two neighbouring products in 16 bits with saturation
(VPMADDUBSW). 255 * 128 = 32640 still fits, so neighbours of one sign along K may sum up to 128.
"""

import numpy as np

LIMIT = 128


def pair_excess(weight: np.ndarray) -> np.ndarray:
    """By how much |w_2k| + |w_2k+1| exceeds 128 where the signs agree, else 0.

    int8 [K,M] -> int64 [K div 2, M]; with odd K the last row has no neighbour.
    """
    first, second = _pairs(weight)
    total = np.abs(first) + np.abs(second)
    return np.where(first * second > 0, np.maximum(total - LIMIT, 0), 0)


def limit_pairs(weight: np.ndarray) -> tuple[np.ndarray, int]:
    """Take each pair's excess from both of its weights, half each, the odd one from the larger.

    int8 [K,M] in [-127,127] -> int8 [K,M] that keeps the rule, and how many pairs were changed.
    Neither weight loses its sign: the smaller has more than half of the excess, because the larger
    is at most 127. Keeping the rule already, a matrix is returned unchanged.
    """
    excess = pair_excess(weight)
    first, second = _pairs(weight)
    half, odd = excess // 2, excess % 2
    first_is_larger = np.abs(first) >= np.abs(second)
    limited = weight.copy()
    rows = 2 * len(excess)
    limited[0:rows:2] = first - np.sign(first) * (half + odd * first_is_larger)
    limited[1:rows:2] = second - np.sign(second) * (half + odd * ~first_is_larger)
    return limited, int(np.count_nonzero(excess))


def _pairs(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = len(weight) // 2 * 2
    wide = weight.astype(np.int64)
    return wide[0:rows:2], wide[1:rows:2]
