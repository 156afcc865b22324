"""Where the parts of a classifier stand in transformers' BERT and DistilBERT."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from inhibi.engine.errors import InputError


@dataclass(frozen=True)
class LayerParts:
    """One encoder layer. `attention` is the module that the attention function receives; a
    student's has the submodule `inhibitor`."""

    attention: Any
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    attention_output: nn.Linear
    attention_norm: nn.LayerNorm
    intermediate: nn.Linear
    output: nn.Linear
    output_norm: nn.LayerNorm


@dataclass(frozen=True)
class Parts:
    """A sequence classifier, part by part; `token_type` is None where the family has none."""

    word: nn.Embedding
    position: nn.Embedding
    token_type: nn.Embedding | None
    embedding_norm: nn.LayerNorm
    layers: tuple[LayerParts, ...]
    activation: Callable[[Tensor], Tensor]
    pooler: nn.Linear
    pooler_activation: Callable[[Tensor], Tensor]
    classifier: nn.Linear
    heads: int


def parts(model: nn.Module) -> Parts:
    """The parts of a BertForSequenceClassification or DistilBertForSequenceClassification."""
    family = getattr(model.config, "model_type", "unknown")
    if family == "bert":
        return _bert(model)
    if family == "distilbert":
        return _distilbert(model)
    raise InputError(
        f"the model family {family!r} is not supported: use a BERT or DistilBERT checkpoint "
        "(WordPiece tokenizer, learned positions)"
    )


def some_layers(model: nn.Module, layers: Sequence[int] | None) -> tuple[LayerParts, ...]:
    """The parts of these encoder layers (0-based; None: all)."""
    found = parts(model).layers
    return found if layers is None else tuple(found[i] for i in layers)


def freeze_embeddings(model: nn.Module) -> None:
    """Take the embedding tables and their norm out of training."""
    found = parts(model)
    for module in (found.word, found.position, found.token_type, found.embedding_norm):
        if module is not None:
            module.requires_grad_(False)


def keep_layers(model: Any, layers: Sequence[int]) -> None:
    """Drop every encoder layer but these (0-based)."""
    encoder = model.bert.encoder if hasattr(model, "bert") else model.distilbert.transformer
    encoder.layer = nn.ModuleList(encoder.layer[i] for i in layers)
    model.config.num_hidden_layers = len(layers)  # DistilBERT's n_layers has this name too


def _bert(model: Any) -> Parts:
    embeddings, encoder = model.bert.embeddings, model.bert.encoder
    return Parts(
        word=embeddings.word_embeddings,
        position=embeddings.position_embeddings,
        token_type=embeddings.token_type_embeddings,
        embedding_norm=embeddings.LayerNorm,
        layers=tuple(
            LayerParts(
                attention=layer.attention.self,
                query=layer.attention.self.query,
                key=layer.attention.self.key,
                value=layer.attention.self.value,
                attention_output=layer.attention.output.dense,
                attention_norm=layer.attention.output.LayerNorm,
                intermediate=layer.intermediate.dense,
                output=layer.output.dense,
                output_norm=layer.output.LayerNorm,
            )
            for layer in encoder.layer
        ),
        activation=encoder.layer[0].intermediate.intermediate_act_fn,
        pooler=model.bert.pooler.dense,
        pooler_activation=torch.tanh,
        classifier=model.classifier,
        heads=model.config.num_attention_heads,
    )


def _distilbert(model: Any) -> Parts:
    embeddings = model.distilbert.embeddings
    layers = model.distilbert.transformer.layer
    return Parts(
        word=embeddings.word_embeddings,
        position=embeddings.position_embeddings,
        token_type=None,
        embedding_norm=embeddings.LayerNorm,
        layers=tuple(
            LayerParts(
                attention=layer.attention,
                query=layer.attention.q_lin,
                key=layer.attention.k_lin,
                value=layer.attention.v_lin,
                attention_output=layer.attention.out_lin,
                attention_norm=layer.sa_layer_norm,
                intermediate=layer.ffn.lin1,
                output=layer.ffn.lin2,
                output_norm=layer.output_layer_norm,
            )
            for layer in layers
        ),
        activation=layers[0].ffn.activation,
        pooler=model.pre_classifier,
        pooler_activation=torch.relu,
        classifier=model.classifier,
        heads=model.config.n_heads,
    )
