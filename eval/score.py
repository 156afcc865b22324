"""Runs a model over a split's examples and scores its answers."""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from inhibi.engine.errors import InputError, MissingExtra
from inhibi.engine.text import Text
from inhibi.eval.examples import Examples
from inhibi.eval.labels import label_ids
from inhibi.eval.metrics import expected_calibration_error, metrics
from inhibi.kd.data import Task

if TYPE_CHECKING:
    from inhibi.engine.checkpoint import Checkpoint
    from inhibi.engine.model import Model


class Scored(NamedTuple):
    """An answer: a label's id and its probability, or a score; and whether the text was cut."""

    value: float | None
    probability: float | None
    truncated: bool


def score(
    task: Task, rows: Examples, model: "Model | Checkpoint", max_length: int | None, batch: int
) -> dict[str, Any]:
    """Number of examples, seconds, metrics by name, a classifier's expected calibration error, and
    notes for the reader.

    Seconds are those of tokenization and model, not of loading. `InputError` where the model is
    not one for this task.
    """
    answer_all, notes = _answerer(task, rows, model, max_length)
    made: list[Scored] = []
    start = time.perf_counter()
    with _progress_bar(len(rows.texts), task.name) as bar:
        for first in range(0, len(rows.texts), batch):
            texts = rows.texts[first : first + batch]
            made += answer_all(texts)
            bar.update(len(texts))
    seconds = time.perf_counter() - start
    if cut := sum(answer.truncated for answer in made):
        notes.append(f"{cut} of {len(made)} examples are longer than what was read of them")
    return {
        "examples": len(made),
        "seconds": seconds,
        "metrics": metrics(task.name, [answer.value for answer in made], rows.references),
        "expected_calibration_error": _calibration_error(made, rows),
        "notes": notes,
    }


def _calibration_error(made: Sequence[Scored], rows: Examples) -> float | None:
    """None for scores, which have no probability."""
    sure = [answer.probability for answer in made if answer.probability is not None]
    if not sure:
        return None
    right = [a.value == reference for a, reference in zip(made, rows.references, strict=True)]
    return expected_calibration_error(sure, right)


def _answerer(
    task: Task, rows: Examples, model: "Model | Checkpoint", max_length: int | None
) -> tuple[Callable[[list[Text]], list[Scored]], list[str]]:
    """What gives each text of a batch its label's id or score, and notes."""
    if model.embeds:
        if task.labels is not None or len(task.columns) != 2:
            raise InputError(
                f"{task.name} wants labels, this model makes embeddings: they are scored on stsb"
            )
        note = "scores are the cosines between the two texts' embeddings"
        return partial(_similarities, model, max_length), [*rows.notes, note]
    ids, notes = _meaning(task, rows, model.labels)
    return partial(_predictions, model, ids, max_length), notes


def _predictions(
    model: "Model | Checkpoint", ids: dict[str, int], max_length: int | None, texts: list[Text]
) -> list[Scored]:
    return [
        Scored(a.score if a.label is None else ids[a.label], a.probability, a.truncated)
        for a in model.classify(texts, max_length, len(texts))
    ]


def _similarities(
    model: "Model | Checkpoint", max_length: int | None, pairs: list[Text]
) -> list[Scored]:
    """Cosines between the embeddings of each pair."""
    first, second = (
        model.embed(list(texts), max_length, len(pairs)) for texts in zip(*pairs, strict=True)
    )
    cosines = first.cosines(second).tolist()
    cut = [a or b for a, b in zip(first.truncated, second.truncated, strict=True)]
    return [Scored(cosine, None, truncated) for cosine, truncated in zip(cosines, cut, strict=True)]


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
