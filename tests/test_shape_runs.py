"""`qat-train` with a teacher of another shape than the student, to the exported file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import RECIPE, train
from tiny_teacher import save_data, save_teacher, tiny_bert, tiny_distilbert

from inhibi.engine import load as open_file
from inhibi.export.cli import export
from inhibi.kd.families import parts
from inhibi.kd.student import load

TEXTS = ["a good film", "it was bad , very bad"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deep and wide fine-tuned teacher, a student of another family, data and a recipe."""
    folder = tmp_path_factory.mktemp("inputs")
    save_teacher(folder / "teacher", tiny_bert(layers=4, hidden=24, heads=3))
    save_teacher(folder / "student", tiny_distilbert())
    save_data(folder / "data")
    return folder


@pytest.fixture(scope="module")
def run(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return train(inputs, folder, "--student", str(inputs / "student"))


def test_a_student_of_its_own_checkpoint(inputs: Path, run: Path, tmp_path: Path) -> None:
    assert load(run / "teacher").config.hidden_size == 24
    student = load(run / "distill")  # which refuses any key of the projections
    assert student.config.model_type == "distilbert"
    own = load_file(inputs / "student" / "model.safetensors")
    aligned = load_file(run / "align" / "model.safetensors")
    for name in ("transformer.layer.1.ffn.lin1.weight", "embeddings.word_embeddings.weight"):
        assert torch.equal(aligned[f"distilbert.{name}"], own[f"distilbert.{name}"])
    export(run, tmp_path / "student.onnx")
    made = open_file(tmp_path / "student.onnx")
    assert made.logits(TEXTS).shape == (2, 2)
    assert made.metadata.provenance["student"] == "student"


def test_a_resumed_run_has_the_same_projections(inputs: Path, run: Path, tmp_path: Path) -> None:
    """The end of distillation is done again, from its middle."""
    middle = load_file(run / "distill" / "checkpoints" / "checkpoint-2" / "model.safetensors")
    assert sum(name.startswith("projections.") for name in middle) == 4
    again = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(again / "qat")
    shutil.rmtree(again / "distill" / "checkpoints" / "checkpoint-4")
    for name in ("metrics.json", "model.safetensors"):
        (again / "distill" / name).unlink()
    train(inputs, again, "--student", str(inputs / "student"), "--resume")
    for stage in ("distill", "qat"):
        whole, resumed = (load_file(r / stage / "model.safetensors") for r in (run, again))
        assert whole.keys() == resumed.keys()
        for key, value in whole.items():
            assert torch.equal(value, resumed[key]), f"{stage}: {key}"


@pytest.mark.slow
def test_a_layer_map_from_recipe_to_file(
    inputs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(inputs, tmp_path / "run", recipe=f"layers = [0, 2]\n{RECIPE}")
    assert "distill: hidden states of the teacher's layers 0, 2" in capfd.readouterr().err
    assert len(parts(load(tmp_path / "run" / "distill")).layers) == 2
    export(tmp_path / "run", tmp_path / "student.onnx")
    assert open_file(tmp_path / "student.onnx").logits(TEXTS).shape == (2, 2)


@pytest.fixture
def fails(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `qat-train`, which must end with one line and status 2; the line."""

    def run(inputs: Path, folder: Path, *more: str, recipe: str = RECIPE) -> str:
        with pytest.raises(SystemExit) as ended:
            train(inputs, folder, *more, recipe=recipe)
        assert ended.value.code == 2
        [line] = capfd.readouterr().err.splitlines()
        return line

    return run


def test_mistakes_are_one_line(
    inputs: Path, run: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    other = save_teacher(tmp_path / "other")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["a"], vocabulary["good"] = vocabulary["good"], vocabulary["a"]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    new = tmp_path / "run"
    assert "choose a student with the teacher's vocabulary" in fails(
        inputs, new, "--student", str(other)
    )
    deep = save_teacher(tmp_path / "deep", tiny_bert(layers=5))
    assert "has 5 layers, the teacher 4" in fails(inputs, new, "--student", str(deep))
    assert "choose from 0 to 3" in fails(inputs, new, recipe=f"layers = [1, 4]\n{RECIPE}")
    assert not new.exists()
    wide = save_teacher(tmp_path / "wide")
    assert "was started with student student, not wide" in fails(
        inputs, run, "--student", str(wide), "--resume"
    )
    assert "was started with student student, not None" in fails(inputs, run, "--resume")
