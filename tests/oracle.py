"""The operators of docs/SPEC.md over nested lists of plain Python ints, written for reading.

Nothing of the package and no array library is used, so this cannot share a mistake with an engine:
it makes the expected results. Inputs stand in SPEC's order, attributes are keywords. It also runs
on integers that count their operations (tests/counting.py), so data meets operators, `sum`, `min`,
`max`, `abs` and the three helpers at the end only, and nothing is computed twice.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

Row = Sequence[int]
Table = Sequence[Row]
Rows = list[list[int]]


def requantize(acc: Table, bias: Row, multiplier: Row, shift: Row, *, lo: int, hi: int) -> Rows:
    return [_bytes(_requantized(a, bias, multiplier, shift, lo, hi)) for a in acc]


def requantize_lookup(
    acc: Table,
    bias: Row,
    multiplier: Row,
    shift: Row,
    table: Table,
    table_index: Row,
    *,
    lo: int,
    hi: int,
) -> Rows:
    rows = requantize(acc, bias, multiplier, shift, lo=lo, hi=hi)
    return [[table[i][y] for i, y in zip(table_index, row, strict=True)] for row in rows]


def add_layer_norm(
    acc: Table,
    bias: Row,
    multiplier: Row,
    shift: Row,
    residual: Table,
    residual_multiplier: Row,
    weight: Row,
    norm_bias: Row,
    norm_shift: Row,
    *,
    lo: int,
    hi: int,
) -> Rows:
    limit = 2**15 - 1
    result = []
    for a, r in zip(acc, residual, strict=True):
        branch = _requantized(a, bias, multiplier, shift, -limit, limit)
        x = [b + (q - 128) * t for b, q, t in zip(branch, r, residual_multiplier, strict=True)]
        result.append(_bytes(_norm(x, weight, norm_bias, norm_shift, lo, hi)))
    return result


def embed_layer_norm(
    input_ids: Row,
    position_ids: Row,
    token_type_ids: Row,
    word: Table,
    position: Table,
    token_type: Table,
    table_multiplier: Rows,
    weight: Row,
    norm_bias: Row,
    norm_shift: Row,
    *,
    lo: int,
    hi: int,
) -> Rows:
    result = []
    for i, p, y in zip(input_ids, position_ids, token_type_ids, strict=True):
        rows = zip(*table_multiplier, word[i], position[p], token_type[y], strict=True)
        x = [a * e + b * f + c * g for a, b, c, e, f, g in rows]
        result.append(_bytes(_norm(x, weight, norm_bias, norm_shift, lo, hi)))
    return result


def inhibitor_attention(
    qkv: Table,
    offsets: Row,
    score_multiplier: Row,
    score_offset: Row,
    score_shift: Row,
    multiplier: Row,
    shift: Row,
    length: Row,
    *,
    heads: int,
    centred: int,
    signed: int,
    lo: int,
    hi: int,
) -> Rows:
    result: Rows = []
    for start, end in pairwise(offsets):
        n = end - start
        context: Rows = [[] for _ in range(n)]
        for h, (q, k, v) in enumerate(_heads(qkv[start:end], heads)):
            values = [[x - 128 for x in row] for row in v]
            for i in range(n):
                s = [sum(abs(a - b) for a, b in zip(q[i], key, strict=True)) for key in k]
                if centred:
                    mean = (2 * sum(s) + n) // (2 * n)
                    s = [x - mean for x in s]
                scores = [(x * score_multiplier[h] + score_offset[h]) >> score_shift[h] for x in s]
                z = [clamp(x, 0, 127) for x in scores]
                context[i] += _inhibited(values, z, signed)
        scaled = [fits((m * length[n] + 2**14) >> 15, 32) for m in multiplier]
        result += [_bytes(_req(row, scaled, shift, lo, hi)) for row in context]
    return result


def mean_pool(x: Table, offsets: Row, multiplier: Row, shift: Row, *, lo: int, hi: int) -> Rows:
    result: Rows = []
    for start, end in pairwise(offsets):
        n = end - start
        totals = [sum(column) for column in zip(*x[start:end], strict=True)]
        mean = [(512 * total + n) // (2 * n) - 2**15 for total in totals]
        result.append(_bytes(_req(mean, multiplier, shift, lo, hi)))
    return result


def dot_product_attention(
    qkv: Table,
    offsets: Row,
    score_multiplier: Row,
    score_offset: Row,
    score_shift: Row,
    multiplier: Row,
    shift: Row,
    table: Row,
    *,
    heads: int,
    lo: int,
    hi: int,
) -> Rows:
    result: Rows = []
    for start, end in pairwise(offsets):
        context: Rows = [[] for _ in range(start, end)]
        for h, parts in enumerate(_heads(qkv[start:end], heads)):
            q, k, v = ([[x - 128 for x in row] for row in part] for part in parts)
            for i, query in enumerate(q):
                s = [_dot(query, key) for key in k]
                top = max(s)
                gaps = [
                    ((top - x) * score_multiplier[h] + score_offset[h]) >> score_shift[h] for x in s
                ]
                e = [table[min(gap, 255)] for gap in gaps]
                total = sum(e)
                half = total // 2
                p = [fits((255 * x + half) // total, 8) for x in e]
                context[i] += [_dot(p, column) for column in zip(*v, strict=True)]
        result += [_bytes(_req(row, multiplier, shift, lo, hi)) for row in context]
    return result


def matmul_integer(a: Table, b: Table, zero_point: int = 128) -> Rows:
    columns = list(zip(*b, strict=True))
    values = [[x - zero_point for x in row] for row in a]
    return [[_dot(row, column) for column in columns] for row in values]


def _requantized(acc: Row, bias: Row, multiplier: Row, shift: Row, lo: int, hi: int) -> list[int]:
    total = [a + b for a, b in zip(acc, bias, strict=True)]
    return _req(total, multiplier, shift, lo, hi)


def _req(acc: Row, multiplier: Row, shift: Row, lo: int, hi: int) -> list[int]:
    return [
        clamp((a * m + 2 ** (s - 1)) >> s, lo, hi)
        for a, m, s in zip(acc, multiplier, shift, strict=True)
    ]


def _norm(x: Row, weight: Row, bias: Row, shift: Row, lo: int, hi: int) -> list[int]:
    channels, total = len(x), sum(x)
    u = [channels * a - total for a in x]
    v = sum(a * a for a in u) // channels + 1
    d = isqrt(v)
    r = (2**44 + d // 2) // d
    n = [fits((a * r + 2**23) >> 24, 32) for a in u]
    return [
        clamp((a * w + b + 2 ** (t - 1)) >> t, lo, hi)
        for a, w, b, t in zip(n, weight, bias, shift, strict=True)
    ]


def _heads(qkv: Table, heads: int) -> list[tuple[Table, Table, Table]]:
    """q, k and v of each head, [n][d] each, still with their zero point."""
    hidden = len(qkv[0]) // 3
    d = hidden // heads

    def part(column: int) -> Table:
        return [row[column : column + d] for row in qkv]

    return [(part(h * d), part(hidden + h * d), part(2 * hidden + h * d)) for h in range(heads)]


def _inhibited(v: Table, z: Row, signed: int) -> list[int]:
    """One query's h [d]: values v [n][d] under z [n]."""
    if signed:
        least = [-x for x in z]
        terms: Iterable[list[int]] = (
            [a - clamp(a, lo, hi) for a in row] for row, lo, hi in zip(v, least, z, strict=True)
        )
    else:
        terms = ([a - min(a, hi) for a in row] for row, hi in zip(v, z, strict=True))
    return [sum(column) for column in zip(*terms, strict=True)]


def _dot(a: Row, b: Row) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _bytes(y: Row) -> list[int]:
    return [fits(128 + x, 8) for x in y]


def clamp(x: int, lo: int, hi: int) -> int:
    return lo if x < lo else hi if x > hi else x


def isqrt(v: int) -> int:
    """Floor of the square root."""
    return math.isqrt(v)


def fits(x: int, bits: int) -> int:
    """x, which SPEC's bounds keep within so many bits, signed or not."""
    assert -(2 ** (bits - 1)) <= x < 2**bits
    return x
