"""Every count and energy of the report as rows for a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from inhibi.eval.energy.wording import Report

COLUMNS = (
    *("variant", "layer", "node", "operator", "what", "kind", "type", "count"),
    *("technology", "picojoules_each", "status"),
)


def rows(report: Report) -> Iterator[Sequence[str | int | float]]:
    """One for each node, kind of operation and technology, then one for each kind of byte.

    Bytes have no energy of their own here: it depends on the memory that a tensor lies in.
    """
    for variant, nodes in report["nodes"].items():
        for node in nodes:
            start = (variant, node["layer"], node["name"], node["operator"])
            for name, times in node["operations"].items():
                for technology in report["energy"].values():
                    figure = technology["figures"][name]
                    priced = (technology["title"], figure["picojoules"], figure["status"])
                    yield (*start, "operations", *name.split("."), times, *priced)
            for name, size in node["bytes"].items():
                yield (*start, "bytes", *name.split("."), size, "", "", "")


def write(made: Iterable[Sequence[str | int | float]], path: Path) -> None:
    """Under the names of COLUMNS."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(made)
