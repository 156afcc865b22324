"""The energy report for a terminal."""

from collections.abc import Sequence
from typing import Any

from inhibi.engine.table import render
from inhibi.eval.comparison import FP32_DOT_PRODUCT, INTEGER_DOT_PRODUCT, INTEGER_INHIBITOR

INTEGERS = (INTEGER_DOT_PRODUCT, INTEGER_INHIBITOR)
PARTS = ("operations", "memory", "total")
MARKS = {"published": " ", "unverified": "u", "assumed": "a"}

HEAD = """\
Energy of one sentence of {tokens} tokens in microjoules: {model}
A model (operations and bytes counted from the file, times published energies), no measurement.
Ratios are over the integer inhibitor. In parentheses: every assumption at the end of its range
that speaks most against the inhibitor (look-ups and exp free, a division as one multiplication,
an absolute difference as two additions)."""
MEMORY = """\
Memory: each operand of a node is read once and each result written once; what is inside a node
stays in registers, but each query's row of scores is written and read once. Weights come from
{weights}, activations and accumulators from 1 MB of SRAM. Of embedding tables only the
sentence's rows are read."""
FIGURES = "Figures in pJ (u: not checked against the paper, a: assumed by a rule below, with range)"


def text(found: dict[str, Any], details: bool = False) -> str:
    """The report from `comparison.compare`; with details also by layer, operation and tensor."""
    sections = [HEAD.format(**found), *_comparisons(found)]
    if details:
        sections += _details(found)
    weights = {"dram": "DRAM", "sram1MB": "1 MB of SRAM"}[found["memory"]["weights"]]
    return "\n\n".join([*sections, MEMORY.format(weights=weights), FIGURES, *_figures(found)])


def _comparisons(found: dict[str, Any]) -> list[str]:
    floats = (FP32_DOT_PRODUCT, INTEGER_INHIBITOR)
    return [
        "Whole model, integer attentions of the same bits, tables and traffic",
        _energies(found, "whole_model", INTEGERS),
        _expectation(found),
        "Attention core alone: from Q, K, V to the context, all layers",
        _energies(found, "attention_core", INTEGERS),
        "Against fp32 with dot-product attention: whole model",
        _energies(found, "whole_model", floats),
        "Against fp32 with dot-product attention: attention core alone",
        _energies(found, "attention_core", floats),
    ]


def _details(found: dict[str, Any]) -> list[str]:
    return [
        "This file by layer",
        _layers(found),
        "Operations of the whole model",
        _counts(found["operations"]),
        "Bytes of the whole model",
        _counts(found["bytes"]),
    ]


def _energies(found: dict[str, Any], part: str, names: Sequence[str]) -> str:
    rows = []
    for technology in found["energy"].values():
        parts, least = technology[part], technology["against_inhibitor"][part]
        for name in names:
            mark = " (this file)" if name == found["attention"] else ""
            cells = [_micro(parts[name][key]) for key in PARTS]
            ratios = [
                f"{_ratio(parts, name, key)} ({_ratio(least, name, key)})"
                for key in ("operations", "total")
            ]
            rows.append([technology["title"], name + mark, *cells, *ratios])
    header = ("technology", "attention", *PARTS, "ratio of operations", "of total")
    return render(header, rows, left=2)


def _expectation(found: dict[str, Any]) -> str:
    """What the whole model's ratio can be at this length."""
    technology = next(iter(found["energy"].values()))
    core, whole = (
        technology[part][INTEGER_DOT_PRODUCT]["total"] for part in ("attention_core", "whole_model")
    )
    share = 100 * core / whole
    expect = "Expect little difference" if share < 10 else "The attention counts here"
    return (
        f"{expect}: at {found['tokens']} tokens the attention core has {share:.1f} % of the energy "
        f"of the model\nwith dot products ({technology['title']}). Its share grows with length."
    )


def _layers(found: dict[str, Any]) -> str:
    technologies = [t["layers"][found["attention"]] for t in found["energy"].values()]
    titles = [t["title"] for t in found["energy"].values()]
    rows = [
        [layer, *(_micro(layers[layer][key]) for layers in technologies for key in PARTS)]
        for layer in technologies[0]
    ]
    return render(("layer", *(f"{t}: {key}" for t in titles for key in PARTS)), rows)


def _counts(counts: dict[str, dict[str, int]]) -> str:
    names = sorted({name for numbers in counts.values() for name in numbers})
    rows = [[*name.split("."), *(f"{c.get(name, 0):,}" for c in counts.values())] for name in names]
    return render(("kind", "type", *counts), rows, left=2)


def _figures(found: dict[str, Any]) -> list[str]:
    """All figures, then each rule and source once."""
    technologies = found["energy"].values()
    names = next(iter(technologies))["figures"]
    rows = [[*n.split("."), *(_figure(t["figures"][n]) for t in technologies)] for n in names]
    table = render(("kind", "type", *(t["title"] for t in technologies)), rows, left=2)
    users: dict[str, dict[str, None]] = {}
    for technology in technologies:
        for name, figure in technology["figures"].items():
            user = name.split(".")[0] if figure["derived"] else technology["title"]
            users.setdefault(figure["source"], {})[user] = None
    return [table, "\n".join(f"{', '.join(names)}: {source}" for source, names in users.items())]


def _figure(figure: dict[str, Any]) -> str:
    given, least = figure["picojoules"], figure["least"]
    reach = "" if least == given else f" ({least:.4g})"
    return f"{given:.4g}{reach} {MARKS[figure['status']]}"


def _ratio(energies: dict[str, dict[str, float]], name: str, key: str) -> str:
    return f"{energies[name][key] / energies[INTEGER_INHIBITOR][key]:.2f}x"


def _micro(picojoules: float) -> str:
    micro = picojoules / 1e6
    return f"{micro:,.1f}" if micro >= 100 else f"{micro:.3f}"
