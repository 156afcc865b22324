"""The energy report for a terminal, 80 columns wide or more."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table

from inhibi.eval.energy import wording
from inhibi.eval.energy.energy import SCOPES, over
from inhibi.eval.energy.variants import INTEGER_INHIBITOR
from inhibi.eval.energy.wording import Report

WIDTH = 100  # columns where the output is no terminal
LEAST = 80
BRIEF = ("operations", "memory", "total")
PARTS = ("operations", "weights", "activations", "accumulators", "total")
MARKS = {"published": "", "unverified": " u", "assumed": " a"}
NAMES = [scope.replace("_", " ") for scope in SCOPES]


def show(report: Report, details: bool = False) -> None:
    """Print what `comparison.compare` found; with details also by layer, shape and figure."""
    plain = {"highlight": False, "markup": False, "emoji": False}
    console = Console(**plain)  # type: ignore[arg-type]
    width = max(console.width, LEAST) if console.is_terminal else WIDTH
    console = Console(width=width, **plain)  # type: ignore[arg-type]
    for part in sections(report, details):
        console.print(part)
        console.print()


def sections(report: Report, details: bool) -> Iterable[RenderableType]:
    """The report's parts, the honest comparison first."""
    yield wording.title(report)
    yield wording.HEAD
    for scope in SCOPES:
        yield _energies(report, scope, PARTS if details else BRIEF)
        if scope == SCOPES[0]:
            yield wording.expectation(report)
    yield from _lengths(report)
    if details:
        yield _shapes(report)
    yield _sensitivity(report, details)
    if "dataset" in report:
        yield _dataset(report)
    if "measured" in report:
        yield from _measured(report["measured"])
    if details:
        yield from _details(report)
    yield wording.memory(report)
    yield _figures(report)
    yield "\n".join(f"{names}: {source}" for names, source in wording.sources(report))


def _energies(report: Report, scope: str, parts: Sequence[str]) -> Table:
    """One scope: each variant in each technology, in microjoules."""
    table = _table(wording.HEADINGS[scope], "model", ("over inhibitor", "at worst", *parts))
    for technology in _by_technology(report, table):
        energies, least = (technology[k][scope] for k in ("scopes", "against_inhibitor"))
        for name, found in energies.items():
            table.add_row(
                name + " (this file)" * (name == report["variant"]),
                wording.ratio(energies, name),
                wording.ratio(least, name),
                *(wording.micro(found[part]) for part in parts),
            )
    return table


def _lengths(report: Report) -> Iterable[RenderableType]:
    """The sweep over tokens: ratios of the integer dot product, and the core's share."""
    table = _table(wording.SWEEP, "tokens", (*NAMES, "core's share of the inhibitor"))
    for name, technology in report["energy"].items():
        _heading(table, technology["title"])
        for point in report["sweep"][name]["tokens"]:
            core, whole = (
                point[scope][INTEGER_INHIBITOR.name] for scope in (SCOPES[-1], SCOPES[0])
            )
            share = f"{100 * over(core, whole):.1f} %"
            table.add_row(f"{point['tokens']:,}", *_ratios(point), share)
    yield table
    for name, technology in report["energy"].items():
        yield f"{technology['title']}. {wording.half(report['sweep'][name])}"


def _shapes(report: Report) -> Table:
    table = _table(wording.SHAPES, "width x heads", NAMES)
    for name, technology in report["energy"].items():
        _heading(table, technology["title"])
        for point in report["sweep"][name]["width"] + report["sweep"][name]["heads"]:
            table.add_row(f"{point['width']} x {point['heads']}", *_ratios(point))
    return table


def _ratios(point: dict[str, Any]) -> Iterable[str]:
    return (wording.times(wording.dot_over_inhibitor(point[scope])) for scope in SCOPES)


def _sensitivity(report: Report, details: bool) -> Table:
    """How the ratios change; without details only where more than one figure changes."""
    table = _table(wording.SENSITIVITY, "change", NAMES)
    for technology in _by_technology(report, table):
        chosen = wording.telling if details else wording.summary
        for answer in chosen(technology["sensitivity"]):
            ratios = (wording.times(answer["ratios"][scope], 3) for scope in SCOPES)
            table.add_row(answer["change"], *ratios)
    return table


def _dataset(report: Report) -> Table:
    """Accuracy beside energy, on the task's own lengths."""
    data = report["dataset"]
    columns = ("accuracy", "seeds", "per sentence", "per correct answer")
    table = _table(wording.dataset(data), "model", columns)
    for name, technology in report["energy"].items():
        _heading(table, technology["title"])
        for model in data["models"]:
            sentence, correct = model["per_sentence"][name], model["per_correct_answer"][name]
            table.add_row(
                f"{model['name']} ({model['variant']})",
                f"{100 * model['accuracy']:.2f} %",
                str(model["seeds"]),
                wording.micro(sentence),
                "none" if correct is None else wording.micro(correct),
            )
    return table


def _measured(measured: dict[str, Any]) -> Iterable[RenderableType]:
    yield "Measured. " + wording.measured(measured)
    if measured["available"]:
        table = _table("Joules per inference", "model", ("median", "least", "most"))
        for name, joules in measured["joules"].items():
            table.add_row(name, *(f"{joules[which]:.3g}" for which in ("median", "least", "most")))
        yield table


def _details(report: Report) -> Iterable[Table]:
    layers = _table("This file by layer, in microjoules", "layer", PARTS)
    for technology in _by_technology(report, layers):
        for layer, found in technology["layers"][report["variant"]].items():
            layers.add_row(layer, *(wording.micro(found[part]) for part in PARTS))
    yield layers
    for what in ("operations", "bytes"):
        table = _table(f"{what.capitalize()} of the whole model", "", tuple(report[what]))
        for name in sorted({name for numbers in report[what].values() for name in numbers}):
            counts = (f"{found.get(name, 0):,}" for found in report[what].values())
            table.add_row(name.replace(".", " "), *counts)
        yield table


def _figures(report: Report) -> Table:
    technologies = report["energy"].values()
    table = _table(wording.FIGURES, "", [technology["title"] for technology in technologies])
    for name in dict.fromkeys(name for t in technologies for name in t["figures"]):
        figures = (technology["figures"].get(name) for technology in technologies)
        table.add_row(name.replace(".", " "), *map(_figure, figures))
    return table


def _figure(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return ""
    given, least = figure["picojoules"], figure["least"]
    reach = "" if least == given else f" ({least:.4g})"
    return f"{given:.4g}{reach}{MARKS[figure['status']]}"


def _table(title: str, first: str, others: Sequence[str]) -> Table:
    """The first column stands left and is folded where it is long, the others right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _by_technology(report: Report, table: Table) -> Iterable[dict[str, Any]]:
    """Each technology, under its title in the table."""
    for technology in report["energy"].values():
        _heading(table, technology["title"])
        yield technology


def _heading(table: Table, title: str) -> None:
    table.add_section()
    table.add_row(title, style="dim")
