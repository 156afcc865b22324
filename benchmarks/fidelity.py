"""How a run's float student answers beside its teacher, on examples held back from training.

    python -m benchmarks.fidelity RUN [RUN ...]

Held-back examples of SST-2 are mostly phrases, its validation split is whole sentences, on which an
inhibitor lags further behind. So beside all of them stand "whole", those that are no part of
another text, and "joined 64", about 64 tokens of these joined. Where the two models differ on an
example says more than accuracies do, whose errors on so few examples hide what a change gives.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax

from benchmarks.joined import joined_examples
from benchmarks.markdown import table
from benchmarks.run_result import float_student
from benchmarks.scoring import Scored, pack, score_sets
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
    print(shown({run.name: fidelity(run, chosen.data_dir) for run in chosen.runs}))


def fidelity(run: Path, data_dir: str | None) -> dict[str, dict[str, Any]]:
    """By the set's name, of the last float stage of a run.

    `teacher`, `student`: their accuracies, `equal`: the share of equal labels, all from 0 to 1;
    `divergence`: the mean Kullback-Leibler divergence of the student's probabilities from the
    teacher's, in nats; `references`, `predictions`: label ids, the student's. Raises `InputError`
    where the run has no teacher of its own, no student yet or nothing held back, or its task no
    labels.
    """
    described = read(run)
    task, student = find_task(described["task"]), float_student(run)
    if task.labels is None:
        raise InputError(f"{task.name} has scores, not labels: fidelity compares labels")
    if student in (None, "teacher") or not (run / "teacher" / "metrics.json").is_file():
        raise InputError(f"{run} has no teacher and student yet: run qat-train --resume")
    teacher = Checkpoint(run / "teacher")
    if not described.get("held_back"):
        raise InputError(f"{run} held no examples back: train it with held_back in its recipe")
    sets = held_back_sets(task, described["held_back"], data_dir, teacher.tokenizer)
    goals = score_sets(task, sets, teacher, None)
    made = score_sets(task, sets, Checkpoint(run / student), None)
    return {name: _compare(rows, goals[name], made[name]) for name, rows in sets.items()}


def held_back_sets(
    task: Task, share: float, data_dir: str | None, tokenizer: Tokenizer
) -> dict[str, Examples]:
    """All that is held back and, of single texts, whole and joined ones."""
    _, rows = hold_back(load_split(task, "train", data_dir), task, share)
    if not len(rows):
        raise InputError(f"of so few examples of {task.name} none is held back: raise held_back")
    sets = {"all": of_rows(task, rows, [])}
    if len(task.columns) > 1:
        return sets
    sets["whole"] = of_rows(task, rows.select(wholes(rows[task.columns[0]])), [])
    longer = joined_examples(task, sets["whole"], tokenizer, [JOINED])
    return sets | {f"joined {n}": texts for n, texts in longer.items()}


def _compare(rows: Examples, goal: Scored, made: Scored) -> dict[str, Any]:
    references = np.array(rows.references)
    wanted, ours = log_softmax(goal.logits, 1), log_softmax(made.logits, 1)
    return {
        "examples": len(references),
        "teacher": float((np.array(goal.predictions) == references).mean()),
        "student": float((np.array(made.predictions) == references).mean()),
        "equal": made.equal(goal) or 0.0,  # never None: the task has labels
        "divergence": float((np.exp(wanted) * (wanted - ours)).sum(1).mean()),
        "references": pack(rows.references),
        "predictions": pack(made.predictions),
    }


def shown(runs: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """One line a run and set of examples."""
    rows = [
        [
            run,
            name,
            f"{found['examples']:,}",
            *(f"{100 * found[share]:.2f}" for share in ("teacher", "student", "equal")),
            f"{found['divergence']:.4f}",
        ]
        for run, sets in runs.items()
        for name, found in sets.items()
    ]
    shares = ["teacher, %", "student, %", "equal, %"]
    return table(["", "held back", "examples", *shares, "divergence"], rows)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.fidelity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="runs of qat-train")
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder of GLUE (default: INHIBI_DATA, hub)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
