"""Train and score a grid of recipes and seeds on a task; what is done is not done again.

    python -m benchmarks.experiments --task sst2 --recipes e0 e1 e2 best --seeds 0 1 2 \\
        --teacher sentence-transformers/all-MiniLM-L6-v2 --text wiki.parquet --runs runs

For each seed E0 comes first: the others learn from the teacher that it fine-tunes, task-agnostic
recipes from the checkpoint as it is, and once: the first seed's student is fine-tuned by all, or
the one that --distilled names (their spread is that of fine-tuning). Recipes without alignment
start from that one, too, and from what their teacher has learned since the checkpoint.
Each run is trained in RUNS/TASK/RECIPE-SEED and scored into RESULTS/TASK/RECIPE-SEED.json, RESULTS
being RUNS/results unless named.
Interrupted, the same command continues.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy import COMPARATOR
from benchmarks.run_result import read_stages
from inhibi.engine.errors import InputError, command
from inhibi.kd.data import find_task
from inhibi.kd.recipe import Recipe, read_recipe
from inhibi.qat.record import ENTRIES, check_same, describe
from inhibi.qat.train import chosen_recipe
from inhibi.qat.train import options as training_options


@dataclass(frozen=True)
class Step:
    """One command of the grid, and the file that it writes last."""

    name: str
    arguments: tuple[str, ...]
    written: Path
    run: Path


class Training(Step):
    """A run of qat-train. `written` is its last stage's."""

    @property
    def done(self) -> bool:
        """Whether it was, with these arguments. Raises `InputError`."""
        if not self.written.is_file():
            return False
        check_same(self.run, _described(self.arguments))
        return True

    def command(self) -> list[str]:
        """Resumes where the run has begun."""
        begun = (self.run / "run.json").is_file()
        return [sys.executable, "-m", TRAIN, *self.arguments, *["--resume"] * begun]


def _described(arguments: Sequence[str]) -> dict[str, Any]:
    """What qat-train notes of a run; nothing of checkpoints that are on the hub or gone."""
    chosen = training_options(list(arguments))
    unknown: set[str] = set()
    for role, names in ENTRIES.items():
        path = getattr(chosen, role)
        if path and not Path(path).is_dir():
            setattr(chosen, role, None)
            unknown.update(names)
    made = describe(chosen, find_task(chosen.task), chosen_recipe(chosen))
    return {name: value for name, value in made.items() if name not in unknown}


@dataclass(frozen=True)
class Scoring(Step):
    """A run's JSON, of texts cut at max_length tokens (None: as the file says)."""

    recipe_sha256: str
    max_length: int | None

    @property
    def done(self) -> bool:
        """Whether it was, at this length, for this very run, whose stages have their seconds.
        Raises `InputError` where another recipe of this name made the JSON."""
        if not self.written.is_file():
            return False
        found = json.loads(self.written.read_text("utf-8"))
        if found.get("recipe_sha256") != self.recipe_sha256:
            raise InputError(
                f"{self.written} was made by another recipe of this name: move it away, or name "
                "other --results"
            )
        same = found.get("max_length") == self.max_length
        return same and found.get("stages") == read_stages(self.run)

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.run_result", *self.arguments]


