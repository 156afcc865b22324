"""What each part of the method gives: a short recipe and the same with one line changed or added.

    python -m benchmarks.trials --task sst2 --teacher runs/sst2/e0-0/teacher --runs trials

Every trial trains a float student in RUNS/TASK/NAME, without quantization, and leaves its scores on
held-back training examples, and how it answers beside the teacher there, in
RESULTS/TASK/trials/NAME.json. Interrupted, the same command continues; trials that have their
result are left alone.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

from benchmarks.experiments import TRAIN, carry_out
from benchmarks.trial_result import result
from inhibi.engine.errors import InputError, command
from inhibi.kd.files import sha256, write_json

BASE = Path(__file__).with_suffix(".toml")
# By name: a line of the base, and what stands in its place, or the same and one line more.
TRIALS = {
    "base": ("", ""),
    "uncentred": ("centred = true", "centred = false"),
    "unsigned": ("signed = true", "signed = false"),
    "layer": ('scope = "head"', 'scope = "layer"'),
    "sum": ("n0 = 16", "n0 = 0"),
    "unfitted": ("fitted = true", "fitted = false"),
    "unaligned": ("steps = 400", "steps = 0"),
    "undistilled": ("steps = 1400", "steps = 0"),
    "relation": ("relation = 0.0", "relation = 1.0"),
    "joined": ("joined = 0", "joined = 4000"),
    "whole": ("whole = 0", "whole = 4"),
    "scalars": ("learning_rate = 2e-4", "learning_rate = 2e-4\nscalar_rate = 30"),
    "frozen": ("frozen_embeddings = false", "frozen_embeddings = true"),
}


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.trials`."""
    chosen = _options(argv)
    folder = (chosen.results or chosen.runs / "results") / chosen.task / "trials"
    folder.mkdir(parents=True, exist_ok=True)
    for name in chosen.only or TRIALS:
        output = folder / f"{name}.json"
        if done(output, name, chosen.teacher):
            print(f"{name}: done", flush=True)
            continue
        print(f"{name} ...", flush=True)
        run = chosen.runs / chosen.task / name
        data = ["--data-dir", chosen.data_dir] if chosen.data_dir else []
        _train(chosen, name, run, data)
        write_json(output, result(run, described(name), chosen.data_dir))


def done(output: Path, name: str, teacher: str) -> bool:
    """Whether the trial has its result. Raises `InputError` where that is of another recipe or
    another teacher: rows of one table shall differ in the change alone."""
    if not output.is_file():
        return False
    found = json.loads(output.read_text("utf-8"))
    recipe = hashlib.sha256(changed(BASE.read_text("utf-8"), name).encode()).hexdigest()
    made_by = (found.get("recipe_sha256"), found.get("teacher_sha256"))
    if made_by != (recipe, sha256(Path(teacher))):
        raise InputError(
            f"{output} is of another recipe or another teacher: move it away, or name another "
            "--results"
        )
    return True


def changed(base: str, name: str) -> str:
    """The recipe of a trial. Raises `InputError` where the base has not exactly one such line."""
    old, new = TRIALS[name]
    lines = base.splitlines()
    if not old:
        return base
    if lines.count(old) != 1:
        raise InputError(f"{BASE} must have the line {old!r} once: mend it or the trial {name}")
    return "\n".join(new if line == old else line for line in lines) + "\n"


def described(name: str) -> str:
    """The change, for the page."""
    old, new = TRIALS[name]
    if not old:
        return "unchanged"
    above = BASE.read_text("utf-8").splitlines()
    above = above[: above.index(old)]
    table = next(line for line in reversed(above) if line.startswith("["))
    if new.startswith(f"{old}\n"):
        return f"`{table} {new.removeprefix(old).strip()}` added"
    return f"`{table} {new}` instead of `{old.split(' = ')[1]}`"


def _train(chosen: argparse.Namespace, name: str, run: Path, data: list[str]) -> None:
    recipe = chosen.runs / chosen.task / f"{name}.toml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(changed(BASE.read_text("utf-8"), name), "utf-8")
    begun = (run / "run.json").is_file()
    arguments = [
        *("--task", chosen.task, "--recipe", str(recipe), "--out", str(run)),
        *("--teacher", chosen.teacher, "--trained-teacher", "--float", *data),
        *["--resume"] * begun,
    ]
    carry_out(name, [sys.executable, "-m", TRAIN, *arguments])


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.trials",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--task", required=True, help="a GLUE task with labels, e.g. sst2 or cola")
    add("--teacher", required=True, metavar="DIR", help="fine-tuned for the task")
    add("--only", nargs="+", choices=TRIALS, metavar="NAME", help=f"of {', '.join(TRIALS)}")
    add("--data-dir", metavar="DIR", help="folder of GLUE (default: INHIBI_DATA, hub)")
    add("--runs", type=Path, required=True, metavar="DIR", help="where runs are kept")
    add("--results", type=Path, metavar="DIR", help="where scores are kept (RUNS/results)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
