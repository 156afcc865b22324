"""Picojoules of operations and bytes, each figure with where it comes from.

A technology file (`tables/45nm.json`, `tables/7nm.json`, or a user's own) holds published figures
alone. What it lacks follows from them by a rule of `tables/assumptions.json`: a sum of other
figures. Some rules have a second sum, `least`: the end of the assumption's range that speaks most
against the inhibitor. An entry `kind.type` goes before one of `kind`. A rule marked `sum` assumes
nothing: a multiply-accumulate is a product and an addition, as well known as these two.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from inhibi.engine.errors import InputError
from inhibi.eval.counts import NodeCount

TABLES = Path(__file__).parent / "tables"
TECHNOLOGIES = ("45nm", "7nm")

# Where the bytes of each kind lie. An access moves 64 bits.
ON_CHIP = dict.fromkeys(("weights", "activations", "accumulators"), "sram1MB")
WEIGHTS_FROM_DRAM = ON_CHIP | {"weights": "dram"}
ACCESS = 8

STATUSES = ("published", "unverified", "assumed")  # the worst last


@dataclass(frozen=True)
class Figure:
    """The energy of one operation in pJ; `status` is one of STATUSES.

    `source` is a publication or, for a figure derived from others, the rule.
    """

    picojoules: float
    status: str
    source: str
    derived: bool = False


@dataclass(frozen=True)
class Energy:
    """Picojoules of operations and of memory."""

    operations: float
    memory: float

    @property
    def total(self) -> float:
        return self.operations + self.memory


@dataclass(frozen=True)
class Technology:
    """Published figures and the rules for all others. `least`: see the module."""

    title: str
    published: Mapping[str, Figure]
    rules: Mapping[str, Mapping[str, Any]]
    memory: Mapping[str, str]
    least: bool = False

    def figure(self, kind: str, number: str) -> Figure:
        """The figure of an operation, or of a 64-bit access to a memory."""
        name = f"{kind}.{number}"
        if name in self.published:
            return self.published[name]
        rule = self.rules.get(name) or self.rules.get(kind)
        if rule is None:
            raise InputError(f"the energy tables have no figure and no rule for {name}")
        terms = rule.get("least", rule["terms"]) if self.least else rule["terms"]
        terms = {term if "." in term else f"{term}.{number}": n for term, n in terms.items()}
        parts = [(self.figure(*term.split(".")), times) for term, times in terms.items()]
        picojoules = sum(part.picojoules * times for part, times in parts)
        worst = max((part.status for part, _ in parts), key=STATUSES.index, default="")
        status = worst if rule.get("sum") else "assumed"
        return Figure(picojoules, status, rule["rule"], derived=True)

    def energy(self, counts: Iterable[NodeCount]) -> Energy:
        """Energy of all these nodes."""
        operations = memory = 0.0
        for count in counts:
            for (kind, number), times in count.operations.items():
                operations += times * self.figure(kind, number).picojoules
            for (what, _), size in count.traffic.items():
                access = self.figure("access64", self.memory[what])
                memory += size / ACCESS * access.picojoules
        return Energy(operations, memory)

    def against_inhibitor(self) -> "Technology":
        """The same, with every assumption at the end that speaks most against the inhibitor."""
        return replace(self, least=True)


def load(name: str, memory: Mapping[str, str] = WEIGHTS_FROM_DRAM) -> Technology:
    """The technology of this name, or of a JSON file of the same form. Raises `InputError`."""
    path = TABLES / f"{name}.json" if name in TECHNOLOGIES else Path(name)
    if not path.is_file():
        raise InputError(f"no technology {name}: choose {', '.join(TECHNOLOGIES)} or a JSON file")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        published = {
            operation: _figure(picojoules, table["sources"][source])
            for operation, (picojoules, source) in table["picojoules"].items()
        }
        return Technology(table["title"], published, _rules(), memory)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no energy table: {error!r}") from error


def used(technology: Technology, counts: Sequence[NodeCount]) -> dict[str, Figure]:
    """The figures that these counts need, by kind.type."""
    names = {operation for count in counts for operation in count.operations}
    memory = {
        ("access64", technology.memory[what]) for count in counts for what, _ in count.traffic
    }
    return {".".join(name): technology.figure(*name) for name in sorted(names | memory)}


def _figure(picojoules: float, source: Mapping[str, Any]) -> Figure:
    status = "published" if source["verified"] else "unverified"
    return Figure(float(picojoules), status, source["text"])


@cache
def _rules() -> dict[str, Any]:
    return json.loads((TABLES / "assumptions.json").read_text(encoding="utf-8"))
