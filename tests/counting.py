"""Integers that count the operations done on them, by kind and width.

`tests/oracle.py` runs on them unchanged, so the operations of an operator are those that its
definition really executes. The formulas of `inhibi.eval` are written down elsewhere and have to
give the same counts. Only data is counted: sizes, offsets, ids and shifts stay plain ints.

What the oracle does for it, besides plain operators on data:

* three helpers stand at its top level, because no operator can tell them:
  `clamp(x, lo, hi)`, `isqrt(v)`, and `fits(x, bits)`, which asserts a bound of the specification
  and returns x (the softmax weights P and every output fit 8 bits, the multiplier after the length
  table and the normalized n 32);
* a sum starts from 0, a distance is `abs(q - k)`, `-z` is taken once per query and key,
  the multiplier after the length table once per sentence and channel,
  `max` of a row by Python's `max`, the one-sided clip by `min`.

Widths, in containers of 8, 16, 32 and 64 bits, the same for both kinds of attention:

* an operation is as wide as its widest operand, and so is its result;
* a sum from 0 is an accumulator: 32 bits, or 64 where its terms have 64;
* a product has twice the width (64 stays); a product with a constant at most 32 unless it had 64;
* `clamp` compares twice in the width of x, its result is as wide as its bounds; a root has half the
  width of its argument.

Kinds: a product that is added to something is one multiply-accumulate, in the product's width; the
absolute value of a difference makes that subtraction an absolute difference; a product with a
constant power of 2, and a division by 2, is a shift; a negation is a subtraction; reading a
`Table` is a look-up of its entries' width.
"""

import math
from collections import Counter
from typing import Any, SupportsIndex
from unittest.mock import patch

import oracle
from case import Case

Tally = Counter[tuple[str, str]]


def container(value: int) -> int:
    """The narrowest of 8, 16, 32 and 64 bits, signed or unsigned, that holds a constant."""
    return next(w for w in (8, 16, 32, 64) if -(2 ** (w - 1)) <= value < 2**w)


