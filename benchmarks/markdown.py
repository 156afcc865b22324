"""Tables of Markdown, and rows of results."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

METRIC_TITLES = {
    "matthews_correlation": "Matthews' correlation",
    "f1": "F1",
    "pearson": "Pearson",
    "spearmanr": "Spearman",
}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown; all columns but the first stand right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def figure(value: float | None, digits: int) -> str:
    """Empty for None."""
    return "" if value is None else f"{value:.{digits}f}"


def cell(model: Mapping[str, Any], key: str, ours: bool) -> str:
    value = f"{model[key]:.3g}"
    return f"**{value}**" if ours else f"{value} ({model['ratio']:.2f})"


def threads_of(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def distinct(rows: Iterable[Mapping[str, Any]], *keys: str) -> list[tuple[Any, ...]]:
    return list(dict.fromkeys(tuple(row[key] for key in keys) for row in rows))


def where_equal(rows: Iterable[Mapping[str, Any]], **values: Any) -> list[Mapping[str, Any]]:
    return [row for row in rows if all(row[key] == value for key, value in values.items())]
