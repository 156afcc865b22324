"""Times several ways to compute one thing in turns, so that a machine's changing speed meets all.

A round is one turn of each. A turn is a pause in which the threads of the one before come to rest,
one call that is not timed and brings the data back into the caches, and as many timed calls as fill
`TURN`. (A call of `LONG` or more dwarfs the caches' effect and is timed at once.) A ratio is the
median over the rounds of peer / ours within one round.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TURN = 0.01  # seconds
LONG = 0.1
PAUSE = 0.002

Call = Callable[[], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Effort:
    """Rounds are added until they have taken `seconds`, within least..most."""

    seconds: float
    least: int = 5
    most: int = 31


def alternate(
    calls: Mapping[str, Call], effort: Effort, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of one call, by name, one entry a round. Every other round goes backwards."""
    counts = {name: _calls(call, clock) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    order, begin, rounds = list(calls), clock(), 0
    while rounds < effort.least or (rounds < effort.most and clock() - begin < effort.seconds):
        for name in order:
            seconds[name].append(_turn(calls[name], counts[name], clock))
        order.reverse()
        rounds += 1
    return seconds


def compare(seconds: Mapping[str, list[float]], ours: str) -> dict[str, Any]:
    """Rounds, and by name the median milliseconds, their quartiles, and the ratio to ours."""
    return {
        "rounds": len(seconds[ours]),
        "models": {
            name: {
                "ms": 1e3 * statistics.median(values),
                "ms_quartiles": [1e3 * q for q in quartiles(values)],
                **_ratio([a / b for a, b in zip(values, seconds[ours], strict=True)]),
            }
            for name, values in seconds.items()
        },
    }


def quartiles(values: list[float]) -> list[float]:
    """First and third."""
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return [first, third]


def _ratio(ratios: list[float]) -> dict[str, Any]:
    return {"ratio": statistics.median(ratios), "ratio_quartiles": quartiles(ratios)}


def _calls(call: Call, clock: Clock) -> int:
    """How many calls fill a turn, 0 for one long call without another before it. The first call
    here may compile or allocate: it does not count."""
    for _ in range(2):
        started = clock()
        call()
        spent = clock() - started
        if spent >= 10 * LONG:
            break
    return 0 if spent >= LONG else max(1, round(TURN / max(spent, 1e-6)))


def _turn(call: Call, count: int, clock: Clock) -> float:
    time.sleep(PAUSE)
    if count:
        call()
    started = clock()
    for _ in range(count or 1):
        call()
    return (clock() - started) / (count or 1)
