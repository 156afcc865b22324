"""A float checkpoint with `Model`'s interface, for `infer --fp32`. Needs the extra [train]."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inhibi.engine.embeddings import Embeddings, expect
from inhibi.engine.errors import MissingExtra
from inhibi.engine.model import Prediction, predict
from inhibi.engine.text import Text, Tokenizer


class Checkpoint:
    """A float teacher or student from its folder. InputError where it is none."""

    runs_on = "torch"

    def __init__(self, folder: str | Path) -> None:
        try:
            from inhibi.kd.data import TASKS
            from inhibi.kd.predict import load_tokenizer, logits
            from inhibi.kd.student import load
        except ModuleNotFoundError as error:
            raise MissingExtra("train", error.name or "torch") from error
        self._model = load(folder)
        self._library = load_tokenizer(folder)
        self._logits = logits
        config = self._model.config
        self._width = config.hidden_size
        self.embeds = getattr(config, "pooling", None) is not None
        self.labels = [config.id2label[number] for number in range(config.num_labels)]
        self.tokenizer = Tokenizer(
            self._library.backend_tokenizer.to_str(), config.max_position_embeddings
        )
        task = TASKS.get(getattr(config, "finetuning_task", None) or "")
        self.fields = getattr(config, "texts", len(task.columns) if task else None)

    def classify(
        self, texts: Sequence[Text], max_length: int | None = None, batch: int = 32
    ) -> list[Prediction]:
        """One `Prediction` for each text or pair, in their order; logits are floats."""
        expect(self.embeds, wanted=False)
        if not texts:
            return []
        sentences = [self.tokenizer.encode(text, max_length) for text in texts]
        logits = self._answers(texts, max_length, batch)
        return [
            predict(text, sentence, row.tolist(), self.labels)
            for text, sentence, row in zip(texts, sentences, logits, strict=True)
        ]

    def embed(
        self, texts: Sequence[Text], max_length: int | None = None, batch: int = 32
    ) -> Embeddings:
        """A float vector for each text, in their order."""
        expect(self.embeds, wanted=True)
        sentences = [self.tokenizer.encode(text, max_length) for text in texts]
        made = self._answers(texts, max_length, batch) if texts else np.empty((0, self._width))
        return Embeddings(
            made.astype(np.float32),
            1.0,
            [len(sentence.ids) for sentence in sentences],
            [sentence.truncated for sentence in sentences],
        )

    def _answers(self, texts: Sequence[Text], max_length: int | None, batch: int) -> np.ndarray:
        length = self.tokenizer.length(max_length)
        return self._logits(self._model, self._library, texts, length, batch)
