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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from inhibi.engine.errors import InputError
from inhibi.eval.energy.memory import DRAM, KILO, kilobytes, level_name

TABLES = Path(__file__).parent / "tables"
TECHNOLOGIES = ("45nm", "7nm")
ACCESS = "access64"  # the kind of a memory access of 64 bits
NUMBERS = ("int8", "int16", "int32", "int64", "fp16", "fp32")
STATUSES = ("published", "unverified", "assumed")  # the worst last


@dataclass(frozen=True)
class Figure:
    """The energy of one operation in pJ; `status` is one of STATUSES.

    `source` is a publication or, for a figure derived from others, the rule; `parents` are those
    others, by kind.type.
    """

    picojoules: float
    status: str
    source: str
    parents: tuple[str, ...] = ()

    def times(self, factor: float) -> "Figure":
        return replace(self, picojoules=self.picojoules * factor)


@dataclass(frozen=True)
class Technology:
    """Published figures and the rules for all others.

    least: see the module. factors: what figures are multiplied by, and with them those derived from
    them, by kind.type or kind.
    """

    name: str  # or path
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

    def with_parents(self, names: Iterable[str]) -> dict[str, Figure]:
        """These figures and all that they are derived from, by kind.type: down to publications."""
        made: dict[str, Figure] = {}
        left = list(names)
        while left:
            name = left.pop()
            if name not in made:
                made[name] = self.figure(*name.split("."))
                left += made[name].parents
        return dict(sorted(made.items()))

    def _derived(self, kind: str, number: str) -> Figure:
        if kind == ACCESS and (size := kilobytes(number)):
            return self._memory(size)
        rule = self.rules.get(f"{kind}.{number}") or self.rules.get(kind)
        if rule is None:
            raise InputError(
                f"{self.name} has no figure for {kind}.{number}, which follows from no other: "
                "add one to the table"
            )
        every = {_full(term, number): n for term, n in rule["terms"].items()}
        used = {_full(term, number): n for term, n in rule.get("least", {}).items()}
        terms = used if self.least and "least" in rule else every
        parts = {name: self.figure(*name.split(".")) for name in every | used}
        picojoules = sum(parts[name].picojoules * times for name, times in terms.items())
        worst = max((part.status for part in parts.values()), key=STATUSES.index)
        status = worst if rule.get("sum") else "assumed"
        return Figure(picojoules, status, rule["rule"], tuple(every))

    def _memory(self, size: float) -> Figure:
        """SRAM of `size` KB: a power of the size between two published ones, beyond them as the
        nearest."""
        known = sorted(
            (found, name)
            for name in self.published
            if name.startswith(ACCESS) and (found := kilobytes(name.split(".")[1]))
        )
        if not known:
            raise InputError(f"{self.name} has no figure for any SRAM: add access64.sram8KB, say")
        below = max((k for k in known if k[0] <= size), default=known[0])
        above = min((k for k in known if k[0] >= size), default=known[-1])
        share = 0.0
        if below[0] < size < above[0]:
            share = math.log(size / below[0]) / math.log(above[0] / below[0])
        low, high = (self.figure(*name.split(".")).picojoules for _, name in (below, above))
        parents = tuple(dict.fromkeys((below[1], above[1])))
        picojoules = low ** (1 - share) * high**share
        return Figure(picojoules, "assumed", self.rules[f"{ACCESS}.sram"]["rule"], parents)


def _full(term: str, number: str) -> str:
    """kind.type of a rule's term, which is of the figure's own type where it names none."""
    return term if "." in term else f"{term}.{number}"


def load(name: str) -> Technology:
    """The technology of this name, or of a JSON file of the same form. Raises `InputError`."""
    path = TABLES / f"{name}.json" if name in TECHNOLOGIES else Path(name)
    if not path.is_file():
        raise InputError(f"no technology {name}: choose {', '.join(TECHNOLOGIES)} or a JSON file")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        title, sources = str(table["title"]), table["sources"]
        published = {
            _checked(operation): _figure(picojoules, sources[source])
            for operation, (picojoules, source) in table["picojoules"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no energy table: {error!r}") from error
    return Technology(name, title, published, _rules())


def _checked(operation: str) -> str:
    """The entry's name, kind.type. ValueError where no count can have it."""
    kind, _, number = operation.partition(".")
    kinds = {rule.split(".")[0] for rule in _rules()} | {"add", "multiply"}
    if kind == ACCESS:
        size = kilobytes(number)
        if size:
            return f"{ACCESS}.{level_name(size * KILO)}"
        known = number == DRAM
    else:
        known = kind in kinds and number in NUMBERS
    if not known:
        raise ValueError(f"the entry {operation} is of no known kind and type")
    return operation


def _figure(picojoules: float, source: Mapping[str, Any]) -> Figure:
    value = float(picojoules)
    if not 0 <= value < math.inf:
        raise ValueError(f"{picojoules} pJ")
    return Figure(value, "published" if source["verified"] else "unverified", str(source["text"]))


@cache
def _rules() -> dict[str, Any]:
    return json.loads((TABLES / "assumptions.json").read_text(encoding="utf-8"))
