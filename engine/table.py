"""Plain tables for a terminal."""

from collections.abc import Sequence

GAP = "  "


def render(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns under their titles and a line; the first `left` columns stand left, others right."""
    ruler = ["-" * max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return columns([header, ruler, *rows], left)


def columns(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """The rows, each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        sides = "<" * left + ">" * (len(cells) - left)
        parts = [f"{c:{s}{w}}" for c, s, w in zip(cells, sides, widths, strict=True)]
        return GAP.join(parts).rstrip()

    return "\n".join(map(line, rows))
