"""Distillation with the embeddings frozen: the student keeps its teacher's, all else learns."""

from pathlib import Path

import pytest
import torch
from tiny_run import RECIPE, train
from tiny_teacher import save_data, save_teacher, tiny_bert, tiny_distilbert
from transformers import PreTrainedModel

from inhibi.kd.families import freeze_embeddings, parts
from inhibi.kd.student import load

FROZEN = RECIPE.replace("[distill]\n", "[distill]\nfrozen_embeddings = true\n")


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [False, True])
def test_the_student_keeps_its_teachers_embeddings(frozen: bool, tmp_path: Path) -> None:
    save_teacher(tmp_path / "teacher")
    save_data(tmp_path / "data")
    run = train(tmp_path, tmp_path / "run", recipe=FROZEN if frozen else RECIPE)
    before, after = (parts(load(run / name)) for name in ("align", "distill"))
    for name in ("word", "position", "token_type", "embedding_norm"):
        same = torch.equal(getattr(before, name).weight, getattr(after, name).weight)
        assert same == frozen, name
    layers = zip(before.layers, after.layers, strict=True)
    assert not any(torch.equal(old.output.weight, new.output.weight) for old, new in layers)


@pytest.mark.parametrize("make", [tiny_bert, tiny_distilbert])
def test_the_embeddings_of_each_family(make: type[PreTrainedModel]) -> None:
    model = make()
    freeze_embeddings(model)
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == ("embeddings" not in name), name
