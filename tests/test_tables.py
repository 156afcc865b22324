"""`infer` on tables."""

import csv
import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inhibi.engine import tables
from inhibi.engine.infer import main
from inhibi.engine.model import load

TEXTS = ["a good film", 'it was "cold", very', "two\nlines of film", "bad", "déjà vu", "dull plot"]
Infer = Callable[..., tuple[int, str]]


def write(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows(rows)
    return path


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [[str(i), text, "x"] for i, text in enumerate(TEXTS * 3)]
    return write(tmp_path / "in.csv", [["id", "review", "more"], *rows])


@pytest.fixture
def infer(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> Infer:
    """`infer --text-column review` of the tiny student: its status and what it says."""

    def run(source: Path, out: Path, *more: str) -> tuple[int, str]:
        capsys.readouterr()
        status = 0
        columns = ("--text-column", "review", "--batch", "4")
        paths = ("--model", str(tiny_model), "--file", str(source), "--out", str(out))
        try:
            main([*paths, *columns, *more])
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, capsys.readouterr().err

    return run


@pytest.mark.parametrize("name", ["out.csv", "out.tsv"])
def test_all_columns_are_kept_and_answers_added(
    name: str, table: Path, tmp_path: Path, tiny_model: Path, infer: Infer
) -> None:
    status, said = infer(table, tmp_path / name)
    assert status == 0
    assert "18 rows; 0 without a text" in said
    header, *rows = read(tmp_path / name)
    assert header == ["id", "review", "more", "label", "probability"]
    assert [row[:3] for row in rows] == read(table)[1:]
    answers = load(tiny_model).classify([row[1] for row in rows])
    for row, answer in zip(rows, answers, strict=True):
        assert row[3] == answer.label
        assert float(row[4]) == pytest.approx(answer.probability, abs=1e-6)


def test_a_table_that_was_cut_anywhere_is_continued(
    table: Path, tmp_path: Path, infer: Infer
) -> None:
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    infer(table, whole)
    content = whole.read_bytes()
    for length in range(0, len(content) + 1, 7):
        cut.write_bytes(content[:length])
        status, said = infer(table, cut, "--resume")
        assert status == 0, said
        assert cut.read_bytes() == content, length


def test_a_written_table_is_not_overwritten(table: Path, tmp_path: Path, infer: Infer) -> None:
    infer(table, tmp_path / "out.csv")
    before = (tmp_path / "out.csv").read_bytes()
    status, said = infer(table, tmp_path / "out.csv")
    assert (status, "is there already: add --resume" in said) == (2, True)
    other = write(tmp_path / "other.csv", [["id", "review", "more"], ["0", "another", "x"]])
    status, said = infer(other, tmp_path / "out.csv", "--resume")
    assert (status, "row 1 of" in said) == (2, True)
    other = write(tmp_path / "other.csv", [["review"], ["another"]])
    assert "has other columns" in infer(other, tmp_path / "out.csv", "--resume")[1]
    assert (tmp_path / "out.csv").read_bytes() == before
    assert "is not there: leave --resume out" in infer(table, tmp_path / "none.csv", "--resume")[1]


def test_rows_without_a_text_are_named(tmp_path: Path, infer: Infer) -> None:
    rows = [["review", "label"], ["good", "1"], ["", "0"], ["  ", "0"], ["bad", "0"]]
    source = write(tmp_path / "in.csv", rows)
    status, said = infer(source, tmp_path / "out.csv")
    assert status == 1
    assert "row 2 has no text" in said
    assert "row 3 has no text" in said
    header, *made = read(tmp_path / "out.csv")
    assert header == ["review", "label", "predicted_label", "probability"]
    assert [bool(row[2]) for row in made] == [True, False, False, True]


def test_another_encoding(tmp_path: Path, infer: Infer) -> None:
    source = write(tmp_path / "in.csv", [["review"], ["déjà vu"]], "latin-1")
    status, said = infer(source, tmp_path / "out.csv")
    assert (status, "name its encoding, such as --encoding latin-1" in said) == (2, True)
    (tmp_path / "out.csv").unlink(missing_ok=True)
    assert infer(source, tmp_path / "out.csv", "--encoding", "latin-1")[0] == 0
    assert read(tmp_path / "out.csv")[1][0] == "déjà vu"
    for name in ("klingon", "base64", "rot13", "undefined"):
        status, said = infer(source, tmp_path / "more.csv", "--encoding", name)
        assert (status, f"no encoding {name}" in said) == (2, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("review,id,review\na,b,c\n", "has two columns 'review'"),
        ("text\na\n", "has no column 'review' but text"),
        ("review,id\na\n", "line 2: 1 cells, the header has 2"),
        ('review\n"never ends', "line 2: unexpected end of data"),
    ],
)
def test_a_mistake_is_one_line(content: str, said: str, tmp_path: Path, infer: Infer) -> None:
    (tmp_path / "in.csv").write_text(content)
    status, shown = infer(tmp_path / "in.csv", tmp_path / "out.csv")
    assert status == 2
    assert said in shown
    assert shown.count("\n") == 1


def test_a_file_without_lines_is_not_read_into_memory(
    tmp_path: Path, infer: Infer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inhibi.engine.rows.LONGEST", 20)
    source = tmp_path / "in.csv"
    source.write_text("review\n" + "x" * 20 + "\n")  # with its end one more
    assert "line 2: more than 20 characters" in infer(source, tmp_path / "out.csv")[1]
    source.write_text("review\n" + "x" * 19 + "\n")
    assert infer(source, tmp_path / "more.csv")[0] == 0
    source.write_bytes(bytes(2**20))
    assert "line 1: more than 20 characters" in infer(source, tmp_path / "none.csv")[1]
    assert not (tmp_path / "none.csv").exists()


def test_other_files_and_options(table: Path, tmp_path: Path, infer: Infer) -> None:
    for source, out, more, said in (
        (tmp_path / "none.csv", "out.csv", (), "no file"),
        (tmp_path / "in.xlsx", "out.csv", (), "is no table: name a .csv, .tsv or .parquet file"),
        (table, "out.txt", (), "is no table: name a .csv or .tsv file"),
        (table, "out.csv", ("--text-pair-column", "more"), "takes one text in each row"),
        (table, "out.csv", ("--json",), "are not for tables"),
        (table, "out.csv", ("--ray", ""), "--ray is empty"),
        (table, "out.csv", ("--encoding", ""), "--encoding is empty"),
        (tmp_path / "in.Parquet", "out.csv", ("--encoding", "latin-1"), "--encoding is not for"),
        (table, "no/folder/out.csv", (), "No such file or directory"),
    ):
        status, shown = infer(source, tmp_path / out, *more)
        assert status == 2
        assert said in shown
        assert not (tmp_path / out).exists()
    with pytest.raises(SystemExit):
        main(["--out", "x.csv", "a text"])


def test_what_is_written_stays_when_the_disk_is_full(
    table: Path, tmp_path: Path, infer: Infer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole.csv"
    infer(table, whole)
    lines = whole.read_bytes().splitlines(keepends=True)
    room = sum(map(len, lines[:10]))  # in the third batch; TEXTS has a cell of two lines

    class Disk(io.FileIO):
        def write(self, content: object) -> int:
            part = bytes(content)[: room - self.tell()]  # type: ignore[call-overload]
            if not part:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(part)

    def opened(out: Path, _: bool) -> io.TextIOWrapper:
        return io.TextIOWrapper(io.BufferedWriter(Disk(out, "x")), "utf-8", newline="")

    with monkeypatch.context() as patch:
        patch.setattr(tables, "_opened", opened)
        status, said = infer(table, tmp_path / "out.csv")
    line = f"{tmp_path / 'out.csv'}: {os.strerror(errno.ENOSPC)}: the rows that it has stay"
    assert (status, line in said, said.count("\n")) == (2, True, 1)
    assert (tmp_path / "out.csv").read_bytes() == whole.read_bytes()[:room]
    assert infer(table, tmp_path / "out.csv", "--resume")[0] == 0
    assert (tmp_path / "out.csv").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    "content", [b"my notes", b'"never closed\nmore\n', b"a,b\rc,d\r", b"\xff\n"]
)
def test_a_file_that_is_no_output_of_ours_is_not_touched(
    content: bytes, table: Path, tmp_path: Path, infer: Infer
) -> None:
    (tmp_path / "out.csv").write_bytes(content)
    status, said = infer(table, tmp_path / "out.csv", "--resume")
    assert (status, "name another --out" in said) == (2, True)
    assert (tmp_path / "out.csv").read_bytes() == content


@pytest.mark.parametrize("name", ["in.csv", "IN.CSV", "in.parquet"])
def test_a_table_without_its_column_is_not_read_as_lines(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text("id,review\n1,good\n")
    with pytest.raises(SystemExit) as ended:
        main(["--file", str(tmp_path / name)])
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (2, "")
    assert f"{name} is a table: name its column with --text-column" in shown.err


def test_answers_of_another_model_are_not_continued(
    table: Path, tmp_path: Path, infer: Infer
) -> None:
    infer(table, tmp_path / "out.csv")
    changed = (tmp_path / "out.csv").read_text("utf-8").replace("negative", "bad")
    changed = changed.replace("positive", "great")
    (tmp_path / "out.csv").write_text(changed, "utf-8")
    status, said = infer(table, tmp_path / "out.csv", "--resume")
    assert (status, "with a label of this model" in said) == (2, True)


def test_a_resumed_table_counts_its_empty_rows(tmp_path: Path, infer: Infer) -> None:
    source = write(tmp_path / "in.csv", [["review"], ["good"], [""], ["bad"]])
    assert infer(source, tmp_path / "out.csv")[0] == 1
    status, said = infer(source, tmp_path / "out.csv", "--resume")
    assert status == 1
    assert "0 rows, 3 before; 1 without a text" in said
    assert len(read(tmp_path / "out.csv")) == 4


def test_long_rows_are_named(tmp_path: Path, infer: Infer) -> None:
    source = write(tmp_path / "in.csv", [["review"], ["good film " * 60]])
    assert "row 1 is too long: only 40 tokens" in infer(source, tmp_path / "out.csv")[1]


def test_an_error_that_is_not_of_the_disk_is_not_blamed_on_it(
    table: Path, tmp_path: Path, infer: Infer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(tables, "_answered", fail)
    status, said = infer(table, tmp_path / "out.csv")
    assert (status, said) == (2, f"error: {os.strerror(errno.EIO)}\n")


def test_a_reader_of_the_notes_that_goes_away_is_no_error(tmp_path: Path, tiny_model: Path) -> None:
    source = write(tmp_path / "in.csv", [["review"], *[[" "]] * 9])
    code = "from inhibi.engine.infer import main; main()"
    files = ["--file", str(source), "--out", str(tmp_path / "out.csv"), "--model", str(tiny_model)]
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, "-c", code, *files, "--text-column", "review"]
    ran = subprocess.run(command, stderr=theirs, timeout=120, check=False)
    os.close(theirs)
    assert ran.returncode == 141
