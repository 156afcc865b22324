"""`inhibi inspect`."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.numpy_helper import to_array
from tiny import tiny_student

from inhibi.engine.cli import main
from inhibi.engine.metadata import FORMAT_VERSION
from inhibi.export.graph import build, write


def test_what_a_file_is(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["inspect", str(tiny_model), "--json"])
    found = json.loads(capsys.readouterr().out)
    content = tiny_model.read_bytes()
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    assert (found["bytes"], found["format_version"]) == (len(content), FORMAT_VERSION)
    assert found["architecture"]["hidden"] == 32
    assert found["labels"] == ["negative", "positive"]
    tensors = [to_array(tensor) for tensor in onnx.load(tiny_model).graph.initializer]
    assert found["parameters"] == sum(tensor.size for tensor in tensors)
    assert [layer["name"] for layer in found["layers"]] == [
        *("embeddings", "layer.0", "layer.1", "head")
    ]
    assert sum(layer["parameters"] for layer in found["layers"]) == found["parameters"]
    assert sum(layer["bytes"] for layer in found["layers"]) == sum(t.nbytes for t in tensors)
    operators = found["layers"][1]["operators"]
    assert (operators["MatMulInteger"], operators["InhibitorAttention"]) == (4, 1)


def test_bits_hold_the_sums_of_the_products(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["inspect", str(tiny_model), "--json"])
    layer = json.loads(capsys.readouterr().out)["layers"][1]
    constants = {t.name: to_array(t) for t in onnx.load(tiny_model).graph.initializer}
    sums = []
    for name in ("qkv", "attention_output", "intermediate", "output"):
        weight = constants[f"layer.0.{name}.product.weight"].astype(np.int64)
        bias = constants[f"layer.0.{name}.bias"].astype(np.int64)
        sums.append((127 * np.abs(weight).sum(0) + np.abs(bias)).max())
    assert 2 ** (layer["sum_bits"] - 2) <= max(sums) < 2 ** (layer["sum_bits"] - 1)


def test_it_is_shown_to_people(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["inspect", str(tiny_model)])
    shown = capsys.readouterr().out
    for part in ("SHA-256", "negative, positive", "WordPiece", "layer.1", "MatMulInteger x4"):
        assert part in shown


def test_score_and_temperature_of_a_trained_student(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, provenance = tmp_path / "trained.onnx", {"score": {"held back": {"accuracy": 0.75}}}
    write(build(replace(tiny_student(), temperature=1.5, provenance=provenance)), path)
    main(["inspect", str(path), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["score"] == provenance["score"]
    assert found["temperature"] == pytest.approx(1.5)
    main(["inspect", str(path)])
    shown = capsys.readouterr().out
    assert "held back: accuracy 0.7500" in shown
    assert "1.500" in shown


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no model file"), (b"", "inhibi student"), (b"text", "no ONNX")]
)
def test_a_mistake_is_one_line(
    content: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        main(["inspect", str(path)])
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
