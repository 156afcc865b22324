"""docs/results.svg: each task's models by recipe, and accuracy over the length of joined texts."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.accuracy import COMPARATOR, BySeed, Runs, of, values
from benchmarks.accuracy_floors import BEST
from benchmarks.results_tables import any_teacher
from inhibi.engine.errors import MissingExtra
from inhibi.eval.metrics import main_metric

COLUMNS = 3  # of panels
STYLES = {
    "float": ("float", "o", "tab:blue"),
    "ptq": ("integers, calibrated only", "x", "tab:orange"),
    "integer": ("integers", "s", "black"),
}


def plot(results: Mapping[str, Runs], path: Path) -> None:
    """One panel a task, one more for joined texts. The same results give the same bytes."""
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtra("bench", "matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "inhibi"
    panels = [*results, *(f"joined {task}" for task in results if _lengths(results[task]))]
    if not panels:
        path.unlink(missing_ok=True)
        return
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(4.5 * columns, 4 * rows), layout="constrained", squeeze=False
    )
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    for axes, name in zip(grid.flat, panels, strict=False):
        if name in results:
            _recipes(axes, name, results[name])
        else:
            _joined(axes, name, results[name.removeprefix("joined ")])
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _recipes(axes, task: str, runs: Runs) -> None:  # type: ignore[no-untyped-def]
    """A small mark for each seed, a large one for the mean; the teacher's mean as a line."""
    first = next(iter(runs.values()))[0]
    split, metric = next(iter(first["references"])), main_metric(task)
    teacher = values(any_teacher(runs), split, metric)
    if teacher:
        axes.axhline(100 * np.mean(teacher), color="tab:blue", linestyle="--", label="teacher")
    for i, (name, (title, marker, color)) in enumerate(STYLES.items()):
        shift = 0.2 * (i - 1)
        for x, recipe in enumerate(runs):
            found = 100 * np.array(values(of(runs, recipe, name), split, metric))
            axes.plot([x + shift] * len(found), found, marker, color=color, ms=4, alpha=0.5)
            if len(found):
                axes.plot(x + shift, found.mean(), marker, color=color, ms=9, alpha=0.8)
        axes.plot([], [], marker, color=color, label=title)
    axes.set_xticks(range(len(runs)), list(runs))
    axes.set(title=task, ylabel=f"{metric.replace('_', ' ')}, %")


def _joined(axes, title: str, runs: Runs) -> None:  # type: ignore[no-untyped-def]
    """Lines over the length: the teacher, the dot product's integers, the best integers."""
    lengths = _lengths(runs)
    best = BEST if BEST in runs else next(recipe for recipe in reversed(list(runs)))
    lines: dict[str, BySeed] = {
        "teacher": any_teacher(runs),
        f"{COMPARATOR}, integers": of(runs, COMPARATOR, "integer"),
        f"{best}, integers": of(runs, best, "integer"),
    }
    for name, models in lines.items():
        scores = [values(models, f"joined {n}", main_metric(title.split()[1])) for n in lengths]
        if all(scores):
            axes.plot(lengths, [100 * np.mean(s) for s in scores], marker="o", label=name)
    axes.set(title=title, xlabel="tokens", ylabel="accuracy, %", xscale="log")
    axes.set_xticks(lengths, [str(n) for n in lengths])
    axes.minorticks_off()


def _lengths(runs: Runs) -> list[int]:
    names = next(iter(runs.values()))[0]["references"]
    return [int(name.split()[1]) for name in names if name.startswith("joined ")]
