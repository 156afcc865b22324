"""A student as plain integers: what `export.graph.build` writes into the file.

Shapes: C hidden, H heads, K inputs and M outputs of a matrix product, I intermediate. The arrays
are named as docs/SPEC.md names the operators' inputs. Types and shapes are checked here, ranges by
`export.bounds.prove`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Norm:
    """Layer norm: int32 weight [C], int64 norm_bias [C], int32 norm_shift [C]."""

    weight: np.ndarray
    norm_bias: np.ndarray
    norm_shift: np.ndarray

    def expect(self, channels: int) -> None:
        _expect("norm weight", self.weight, np.int32, channels)
        _expect("norm_bias", self.norm_bias, np.int64, channels)
        _expect("norm_shift", self.norm_shift, np.int32, channels)


@dataclass(frozen=True)
class Embeddings:
    """int8 tables word [V,C], position [P,C], token_type [Y,C] (one zero row where the model has
    no token types), their int32 table_multiplier [3,C], and the norm of their sum."""

    word: np.ndarray
    position: np.ndarray
    token_type: np.ndarray
    table_multiplier: np.ndarray
    norm: Norm

    def expect(self, channels: int) -> None:
        for name in ("word", "position", "token_type"):
            table = getattr(self, name)
            _expect(name, table, np.int8, len(table), channels)
        _expect("table_multiplier", self.table_multiplier, np.int32, 3, channels)
        self.norm.expect(channels)


@dataclass(frozen=True)
class Linear:
    """int8 weight [K,M] and int32 bias [M] of a matrix product."""

    weight: np.ndarray
    bias: np.ndarray

    def expect(self, inputs: int, outputs: int) -> None:
        _expect("weight", self.weight, np.int8, inputs, outputs)
        _expect("bias", self.bias, np.int32, outputs)


@dataclass(frozen=True)
class RequantizedLinear(Linear):
    """A product requantized by int32 multiplier [M] and shift [M]."""

    multiplier: np.ndarray
    shift: np.ndarray

    def expect(self, inputs: int, outputs: int) -> None:
        super().expect(inputs, outputs)
        _expect("multiplier", self.multiplier, np.int32, outputs)
        _expect("shift", self.shift, np.int32, outputs)


@dataclass(frozen=True)
class LookupLinear(RequantizedLinear):
    """A requantized product, then an activation function: column k by the row table_index[k] of
    table. Both are uint8, [G,256] and [M]."""

    table: np.ndarray
    table_index: np.ndarray

    def expect(self, inputs: int, outputs: int) -> None:
        super().expect(inputs, outputs)
        _expect("table", self.table, np.uint8, len(self.table), 256)
        _expect("table_index", self.table_index, np.uint8, outputs)


@dataclass(frozen=True)
class NormLinear(RequantizedLinear):
    """A requantized product (to a fraction of the residual's scale), plus the residual times int32
    residual_multiplier [M], normalized."""

    residual_multiplier: np.ndarray
    norm: Norm

    def expect(self, inputs: int, outputs: int) -> None:
        super().expect(inputs, outputs)
        _expect("residual_multiplier", self.residual_multiplier, np.int32, outputs)
        self.norm.expect(outputs)


@dataclass(frozen=True)
class Attention:
    """What both attentions share: int32 score_multiplier, score_offset, score_shift [H] and
    multiplier, shift [C]."""

    score_multiplier: np.ndarray
    score_offset: np.ndarray
    score_shift: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray

    def expect(self, channels: int, heads: int, max_tokens: int) -> None:
        for name in ("score_multiplier", "score_offset", "score_shift"):
            _expect(name, getattr(self, name), np.int32, heads)
        for name in ("multiplier", "shift"):
            _expect(name, getattr(self, name), np.int32, channels)


@dataclass(frozen=True)
class InhibitorAttention(Attention):
    """With the int32 length table [max_tokens + 1]."""

    length: np.ndarray

    def expect(self, channels: int, heads: int, max_tokens: int) -> None:
        super().expect(channels, heads, max_tokens)
        _expect("length", self.length, np.int32, max_tokens + 1)


@dataclass(frozen=True)
class DotProductAttention(Attention):
    """With the uint16 table [256] of exp."""

    table: np.ndarray

    def expect(self, channels: int, heads: int, max_tokens: int) -> None:
        super().expect(channels, heads, max_tokens)
        _expect("table", self.table, np.uint16, 256)


@dataclass(frozen=True)
class IntegerLayer:
    """One transformer layer: qkv [C,3C], attention, attention_output [C,C], intermediate [C,I],
    output [I,C]."""

    qkv: RequantizedLinear
    attention: InhibitorAttention | DotProductAttention
    attention_output: NormLinear
    intermediate: LookupLinear
    output: NormLinear


@dataclass(frozen=True)
class Classifier:
    """From each sentence's first token to its logits: pooler [C,C] and classifier [C,labels]."""

    pooler: LookupLinear
    classifier: Linear

    def expect(self, channels: int, labels: int) -> None:
        self.pooler.expect(channels, channels)
        self.classifier.expect(channels, labels)


@dataclass(frozen=True)
class MeanPool:
    """Each sentence's mean hidden state, requantized by int32 multiplier [C] and shift [C]."""

    multiplier: np.ndarray
    shift: np.ndarray

    def expect(self, channels: int, labels: int) -> None:
        _expect("multiplier", self.multiplier, np.int32, channels)
        _expect("shift", self.shift, np.int32, channels)


@dataclass(frozen=True)
class FirstToken:
    """The first token's hidden state as it is ([CLS])."""

    def expect(self, channels: int, labels: int) -> None:
        """There is nothing to check."""


@dataclass(frozen=True)
class IntegerStudent:
    """All of a student, and what the metadata say.

    `token_types` is False for a model without that input. `temperature`, where one was fitted,
    makes a classifier's probabilities honest. `labels` has one name for each logit
    (regression: one; none where the head makes an embedding). `ValueError` where an array has
    another type or shape than it must.
    """

    embeddings: Embeddings
    layers: tuple[IntegerLayer, ...]
    head: Classifier | MeanPool | FirstToken
    heads: int
    max_tokens: int
    family: str
    problem: str
    labels: tuple[str, ...]
    output_scale: float
    tokenizer: str
    temperature: float | None = None
    centred: bool = True
    signed: bool = True
    n0: float | None = None
    token_types: bool = True
    task: str = ""
    texts: int = 1
    nudged_pairs: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hidden(self) -> int:
        return int(self.embeddings.word.shape[1])

    @property
    def intermediate(self) -> int:
        return int(self.layers[0].intermediate.weight.shape[1])

    def __post_init__(self) -> None:
        channels, wide = self.hidden, self.intermediate
        if self.heads < 1 or channels % self.heads:
            raise ValueError(f"{channels} channels do not divide into {self.heads} heads")
        if len(self.embeddings.position) < self.max_tokens:
            raise ValueError(f"fewer than max_tokens={self.max_tokens} rows of positions")
        self.embeddings.expect(channels)
        for layer in self.layers:
            layer.qkv.expect(channels, 3 * channels)
            layer.attention.expect(channels, self.heads, self.max_tokens)
            layer.attention_output.expect(channels, channels)
            layer.intermediate.expect(channels, wide)
            layer.output.expect(wide, channels)
        self.head.expect(channels, len(self.labels))


def _expect(name: str, array: np.ndarray, dtype: type[np.generic], *shape: int) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(
            f"{name} is {array.dtype} {array.shape}, must be {np.dtype(dtype)} {shape}"
        )
