"""The report's numbers: one student file, and the same transformer as every variant."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from inhibi.engine.errors import InputError
from inhibi.eval.energy import figures, sensitivity, sweep
from inhibi.eval.energy.counts import NodeCount, count, moved, operations
from inhibi.eval.energy.energy import SCOPES, Energy, Model
from inhibi.eval.energy.figures import Technology
from inhibi.eval.energy.graph import INHIBITOR, Graph, read
from inhibi.eval.energy.memory import Memory
from inhibi.eval.energy.variants import INTEGER_DOT_PRODUCT, INTEGER_INHIBITOR, VARIANTS

Models = Mapping[str, Model]  # by the variant's name


def compare(path: Path, tokens: int, technologies: Sequence[str], memory: Memory) -> dict[str, Any]:
    """Everything that the report says of one sentence of `tokens` tokens, ready for JSON.

    Energies are in pJ, of one inference of one sentence. Raises `InputError`.
    """
    graph = _countable(path)
    most = graph.metadata.max_tokens
    if not 1 <= tokens <= most:
        raise InputError(f"--tokens {tokens}: this model reads 1 to {most} tokens")
    loaded = load(technologies)
    models = {v.name: Model.of(count(graph, v, [tokens]), memory) for v in VARIANTS}
    own = INTEGER_INHIBITOR if graph.attention == INHIBITOR else INTEGER_DOT_PRODUCT
    return {
        "model": str(path),
        "variant": own.name,
        "tokens": tokens,
        "memory": memory.name,
        "architecture": {
            name: getattr(graph.metadata, name)
            for name in ("layers", "hidden", "heads", "intermediate", "vocabulary")
        },
        "energy": {name: _energies(found, models) for name, found in loaded.items()},
        "operations": {name: _named(operations(model.nodes)) for name, model in models.items()},
        "bytes": {name: _named(moved(model.nodes)) for name, model in models.items()},
        "stored": {name: model.stored for name, model in models.items()},
        "nodes": {name: [_node(n, model) for n in model.nodes] for name, model in models.items()},
        "sweep": {name: _sweep(graph, tokens, found, memory) for name, found in loaded.items()},
    }


def _countable(path: Path) -> Graph:
    """The file's graph. `InputError` where it lacks what counting reads."""
    graph = read(path)
    try:
        assert graph.attention
        count(graph, INTEGER_INHIBITOR, [1])
    except (IndexError, KeyError, StopIteration) as error:
        raise InputError(f"{path} lacks parts of a student ({error!r}): export it again") from error
    return graph


def load(technologies: Sequence[str]) -> dict[str, Technology]:
    """The technologies by name, their titles made different. Raises `InputError`."""
    loaded = {name: figures.load(name) for name in technologies}
    often = Counter(technology.title for technology in loaded.values())
    return {
        name: replace(found, title=f"{found.title} ({name})") if often[found.title] > 1 else found
        for name, found in loaded.items()
    }


def _energies(technology: Technology, models: Models) -> dict[str, Any]:
    """By scope, as the assumptions stand and at their other end; by layer; the figures used."""
    least = technology.against_inhibitor()
    worst: dict[str, figures.Figure] = {}
    found: dict[str, figures.Figure] = {}
    for model in models.values():
        found |= model.figures(technology)
        worst |= model.figures(least)
    return {
        "title": technology.title,
        "scopes": _scopes(technology, models),
        "against_inhibitor": _scopes(least, models),
        "layers": {
            name: {layer: _parts(part.energy(technology)) for layer, part in model.layers().items()}
            for name, model in models.items()
        },
        "figures": {
            name: asdict(figure) | {"least": worst[name].picojoules}
            for name, figure in sorted(found.items())
        },
        "sensitivity": [asdict(answer) for answer in sensitivity.answers(models, technology)],
    }


def _scopes(technology: Technology, models: Models) -> dict[str, dict[str, dict[str, float]]]:
    return {
        scope: {
            name: _parts(model.scope(scope).energy(technology)) for name, model in models.items()
        }
        for scope in SCOPES
    }


def _parts(energy: Energy) -> dict[str, float]:
    return {**asdict(energy), "memory": energy.memory, "total": energy.total}


def _sweep(graph: Graph, tokens: int, technology: Technology, memory: Memory) -> dict[str, Any]:
    return {
        "tokens": sweep.by_tokens(graph, technology, memory),
        "width": sweep.by_width(graph, tokens, technology, memory),
        "heads": sweep.by_heads(graph, tokens, technology, memory),
        "attention_core_has_half_at": sweep.crossings(graph, VARIANTS, technology, memory),
    }


def _node(counted: NodeCount, model: Model) -> dict[str, Any]:
    return {
        "name": counted.node.name,
        "layer": counted.node.layer,
        "operator": counted.node.operator,
        "operations": _named(counted.operations),
        "bytes": _named(moved([counted])),
        "memory": {
            f"{one.what}.{one.direction}": model.memory.level(one, model.stored)
            for one in counted.traffic
        },
    }


def _named(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    return {".".join(name): times for name, times in sorted(counts.items())}
