"""Mistakes to make in engine/ops.py: a piece of its source, and what may stand there instead.

Left out because it would change nothing: another start of the root within a factor of 2.
"""

REQ = "multiplier + (1 << (shift - 1))) >> shift, lo, hi)"
NORM = "bias + (1 << (shift - 1))) >> shift, lo, hi)"
RANGE = "-(2**15 - 1), 2**15 - 1)"
RESIDUAL = "(_wide(residual) - ZERO_POINT) * residual_multiplier"
Z = "z = ((s - mean) *"
INDEX = "index = (gap *"
DISTANCE = "np.abs(q.T[:, rows, None] - keys)"
MEAN = "mean = (512 * total + n) // (2 * n) - 256 * ZERO_POINT"
HEADS = "values.transpose(2, 1, 0, 3)"

MUTATIONS: dict[str, dict[str, str]] = {
    # requantization
    REQ: {
        "shift off by one": "multiplier + (1 << (shift - 1))) >> shift - 1, lo, hi)",
        "no rounding": "multiplier) >> shift, lo, hi)",
        "rounding one too small": "multiplier + (1 << (shift - 1)) - 1) >> shift, lo, hi)",
        "rounding of another shift": "multiplier + (1 << shift)) >> shift, lo, hi)",
        "halves to even": "multiplier / 2.0**shift).round().astype(int), lo, hi)",
        "halves away from zero": "multiplier + (1 << (shift - 1)) - (acc < 0)) >> shift, lo, hi)",
        "towards zero": "multiplier / 2.0**shift + 0.5).astype(int), lo, hi)",
        "lower clip": "multiplier + (1 << (shift - 1))) >> shift, lo - 1, hi)",
        "upper clip": "multiplier + (1 << (shift - 1))) >> shift, lo, hi + 1)",
        "clip bounds ignored": "multiplier + (1 << (shift - 1))) >> shift, -127, 127)",
        "reduced to zero": "multiplier + (1 << (shift - 1))) >> shift, max(lo, 0), hi)",
    },
    "_wide(acc) * multiplier": {
        "product in 32 bits": "(_wide(acc) * multiplier).astype(np.int32)",
        "in single precision": "(np.float32(acc) * np.float32(multiplier)).astype(np.int64)",
        "multiplier without its sign": "_wide(acc) * abs(multiplier)",
        "multiplier of one channel": "_wide(acc) * multiplier[..., :1]",
    },
    "shift = _wide(shift)\n    return np.clip((_wide(acc)": {
        "shift of one channel": "shift = _wide(shift)[:1]\n    return np.clip((_wide(acc)",
    },
    "_byte(_req(_wide(acc) + bias,": {"bias forgotten": "_byte(_req(_wide(acc),"},
    "ZERO_POINT = 128": {"zero point": "ZERO_POINT = 127"},
    "(y + ZERO_POINT)": {"output's zero point": "(y + 127)"},
    "return table[table_index, requantize(": {
        "table off by one": "return table[table_index, -1 + requantize(",
        "table backwards": "return table[:, ::-1][table_index, requantize(",
        "one table for all": "return table[0, requantize(",
        "tables exchanged": "return table[::-1][table_index, requantize(",
    },
    # layer norms
    RANGE: {
        "branch's lower clip": "-(2**15), 2**15 - 1)",
        "branch's upper clip": "-(2**15 - 1), 2**15)",
    },
    "x = _req(_wide(acc) + bias,": {"branch's bias": "x = _req(_wide(acc),"},
    RESIDUAL: {
        "residual's multipliers forgotten": "(_wide(residual) - ZERO_POINT) * 64",
        "residual's multiplier of one channel": f"{RESIDUAL}[:1]",
        "residual's multipliers in 6 bits": f"{RESIDUAL}.clip(0, 63)",
        "residual's zero point": "(_wide(residual) - 127) * residual_multiplier",
        "residual's sign": "(ZERO_POINT - _wide(residual)) * residual_multiplier",
        "residual forgotten": "0",
    },
    "word[input_ids], position[position_ids]": {
        "tables exchanged": "position[position_ids], word[input_ids]",
    },
    "_wide(row) * t for": {"multiplier of a table": "_wide(row) * (t - 1) for"},
    "u = channels * x - x.sum(axis=1, keepdims=True)": {
        "rounded mean": "u = channels * (x - x.sum(axis=1, keepdims=True) // channels)",
        "mean off by one": "u = channels * x - x.sum(axis=1, keepdims=True) + 1",
        "mean of the whole batch": "u = channels * x - x.sum() // len(x)",
    },
    "// channels + 1": {
        "variance without its 1": "// channels",
        "variance plus 2": "// channels + 2",
        "variance by C - 1": "// max(channels - 1, 1) + 1",
    },
    'root = 2 ** np.searchsorted(POWERS_OF_FOUR, v, side="right")': {
        "root from a fixed start": "root = np.full_like(v, 2**26)",
    },
    "range(6)": {"too few steps": "range(3)"},
    "return root - (root * root > v)": {
        "root's correction": "return root",
        "root's correction of squares": "return root - (root * root >= v)",
        "root's correction always": "return root - 1",
    },
    "r = (2**44 + d // 2) // d": {
        "reciprocal's unit": "r = (2**43 + d // 2) // d",
        "reciprocal rounded down": "r = 2**44 // d",
        "reciprocal rounded up": "r = (2**44 + d - 1) // d",
    },
    "(u * r + 2**23) >> 24": {
        "normalized value rounded down": "(u * r) >> 24",
        "normalized value's shift": "(u * r + 2**23) >> 23",
        "normalized value towards zero": "np.fix((u * r + 2**23) / 2**24).astype(int)",
    },
    NORM: {
        "norm's rounding": "bias) >> shift, lo, hi)",
        "norm's shift": "bias + (1 << (shift - 1))) >> shift + 1, lo, hi)",
        "norm's bias": "0 + (1 << (shift - 1))) >> shift, lo, hi)",
        "norm's lower clip": "bias + (1 << (shift - 1))) >> shift, lo - 1, hi)",
        "norm's upper clip": "bias + (1 << (shift - 1))) >> shift, lo, hi + 1)",
    },
    "(n * weight +": {
        "norm's weight without its sign": "(n * abs(weight) +",
        "norm in single precision": "((np.float32(n) * np.float32(weight)).astype(np.int64) +",
    },
    # inhibitor attention
    "mean = (2 * s.sum(axis=1, keepdims=True) + n) // (2 * n) * centred": {
        "mean's rounding": "mean = s.sum(axis=1, keepdims=True) // n * centred",
        "mean of a key": "mean = (2 * s.sum(axis=0, keepdims=True) + n) // (2 * n) * centred",
        "mean of the sentence": "mean = (2 * s.sum() + n * n) // (2 * n * n) * centred",
        "never centred": "mean = 0",
        "always centred": "mean = (2 * s.sum(axis=1, keepdims=True) + n) // (2 * n)",
        "mean over one more": "mean = (2 * s.sum(1, keepdims=True) + n) // (2 * n + 2) * centred",
    },
    Z: {
        "score's shift": "z = 2 * ((s - mean) *",
        "score's rounding": "z = (-1 + (s - mean) *",
        "score in 32 bits": "z = ((s - mean).astype(np.int32) *",
        "score's sign": "z = ((mean - s) *",
        "score in 15 bits": "z = ((s - mean).clip(-(2**14), 2**14) *",
    },
    "(s - mean) * int(score_multiplier[i])": {
        "score of the first head": "(s - mean) * int(score_multiplier[0])",
    },
    "np.clip(z, 0, 127)": {
        "threshold's lower clip": "np.clip(z, 1, 127)",
        "threshold unclipped below": "np.clip(z, -127, 127)",
        "threshold's upper clip": "np.clip(z, 0, 126)",
        "threshold in 8 bits and a half": "np.clip(z, 0, 128)",
    },
    "scaled = (_wide(multiplier) * length[n] + 2**14) >> 15": {
        "length forgotten": "scaled = _wide(multiplier)",
        "length of the neighbour": "scaled = (_wide(multiplier) * length[n - 1] + 2**14) >> 15",
        "length's rounding": "scaled = (_wide(multiplier) * length[n]) >> 15",
        "length rounded up": "scaled = (_wide(multiplier) * length[n] + 2**15 - 1) >> 15",
        "length's shift": "scaled = (_wide(multiplier) * length[n] + 2**14) >> 14",
        "length at most 1": "scaled = (_wide(multiplier) * min(length[n], 2**15) + 2**14) >> 15",
    },
    "least = -z if signed else np.full_like(z, -ZERO_POINT)": {
        "always signed": "least = -z",
        "never signed": "least = np.full_like(z, -ZERO_POINT)",
        "signed lower bound": "least = -z - 1 if signed else np.full_like(z, -ZERO_POINT)",
        "unsigned lower bound": "least = -z if signed else np.full_like(z, -127)",
        "unsigned like ReLU": "least = -z if signed else np.zeros_like(z)",
    },
    DISTANCE: {
        "distances with a sign": "(q.T[:, rows, None] - keys)",
        "distances in 8 bits": f"{DISTANCE}.astype(np.int8)",
        "differences that saturate": f"np.minimum({DISTANCE}, 254)",
        "differences of signed bytes that saturate": f"np.minimum({DISTANCE}, 127)",
        "squares": f"({DISTANCE} ** 2)",
    },
    "dtype=np.int64": {"values summed in 16 bits": "dtype=np.int16"},
    "_wide(v).sum(axis=0) -": {"values in 16 bits": "v.sum(axis=0, dtype=np.int16) -"},
    HEADS: {
        "keys and values exchanged": f"{HEADS}[:, [0, 2, 1]]",
        "queries and keys exchanged": f"{HEADS}[:, [1, 0, 2]]",
        "heads exchanged": f"{HEADS}[::-1]",
    },
    "pairwise(offsets.tolist())": {"sentences run together": "[(0, int(offsets[-1]))]"},
    "qkv[start:end], heads": {
        "next sentence's bytes": "np.roll(qkv, -1, axis=0)[start:end], heads",
    },
    # dot-product attention
    "gap = s.max(axis=1, keepdims=True) - s": {
        "smallest instead of largest": "gap = s - s.min(axis=1, keepdims=True)",
        "largest of all rows": "gap = s.max() - s",
        "largest of a column": "gap = abs(s.max(axis=0, keepdims=True) - s)",
    },
    INDEX: {
        "index's rounding": "index = (-1 + gap *",
        "index's shift": "index = 2 * (gap *",
        "index in 32 bits": "index = (gap.astype(np.int32) *",
    },
    "np.minimum(index, 255)": {
        "index's end": "np.minimum(index, 254)",
        "index wraps": "index % 256",
    },
    "p = (255 * e + total // 2) // total": {
        "weight's rounding": "p = 255 * e // total",
        "weight's unit": "p = (256 * e + total // 2) // total",
        "weight's largest": "p = np.minimum((255 * e + total // 2) // total, 254)",
    },
    "e = _wide(table[np.": {"exponential in 15 bits": "e = np.minimum(2**15, table[np."},
    # mean pooling
    MEAN: {
        "mean rounded down": "mean = 512 * total // (2 * n) - 256 * ZERO_POINT",
        "mean's halves down": "mean = (512 * total + n - 1) // (2 * n) - 256 * ZERO_POINT",
        "mean in whole steps": "mean = ((2 * total + n) // (2 * n) - ZERO_POINT) * 256",
        "sum instead of mean": "mean = 256 * total - 256 * ZERO_POINT * n",
    },
    "np.add.reduceat(_wide(x), starts, axis=0)": {
        "sums in 16 bits": "np.add.reduceat(_wide(x), starts, axis=0).astype(np.int16)",
        "sums without the last token": "np.add.reduceat(_wide(x), starts, axis=0) - x[-1]",
    },
}
