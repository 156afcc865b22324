"""Attention's contexts, layer by layer: a teacher's own, and a student's from the same input."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from inhibi.kd.families import LayerParts


def layer_context(layer: LayerParts, hidden: Tensor, valid: Tensor, heads: int) -> Tensor:
    """A student layer's attention context [B,T,C] for the input hidden states [B,T,C]."""
    made: Tensor = layer.attention.inhibitor(*projected(layer, hidden, heads), valid)
    return made.transpose(1, 2).flatten(2)


def projected(layer: LayerParts, hidden: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value [B,H,T,d] of the input hidden states [B,T,C]."""
    q, k, v = (
        linear(hidden).unflatten(-1, (heads, -1)).transpose(1, 2)
        for linear in (layer.query, layer.key, layer.value)
    )
    return q, k, v


@contextmanager
def recorded(layers: tuple[LayerParts, ...]) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Collects each layer's input (of the query projection) and context (of the output's)."""
    hidden: list[Tensor] = []
    contexts: list[Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda _, args, to=to: to.append(args[0]))
        for layer in layers
        for module, to in ((layer.query, hidden), (layer.attention_output, contexts))
    ]
    try:
        yield hidden, contexts
    finally:
        for hook in hooks:
            hook.remove()
