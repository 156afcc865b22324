"""How a run's float student answers beside its teacher, on examples held back from training.

    python -m benchmarks.fidelity RUN [RUN ...]

Held-back examples of SST-2 are mostly phrases, its validation split is whole sentences, on which an
inhibitor lags further behind. So beside all of them stand "whole", those that are no part of
another text, and "joined 64", about 64 tokens of these joined. Where the two models differ on an
example says more than accuracies do, whose errors on so few examples hide what a change gives.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.special import log_softmax

from benchmarks.joined import joined_examples
from benchmarks.results_trials import fidelities
from benchmarks.run_result import float_student
from benchmarks.scoring import Scored, score_sets
from inhibi.engine.checkpoint import Checkpoint
from inhibi.engine.errors import InputError, command
from inhibi.engine.text import Tokenizer
from inhibi.eval.examples import Examples, of_rows
from inhibi.kd.data import Task, find_task, load_split
from inhibi.kd.held_back import hold_back, wholes
from inhibi.qat.record import read

JOINED = 64  # tokens of the joined texts; in longer ones few labels are still in doubt


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.fidelity`."""
    chosen = _options(argv)
    found = {run.name: fidelity(run, chosen.held_back, chosen.data_dir) for run in chosen.runs}
    print(fidelities(found))


def fidelity(run: Path, share: float, data_dir: str | None) -> dict[str, dict[str, float]]:
    """By the set's name, of the last float stage of a run. share: the recipe's held_back.

    `teacher`, `student`: their accuracies, `equal`: the share of equal labels, all from 0 to 1;
    `divergence`: the mean Kullback-Leibler divergence of the student's probabilities from the
    teacher's, in nats. Raises `InputError` where the run has no teacher of its own or no student
    yet, or its task no labels.
    """
    task, student = find_task(read(run)["task"]), float_student(run)
    if task.labels is None:
        raise InputError(f"{task.name} has scores, not labels: fidelity compares labels")
    if student in (None, "teacher") or not (run / "teacher" / "metrics.json").is_file():
        raise InputError(f"{run} has no teacher and student yet: run qat-train --resume")
    teacher = Checkpoint(run / "teacher")
    sets = held_back_sets(task, share, data_dir, teacher.tokenizer)
    goals = score_sets(task, sets, teacher, None)
    made = score_sets(task, sets, Checkpoint(run / student), None)
    return {name: _compare(rows, goals[name], made[name]) for name, rows in sets.items()}


def held_back_sets(
    task: Task, share: float, data_dir: str | None, tokenizer: Tokenizer
) -> dict[str, Examples]:
    """All that is held back and, of single texts, whole and joined ones."""
    _, rows = hold_back(load_split(task, "train", data_dir), task, share)
    if not len(rows):
        raise InputError(f"nothing of {task.name} is held back: name a larger --held-back")
    sets = {"all": of_rows(task, rows, [])}
    if len(task.columns) > 1:
        return sets
    sets["whole"] = of_rows(task, rows.select(wholes(rows[task.columns[0]])), [])
    longer = joined_examples(task, sets["whole"], tokenizer, [JOINED])
    return sets | {f"joined {n}": texts for n, texts in longer.items()}


def _compare(rows: Examples, goal: Scored, made: Scored) -> dict[str, float]:
    references = np.array(rows.references)
    wanted, ours = log_softmax(goal.logits, 1), log_softmax(made.logits, 1)
    return {
        "examples": len(references),
        "teacher": float((np.array(goal.predictions) == references).mean()),
        "student": float((np.array(made.predictions) == references).mean()),
        "equal": made.equal(goal) or 0.0,  # never None: the task has labels
        "divergence": float((np.exp(wanted) * (wanted - ours)).sum(1).mean()),
    }


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.fidelity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="runs of qat-train")
    add_held_back(parser)
    return parser.parse_args(argv)


def add_held_back(parser: argparse.ArgumentParser) -> None:
    """The options that say which examples were held back."""
    add = parser.add_argument
    add("--held-back", type=float, default=0.05, metavar="SHARE", help="the recipe's (0.05)")
    add("--data-dir", metavar="DIR", help="folder of GLUE (default: INHIBI_DATA, hub)")


if __name__ == "__main__":
    main()
