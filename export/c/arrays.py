"""NumPy arrays as C99 source text."""

import re
from collections.abc import Iterable

import numpy as np

TYPES = {"i1": "int8_t", "u1": "uint8_t", "u2": "uint16_t", "i4": "int32_t", "i8": "int64_t"}
LINE = 100  # characters


def identifier(name: str) -> str:
    """A node's or tensor's name as a C identifier: layer.0.qkv is layer_0_qkv."""
    return re.sub(r"\W", "_", name)


def array(name: str, values: np.ndarray) -> str:
    """The definition of a constant array with this C name, one-dimensional unless a table [G, 256]
    of bytes. Aligned to words, which kernels read four bytes by."""
    suffix = "LL" if values.dtype.itemsize == 8 else ""
    kind = TYPES[values.dtype.str[1:]]
    size = f"[{len(values)}][256]" if values.ndim == 2 else f"[{len(values)}]"
    rows = values if values.ndim == 2 else [values]
    texts = [_lines(_literals(row, suffix)) for row in rows]
    body = ",\n".join(f"{{\n{text}\n}}" for text in texts) if values.ndim == 2 else texts[0]
    return f"ALIGNED const {kind} {name}{size} = {{\n{body}\n}};\n"


def _literals(values: np.ndarray, suffix: str) -> Iterable[str]:
    return (f"{value}{suffix}" for value in values.tolist())


def _lines(literals: Iterable[str]) -> str:
    lines, line = [], ""
    for literal in literals:
        if len(line) + len(literal) > LINE:
            lines.append(line)
            line = ""
        line += literal + ","
    return "\n".join([*lines, line]).removesuffix(",")
