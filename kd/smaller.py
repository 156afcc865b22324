"""Smaller checkpoints: another one's vocabulary and embeddings in fewer numbers, new layers."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel, set_seed

from inhibi.engine.errors import InputError
from inhibi.kd.families import parts


@dataclass(frozen=True)
class Shape:
    """Sizes of a checkpoint; None: the same as another one's. tokens: positions."""

    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    intermediate: int | None = None
    tokens: int | None = None


@torch.no_grad()
def smaller(source: PreTrainedModel, shape: Shape) -> PreTrainedModel:
    """A classifier of this shape with the source's vocabulary and labels.

    Its embeddings are the source's on the leading principal directions of the words' [V,C]. All
    other weights are new, and the same each time. Raises `InputError` where the shape does not fit.
    """
    config = _config(source.config, shape)
    set_seed(0)
    model = type(source)(config).eval()
    ours, theirs = parts(model), parts(source)
    directions = principal_directions(theirs.word.weight, config.hidden_size)
    ours.word.weight.copy_(theirs.word.weight @ directions)
    ours.position.weight.copy_(theirs.position.weight[: len(ours.position.weight)] @ directions)
    if ours.token_type is not None and theirs.token_type is not None:
        ours.token_type.weight.copy_(theirs.token_type.weight @ directions)
    return model


def principal_directions(rows: Tensor, count: int) -> Tensor:
    """The orthonormal directions [C,count] in which the rows [V,C] vary most, the first most."""
    return torch.linalg.eigh(torch.cov(rows.T)).eigenvectors.flip(1)[:, :count]


def _config(source: PretrainedConfig, shape: Shape) -> PretrainedConfig:
    config = copy.deepcopy(source)
    intermediate = "intermediate_size" if hasattr(config, "intermediate_size") else "hidden_dim"
    for name, size in (
        ("num_hidden_layers", shape.layers),  # DistilBERT's own names are mapped to BERT's,
        ("hidden_size", shape.hidden),
        ("num_attention_heads", shape.heads),
        (intermediate, shape.intermediate),  # but for this one
        ("max_position_embeddings", shape.tokens),
    ):
        if size is not None:
            setattr(config, name, size)
    if config.hidden_size % config.num_attention_heads:
        raise InputError(
            f"{config.num_attention_heads} heads do not divide a width of {config.hidden_size}"
        )
    for what, name in (("width", "hidden_size"), ("positions", "max_position_embeddings")):
        ours, theirs = getattr(config, name), getattr(source, name)
        if ours > theirs:
            raise InputError(f"the checkpoint's {what} is {theirs}, {ours} is more: name less")
    # A layer's output then has its input's size, at any width.
    config.initializer_range = config.hidden_size**-0.5
    return config
