"""docs/FAQ.md: every line that it quotes is one that the program prints.

A quoted line is a heading of the form ### `LINE`; in it … matches anything but nothing.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
import torch
from huggingface_hub import constants
from test_bad_models import foreign, version
from tiny import tiny_student
from tiny_teacher import save_teacher, tiny_bert
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from inhibi.engine import tables
from inhibi.engine.infer import main as infer
from inhibi.export.c.cli import main as export_c
from inhibi.export.cli import main as export_onnx
from inhibi.export.graph import build, write
from inhibi.kd import files, own_data
from inhibi.qat import train
from inhibi.qat.train import main as qat_train

FAQ = Path(__file__).parents[1] / "docs" / "FAQ.md"
FULL = Path("/dev/full")
ROWS = [(f"text {i}", "good" if i % 2 else "bad") for i in range(20)]
RECIPE = "max_length = 24\n[teacher]\nsteps = 2\n[qat]\nsteps = 2\ncalibration_batches = 2\n"

Case = Callable[["Situation"], None]
CASES: dict[str, Case] = {}


def entries() -> list[str]:
    """The quoted lines."""
    return re.findall(r"^### `(.+)`$", FAQ.read_text("utf-8"), re.MULTILINE)


def pattern(quoted: str) -> re.Pattern[str]:
    return re.compile(".+".join(map(re.escape, quoted.split("…"))))


def case(part: str) -> Callable[[Case], Case]:
    """The situation in which the quoted line with this part is printed; $ is its end."""

    def add(function: Case) -> Case:
        found = [line for line in entries() if part in f"{line}$"]
        assert len(found) == 1, f"{len(found)} quoted lines have {part!r}"
        quoted = found[0]
        assert quoted not in CASES, f"two cases for {quoted}"
        CASES[quoted] = function
        return function

    return add


class Situation:
    """A folder with tables, a teacher and a student, and the commands of a newcomer there.

    status: with which the last command ended.
    """

    def __init__(self, folder: Path, student: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.student, self.patch = folder, student, patch
        self.status = 0

    def table(self, rows: list[tuple[str, str]], name: str = "mine.csv") -> str:
        lines = ["review,stars", *(f"{text},{label}" for text, label in rows)]
        return self.file(name, "\n".join(lines) + "\n")

    def file(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def teacher(self) -> str:
        return str(save_teacher(self.folder / "teacher"))

    def train(self, table: str, *more: str, teacher: str = "none") -> None:
        recipe = self.file("recipe.toml", RECIPE)
        columns = ("--text-column", "review", "--label-column", "stars")
        self.run(
            qat_train,
            *("--train", table, *columns, "--teacher", teacher, "--recipe", recipe),
            *("--out", str(self.folder / "run"), *more),
        )

    def infer(self, table: str, *more: str, column: str = "review") -> None:
        out = str(self.folder / "out.csv")
        self.run(
            infer,
            *("--model", str(self.student), "--file", table, "--text-column", column),
            *("--out", out, *more),
        )

    def run(self, command: Callable[[list[str]], None], *arguments: str) -> None:
        try:
            command(list(arguments))
        except SystemExit as ended:
            self.status = int(ended.code or 0)

    def started(self, **described: object) -> None:
        (self.folder / "run").mkdir()
        self.file("run/run.json", json.dumps({"task": "sst2", **described}))


@pytest.mark.parametrize("quoted", entries())
def test_the_quoted_line_is_printed(
    quoted: str,
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert quoted in CASES, "no test makes this line appear"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    situation = Situation(tmp_path, tiny_model, monkeypatch)
    CASES[quoted](situation)
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if pattern(quoted).fullmatch(line)], lines
    refused = quoted.startswith("error: ")
    assert sum(line.startswith("error: ") for line in lines) == refused
    assert (situation.status == 2) == refused


@case("see --text-column and --label-column")
def _(at: Situation) -> None:
    at.train(at.file("mine.csv", "text,stars\na,1\n"))


@case("see --text-column$")
def _(at: Situation) -> None:
    at.infer(at.table(ROWS), column="text")


@case("has one label only")
def _(at: Situation) -> None:
    at.train(at.table([("a", "good"), ("b", "good")]))


@case("different labels in")
def _(at: Situation) -> None:
    at.train(at.table([(text, text) for text, _ in ROWS]))


@case("has too few texts")
def _(at: Situation) -> None:
    at.train(at.table(ROWS[:10]))


@case("is empty")
def _(at: Situation) -> None:
    at.train(at.file("mine.csv", ""))


@case("has no row with a text and a label")
def _(at: Situation) -> None:
    at.train(at.table([("", "good"), ("a", "")]))


@case("has labels that")
def _(at: Situation) -> None:
    at.train(at.table(ROWS), "--validation", at.table([("a", "Good")], "other.csv"))


@case("is not encoded as")
def _(at: Situation) -> None:
    at.train(at.file("mine.csv", "review,stars\ndéjà vu,good\n".encode("latin-1")))


@case("cells with a separator need quotes")
def _(at: Situation) -> None:
    at.infer(at.file("mine.csv", "review,stars\ngood, but late,4\n"))


@case("is this a table?")
def _(at: Situation) -> None:
    at.infer(at.file("mine.csv", bytes(2**24 + 1)))


@case("training reads 500 at most")
def _(at: Situation) -> None:
    table = at.table(ROWS)
    with open(table, "r+b") as file:
        file.truncate(own_data.LARGEST + 1)
    at.train(table)


@case("is there already")
def _(at: Situation) -> None:
    at.file("out.csv", "")
    at.infer(at.table(ROWS))


@case("this model takes … in each row")
def _(at: Situation) -> None:
    at.infer(at.table(ROWS), "--text-pair-column", "stars")


@case("has no text: its answer is left empty")
def _(at: Situation) -> None:
    at.infer(at.table([("", "good")]))


@case("is too long: only … tokens of it")
def _(at: Situation) -> None:
    at.infer(at.table([("good " * 99, "good")]))


@case("the rows that it has stay")
def _(at: Situation) -> None:
    at.patch.setattr(tables, "_opened", lambda *_: FULL.open("w"))
    at.infer(at.table(ROWS))


@case("its finished stages and checkpoints stay")
def _(at: Situation) -> None:
    """torch's own error, which does not name the cause; then the disk is asked."""
    disk = SimpleNamespace(TemporaryFile=lambda dir: FULL.open("wb"))
    at.patch.setattr(files, "tempfile", disk)
    at.started()
    at.patch.setattr(train, "run_stages", lambda _: torch.save(torch.zeros(2**16), FULL))
    at.train(at.table(ROWS))


