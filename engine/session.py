"""Opens a student file with one of the engines and runs packed sentences through it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from inhibi.engine.errors import InputError
from inhibi.engine.metadata import Metadata

ZERO_POINT = 128  # of vectors, as of all activations

Feeds = dict[str, np.ndarray]
Tensors = list[tuple[str, np.ndarray]]


class Sentence(Protocol):
    """Token ids and token types of one text, special tokens included (`text.Encoded`)."""

    @property
    def ids(self) -> Sequence[int]: ...

    @property
    def type_ids(self) -> Sequence[int]: ...


class Engine(Protocol):
    """What runs a graph. Equal feeds give equal tensors on every engine, bit for bit."""

    metadata: Metadata
    packed_tokens: int
    """Sentences are packed up to this many tokens; a single sentence may be longer."""
    runs_on: str
    """What computes, for a person: the engine and its operators of the domain ai.inhibi."""

    def run(self, feeds: Feeds) -> np.ndarray: ...

    def trace(self, feeds: Feeds) -> Tensors: ...


class Session:
    """An opened student. Its methods may be called from several threads at once."""

    def __init__(self, engine: Engine) -> None:
        self.metadata = engine.metadata
        self.runs_on = engine.runs_on
        self._engine = engine

    def logits(self, sentences: Sequence[Sentence]) -> np.ndarray:
        """int32 [B, labels], in the order of the sentences, however they are packed.

        `InputError` for an empty sentence, one longer than max_tokens, or an id out of range.
        """
        return self._run(sentences, np.empty((0, len(self.metadata.labels)), np.int32))

    def vectors(self, sentences: Sequence[Sentence]) -> np.ndarray:
        """int8 [B, hidden], likewise; times the output scale they are the float student's.

        `InputError` as above.
        """
        made = self._run(sentences, np.empty((0, self.metadata.hidden), np.uint8))
        return (made.astype(np.int16) - ZERO_POINT).astype(np.int8)

    def _run(self, sentences: Sequence[Sentence], none: np.ndarray) -> np.ndarray:
        for sentence in sentences:
            self._check(sentence)
        rows = [self._engine.run(self._feeds(batch)) for batch in self._batches(sentences)]
        return np.concatenate([none, *rows])

    def trace(self, sentence: Sentence) -> Tensors:
        """Name and value of every tensor between the ids and the logits, in the graph's order."""
        self._check(sentence)
        return self._engine.trace(self._feeds([sentence]))

    def _batches(self, sentences: Sequence[Sentence]) -> Iterator[list[Sentence]]:
        batch: list[Sentence] = []
        tokens = 0
        for sentence in sentences:
            tokens += len(sentence.ids)
            if batch and tokens > self._engine.packed_tokens:
                yield batch
                batch, tokens = [], len(sentence.ids)
            batch.append(sentence)
        if batch:
            yield batch

    def _feeds(self, sentences: Sequence[Sentence]) -> Feeds:
        feeds = pack(sentences)
        if not self.metadata.token_types:
            del feeds["token_type_ids"]
        return feeds

    def _check(self, sentence: Sentence) -> None:
        n, most = len(sentence.ids), self.metadata.max_tokens
        if not 1 <= n <= most:
            raise InputError(f"a sentence has {n} tokens, this model reads 1 to {most}")
        _check_range("token id", sentence.ids, self.metadata.vocabulary)
        if self.metadata.token_types:
            if len(sentence.type_ids) != n:
                raise InputError(f"{n} token ids have {len(sentence.type_ids)} token types")
            _check_range("token type", sentence.type_ids, self.metadata.token_types)


def open_session(path: str | Path, engine: str = "ort", threads: int = 0) -> Session:
    """Open a student file with ONNX Runtime ("ort") or the NumPy reference ("numpy").

    threads: for ONNX Runtime, 0 lets it choose. `InputError` where the file is missing, is no
    student, is damaged or of a newer format, or the engine is unknown.
    """
    if not Path(path).is_file():
        raise InputError(f"there is no model file {path}")
    try:
        return Session(_engine(engine, Path(path), threads))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _engine(name: str, path: Path, threads: int) -> Engine:
    if name == "ort":
        from inhibi.engine.runtime import Runtime

        return Runtime(path, threads)
    if name == "numpy":
        from inhibi.engine.reference import Reference

        return Reference(path)
    raise InputError(f"there is no engine {name}: choose ort or numpy")


def pack(sentences: Sequence[Sentence]) -> Feeds:
    """Tokens of B sentences one after the other: ids int64 [N], offsets int64 [B+1]."""
    lengths = [len(sentence.ids) for sentence in sentences]
    return {
        "input_ids": _join([sentence.ids for sentence in sentences]),
        "position_ids": _join([range(n) for n in lengths]),
        "token_type_ids": _join([sentence.type_ids for sentence in sentences]),
        "offsets": np.cumsum([0, *lengths], dtype=np.int64),
    }


def _join(parts: Sequence[Sequence[int]]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *(np.asarray(p, np.int64) for p in parts)])


def _check_range(what: str, ids: Sequence[int], rows: int) -> None:
    for i in ids:
        if not 0 <= i < rows:
            raise InputError(f"{what} {i} is outside this model's 0..{rows - 1}")
