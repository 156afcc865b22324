"""The energy report for a terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from inhibi.eval.energy import wording
from inhibi.eval.energy.energy import SCOPES
from inhibi.eval.energy.variants import INTEGER_INHIBITOR
from inhibi.eval.energy.wording import Report

WIDTH = 150  # columns where the output is no terminal
PARTS = ("operations", "weights", "activations", "accumulators", "total")
MARKS = {"published": "", "unverified": " u", "assumed": " a"}


def show(report: Report, details: bool = False) -> None:
    """Print what `comparison.compare` found; with details also by layer, operation and figure."""
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal:
        console = Console(width=WIDTH, highlight=False)
    for part in sections(report, details):
        console.print(part)
        console.print()


def sections(report: Report, details: bool) -> Iterable[RenderableType]:
    """The report's parts, the honest comparison first."""
    yield Text(wording.title(report), style="bold")
    yield Text(wording.HEAD)
    for scope in SCOPES:
        yield _energies(report, scope)
        if scope == SCOPES[0]:
            yield Text(wording.expectation(report))
    yield _lengths(report)
    yield _sensitivity(report, details)
    if "dataset" in report:
        yield _dataset(report)
    if "measured" in report:
        yield from _measured(report["measured"])
    if details:
        yield from _details(report)
    yield Text(wording.memory(report))
    yield _figures(report)
    yield Text("\n".join(f"{names}: {source}" for names, source in wording.sources(report)))


def _energies(report: Report, scope: str) -> Table:
    """One scope: each variant in each technology, in microjoules."""
    table = _table(
        wording.SCOPES[scope],
        ("technology", "model"),
        (*PARTS, "operations", "over inhibitor", "at worst"),
    )
    table.columns[-3].header = "operations: ratio"
    for technology in report["energy"].values():
        energies, least = (technology[k][scope] for k in ("scopes", "against_inhibitor"))
        for name, parts in energies.items():
            table.add_row(
                technology["title"],
                name + " (this file)" * (name == report["variant"]),
                *(wording.micro(parts[part]) for part in PARTS),
                wording.ratio(energies, name, "operations"),
                wording.ratio(energies, name),
                wording.ratio(least, name),
            )
        table.add_section()
    return table


def _lengths(report: Report) -> Table:
    """The sweep over tokens: ratios of the integer dot product, and the attention core's share."""
    columns = ("whole model", "attention block", "attention core", "core's share")
    table = _table(wording.SWEEP, ("technology", "tokens"), columns, first_right=1)
    for name, technology in report["energy"].items():
        for point in report["sweep"][name]["tokens"]:
            core, whole = (
                point[scope][INTEGER_INHIBITOR.name] for scope in (SCOPES[-1], SCOPES[0])
            )
            table.add_row(
                technology["title"],
                f"{point['tokens']}",
                *(f"{wording.times(wording.dot_over_inhibitor(point[s]))}" for s in SCOPES),
                f"{100 * core / whole:.1f} %",
            )
        half = report["sweep"][name]["attention_core_has_half_at"][INTEGER_INHIBITOR.name]
        table.add_row(technology["title"], "", "", "", "", wording.half(half))
        table.add_section()
    return table


def _sensitivity(report: Report, details: bool) -> Table:
    """How the ratios change; without details only what is more than one figure off."""
    table = _table(wording.SENSITIVITY, ("technology", "change"), SCOPES)
    for technology in report["energy"].values():
        for answer in technology["sensitivity"]:
            if details or not answer["change"].endswith(("twice", "half")):
                ratios = (wording.times(answer["ratios"][scope]) for scope in SCOPES)
                table.add_row(technology["title"], answer["change"], *ratios)
        table.add_section()
    for column, scope in zip(table.columns[2:], SCOPES, strict=True):
        column.header = scope.replace("_", " ")
    return table


def _dataset(report: Report) -> Table:
    """Accuracy beside energy, on the task's own lengths."""
    data = report["dataset"]
    titles = [technology["title"] for technology in report["energy"].values()]
    columns = [f"{title}: {what}" for title in titles for what in ("sentence", "correct answer")]
    table = _table(wording.dataset(data), ("model", "counted as"), ("accuracy", *columns))
    for model in data["models"]:
        cells = [
            "" if energy is None else wording.micro(energy)
            for name in report["energy"]
            for energy in (model["per_sentence"][name], model["per_correct_answer"][name])
        ]
        table.add_row(model["name"], model["variant"], f"{100 * model['accuracy']:.2f} %", *cells)
    return table


def _measured(measured: dict[str, Any]) -> Iterable[RenderableType]:
    yield Text("Measured. " + wording.measured(measured))
    if measured["available"]:
        table = _table("Joules per inference", ("model",), ("median", "least", "most"))
        for name, joules in measured["joules"].items():
            cells = (f"{joules[which]:.3g}" for which in ("median", "least", "most"))
            table.add_row(name, *cells)
        yield table


def _details(report: Report) -> Iterable[Table]:
    titles = [technology["title"] for technology in report["energy"].values()]
    columns = [f"{title}: {part}" for title in titles for part in ("operations", "memory", "total")]
    layers = _table("This file by layer, in microjoules", ("layer",), columns)
    by_layer = [t["layers"][report["variant"]] for t in report["energy"].values()]
    for layer in by_layer[0]:
        cells = (
            wording.micro(t[layer][p]) for t in by_layer for p in ("operations", "memory", "total")
        )
        layers.add_row(layer, *cells)
    yield layers
    yield _counts("Operations of the whole model", report["operations"])
    yield _counts("Bytes of the whole model", report["bytes"])


def _counts(title: str, counts: dict[str, dict[str, int]]) -> Table:
    table = _table(title, ("kind", "type"), tuple(counts))
    for name in sorted({name for numbers in counts.values() for name in numbers}):
        table.add_row(*name.split("."), *(f"{c.get(name, 0):,}" for c in counts.values()))
    return table


def _figures(report: Report) -> Table:
    technologies = report["energy"].values()
    table = _table(wording.FIGURES, ("kind", "type"), [t["title"] for t in technologies])
    for name in next(iter(technologies))["figures"]:
        table.add_row(*name.split("."), *(_figure(t["figures"].get(name)) for t in technologies))
    return table


def _figure(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return ""
    given, least = figure["picojoules"], figure["least"]
    reach = "" if least == given else f" ({least:.4g})"
    return f"{given:.4g}{reach}{MARKS[figure['status']]}"


def _table(
    title: str, left: Sequence[str], right: Sequence[str], first_right: int | None = None
) -> Table:
    """`left` columns stand left (those from `first_right` on right all the same)."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, name in enumerate(left):
        right_too = first_right is not None and i >= first_right
        table.add_column(name, justify="right" if right_too else "left", no_wrap=True)
    for name in right:
        table.add_column(name, justify="right")
    return table
