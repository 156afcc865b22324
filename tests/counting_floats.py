"""Floats that count the operations done on them, by kind.

tests/rivals.py runs on them unchanged. As in tests/counting.py a product that is added to
something is one multiply-accumulate, and the absolute value of a difference makes that subtraction
an absolute difference. Only data is counted: 1 / C, a length and a constant slope are plain
numbers.
"""

import math
from collections import Counter
from typing import Any
from unittest.mock import patch

import rivals

Kinds = Counter[str]


class Real:
    """A float. `made_by` is the operation that made it, while it may be renamed."""

    __slots__ = ("kinds", "made_by", "value")

    def __init__(self, value: float, kinds: Kinds, made_by: str = "") -> None:
        self.value, self.kinds, self.made_by = value, kinds, made_by

    def made(self, kind: str, value: float) -> "Real":
        """The result of one such operation."""
        self.kinds[kind] += 1
        return Real(value, self.kinds, kind)

    def rename(self, kind: str) -> None:
        """Turn the operation that made this into `kind`."""
        self.kinds[self.made_by] -= 1
        self.kinds[kind] += 1

    def __add__(self, other: "Real | float") -> "Real":
        value = self.value + float(other)
        for term in (other, self):
            if isinstance(term, Real) and term.made_by == "multiply":
                term.rename("multiply-accumulate")
                return Real(value, self.kinds)
        return self.made("add", value)

    __radd__ = __add__

    def __sub__(self, other: "Real | float") -> "Real":
        return self.made("subtract", self.value - float(other))

    def __rsub__(self, other: float) -> "Real":
        return self.made("subtract", other - self.value)

    def __neg__(self) -> "Real":
        return self.made("subtract", -self.value)

    def __abs__(self) -> "Real":
        assert self.made_by == "subtract"
        self.rename("absolute difference")
        return Real(abs(self.value), self.kinds)

    def __mul__(self, other: "Real | float") -> "Real":
        return self.made("multiply", self.value * float(other))

    __rmul__ = __mul__

    def __truediv__(self, other: "Real | float") -> "Real":
        return self.made("divide", self.value / float(other))

    def __rtruediv__(self, other: float) -> "Real":
        return self.made("divide", other / self.value)

    def __lt__(self, other: "Real | float") -> bool:
        self.kinds["compare"] += 1
        return self.value < float(other)

    def __gt__(self, other: "Real | float") -> bool:
        self.kinds["compare"] += 1
        return self.value > float(other)

    def __float__(self) -> float:
        return self.value


def clamp(x: Real, lo: Real, hi: Real) -> Real:
    x.kinds["compare"] += 2
    return Real(min(max(x.value, lo.value), hi.value), x.kinds)


def relu(x: Real) -> Real:
    return Real(x.value if x > 0 else 0.0, x.kinds)


def execute(function: Any, *arguments: Any, **plain: Any) -> tuple[Kinds, Any]:
    """What one of tests/rivals.py's functions executes in floats, and its result. Floats among
    `arguments`, in lists or not, are data; all else stays as it is."""
    kinds: Kinds = Counter()
    helpers = {
        "clamp": clamp,
        "exp": lambda x: x.made("exp", math.exp(x.value)),
        "sqrt": lambda x: x.made("square root", math.sqrt(x.value)),
        "relu": relu,
        "fused": lambda x: Real(x.value, kinds),
    }
    with patch.multiple(rivals, **helpers):
        made = function(*(_real(x, kinds) for x in arguments), **plain)
    return +kinds, _plain(made)


def _real(x: Any, kinds: Kinds) -> Any:
    if isinstance(x, float):
        return Real(x, kinds)
    return [_real(a, kinds) for a in x] if isinstance(x, list) else x


def _plain(x: Any) -> Any:
    return [_plain(a) for a in x] if isinstance(x, list) else float(x)
