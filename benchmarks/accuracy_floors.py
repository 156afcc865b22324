"""What the students have to reach, in points of a task's main metric: means over the seeds.

"below": how much lower a model scores; less than 0 where it scores higher.
"""

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.accuracy import COMPARATOR, BySeed, Runs, difference, equal, of, teachers, values
from benchmarks.bootstrap import main_metric
from benchmarks.floors import Floor
from benchmarks.joined import LENGTHS

BEST = "best"
SPLIT = "validation"
POINTS = "points"


def _mean(recipe: str, name: str, metric: str) -> Callable[[Runs], float | None]:
    def measure(runs: Runs) -> float | None:
        found = values(of(runs, recipe, name), SPLIT, metric)
        return 100 * float(np.mean(found)) if found else None

    return measure


def _below(
    first: Callable[[Runs], BySeed], second: Callable[[Runs], BySeed], name: str = SPLIT
) -> Callable[[Runs], float | None]:
    """Points by which the first scores below the second."""

    def measure(runs: Runs) -> float | None:
        found = difference(first(runs), second(runs), name)
        return None if found is None else -100 * found.mean

    return measure


def _equal(
    first: Callable[[Runs], BySeed], second: Callable[[Runs], BySeed]
) -> Callable[[Runs], float | None]:
    def measure(runs: Runs) -> float | None:
        found = equal(first(runs), second(runs), SPLIT)
        return None if found is None else 100 * found

    return measure


def best(runs: Runs) -> BySeed:
    """The integers of the best recipe."""
    return of(runs, BEST, "integer")


def _sst2() -> Sequence[Floor]:
    def teacher(runs: Runs) -> BySeed:
        return teachers(runs, BEST)

    def student(runs: Runs) -> BySeed:
        return of(runs, BEST, "float")

    def unquantized(runs: Runs) -> BySeed:
        return of(runs, BEST, "unquantized")

    def comparator(runs: Runs) -> BySeed:
        return of(runs, COMPARATOR, "integer")

    return (
        Floor("teacher, float", 90.0, _mean(COMPARATOR, "teacher", main_metric("sst2")), "%"),
        Floor("best integers below the teacher", 0.5, _below(best, teacher), POINTS, True),
        *(
            Floor(
                f"the same on joined sentences, {length} tokens",
                1.0,
                _below(best, teacher, f"joined {length}"),
                POINTS,
                True,
            )
            for length in LENGTHS
        ),
        Floor(
            "best integers below the same weights in float",
            0.3,
            _below(best, unquantized),
            POINTS,
            True,
        ),
        Floor(
            "best integers: predictions equal to the same weights' in float",
            99.5,
            _equal(best, unquantized),
            "%",
        ),
        Floor("best integers below the float student", 0.3, _below(best, student), POINTS, True),
        Floor(
            "best integers: predictions equal to the float student's",
            99.5,
            _equal(best, student),
            "%",
        ),
        Floor(
            "best integers below the integer dot product",
            0.7,
            _below(best, comparator),
            POINTS,
            True,
        ),
    )


FLOORS: dict[str, Sequence[Floor]] = {"sst2": _sst2()}