@case("this needs the package")
def _(at: Situation) -> None:
    at.patch.setitem(sys.modules, "brevitas", None)
    at.train(at.table(ROWS))


@case("no tokenizer at")
def _(at: Situation) -> None:
    at.train(at.table(ROWS), teacher="nobody/nothing")


@case("does not give it")
def _(at: Situation) -> None:
    at.run(infer, "--model", "nobody/nothing", "a text")


@case("give a path, a packaged name")
def _(at: Situation) -> None:
    at.run(infer, "--model", "mine.onx", "a text")


@case("pickled weights")
def _(at: Situation) -> None:
    teacher = Path(at.teacher())
    (teacher / "model.safetensors").unlink()
    torch.save(tiny_bert().state_dict(), teacher / "pytorch_model.bin")
    at.train(at.table(ROWS), teacher=str(teacher))


@case("only WordPiece is supported")
def _(at: Situation) -> None:
    unigram = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", 0.0)], 0))
    made = PreTrainedTokenizerFast(tokenizer_object=unigram, unk_token="<unk>")
    made.save_pretrained(at.folder / "unigram")
    at.train(at.table(ROWS), teacher=str(at.folder / "unigram"))


@case("lower max_length")
def _(at: Situation) -> None:
    recipe = at.file("long.toml", RECIPE.replace("24", "128"))
    at.train(at.table(ROWS), "--recipe", recipe, teacher=at.teacher())


@case("already holds a run")
def _(at: Situation) -> None:
    at.started()
    at.train(at.table(ROWS), teacher=at.teacher())


@case("holds no run to resume")
def _(at: Situation) -> None:
    at.train(at.table(ROWS), "--resume", teacher=at.teacher())


@case("was started with")
def _(at: Situation) -> None:
    at.started()
    at.train(at.table(ROWS), "--resume", teacher=at.teacher())


@case("holds no finished qat stage")
def _(at: Situation) -> None:
    at.started()
    at.run(export_onnx, str(at.folder / "run"), "-o", str(at.folder / "mine.onnx"))


@case("is no inhibi student")
def _(at: Situation) -> None:
    at.run(infer, "--model", at.file("other.onnx", foreign(b"")), "a text")


@case("the model has format version")
def _(at: Situation) -> None:
    older = version("2")(at.student.read_bytes())
    at.run(infer, "--model", at.file("older.onnx", older), "a text")


@case("is a folder: give a file")
def _(at: Situation) -> None:
    at.run(infer, "--model", str(at.folder), "a text")


@case("this model makes embeddings")
def _(at: Situation) -> None:
    write(build(tiny_student(pooling="mean")), at.folder / "embed.onnx")
    at.run(infer, "--model", str(at.folder / "embed.onnx"), "a text")


@case("this model gives labels or scores")
def _(at: Situation) -> None:
    at.run(infer, "--model", str(at.student), "--embed", "a text")


@case("not the native library")
def _(at: Situation) -> None:
    at.patch.setenv("INHIBI_NATIVE", "0")
    at.run(infer, "--model", str(at.student), "--verbose", "a text")


@case("without native operators")
def _(at: Situation) -> None:
    at.patch.setenv("INHIBI_NATIVE", "0")
    write(build(tiny_student(max_tokens=300)), at.folder / "long.onnx")
    at.run(infer, "--model", str(at.folder / "long.onnx"), "good " * 290)


@case("holds files of something else")
def _(at: Situation) -> None:
    at.file("notes.txt", "mine")
    at.run(export_c, str(at.student), "-o", str(at.folder))


@case("is not of export-c")
def _(at: Situation) -> None:
    at.run(export_c, str(at.student), "-o", str(at.folder / "c"))
    at.file("c/app.c", "int app;")
    at.run(export_c, str(at.student), "-o", str(at.folder / "c"))


@case("--max-tokens")
def _(at: Situation) -> None:
    at.run(export_c, str(at.student), "-o", str(at.folder / "c"), "--max-tokens", "2")


@case("holds another graph than")
def _(at: Situation) -> None:
    model = onnx.load(at.student)
    model.graph.node.pop(2)
    onnx.save(model, at.folder / "other.onnx")
    at.run(export_c, str(at.folder / "other.onnx"), "-o", str(at.folder / "c"))
