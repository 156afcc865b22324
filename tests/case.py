"""What a case of an operator is, and what the oracle says about it."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import oracle
from numpy.typing import NDArray

Array = NDArray[Any]
FULL = {"lo": -127, "hi": 127}
FUNCTIONS = {
    "Requantize": "requantize",
    "RequantizeLookup": "requantize_lookup",
    "AddLayerNorm": "add_layer_norm",
    "EmbedLayerNorm": "embed_layer_norm",
    "InhibitorAttention": "inhibitor_attention",
    "DotProductAttention": "dot_product_attention",
    "MeanPool": "mean_pool",
}


@dataclass(frozen=True, eq=False)
class Case:
    """An operator's inputs in SPEC's order and its attributes."""

    operator: str
    name: str
    inputs: tuple[Array, ...]
    attributes: dict[str, int]

    def __str__(self) -> str:
        return f"{self.operator}-{self.name}"

    @property
    def function(self) -> str:
        """The operator's name in engine/ops.py and tests/oracle.py."""
        return FUNCTIONS[self.operator]


@cache
def expected(case: Case) -> NDArray[np.uint8]:
    """What the oracle says."""
    return from_oracle(case)


def from_oracle(case: Case) -> NDArray[np.uint8]:
    """The same for a case that is met once."""
    rows = getattr(oracle, case.function)(*(x.tolist() for x in case.inputs), **case.attributes)
    return np.array(rows, np.uint8)


def one_by_one(case: Case) -> list[Case]:
    """An attention case as one case for each of its sentences."""
    qkv, offsets, *rest = case.inputs
    return [
        Case(
            case.operator,
            f"{case.name}-from-{start}",
            (qkv[start:end], np.array([0, end - start]), *rest),
            case.attributes,
        )
        for start, end in pairwise(offsets)
    ]


def int32(x: Any) -> Array:
    return np.asarray(x).astype(np.int32)
