"""A model's metrics and answers on sets of examples, through the code of `glue-eval`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from inhibi.engine.checkpoint import Checkpoint
from inhibi.engine.model import Model, Prediction
from inhibi.engine.text import Text
from inhibi.eval.examples import Examples
from inhibi.eval.labels import label_ids
from inhibi.eval.metrics import metrics
from inhibi.eval.score import score
from inhibi.kd.attention import many_answers
from inhibi.kd.data import Task

BATCH = 32


@dataclass(frozen=True)
class Scored:
    """Metrics by name; label ids, or scores, and logits float [B, labels], of each example."""

    metrics: dict[str, float]
    predictions: list[float]
    logits: np.ndarray

    def equal(self, other: "Scored") -> float | None:
        """The share of equal labels; None for scores."""
        if self.logits.shape[1] == 1:
            return None
        return float(np.mean(np.array(self.predictions) == np.array(other.predictions)))


@dataclass
class _Recorded:
    """A model that keeps its answers."""

    model: Model | Checkpoint
    answers: list[Prediction] = field(default_factory=list)

    @property
    def embeds(self) -> bool:
        return self.model.embeds

    @property
    def labels(self) -> Sequence[str]:
        return self.model.labels

    def classify(
        self, texts: Sequence[Text], max_length: int | None, batch: int
    ) -> list[Prediction]:
        made = self.model.classify(texts, max_length, batch)
        self.answers += made
        return made


def score_sets(
    task: Task, sets: Mapping[str, Examples], model: Model | Checkpoint, max_length: int | None
) -> dict[str, Scored]:
    """By the set's name."""
    scale = model.metadata.output_scale if isinstance(model, Model) else 1.0
    made = {}
    for name, rows in sets.items():
        recorded = _Recorded(model)
        with many_answers():
            found = score(task, rows, recorded, max_length, BATCH)  # type: ignore[arg-type]
        ids = label_ids(model.labels, rows.labels)[0] if rows.labels else {}
        predictions = [
            float(ids[a.label] if a.label is not None else a.score or 0.0) for a in recorded.answers
        ]
        logits = scale * np.array([a.logits for a in recorded.answers])
        made[name] = Scored(found["metrics"], predictions, logits)
    return made


def score_logits(task: Task, rows: Examples, made: np.ndarray) -> Scored:
    """Of logits [B, labels] whose columns are the task's labels, or its one score."""
    answers = made[:, 0] if rows.labels is None else made.argmax(1)
    predictions = [float(answer) for answer in answers]
    found = metrics(task.name, predictions, rows.references)
    return Scored(found, predictions, made)


def agreement(fake: np.ndarray, integer: np.ndarray) -> dict[str, float]:
    """Of two models' logits: equal predictions, the median difference over the logits' deviation.

    Equal predictions are of no meaning for regression and left out.
    """
    found = {"median_difference": float(np.median(np.abs(fake - integer)) / fake.std())}
    if fake.shape[1] > 1:
        found["equal_predictions"] = float((fake.argmax(1) == integer.argmax(1)).mean())
    return found


def pack(values: Sequence[float]) -> str:
    """Label ids or scores as one short string."""
    return " ".join(f"{value:.6g}" for value in values)


def unpack(packed: str) -> np.ndarray:
    """float [N]."""
    return np.array(packed.split(), np.float64)
