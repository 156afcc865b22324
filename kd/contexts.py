"""What each layer makes, layer by layer: a teacher's own contexts and outputs, and a student's from
the same input."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

from inhibi.kd.families import LayerParts


def layer_context(layer: LayerParts, hidden: Tensor, valid: Tensor, heads: int) -> Tensor:
    """A student layer's attention context [B,T,C] for the input hidden states [B,T,C]."""
    made: Tensor = layer.attention.inhibitor(*projected(layer, hidden, heads), valid)
    return made.transpose(1, 2).flatten(2)


def layer_output(
    layer: LayerParts, hidden: Tensor, context: Tensor, activation: Callable[[Tensor], Tensor]
) -> Tensor:
    """What a layer makes of its input hidden states and their attention context, each [B,T,C]."""
    attended = layer.attention_norm(hidden + layer.attention_output(context))
    made: Tensor = layer.output_norm(
        attended + layer.output(activation(layer.intermediate(attended)))
    )
    return made


def projected(layer: LayerParts, hidden: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value [B,H,T,d] of the input hidden states [B,T,C]."""
    q, k, v = (
        linear(hidden).unflatten(-1, (heads, -1)).transpose(1, 2)
        for linear in (layer.query, layer.key, layer.value)
    )
    return q, k, v


@contextmanager
def recorded(layers: tuple[LayerParts, ...]) -> Iterator[tuple[list[Tensor], ...]]:
    """Collects each layer's input (of the query projection), context (of the output's) and output,
    each [B,T,C]."""
    hidden: list[Tensor] = []
    contexts: list[Tensor] = []
    outputs: list[Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda _, args, to=to: to.append(args[0]))
        for layer in layers
        for module, to in ((layer.query, hidden), (layer.attention_output, contexts))
    ]
    hooks += [
        layer.output_norm.register_forward_hook(lambda _, args, made: outputs.append(made))
        for layer in layers
    ]
    try:
        yield hidden, contexts, outputs
    finally:
        for hook in hooks:
            hook.remove()
