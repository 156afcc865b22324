"""One list of cases for the operators of docs/SPEC.md, for all engines and tests.

Sizes straddle the vector widths 8, 16, 32 and 64; ranges are SPEC's to the edge; small domains are
complete: every pair of bytes under |q - k|, every value under every clip, every table entry.
"""

from typing import Any

import numpy as np
from attention_cases import (
    attention,
    every_clip,
    every_difference,
    every_weight,
    largest_gap,
    largest_sums,
    length_ties,
)
from case import FULL, Case
from pool_cases import mean_pool, mean_pool_extremes, mean_pool_laid_bare
from row_cases import (
    add_norm,
    add_norm_extremes,
    embed,
    embed_laid_bare,
    lookup,
    lookup_complete,
    requantize,
    requantize_extremes,
    requantize_near_ties,
    requantize_ties,
)

Rng = np.random.Generator
WIDTHS = (1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)


def _requantizations(rng: Rng) -> list[Case]:
    limits = [(-127, 127), (0, 127), (-127, 0), (-9, 5), (3, 3)]
    return [
        requantize_ties(),
        requantize_extremes(),
        requantize_near_ties(rng),
        *(requantize(rng, 3, width, **FULL) for width in WIDTHS),
        *(requantize(rng, 2, 19, lo=lo, hi=hi) for lo, hi in limits),
        lookup_complete(rng),
        *(lookup(rng, 2, width, tables) for width in (*WIDTHS, 600) for tables in (3, 1)),
    ]


def _norms(rng: Rng) -> list[Case]:
    return [
        *(add_norm(rng, 2, width, **FULL) for width in WIDTHS),
        add_norm(rng, 5, 384, **FULL),
        add_norm(rng, 3, 40, lo=-20, hi=11),
        *(add_norm_extremes(rng, width) for width in (1, 2, 24, 1023, 1024)),
        *(embed(rng, 4, width, (200, 90, 30), -127) for width in WIDTHS),
        embed(rng, 3, 1024, (516, 0, 0), -127),
        embed(rng, 3, 48, (1, 1, 1), -7),
        embed(rng, 2, 48, (0, 0, 0), -127),
        *(embed_laid_bare(rng, width, t) for width in (3, 64, 1024) for t in (1, 9, 77, 516)),
    ]


def _inhibitors(rng: Rng) -> list[Case]:
    flags: list[dict[str, Any]] = [{"centred": c, "signed": s} for c in (0, 1) for s in (0, 1)]
    both: dict[str, Any] = {"centred": 1, "signed": 1}
    return [
        *(attention(rng, (5, 1, 9), 3, 8, near=near, **f) for f in flags for near in (True, False)),
        *(attention(rng, (n,), 1, 8, **both) for n in WIDTHS),
        *(attention(rng, (6,), 2, d, **both) for d in (*WIDTHS, 127, 128)),
        attention(rng, (1, 2, 3, 17, 8), 4, 16, near=True, **both),
        attention(rng, (33, 31), 12, 32, near=True, **both),
        attention(rng, (129,), 1, 16, **both),
        every_difference("every-difference-below-128", 1),
        every_difference("every-difference-above-127", 1 - 2 * 128),
        length_ties(20),
        every_clip("every-clip"),
        every_clip("every-clip-unsigned", signed=0),
        *_largest_sums(),
    ]


def _largest_sums() -> list[Case]:
    """Where narrower accumulators than SPEC's would wrap."""
    largest, edge = np.array([2**16 - 1]), np.array([2**30 - 1])
    through = {"score_multiplier": np.array([0]), "score_offset": np.array([0])}
    return [
        largest_sums("all-blocked", 40, 128, 255),
        *(largest_sums(f"all-blocked-{v}", 300, 2, v, output=3) for v in (0, 255)),
        largest_sums("distances", 5, 128, 255, output=3, score_multiplier=[1], score_shift=[8]),
        *(largest_sums(f"all-through-{v}", 300, 2, v, output=9, **through) for v in (0, 255)),
        *(
            largest_sums(
                f"score-{name}-{d}",
                n,
                d,
                v,
                centred=1,
                output=output,
                score_multiplier=sign * largest,
                score_offset=-sign * edge,
                score_shift=np.array([20]),
            )
            for n, d, output in ((7, 128, 3), (40, 64, 6))
            for name, sign, v in (("below", 1, 1), ("above", -1, 254))
        ),
    ]


def _dot_products(rng: Rng) -> list[Case]:
    def dot(lengths: tuple[int, ...], heads: int, d: int, near: bool = False) -> Case:
        return attention(rng, lengths, heads, d, "DotProductAttention", near)

    return [
        dot((5, 1, 9), 3, 8),
        dot((5, 1, 9), 3, 8, near=True),
        *(dot((n,), 1, 8) for n in WIDTHS),
        *(dot((6,), 2, d) for d in (*WIDTHS, 127, 128)),
        dot((33, 31), 12, 32, near=True),
        dot((300,), 1, 4, near=True),
        *(every_weight(rng, multiplier) for multiplier in (2, 1)),
        largest_gap(rng),
    ]


def _means(rng: Rng) -> list[Case]:
    return [
        *(mean_pool(rng, (5, 1, 9), width) for width in (1, 7, 32)),
        mean_pool(rng, (300,), 3, lo=-20, hi=11),
        *(mean_pool_laid_bare(rng, n, 9) for n in (1, 3, 7, 512)),
        mean_pool_extremes(),
    ]


def _all() -> list[Case]:
    rng = np.random.default_rng(1)
    rows = [*_requantizations(rng), *_norms(rng)]
    return [*rows, *_inhibitors(rng), *_dot_products(rng), *_means(rng)]


CASES = _all()

# MeanPool has its body alone. A kernel takes one table; columns with different ones are the
# operator's affair.
NATIVE_CASES = [c for c in CASES if c.operator != "MeanPool"]
KERNEL_CASES = [
    c for c in NATIVE_CASES if c.operator != "RequantizeLookup" or len(c.inputs[4]) == 1
]
