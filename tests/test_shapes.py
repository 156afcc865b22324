"""Teachers with more layers or another width than their student."""

from pathlib import Path

import pytest
import torch
from tiny_teacher import save_teacher, tiny_bert, tiny_distilbert, tiny_tokenizer
from transformers import BertConfig, PreTrainedModel

from inhibi.engine.errors import InputError
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.contexts import layer_context, recorded
from inhibi.kd.families import parts
from inhibi.kd.losses import relative_error
from inhibi.kd.objectives import AlignObjective, DistillObjective
from inhibi.kd.recipe import Distillation
from inhibi.kd.shapes import compared_layers, same_shape, taken_layers
from inhibi.kd.student import load, make_student
from inhibi.qat.student import QuantizationSettings, QuantStudent

TEXTS = ["a good film", "it was bad , very bad"]


def depth(layers: int, width: int = 16) -> BertConfig:
    return BertConfig(num_hidden_layers=layers, hidden_size=width)


@pytest.mark.parametrize(
    ("teacher", "student", "named", "expected"),
    [
        (12, 6, (), (1, 3, 5, 7, 9, 11)),
        (12, 4, (), (2, 5, 8, 11)),
        (5, 3, (), (0, 2, 4)),
        (2, 2, (), (0, 1)),
        (12, 2, (0, 7), (0, 7)),
    ],
)
def test_compared_layers(
    teacher: int, student: int, named: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert compared_layers(named, depth(teacher), depth(student)) == expected


def test_layers_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="the student has 3 layers, the teacher 2: choose"):
        compared_layers((), depth(2), depth(3))
    with pytest.raises(InputError, match="layers name 1, the student has 2 layers"):
        compared_layers((3,), depth(4), depth(2))
    with pytest.raises(InputError, match="name layer 4, the teacher has 4: choose from 0 to 3"):
        compared_layers((1, 4), depth(4), depth(2))
    with pytest.raises(InputError, match="name layer 4"):
        taken_layers((4,), depth(4))
    assert taken_layers((), depth(2)) == (0, 1)
    assert taken_layers((0, 3), depth(4)) == (0, 3)


def test_same_shape() -> None:
    assert same_shape(depth(2), tiny_distilbert().config)
    assert not same_shape(depth(2), depth(3))
    assert not same_shape(depth(2), depth(2, 20))


@pytest.fixture(params=[tiny_bert, tiny_distilbert])
def deep(request: pytest.FixtureRequest) -> PreTrainedModel:
    """A teacher of four layers."""
    made: PreTrainedModel = request.param(layers=4)
    return made


def test_a_student_of_some_of_the_teachers_layers(deep: PreTrainedModel, tmp_path: Path) -> None:
    student = make_student(deep, InhibitorSettings(), (1, 3)).eval()
    ours, theirs = parts(student), parts(deep)
    assert len(ours.layers) == 2
    assert len(theirs.layers) == 4
    for layer, number in zip(ours.layers, (1, 3), strict=True):
        goal = theirs.layers[number]
        for name in ("query", "key", "value", "attention_output", "intermediate", "output"):
            assert torch.equal(getattr(layer, name).weight, getattr(goal, name).weight), name
    for name in ("word", "position", "embedding_norm", "pooler", "classifier"):
        assert torch.equal(getattr(ours, name).weight, getattr(theirs, name).weight), name
    save_teacher(tmp_path, student)
    batch = tiny_tokenizer()(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(load(tmp_path)(**batch).logits, student(**batch).logits)


def test_alignment_compares_the_layers_that_were_taken(deep: PreTrainedModel) -> None:
    student = make_student(deep, InhibitorSettings(), (1, 3))
    objective = AlignObjective(student, deep, (1, 3))
    batch = dict(tiny_tokenizer()(TEXTS, padding=True, return_tensors="pt"))
    valid = batch["attention_mask"].bool()
    with torch.no_grad(), recorded(parts(deep).layers) as (hidden, contexts):
        deep(**batch)
    with torch.no_grad():
        expected = sum(
            relative_error(layer_context(layer, hidden[n], valid, 2), contexts[n], valid)
            for layer, n in zip(parts(student).layers, (1, 3), strict=True)
        )
        made = objective(labels=torch.zeros(2), **batch)
    torch.testing.assert_close(made, expected)


def test_distillation_compares_projected_hidden_states() -> None:
    teacher, student = tiny_bert(layers=4, hidden=24, heads=3), tiny_bert(layers=2)
    weights = Distillation(soft=0, hidden=1, task=0)
    objective = DistillObjective(student, teacher, weights, (1, 3))
    batch = dict(tiny_tokenizer()(TEXTS, padding=True, return_tensors="pt"))
    ours, theirs = (m(**batch, output_hidden_states=True).hidden_states for m in (student, teacher))
    valid = batch["attention_mask"].bool()
    expected = sum(
        relative_error(objective.projections[i](ours[i + 1]), theirs[n + 1], valid)
        for i, n in enumerate((1, 3))
    )
    labels = torch.tensor([0, 1])
    torch.testing.assert_close(objective(labels=labels, **batch), expected)
    assert objective.state_dict().keys() == {
        *(f"model.{name}" for name in student.state_dict()),
        *(f"projections.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")),
    }
    # Its own states, through no projection.
    own = DistillObjective(student, teacher, weights, (0, 1), source=student)
    assert own(labels=labels, **batch) == 0


def test_quantization_copies_the_float_student() -> None:
    student = make_student(tiny_bert(), InhibitorSettings())
    before = {name: value.clone() for name, value in student.state_dict().items()}
    quantized = QuantStudent(student, QuantizationSettings())
    with torch.no_grad():
        for parameter in quantized.parameters():
            parameter += 1
    for name, value in student.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not hasattr(student.config, "quantization")
