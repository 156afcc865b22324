"""Initial gamma, alpha and beta from the teacher's statistics."""

import pytest
import torch
from tiny_teacher import tiny_bert, tiny_tokenizer

from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.contexts import layer_context, recorded
from inhibi.kd.families import parts
from inhibi.kd.losses import relative_error
from inhibi.kd.scalars import fit_scalars
from inhibi.kd.student import make_student

TEXTS = ["a good film", "it was bad , very bad and not a good movie", "warm"]


@pytest.mark.parametrize("scope", ["head", "layer"])
@pytest.mark.parametrize("centred", [True, False])
def test_fitted_scalars_come_nearer_than_any_fixed_beta(scope: str, centred: bool) -> None:
    """Per layer, nearer than the recipe's gamma and alpha with their own best beta."""
    teacher = tiny_bert()
    batch = tiny_tokenizer()(TEXTS, padding=True, return_tensors="pt")
    settings = InhibitorSettings(scope=scope, centred=centred, beta=1.0)
    fitted, plain = (make_student(teacher, settings) for _ in range(2))
    fit_scalars(fitted, teacher, dict(batch))
    valid = batch["attention_mask"].bool()
    with torch.no_grad(), recorded(parts(teacher).layers) as (hidden, contexts):
        teacher(**batch)
        for a, b, x, goal in zip(
            parts(fitted).layers, parts(plain).layers, hidden, contexts, strict=True
        ):
            made, other = (layer_context(layer, x, valid, 2) for layer in (a, b))
            slope = (other * goal)[valid].sum() / other[valid].square().sum()
            assert relative_error(made, goal, valid) < relative_error(slope * other, goal, valid)
            assert relative_error(made, goal, valid) < 1


def test_padding_does_not_count() -> None:
    teacher = tiny_bert()
    texts = [TEXTS[0]] * 2
    short = tiny_tokenizer()(texts, return_tensors="pt")
    long = tiny_tokenizer()(texts, padding="max_length", max_length=12, return_tensors="pt")
    made = []
    for batch in (short, long):
        student = make_student(teacher, InhibitorSettings())
        fit_scalars(student, teacher, dict(batch))
        scalars = [layer.attention.inhibitor for layer in parts(student).layers]
        made.append(torch.stack([torch.stack([i.gamma, i.alpha, i.beta]) for i in scalars]))
    torch.testing.assert_close(made[0], made[1])
