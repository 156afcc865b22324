"""`infer` on a table: every row of a CSV or TSV file with its answer, in constant memory.

Rows are written in the order in which they are read, each batch as soon as it is answered. What a
cut-off run has written stays: to resume drops a half row at its end and goes on behind the last
whole one.
"""

import csv
import errno
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from inhibi.engine.errors import InputError, say
from inhibi.engine.model import Prediction
from inhibi.engine.progress import bar
from inhibi.engine.rows import Row, place, read_rows, separator
from inhibi.engine.text import Text

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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


@dataclass
class Tally:
    """Rows that were there already, that were answered now, and those without an answer."""

    before: int = 0
    now: int = 0
    empty: int = 0


def classify_table(
    model: Classifier, table: Table, resume: bool, max_length: int | None, batch: int
) -> Tally:
    """Answer the rows.

    All columns are kept; label and probability (of a regression model: score) are added, as
    predicted_label and so on where the table has such a column. A row without a text is written
    with empty answers and named on standard error, as is one that is too long to be read whole.
    Raises `InputError`; what is written stays.
    """
    check_fields(model, table.columns)
    separator(table.out)  # refuses a file of another kind before it is made
    with read_rows(table.source, table.encoding) as (header, rows, share):
        option = "--text-column"
        places = [place(name, header, table.source, option) for name in table.columns]
        names = header + answer_columns(header, len(model.labels) > 1)
        tally = _continue(model, table, names, len(header), rows) if resume else Tally()
        with _opened(table.out, resume) as file, bar(table.source.name, "rows") as advance:
            if not file.tell():
                _write([names], file, table.out)
            while chunk := list(islice(rows, batch)):
                first = tally.before + tally.now + 1
                made = _answered(model, chunk, places, first, max_length, batch)
                _write(made, file, table.out)
                tally.now += len(made)
                tally.empty += sum(not row[-1] for row in made)
                advance(tally.before + tally.now, share())
    return tally


def check_fields(model: Classifier, columns: Sequence[str]) -> None:
    """`InputError` where the model takes pairs and there is one column of texts, or the like."""
    if model.fields not in (None, len(columns)):
        wanted = "a pair of texts" if model.fields == 2 else "one text"
        raise InputError(
            f"this model takes {wanted} in each row: see --text-column and --text-pair-column"
        )


def as_text(parts: Sequence[str]) -> Text | None:
    """A row's text or pair; None where one of its one or two cells is empty."""
    if not all(part.strip() for part in parts):
        return None
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


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
        text = as_text([row[place] for place in places])
        if text is not None:
            texts[i] = text
        else:
            say(f"note: row {first + i} has no text: its answer is left empty")
    made = model.classify(list(texts.values()), max_length, batch)
    answers = dict(zip(texts, made, strict=True))
    for i, answer in answers.items():
        if answer.truncated:
            say(f"note: row {first + i} is too long: only {answer.tokens} tokens of it were read")
    empty = [""] * (2 if len(model.labels) > 1 else 1)
    return [row + (_cells(answers[i]) if i in answers else empty) for i, row in enumerate(rows)]


def _cells(answer: Prediction) -> Row:
    if answer.label is None:
        return [f"{answer.score:.6g}"]
    return [answer.label, f"{answer.probability:.6f}"]


def answer_columns(header: Row, classes: bool) -> Row:
    """The new columns' names, with as many times predicted_ before them as the table takes."""
    made = []
    for name in ["label", "probability"] if classes else ["score"]:
        while name in header:
            name = f"predicted_{name}"
        made.append(name)
    return made


def _write(rows: Iterable[Row], file: io.TextIOWrapper, out: Path) -> None:
    """Write them at once. `InputError` where there is no room."""
    try:
        csv.writer(file, _form(out)).writerows(rows)
        file.flush()
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        with suppress(OSError):
            file.close()  # now, because it tries again to write what is left
        raise InputError(
            f"{out}: {error.strerror}: the rows that it has stay; make room, then go on with "
            "--resume"
        ) from error


def _opened(out: Path, resume: bool) -> io.TextIOWrapper:
    try:
        return out.open("a" if resume else "x", encoding="utf-8", errors="replace", newline="")
    except FileExistsError as error:
        raise InputError(
            f"{out} is there already: add --resume to go on with it, or name another --out"
        ) from error


def _continue(
    model: Classifier, table: Table, names: Row, width: int, rows: Iterator[Row]
) -> Tally:
    """Cut a half row off the output and pass over the rows that it has.

    width: cells of an input row. Raises `InputError` where the output is another table, of other
    rows, or of a model with other labels; then nothing is cut.
    """
    if not table.out.is_file():
        raise InputError(f"{table.out} is not there: leave --resume out")
    end, tally = 0, Tally()
    for row, behind in _whole_rows(table.out):
        if not end and row != names:
            raise InputError(f"{table.out} has other columns: name another --out")
        if end:
            tally.before += 1
            tally.empty += not row[-1]
            known = row[-1] == "" or len(model.labels) < 2 or row[width] in model.labels
            if next(rows, None) != row[:width] or not known:
                raise InputError(
                    f"row {tally.before} of {table.out} is not that of {table.source} with a "
                    "label of this model: name another --out"
                )
        end = behind
    if not end and not _begins(table.out, names):
        raise InputError(f"{table.out} is another file: name another --out")
    os.truncate(table.out, end)
    return tally


def _form(out: Path) -> type[csv.Dialect]:
    """How its cells are quoted and parted."""
    return csv.excel_tab if separator(out) == "\t" else csv.excel


def _begins(out: Path, names: Row) -> bool:
    """Whether the file is the beginning of a header."""
    header = io.StringIO(newline="")
    csv.writer(header, _form(out)).writerow(names)
    whole = header.getvalue().encode()
    with out.open("rb") as file:
        return whole.startswith(file.read(len(whole) + 1))


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

    reader = csv.reader(lines(), delimiter=separator(path), strict=True)
    while True:
        try:
            row = next(reader)
        except UnicodeError as error:
            raise InputError(f"{path} is another file: name another --out") from error
        except (StopIteration, csv.Error):  # the latter: a quoted cell has no end
            return
        yield row, read
