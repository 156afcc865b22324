"""The distillation losses against plain formulas."""

import math
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from safetensors.torch import save_file
from tiny_teacher import save_teacher, tiny_bert, tiny_distilbert, tiny_tokenizer

from inhibi.engine.errors import InputError
from inhibi.kd import stages, training
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.contexts import layer_context, recorded
from inhibi.kd.data import find_task
from inhibi.kd.examples import NO_LABEL
from inhibi.kd.families import parts
from inhibi.kd.losses import (
    consistency_loss,
    relation_loss,
    relative_error,
    soft_loss,
    task_loss,
)
from inhibi.kd.objectives import DistillObjective, TaskObjective
from inhibi.kd.predict import answer
from inhibi.kd.recipe import Distillation, Finetuning, Recipe, Stage
from inhibi.kd.run import Run
from inhibi.kd.student import DROPOUT, make_student
from inhibi.kd.trainer import BatchTrainer, scalars, speed_up
from inhibi.kd.training import check_weights, has_bfloat16, in_supported_precision


def softmax(row: list[float]) -> list[float]:
    total = sum(map(math.exp, row))
    return [math.exp(x) / total for x in row]


def test_soft_loss_is_the_divergence_at_a_temperature() -> None:
    student, teacher, t = [1.0, -1.0], [0.5, 2.0], 2.0
    p, q = (
        [math.exp(x / t) / sum(math.exp(y / t) for y in z) for x in z] for z in (teacher, student)
    )
    expected = t**2 * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    made = soft_loss(torch.tensor([student] * 3), torch.tensor([teacher] * 3), t)
    assert made.item() == pytest.approx(expected, rel=1e-5)


def test_soft_loss_of_a_regression_is_the_squared_difference() -> None:
    assert soft_loss(torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [4.0]]), 3.0).item() == 2.5


def test_consistency_is_the_mean_divergence_of_two_passes() -> None:
    torch.manual_seed(0)
    objective = TaskObjective(tiny_bert().train(), consistency=3.0)
    inputs = {"input_ids": torch.tensor([[2, 5, 6, 3], [2, 7, 8, 3]])}
    labels = torch.tensor([0, 1])
    torch.manual_seed(1)
    loss = objective(labels=labels, **inputs).item()
    torch.manual_seed(1)
    logits = objective.model(input_ids=inputs["input_ids"].repeat(2, 1)).logits.tolist()
    one, other = ([softmax(row) for row in half] for half in (logits[:2], logits[2:]))
    assert one != other
    divergence = sum(
        (p - q) * math.log(p / q) / 2
        for a, b in zip(one, other, strict=True)
        for p, q in zip(a, b, strict=True)
    )
    entropy = -sum(math.log(half[i][i]) for half in (one, other) for i in range(2))
    assert loss == pytest.approx(entropy / 4 + 3 * divergence / 2, rel=1e-5)


def test_consistency_of_a_regression_is_the_squared_difference() -> None:
    made = consistency_loss(torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [4.0]]))
    assert made.item() == 2.5


def test_the_recipe_says_how_much_consistency_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    monkeypatch.setattr(stages, "load", lambda folder: None)
    monkeypatch.setattr(
        stages, "train", lambda run, name, stage, made: found.append((name, made.consistency))
    )
    teacher, finetune = (Finetuning(steps=1, consistency=weight) for weight in (1.0, 2.0))
    task, recipe = find_task("sst2"), Recipe(teacher=teacher, finetune=finetune)
    run = Run(tmp_path / "run", recipe, task, None, (), tiny_tokenizer())
    save_teacher(tmp_path / "teacher")
    stages.teacher_stage(run, str(tmp_path / "teacher"))
    stages.finetune_stage(run, tiny_bert(), tiny_bert())
    assert found == [("teacher", 1.0), ("finetune", 2.0)]


def test_students_are_fine_tuned_with_the_teachers_dropout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two passes differ, as a teacher's do: consistency has something to hold together."""
    objectives = []
    monkeypatch.setattr(stages, "load", lambda folder: None)
    monkeypatch.setattr(stages, "train", lambda run, name, stage, made: objectives.append(made))
    recipe = Recipe(finetune=Finetuning(steps=1, consistency=50.0))
    run = Run(tmp_path, recipe, find_task("sst2"), None, (), tiny_tokenizer())
    for teacher in (tiny_bert(), tiny_distilbert()):
        student = make_student(teacher, InhibitorSettings())
        assert {m.p for m in student.modules() if isinstance(m, torch.nn.Dropout)} == {0.0}
        stages.finetune_stage(run, teacher, student)
        assert {m.p for m in student.modules() if isinstance(m, torch.nn.Dropout)} == {0.1}
        kept = {getattr(student.config, name, None) for name in DROPOUT}
        assert kept == {0.0, None}
        objective = objectives.pop().train()
        rows = {"input_ids": torch.tensor([[2, 5, 6, 3]]), "attention_mask": torch.ones(1, 4)}
        torch.manual_seed(0)
        with torch.no_grad():
            loss = objective(labels=torch.tensor([0]), **rows)
            objective.consistency = 1e-9  # two passes as well
            torch.manual_seed(0)
            assert loss > objective(labels=torch.tensor([0]), **rows) + 1e-3


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # inside torch
def test_scalars_learn_at_their_own_rate() -> None:
    student = make_student(tiny_bert(), InhibitorSettings())
    before = {name: x.detach().clone() for name, x in student.named_parameters()}
    optimizer = torch.optim.SGD(student.parameters(), lr=0.25)
    speed_up(optimizer, scalars(student), 8.0)
    batch = tiny_tokenizer()(["a good film", "bad"], padding=True, return_tensors="pt")
    TaskObjective(student)(torch.tensor([0, 1]), **batch).backward()
    optimizer.step()
    rates = dict.fromkeys(before, 0.25) | {name: 2.0 for name in before if ".inhibitor." in name}
    assert list(rates.values()).count(2.0) == 3 * len(parts(student).layers)
    for name, x in student.named_parameters():
        torch.testing.assert_close(x, before[name] - rates[name] * x.grad, msg=name)


