"""Mistakes: each ends `infer` with 1 clear line on standard error and status 2."""

import io
import os
import sys
from pathlib import Path

import onnx
import pytest

from inhibi.engine.infer import main

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n%%EOF\n"


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    out, err = capsys.readouterr()
    assert end.value.code == 2
    assert out == ""
    [line] = err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give texts"),
        (["a", "--file", "b"], "give texts"),
        (["a", "-"], "not both"),
        (["a", "--engine", "tpu"], "'tpu'"),
        (["a", "--diff", "numpy"], "'numpy' is not two of ort, numpy"),
        (["a", "--diff", "ort,tpu"], "'ort,tpu' is not two of ort, numpy"),
        (["a", "--threads", "0"], "--threads"),
        (["a", "--threads", "1025"], "1025 is more than 1024"),
        (["a", "--threads", "9" * 20], "--threads"),
        (["a", "--batch", "many"], "--batch"),
        (["a", "--max-length", "-3"], "--max-length"),
        (["a", "--int8", "--fp32"], "not allowed"),
        (["a", "--json", "--trace"], "not allowed"),
        (["a", "--fp32"], "--model DIR"),
        (["a", "--fp32", "--model", "m", "--trace"], "not into --fp32"),
        (["a", "--wrong"], "--wrong"),
    ],
)
def test_wrong_arguments(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    line = complaint(capsys, *arguments)
    assert message in line
    assert "infer --help" in line


@pytest.mark.parametrize("engine", ["ort", "numpy"])
@pytest.mark.parametrize("damage", ["absent", "folder", "empty", "pdf", "half", "newer", "foreign"])
def test_a_model_that_cannot_be_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny_model: Path, damage: str, engine: str
) -> None:
    path = tmp_path / "model.onnx"
    whole = tiny_model.read_bytes()
    if damage == "folder":
        path.mkdir()
    elif damage != "absent":
        path.write_bytes(
            {"empty": b"", "pdf": PDF, "half": whole[: len(whole) // 2]}.get(damage, whole)
        )
    if damage in ("newer", "foreign"):
        _change_metadata(path, damage)
    line = complaint(capsys, "good film", "--model", str(path), "--engine", engine)
    assert str(path) in line
    if damage == "newer":
        assert "format version 4" in line
        assert "upgrade" in line


def _change_metadata(path: Path, damage: str) -> None:
    model = onnx.load(path)
    kept = {entry.key: entry.value for entry in model.metadata_props}
    kept = {} if damage == "foreign" else {**kept, "inhibi.format_version": "4"}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, kept)
    onnx.save(model, path)


def test_a_length_that_the_model_does_not_read(
    capsys: pytest.CaptureFixture[str], tiny_model: Path
) -> None:
    line = complaint(capsys, "good", "--model", str(tiny_model), "--max-length", "41")
    assert "41 is out of range: this model reads 3 to 40 tokens" in line


def test_a_text_file_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "empty").touch()
    model = ("--model", str(tiny_model))
    assert "absent" in complaint(capsys, "--file", str(tmp_path / "absent"), *model)
    assert "is empty" in complaint(capsys, "--file", str(tmp_path / "empty"), *model)
    assert "directory" in complaint(capsys, "--file", str(tmp_path), *model)


def test_standard_input_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tiny_model: Path,
) -> None:
    write_only = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    with io.TextIOWrapper(io.BufferedReader(io.FileIO(write_only))) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        line = complaint(capsys, "-", "--model", str(tiny_model))
    assert "cannot read standard input: " in line
