"""`infer` on a table: every row of a CSV or TSV file with its answer, in constant memory.

Rows are written in the order in which they are read, each batch as soon as it is answered. What a
cut-off run has written stays: to resume drops a half row at its end and goes on behind the last
whole one.
"""

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

from inhibi.engine.errors import InputError, say
from inhibi.engine.model import Prediction
from inhibi.engine.text import Text

SEPARATORS = {".csv": ",", ".tsv": "\t"}
LONGEST = 2**24  # characters of one cell

Row = list[str]


class Classifier(Protocol):
    """What answers: an integer student or a float checkpoint."""

    @property
    def fields(self) -> int | None:
        """Texts of each row, where it is known."""

    @property
    def labels(self) -> Sequence[str]: ...

    def classify(
        self, texts: Sequence[Text], max_length: int | None, batch: int
    ) -> list[Prediction]: ...


@dataclass(frozen=True)
class Table:
    """From which file to which, and the column of the text, or the two of a pair."""

    source: Path
    out: Path
    columns: tuple[str, ...]
    encoding: str = "utf-8"


def classify_table(
    model: Classifier, table: Table, resume: bool, max_length: int | None, batch: int
) -> tuple[int, int]:
    """Answer the rows: how many were answered now, and how many have no answer.

    All columns are kept; label and probability (of a regression model: score) are added, as
    predicted_label and so on where the table has such a column. A row without a text is written
    with empty answers and named on standard error. Raises `InputError`; what is written stays.
    """
    if model.fields not in (None, len(table.columns)):
        raise InputError(
            f"this model takes {model.fields} texts for each row: name the column"
            + ("s with --text-column and --text-pair-column" if model.fields == 2 else " of one")
        )
    separator = _separator(table.out)
    with _rows(table.source, table.encoding) as rows:
        header = next(rows, None)
        if header is None:
            raise InputError(f"{table.source} is empty: nothing to classify")
        places = [_place(name, header, table.source) for name in table.columns]
        names = [*header, *_added(header, len(model.labels) > 1)]
        done = _continue(table, names, len(header), rows) if resume else 0
        with _appending(table.out, new=not resume) as file:
            writer = csv.writer(file, delimiter=separator)
            if not done and not file.tell():
                writer.writerow(names)
            count = unanswered = 0
            while chunk := list(islice(rows, batch)):
                made = _answered(model, chunk, places, done + count + 1, max_length, batch)
                writer.writerows(made)
                file.flush()
                count += len(chunk)
                unanswered += sum(not row[-1] for row in made)
    return count, unanswered


def _answered(
    model: Classifier,
    rows: list[Row],
    places: list[int],
    first: int,
    max_length: int | None,
    batch: int,
) -> list[Row]:
    """The rows with their answers; `first` is the number of the first one."""
    texts: dict[int, Text] = {}
    for i, row in enumerate(rows):
        parts = tuple(row[place] for place in places)
        if all(part.strip() for part in parts):
            texts[i] = parts[0] if len(parts) == 1 else (parts[0], parts[1])
        else:
            say(f"note: row {first + i} has no text: its answer is left empty")
    answers = dict(zip(texts, model.classify(list(texts.values()), max_length, batch), strict=True))
    empty = [""] * (2 if len(model.labels) > 1 else 1)
    return [row + (_cells(answers[i]) if i in answers else empty) for i, row in enumerate(rows)]


def _cells(answer: Prediction) -> Row:
    if answer.label is None:
        return [f"{answer.score:.6g}"]
    return [answer.label, f"{answer.probability:.6f}"]


def _added(header: Row, classes: bool) -> Row:
    names = ["label", "probability"] if classes else ["score"]
    return [f"predicted_{name}" if name in header else name for name in names]


def _place(name: str, header: Row, source: Path) -> int:
    if name not in header:
        raise InputError(f"{source} has no column {name!r} but {', '.join(header)}")
    return header.index(name)


def _separator(path: Path) -> str:
    if path.suffix.lower() not in SEPARATORS:
        raise InputError(f"{path} is no table: name a .csv or .tsv file")
    return SEPARATORS[path.suffix.lower()]


@contextmanager
def _rows(source: Path, encoding: str) -> Iterator[Iterator[Row]]:
    """The header and then the rows, each with as many cells. Raises `InputError`."""
    separator = _separator(source)
    csv.field_size_limit(LONGEST)
    name = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    try:
        file = source.open(encoding=name, newline="")
    except FileNotFoundError as error:
        raise InputError(f"no file {source}") from error
    except LookupError as error:
        raise InputError(f"no encoding {encoding}: name one such as latin-1") from error
    with file:
        yield _checked(csv.reader(file, delimiter=separator, strict=True), source, encoding)


def _checked(reader: Any, source: Path, encoding: str) -> Iterator[Row]:
    width = 0
    try:
        for row in filter(None, reader):  # without empty lines
            width = width or len(row)
            if len(row) != width:
                raise InputError(
                    f"{source}, line {reader.line_num}: {len(row)} cells, the header has {width}"
                )
            yield row
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source} is not encoded as {encoding}: name its encoding, such as --encoding latin-1"
        ) from error
    except csv.Error as error:
        raise InputError(f"{source}, line {reader.line_num}: {error}") from error


@contextmanager
def _appending(out: Path, new: bool) -> Iterator[IO[str]]:
    try:
        file = out.open("x" if new else "a", encoding="utf-8", newline="")
    except FileExistsError as error:
        raise InputError(
            f"{out} is there already: add --resume to go on with it, or name another --out"
        ) from error
    with file:
        yield file


def _continue(table: Table, names: Row, width: int, rows: Iterator[Row]) -> int:
    """Cut a half row off the output and pass over the rows that it has: how many.

    width: cells of an input row. Raises `InputError` where the output is of other rows.
    """
    if not table.out.is_file():
        raise InputError(f"{table.out} is not there: leave --resume out")
    end = count = 0
    for row, behind in _whole_rows(table.out):
        if not end and row != names:
            raise InputError(f"{table.out} has other columns: name another --out")
        if end:
            count += 1
            if next(rows, None) != row[:width]:
                raise InputError(
                    f"row {count} of {table.out} is not that of {table.source}: name another --out"
                )
        end = behind
    os.truncate(table.out, end)
    return count


def _whole_rows(path: Path) -> Iterator[tuple[Row, int]]:
    """The rows that were written to their end, each with the bytes up to there."""
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                read += len(line)
                yield line.decode()

    reader = csv.reader(lines(), delimiter=_separator(path), strict=True)
    while True:
        try:
            row = next(reader)
        except (StopIteration, csv.Error):  # the latter: a quoted cell has no end
            return
        yield row, read
