"""A student as a worker of Ray Data. Nothing here imports Ray; `ray_pool` does."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from inhibi.engine.errors import InputError
from inhibi.engine.model import Prediction, load
from inhibi.engine.tables import answer_columns, as_text, check_fields
from inhibi.engine.text import Text

Batch = Mapping[str, np.ndarray]


class Classifier:
    """Answers batches of columns with an integer student, which is opened once.

        ray.data.read_parquet("in").map_batches(
            Classifier, concurrency=2, fn_constructor_kwargs={"text_column": "review"}
        ).write_parquet("out")

    text_pair_column: the second text's, for a model that takes pairs. model: a student file on
    every machine of the cluster, by default the packaged one. threads: of each worker. batch,
    max_length: see `Model.classify`. InputError: the model cannot be opened or takes other texts.
    """

    def __init__(
        self,
        text_column: str,
        text_pair_column: str | None = None,
        model: str | Path | None = None,
        threads: int = 1,
        batch: int = 32,
        max_length: int | None = None,
    ) -> None:
        self._columns = tuple(filter(None, (text_column, text_pair_column)))
        self._model = load(model, threads=threads)
        self._batch, self._max_length = batch, max_length
        self._model.tokenizer.length(max_length)
        check_fields(self._model, self._columns)

    def __call__(self, batch: Batch) -> dict[str, np.ndarray]:
        """The columns, each [rows], and str label and float64 probability, or float64 score.

        They are named as `infer` names them in tables: predicted_label beside a column label. A
        row without a text, or with a null for it, has an empty label and NaN. InputError: a column
        is absent or holds something else than texts.
        """
        parts = zip(*(_texts(batch, name) for name in self._columns), strict=True)
        texts = [as_text(row) for row in parts]
        some = [text for text in texts if text is not None]
        made = iter(self.classify(some, self._max_length, self._batch))
        answers = [None if text is None else next(made) for text in texts]
        classes = len(self._model.labels) > 1
        cells = _labels_and_probabilities(answers) if classes else [_scores(answers)]
        names = answer_columns(list(batch), classes)
        return {**batch, **dict(zip(names, cells, strict=True))}

    def classify(
        self, texts: Sequence[Text], max_length: int | None, batch: int
    ) -> list[Prediction]:
        """See `Model.classify`."""
        return self._model.classify(texts, max_length, batch)


def _texts(batch: Batch, name: str) -> list[str]:
    """A column's cells; "" for a null: None, or NaN or NA where pandas had a hand in it."""
    if name not in batch:
        raise InputError(f"there is no column {name!r} but {', '.join(batch)}: see text_column")
    return [_text(cell, name) for cell in batch[name]]


def _text(cell: object, name: str) -> str:
    if isinstance(cell, str):
        return cell
    if cell is None or type(cell).__name__ == "NAType":  # pandas.NA, without importing pandas
        return ""
    if isinstance(cell, float | np.floating) and np.isnan(cell):
        return ""
    raise InputError(f"column {name!r} holds {type(cell).__name__}, no texts")


def _labels_and_probabilities(answers: Sequence[Prediction | None]) -> list[np.ndarray]:
    labels = [answer.label if answer else "" for answer in answers]
    probabilities = [answer.probability if answer else np.nan for answer in answers]
    return [np.array(labels, np.str_), np.array(probabilities, np.float64)]


def _scores(answers: Sequence[Prediction | None]) -> np.ndarray:
    return np.array([answer.score if answer else np.nan for answer in answers], np.float64)
