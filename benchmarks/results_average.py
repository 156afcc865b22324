"""The results page's section over several tasks: scores side by side, and their average."""

from collections.abc import Mapping, Sequence

from benchmarks import accuracy
from benchmarks.accuracy import COMPARATOR, RECIPES, BySeed, Runs, of, score
from benchmarks.accuracy_floors import AVERAGE_FLOORS, AVERAGED
from benchmarks.markdown import figure, table
from benchmarks.results_tables import MODELS, any_teacher, floors

HEAD = f"""\
## Average

Main metric in percent on the validation split, means over the seeds; the average is of those of
{", ".join(AVERAGED)}, for a model that has them all: not of WNLI, which has 71 examples, nor of the
large tasks, which are not trained here. Recipes are those of the folder glue, but for SST-2's: e0
and so on themselves. Seeds: the fewest that a task has.
"""


def average(results: Mapping[str, Runs]) -> str:
    """The whole section; empty where fewer than two of the tasks have runs."""
    tasks = [task for task in AVERAGED if task in results]
    if len(tasks) < 2:
        return ""
    rows = [_row("teacher, float", [any_teacher(results.get(task, {})) for task in AVERAGED])]
    for recipe in RECIPES:
        for name, (title, _) in MODELS.items():
            if (recipe, name) != (COMPARATOR, "float"):  # that is the teacher
                found = [of(results.get(task, {}), recipe, name) for task in AVERAGED]
                rows.append(_row(f"{recipe}, {title}", found))
    header = ["", "average", *AVERAGED, "seeds"]
    scores = table(header, (row for row in rows if any(row[1:-1])))
    return "\n\n".join([HEAD.strip(), scores, floors(AVERAGE_FLOORS, results)])


def _row(title: str, models: Sequence[BySeed]) -> list[str]:
    scores = [score(found) for found in models]
    seeds = min(map(len, models))
    return [
        *(title, figure(accuracy.average(scores), 2)),
        *(figure(x, 1) for x in scores),
        str(seeds) if seeds else "",
    ]
