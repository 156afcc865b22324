"""Small random students with sensible integers: nothing saturates everywhere, logits vary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from inhibi.engine.fixed import (
    exp_table,
    length_table,
    multiplier_shift,
    norm_parameters,
    round_half_up,
    score_multiplier_offset_shift,
)
from inhibi.export.integers import (
    Classifier,
    DotProductAttention,
    Embeddings,
    FirstToken,
    InhibitorAttention,
    IntegerLayer,
    IntegerStudent,
    Linear,
    LookupLinear,
    MeanPool,
    Norm,
    NormLinear,
    RequantizedLinear,
)
from inhibi.export.weight_pairs import limit_pairs

SPREAD = 40.0  # standard deviation of activations and weights, in their units
N0 = 16.0
SENTENCE = "a great film and the plot is not dull but it was very good , no bad cold movie of warm"
WORDS = SENTENCE.split()
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = list(dict.fromkeys([*SPECIAL, *WORDS, *LETTERS, *(f"##{c}" for c in LETTERS)]))


def tokenizer_json() -> str:
    """A lower-casing WordPiece tokenizer of `VOCABULARY`, for single texts and pairs."""
    pieces = {word: i for i, word in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, pieces[token]) for token in ("[CLS]", "[SEP]")],
    )
    return str(tokenizer.to_str())


@dataclass(frozen=True)
class Ids:
    """One sentence as the engines take it."""

    ids: list[int]
    type_ids: list[int]


def sentences(*lengths: int, seed: int = 0) -> list[Ids]:
    """Random sentences of these lengths."""
    random = np.random.default_rng(seed)
    return [
        Ids(random.integers(0, len(VOCABULARY), n).tolist(), random.integers(0, 2, n).tolist())
        for n in lengths
    ]


def tiny_student(
    layers: int = 2,
    hidden: int = 32,
    heads: int = 4,
    intermediate: int = 48,
    max_tokens: int = 40,
    attention: str = "inhibitor",
    centred: bool = True,
    signed: bool = True,
    n0: float | None = N0,
    token_types: bool = True,
    labels: Sequence[str] = ("negative", "positive"),
    problem: str = "classification",
    pooling: str | None = None,
    seed: int = 0,
) -> IntegerStudent:
    """A random student; the same arguments give the same integers. With `pooling` it embeds."""
    draw = _Draw(np.random.default_rng(seed))
    width = hidden // heads
    make_attention = draw.inhibitor if attention == "inhibitor" else draw.dot_product
    return IntegerStudent(
        embeddings=draw.embeddings(hidden, max_tokens, token_types),
        layers=tuple(
            IntegerLayer(
                qkv=RequantizedLinear(**draw.requantized(hidden, 3 * hidden, SPREAD)),
                attention=make_attention(heads, width, max_tokens, n0, centred),
                attention_output=draw.norm_linear(hidden, hidden),
                intermediate=draw.lookup(hidden, intermediate, lambda x: x * (x > 0)),
                output=draw.norm_linear(intermediate, hidden),
            )
            for _ in range(layers)
        ),
        head=draw.embedding(hidden, pooling) if pooling else draw.classifier(hidden, len(labels)),
        heads=heads,
        max_tokens=max_tokens,
        family="bert",
        problem="embedding" if pooling else problem,
        labels=() if pooling else tuple(labels),
        output_scale=1e-4,
        tokenizer=tokenizer_json(),
        centred=centred,
        signed=signed,
        n0=n0 if attention == "inhibitor" else None,
        token_types=token_types,
        task="",
        provenance={"teacher": "random", "seed": seed},
    )


class _Draw:
    """Random parts, each with about `SPREAD` at its output."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random

    def bytes(self, *shape: int) -> np.ndarray:
        drawn = self.random.normal(0, SPREAD, shape)
        return np.clip(round_half_up(drawn), -127, 127).astype(np.int8)

    def weight(self, inputs: int, outputs: int) -> np.ndarray:
        return limit_pairs(self.bytes(inputs, outputs))[0]

    def bias(self, inputs: int, outputs: int) -> np.ndarray:
        size = 0.3 * SPREAD * SPREAD * np.sqrt(inputs)
        return round_half_up(self.random.normal(0, size, outputs)).astype(np.int32)

    def requantized(self, inputs: int, outputs: int, spread: float) -> dict[str, np.ndarray]:
        real = spread / (SPREAD * SPREAD * np.sqrt(inputs)) * self.random.uniform(0.7, 1.3, outputs)
        multiplier, shift = multiplier_shift(real)
        return {
            "weight": self.weight(inputs, outputs),
            "bias": self.bias(inputs, outputs),
            "multiplier": multiplier,
            "shift": shift,
        }

    def lookup(
        self, inputs: int, outputs: int, function: Callable[[np.ndarray], np.ndarray]
    ) -> LookupLinear:
        curve = function(np.arange(-128, 128) / SPREAD)
        table = 128 + round_half_up(np.clip(curve / np.abs(curve).max() * 127, -127, 127))
        parts = self.requantized(inputs, outputs, SPREAD)
        return LookupLinear(
            **parts,
            table=np.stack([table, table[::-1]]).astype(np.uint8),
            table_index=np.sort(self.random.integers(0, 2, outputs)).astype(np.uint8),
        )

    def classifier(self, hidden: int, labels: int) -> Classifier:
        pooler = self.lookup(hidden, hidden, np.tanh)
        return Classifier(pooler, Linear(self.weight(hidden, labels), self.bias(hidden, labels)))

    def embedding(self, hidden: int, pooling: str) -> MeanPool | FirstToken:
        if pooling == "cls":
            return FirstToken()
        return MeanPool(*multiplier_shift(self.random.uniform(0.008, 0.012, hidden)))

    def norm(self, channels: int) -> Norm:
        gain = self.random.normal(1, 0.2, channels)
        return Norm(*norm_parameters(gain, self.random.normal(0, 0.2, channels), 1 / SPREAD))

    def norm_linear(self, inputs: int, outputs: int) -> NormLinear:
        parts = self.requantized(inputs, outputs, 64 * SPREAD)
        times = self.random.integers(16, 65, outputs, np.int32)
        return NormLinear(**parts, residual_multiplier=times, norm=self.norm(outputs))

    def embeddings(self, hidden: int, max_tokens: int, token_types: bool) -> Embeddings:
        return Embeddings(
            word=self.bytes(len(VOCABULARY), hidden),
            position=self.bytes(max_tokens, hidden),
            token_type=self.bytes(2, hidden) if token_types else np.zeros((1, hidden), np.int8),
            table_multiplier=self.random.integers(
                [[200], [50], [20]], [[301], [151], [65]], (3, hidden), np.int32
            ),
            norm=self.norm(hidden),
        )

    def table_multiplier(self, hidden: int) -> np.ndarray:
        least, most = [[200], [50], [20]], [[300], [150], [65]]
        return self.random.integers(least, most, (3, hidden), np.int32)

    def inhibitor(
        self, heads: int, width: int, max_tokens: int, n0: float | None, centred: bool
    ) -> InhibitorAttention:
        spread = SPREAD * (np.sqrt(width) if centred else 1.5 * width)
        gamma = self.random.uniform(15, 25, heads) / spread
        alpha = self.random.uniform(10, 20, heads) * (1 if centred else -1)
        scores = score_multiplier_offset_shift(gamma, alpha)
        beta = np.repeat(self.random.uniform(0.1, 0.25, heads), width)
        return InhibitorAttention(*scores, *multiplier_shift(beta), length_table(max_tokens, n0))

    def dot_product(self, heads: int, width: int, *_: object) -> DotProductAttention:
        real = self.random.uniform(15, 25, heads) / (SPREAD * SPREAD * np.sqrt(width))
        scores = score_multiplier_offset_shift(real, np.zeros(heads))
        scale = np.full(heads * width, 2 / 255)
        return DotProductAttention(*scores, *multiplier_shift(scale), exp_table(0.05))
