"""The results page's tables of others' figures (benchmarks/papers.json) with ours beside them."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.accuracy import COMPARATOR, Runs, average, of, score
from benchmarks.accuracy_floors import AVERAGED, BEST
from benchmarks.markdown import figure, table
from inhibi.eval.metrics import main_metric

# Ours beside the papers': title, recipe, model.
OURS = (
    ("ours, teacher E0, float", COMPARATOR, "teacher"),
    ("ours, E0, integers", COMPARATOR, "integer"),
    ("ours, E1, float", "e1", "float"),
    ("ours, E1, integers", "e1", "integer"),
    ("ours, E2, float", "e2", "float"),
    ("ours, E2, integers", "e2", "integer"),
    ("ours, best, float", BEST, "float"),
    ("ours, best, integers", BEST, "integer"),
)


def papers(found: Mapping[str, Any], results: Mapping[str, Runs]) -> str:
    """The whole section."""
    marks = "; ".join(f"{mark}: {meaning}" for mark, meaning in found["statuses"].items())
    text = (
        f"**Not the same teacher**: {_teacher(found, results)}Compare each student with its own "
        "teacher, and its loss with theirs, not the figures themselves. All are percent, on "
        f"validation splits. Status: {marks}."
    )
    return "\n\n".join(
        [
            "## Beside the papers",
            text,
            _glue(found["glue"], results),
            _imdb(found["imdb"], results),
            _int8(found["int8"], results),
        ]
    )


def _teacher(found: Mapping[str, Any], results: Mapping[str, Runs]) -> str:
    """Which checkpoints ours were fine-tuned from, and how large they are."""
    runs = [run for task in results.values() for run in task.get(COMPARATOR, ())]
    names = sorted({run["checkpoint"]["name"] for run in runs})
    if not names:
        return ""
    # Four bytes a weight: the file's header is a few kilobytes.
    size = max(run["models"]["teacher"]["bytes"] for run in runs) / 4e6
    theirs = found["glue"]["million_parameters"]
    return (
        f"ours is {', '.join(names)} with {size:.0f} million parameters, theirs DistilBERT with "
        f"{theirs} million. "
    )


def _glue(found: Mapping[str, Any], results: Mapping[str, Runs]) -> str:
    tasks = found["tasks"]
    averages = ["average of all", f"of {', '.join(AVERAGED)}"]
    header = ["", "status", *averages, *(f"{task} {_short(task)}".strip() for task in tasks)]
    rows = [
        [
            *(row["name"], row["status"], f"{row['average']:.1f}"),
            *(figure(x, 1) for x in (_averaged(tasks, row["scores"]), *row["scores"])),
        ]
        for row in found["rows"]
    ]
    for title, recipe, name in OURS:
        ours = [_score(results, task, recipe, name) for task in tasks]
        if any(x is not None for x in ours):
            rows.append([title, "", "", *(figure(x, 1) for x in (_averaged(tasks, ours), *ours))])
    return f"### Inhibitors\n\n{found['source']}.\n\n" + table(header, rows)


def _averaged(tasks: Sequence[str], scores: Sequence[float | None]) -> float | None:
    """The mean of those that ours is of, too."""
    return average([x for task, x in zip(tasks, scores, strict=True) if task in AVERAGED])


def _imdb(found: Mapping[str, Any], results: Mapping[str, Runs]) -> str:
    rows = [[row["name"], row["status"], f"{row['score']:.2f}"] for row in found["rows"]]
    for title, recipe, name in OURS:
        ours = _score(results, "imdb", recipe, name)
        if ours is not None:
            rows.append([title, "", figure(ours, 2)])
    return f"### IMDB\n\n{found['source']}.\n\n" + table(["", "status", "accuracy, %"], rows)


def _int8(found: Mapping[str, Any], results: Mapping[str, Runs]) -> str:
    rows = [
        [
            row["system"],
            f"{row['task']} {_short(row['task'])}".strip(),
            row["status"],
            f"{row['float']:.2f}",
            f"{row['int8']:.2f}",
            f"{row['int8'] - row['float']:+.2f}",
        ]
        for row in found["rows"]
    ]
    for task in results:
        for recipe in (COMPARATOR, BEST):
            pair = [_score(results, task, recipe, name) for name in ("float", "integer")]
            if None not in pair:
                a, b = pair
                where = f"{task} {_short(task)}".strip()
                change = f"{b - a:+.2f}"  # type: ignore[operator]
                rows.append([f"ours, {recipe}", where, "", figure(a, 2), figure(b, 2), change])
    header = ["", "task", "status", "float", "integers", "change"]
    notes = "\n".join(f"* {n['system']}: {n['says']} [{n['status']}]." for n in found["notes"])
    return f"### Integer transformers\n\n{table(header, rows)}\n\n{notes}"


def _score(results: Mapping[str, Runs], task: str, recipe: str, name: str) -> float | None:
    return score(of(results.get(task, {}), recipe, name))


def _short(task: str) -> str:
    return {"matthews_correlation": "mcc", "f1": "F1", "pearson": "r"}.get(main_metric(task), "")
