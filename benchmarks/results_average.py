"""The results page's section over several tasks: scores side by side, and their average."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.accuracy import COMPARATOR, RECIPES, Runs, of, values
from benchmarks.accuracy_floors import AVERAGE_FLOORS, AVERAGED, SPLIT
from benchmarks.bootstrap import main_metric
from benchmarks.markdown import table
from benchmarks.results_tables import MODELS, floors

HEAD = f"""\
## Average

Main metric in percent on the validation split, means over the seeds; the average is of those of
{", ".join(AVERAGED)}, for a model that has them all. WNLI counts in none: it has 71 examples.
"""


def average(results: Mapping[str, Runs]) -> str:
    """The whole section; empty where fewer than two of the tasks have runs."""
    tasks = [task for task in AVERAGED if task in results]
    if len(tasks) < 2:
        return ""
    rows = [_row("teacher, float", results, COMPARATOR, "teacher")]
    for recipe in RECIPES:
        for name, (title, _) in MODELS.items():
            if (recipe, name) != (COMPARATOR, "float"):  # that is the teacher
                rows.append(_row(f"{recipe}, {title}", results, recipe, name))
    header = ["", "average", *AVERAGED]
    found = table(header, (row for row in rows if any(row[1:])))
    return "\n\n".join([HEAD.strip(), found, floors(AVERAGE_FLOORS, results)])


def _row(title: str, results: Mapping[str, Runs], recipe: str, name: str) -> list[str]:
    scores = [_score(results.get(task, {}), task, recipe, name) for task in AVERAGED]
    return [title, _average(scores), *("" if s is None else f"{s:.1f}" for s in scores)]


def _score(runs: Runs, task: str, recipe: str, name: str) -> float | None:
    found = values(of(runs, recipe, name), SPLIT, main_metric(task))
    return 100 * float(np.mean(found)) if found else None


def _average(scores: Sequence[float | None]) -> str:
    known = [score for score in scores if score is not None]
    return f"{np.mean(known):.2f}" if len(known) == len(scores) else ""
