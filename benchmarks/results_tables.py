"""The results page's tables of our own runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.accuracy import (
    COMPARATOR,
    Answers,
    BySeed,
    Run,
    Runs,
    difference,
    equal,
    minutes,
    of,
    teachers,
    values,
)
from benchmarks.accuracy_floors import BEST, SEEDS
from benchmarks.floors import Floor
from benchmarks.markdown import METRIC_TITLES, table
from inhibi.eval.metrics import main_metric
from inhibi.kd.recipe import packaged, read_recipe

FLOAT = ("align", "distill", "finetune")
# By the model's name: its title, the stages after the teacher's that made it.
MODELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "float": ("float", FLOAT),
    "ptq": ("integers, calibrated only", FLOAT),
    "unquantized": ("the integers' weights in float", (*FLOAT, "qat")),
    "integer": ("integers", (*FLOAT, "qat")),
}
# The model of the same weights without rounding.
SAME_WEIGHTS = {"ptq": "float", "integer": "unquantized"}


def models(runs: Runs) -> str:
    """One line a model, means over the seeds."""
    first: Run = next(iter(runs.values()))[0]
    splits = list(first["references"])
    metrics = list(first["models"]["float"]["sets"][splits[0]]["metrics"])
    header = ["", *(METRIC_TITLES.get(m, m) for m in metrics), "seeds", "to the teacher"]
    header += ["as the float student", "as its weights in float", *splits[1:], "minutes", "MB"]
    header += ["million parameters", "µJ"]
    rows = [_row("teacher, float", any_teacher(runs), [{}] * 3, splits, metrics, ("teacher",))]
    for recipe in runs:
        for name, (title, stages) in MODELS.items():
            found = of(runs, recipe, name)
            if not found or (recipe, name) == (COMPARATOR, "float"):  # that is the teacher
                continue
            own = SAME_WEIGHTS.get(name)
            beside = [
                teachers(runs, recipe),
                of(runs, recipe, "float") if name != "float" else {},
                of(runs, recipe, own) if own else {},
            ]
            row = _row(f"{recipe}, {title}", found, beside, splits, metrics, stages)
            best = (recipe, name) == (BEST, "integer")
            rows.append([f"**{cell}**" if best and cell else cell for cell in row])
    return table(*_filled(header, rows))


def _filled(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Without the columns that are empty in every row."""
    kept = [i for i in range(len(header)) if not i or any(row[i] for row in rows)]
    return [header[i] for i in kept], [[row[i] for i in kept] for row in rows]


def any_teacher(runs: Runs) -> dict[int, Answers]:
    """E0's, or those of the first recipe that has some."""
    found = (of(runs, recipe, "teacher") for recipe in (COMPARATOR, *runs))
    return next((models for models in found if models), {})


def _row(
    title: str,
    found: BySeed,
    beside: Sequence[BySeed],
    splits: Sequence[str],
    metrics: Sequence[str],
    stages: Sequence[str],
) -> list[str]:
    """beside: the teacher, the float student and the same weights in float."""
    if not found:
        return [title, *[""] * (len(metrics) + len(splits) + 7)]
    teacher, *floats = beside
    run = next(iter(found.values())).run
    longer = [values(found, name, main_metric(run["task"])) for name in splits[1:]]
    equals, taken = [equal(found, m, splits[0]) for m in floats], minutes(found, stages)
    return [
        title,
        *(_mean(values(found, splits[0], metric)) for metric in metrics),
        str(len(found)),
        _difference(found, teacher, splits[0]),
        *("" if share is None else f"{100 * share:.1f} %" for share in equals),
        *(f"{100 * np.mean(scores):.1f}" if scores else "" for scores in longer),
        f"{taken:.0f}" if taken else "",
        f"{np.mean([m.model['bytes'] for m in found.values()]) / 1e6:.0f}",
        _known(found, "parameters", 1e6),
        _known(found, "microjoules"),
    ]


def _known(found: BySeed, key: str, unit: float = 1.0) -> str:
    """The mean of a number that not all results have."""
    numbers = [m.model[key] / unit for m in found.values() if m.model.get(key) is not None]
    return f"{np.mean(numbers):,.1f}" if numbers else ""


def _mean(scores: Sequence[float]) -> str:
    """With the standard deviation over the seeds."""
    spread = f" ± {100 * np.std(scores, ddof=1):.2f}" if len(scores) > 1 else ""
    return f"{100 * np.mean(scores):.2f}{spread}"


def _difference(student: BySeed, teacher: BySeed, split: str) -> str:
    found = difference(student, teacher, split)
    if found is None:
        return ""
    mean, low, high = (100 * value for value in (found.mean, found.low, found.high))
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def trained(runs: Runs) -> str:
    """What training with quantization gives beside calibration alone; empty where no run has
    both."""
    rows = []
    for recipe in runs:
        calibrated, integers = (of(runs, recipe, name) for name in ("ptq", "integer"))
        if calibrated:
            split = next(iter(next(iter(calibrated.values())).run["references"]))
            stages = (run["stages"].get("ptq", {}) for run in runs[recipe])
            taken = [seconds / 60 for stage in stages if (seconds := stage.get("seconds"))]
            long = f"{np.mean(taken):.1f}" if taken else ""
            rows.append([recipe, _difference(integers, calibrated, split), long])
    header = ["", "points, trained with quantization to calibrated only", "minutes to calibrate"]
    return table(*_filled(header, rows)) if rows else ""


def floors(targets: Sequence[Floor], results: Mapping[str, Any]) -> str:
    """Measured on what each of them reads; empty without any."""
    if not targets:
        return ""
    rows = []
    for floor in targets:
        value = floor.measure(results)
        sign = "<=" if floor.at_most else ">="
        measured = "" if value is None else f"{round(value, 2) + 0:.2f} {floor.unit}"  # no -0.00
        target = f"{sign} {floor.target:g} {floor.unit}"
        rows.append([floor.what, target, measured, _reached(floor, value, floor.seeds(results))])
    return "### Floors\n\n" + table(["", "floor", "measured", "reached"], rows)


def _reached(floor: Floor, value: float | None, seeds: int | None) -> str:
    """A mean of fewer seeds than the floor asks for says so."""
    if value is None:
        return "not measured"
    few = f", {seeds} of {SEEDS} seeds" if seeds is not None and seeds < SEEDS else ""
    return ("yes" if floor.reached(value) else "**no**") + few


def provenance(runs: Runs) -> str:
    """One line a run: what it was made from and by; a recipe that has changed since is marked."""
    current = {read_recipe(file).sha256 for file in packaged().values()}
    rows = [
        [
            f"{recipe} {run['seed']}",
            _short(run["recipe_sha256"]) + " (former)" * (run["recipe_sha256"] not in current),
            _short(run["student"]["sha256"]),
            ", ".join(f"{name} {stage['steps']:,}" for name, stage in run["stages"].items()),
            _short(run["models"]["integer"]["sha256"]),
            *_fake(run["fake_quantization"]),
        ]
        for recipe, some in runs.items()
        for run in some
    ]
    header = ["recipe, seed", "recipe's SHA-256", "first student's", "steps", "integer file's"]
    return table([*header, "as fake quantization", "logit difference"], rows)


def _short(sha256: str | None) -> str:
    return f"`{sha256[:12]}`" if sha256 else ""


def _fake(found: Mapping[str, float]) -> list[str]:
    equals = found.get("equal_predictions")
    return [
        "" if equals is None else f"{100 * equals:.1f} %",
        f"{100 * found['median_difference']:.1f} %",
    ]