class Counted:
    """An int of a known width. `made_by` is the operation that made it, while it may be renamed."""

    __slots__ = ("bits", "made_by", "tally", "value")

    def __init__(
        self, value: int, bits: int, tally: Tally, made_by: tuple[str, int] | None = None
    ) -> None:
        self.value, self.bits, self.tally, self.made_by = value, bits, tally, made_by

    def count(self, kind: str, bits: int, times: int = 1) -> None:
        """Note an operation."""
        key = (kind, f"int{bits}")
        self.tally[key] += times
        if not self.tally[key]:
            del self.tally[key]

    def rename(self, kind: str) -> None:
        """Turn the operation that made this value into `kind`, of the same width."""
        assert self.made_by is not None
        made_by, bits = self.made_by
        self.count(made_by, bits, -1)
        self.count(kind, bits)
        self.made_by = None

    def __add__(self, other: "Counted | int") -> "Counted":
        value, bits = self.value + int(other), max(self.bits, width(other))
        if isinstance(other, int) and other == 0:
            bits = max(bits, 32)
        for term in (other, self):
            if isinstance(term, Counted) and term.made_by and term.made_by[0] == "multiply":
                term.rename("multiply-accumulate")
                return Counted(value, bits, self.tally)
        self.count("add", bits)
        return Counted(value, bits, self.tally)

    __radd__ = __add__

    def __sub__(self, other: "Counted | int") -> "Counted":
        return self._subtract(self.value - int(other), other)

    def __rsub__(self, other: int) -> "Counted":
        return self._subtract(other - self.value, other)

    def __neg__(self) -> "Counted":
        return self._subtract(-self.value, 0)

    def _subtract(self, value: int, other: "Counted | int") -> "Counted":
        bits = max(self.bits, width(other))
        self.count("subtract", bits)
        return Counted(value, bits, self.tally, ("subtract", bits))

    def __abs__(self) -> "Counted":
        self.rename("absolute difference")
        return Counted(abs(self.value), self.bits, self.tally)

    def __mul__(self, other: "Counted | int") -> "Counted":
        value, bits = self.value * int(other), max(self.bits, width(other))
        if isinstance(other, int):
            product = max(bits, min(2 * bits, 32))
            if other > 0 and other & (other - 1) == 0:
                self.count("shift", bits)
                return Counted(value, product, self.tally)
        else:
            product = min(2 * bits, 64)
        self.count("multiply", bits)
        return Counted(value, product, self.tally, ("multiply", bits))

    __rmul__ = __mul__

    def __floordiv__(self, other: "Counted | int") -> "Counted":
        bits = max(self.bits, width(other))
        by_two = isinstance(other, int) and other == 2
        self.count("shift" if by_two else "divide", bits)
        return Counted(self.value // int(other), bits, self.tally)

    def __rfloordiv__(self, other: int) -> "Counted":
        bits = max(self.bits, width(other))
        self.count("divide", bits)
        return Counted(other // self.value, bits, self.tally)

    def __rshift__(self, places: int) -> "Counted":
        self.count("shift", self.bits)
        return Counted(self.value >> places, self.bits, self.tally)

    def __lshift__(self, places: int) -> "Counted":
        return self * 2**places

    def _compare(self, other: "Counted | int") -> int:
        self.count("compare", max(self.bits, width(other)))
        return self.value - int(other)

    def __lt__(self, other: "Counted | int") -> bool:
        return self._compare(other) < 0

    def __gt__(self, other: "Counted | int") -> bool:
        return self._compare(other) > 0

    def __le__(self, other: "Counted | int") -> bool:
        return self._compare(other) <= 0

    def __ge__(self, other: "Counted | int") -> bool:
        return self._compare(other) >= 0

    def __int__(self) -> int:
        return self.value

    __index__ = __int__


def width(value: "Counted | int") -> int:
    """Width of an operand."""
    return value.bits if isinstance(value, Counted) else container(value)


class Table(list[Counted]):
    """A list whose reading is a look-up."""

    def __getitem__(self, index: SupportsIndex) -> Counted:  # type: ignore[override]
        entry = super().__getitem__(index)
        entry.count("look-up", entry.bits)
        return entry


def clamp(x: Counted, lo: Counted | int, hi: Counted | int) -> Counted:
    """The oracle's clamp, for a value that stands for a datum."""
    x.count("compare", x.bits, 2)
    return Counted(min(max(x.value, int(lo)), int(hi)), max(width(lo), width(hi)), x.tally)


def isqrt(x: Counted) -> Counted:
    """The oracle's square root."""
    x.count("square root", x.bits)
    return Counted(math.isqrt(x.value), x.bits // 2, x.tally)


def fits(x: Counted, bits: int) -> Counted:
    """The oracle's proven bound: what fits fewer bits is kept in as many."""
    assert -(2 ** (bits - 1)) <= x.value < 2**bits
    return Counted(x.value, min(x.bits, bits), x.tally)


# How wide each input is, in SPEC's order, by its proven range; 0: no data, stays plain ints.
WIDTHS = {
    "Requantize": (32, 32, 32, 0),
    "RequantizeLookup": (32, 32, 32, 0, 8, 0),
    "AddLayerNorm": (32, 32, 32, 0, 8, 8, 32, 64, 0),
    "EmbedLayerNorm": (0, 0, 0, 8, 8, 8, 16, 32, 64, 0),
    "InhibitorAttention": (8, 0, 32, 32, 0, 32, 0, 32),
    "DotProductAttention": (8, 0, 32, 32, 0, 32, 0, 16),
    "MeanPool": (8, 0, 32, 0),
}
TABLES = {("RequantizeLookup", 4), ("DotProductAttention", 7)}


def execute(case: Case) -> tuple[Tally, list[list[int]]]:
    """The operations that the oracle executes on a case, and its result."""
    tally: Tally = Counter()
    inputs = []
    for i, (x, bits) in enumerate(zip(case.inputs, WIDTHS[case.operator], strict=True)):
        values = counted(x.tolist(), bits, tally) if bits else x.tolist()
        inputs.append(tables(values) if (case.operator, i) in TABLES else values)
    with patch.multiple(oracle, clamp=clamp, isqrt=isqrt, fits=fits):
        rows = getattr(oracle, case.function)(*inputs, **case.attributes)
    return tally, [[int(value) for value in row] for row in rows]


def tables(values: Any) -> Any:
    """A table, or a list of tables."""
    return [tables(row) for row in values] if isinstance(values[0], list) else Table(values)


def counted(values: Any, bits: int, tally: Tally) -> Any:
    """Nested lists of ints as nested lists of `Counted`."""
    if isinstance(values, int):
        return Counted(values, bits, tally)
    return [counted(value, bits, tally) for value in values]
