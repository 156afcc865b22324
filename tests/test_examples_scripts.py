"""The scripts of examples/, run as their docstrings say."""

import csv
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tiny import WORDS, tiny_student

from inhibi.engine import load
from inhibi.export.graph import build, write

FOLDER = Path(__file__).parents[1] / "examples"
TEXTS = [" ".join(WORDS[i : i + 4]) for i in range(8)]


def run(script: str, *arguments: str | Path) -> list[list[str]]:
    """What it prints, in cells."""
    command = [sys.executable, "-W", "error", FOLDER / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.fixture
def embedding(tmp_path: Path) -> Path:
    write(build(tiny_student(pooling="mean")), tmp_path / "embed.onnx")
    return tmp_path / "embed.onnx"


@pytest.mark.parametrize("script", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_the_docstring_says_how_to_run_it(script: Path) -> None:
    assert f"    python examples/{script.name} " in script.read_text("utf-8").split('"""')[1]


def test_classes_are_counted(tiny_model: Path, tmp_path: Path) -> None:
    with (tmp_path / "new.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "message"], *enumerate(TEXTS)])
    made = run("classify_table.py", tmp_path / "new.csv", "message", tiny_model)
    expected = Counter(answer.label for answer in load(tiny_model).classify(TEXTS))
    assert {label: int(count) for count, label in made} == expected


def test_the_nearest_sentence_is_printed(embedding: Path, tmp_path: Path) -> None:
    (tmp_path / "sentences.txt").write_text("\n\n".join([*TEXTS, TEXTS[3]]) + "\n")
    made = run("nearest_sentences.py", tmp_path / "sentences.txt", embedding)
    unit = load(embedding).embed([*TEXTS, TEXTS[3]]).unit()
    expected = unit @ unit.T - 9 * np.eye(len(unit))
    assert [row[1] for row in made] == [*TEXTS, TEXTS[3]]
    assert [float(row[0]) for row in made] == pytest.approx(expected.max(1).tolist(), abs=1e-3)
    assert made[3] == ["1.000", TEXTS[3], TEXTS[3]]  # its double
    assert made[0][2] == [*TEXTS, TEXTS[3]][int(expected[0].argmax())]


def test_a_vector_of_zeros_has_no_neighbour() -> None:
    cosines = runpy.run_path(str(FOLDER / "nearest_sentences.py"))["cosines"]
    assert cosines(np.array([[0, 0], [-128, 0]], np.int8)).tolist() == [[0, 0], [0, 1]]


def test_mistakes_are_named(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("id,message\n1,good\n")
    (tmp_path / "one.txt").write_text("one\n")
    for script, arguments, said in (
        ("classify_table.py", (), "required: table, column"),
        ("classify_table.py", (tmp_path / "new.csv", "text"), "new.csv has no column 'text'"),
        ("classify_table.py", (tmp_path / "none.csv", "text"), "No such file or directory"),
        ("nearest_sentences.py", (), "required: file, student"),
        ("nearest_sentences.py", (tmp_path / "one.txt", "none"), "has no two sentences"),
    ):
        command = [sys.executable, FOLDER / script, *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 2
        assert said in ran.stderr.splitlines()[-1]
        assert "Traceback" not in ran.stderr
