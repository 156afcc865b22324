"""Every node's counts and energies as rows for a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from inhibi.eval.energy.figures import ACCESS
from inhibi.eval.energy.memory import ACCESS_BYTES
from inhibi.eval.energy.wording import Report

COLUMNS = (
    *("variant", "layer", "node", "operator", "what", "kind", "type", "memory", "count"),
    *("technology", "picojoules_each", "picojoules", "status"),
)

Row = Sequence[str | int | float]


def rows(report: Report) -> Iterator[Row]:
    """One for each node, technology and kind of operation, and one for each kind of byte."""
    for variant, nodes in report["nodes"].items():
        for node in nodes:
            start = (variant, node["layer"], node["name"], node["operator"])
            for name, technology in report["energy"].items():
                for operation, times in node["operations"].items():
                    figure = technology["figures"][operation]
                    each = figure["picojoules"]
                    what = ("operations", *operation.split("."), "", times)
                    yield (*start, *what, name, each, times * each, figure["status"])
                for moved, size in node["bytes"].items():
                    level = node["memory"][moved]
                    figure = technology["figures"][f"{ACCESS}.{level}"]
                    each = figure["picojoules"] / ACCESS_BYTES
                    what = ("bytes", *moved.split("."), level, size)
                    yield (*start, *what, name, each, size * each, figure["status"])


def text(made: Iterable[Row]) -> str:
    """The rows under the names of COLUMNS, as CSV."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows(made)
    return file.getvalue()
