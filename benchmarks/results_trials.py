"""The results page's section on changes of the method, scored on held-back examples."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.markdown import METRIC_TITLES, figure, table
from inhibi.eval.metrics import CORRELATIONS

Trial = Mapping[str, Any]
NAME, BASE = "trial", "base"  # of what benchmarks.trials makes
SETS = ("all", "joined 64")

HEAD = """\
## Changes of the method

On examples held back from training: the validation split is for the tables above alone.
"""

PARTS = """\
### What each part gives

A short recipe, [trials.toml](../benchmarks/trials.toml), and the same with one line changed or
added, by `python -m benchmarks.trials`: the float student's score in percent after alignment and at
the end, and the difference of the latter to the unchanged recipe's. "Equal" is the share of answers
equal to the teacher's, "joined 64" that on texts of whole examples joined to 64 tokens. One seed
each: a difference within the score's standard error may be chance; the shares of equal answers tell
more.
"""

ABLATIONS = """\
### Other trials

Score in percent after each stage, and the loss that was logged last. These rows are from recipes of
their time, of which only the hash is kept, but for those "as it is".
"""

FIDELITY = """\
Students beside their teachers on the same examples: all of them, those that are no part of another
text (the validation split is of that kind), and these joined (`python -m benchmarks.fidelity`).
Teacher and student: accuracies. Divergence is the Kullback-Leibler divergence of the student's
probabilities, in nats.
"""


def read_trials(folder: Path) -> dict[str, list[Trial]]:
    """By task the trials in FOLDER/TASK/ablations, in the order of their files' names."""
    made: dict[str, list[Trial]] = {}
    for file in sorted(folder.glob("*/ablations/*.json")):
        trial = json.loads(file.read_text("utf-8"))
        made.setdefault(file.parent.parent.name, []).append(trial)
    return made


def changes(trials: Mapping[str, Sequence[Trial]]) -> str:
    """The whole section; empty without trials."""
    parted = {task: [x for x in found if x["name"] == NAME] for task, found in trials.items()}
    others = {task: [x for x in found if x["name"] != NAME] for task, found in trials.items()}
    sections = [_by_task(PARTS, parted, parts), _by_task(ABLATIONS, others, ablations)]
    shown = [section for section in sections if section]
    return "\n\n".join([HEAD.strip(), *shown]) if shown else ""


def _by_task(
    head: str, trials: Mapping[str, Sequence[Trial]], write: Callable[[Sequence[Trial]], str]
) -> str:
    """Empty where no task has any."""
    tables = [f"#### {task}\n\n{write(found)}" for task, found in trials.items() if found]
    return "\n\n".join([head.strip(), *tables]) if tables else ""


def parts(trials: Sequence[Trial]) -> str:
    """One line a trial of `benchmarks.trials`: the unchanged recipe, then what costs most first."""
    ends = {x["recipe"]: _percent(_last_stage(x)) for x in trials}
    rows = []
    for trial in sorted(trials, key=lambda x: (x["recipe"] != BASE, ends[x["recipe"]])):
        stages, sets, end = trial["stages"], trial["fidelity"], ends[trial["recipe"]]
        changed = BASE in ends and trial["recipe"] != BASE
        aligned = _percent(stages["align"]) if "align" in stages else None
        equals = (100 * sets[name]["equal"] if name in sets else None for name in SETS)
        rows.append(
            [
                *(trial["change"], figure(aligned, 2), figure(end, 2)),
                f"{end - ends[BASE]:+.2f}" if changed else "",
                *(figure(equal, 2) for equal in equals),
            ]
        )
    header = ["", "aligned", "at the end", "to the unchanged", *(f"equal, {x}" for x in SETS)]
    return standard_error(trials[0]) + "\n\n" + table(header, rows)


def standard_error(trial: Trial) -> str:
    """Which score it is, and its standard error: a share's, or a correlation's (1 - r^2) / sqrt(n),
    of a score like this trial's."""
    examples = trial["fidelity"][SETS[0]]["examples"]
    ((name, value),) = _last_stage(trial)["score"].items()
    correlation = name in ("matthews_correlation", *CORRELATIONS)
    error = (1 - value**2 if correlation else math.sqrt(value * (1 - value))) / math.sqrt(examples)
    title = METRIC_TITLES.get(name, name)
    return f"Score: {title}, {examples:,} examples, standard error {100 * error:.1f}."


def _last_stage(trial: Trial) -> Mapping[str, Any]:
    stage: Mapping[str, Any] = next(reversed(trial["stages"].values()))
    return stage


def _percent(stage: Mapping[str, Any]) -> float:
    """Its score."""
    return 100 * float(next(iter(stage["score"].values())))


def ablations(trials: Sequence[Trial]) -> str:
    """One line a trial, score and last loss of each stage; then `fidelities` where it has them."""
    stages = list(dict.fromkeys(name for trial in trials for name in trial["stages"]))
    rows = [
        [
            trial["name"],
            trial["change"],
            "" if trial["seed"] is None else str(trial["seed"]),
            *(_stage(trial["stages"].get(name)) for name in stages),
        ]
        for trial in trials
    ]
    return table(["", "change", "seed", *stages], rows) + _fidelities(trials)


def _stage(stage: Mapping[str, Any] | None) -> str:
    """Steps, score in percent, loss."""
    if stage is None:
        return ""
    loss = "" if stage["loss"] is None else f", loss {stage['loss']:.3g}"
    return f"{_percent(stage):.2f} ({stage['steps']:,} steps{loss})"


def _fidelities(trials: Sequence[Trial]) -> str:
    found = {trial["change"]: trial["fidelity"] for trial in trials if "fidelity" in trial}
    return f"\n\n{FIDELITY.strip()}\n\n{fidelities(found)}" if found else ""


def fidelities(trials: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """One line a trial and set of held-back examples: see `benchmarks.fidelity`."""
    rows = [
        [
            trial,
            name,
            f"{found['examples']:,}",
            *(f"{100 * found[share]:.2f}" for share in ("teacher", "student", "equal")),
            f"{found['divergence']:.4f}",
        ]
        for trial, sets in trials.items()
        for name, found in sets.items()
    ]
    shares = ["teacher, %", "student, %", "equal, %"]
    return table(["", "held back", "examples", *shares, "divergence"], rows)