def test_the_recipe_says_how_fast_scalars_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    class Recorded(BatchTrainer):
        def train(self, *_: Any, **__: Any) -> None:
            rates = (group["lr"] for group in self.create_optimizer().param_groups)
            found.append(sorted(set(rates)))

    monkeypatch.setattr(training, "BatchTrainer", Recorded)
    rows = Dataset.from_dict({"sentence": ["a good film", "bad"], "label": [1, 0]})
    student = make_student(tiny_bert(), InhibitorSettings())
    for rate in (1.0, 8.0):
        stage = Stage(steps=1, learning_rate=0.25, scalar_rate=rate)
        run = Run(tmp_path, Recipe(), find_task("sst2"), None, (), tiny_tokenizer())
        run.__dict__["rows"] = (rows, rows)
        training._train(run, "distill", stage, TaskObjective(student))
    assert found == [[0.25], [0.25, 2.0]]


def test_unlabelled_examples_do_not_count() -> None:
    logits = torch.tensor([[2.0, 0.0], [5.0, -5.0]])
    loss = task_loss(logits, torch.tensor([0, NO_LABEL]))
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)
    assert task_loss(logits, torch.tensor([NO_LABEL, NO_LABEL])).item() == 0
    scores = torch.tensor([[1.0], [9.0]])
    assert task_loss(scores, torch.tensor([3.0, float(NO_LABEL)])).item() == 4


def test_padding_does_not_count_in_the_relative_error() -> None:
    made, goal = torch.ones(1, 3, 2), torch.full((1, 3, 2), 2.0)
    goal[0, 2] = 100
    valid = torch.tensor([[True, True, False]])
    assert relative_error(made, goal, valid).item() == 0.25


def test_relations_are_cosines_between_valid_tokens() -> None:
    valid = torch.tensor([[True, True, False]])
    goal = torch.tensor([[[2.0, 0.0], [0.0, 3.0], [9.0, 9.0]]])  # cosines 1 0 / 0 1
    made = torch.tensor([[[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 5.0, 0.0]]])  # 1 r / r 1
    assert relation_loss(made, goal, valid).item() == pytest.approx(2 * 0.5 / 2)
    assert relation_loss(7 * goal, goal, valid).item() == pytest.approx(0)


def test_relations_count_by_their_weight() -> None:
    teacher, student = tiny_bert(), tiny_bert(seed=1)
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
    batch = {"input_ids": ids, "attention_mask": (ids > 0).long(), "labels": torch.tensor([0, 1])}
    losses = [
        DistillObjective(student, teacher, Distillation(relation=weight), (0, 1))(**batch).item()
        for weight in (0.0, 3.0)
    ]
    made, goal = (answer(model, {**batch})[1][-1] for model in (student, teacher))
    relation = relation_loss(made, goal, ids > 0).item()
    assert losses[1] - losses[0] == pytest.approx(3 * relation, rel=1e-4)
    assert relation > 0.01


def test_alignment_sees_the_contexts_that_the_student_computes() -> None:
    """`layer_context` equals what a forward pass hands to the output projection."""
    student = make_student(tiny_bert(), InhibitorSettings()).eval()
    batch = tiny_tokenizer()(
        ["a good film", "it was bad , very bad"], padding=True, return_tensors="pt"
    )
    valid, found = batch["attention_mask"].bool(), parts(student)
    with torch.no_grad(), recorded(found.layers) as (hidden, contexts):
        student(**batch)
    for layer, x, context in zip(found.layers, hidden, contexts, strict=True):
        with torch.no_grad():
            made = layer_context(layer, x, valid, found.heads)
        torch.testing.assert_close(made[valid], context[valid])


def test_a_checkpoint_without_some_of_the_weights_is_refused(tmp_path: Path) -> None:
    """As of a version whose quantized students had no scales for channels."""
    model = torch.nn.Linear(2, 3)
    checkpoint = tmp_path / "qat" / "checkpoints" / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    save_file(model.state_dict() | {"more": torch.ones(1)}, checkpoint / "model.safetensors")
    check_weights(model, str(checkpoint))
    save_file({"weight": model.weight.detach()}, checkpoint / "model.safetensors")
    with pytest.raises(InputError, match=f"lacks bias.*delete {tmp_path / 'qat'} to start"):
        check_weights(model, str(checkpoint))


@pytest.mark.skipif(
    torch.cuda.is_available() or platform.system() != "Linux" or platform.machine() != "x86_64",
    reason="compares with what Linux says of an x86 processor",
)
def test_bfloat16_is_the_processors_own() -> None:
    flags = Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
    assert has_bfloat16() == ("avx512_bf16" in flags)


def test_without_bfloat16_a_stage_runs_in_float32_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    half = Finetuning(steps=7, bf16=True, consistency=2.0)
    monkeypatch.setattr(training, "has_bfloat16", lambda: True)
    assert in_supported_precision("teacher", half) == half
    monkeypatch.setattr(training, "has_bfloat16", lambda: False)
    full = in_supported_precision("teacher", half)
    assert full == replace(half, bf16=False)
    assert in_supported_precision("teacher", full) == full
    printed = capsys.readouterr().err
    assert printed.count("note: teacher runs in float32") == 1
