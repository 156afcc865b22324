"""A user's own table of texts and labels: CSV, TSV, JSON lines, parquet, or a hub's data set."""

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inhibi.engine.errors import InputError, say
from inhibi.kd.data import Task, import_datasets

if TYPE_CHECKING:
    from datasets import Dataset

NAME = "own"  # of the task
COLUMNS = ("text", "text_pair")
HELD_BACK = 0.1  # of each label's examples, where no validation table is given
LARGEST = 500 * 2**20  # bytes of a table; all of its texts are kept in memory
SHOWN = 5  # rows that are named
READERS = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}


@dataclass(frozen=True)
class Columns:
    """Names of a table's columns: one text, or a pair, and the label."""

    texts: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Table:
    """The usable rows: texts, each a tuple of one or two, and labels."""

    name: str
    texts: list[tuple[str, ...]]
    labels: list[str]


def read_own(
    train: str, validation: str | None, columns: Columns, encoding: str
) -> "tuple[Task, Dataset, Dataset]":
    """The task that a table defines, its training and its validation examples, with the label ids
    in a column `label`. Without `validation` a tenth of each label's examples is held back.

    Rows without a text or a label are left out and named on standard error, labels are counted
    there. Raises `InputError`.
    """
    table = read_table(train, "train", columns, encoding)
    names = label_names(table)
    task = own_task(len(columns.texts), names)
    if validation:
        other = read_table(validation, "validation", columns, encoding)
        unknown = Counter(label for label in other.labels if label not in names)
        if unknown:
            named = ", ".join(f"{label!r} ({count})" for label, count in unknown.most_common(SHOWN))
            raise InputError(f"{validation} has labels that {train} has not: {named}")
        held = _dataset(other, task)
        rows = _dataset(table, task)
    else:
        whole = _dataset(table, task)
        kept, held_back = split(table.labels, HELD_BACK)
        rows, held = whole.select(kept), whole.select(held_back)
        if not held_back:
            raise InputError(
                f"{train} has too few examples of a label to hold some back: name others with "
                "--validation"
            )
    _say_counts(train, rows, names)
    _say_counts(validation or "held back", held, names)
    return task, rows, held


def own_task(texts: int, labels: Sequence[str]) -> Task:
    """The task of examples with one or two texts and these labels."""
    return Task(NAME, COLUMNS[:texts], tuple(labels))


def read_table(name: str, part: str, columns: Columns, encoding: str) -> Table:
    """The usable rows of a file, or of this split of a data set on the hub. Raises `InputError`."""
    rows = _load(name, part, encoding)
    needed = (*columns.texts, columns.label)
    missing = [column for column in needed if column not in rows.column_names]
    if missing:
        raise InputError(
            f"{name} has no column {', '.join(missing)} but {', '.join(rows.column_names)}: "
            "see --text-column and --label-column"
        )
    names = getattr(rows.features[columns.label], "names", None)
    texts, labels = [], []
    left_out: dict[str, list[int]] = {"no text": [], "no label": []}
    for number, row in enumerate(zip(*(rows[column] for column in needed), strict=True), 1):
        *parts, label = (_string(value) for value in row)
        if names is not None and label:
            label = names[int(label)] if int(label) >= 0 else ""
        if not all(parts):
            left_out["no text"].append(number)
        elif not label:
            left_out["no label"].append(number)
        else:
            texts.append(tuple(parts))
            labels.append(label)
    for reason, numbers in left_out.items():
        if numbers:
            named = ", ".join(map(str, numbers[:SHOWN])) + ", ..." * (len(numbers) > SHOWN)
            say(f"note: {name}: {len(numbers)} rows with {reason} are left out (row {named})")
    if not texts:
        raise InputError(f"{name} has no row with a text and a label")
    return Table(name, texts, labels)


