"""Parquet files as tables."""

import csv
import datetime
from pathlib import Path

import pytest
from pyarrow import BinaryArray, parquet, string, table

from inhibi.engine.errors import InputError
from inhibi.engine.infer import main
from inhibi.engine.parquet_rows import ROWS
from inhibi.engine.rows import read_rows

COLUMNS = {
    "review": ["a good film", None, 'two\nlines, "quoted"'],
    "stars": [5, None, 1],
    "share": [0.1, 2.5, None],
    "seen": [datetime.date(2020, 2, 29), None, None],
}


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    with read_rows(path, "utf-8") as (header, rows, _):
        return header, list(rows)


def test_cells_are_as_in_csv(tmp_path: Path) -> None:
    parquet.write_table(table(COLUMNS), tmp_path / "in.parquet")
    header, rows = read(tmp_path / "in.parquet")
    assert header == ["review", "stars", "share", "seen"]
    assert rows == [
        ["a good film", "5", "0.1", "2020-02-29"],
        ["", "", "2.5", ""],
        ['two\nlines, "quoted"', "1", "", ""],
    ]


def test_every_row_of_a_long_file(tmp_path: Path) -> None:
    numbers = list(range(2 * ROWS + 5))
    parquet.write_table(table({"n": numbers}), tmp_path / "in.parquet", row_group_size=700)
    assert read(tmp_path / "in.parquet")[1] == [[str(n)] for n in numbers]


def test_infer_answers_and_resumes(tmp_path: Path, tiny_model: Path) -> None:
    parquet.write_table(table(COLUMNS), tmp_path / "in.parquet")
    out = tmp_path / "out.csv"
    files = ["--file", str(tmp_path / "in.parquet"), "--out", str(out), "--model", str(tiny_model)]
    for more in ([], ["--resume"]):
        with pytest.raises(SystemExit) as end:
            main([*files, "--text-column", "review", *more])
        assert end.value.code == 1  # a row has no text
        with out.open(encoding="utf-8", newline="") as file:
            header, *made = csv.reader(file)
        assert header[4:] == ["label", "probability"]
        assert [row[:4] for row in made] == read(tmp_path / "in.parquet")[1]
        assert [bool(row[4]) for row in made] == [True, False, True]


def test_mistakes_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("id,review\n")
    with pytest.raises(InputError, match="is damaged or no parquet file"):
        read(tmp_path / "text.parquet")
    parquet.write_table(table({"tags": [["a", "b"]]}), tmp_path / "lists.parquet")
    with pytest.raises(InputError, match="has a list in a cell"):
        read(tmp_path / "lists.parquet")
    with pytest.raises(InputError, match=r"no file .*none\.parquet"):
        read(tmp_path / "none.parquet")


def test_a_cell_that_could_not_be_resumed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inhibi.engine.rows.LONGEST", 20)
    parquet.write_table(table({"text": ["x" * 20, "x" * 21]}), tmp_path / "in.parquet")
    with read_rows(tmp_path / "in.parquet", "utf-8") as (_, rows, _):
        assert next(rows) == ["x" * 20]
        with pytest.raises(InputError, match=r"in\.parquet, row 2: more than 20 characters"):
            next(rows)


def test_texts_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    latin = BinaryArray.from_buffers(
        string(), 1, table({"x": [b"d\xe9j\xe0"]})["x"].chunk(0).buffers()
    )
    parquet.write_table(table({"text": latin}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="not encoded as UTF-8"):
        read(tmp_path / "in.parquet")
