"""Picojoules of operations and memory accesses, each figure with where it comes from.

A technology file (`tables/45nm.json`, `tables/7nm.json`, or a user's own) holds published figures
alone. What it lacks follows from them by a rule of `tables/assumptions.json`: a sum of other
figures. Some rules have a second sum, `least`: the end of the assumption's range that speaks most
against the inhibitor. An entry `kind.type` goes before one of `kind`. A rule marked `sum` assumes
nothing: a multiply-accumulate is a product and an addition, as well known as these two. Memories of
sizes that no table has lie between those that it has (`access64.sram`).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from inhibi.engine.errors import InputError
from inhibi.eval.energy.memory import kilobytes

TABLES = Path(__file__).parent / "tables"
TECHNOLOGIES = ("45nm", "7nm")
ACCESS = "access64"  # the kind of a memory access of 64 bits
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

    def times(self, factor: float) -> "Figure":
        return replace(self, picojoules=self.picojoules * factor)


@dataclass(frozen=True)
class Technology:
    """Published figures and the rules for all others.

    least: see the module. factors: what figures are multiplied by, and with them those derived from
    them, by kind.type or kind.
    """

    title: str
    published: Mapping[str, Figure]
    rules: Mapping[str, Mapping[str, Any]]
    least: bool = False
    factors: Mapping[str, float] = field(default_factory=dict)
    _known: dict[str, Figure] = field(default_factory=dict, init=False, repr=False, compare=False)

    def figure(self, kind: str, number: str) -> Figure:
        """The figure of an operation, or of a 64-bit access to a memory. Raises `InputError`."""
        name = f"{kind}.{number}"
        if name not in self._known:
            found = self.published.get(name) or self._derived(kind, number)
            self._known[name] = found.times(self.factors.get(name, self.factors.get(kind, 1.0)))
        return self._known[name]

    def against_inhibitor(self) -> "Technology":
        """The same, with every assumption at the end that speaks most against the inhibitor."""
        return replace(self, least=True)

    def scaled(self, factors: Mapping[str, float]) -> "Technology":
        """The same with these figures times these factors."""
        return replace(self, factors={**self.factors, **factors})

    def _derived(self, kind: str, number: str) -> Figure:
        if kind == ACCESS and (size := kilobytes(number)):
            return self._memory(size)
        rule = self.rules.get(f"{kind}.{number}") or self.rules.get(kind)
        if rule is None:
            raise InputError(f"the energy tables have no figure and no rule for {kind}.{number}")
        terms = rule.get("least", rule["terms"]) if self.least else rule["terms"]
        terms = {term if "." in term else f"{term}.{number}": n for term, n in terms.items()}
        parts = [(self.figure(*term.split(".")), times) for term, times in terms.items()]
        picojoules = sum(part.picojoules * times for part, times in parts)
        worst = max((part.status for part, _ in parts), key=STATUSES.index, default="")
        return Figure(picojoules, worst if rule.get("sum") else "assumed", rule["rule"], True)

    def _memory(self, size: float) -> Figure:
        """SRAM of `size` KB: a power of the size between two published ones, beyond them as the
        nearest."""
        known = sorted(
            (found, self.figure(ACCESS, level).picojoules)
            for kind, level in (name.split(".") for name in self.published)
            if kind == ACCESS and (found := kilobytes(level))
        )
        if not known:
            raise InputError(f"{self.title} has no figure for any SRAM, as access64.sram8KB")
        below = max((k for k in known if k[0] <= size), default=known[0])
        above = min((k for k in known if k[0] >= size), default=known[-1])
        share = 0.0
        if below[0] < size < above[0]:
            share = math.log(size / below[0]) / math.log(above[0] / below[0])
        picojoules = below[1] ** (1 - share) * above[1] ** share
        return Figure(picojoules, "assumed", self.rules["access64.sram"]["rule"], True)


def load(name: str) -> Technology:
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
        return Technology(table["title"], published, _rules())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no energy table: {error!r}") from error


def _figure(picojoules: float, source: Mapping[str, Any]) -> Figure:
    value = float(picojoules)
    if not 0 <= value < math.inf:
        raise ValueError(f"{picojoules} pJ")
    return Figure(value, "published" if source["verified"] else "unverified", str(source["text"]))


@cache
def _rules() -> dict[str, Any]:
    return json.loads((TABLES / "assumptions.json").read_text(encoding="utf-8"))
