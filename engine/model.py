"""A student file as a person uses it: texts in, labels and probabilities out."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inhibi.engine.embeddings import Embeddings, expect
from inhibi.engine.errors import InputError
from inhibi.engine.text import Encoded, Text, Tokenizer

if TYPE_CHECKING:
    from inhibi.engine.metadata import Metadata
    from inhibi.engine.session import Session

PACKAGED = "sst2.onnx"


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one text. Classification has label and probability, regression a score.

    logits: the model's output, integers from an integer student, floats from a float checkpoint.
    tokens: how many tokens were read. probability is in [0, 1] and for people only: it is a
    float softmax, with the file's temperature where it has one, while the label is the integers'
    argmax.
    """

    text: Text
    label: str | None
    probability: float | None
    score: float | None
    logits: list[int] | list[float]
    tokens: int
    truncated: bool

    def as_dict(self) -> dict[str, Any]:
        """The fields that this kind of model has, for JSON."""
        absent = ("label", "probability") if self.label is None else ("score",)
        return {name: value for name, value in asdict(self).items() if name not in absent}


class Model:
    """A loaded student. Every method is safe to call from several threads at once."""

    def __init__(self, session: "Session") -> None:
        self.session = session
        self.runs_on = session.runs_on
        self.metadata: Metadata = session.metadata
        self.tokenizer = Tokenizer(self.metadata.tokenizer, self.metadata.max_tokens)
        self.fields = self.metadata.texts
        self.labels = self.metadata.labels
        self.embeds = self.metadata.problem == "embedding"

    def classify(
        self, texts: Sequence[Text], max_length: int | None = None, batch: int = 32
    ) -> list[Prediction]:
        """One `Prediction` for each text, or pair of texts as a tuple, in their order.

        max_length: tokens to read of each, by default as many as the model can. batch: texts
        given to the engine at once; no answer depends on it. InputError: see `Tokenizer.encode`.
        """
        expect(self.embeds, wanted=False)
        sentences = self.encode(texts, max_length)
        logits = self._logits(sentences, batch)
        metadata = self.metadata
        scale = float(metadata.probability_scale or metadata.output_scale)
        return [
            predict(text, sentence, row.tolist(), metadata.labels, scale)
            for text, sentence, row in zip(texts, sentences, logits, strict=True)
        ]

    def logits(
        self, texts: Sequence[Text], max_length: int | None = None, batch: int = 32
    ) -> np.ndarray:
        """int32 [B, labels]; times `metadata.output_scale` they are the float model's logits."""
        expect(self.embeds, wanted=False)
        return self._logits(self.encode(texts, max_length), batch)

    def embed(
        self, texts: Sequence[Text], max_length: int | None = None, batch: int = 32
    ) -> Embeddings:
        """A vector for each text, in their order. InputError as above, and where this student is a
        classifier."""
        expect(self.embeds, wanted=True)
        sentences = self.encode(texts, max_length)
        parts = [self.session.vectors(some) for some in _slices(sentences, batch)]
        none = np.empty((0, self.metadata.hidden), np.int8)
        return Embeddings(
            np.concatenate([none, *parts]),
            self.metadata.output_scale,
            [len(sentence.ids) for sentence in sentences],
            [sentence.truncated for sentence in sentences],
        )

    def encode(self, texts: Sequence[Text], max_length: int | None = None) -> list[Encoded]:
        """Token ids of each text or pair, as `Tokenizer.encode` gives them."""
        if isinstance(texts, str):
            raise InputError("give a list of texts, not one string")
        if any((1 if isinstance(t, str) else len(t)) != self.fields for t in texts):
            example = "tuple of two strings" if self.fields == 2 else "string"
            raise InputError(f"this model ({self.metadata.task}) wants each text as a {example}")
        return [self.tokenizer.encode(text, max_length) for text in texts]

    def _logits(self, sentences: list[Encoded], batch: int) -> np.ndarray:
        parts = [self.session.logits(some) for some in _slices(sentences, batch)]
        empty = np.empty((0, max(1, len(self.metadata.labels))), np.int32)
        return np.concatenate([empty, *parts])


def load(model: str | Path | None = None, engine: str = "ort", threads: int = 0) -> Model:
    """Open a student file; by default the packaged one, a classifier of English film reviews.

    model: a path, a packaged name or a hub name, as `catalog.find` takes it (docs/MODELS.md).
    engine: "ort" (ONNX Runtime, fast) or "numpy" (the readable reference); their logits are
    equal. threads: 0 lets the engine choose. InputError: no such file, no student file, damaged,
    or of another format.
    """
    from inhibi.engine.catalog import find
    from inhibi.engine.session import open_session

    path = packaged() if model is None else find(model)
    if path.is_dir():
        raise InputError(
            f"{path} is a folder: give a file made by export-onnx, or run a float checkpoint "
            "with infer --fp32"
        )
    return Model(open_session(path, engine, threads))


def packaged() -> Path:
    """The packaged student's path. InputError where the package was built without one."""
    path = Path(__file__).parent / "models" / PACKAGED
    if not path.exists():
        raise InputError(f"no model is packaged ({PACKAGED} is absent): give --model FILE")
    return path


def predict(
    text: Text,
    sentence: Encoded,
    logits: list[int] | list[float],
    labels: Sequence[str],
    scale: float = 1.0,
) -> Prediction:
    """The answer that one row of logits gives; a row of one is a regression's score."""
    row = np.asarray(logits, np.float64) * scale
    tokens, truncated = len(sentence.ids), sentence.truncated
    if len(row) == 1:
        return Prediction(text, None, None, float(row[0]), logits, tokens, truncated)
    best = int(np.argmax(logits))
    weights = np.exp(row - row.max())
    probability = float(weights[best] / weights.sum())
    return Prediction(text, labels[best], probability, None, logits, tokens, truncated)


def _slices(sentences: list[Encoded], batch: int) -> Iterator[list[Encoded]]:
    if batch < 1:
        raise InputError(f"batch must be 1 or more, not {batch}")
    for start in range(0, len(sentences), batch):
        yield sentences[start : start + batch]
