"""`infer` from its arguments to its output, exit status and complaints."""

import io
import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from tiny import tiny_student

from inhibi.engine import Model, load, runtime
from inhibi.engine.infer import main
from inhibi.engine.tracing import first_difference
from inhibi.export.graph import build, write


class Ran:
    """What a run of `infer` left: exit status, lines of standard output and error."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out.splitlines(), err.splitlines()


class Infer:
    """Runs `infer` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], model: Path) -> None:
        self.capsys, self.model = capsys, model

    def __call__(self, *arguments: str) -> Ran:
        given = arguments if "--model" in arguments else ("--model", str(self.model), *arguments)
        status = 0
        try:
            main(list(given))
        except SystemExit as end:
            status = int(end.code or 0)
        return Ran(status, *self.capsys.readouterr())


@pytest.fixture
def infer(capsys: pytest.CaptureFixture[str], tiny_model: Path) -> Infer:
    return Infer(capsys, tiny_model)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of students: single.onnx, pair.onnx, score.onnx."""
    folder = tmp_path_factory.mktemp("models")
    score = tiny_student(labels=("score",), problem="regression")
    write(build(replace(tiny_student(), task="sst2")), folder / "single.onnx")
    write(build(replace(tiny_student(), task="mrpc", texts=2)), folder / "pair.onnx")
    write(build(replace(score, task="stsb", texts=2)), folder / "score.onnx")
    return folder


def test_a_text_gets_label_probability_and_its_beginning(infer: Infer, tiny_model: Path) -> None:
    ran = infer("--int8", "good  film", "bad " * 30)
    good, bad = load(tiny_model).classify(["good  film", "bad " * 30])
    assert ran.status == 0
    assert ran.err == []
    assert ran.out[0] == f"{good.label}\t{good.probability:.4f}\tgood film"
    assert ran.out[1].split("\t")[:2] == [bad.label, f"{bad.probability:.4f}"]
    assert ran.out[1].endswith("bad…")
    assert len(ran.out[1].split("\t")[2]) <= 80


def test_json_holds_the_whole_answer(infer: Infer, tiny_model: Path) -> None:
    text = "très bien 😀 好\nsecond line"
    ran = infer("--json", text)
    [line] = ran.out
    assert json.loads(line) == load(tiny_model).classify([text])[0].as_dict()
    assert list(json.loads(line)) == [
        "text",
        "label",
        "probability",
        "logits",
        "tokens",
        "truncated",
    ]
    assert "😀" in line


@pytest.mark.parametrize("engine", ["numpy", "ort"])
def test_options_may_stand_anywhere(infer: Infer, engine: str) -> None:
    plain = infer("good film", "-5 degrees", "--", "-x")
    assert plain.status == 0
    mixed = infer("good film", "--engine", engine, "-5 degrees", "--threads", "1", "--", "-x")
    assert mixed.out == plain.out
    assert len(plain.out) == 3


def test_bad_lines_are_named_and_keep_their_place(infer: Infer, tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"good film\n\n\xff\xfe\nbad film\n")
    ran = infer("--file", str(path), "--batch", "2")
    good = infer("good film", "bad film")
    assert ran.status == 1
    assert ran.out == [good.out[0], "", "", good.out[1]]
    assert ran.err == [
        "error: line 2 is empty",
        "error: line 3 is not valid UTF-8 at byte 1",
    ]
    rows = [json.loads(row) for row in infer("--file", str(path), "--json").out]
    assert [row.get("error") for row in rows] == [
        None,
        "line 2 is empty",
        "line 3 is not valid UTF-8 at byte 1",
        None,
    ]


@pytest.mark.parametrize("arguments", [["-"], ["--file", "-"]])
def test_standard_input_is_read(
    infer: Infer, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"good\nwarm\n")))
    ran = infer(*arguments)
    assert ran.status == 0
    assert ran.out == infer("good", "warm").out


def test_an_empty_argument_is_named(infer: Infer) -> None:
    ran = infer("good", " ")
    assert (ran.status, len(ran.out), ran.out[1]) == (1, 2, "")
    assert ran.err == ["error: text 2 is empty"]


def test_a_long_text_is_answered_with_a_note(infer: Infer, tiny_model: Path) -> None:
    ran = infer("--json", "good film " * 10_000)
    answer = json.loads(ran.out[0])
    assert ran.status == 0
    assert ran.err == ["note: text 1 is too long: only its first 40 tokens were read"]
    assert (answer["tokens"], answer["truncated"]) == (40, True)
    assert len(answer["text"]) == 100_000
    short = infer("--max-length", "4", "good bad film warm")
    assert short.err == ["note: text 1 is too long: only its first 4 tokens were read"]
    assert short.out[0].split("\t")[:2] == infer("good bad").out[0].split("\t")[:2]


@pytest.mark.parametrize("action", ["default", "error"])
def test_an_engine_s_warning_is_a_note(
    infer: Infer, monkeypatch: pytest.MonkeyPatch, action: Literal["default", "error"]
) -> None:
    monkeypatch.setattr(runtime, "LONG", 3)
    monkeypatch.setenv("INHIBI_NATIVE", "0")
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        ran = infer("good film", "bad film")
    assert (ran.status, len(ran.out)) == (0, 2)
    assert len(ran.err) == 2  # each time
    assert all(note.startswith("note: 4 tokens at once") for note in ran.err)


def test_pairs_are_two_fields(infer: Infer, models: Path) -> None:
    ran = infer("--model", str(models / "pair.onnx"), "good\tbad", "good", "a\tb\tc")
    assert ran.status == 1
    assert ran.out[0].endswith("\tgood | bad")
    assert ran.out[1:] == ["", ""]
    assert "text 2 has 1 field" in ran.err[0]
    assert "text 3 has 3 fields" in ran.err[1]
    assert len(ran.err) == 2


def test_a_tab_in_a_single_text_is_a_space(infer: Infer, models: Path) -> None:
    model = str(models / "single.onnx")
    ran = infer("--model", model, "good\tfilm")
    assert ran.status == 0
    assert ran.out == infer("--model", model, "good film").out
    assert len(ran.err) == 1
    assert "has a tab, read as a space" in ran.err[0]


def test_a_regression_prints_its_score(infer: Infer, models: Path) -> None:
    path = models / "score.onnx"
    [expected] = load(path).classify([("good", "bad")])
    assert infer("--model", str(path), "good\tbad").out == [f"{expected.score:.4f}\tgood | bad"]
    [line] = infer("--json", "--model", str(path), "good\tbad").out
    row = json.loads(line)
    assert row["score"] == expected.score
    assert row["text"] == ["good", "bad"]
    assert not {"label", "probability"} & set(row)


@pytest.mark.parametrize("engine", ["numpy", "ort"])
def test_trace_shows_every_tensor(infer: Infer, tiny_model: Path, engine: str) -> None:
    ran = infer("--trace", "--engine", engine, "good film")
    model = load(tiny_model, engine=engine)
    tensors = model.session.trace(model.encode(["good film"])[0])
    assert ran.status == 0
    assert ran.out[0].split() == ["name", "shape", "dtype", "min", "max"]
    assert [row.split() for row in ran.out[1:]] == [
        [name, "x".join(map(str, t.shape)), str(t.dtype), str(t.min()), str(t.max())]
        for name, t in tensors
    ]
    assert ran.out[1].split()[:3] == ["embeddings", "4x32", "uint8"]
    assert ran.out[-1].split()[:3] == ["logits", "1x2", "int32"]


def test_diff_says_that_all_tensors_are_equal(infer: Infer) -> None:
    ran = infer("--diff", "numpy,ort", "good film", "bad")
    assert ran.status == 0
    assert ran.err == []
    assert [row.partition(": ")[0] for row in ran.out] == ["text 1", "text 2"]
    assert all(row.endswith("tensors are equal") for row in ran.out)


@pytest.mark.parametrize("option", [["--trace"], ["--diff", "ort,numpy"]])
def test_a_bad_line_is_named_when_looking_inside(infer: Infer, option: list[str]) -> None:
    ran = infer(*option, "", "good")
    assert ran.status == 1
    assert ran.err == ["error: text 1 is empty"]
    assert len(ran.out) == len(infer(*option, "good").out)


@pytest.mark.parametrize("option", [["--trace"], ["--diff", "ort,numpy"]])
def test_a_long_text_is_noted_when_looking_inside(infer: Infer, option: list[str]) -> None:
    ran = infer(*option, "--max-length", "4", "good bad film warm", "good")
    assert ran.status == 0
    assert ran.err == ["note: text 1 is too long: only its first 4 tokens were read"]


def test_diff_names_the_first_tensor_that_differs(
    infer: Infer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Model.__init__

    def one_engine_is_wrong(self: Model, session: object) -> None:
        opened(self, session)  # type: ignore[arg-type]
        trace = self.session.trace
        if "Reference" in type(self.session._engine).__name__:
            self.session.trace = lambda s: [  # type: ignore[method-assign]
                (name, t ^ 1 if name.startswith("layer.1.") else t) for name, t in trace(s)
            ]

    monkeypatch.setattr(Model, "__init__", one_engine_is_wrong)
    ran = infer("--diff", "ort,numpy", "good film")
    assert ran.status == 1
    assert ran.out[0].startswith("text 1: layer.1.qkv.product differs: 384 of 384 values")
    assert "at [0, 0]: ort " in ran.out[0]


def test_first_difference_sees_types_names_and_missing_tensors() -> None:
    engines = ("a", "b")
    zeros, bytes_ = np.zeros((2, 3), np.int32), np.zeros((2, 3), np.uint8)
    assert first_difference(engines, [("x", zeros)], [("x", zeros.copy())]) is None
    assert first_difference(engines, [("x", zeros)], [("x", bytes_)]) == (
        "x differs: a int32 [2, 3], b uint8 [2, 3]"
    )
    assert "y" in str(first_difference(engines, [("x", zeros)], [("y", zeros)]))
    assert "2 tensors" in str(first_difference(engines, [("x", zeros)] * 2, [("x", zeros)]))
    one = zeros.copy()
    one[1, 2] = 7
    assert first_difference(engines, [("x", zeros)], [("x", one)]) == (
        "x differs: 1 of 6 values, the first at [1, 2]: a 0, b 7"
    )


@pytest.mark.parametrize("option", [["--trace"], ["--diff", "ort,numpy"]])
def test_embeddings_have_no_trace(infer: Infer, option: list[str]) -> None:
    ran = infer("--embed", *option, "good film")
    assert (ran.status, ran.out) == (2, [])
    assert "leave --embed out" in ran.err[0]


def test_verbose_tells_what_ran(infer: Infer, tiny_model: Path) -> None:
    ran = infer("--verbose", "--engine", "numpy", "good film", "bad")
    assert len(ran.out) == 2
    assert f"{tiny_model} on numpy: 2 texts, 7 tokens, opened in" in ran.err[0]


def test_verbose_tells_whose_operators_ran(infer: Infer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHIBI_NATIVE", "0")
    [line] = infer("--verbose", "good film").err
    assert "on ort with standard operators, not the native library (INHIBI_NATIVE=0): " in line
