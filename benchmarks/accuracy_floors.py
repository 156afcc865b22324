"""What the students have to reach, in points of a task's main metric: means over the seeds.

"below": how much lower a model scores; less than 0 where it scores higher.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.accuracy import (
    COMPARATOR,
    BySeed,
    Runs,
    average,
    common_seeds,
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
IMDB_TOKENS = 128  # that texts are cut at
AVERAGED = ("cola", "mrpc", "rte", "sst2", "stsb")  # not wnli: 71 examples
Models = Callable[[Runs], BySeed]


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


@dataclass(frozen=True)
class Pair:
    """A model beside another on one set of examples, the seeds that both have."""

    first: Models
    second: Models
    split: str = SPLIT

    def seeds(self, runs: Runs) -> int:
        """How many."""
        return len(common_seeds(self.first(runs), self.second(runs), self.split))

    def below(self, runs: Runs) -> float | None:
        """Points by which the first scores below the second."""
        found = mean_difference(self.first(runs), self.second(runs), self.split)
        return None if found is None else -100 * found

    def surely_below(self, runs: Runs) -> float | None:
        """Points by which it does at least, by the 95 % interval; less than 0 where the interval
        holds 0."""
        found = difference(self.first(runs), self.second(runs), self.split)
        return None if found is None else -100 * found.high

    def equal(self, runs: Runs) -> float | None:
        """Percent of equal predictions."""
        found = equal(self.first(runs), self.second(runs), self.split)
        return None if found is None else 100 * found

    def mean_below(self, results: Mapping[str, Runs]) -> float | None:
        """`below`, mean over the averaged tasks; None where one lacks it."""
        return average([self.below(results.get(task, {})) for task in AVERAGED])

    def fewest_seeds(self, results: Mapping[str, Runs]) -> int:
        """Of the averaged tasks."""
        return min(self.seeds(results.get(task, {})) for task in AVERAGED)


def _at_most(what: str, points: float, pair: Pair) -> Floor:
    return Floor(what, points, pair.below, POINTS, at_most=True, seeds=pair.seeds)


def _mean_at_most(what: str, points: float, pair: Pair) -> Floor:
    return Floor(what, points, pair.mean_below, POINTS, at_most=True, seeds=pair.fewest_seeds)


def _equal(what: str, pair: Pair) -> Floor:
    return Floor(what, 99.5, pair.equal, "%", seeds=pair.seeds)


def _significance(split: str) -> Floor:
    pair = Pair(best, teacher, split)
    what = "best integers surely below the teacher: the 95 % interval's end that is nearer to it"
    return Floor(what, 2.0, pair.surely_below, POINTS, at_most=True, seeds=pair.seeds)


def _alone(what: str, percent: float, models: Models) -> Floor:
    return Floor(
        what,
        percent,
        lambda runs: score(models(runs)),
        "%",
        seeds=lambda runs: len(models(runs)),
    )


def _sst2() -> Sequence[Floor]:
    return (
        _alone("teacher, float", 90.0, lambda runs: of(runs, COMPARATOR, "teacher")),
        _at_most("best integers below the teacher", 0.5, Pair(best, teacher)),
        *(
            _at_most(
                f"the same on joined sentences, {length} tokens",
                1.0,
                Pair(best, teacher, f"joined {length}"),
            )
            for length in LENGTHS
        ),
        _at_most("best integers below the same weights in float", 0.3, Pair(best, unquantized)),
        _equal(
            "best integers: predictions equal to the same weights' in float",
            Pair(best, unquantized),
        ),
        _at_most("best integers below the float student", 0.3, Pair(best, student)),
        _equal("best integers: predictions equal to the float student's", Pair(best, student)),
        _at_most("best integers below the integer dot product", 0.7, Pair(best, comparator)),
    )


def _imdb() -> Sequence[Floor]:
    (split,) = TASKS["imdb"].validation
    pair = Pair(_cut(best), _cut(teacher), split)
    return (_at_most(f"best integers below the teacher, {IMDB_TOKENS} tokens", 0.7, pair),)


def _cut(models: Models) -> Models:
    """Those that were scored on texts of at most IMDB_TOKENS."""
    return lambda runs: {
        seed: found
        for seed, found in models(runs).items()
        if found.run["max_length"] == IMDB_TOKENS
    }


# By task, of its runs.
FLOORS: dict[str, Sequence[Floor]] = {
    **{task: (_significance(SPLIT),) for task in AVERAGED},
    "sst2": (*_sst2(), _significance(SPLIT)),
    "imdb": _imdb(),
}
# Of all tasks' runs.
AVERAGE_FLOORS: Sequence[Floor] = (
    _mean_at_most("best integers below the teacher", 1.0, Pair(best, teacher)),
    _mean_at_most("best integers below the float student", 0.3, Pair(best, student)),
    _mean_at_most("best integers below the integer dot product", 0.7, Pair(best, comparator)),
)
