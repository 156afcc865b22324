"""What the report says in words, for the terminal and the page alike."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inhibi.eval.energy.energy import SCOPES, over
from inhibi.eval.energy.variants import INTEGER_DOT_PRODUCT, INTEGER_INHIBITOR

Report = dict[str, Any]  # of `comparison.compare`

HEAD = """\
A model, not a measurement: operations and bytes counted from the file, times published energies.
Microjoules for one sentence. Ratios are over the integer inhibitor; "at worst" takes, of every
assumption with a range, the end that favours the integer dot product: look-ups and exp free, a
division as one multiplication, an absolute difference as two additions."""
HEADINGS = {
    "whole_model": "Whole model: integer attentions have the same bits, shapes and weights",
    "attention_block": "Attention blocks: attention with its four projections and its norm",
    "attention_core": "Attention cores: from Q, K and V to the context, all layers",
}
SWEEP = "By length: the integer dot product over the integer inhibitor"
SHAPES = "By width and heads: the integer dot product over the integer inhibitor"
SENSITIVITY = "How the answer changes: the integer dot product over the integer inhibitor"
FIGURES = "Figures in pJ (u: not checked against its paper, a: assumed by a rule; at worst)"
MEMORY = """\
Memory: each operand of a node is read once and each result written once; what is inside a node
stays in registers, but each query's row of scores is written and read once where softmax or
centring needs all of it first. Of embedding tables only the sentence's rows are read. """
MEMORIES = {
    "dram": "Weights come from DRAM, activations and accumulators from 1 MB of SRAM, however many.",
    "on-chip": "Weights, activations and accumulators lie in 1 MB of SRAM, however many.",
}
MEMORY_OF_SIZE = """\
A memory of {memory} keeps the weights if all of them fit, and each other tensor if it fits; the
rest comes from DRAM and goes there."""
CHANGED = 0.005  # of a ratio: figures that change less are not shown


def title(report: Report) -> str:
    """What is counted."""
    shape = report["architecture"]
    return (
        f"Energy of one sentence of {report['tokens']} tokens: {Path(report['model']).name}, "
        f"{report['variant']}, {shape['layers']} layers of {shape['hidden']}, "
        f"{shape['heads']} heads"
    )


def expectation(report: Report) -> str:
    """What the whole model's ratio can be at this length."""
    technology = next(iter(report["energy"].values()))
    core, whole = (
        technology["scopes"][scope][INTEGER_DOT_PRODUCT.name]["total"]
        for scope in ("attention_core", "whole_model")
    )
    share = 100 * over(core, whole)
    expect = "Expect little difference" if share < 10 else "The attention counts here"
    return (
        f"{expect}: at {report['tokens']} tokens the attention core has {share:.1f} % of the "
        f"energy of the model with dot products ({technology['title']}). Its share grows with "
        "length."
    )


def memory(report: Report) -> str:
    """The memory model."""
    named = MEMORIES.get(report["memory"]) or MEMORY_OF_SIZE.format(memory=report["memory"])
    return MEMORY + named


def dataset(found: Mapping[str, Any]) -> str:
    """Of which sentences the energies and accuracies are."""
    tokens = found["tokens"]
    return (
        f"{found['task']}, microjoules on {found['examples']:,} validation examples of "
        f"{tokens['least']} to {tokens['most']} tokens (mean {tokens['mean']:.1f})"
    )


def measured(found: Mapping[str, Any]) -> str:
    """Whether and how joules were measured. Never beside modelled ones in one table."""
    if not found["available"]:
        return f"Not available on this machine: {found['reason']}."
    return (
        f"Processor packages' counters (Linux powercap), {found['repeats']} turns of "
        f"{found['seconds']:g} s each, sentences of {found['tokens']} tokens; "
        f"{found['idle_watts']:.2f} W of idle power subtracted."
    )


def half(sweep: Mapping[str, Any]) -> str:
    """Where the attention core has half of the energy, by variant."""
    named = (
        f"{name} {'never' if tokens is None else f'{tokens:,}'}"
        for name, tokens in sweep["attention_core_has_half_at"].items()
    )
    return "Tokens at which the attention core has half of the whole model: " + ", ".join(named)


def telling(answers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The sensitivities without figures that change nothing, twice or half."""
    stands = answers[0]["ratios"]
    kept = {
        _figure(answer)
        for answer in answers
        if any(abs(answer["ratios"][s] - stands[s]) >= CHANGED * stands[s] for s in SCOPES)
    }
    return [answer for answer in answers if _figure(answer) in kept or not _varied(answer)]


def _varied(answer: Mapping[str, Any]) -> bool:
    """Whether it is about one figure, twice or half."""
    return str(answer["change"]).endswith((" twice", " half"))


def _figure(answer: Mapping[str, Any]) -> str:
    return str(answer["change"]).rpartition(" ")[0] if _varied(answer) else str(answer["change"])


def summary(answers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that are about more than one figure twice or half."""
    return [answer for answer in answers if not _varied(answer)]


def sources(report: Report) -> Iterable[tuple[str, str]]:
    """Each rule and publication once, after what it gives."""
    users: dict[str, dict[str, None]] = {}
    for technology in report["energy"].values():
        for name, figure in technology["figures"].items():
            user = name.split(".")[0] if figure["parents"] else technology["title"]
            users.setdefault(figure["source"], {})[user] = None
    return [(", ".join(names), source) for source, names in users.items()]


def dot_over_inhibitor(energies: Mapping[str, float]) -> float:
    """The ratio of totals by the variants' names."""
    return over(energies[INTEGER_DOT_PRODUCT.name], energies[INTEGER_INHIBITOR.name])


def ratio(energies: Mapping[str, Mapping[str, float]], name: str, part: str = "total") -> str:
    """A variant's energy over the integer inhibitor's."""
    return times(over(energies[name][part], energies[INTEGER_INHIBITOR.name][part]))


def times(ratio: float, digits: int = 2) -> str:
    """1.02x."""
    return "none" if math.isnan(ratio) else f"{ratio:.{digits}f}x"


def micro(picojoules: float) -> str:
    """Microjoules, with four digits where they are not many."""
    microjoules = picojoules / 1e6
    digits = 1 if microjoules >= 100 else 2 if microjoules >= 10 else 3
    return f"{microjoules:,.{digits}f}"
