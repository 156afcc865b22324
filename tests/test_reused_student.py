"""A distilled inhibitor student that another run starts from."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_run import STAGE, train
from tiny_teacher import save_data, save_teacher, tiny_bert, tiny_distilbert, tiny_tokenizer
from transformers import PreTrainedModel

from inhibi.engine.errors import InputError
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.data import find_task
from inhibi.kd.pretrained import load_student
from inhibi.kd.student import load, make_student
from inhibi.kd.task_vector import add_task_vector
from inhibi.kd.training import save

QAT = f"[qat]\n{STAGE}calibration_batches = 2\n"
TEXTS = "[align]\nsteps = 4\ntexts = 10\n[distill]\nsteps = 4\ntexts = 10\n"
AGNOSTIC = f"max_length = 24\ntask_agnostic = true\n{TEXTS}[finetune]\n{STAGE}{QAT}"
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
    (inputs / "student" / "metrics.json").write_text('{"stage": "distill"}')
    return inputs / "student"


def made() -> PreTrainedModel:
    return make_student(tiny_bert(seed=3), InhibitorSettings()).eval()


def stages(run: Path) -> list[str]:
    return sorted(path.parent.name for path in run.glob("*/metrics.json"))


@pytest.mark.slow
def test_a_task_agnostic_run_neither_aligns_nor_distills_it_again(
    inputs: Path, student: Path
) -> None:
    """It needs no texts for that either."""
    reuse = ("--student", str(student))
    run = train(inputs, inputs / "run", *reuse, recipe=AGNOSTIC)
    assert stages(run) == ["finetune", "ptq", "qat"]
    seeds = (train(inputs, inputs / s, *reuse, "--seed", s, recipe=AGNOSTIC) for s in ("1", "2"))
    heads = [load_file(r / "finetune" / "model.safetensors")["classifier.weight"] for r in seeds]
    assert (heads[0] - heads[1]).abs().max() > 0.01  # 4 steps away from different new ones


@pytest.mark.slow
def test_another_run_distills_it(inputs: Path, student: Path) -> None:
    run = train(
        *(inputs, inputs / "run", "--trained-teacher", "--student", str(student)), recipe=SPECIFIC
    )
    assert stages(run) == ["distill", "ptq", "qat", "teacher"]
    before, after = (load_file(f / "model.safetensors") for f in (student, run / "distill"))
    assert before.keys() == after.keys()
    name = "bert.encoder.layer.0.attention.self.query.weight"
    assert 0 < (before[name] - after[name]).abs().max() < 0.2  # 4 steps of 1e-2


@pytest.mark.slow
def test_a_student_begins_with_what_the_teacher_has_learned(inputs: Path, student: Path) -> None:
    """Weight by weight, with --student-base; without a step of distillation it is the student."""
    save_teacher(inputs / "base", tiny_bert(seed=5))
    still = f"max_length = 24\n{QAT}"
    run = train(
        *(inputs, inputs / "run", "--trained-teacher", "--student", str(student)),
        *("--student-base", str(inputs / "base")),
        recipe=still,
    )
    assert stages(run) == ["distill", "ptq", "qat", "teacher"]
    folders = (student, inputs / "teacher", inputs / "base", run / "distill")
    before, teacher, base, after = (load_file(f / "model.safetensors") for f in folders)
    for name, weight in after.items():
        if name.startswith(("bert.pooler", "classifier")):
            assert torch.equal(weight, teacher[name]), name
        elif "inhibitor" in name:
            assert torch.equal(weight, before[name]), name
        else:
            moved, learned = weight - before[name], teacher[name] - base[name]
            assert torch.allclose(moved, learned, atol=1e-6), name
    assert not torch.equal(before["classifier.weight"], teacher["classifier.weight"])


@pytest.mark.slow
def test_distillation_goes_on_from_there(
    inputs: Path, student: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """And is resumed with the same base only."""
    for name, seed in (("base", 5), ("other", 6)):
        save_teacher(inputs / name, tiny_bert(seed=seed))
    begun = ("--trained-teacher", "--student", str(student), "--student-base")
    run = train(inputs, inputs / "run", *begun, str(inputs / "base"), recipe=SPECIFIC)
    folders = (student, inputs / "teacher", inputs / "base", run / "distill")
    before, teacher, base, after = (load_file(f / "model.safetensors") for f in folders)
    name = "bert.encoder.layer.0.attention.self.query.weight"
    start = before[name] + teacher[name] - base[name]
    assert 0 < (after[name] - start).abs().max() < 0.2  # 4 steps of 1e-2
    capfd.readouterr()
    with pytest.raises(SystemExit):
        train(inputs, run, *begun, str(inputs / "other"), "--resume", recipe=SPECIFIC)
    assert "was started with student_base base, not other" in capfd.readouterr().err


def test_the_vector_of_a_distilbert() -> None:
    teacher, base, before = (tiny_distilbert(seed=seed) for seed in (1, 2, 3))
    student = make_student(before, InhibitorSettings())
    add_task_vector(student, teacher, base)
    after, learned, shared = (model.state_dict() for model in (student, teacher, base))
    for name, weight in before.state_dict().items():
        if name.startswith(("pre_classifier", "classifier")):
            assert torch.equal(after[name], learned[name]), name
        else:
            moved = learned[name] - shared[name]
            assert torch.allclose(after[name] - weight, moved, atol=1e-6), name


def test_a_student_of_another_shape_has_no_vector() -> None:
    student = make_student(tiny_bert(layers=1), InhibitorSettings())
    before = {name: weight.clone() for name, weight in student.state_dict().items()}
    with pytest.raises(InputError, match="the student is not of the teacher's shape"):
        add_task_vector(student, tiny_bert(), tiny_bert())
    assert all(torch.equal(weight, before[name]) for name, weight in student.state_dict().items())


@pytest.mark.parametrize(
    ("base", "recipe", "started_from", "message"),
    [
        ({"layers": 1}, SPECIFIC, "student", "base is not of the teacher's shape"),
        ({"layers": 3}, SPECIFIC, "student", "base is not of the teacher's shape"),
        ({"hidden": 32}, SPECIFIC, "student", "base is not of the teacher's shape"),
        ({}, AGNOSTIC, "student", "the recipe is task-agnostic"),
        ({}, SPECIFIC, "teacher", "is for a distilled inhibitor"),
        ({}, SPECIFIC, None, "is of use with a distilled --student only"),
    ],
)
def test_a_base_that_does_not_fit_is_one_line(
    inputs: Path,
    student: Path,
    capfd: pytest.CaptureFixture[str],
    base: dict[str, int],
    recipe: str,
    started_from: str | None,
    message: str,
) -> None:
    save_teacher(inputs / "base", tiny_bert(**base))
    named = ("--student", str(inputs / started_from)) if started_from else ()
    with pytest.raises(SystemExit):
        train(
            *(inputs, inputs / "run", "--trained-teacher", *named),
            *("--student-base", str(inputs / "base")),
            recipe=recipe,
        )
    assert message in capfd.readouterr().err.splitlines()[-1]  # the parser's comes after its usage
    assert not (inputs / "run").exists()


def test_other_labels_get_a_new_classifier(student: Path) -> None:
    same, other = (load_student(str(student), find_task(name), False) for name in ("sst2", "stsb"))
    assert torch.equal(same.classifier.weight, load(student).classifier.weight)
    new = load_student(str(student), find_task("sst2"), True)
    assert not torch.equal(new.classifier.weight, same.classifier.weight)
    assert other.classifier.weight.shape == (1, 16)
    assert (other.config.problem_type, other.config.num_labels) == ("regression", 1)
    for name, value in same.bert.state_dict().items():
        assert torch.equal(value, other.bert.state_dict()[name])
    with torch.no_grad():
        assert other(torch.tensor([[2, 5, 3]])).logits.shape == (1, 1)


@pytest.mark.parametrize(
    ("recipe", "stage", "message"),
    [
        (f"{SPECIFIC}[inhibitor]\nsigned = false\n", "distill", "was made with signed = True, the"),
        (f'attention = "dot_product"\n{SPECIFIC}', "distill", "the recipe's attention is not"),
        (AGNOSTIC, "align", "is no distilled student"),
        (SPECIFIC.replace("[distill]\nsteps = 4", "[distill]\nsteps = 0"), "distill", "is left"),
    ],
)
def test_what_does_not_fit_is_one_line(
    inputs: Path,
    student: Path,
    capfd: pytest.CaptureFixture[str],
    recipe: str,
    stage: str,
    message: str,
) -> None:
    (student / "metrics.json").write_text(f'{{"stage": "{stage}"}}')
    with pytest.raises(SystemExit):
        train(inputs, inputs / "run", "--student", str(student), recipe=recipe)
    [line] = capfd.readouterr().err.splitlines()
    assert message in line
    assert not (inputs / "run").exists()


@pytest.mark.slow
def test_a_student_that_begins_unaligned_is_named(
    inputs: Path, student: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = f"max_length = 24\n[distill]\n{STAGE}{QAT}"
    teacher = ("--trained-teacher", "--no-qat")
    train(inputs, inputs / "plain", *teacher, recipe=plain)
    assert "note: the student begins unaligned" in capsys.readouterr().err
    train(inputs, inputs / "reused", *teacher, "--student", str(student), recipe=plain)
    assert "unaligned" not in capsys.readouterr().err
