"""A distilled inhibitor student that another run starts from."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import STAGE, train
from tiny_teacher import save_data, save_teacher, tiny_bert, tiny_tokenizer
from transformers import PreTrainedModel

from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.data import find_task
from inhibi.kd.pretrained import load_student
from inhibi.kd.student import load, make_student
from inhibi.kd.training import save

QAT = f"[qat]\n{STAGE}calibration_batches = 2\n"
TEXTS = "[align]\nsteps = 4\ntexts = 10\n[distill]\nsteps = 4\ntexts = 10\n"
AGNOSTIC = f"max_length = 24\ntask_agnostic = true\n{TEXTS}[finetune]\nsteps = 0\n{QAT}"
SPECIFIC = f"max_length = 24\n[align]\n{STAGE}[distill]\n{STAGE}{QAT}"


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    save_teacher(tmp_path / "teacher")
    save_data(tmp_path / "data")
    return tmp_path


@pytest.fixture
def student(inputs: Path) -> Path:
    """The folder of a student that an earlier run distilled."""
    save(made(), tiny_tokenizer(), inputs / "student")
    return inputs / "student"


def made() -> PreTrainedModel:
    return make_student(tiny_bert(seed=3), InhibitorSettings()).eval()


def stages(run: Path) -> list[str]:
    return sorted(path.parent.name for path in run.glob("*/metrics.json"))


def test_a_task_agnostic_run_neither_aligns_nor_distills_it_again(
    inputs: Path, student: Path
) -> None:
    """It needs no texts for that either."""
    run = train(inputs, inputs / "run", "--student", str(student), recipe=AGNOSTIC)
    assert stages(run) == ["qat"]


def test_another_run_distills_it(inputs: Path, student: Path) -> None:
    run = train(
        *(inputs, inputs / "run", "--trained-teacher", "--student", str(student)), recipe=SPECIFIC
    )
    assert stages(run) == ["distill", "qat", "teacher"]
    before, after = (load_file(f / "model.safetensors") for f in (student, run / "distill"))
    assert before.keys() == after.keys()
    name = "bert.encoder.layer.0.attention.self.query.weight"
    assert 0 < (before[name] - after[name]).abs().max() < 0.2  # 4 steps of 1e-2


def test_other_labels_get_a_new_classifier(student: Path) -> None:
    same, other = (load_student(str(student), find_task(name)) for name in ("sst2", "stsb"))
    assert torch.equal(same.classifier.weight, load(student).classifier.weight)
    assert other.classifier.weight.shape == (1, 16)
    assert (other.config.problem_type, other.config.num_labels) == ("regression", 1)
    for name, value in same.bert.state_dict().items():
        assert torch.equal(value, other.bert.state_dict()[name])
    with torch.no_grad():
        assert other(torch.tensor([[2, 5, 3]])).logits.shape == (1, 1)


def test_other_settings_are_refused(
    inputs: Path, student: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = f"{SPECIFIC}[inhibitor]\nsigned = false\n"
    with pytest.raises(SystemExit):
        train(inputs, inputs / "run", "--student", str(student), recipe=recipe)
    [line] = capfd.readouterr().err.splitlines()
    assert "was made with other settings than the recipe's [inhibitor]" in line
    assert not (inputs / "run").exists()
