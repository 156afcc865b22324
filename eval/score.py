"""Runs a model over a split's examples and scores its answers."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inhibi.engine.errors import InputError, MissingExtra
from inhibi.eval.examples import Examples
from inhibi.eval.labels import label_ids
from inhibi.eval.metrics import metrics
from inhibi.kd.data import Task

if TYPE_CHECKING:
    from inhibi.engine.checkpoint import Checkpoint
    from inhibi.engine.model import Model, Prediction


def score(
    task: Task, rows: Examples, model: "Model | Checkpoint", max_length: int | None, batch: int
) -> dict[str, Any]:
    """Number of examples, seconds, metrics by name, and notes for the reader.

    Seconds are those of tokenization and model, not of loading. `InputError` where the model is
    not one for this task.
    """
    ids, notes = _meaning(task, rows, model.labels)
    answers: list[Prediction] = []
    start = time.perf_counter()
    with _progress_bar(len(rows.texts), task.name) as bar:
        for first in range(0, len(rows.texts), batch):
            texts = rows.texts[first : first + batch]
            answers += model.classify(texts, max_length, batch)
            bar.update(len(texts))
    seconds = time.perf_counter() - start
    if cut := sum(answer.truncated for answer in answers):
        notes.append(f"{cut} of {len(answers)} examples are longer than what was read of them")
    predictions = [a.score if a.label is None else ids[a.label] for a in answers]
    return {
        "examples": len(answers),
        "seconds": seconds,
        "metrics": metrics(task.name, predictions, rows.references),
        "notes": notes,
    }


def _meaning(
    task: Task, rows: Examples, model_labels: Sequence[str]
) -> tuple[dict[str, int], list[str]]:
    """The id of each of the model's labels, none for regression, and notes."""
    if (rows.labels is None) != (len(model_labels) < 2):
        kind = "a score (regression)" if rows.labels is None else "labels, not a score"
        raise InputError(f"{task.name} wants {kind}: choose a model that was trained for it")
    if rows.labels is None:
        return {}, list(rows.notes)
    ids, note = label_ids(model_labels, rows.labels)
    return ids, [*rows.notes, note] if note else list(rows.notes)


def _progress_bar(total: int, name: str):  # type: ignore[no-untyped-def]  # tqdm has no types
    """A progress bar on standard error."""
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise MissingExtra("eval", "tqdm") from error
    return tqdm(total=total, desc=name, unit="example", file=sys.stderr)
