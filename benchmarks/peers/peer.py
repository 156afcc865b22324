"""What every model of the comparison offers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Ids = Sequence[int]
Call = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Peer:
    """A model as it is measured.

    prepare: token ids of B sentences to a call that gives logits [B, labels]; the call starts from
    arrays in the form that the model wants. answer: the same from ids to logits in one step, as a
    user calls it. exact: computes in floats of 32 bits, so its logits must be the teacher's.
    pads: takes sentences of different lengths at once.
    settings: whatever decides its speed, for the record.
    """

    name: str
    prepare: Callable[[Sequence[Ids]], Call]
    settings: dict[str, Any] = field(default_factory=dict)
    exact: bool = False
    pads: bool = True
    answer: Callable[[Sequence[Ids]], np.ndarray] | None = None

    def logits(self, sentences: Sequence[Ids]) -> np.ndarray:
        """[B, labels], from ids."""
        return self.answer(sentences) if self.answer else self.prepare(sentences)()


def padded(sentences: Sequence[Ids], padding: int = 0) -> dict[str, np.ndarray]:
    """Ids, mask and token types int64 [B, T] of sentences padded to the longest of them."""
    length = max(map(len, sentences))
    ids = np.full((len(sentences), length), padding, np.int64)
    mask = np.zeros_like(ids)
    for row, sentence in enumerate(sentences):
        ids[row, : len(sentence)] = sentence
        mask[row, : len(sentence)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def stacked(sentences: Sequence[Ids]) -> dict[str, np.ndarray]:
    """Ids and token types int64 [B, T] of sentences of one length, for a model without a mask."""
    ids = np.array(sentences, np.int64)
    return {"input_ids": ids, "token_type_ids": np.zeros_like(ids)}
