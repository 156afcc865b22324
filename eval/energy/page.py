"""The report as one HTML file: no script, nothing from elsewhere, readable in light and dark."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inhibi.engine.errors import MissingExtra
from inhibi.eval.energy import wording
from inhibi.eval.energy.energy import SCOPES, over
from inhibi.eval.energy.graph import ATTENTIONS
from inhibi.eval.energy.variants import INTEGER_DOT_PRODUCT, INTEGER_INHIBITOR, VARIANTS
from inhibi.eval.energy.wording import Report

try:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    from inhibi.eval.energy import charts
    from inhibi.eval.energy.charts import Series
except ImportError as error:
    raise MissingExtra("eval", "jinja2") from error

PARTS = ("operations", "weights", "activations", "accumulators")
INTEGERS = (INTEGER_INHIBITOR.name, INTEGER_DOT_PRODUCT.name)
CHARTED = ("whole_model", "attention_core")
TEMPLATE = "page.html.jinja"


def render(report: Report) -> str:
    """The page of what `comparison.compare` found."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        report=report,
        wording=wording,
        over=over,
        scopes=SCOPES,
        parts=PARTS,
        variants=[variant.name for variant in VARIANTS],
        integers=INTEGERS,
        technologies={name: _technology(report, name) for name in report["energy"]},
    )


def _technology(report: Report, name: str) -> dict[str, Any]:
    """The charts of one technology."""
    energy, tokens = report["energy"][name], report["sweep"][name]["tokens"]
    return {
        "title": energy["title"],
        "layers": _stacked(energy["layers"][report["variant"]]),
        "kinds": {scope: _kinds(report, name, scope) for scope in CHARTED},
        "sweeps": {scope: _sweep(tokens, scope) for scope in CHARTED},
        "accuracy": _accuracy(report, name) if "dataset" in report else None,
    }


def _stacked(layers: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """Bars by layer: each part's share of the largest layer's total, in percent."""
    most = max(parts["total"] for parts in layers.values()) or 1.0
    return [
        {
            "label": layer,
            "total": parts["total"],
            "parts": [(part, parts[part], 100 * parts[part] / most) for part in PARTS],
        }
        for layer, parts in layers.items()
    ]


def _kinds(report: Report, name: str, scope: str) -> list[dict[str, Any]]:
    """Energy of operations by kind, for the two integer attentions, the largest first."""
    figures = report["energy"][name]["figures"]
    energies: dict[str, dict[str, float]] = {}
    for variant in INTEGERS:
        for node in report["nodes"][variant]:
            if scope == "attention_core" and node["operator"] not in ATTENTIONS:
                continue
            for operation, times in node["operations"].items():
                kind = energies.setdefault(operation.split(".")[0], {})
                kind[variant] = kind.get(variant, 0.0) + times * figures[operation]["picojoules"]
    most = max(value for kind in energies.values() for value in kind.values()) or 1.0
    return [
        {
            "label": kind,
            "bars": [
                (variant, kinds.get(variant, 0.0), 100 * kinds.get(variant, 0.0) / most)
                for variant in INTEGERS
            ],
        }
        for kind, kinds in sorted(energies.items(), key=lambda item: -max(item[1].values()))
    ]


def _sweep(points: Sequence[dict[str, Any]], scope: str) -> str:
    """Energy by tokens, a line for each variant."""
    series = []
    for i, variant in enumerate(VARIANTS):
        energies = [(p["tokens"], p[scope][variant.name] / 1e6) for p in points]
        series.append(Series(variant.name, [(n, energy) for n, energy in energies if energy], i))
    tokens = [p["tokens"] for p in points]
    values = [y for one in series for _, y in one.points] or [1.0]
    x = charts.x_axis("tokens", tokens, tokens, _count)
    y = charts.energy_axis("microjoules", values, _micro)
    return charts.lines(f"{wording.HEADINGS[scope]}, by tokens", x, y, series)


def _accuracy(report: Report, name: str) -> str:
    """Accuracy against energy, a point for each model."""
    styles = {variant.name: i for i, variant in enumerate(VARIANTS)}
    models = report["dataset"]["models"]
    series = [
        Series(m["name"], [(m["per_sentence"][name] / 1e6, m["accuracy"])], styles[m["variant"]])
        for m in models
        if m["per_sentence"][name]
    ]
    if not series:
        return ""
    x = charts.x_axis(
        "microjoules per sentence", [p[0] for s in series for p in s.points], None, _micro
    )
    y = charts.share_axis(
        "accuracy", [p[1] for s in series for p in s.points], lambda share: f"{100 * share:.4g} %"
    )
    return charts.scatter("accuracy against energy", x, y, series)


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _micro(value: float) -> str:
    return f"{value:,.4g}" if value < 10_000 else f"{value:,.0f}"
