"""A user's own table of texts and labels: CSV, TSV, JSON lines, parquet, or a hub's data set."""

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inhibi.engine.errors import InputError, say
from inhibi.engine.rows import Row, other_encoding, place, read_rows
from inhibi.kd.data import Task, import_datasets

if TYPE_CHECKING:
    from datasets import Dataset

NAME = "own"  # of the task
COLUMNS = ("text", "text_pair")
HELD_BACK = 0.1  # of each label's examples, where no validation table is given
LARGEST = 500 * 2**20  # bytes of a table; all of its texts are kept in memory
SHOWN = 5  # rows that are named
OPTIONS = "--text-column and --label-column"


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
    in a column `label`. Without `validation` a tenth of each label's texts is held back.

    Rows without a text or a label are left out and named on standard error, labels are counted
    there. Raises `InputError`.
    """
    table = read_table(train, "train", columns, encoding)
    names = label_names(table)
    task = own_task(len(columns.texts), names)
    rows = _dataset(table, task)
    if validation:
        other = read_table(validation, "validation", columns, encoding)
        unknown = Counter(label for label in other.labels if label not in names)
        if unknown:
            named = ", ".join(f"{label!r} ({count})" for label, count in unknown.most_common(SHOWN))
            raise InputError(f"{validation} has labels that {train} has not: {named}")
        held = _dataset(other, task)
    else:
        kept, held_back = split(table, HELD_BACK)
        rows, held = rows.select(kept), rows.select(held_back)
        if not held_back:
            raise InputError(
                f"{train} has too few texts of each label to hold some back: name others with "
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
    needed = (*columns.texts, columns.label)
    texts, labels = [], []
    left_out: dict[str, list[int]] = {"no text": [], "no label": []}
    for number, row in enumerate(_rows(name, part, needed, encoding), 1):
        *parts, label = (cell.strip() for cell in row)
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
        numbers = {name: float(name) for name in names}
    except ValueError:
        return tuple(sorted(names))
    finite = all(map(math.isfinite, numbers.values()))
    return tuple(sorted(names, key=lambda name: (numbers[name] if finite else 0, name)))


def split(table: Table, share: float) -> tuple[list[int], list[int]]:
    """Numbers of the examples to train on and of those held back, in order: of the texts of every
    label this share, rounded, always the same ones. Equal texts stay together."""
    draw = np.random.default_rng(0)
    by_label: dict[str, dict[tuple[str, ...], None]] = {}
    for texts, label in zip(table.texts, table.labels, strict=True):
        by_label.setdefault(label, {})[texts] = None
    held: set[tuple[str, ...]] = set()
    for distinct in by_label.values():
        order = draw.permutation(len(distinct))[: round(share * len(distinct))]
        held |= {list(distinct)[i] for i in order}
    numbers = range(len(table.texts))
    kept = [i for i in numbers if table.texts[i] not in held]
    return kept, [i for i in numbers if table.texts[i] in held]


def _rows(name: str, part: str, columns: Sequence[str], encoding: str) -> Iterator[Row]:
    """These cells of every row, as texts. Raises `InputError`."""
    path = Path(name)
    kind = path.suffix.lower()
    if path.is_file() or kind in READERS:
        if kind not in READERS:
            raise InputError(f"{name} is none of {', '.join(READERS)}: name a file of such a kind")
        if path.is_file() and path.stat().st_size > LARGEST:
            raise InputError(
                f"{name} has {path.stat().st_size / 2**20:,.0f} MB, training reads "
                f"{LARGEST >> 20} at most: take a sample of its rows"
            )
        yield from READERS[kind](path, columns, encoding)
    elif path.is_dir():
        raise InputError(f"{name} is a folder: name a file")
    else:
        yield from _hub_rows(name, part, columns)


def _separated_rows(path: Path, columns: Sequence[str], encoding: str) -> Iterator[Row]:
    with read_rows(path, encoding) as (header, rows, _):
        places = [place(name, header, path, OPTIONS) for name in columns]
        for row in rows:
            yield [row[place] for place in places]


def _json_rows(path: Path, columns: Sequence[str], encoding: str) -> Iterator[Row]:
    try:
        with path.open(encoding=encoding) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    row = json.loads(line)
                    _check_columns(f"{path}, line {number}", list(row), columns)
                    yield [_cell(row[name], path) for name in columns]
    except FileNotFoundError as error:
        raise InputError(f"no file {path}") from error
    except UnicodeError as error:
        raise other_encoding(path, encoding) from error
    except (LookupError, TypeError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path} is no file of JSON lines, one object in each ({error})"
        ) from error


def _parquet_rows(path: Path, columns: Sequence[str], _: str) -> Iterator[Row]:
    import_datasets()  # pyarrow comes with it
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
        _check_columns(str(path), table.column_names, columns)
        cells = [table.column(name).to_pylist() for name in columns]
    except FileNotFoundError as error:
        raise InputError(f"no file {path}") from error
    except InputError:
        raise
    except UnicodeError as error:
        raise InputError(f"{path} has texts that are not encoded as UTF-8") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged or no parquet file ({error})") from error
    for row in zip(*cells, strict=True):
        yield [_cell(value, path) for value in row]


def _hub_rows(name: str, part: str, columns: Sequence[str]) -> Iterator[Row]:
    try:
        rows = import_datasets().load_dataset(name, split=part)
    except Exception as error:  # of the hub, of the network, of the data set's own files
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{name} is no file, and no data set of the hub with a split {part} ({said})"
        ) from error
    _check_columns(name, rows.column_names, columns)
    names = getattr(rows.features[columns[-1]], "names", None)
    for *texts, label in zip(*(rows[column] for column in columns), strict=True):
        if names is not None and label is not None:
            label = names[label] if label >= 0 else None
        yield [_cell(value, name) for value in (*texts, label)]


READERS = {
    ".csv": _separated_rows,
    ".tsv": _separated_rows,
    ".jsonl": _json_rows,
    ".parquet": _parquet_rows,
}


def _check_columns(name: str, have: Sequence[str], needed: Sequence[str]) -> None:
    for column in needed:
        if column not in have:
            raise InputError(
                f"{name} has no column {column!r} but {', '.join(have)}: see {OPTIONS}"
            )


def _cell(value: object, name: object) -> str:
    if isinstance(value, list | dict):
        raise InputError(f"{name} has lists or objects for texts or labels: see {OPTIONS}")
    return "" if value is None else str(value)


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
