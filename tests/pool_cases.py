"""Inputs of MeanPool: random ones, and those that lay its roundings bare."""

import numpy as np
from case import FULL, Case, int32
from row_cases import scales

Rng = np.random.Generator


def mean_pool(rng: Rng, lengths: tuple[int, ...], width: int, **limits: int) -> Case:
    x = rng.integers(1, 256, (sum(lengths), width)).astype(np.uint8)
    name = f"{'+'.join(map(str, lengths))}-x{width}"
    inputs = (x, _offsets(lengths), *scales(rng, width, reach=2**13))
    return Case("MeanPool", name, inputs, limits or FULL)


def mean_pool_laid_bare(rng: Rng, n: int, width: int) -> Case:
    """Means of about 0 whose 256th parts are the result; with n = 512 half of them are halves."""
    x = np.full((n, width), 128)
    for column in range(width):
        some = rng.integers(0, n, min(n, 150))
        x[some, column] += rng.integers(-1, 2, len(some))
    identity = (int32(np.full(width, 2**23)), int32(np.full(width, 23)))
    inputs = (x.astype(np.uint8), _offsets((n,)), *identity)
    return Case("MeanPool", f"laid-bare-{n}-x{width}", inputs, FULL)


def mean_pool_extremes() -> Case:
    """The largest and smallest sums of the longest sentences, beside a short one."""
    lengths = (4096, 1, 4096)
    x = np.repeat(np.array([255, 1, 1], np.uint8), lengths)[:, None].repeat(3, axis=1)
    x[:4096, 1] = 1
    scale = (int32([2**23, -(2**24 - 1), 2**24 - 1]), int32([31, 32, 33]))
    return Case("MeanPool", "extremes", (x, _offsets(lengths), *scale), FULL)


def _offsets(lengths: tuple[int, ...]) -> np.ndarray:
    return np.cumsum([0, *lengths])
