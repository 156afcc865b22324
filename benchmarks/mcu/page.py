"""Writes the figures in docs/MCU.md from benchmarks/results/mcu.json.

python -m benchmarks.mcu.page
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.markdown import table
from benchmarks.mcu.figures import PRODUCTS
from inhibi.engine import files
from inhibi.engine.errors import InputError, command

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "mcu.json"
PAGE = ROOT / "docs" / "MCU.md"
BEGIN, END = "<!-- figures: python -m benchmarks.mcu.page -->\n", "<!-- end of figures -->\n"
KINDS = {"inhibitor": "inhibitor", "dot_product": "dot product"}

Results = Mapping[str, Any]


def written(page: str, results: Results) -> str:
    """The page with these results between its marks. `InputError` where it has none."""
    if BEGIN not in page or END not in page:
        raise InputError(f"{PAGE} has no place for figures: {BEGIN.strip()} to {END.strip()}")
    before, rest = page.split(BEGIN)
    return before + BEGIN + "\n" + figures(results) + "\n" + END + rest.split(END)[1]


def figures(results: Results) -> str:
    """All tables."""
    shape = results["architecture"]
    described = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shape.items())
    return (
        "\n\n".join(
            [
                f"Student: `{results['model']}`, SHA-256 `{results['sha256'][:16]}`: {described}.",
                "### Memory, bytes\n\n" + _memory(results),
                "### Instructions for a sentence\n\n" + _sentences(results),
                "### Attention alone: 64 tokens, 128 channels, signed and centred\n\n"
                + _attention(results),
                "### Cortex-M4, by operator, 32 tokens\n\n" + _operators(results),
                "",
            ]
        ).rstrip()
        + "\n"
    )


def _memory(results: Results) -> str:
    def rows() -> Iterator[list[str]]:
        for board, kinds in results["boards"].items():
            f = kinds["inhibitor"]
            numbers = (f["flash"], f["tokenizer"], f["ram"], f["stack"])
            yield [board, *(f"{number:,}" for number in numbers)]

    return table(["", "flash", "of it tokenizer", "static RAM", "stack"], rows())


def _sentences(results: Results) -> str:
    """Millions; in brackets how many times its own matrix products."""

    def rows() -> Iterator[list[str]]:
        for board, kinds in results["boards"].items():
            for kind, name in KINDS.items():
                counts = kinds[kind]["instructions"].values()
                cells = (f"{total(c) / 1e6:.2f} ({total(c) / c[PRODUCTS]:.2f})" for c in counts)
                yield [f"{board}: {name}", *cells]

    tokens = next(iter(results["boards"].values()))["inhibitor"]["instructions"]
    heads = [f"{n} tokens" for n in tokens]
    return "Millions; in brackets how many times those of its own matrix products.\n\n" + table(
        ["", *heads], rows()
    )


def total(counts: Mapping[str, int]) -> int:
    """Of all operators; their matrix products are among them."""
    return sum(count for name, count in counts.items() if name != PRODUCTS)


def ratio(attention: Mapping[str, float], width: int) -> float:
    """The inhibitor's instructions by the dot product's."""
    return attention[f"inhibitor {width}"] / attention[f"dot_product {width}"]


def _attention(results: Results) -> str:
    def rows() -> Iterator[list[str]]:
        for board, kinds in results["boards"].items():
            a = kinds["attention"]
            cells = [
                text
                for width in (32, 64)
                for text in (
                    f"{a[f'inhibitor {width}'] / 1e3:,.0f}",
                    f"{a[f'dot_product {width}'] / 1e3:,.0f}",
                    f"{ratio(a, width):.2f}",
                )
            ]
            yield [board, *cells, f"{a['product']:.2f}"]

    head = [f"{name}, {width}" for width in (32, 64) for name in ("inhibitor", "dot", "ratio")]
    return (
        "Thousands of instructions by head width; a product: instructions for a "
        "multiply-accumulate of the matrix kernel.\n\n" + table(["", *head, "a product"], rows())
    )


def _operators(results: Results) -> str:
    kinds = results["boards"]["cortex-m4"]
    counts = {kind: kinds[kind]["instructions"]["32"] for kind in KINDS}
    rows = (
        [f"`{name}`", *(f"{counts[kind][name]:,}" for kind in KINDS)]
        for name in counts["inhibitor"]
        if name != PRODUCTS
    )
    return table(["", *KINDS.values()], rows)


@command
def main() -> None:
    """Entry point."""
    results = json.loads(RESULTS.read_text())
    files.write(PAGE, written(PAGE.read_text(), results).encode())


if __name__ == "__main__":
    main()
