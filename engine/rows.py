"""The rows of a CSV, TSV or Parquet file, read strictly: nothing is guessed, shifted or dropped."""

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from inhibi.engine.errors import InputError
from inhibi.engine.parquet_rows import SUFFIX as PARQUET
from inhibi.engine.parquet_rows import ParquetRows

SEPARATORS = {".csv": ",", ".tsv": "\t"}
LONGEST = 2**24  # characters of one line, and of one cell

Row = list[str]


def separator(path: Path, kinds: str = ".csv or .tsv") -> str:
    """Between the cells of a file of this name. Raises `InputError`, which tells the `kinds`."""
    if path.suffix.lower() not in SEPARATORS:
        raise InputError(f"{path} is no table: name a {kinds} file")
    return SEPARATORS[path.suffix.lower()]


@contextmanager
def read_rows(
    path: Path, encoding: str
) -> Iterator[tuple[Row, Iterator[Row], Callable[[], float]]]:
    """The header, and then the rows, each with as many cells; empty lines are left out (of a table
    with one column they are rows with an empty cell). Last what tells the share of the file that is
    read, in [0, 1]. Raises `InputError`."""
    csv.field_size_limit(LONGEST)
    columnar = path.suffix.lower() == PARQUET
    between = "" if columnar else separator(path, ".csv, .tsv or .parquet")
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file")
    if not path.is_file():
        raise InputError(f"no file {path}")
    if columnar:
        table = ParquetRows(path, LONGEST)
        rows = iter(table)
        yield _header(rows, path), rows, table.share
        return
    with path.open("rb") as file:
        text = io.TextIOWrapper(file, _codec(encoding), newline="")
        reader = csv.reader(_lines(text, path), delimiter=between, strict=True)
        rows = _checked(reader, path, encoding)
        size = path.stat().st_size
        yield _header(rows, path), rows, lambda: min(1.0, file.tell() / size)


def _header(rows: Iterator[Row], path: Path) -> Row:
    header = next(rows, None)
    if header is None:
        raise InputError(f"{path} is empty")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(f"{path} has two columns {twice!r}: give each a name of its own")
    return header


def place(name: str, header: Row, path: Path, option: str) -> int:
    """Where the column stands. Raises `InputError`, which names the option to mend."""
    if name not in header:
        raise InputError(f"{path} has no column {name!r} but {', '.join(header)}: see {option}")
    return header.index(name)


def other_encoding(path: Path, encoding: str) -> InputError:
    """What to say of a file whose bytes are no text of this encoding."""
    return InputError(
        f"{path} is not encoded as {encoding}: name its encoding, such as --encoding latin-1"
    )


def _codec(encoding: str) -> str:
    """Python's name of it; a byte order mark is read over in UTF-8."""
    try:
        "".encode(encoding)  # refuses base64 and the like, which are codecs, but not of texts
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise InputError(f"no encoding {encoding}: name one such as latin-1") from error
    return "utf-8-sig" if name == "utf-8" else name


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """Its lines; a file without line ends, of whatever size, is not read into memory."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise InputError(
                f"{path}, line {number}: more than {LONGEST:,} characters: is this a table?"
            )
        yield line


def _checked(reader: Any, path: Path, encoding: str) -> Iterator[Row]:
    width = 0
    try:
        for row in reader:
            if not row and width != 1:
                continue
            width = width or len(row)
            if len(row or [""]) != width:
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(row)} cells, the header has {width}; "
                    "cells with a separator need quotes around them"
                )
            yield row or [""]
    except UnicodeError as error:
        raise other_encoding(path, encoding) from error
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from error
