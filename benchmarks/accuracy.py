"""What the JSON files of runs say together: seeds side by side, models compared in pairs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bootstrap import differences, interval
from benchmarks.scoring import unpack
from inhibi.engine.errors import InputError
from inhibi.eval.metrics import main_metric
from inhibi.kd.data import TASKS

COMPARATOR = "e0"  # its float model is the teacher of all others
RECIPES = (COMPARATOR, "e1", "e2", "best")  # in this order; others behind them

SCORES = tuple(task.name for task in TASKS.values() if task.labels is None)

Run = Mapping[str, Any]  # the content of a JSON file
Runs = Mapping[str, Sequence[Run]]  # of one task: by recipe, in the order of their seeds


@dataclass(frozen=True)
class Answers:
    """One model of one run."""

    run: Run
    model: Mapping[str, Any]

    def value(self, name: str, metric: str) -> float | None:
        """A metric on a set of examples."""
        found = self.model["sets"].get(name)
        return found and found["metrics"][metric]

    def predictions(self, name: str) -> np.ndarray:
        """Float [N]."""
        return unpack(self.model["sets"][name]["predictions"])


BySeed = Mapping[int, Answers]


@dataclass(frozen=True)
class Difference:
    """Mean over the seeds, and the ends of its 95 % interval; in fractions."""

    mean: float
    low: float
    high: float


def read_runs(folder: Path) -> dict[str, Runs]:
    """By task, from FOLDER/TASK/*.json. Raises `InputError`."""
    made: dict[str, dict[str, list[Run]]] = {}
    for file in sorted(folder.glob("*/*.json")):
        try:
            run = json.loads(file.read_text("utf-8"))
            made.setdefault(run["task"], {}).setdefault(run["recipe"], []).append(run)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{file} is no result ({error!r}): write it with python -m benchmarks.run_result"
            ) from error
    for task, runs in made.items():
        for recipe, some in runs.items():
            _check_alike(f"{folder / task}: {recipe}", some)
    return {
        task: {
            recipe: sorted(runs[recipe], key=lambda run: run["seed"])
            for recipe in sorted(runs, key=_place)
        }
        for task, runs in made.items()
    }


def _check_alike(which: str, runs: Sequence[Run]) -> None:
    """`InputError` where runs of one recipe are none of one experiment: a mean would mix them. The
    distilled students that they start from may differ: the page names them."""
    for name in ("recipe_sha256", "max_length", "text"):
        if len({json.dumps(run.get(name)) for run in runs}) > 1:
            raise InputError(f"{which} has runs of more than one {name}: move the others away")


def _place(recipe: str) -> tuple[int, str]:
    return RECIPES.index(recipe) if recipe in RECIPES else len(RECIPES), recipe


def of(runs: Runs, recipe: str, name: str) -> dict[int, Answers]:
    """A recipe's model by seed, where there is one: "teacher", "float", "ptq", "integer" or
    "unquantized"."""
    return {
        run["seed"]: Answers(run, run["models"][name])
        for run in runs.get(recipe, ())
        if name in run["models"]
    }


def teachers(runs: Runs, recipe: str) -> dict[int, Answers]:
    """The teacher of each of the recipe's runs; of a task-agnostic one, E0 of the same seed."""
    return of(runs, COMPARATOR, "teacher") | of(runs, recipe, "teacher")


def values(models: BySeed, name: str, metric: str) -> list[float]:
    """A metric on a set of examples, one for each seed that has it."""
    return [v for model in models.values() if (v := model.value(name, metric)) is not None]


def score(models: BySeed) -> float | None:
    """Percent of the task's main metric on its first split, mean over the seeds; None of none."""
    if not models:
        return None
    run = next(iter(models.values())).run
    split = next(iter(run["references"]))
    return 100 * float(np.mean(values(models, split, main_metric(run["task"]))))


def average(scores: Sequence[float | None]) -> float | None:
    """Of all or none."""
    known = [value for value in scores if value is not None]
    return float(np.mean(known)) if len(known) == len(scores) else None


def common_seeds(student: BySeed, teacher: BySeed, name: str) -> list[int]:
    """Those that both have. Raises `InputError` where they were scored on different examples."""
    seeds = [
        seed
        for seed in sorted(student.keys() & teacher.keys())
        if name in student[seed].model["sets"] and name in teacher[seed].model["sets"]
    ]
    packed = {m[s].run["references"][name] for m in (student, teacher) for s in seeds}
    if len(packed) > 1:
        task = student[seeds[0]].run["task"]
        raise InputError(f"{task}: runs were scored on different examples ({name})")
    return seeds


def mean_difference(student: BySeed, teacher: BySeed, name: str) -> float | None:
    """The main metric of the one minus that of the other on a set of examples, mean over the seeds
    that both have; None where there is none."""
    seeds = common_seeds(student, teacher, name)
    if not seeds:
        return None
    metric = main_metric(student[seeds[0]].run["task"])
    a, b = ([m[s].value(name, metric) or 0.0 for s in seeds] for m in (student, teacher))
    return float(np.mean(a) - np.mean(b))


def difference(student: BySeed, teacher: BySeed, name: str) -> Difference | None:
    """`mean_difference` and its interval; None where there is none."""
    mean, seeds = mean_difference(student, teacher, name), common_seeds(student, teacher, name)
    if mean is None:
        return None
    first = student[seeds[0]].run
    samples = differences(
        first["task"],
        np.stack([teacher[seed].predictions(name) for seed in seeds]),
        np.stack([student[seed].predictions(name) for seed in seeds]),
        unpack(first["references"][name]),
    )
    return Difference(mean, *interval(samples))


def equal(first: BySeed, second: BySeed, name: str) -> float | None:
    """The share of equal predictions on a set, mean over the seeds that both have; None where
    there is none, and for scores, which are never equal."""
    shares = [
        float((first[seed].predictions(name) == second[seed].predictions(name)).mean())
        for seed in sorted(first.keys() & second.keys())
        if first[seed].run["task"] not in SCORES
    ]
    return float(np.mean(shares)) if shares else None


def minutes(models: BySeed, stages: Sequence[str]) -> float | None:
    """What these stages took, mean over the seeds; None where a run does not say.

    A run that begins with another's distilled student lacks stages that the other has.
    """
    reused = {name: stage for m in models.values() for name, stage in m.run["stages"].items()}
    totals = []
    for model in models.values():
        known = reused | model.run["stages"]
        made = [known[s] for s in stages if s in known]
        taken = [stage["seconds"] for stage in made if stage["steps"]]
        if None in taken or not taken:
            return None
        totals.append(sum(taken) / 60)
    return float(np.mean(totals)) if totals else None
