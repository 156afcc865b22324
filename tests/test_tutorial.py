"""docs/TUTORIAL.md: all its commands, in order, unchanged.

The teacher is a tiny one in a folder of the same name. What cannot be run here has a stand-in on
PATH (`STAND_INS`), which writes down how it was called; everything else is the real program. The
Raspberry Pi is another folder.
"""

import csv
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from test_embedding import RECIPE, TEXTS
from tiny_teacher import save_teacher

from inhibi.engine.model import load, packaged

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "TUTORIAL.md").read_text("utf-8")
ON_THE_PI = "On the Raspberry Pi"
TEACHER = "sentence-transformers/all-MiniLM-L6-v2"

STAND_INS = {
    "pip": "",
    "ssh": "",
    "scp": 'cp "$1" "$2" "$3" ../pi',
    "git": "mkdir sources && touch sources/pyproject.toml && tar czf inhibi.tar.gz sources",
    # The environment is there already; other uses are real.
    "python3": f'[ "$1 $2" = "-m venv" ] || exec {sys.executable} "$@"\n'
    'mkdir -p "$3/bin" && touch "$3/bin/activate"',
    # Of 6,000 steps a few are enough here: of two recipes the last counts.
    "qat-train": f'case "$*" in *embedding*) set -- "$@" --recipe tiny.toml;; esac\n'
    f'exec {Path(sys.executable).parent}/qat-train "$@"',
}
CALLS = f"""\
laptop python3 -m venv venv
laptop pip install torch>=2.9,<2.14 --index-url https://download.pytorch.org/whl/cpu
laptop pip install ./inhibi[train]
laptop qat-train --train mine.csv --text-column message --label-column topic \
--teacher {TEACHER} --recipe quick --out runs/mine
laptop git -C inhibi archive --prefix=inhibi/ -o ../inhibi.tar.gz HEAD
laptop scp inhibi.tar.gz mine.onnx new.csv pi@raspberrypi.local:
laptop ssh pi@raspberrypi.local
pi python3 -m venv venv
pi pip install ./inhibi
laptop qat-train --head embedding --teacher {TEACHER} --text sentences.parquet --out runs/embed
"""


def blocks() -> Iterator[tuple[str, str, str]]:
    """Every block of code: its section, language and text."""
    for section in re.split("^## ", TUTORIAL, flags=re.MULTILINE):
        for language, text in re.findall(r"^```(.*)\n((?s:.*?))^```$", section, re.MULTILINE):
            yield section.partition("\n")[0], language, text


@pytest.fixture
def machines(tmp_path: Path) -> Path:
    """Folders of the two machines, the stand-ins, and what the tutorial expects to be there."""
    for name in ("laptop", "pi", "bin"):
        (tmp_path / name).mkdir()
    for name, script in STAND_INS.items():
        file = tmp_path / "bin" / name
        note = f'echo "$(basename "$PWD") {name} $*" >> {tmp_path}/calls'
        file.write_text(f"#!/bin/sh -e\n{note}\n{script}\n")
        file.chmod(0o755)
    save_teacher(tmp_path / "laptop" / TEACHER)
    parquet.write_table(pa.table({"text": TEXTS}), tmp_path / "laptop" / "sentences.parquet")
    (tmp_path / "laptop" / "tiny.toml").write_text(RECIPE)
    return tmp_path


def run(command: list[str], folder: Path, machines: Path) -> str:
    """What it prints."""
    paths = (machines / "bin", Path(sys.executable).parent, os.environ["PATH"])
    environment = {
        "PATH": ":".join(map(str, paths)),
        "HF_HUB_OFFLINE": "1",
        "TORCH_COMPILE_DISABLE": "1",  # compiling takes longer than all of the training
        "OMP_NUM_THREADS": "1",  # of so small matrices more only wait for each other
    }
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_every_command(machines: Path) -> None:
    said = ""
    for section, language, text in blocks():
        folder = machines / ("pi" if section == ON_THE_PI else "laptop")
        programs = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
        said += run([*programs[language], text], folder, machines)
    assert (machines / "calls").read_text() == CALLS

    laptop, pi = machines / "laptop", machines / "pi"
    labels = load(laptop / "mine.onnx").metadata.labels
    assert labels == ("delivery", "payment", "product")
    header, *rows = csv.reader((laptop / "answers.csv").read_text().splitlines())
    assert header == ["id", "message", "label", "probability"]
    assert len(rows) == 5
    assert {row[2] for row in rows} <= set(labels)
    assert (pi / "answers.csv").read_bytes() == (laptop / "answers.csv").read_bytes()
    assert (pi / "sources" / "pyproject.toml").is_file()
    assert (laptop / "answers.csv").read_text() in said
    assert "delivery, payment, product" in said  # inspect
    [vector] = re.findall(r"^(-?\d+ .*)\tmy order still has not come$", said, re.MULTILINE)
    assert vector.split() == list(map(str, vector_of(laptop)))


def vector_of(laptop: Path) -> list[int]:
    made: list[int] = load(laptop / "embed.onnx").embed(["my order still has not come"]).vectors[0]
    return made


def test_its_blocks_are_of_languages_that_are_run() -> None:
    assert {language for _, language, _ in blocks()} == {"sh", "python"}
    assert 2 * len(list(blocks())) == TUTORIAL.count("```")
    assert any(section == ON_THE_PI for section, *_ in blocks())


def test_its_numbers() -> None:
    """The packaged student has the teacher's shape and vocabulary."""
    metadata = load().metadata
    shape = (metadata.layers, metadata.hidden, metadata.intermediate, metadata.vocabulary)
    assert shape == (6, 384, 1536, 30522)
    assert round(packaged().stat().st_size / 1e6) == 24
    assert "about 24 MB, half of them for the 30,522 words" in TUTORIAL
    train = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "torch>=2.9,<2.14" in train["optional-dependencies"]["train"]
    assert train["requires-python"] == ">=3.11"
