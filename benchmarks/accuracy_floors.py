"""What the students have to reach, in points of a task's main metric: means over the seeds.

"below": how much lower a model scores; less than 0 where it scores higher.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.accuracy import (
    COMPARATOR,
    BySeed,
    Runs,
    average,
    difference,
    equal,
    mean_difference,
    of,
    score,
    teachers,
)
from benchmarks.floors import Floor
from benchmarks.joined import LENGTHS
from inhibi.kd.data import TASKS

BEST = "best"
SPLIT = "validation"
POINTS = "points"
SEEDS = 3  # that a mean is of
AVERAGED = ("cola", "mrpc", "rte", "sst2", "stsb")  # not wnli: 71 examples
Models = Callable[[Runs], BySeed]


def _below(first: Models, second: Models, name: str = SPLIT) -> Callable[[Runs], float | None]:
    """Points by which the first scores below the second."""

    def measure(runs: Runs) -> float | None:
        found = mean_difference(first(runs), second(runs), name)
        return None if found is None else -100 * found

    return measure


def _equal(first: Models, second: Models) -> Callable[[Runs], float | None]:
    def measure(runs: Runs) -> float | None:
        found = equal(first(runs), second(runs), SPLIT)
        return None if found is None else 100 * found

    return measure


def best(runs: Runs) -> BySeed:
    """The integers of the best recipe."""
    return of(runs, BEST, "integer")


def teacher(runs: Runs) -> BySeed:
    """The best recipe's own."""
    return teachers(runs, BEST)


def student(runs: Runs) -> BySeed:
    """The best recipe's, in float."""
    return of(runs, BEST, "float")


def unquantized(runs: Runs) -> BySeed:
    """The integers' weights in float."""
    return of(runs, BEST, "unquantized")


def comparator(runs: Runs) -> BySeed:
    """The integers with dot products and softmax."""
    return of(runs, COMPARATOR, "integer")


def _at_most(what: str, points: float, measure: Callable[[Any], float | None]) -> Floor:
    return Floor(what, points, measure, POINTS, at_most=True)


def _surely_below(split: str) -> Callable[[Runs], float | None]:
    """Points by which the best integers score below the teacher at least, by the 95 % interval;
    less than 0 where the interval holds 0."""

    def measure(runs: Runs) -> float | None:
        found = difference(best(runs), teacher(runs), split)
        return None if found is None else -100 * found.high

    return measure


def _significance(split: str) -> Floor:
    what = "best integers below the teacher, at least (95 % interval)"
    return _at_most(what, 2.0, _surely_below(split))


def _sst2() -> Sequence[Floor]:
    return (
        Floor("teacher, float", 90.0, lambda runs: score(of(runs, COMPARATOR, "teacher")), "%"),
        _at_most("best integers below the teacher", 0.5, _below(best, teacher)),
        *(
            _at_most(
                f"the same on joined sentences, {length} tokens",
                1.0,
                _below(best, teacher, f"joined {length}"),
            )
            for length in LENGTHS
        ),
        _at_most("best integers below the same weights in float", 0.3, _below(best, unquantized)),
        Floor(
            "best integers: predictions equal to the same weights' in float",
            99.5,
            _equal(best, unquantized),
            "%",
        ),
        _at_most("best integers below the float student", 0.3, _below(best, student)),
        Floor(
            "best integers: predictions equal to the float student's",
            99.5,
            _equal(best, student),
            "%",
        ),
        _at_most("best integers below the integer dot product", 0.7, _below(best, comparator)),
    )


def _imdb() -> Sequence[Floor]:
    (split,) = TASKS["imdb"].validation
    return (_at_most("best integers below the teacher", 0.7, _below(best, teacher, split)),)


def _mean_below(first: Models, second: Models) -> Callable[[Mapping[str, Runs]], float | None]:
    """Points by which the first scores below the second, mean over the averaged tasks; None where
    one lacks it."""

    def measure(results: Mapping[str, Runs]) -> float | None:
        return average([_below(first, second)(results.get(task, {})) for task in AVERAGED])

    return measure


# By task, of its runs.
FLOORS: dict[str, Sequence[Floor]] = {
    **{task: (_significance(SPLIT),) for task in AVERAGED},
    "sst2": (*_sst2(), _significance(SPLIT)),
    "imdb": _imdb(),
}
# Of all tasks' runs.
AVERAGE_FLOORS: Sequence[Floor] = (
    _at_most("best integers below the teacher", 1.0, _mean_below(best, teacher)),
    _at_most("best integers below the float student", 0.3, _mean_below(best, student)),
    _at_most("best integers below the same weights in float", 0.3, _mean_below(best, unquantized)),
    _at_most("best integers below the integer dot product", 0.7, _mean_below(best, comparator)),
)
