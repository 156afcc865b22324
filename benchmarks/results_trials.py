"""The results page's section on changes of the method, scored on held-back examples."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bootstrap import differences, interval
from benchmarks.markdown import METRIC_TITLES, figure, table
from benchmarks.scoring import unpack
from inhibi.eval.metrics import CORRELATIONS

Trial = Mapping[str, Any]
BASE = "base"  # of what benchmarks.trials makes
SETS = ("all", "joined 64")

HEAD = """\
## What each part gives

On examples held back from training: the validation split is for the tables above alone. A short
recipe, [trials.toml](../benchmarks/trials.toml), and the same with one line changed or added, by
`python -m benchmarks.trials`: the float student's score in percent after alignment and at the end,
and the difference of the latter to the unchanged recipe's. Brackets: its 95 % interval, a paired
bootstrap over the examples as above, where a trial's answers were kept; else a difference of less
than two standard errors of the score may be chance. "Equal" is the share of answers equal to the
teacher's, "joined 64" that on texts of whole examples joined to 64 tokens. One seed each.
"""


def read_trials(folder: Path) -> dict[str, list[Trial]]:
    """By task the trials in FOLDER/TASK/trials, in the order of their files' names."""
    made: dict[str, list[Trial]] = {}
    for file in sorted(folder.glob("*/trials/*.json")):
        trial = json.loads(file.read_text("utf-8"))
        made.setdefault(file.parent.parent.name, []).append(trial)
    return made


def changes(trials: Mapping[str, Sequence[Trial]]) -> str:
    """The whole section; empty without trials."""
    tables = [f"### {task}\n\n{parts(task, found)}" for task, found in trials.items()]
    return "\n\n".join([HEAD.strip(), *tables]) if tables else ""


def parts(task: str, trials: Sequence[Trial]) -> str:
    """One line a trial of `benchmarks.trials`: the unchanged recipe, then what costs most first."""
    base = next((x for x in trials if x["recipe"] == BASE), None)
    rows = []
    for trial in sorted(trials, key=lambda x: (x is not base, _percent(_last_stage(x)))):
        stages, sets = trial["stages"], trial["fidelity"]
        aligned = _percent(stages["align"]) if "align" in stages else None
        equals = (100 * sets[name]["equal"] if name in sets else None for name in SETS)
        rows.append(
            [
                *(trial["change"], figure(aligned, 2), figure(_percent(_last_stage(trial)), 2)),
                "" if base in (None, trial) else _difference(task, trial, base),
                *(figure(equal, 2) for equal in equals),
            ]
        )
    header = ["", "aligned", "at the end", "to the unchanged", *(f"equal, {x}" for x in SETS)]
    teachers = sorted({f"`{trial['teacher']}`" for trial in trials})
    about = f"{standard_error(trials[0])} Teacher: {', '.join(teachers)}."
    return "\n\n".join([about, table(header, rows)])


def _difference(task: str, trial: Trial, base: Trial) -> str:
    """In points, with its interval where both have their answers."""
    points = _percent(_last_stage(trial)) - _percent(_last_stage(base))
    ours, theirs = (x["fidelity"][SETS[0]] for x in (trial, base))
    if not all("predictions" in found for found in (ours, theirs)):
        return f"{points:+.2f}"
    answers = (unpack(found["predictions"])[None] for found in (theirs, ours))
    samples = differences(task, *answers, unpack(ours["references"]))
    low, high = (100 * end for end in interval(samples))
    return f"{points:+.2f} [{low:+.2f}, {high:+.2f}]"


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
