"""The same transformer at other lengths, widths and numbers of heads."""

from collections.abc import Iterable, Sequence
from typing import Any

from inhibi.eval.energy.counts import count
from inhibi.eval.energy.energy import SCOPES, Model
from inhibi.eval.energy.figures import Technology
from inhibi.eval.energy.graph import Graph, resized
from inhibi.eval.energy.memory import Memory
from inhibi.eval.energy.variants import VARIANTS, Variant

TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
WIDTHS = (128, 256, 384, 512, 768, 1024)
HEADS = (1, 2, 4, 8, 12, 16, 24, 32)
LONGEST = 1 << 20  # tokens; an attention core that has not half by then is said to have it never

Point = dict[str, Any]


def by_tokens(graph: Graph, technology: Technology, memory: Memory) -> list[Point]:
    """Energy in pJ of each scope and variant for one sentence of n tokens."""
    return [{"tokens": n, **_scopes(graph, n, technology, memory)} for n in TOKENS]


def by_width(graph: Graph, tokens: int, technology: Technology, memory: Memory) -> list[Point]:
    """The same for widths that heads of the file's own width divide."""
    head = graph.metadata.hidden // graph.metadata.heads
    shapes = [(width, width // head) for width in WIDTHS if width % head == 0]
    return _by_shape(graph, shapes, tokens, technology, memory)


def by_heads(graph: Graph, tokens: int, technology: Technology, memory: Memory) -> list[Point]:
    """The same for numbers of heads that divide the file's own width."""
    width = graph.metadata.hidden
    shapes = [(width, heads) for heads in HEADS if width % heads == 0]
    return _by_shape(graph, shapes, tokens, technology, memory)


def dominating(
    graph: Graph, variant: Variant, technology: Technology, memory: Memory
) -> int | None:
    """The least number of tokens at which the attention core has half of the model's energy, as far
    as a search by doublings from 1 token sees it; None up to LONGEST.

    (The share may fall again where a tensor no longer fits into a memory of a given size.)
    """

    def dominates(tokens: int) -> bool:
        model = Model.of(count(graph, variant, [tokens]), memory)
        core = model.scope("attention_core").energy(technology).total
        return 2 * core >= model.energy(technology).total

    long = 1
    while not dominates(long):
        if long >= LONGEST:
            return None
        long *= 2
    short = long // 2
    while long - short > 1:
        middle = (short + long) // 2
        short, long = (short, middle) if dominates(middle) else (middle, long)
    return long


def _by_shape(
    graph: Graph,
    shapes: Iterable[tuple[int, int]],
    tokens: int,
    technology: Technology,
    memory: Memory,
) -> list[Point]:
    intermediate, hidden = graph.metadata.intermediate, graph.metadata.hidden
    return [
        {
            "width": width,
            "heads": heads,
            **_scopes(resized(graph, width, heads), tokens, technology, memory),
        }
        for width, heads in shapes
        if intermediate * width % hidden == 0
    ]


def _scopes(graph: Graph, tokens: int, technology: Technology, memory: Memory) -> Point:
    models = {v.name: Model.of(count(graph, v, [tokens]), memory) for v in VARIANTS}
    return {
        scope: {name: model.scope(scope).energy(technology).total for name, model in models.items()}
        for scope in SCOPES
    }


def crossings(
    graph: Graph, variants: Sequence[Variant], technology: Technology, memory: Memory
) -> dict[str, int | None]:
    """`dominating` of each variant, by name."""
    return {v.name: dominating(graph, v, technology, memory) for v in variants}
