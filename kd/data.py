"""The tasks at hand (GLUE and IMDB) and their examples, from the hub or from a local folder."""

import os
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from inhibi.engine.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from datasets import Dataset

    from inhibi.engine.text import Text

VALIDATION = ("validation",)


@dataclass(frozen=True)
class Task:
    """A data set's column names, its labels in the order of their ids and its splits' names.

    `labels` is None for regression, and none where texts are embedded: `pooling` says then how
    (`inhibi.kd.embedding`). A pair task has two columns.
    """

    name: str
    columns: tuple[str, ...]
    labels: tuple[str, ...] | None
    validation: tuple[str, ...] = VALIDATION
    hub: str = "nyu-mll/glue"
    pooling: str | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of all labelled splits."""
        return ("train", *self.validation)

    def texts(self, rows: "Dataset") -> "list[Text]":
        """The rows' texts, or pairs of texts."""
        first, *second = (list(rows[column]) for column in self.columns)
        return list(zip(first, *second, strict=True)) if second else first


ENTAILMENT = ("entailment", "not_entailment")
PAIR = ("sentence1", "sentence2")

TASKS = {
    task.name: task
    for task in (
        Task("cola", ("sentence",), ("unacceptable", "acceptable")),
        Task(
            "mnli",
            ("premise", "hypothesis"),
            ("entailment", "neutral", "contradiction"),
            ("validation_matched", "validation_mismatched"),
        ),
        Task("mrpc", PAIR, ("not_equivalent", "equivalent")),
        Task("qnli", ("question", "sentence"), ENTAILMENT),
        Task("qqp", ("question1", "question2"), ("not_duplicate", "duplicate")),
        Task("rte", PAIR, ENTAILMENT),
        Task("sst2", ("sentence",), ("negative", "positive")),
        Task("stsb", PAIR, None),
        Task("wnli", PAIR, ("not_entailment", "entailment")),
        Task("imdb", ("text",), ("neg", "pos"), ("test",), "stanfordnlp/imdb"),
    )
}


def embedding_task(pooling: str) -> Task:
    """Sentence embeddings, learned from unlabelled texts."""
    return Task("embedding", ("text",), (), pooling=pooling)


def find_task(name: str) -> Task:
    """The task of this name; `InputError` names the known ones."""
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}: choose one of {', '.join(TASKS)}")
    return TASKS[name]


def load_split(task: Task, split: str, data_dir: str | None = None) -> "Dataset":
    """The labelled examples of one split, with the hub's column names.

    They come from DIR/glue/TASK/SPLIT.parquet (or DIR/imdb/SPLIT.parquet), where DIR is `data_dir`
    or the environment's INHIBI_DATA, and from the Hugging Face hub when neither is given.
    `InputError` where they are not to be had, lack a column or have a label that is none.
    """
    rows = _load(task, split, data_dir)
    missing = [name for name in (*task.columns, "label") if name not in rows.column_names]
    if missing:
        raise InputError(f"{task.name} {split} has no column {', '.join(missing)}")
    for label in rows["label"][:]:  # a column alone is read row by row
        if not _is_label(label, task):
            wanted = f"whole numbers from 0 to {len(task.labels) - 1}" if task.labels else "numbers"
            raise InputError(f"{task.name} {split} has the label {label!r}: labels are {wanted}")
    return rows


def _is_label(label: object, task: Task) -> bool:
    if not isinstance(label, int | float) or not isfinite(label):
        return False
    return task.labels is None or label in range(len(task.labels))


def _load(task: Task, split: str, data_dir: str | None) -> "Dataset":
    if split not in task.splits:
        raise InputError(f"{task.name} has no split {split!r}: choose {', '.join(task.splits)}")
    datasets = import_datasets()
    file = local_file(task, split, data_dir)
    if file:
        return _read(file)
    config = () if task.name == "imdb" else (task.name,)
    try:
        return datasets.load_dataset(task.hub, *config, split=split)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{task.hub} could not be read from the hub ({str(error).splitlines()[0]}): "
            "connect, or name a folder of parquet files with --data-dir or INHIBI_DATA"
        ) from error


def load_texts(files: list[str]) -> list[str]:
    """The column `text` of parquet files, for distillation on unlabelled text; empty ones and nulls
    are left out."""
    texts: list[str] = []
    for file in files:
        if not Path(file).is_file():
            raise InputError(f"no text file {file}: name parquet files with a column 'text'")
        rows = _read(Path(file))
        if "text" not in rows.column_names:
            raise InputError(f"{file} has no column 'text' but {', '.join(rows.column_names)}")
        if any(not isinstance(text, str | None) for text in rows["text"]):
            raise InputError(f"{file}: the column 'text' holds something else than texts")
        texts += [text for text in rows["text"] if text and text.strip()]
    return texts


def _read(file: Path) -> "Dataset":
    try:
        return import_datasets().Dataset.from_parquet(str(file))
    except MissingExtra:
        raise
    except Exception as error:  # the readers' errors have no common base
        reason = error.__cause__ or error
        raise InputError(
            f"{file} cannot be read: it is empty, damaged or no parquet file ({reason})"
        ) from error


def local_file(task: Task, split: str, data_dir: str | None) -> Path | None:
    """The file of a split, None where it comes from the hub. Raises `InputError`."""
    named = data_dir or os.environ.get("INHIBI_DATA")
    if not named:
        return None
    folder = Path(named)
    parent = folder / "imdb" if task.name == "imdb" else folder / "glue" / task.name
    file = parent / f"{split}.parquet"
    if not folder.is_dir():
        raise InputError(f"no data folder {folder}")
    if not file.is_file():
        raise InputError(f"no {file}: the data folder lacks the split {split} of {task.name}")
    return file


def import_datasets():  # type: ignore[no-untyped-def]  # a module
    """The library, quiet. Raises `MissingExtra`."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("eval", "datasets") from error
    datasets.utils.logging.disable_progress_bar()
    datasets.utils.logging.set_verbosity(datasets.utils.logging.CRITICAL)  # what it logs it raises
    return datasets
