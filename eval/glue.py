"""`glue-eval`: the official metrics of a student or a float checkpoint on GLUE and IMDB."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inhibi.engine.cli import Parser, positive, threads
from inhibi.engine.errors import InputError, MissingExtra, command, say

if TYPE_CHECKING:
    from inhibi.engine.checkpoint import Checkpoint
    from inhibi.engine.model import Model
    from inhibi.eval.examples import Examples
    from inhibi.kd.data import Task

EXAMPLES = """\
examples:
  glue-eval --task sst2
  glue-eval --task mrpc --model mrpc.onnx --engine numpy --limit 100
  glue-eval --task sst2 --model runs/sst2/teacher --json     a float checkpoint, needs [train]

tasks: cola mnli mrpc qnli qqp rte sst2 stsb wnli imdb. Data come from the Hugging Face hub, or
from --data-dir DIR (or INHIBI_DATA): DIR/glue/TASK/SPLIT.parquet, DIR/imdb/SPLIT.parquet.
Without --split: validation; both of MNLI's; IMDB's test without the texts of its training split.
--json prints an object for each split; metrics are fractions from -1 to 1. The expected calibration
error is how far a classifier's probabilities are from the share of right answers (0: not at all).
"""


@command
def main(argv: list[str] | None = None) -> None:
    """Run `glue-eval`."""
    options = _options(argv)
    from inhibi.eval.score import score
    from inhibi.kd.data import find_task
    from inhibi.kd.files import sha256

    task = find_task(options.task)
    data = _data(task, options)
    path, model, engine = _open(options)
    if options.verbose:
        say(f"{path} on {model.runs_on}")
    results = []
    for split, rows in data.items():
        found = score(task, rows, model, options.max_length, options.batch)
        for note in found["notes"]:
            say(f"note: {note}")
        named = {"task": task.name, "split": split, "engine": engine, "model": str(path)}
        results.append(named | {"model_sha256": sha256(path)} | found)
    if options.json:
        print("\n".join(map(json.dumps, results)))
    else:
        print(_table(results))


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser("glue-eval", "Score a student or a float checkpoint on GLUE or IMDB.", EXAMPLES)
    add = parser.add_argument
    add("--task", required=True, metavar="TASK", help="see below")
    add("--model", metavar="MODEL", help="a student file, a name (default: sst2) or a folder")
    add("--engine", choices=("ort", "numpy"), help="for a student file (default: ort)")
    add("--split", metavar="NAME", help="see below")
    add("--data-dir", metavar="DIR", help="folder of parquet files (default: $INHIBI_DATA)")
    add("--limit", type=positive, metavar="N", help="only the first N examples")
    add("--max-length", type=positive, metavar="N", help="tokens to read of each example")
    add("--batch", type=positive, default=32, metavar="N", help="examples at once (default: 32)")
    add("--threads", type=threads, default=0, metavar="N", help="of ort, not numpy (default: all)")
    add("--json", action="store_true", help="JSON instead of a table")
    add("--verbose", action="store_true", help="say on standard error what runs the model")
    return parser.parse_args(argv)


def _data(task: "Task", options: argparse.Namespace) -> "dict[str, Examples]":
    """The examples by split. Of several default splits those that are at hand."""
    from inhibi.eval.examples import examples

    splits = (options.split,) if options.split else task.validation
    found: dict[str, Examples] = {}
    problems = []
    for split in splits:
        try:
            found[split] = examples(task, split, options.data_dir, options.limit)
        except MissingExtra:
            raise
        except InputError as error:
            problems.append(str(error))
    if not found:
        raise InputError(problems[0])
    for problem in problems:
        say(f"note: {problem}")
    return found


def _open(options: argparse.Namespace) -> "tuple[Path, Model | Checkpoint, str]":
    """The model's path, the model, and what runs it."""
    from inhibi.engine.catalog import find
    from inhibi.engine.model import load, packaged

    path = find(options.model) if options.model else packaged()
    if not path.is_dir():
        engine = options.engine or "ort"
        return path, load(path, engine, options.threads), engine
    if options.engine:
        raise InputError(f"--engine is for student files: the checkpoint {path} runs on torch")
    from inhibi.engine.checkpoint import Checkpoint

    return path, Checkpoint(path), "torch"


def _table(results: Sequence[dict[str, Any]]) -> str:
    from inhibi.engine.table import render

    names = list(results[0]["metrics"])
    known = results[0]["expected_calibration_error"] is not None
    calibration = ["calibration_error"] if known else []
    rows = [
        [r["task"], r["split"], r["engine"], f"{r['examples']:,}", f"{r['seconds']:.1f}"]
        + [f"{r['metrics'][name]:.4f}" for name in names]
        + [f"{r['expected_calibration_error']:.4f}" for _ in calibration]
        for r in results
    ]
    header = ("task", "split", "engine", "examples", "seconds", *names, *calibration)
    return f"{results[0]['model']}\n\n" + render(header, rows, left=3)
