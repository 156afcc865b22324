"""Small new checkpoints with a given one's vocabulary."""

import pytest
import torch
from tiny_teacher import tiny_bert, tiny_distilbert
from transformers import PreTrainedModel

from inhibi.kd.families import parts
from inhibi.kd.smaller import Shape, principal_directions, smaller


@pytest.fixture(params=[tiny_bert, tiny_distilbert])
def source(request: pytest.FixtureRequest) -> PreTrainedModel:
    made: PreTrainedModel = request.param()
    return made


def test_the_shape_is_the_one_asked_for(source: PreTrainedModel) -> None:
    made = smaller(source, Shape(layers=1, hidden=12, heads=3, intermediate=20, tokens=9))
    found = parts(made)
    assert len(found.layers) == 1
    assert found.heads == 3
    assert found.word.weight.shape == (parts(source).word.num_embeddings, 12)
    assert found.position.weight.shape == (9, 12)
    assert found.layers[0].query.weight.shape == (12, 12)
    assert found.layers[0].intermediate.weight.shape == (20, 12)
    assert made.config.id2label == source.config.id2label
    assert source.config.hidden_size == 16  # as it was
    with torch.no_grad():
        assert made(torch.tensor([[2, 7, 3]])).logits.shape == (1, 2)


def test_what_is_not_named_keeps_its_size(source: PreTrainedModel) -> None:
    made = smaller(source, Shape())
    assert {n: p.shape for n, p in made.named_parameters()} == {
        n: p.shape for n, p in source.named_parameters()
    }


def test_embeddings_keep_what_varies_most(source: PreTrainedModel) -> None:
    """Words that differ in 12 directions alone keep their distances in a width of 12."""
    word = parts(source).word.weight
    with torch.no_grad():
        word.copy_(torch.randn(len(word), 12) @ torch.randn(12, 16) + torch.randn(16))
    found = parts(smaller(source, Shape(hidden=12, heads=3)))
    torch.testing.assert_close(torch.pdist(found.word.weight), torch.pdist(word))
    directions = principal_directions(word, 12)
    torch.testing.assert_close(directions.T @ directions, torch.eye(12), atol=1e-5, rtol=0)
    spread = found.word.weight.var(0)
    assert (spread.diff() <= 0).all()
    torch.testing.assert_close(found.position.weight, parts(source).position.weight @ directions)


def test_new_weights_are_the_same_each_time(source: PreTrainedModel) -> None:
    weights = [parts(smaller(source, Shape())).layers[0].query.weight for _ in range(2)]
    assert torch.equal(*weights)
    assert not torch.equal(weights[0], parts(source).layers[0].query.weight)
    # A product's outputs are about as large as its inputs.
    assert 0.7 < weights[0].std() * 16**0.5 < 1.3