TRAIN = "inhibi.qat.train"


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.experiments`."""
    chosen = options(argv)
    grid = list(steps(chosen))
    for step in grid:
        print(f"{step.name}: {'done' if step.done else 'to do'}", flush=True)
    if chosen.plan:
        return
    for step in grid:
        if step.done:
            continue
        print(f"{step.name} ...", flush=True)
        started = time.monotonic()
        carry_out(step.name, step.command())
        print(f"{step.name}: {(time.monotonic() - started) / 60:.1f} minutes", flush=True)


def carry_out(name: str, command: Sequence[str]) -> None:
    """Run it. Raises `InputError` where it fails."""
    if subprocess.run(command).returncode:
        raise InputError(f"{name} failed: mend what it said above and repeat the command")


def steps(chosen: argparse.Namespace) -> Iterator[Training | Scoring]:
    """In the order in which they run: by seed, E0 first, then those that distill a student which
    others start from. Raises `InputError`."""
    find_task(chosen.task)
    if len(set(map(_stem, chosen.recipes))) < len(chosen.recipes):
        raise InputError("two of the recipes have one name: their runs would share a folder")
    agnostic = {name for name in chosen.recipes if read_recipe(name).task_agnostic}
    recipes = sorted(
        chosen.recipes, key=lambda name: (_stem(name) != COMPARATOR, name not in agnostic)
    )
    for seed in chosen.seeds:
        for recipe in recipes:
            yield from _run(chosen, recipe, seed)


def _run(chosen: argparse.Namespace, name: str, seed: int) -> Iterator[Training | Scoring]:
    recipe, label = read_recipe(name), f"{_stem(name)}-{seed}"
    run = _folder(chosen, name, seed)
    data = ["--data-dir", chosen.data_dir] if chosen.data_dir else []
    train = ["--task", chosen.task, "--recipe", name, "--seed", str(seed), "--out", str(run)]
    train += [*_teacher(chosen, name, recipe, seed), *_texts(recipe, chosen.text), *data]
    result = (chosen.results or chosen.runs / "results") / chosen.task / f"{label}.json"
    length = ["--max-length", str(chosen.max_length)] if chosen.max_length else []
    score = [str(run), "-o", str(result), *length, *data]
    label = f"{chosen.task} {label}"
    trained = run / "qat" / "metrics.json"
    yield Training(f"{label} train", tuple(train), trained, run)
    yield Scoring(f"{label} score", tuple(score), result, run, recipe.sha256, chosen.max_length)


def _teacher(chosen: argparse.Namespace, name: str, recipe: Recipe, seed: int) -> list[str]:
    """E0 of the same seed has it, but for E0 itself and for what learns from the checkpoint."""
    if _stem(name) == COMPARATOR:
        return ["--teacher", chosen.teacher]
    if recipe.task_agnostic:
        reused = chosen.distilled or seed != chosen.seeds[0]
        student = ["--student", _distilled(chosen, name)] if reused else []
        return ["--teacher", chosen.teacher, *student]
    shared = _folder(chosen, COMPARATOR, seed) / "teacher"
    if COMPARATOR not in map(_stem, chosen.recipes) and not (shared / "metrics.json").is_file():
        raise InputError(f"{name} learns from {shared}, which is not there: add {COMPARATOR}")
    student = []
    if not recipe.align.steps:
        student = ["--student", _distilled(chosen, name), "--student-base", chosen.teacher]
    return ["--teacher", str(shared), "--trained-teacher", *student]


def _distilled(chosen: argparse.Namespace, name: str) -> str:
    """The distilled student that a recipe starts from: the named one, or that of the grid's first
    seed, a task-agnostic recipe's own. Raises `InputError`."""
    if chosen.distilled:
        return str(chosen.distilled)
    agnostic = [recipe for recipe in chosen.recipes if read_recipe(recipe).task_agnostic]
    made = [name] if name in agnostic else agnostic
    if len(made) != 1:
        raise InputError(
            f"{name} starts from a distilled student: name it with --distilled, or add one recipe "
            "that makes it (e1)"
        )
    return str(_folder(chosen, made[0], chosen.seeds[0]) / "distill")


def _folder(chosen: argparse.Namespace, recipe: str, seed: int) -> Path:
    """Where the run of a recipe and seed is kept."""
    folder: Path = chosen.runs / chosen.task / f"{_stem(recipe)}-{seed}"
    return folder


def _stem(recipe: str) -> str:
    return Path(recipe).stem


def _texts(recipe: Recipe, files: Sequence[str]) -> list[str]:
    """Unlabelled texts are named only where the recipe reads some."""
    stages = (recipe.teacher, recipe.align, recipe.distill, recipe.finetune, recipe.qat)
    if not any(stage.texts for stage in stages):
        return []
    return [part for file in files for part in ("--text", file)]


def options(argv: list[str] | None) -> argparse.Namespace:
    """The parsed arguments."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.experiments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--task", required=True, help="a GLUE task or imdb")
    add("--recipes", nargs="+", required=True, metavar="RECIPE", help="names or TOML files")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="default: 0 1 2")
    add("--teacher", required=True, metavar="DIR", help="the checkpoint that all start from")
    add("--distilled", metavar="DIR", help="RUN/distill of a task-agnostic run from --teacher")
    add("--text", action="append", default=[], metavar="FILE", help="as for qat-train; repeatable")
    add("--data-dir", metavar="DIR", help="folder of GLUE (default: INHIBI_DATA, hub)")
    add("--max-length", type=int, metavar="N", help="tokens to read of each example in scoring")
    add("--runs", type=Path, required=True, metavar="DIR", help="where runs are kept")
    add("--results", type=Path, metavar="DIR", help="where scores are kept (RUNS/results)")
    add("--plan", action="store_true", help="only say what is to be done")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
