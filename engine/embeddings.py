"""Sentence embeddings as a person uses them."""

from dataclasses import dataclass

import numpy as np

from inhibi.engine.errors import InputError


@dataclass(frozen=True)
class Embeddings:
    """One vector for each of B texts.

    vectors: int8 [B, hidden] (of a float checkpoint float32); times `scale` they are the float
    student's. Cosines need no scale. tokens: how many were read of each text; truncated: whether
    it has more.
    """

    vectors: np.ndarray
    scale: float
    tokens: list[int]
    truncated: list[bool]

    def unit(self) -> np.ndarray:
        """float32 [B, hidden] of length 1: `unit() @ unit().T` are the cosines between all texts.
        A vector of zeros stays one."""
        values = self.vectors.astype(np.float32)
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        return values / np.where(lengths > 0, lengths, 1)

    def cosines(self, other: "Embeddings") -> np.ndarray:
        """float32 [B] between each of these and the other's at its place."""
        found: np.ndarray = (self.unit() * other.unit()).sum(axis=1)
        return found


def expect(embeds: bool, wanted: bool) -> None:
    """`InputError` where a model that embeds is asked for labels, or the other way round."""
    if embeds and not wanted:
        raise InputError("this model makes embeddings, no labels: use embed() or infer --embed")
    if wanted and not embeds:
        raise InputError(
            "this model gives labels or scores, no embeddings: train one with "
            "qat-train --head embedding"
        )
