"""Joules that the processor says it used (Linux powercap, RAPL), beside the modelled ones.

Read here and not through codecarbon or zeus: the first falls back on a table of typical powers
where there is no counter, which is another model and no measurement, and asks the network where it
is; the second is made for GPUs and brings their libraries. One file and its range are all it takes.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

POWERCAP = Path("/sys/class/powercap")
REPEATS, SECONDS = 7, 2.0  # of each model's turns; the length of one


@dataclass(frozen=True)
class Zone:
    """One processor package: `energy_uj` counts up to `reach` microjoules and starts again."""

    energy: Path
    reach: int

    def microjoules(self) -> int:
        return int(self.energy.read_text())


class NotAvailable(Exception):
    """Why energy cannot be measured on this machine."""


def zones(folder: Path = POWERCAP) -> list[Zone]:
    """The processor packages' counters, one of each. Raises `NotAvailable`."""
    packages: dict[str, Path] = {}
    # The same package may be shown once more through memory (intel-rapl-mmio).
    for zone in sorted(folder.glob("*:[0-9]*"), key=lambda zone: ("mmio" in zone.name, zone.name)):
        name = zone / "name"
        label = name.read_text().strip() if name.is_file() else ""
        if label.startswith("package"):  # no part of a package, nor the whole machine
            packages.setdefault(label, zone)
    if not packages:
        raise NotAvailable(f"this machine shows no energy counter of its processor in {folder}")
    return [_zone(zone) for zone in packages.values()]


def _zone(zone: Path) -> Zone:
    energy = zone / "energy_uj"
    try:
        made = Zone(energy, int((zone / "max_energy_range_uj").read_text()))
        made.microjoules()
    except PermissionError as error:
        raise NotAvailable(
            f"{energy} may be read by the administrator alone: run as root, or sudo chmod a+r it"
        ) from error
    except (OSError, ValueError) as error:
        raise NotAvailable(f"{zone} cannot be read ({error})") from error
    return made


def joules(work: Callable[[], Any], counters: Sequence[Zone]) -> tuple[float, float]:
    """Joules and seconds that `work` takes, all packages together, idle power included.

    It must take less than a counter needs for its whole range (minutes at least).
    """
    before, started = [zone.microjoules() for zone in counters], time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    after = [zone.microjoules() for zone in counters]
    used = sum(
        b - a if b >= a else b - a + zone.reach + 1
        for zone, a, b in zip(counters, before, after, strict=True)
    )
    return used / 1e6, seconds


def per_inference(
    models: Mapping[str, Callable[[], Any]],
    counters: Sequence[Zone],
    repeats: int = REPEATS,
    seconds: float = SECONDS,
) -> dict[str, Any]:
    """Joules of one call of each model, in turns, above those of doing nothing in the same time.

    The idle power is measured before each round. Median, least and most of the repeats.
    """
    for infer in models.values():
        infer()  # what only the first call needs
    idle: list[float] = []
    found: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(repeats):
        used, taken = joules(lambda: time.sleep(seconds), counters)
        idle.append(used / taken)
        for name, infer in models.items():
            calls = 0

            def turn(infer: Callable[[], Any] = infer) -> None:
                nonlocal calls
                end = time.perf_counter() + seconds
                while time.perf_counter() < end:
                    infer()
                    calls += 1

            used, taken = joules(turn, counters)
            found[name].append((used - idle[-1] * taken) / calls)
    return {
        "idle_watts": median(idle),
        "repeats": repeats,
        "seconds": seconds,
        "joules": {
            name: {"median": median(values), "least": min(values), "most": max(values)}
            for name, values in found.items()
        },
    }
