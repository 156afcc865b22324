"""Weights and activations that come closest to, or pass, what 16 bits hold for two products."""

from dataclasses import replace
from typing import TypeVar

import numpy as np
from tiny import tiny_student

from inhibi.export.integers import Classifier, IntegerStudent, Linear, NormLinear

AnyLinear = TypeVar("AnyLinear", bound=Linear)

PAIRS = {
    "64 + 64": (64, 64),
    "127 + 1": (127, 1),
    "1 + 127": (1, 127),
    "65 + 64": (65, 64),  # one more than the rule allows
    "127 + 127": (127, 127),
}
KEPT = ("64 + 64", "127 + 1", "1 + 127")
BROKEN = ("65 + 64", "127 + 127")


def worst_weight(pair: tuple[int, int], inputs: int, outputs: int) -> np.ndarray:
    """int8 [K, M]: the pair down every column, all of one sign."""
    column = np.resize(np.array(pair, np.int8), inputs)
    sign = np.where(np.arange(outputs) % 2, -1, 1)
    return (column[:, None] * sign).astype(np.int8)


def worst_activations(rows: int, inputs: int) -> np.ndarray:
    """uint8 [N, K]: all 255, all 1, then a random mix of both."""
    mixed = np.random.default_rng(0).choice([1, 255], (rows, inputs))
    mixed[0] = 255
    mixed[1:2] = 1
    return mixed.astype(np.uint8)


def worst_student(pairs: tuple[str, ...], attention: str = "inhibitor") -> IntegerStudent:
    """A tiny student of these weight pairs, each of random sign, whose norms mostly saturate."""
    student = tiny_student(layers=1, attention=attention)
    random = np.random.default_rng(0)

    def worst(linear: AnyLinear) -> AnyLinear:
        rows, columns = linear.weight.shape
        kinds = random.choice([PAIRS[name] for name in pairs], (rows // 2, columns))
        sign = random.choice([-1, 1], (rows // 2, 1, columns))
        weight = (kinds.transpose(0, 2, 1) * sign).reshape(rows, columns)
        return replace(linear, weight=weight.astype(np.int8))

    def loud(linear: NormLinear) -> NormLinear:
        return replace(linear, norm=replace(linear.norm, norm_shift=linear.norm.norm_shift - 3))

    assert isinstance(student.head, Classifier)
    layers = [
        replace(
            layer,
            qkv=worst(layer.qkv),
            attention_output=loud(worst(layer.attention_output)),
            intermediate=worst(layer.intermediate),
            output=loud(worst(layer.output)),
        )
        for layer in student.layers
    ]
    return replace(
        student,
        layers=tuple(layers),
        head=Classifier(worst(student.head.pooler), worst(student.head.classifier)),
    )