def label_names(table: Table) -> tuple[str, ...]:
    """The labels in order: by number where all are numbers, else by name. Raises `InputError`."""
    names = set(table.labels)
    if len(names) < 2:
        raise InputError(
            f"{table.name} has one label only, {next(iter(names))!r}: a classifier needs two"
        )
    if len(names) > max(2, len(table.labels) // 2):
        raise InputError(
            f"{table.name} has {len(names)} different labels in {len(table.labels)} rows: "
            "is --label-column the right one?"
        )
    try:
        return tuple(sorted(names, key=float))
    except ValueError:
        return tuple(sorted(names))


def split(labels: Sequence[str], share: float) -> tuple[list[int], list[int]]:
    """Numbers of the examples to train on and of those held back, in order: of every label this
    share, rounded, always the same ones."""
    draw = np.random.default_rng(0)
    by_label: dict[str, list[int]] = {}
    for number, label in enumerate(labels):
        by_label.setdefault(label, []).append(number)
    held: list[int] = []
    for numbers in by_label.values():
        held += draw.permutation(numbers)[: round(share * len(numbers))].tolist()
    return sorted(set(range(len(labels))) - set(held)), sorted(held)


def _load(name: str, part: str, encoding: str) -> "Dataset":
    path = Path(name)
    if not path.is_file():
        return _load_from_hub(name, part)
    if path.stat().st_size > LARGEST:
        raise InputError(
            f"{name} has {path.stat().st_size / 2**20:,.0f} MB, training reads "
            f"{LARGEST >> 20} at most: take a sample of its rows"
        )
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{name} is none of {', '.join(READERS)}: name a file of such a kind")
    datasets = import_datasets()
    try:
        options: dict[str, Any] = {"encoding": encoding} if reader == "json" else {}
        if reader == "csv":
            options = _csv_options(path, encoding)
        return datasets.load_dataset(reader, data_files=name, split="train", **options)
    except Exception as error:  # the readers' errors have no common base
        reason = error.__cause__ or error
        if isinstance(reason, UnicodeError) or type(reason) is LookupError:
            raise InputError(
                f"{name} is not encoded as {encoding}: name its encoding, "
                "such as --encoding latin-1"
            ) from error
        said = " ".join(str(reason).split())[:200]
        if "corresponds to no data" in said:
            raise InputError(f"{name} has no rows") from error
        raise InputError(f"{name} cannot be read as {reader}: {said or 'it is empty'}") from error


def _csv_options(path: Path, encoding: str) -> dict[str, Any]:
    """All columns are texts as they stand there, such as "NA", "null" and "007"."""
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    datasets = import_datasets()
    with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
        header = next(csv.reader(file, delimiter=separator), [])
    string = datasets.Value("string")
    return {
        "sep": separator,
        "encoding": encoding,
        "keep_default_na": False,
        "features": datasets.Features(dict.fromkeys(header, string)),
    }


def _load_from_hub(name: str, part: str) -> "Dataset":
    try:
        return import_datasets().load_dataset(name, split=part)
    except Exception as error:  # of the hub, of the network, of the data set's own files
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{name} is no file, and no data set of the hub with a split {part} ({said})"
        ) from error


def _string(value: object) -> str:
    return "" if value is None else str(value).strip()


def _dataset(table: Table, task: Task) -> "Dataset":
    columns: dict[str, list[Any]] = {
        name: [texts[i] for texts in table.texts] for i, name in enumerate(task.columns)
    }
    assert task.labels
    ids = {label: number for number, label in enumerate(task.labels)}
    columns["label"] = [ids[label] for label in table.labels]
    made: Dataset = import_datasets().Dataset.from_dict(columns)
    return made


def _say_counts(name: str, rows: "Dataset", names: Sequence[str]) -> None:
    counts = Counter(rows["label"])
    each = ", ".join(f"{label} {counts[number]:,}" for number, label in enumerate(names))
    print(f"{name}: {len(rows):,} examples: {each}", file=sys.stderr)
