"""A user's own table: from a CSV to an integer file, and every mistake on the way."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tiny_run import train_own
from tiny_teacher import save_teacher

from inhibi.engine.errors import InputError
from inhibi.engine.model import load
from inhibi.export.cli import main as export_onnx
from inhibi.kd import own_data
from inhibi.kd.own_data import Columns, Table, label_names, read_own, split
from inhibi.qat.train import main as qat_train

ROWS = [
    (f"{text} {word}", label)
    for word in "abcdefghijklmnopqrst"
    for text, label in (("a good film", "great"), ("bad, dull", "poor"), ("cold", "so-so"))
]
FRENCH = (("très bon", "good"), ("mauvais", "bad"))
COLUMNS = Columns(("review",), "verdict")


def csv_text(rows: list[tuple[str, str]], separator: str = ",") -> str:
    lines = [separator.join(("review", "verdict", "more"))]
    return (
        "\n".join([*lines, *(separator.join((f'"{row[0]}"', row[1], "x")) for row in rows)]) + "\n"
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(csv_text(ROWS))
    return path


def read(path: Path, columns: Columns = COLUMNS, encoding: str = "utf-8", other: str = "") -> Any:
    return read_own(str(path), other or None, columns, encoding)


def examples(rows: Any, labels: tuple[str, ...]) -> list[tuple[str, str]]:
    return sorted((row["text"], labels[row["label"]]) for row in rows)


def write_like(path: Path, rows: list[tuple[str, str]]) -> Path:
    dicts = [{"review": text, "verdict": label} for text, label in rows]
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, dicts)))
    elif path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(dicts), path)
    else:
        path.write_text(csv_text(rows, "\t" if path.suffix == ".tsv" else ","))
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_file_gives_the_same(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task, kept, held = read(write_like(tmp_path / f"mine.{kind}", ROWS))
    assert task.labels == ("great", "poor", "so-so")
    assert examples(kept, task.labels) + examples(held, task.labels)
    assert sorted(examples(kept, task.labels) + examples(held, task.labels)) == sorted(ROWS)
    assert len(held) == 6  # 2 of each label's 20
    said = capsys.readouterr().err
    assert "54 examples: great 18, poor 18, so-so 18" in said
    assert "held back: 6 examples: great 2, poor 2, so-so 2" in said


def test_the_same_texts_are_held_back_always_and_together() -> None:
    rows = ROWS * 2
    table = Table("mine", [(text,) for text, _ in rows], [label for _, label in rows])
    assert split(table, 0.1) == split(table, 0.1)
    kept, held = split(table, 0.25)
    assert sorted(kept + held) == list(range(120))
    assert [rows[i][1] for i in held].count("poor") == 10
    assert not {rows[i][0] for i in held} & {rows[i][0] for i in kept}


def test_a_validation_table_is_taken_as_it_is(table: Path, tmp_path: Path) -> None:
    other = write_like(tmp_path / "other.jsonl", ROWS[:4])
    task, kept, held = read(table, other=str(other))
    assert (len(kept), examples(held, task.labels)) == (60, sorted(ROWS[:4]))


def test_rows_without_text_or_label_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*ROWS, ("", "poor"), ("no label here", ""), ("  ", "great"), ("NA", "poor")]
    _, kept, held = read(write_like(tmp_path / "mine.csv", rows))
    assert len(kept) + len(held) == 61  # "NA" is a text
    said = capsys.readouterr().err
    assert "2 rows with no text are left out (row 61, 63)" in said
    assert "1 rows with no label are left out (row 62)" in said


def test_numbers_are_labels_in_their_order(tmp_path: Path) -> None:
    rows = [(text, label) for text, _ in ROWS for label in ("10", "9", "2")]
    assert read(write_like(tmp_path / "mine.csv", rows))[0].labels == ("2", "9", "10")
    dicts = [{"review": text, "verdict": int(label)} for text, label in rows]
    parquet.write_table(pa.Table.from_pylist(dicts), tmp_path / "mine.parquet")
    assert read(tmp_path / "mine.parquet")[0].labels == ("2", "9", "10")


def test_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    rows = (f"good {i},great film,yes\ngood {i},bad film,no\n" for i in range(10))
    path.write_text("a,b,same\n" + "".join(rows))
    task, kept, _ = read(path, Columns(("a", "b"), "same"))
    assert task.columns == ("text", "text_pair")
    pairs = {(f"good {i}", f"{word} film") for i in range(10) for word in ("great", "bad")}
    assert set(zip(kept["text"], kept["text_pair"], strict=True)) < pairs
    assert len(kept) == 18


def test_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [(f"{text} {i}", label) for i in range(10) for text, label in FRENCH]
    path.write_bytes(csv_text(rows).encode("latin-1"))
    with pytest.raises(InputError, match=r"is not encoded as utf-8: name its encoding, such as"):
        read(path)
    _, kept, _ = read(path, encoding="latin-1")
    assert any("très bon" in text for text in kept["text"])


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_text(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(csv_text(ROWS), encoding="utf-8-sig")
    assert len(read(path, encoding=encoding)[1]) == 54


def mistakes() -> dict[str, tuple[str, str, str]]:
    """File name, content and what is said."""
    return {
        "no file": ("none.csv", "", "no file"),
        "empty": ("mine.csv", "EMPTY", "is empty"),
        "header only": ("mine.csv", "review,verdict\n", "has no row with a text"),
        "column": (
            "mine.csv",
            "text,label\na,b\n",
            "has no column 'review' but text, label",
        ),
        "one label": ("mine.csv", csv_text([("a", "good")] * 5), "has one label only, 'good'"),
        "text as label": (
            "mine.csv",
            csv_text([(f"text {i}", f"text {i}") for i in range(9)]),
            "has 9 different labels in 9 rows: is --label-column the right one?",
        ),
        "too few": ("mine.csv", csv_text([("a", "x"), ("b", "y")] * 2), "has too few texts"),
        "kind": ("mine.xlsx", "PK", "is none of .csv, .tsv"),
        "shifted": (
            "mine.csv",
            "review,verdict\ngood, film,3\n",
            "line 2: 3 cells, the header has 2",
        ),
        "twice": ("mine.csv", "review,review,verdict\na,b,c\n", "has two columns 'review'"),
        "lists": ("mine.jsonl", '{"review": ["a"], "verdict": "x"}', "has lists or objects"),
        "no parquet": ("mine.parquet", "text", "is damaged or no parquet file"),
        "hub": ("mine", "", "no data set of the hub with a split train"),
        "no labels": ("mine.csv", "review,verdict\na,\nb,\n", "has no row with a text and a label"),
        "json": ("mine.jsonl", "{no json", "is no file of JSON lines"),
    }


@pytest.mark.parametrize("name", mistakes())
def test_a_mistake_is_one_line(name: str, tmp_path: Path) -> None:
    file, content, said = mistakes()[name]
    if content:
        (tmp_path / file).write_text("" if content == "EMPTY" else content)
    with pytest.raises(InputError) as stopped:
        read(tmp_path / file)
    assert said in str(stopped.value)
    assert len(str(stopped.value)) < 400


def test_labels_that_training_has_not(table: Path, tmp_path: Path) -> None:
    other = write_like(tmp_path / "other.csv", [("a film", "splendid")] * 3 + ROWS[:2])
    with pytest.raises(InputError, match=r"has labels that .* has not: 'splendid' \(3\)"):
        read(table, other=str(other))


def test_a_parquet_file_whose_texts_are_no_utf_8(tmp_path: Path) -> None:
    texts = pa.array([b"\xff"] * 9).cast(pa.string(), safe=False)
    columns = {"review": texts, "verdict": pa.array(["good"] * 9)}
    parquet.write_table(pa.table(columns), tmp_path / "mine.parquet")
    with pytest.raises(InputError, match="has texts that are not encoded as UTF-8"):
        read(tmp_path / "mine.parquet")


def test_a_table_that_is_too_large(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_data, "LARGEST", 1000)
    with pytest.raises(InputError, match="training reads 0 at most: take a sample"):
        read(table)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs") / "teacher"
    save_teacher(folder)
    return folder


@pytest.mark.slow
def test_from_a_table_to_a_file(
    table: Path, teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = ("--text-column", "review", "--label-column", "verdict")
    run = train_own(table, teacher, tmp_path / "run", *columns)
    described = json.loads((run / "run.json").read_text())
    assert described["task"] == "own"
    assert described["data"]["train"]["name"] == "mine.csv"
    assert described["data"]["labels"] == ["great", "poor", "so-so"]
    metrics = json.loads((run / "teacher" / "metrics.json").read_text())
    assert metrics["steps"] == 4  # of 40: two passes of two batches
    assert metrics["split"] == "validation"
    file = tmp_path / "mine.onnx"
    export_onnx([str(run), "-o", str(file)])
    model = load(file)
    assert model.metadata.labels == ("great", "poor", "so-so")
    assert model.classify(["a good film"])[0].label in model.metadata.labels
    with pytest.raises(SystemExit):
        train_own(table, teacher, run, *columns)
    assert "already holds a run" in capsys.readouterr().err


@pytest.mark.slow
def test_the_users_validation_table_scores_the_stages(
    table: Path, teacher: Path, tmp_path: Path
) -> None:
    """Whatever share the recipe holds back."""
    other = write_like(tmp_path / "other.csv", ROWS[:8])
    columns = ("--text-column", "review", "--label-column", "verdict")
    more = ("--validation", str(other), "--no-qat")
    run = train_own(table, teacher, tmp_path / "run", *columns, *more, recipe="held_back = 0.5\n")
    metrics = json.loads((run / "distill" / "metrics.json").read_text())
    assert metrics["split"] == "validation"
    assert metrics["score"]["accuracy"] in [i / 8 for i in range(9)]


def test_labels_with_one_value_have_one_order() -> None:
    names = label_names(Table("mine", [("a",)] * 8, ["1", "01", "1.0", "2"] * 2))
    assert names == ("01", "1", "1.0", "2")
    assert label_names(Table("mine", [("a",)] * 6, ["nan", "2", "1"] * 2)) == ("1", "2", "nan")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name either a task (--task), a table of your own (--train)"),
        (("--task", "sst2", "--train", "mine.csv"), "name either a task"),
        (("--task", "sst2", "--text-column", "x"), "--text-column is of use with --train only"),
        (("--task", "sst2", "--encoding", "x"), "--encoding is of use with --train only"),
    ],
)
def test_options_that_do_not_fit(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        qat_train([*options, "--teacher", "t", "--out", "run"])
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
