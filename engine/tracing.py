"""What a person reads about a sentence's tensors: `infer --trace` and `infer --diff`."""

from collections.abc import Sequence

import numpy as np

from inhibi.engine.table import columns

Tensors = Sequence[tuple[str, np.ndarray]]


def table(tensors: Tensors) -> str:
    """One row for each tensor: name, shape, dtype, least and greatest value."""
    rows = [("name", "shape", "dtype", "min", "max")]
    for name, values in tensors:
        shape = "x".join(map(str, values.shape)) or "scalar"
        ends = (str(values.min()), str(values.max())) if values.size else ("-", "-")
        rows.append((name, shape, str(values.dtype), *ends))
    return columns(rows, left=3)


def first_difference(engines: tuple[str, str], left: Tensors, right: Tensors) -> str | None:
    """Where two engines' tensors part, in one line; None where all are equal, types included."""
    for (name, a), (other, b) in zip(left, right, strict=False):
        if name != other:
            return f"{engines[0]} computes {name} where {engines[1]} computes {other}"
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            return f"{name} differs: {engines[0]} {_kind(a)}, {engines[1]} {_kind(b)}"
        if not np.array_equal(a, b):
            return f"{name} differs: {_values(engines, a, b)}"
    if len(left) != len(right):
        return f"{engines[0]} has {len(left)} tensors, {engines[1]} {len(right)}"
    return None


def _values(engines: tuple[str, str], a: np.ndarray, b: np.ndarray) -> str:
    places = np.argwhere(a != b)
    first = tuple(places[0].tolist())
    values = f"{engines[0]} {a[first]}, {engines[1]} {b[first]}"
    return f"{len(places)} of {a.size} values, the first at {list(first)}: {values}"


def _kind(values: np.ndarray) -> str:
    return f"{values.dtype} {list(values.shape)}"
