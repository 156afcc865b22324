"""The examples of a split, as texts or pairs and label ids or scores."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inhibi.engine.errors import InputError
from inhibi.engine.text import Text
from inhibi.kd.data import Task, load_split

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Examples:
    """`references` are ids into `labels`, or scores where `labels` is None."""

    texts: list[Text]
    references: list[float]
    labels: tuple[str, ...] | None
    notes: list[str]


def examples(task: Task, split: str, data_dir: str | None, limit: int | None) -> Examples:
    """The first `limit` (None: all) examples of a split; of IMDB's test split only texts that its
    training split does not have, when that is at hand. Raises `InputError`."""
    rows = load_split(task, split, data_dir)
    notes = []
    if task.name == "imdb" and split == "test":
        rows, note = _unseen(rows, task, data_dir)
        notes.append(note)
    rows = rows.select(range(min(limit or len(rows), len(rows))))
    if not len(rows):
        raise InputError(f"{task.name} {split} has no examples")
    return of_rows(task, rows, notes)


def of_rows(task: Task, rows: "Dataset", notes: list[str]) -> Examples:
    """All of the rows."""
    # The data's own names where it carries them; plain integers have the task's order.
    names = getattr(rows.features["label"], "names", None) or task.labels
    return Examples(
        task.texts(rows), list(rows["label"]), None if names is None else tuple(names), notes
    )


def _unseen(rows: "Dataset", task: Task, data_dir: str | None) -> "tuple[Dataset, str]":
    """The rows whose text is not in the training split, and a note that says how many go."""
    (column,) = task.columns
    try:
        seen = set(load_split(task, "train", data_dir)[column])
    except InputError:
        return rows, "the training split is not at hand: texts that it shares are not dropped"
    kept = [i for i, text in enumerate(rows[column]) if text not in seen]
    return rows.select(kept), f"{len(rows) - len(kept)} texts that the training split has, dropped"
