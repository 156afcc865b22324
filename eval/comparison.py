"""One student file, and the same transformer with other attentions, in operations and energy."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inhibi.engine.errors import InputError
from inhibi.eval import counts, energy
from inhibi.eval.counts import NodeCount
from inhibi.eval.energy import Energy, Technology
from inhibi.eval.graph import DOT_PRODUCT, INHIBITOR, Graph, read

INTEGER_INHIBITOR, INTEGER_DOT_PRODUCT = "integer inhibitor", "integer dot product"
FP32_DOT_PRODUCT = "fp32 dot product"

Variants = dict[str, list[NodeCount]]


def variants(graph: Graph, lengths: Sequence[int]) -> Variants:
    """Counts of the file with each attention; the file itself is one of the first two."""
    return {
        INTEGER_INHIBITOR: counts.count(counts.with_attention(graph, INHIBITOR), lengths),
        INTEGER_DOT_PRODUCT: counts.count(counts.with_attention(graph, DOT_PRODUCT), lengths),
        FP32_DOT_PRODUCT: counts.count_float(graph, lengths),
    }


def compare(path: Path, tokens: int, technologies: Sequence[str], weights: str) -> dict[str, Any]:
    """Everything that the report says, ready for JSON. Energies are in pJ.

    One sentence of `tokens` tokens; `weights` is dram or sram. Raises `InputError`.
    """
    graph = read(path)
    most = graph.metadata.max_tokens
    if not 1 <= tokens <= most:
        raise InputError(f"--tokens {tokens}: this model reads 1 to {most} tokens")
    counted = variants(graph, [tokens])
    memory = energy.WEIGHTS_FROM_DRAM if weights == "dram" else energy.ON_CHIP
    return {
        "model": str(path),
        "attention": INTEGER_INHIBITOR if graph.attention == INHIBITOR else INTEGER_DOT_PRODUCT,
        "tokens": tokens,
        "memory": dict(memory),
        "energy": {name: _energies(energy.load(name, memory), counted) for name in technologies},
        "operations": {name: summed(nodes) for name, nodes in counted.items()},
        "bytes": {name: summed(nodes, "traffic") for name, nodes in counted.items()},
        "nodes": {name: [_node(node) for node in nodes] for name, nodes in counted.items()},
    }


def summed(nodes: Sequence[NodeCount], what: str = "operations") -> dict[str, int]:
    """Operations (or bytes: traffic) of all nodes, by kind and type."""
    total: Counter[tuple[str, str]] = sum((getattr(n, what) for n in nodes), Counter())
    return {".".join(name): times for name, times in sorted(total.items())}


def _energies(technology: Technology, counted: Variants) -> dict[str, Any]:
    """Whole model and attention core, as the assumptions stand and at their other end."""
    cores = {name: counts.attention_core(nodes) for name, nodes in counted.items()}
    least = technology.against_inhibitor()
    every = [node for nodes in counted.values() for node in nodes]
    return {
        "title": technology.title,
        "whole_model": _parts(technology, counted),
        "attention_core": _parts(technology, cores),
        "against_inhibitor": {
            "whole_model": _parts(least, counted),
            "attention_core": _parts(least, cores),
        },
        "layers": {name: _layers(technology, nodes) for name, nodes in counted.items()},
        "figures": {
            name: asdict(figure) | {"least": energy.used(least, every)[name].picojoules}
            for name, figure in energy.used(technology, every).items()
        },
    }


def _parts(technology: Technology, counted: Variants) -> dict[str, dict[str, float]]:
    return {name: _json(technology.energy(nodes)) for name, nodes in counted.items()}


def _layers(technology: Technology, nodes: Sequence[NodeCount]) -> dict[str, dict[str, float]]:
    names = dict.fromkeys(node.node.layer for node in nodes)
    return {
        name: _json(technology.energy([n for n in nodes if n.node.layer == name])) for name in names
    }


def _json(parts: Energy) -> dict[str, float]:
    return {"operations": parts.operations, "memory": parts.memory, "total": parts.total}


def _node(count: NodeCount) -> dict[str, Any]:
    return {
        "name": count.node.name,
        "layer": count.node.layer,
        "operator": count.node.operator,
        "operations": summed([count]),
        "bytes": summed([count], "traffic"),
    }
