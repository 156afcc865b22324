"""run.json: what a run was started with, so that it continues with the same and can be traced."""

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inhibi.engine.errors import InputError
from inhibi.kd.data import Task, embedding_task, find_task, local_file
from inhibi.kd.files import sha256, write_json
from inhibi.kd.own_data import own_task

if TYPE_CHECKING:
    from inhibi.kd.recipe import Recipe

# By a checkpoint's role what run.json says of it: name, hash of the weights, commit on the hub.
ENTRIES = {
    role: (role, f"{role}_sha256", f"{role}_revision")
    for role in ("teacher", "student", "student_base")
}
SAME = (
    *("task", "data", "examples", "pooling", "recipe_sha256", "seed", "trained_teacher", "text"),
    *(name for names in ENTRIES.values() for name in names),
)
PACKAGES = ("inhibi", "torch", "transformers", "brevitas", "datasets")


def describe(chosen: argparse.Namespace, task: Task, recipe: "Recipe") -> dict[str, Any]:
    """The arguments, with hashes instead of paths, and the versions."""
    return {
        "task": task.name,
        "data": _data(chosen, task) if chosen.train else None,
        "examples": _examples(chosen, task, recipe),
        "pooling": task.pooling,
        **_checkpoint("teacher", chosen.teacher),
        **_checkpoint("student", chosen.student),
        **_checkpoint("student_base", chosen.student_base),
        "recipe": Path(chosen.recipe).stem,
        "recipe_sha256": recipe.sha256,
        "held_back": recipe.held_back,
        "seed": recipe.seed,
        "trained_teacher": chosen.trained_teacher,
        "text": _texts(chosen.text),
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


def _data(chosen: argparse.Namespace, task: Task) -> dict[str, Any]:
    """A table of the user's own: where it came from, and the task that it defines."""
    return {
        "train": _file(chosen.train),
        "validation": chosen.validation and _file(chosen.validation),
        "columns": [
            *(chosen.text_column or "text", chosen.text_pair_column),
            chosen.label_column or "label",
        ],
        "encoding": chosen.encoding or "utf-8",
        "texts": len(task.columns),
        "labels": task.labels and list(task.labels),
    }


def _examples(chosen: argparse.Namespace, task: Task, recipe: "Recipe") -> dict[str, str]:
    """Hashes of the task's own files and of the one that the recipe takes sentences from, by task
    and split: of those that are there and not on the hub. What a run needs it has checked."""
    read = [(task, "train"), (task, task.validation[0])] if chosen.task else []
    read += [(find_task(recipe.texts_from), "train")] if recipe.texts_from else []
    made: dict[str, str] = {}
    for of, split in read:
        with suppress(InputError):
            file = local_file(of, split, chosen.data_dir)
            made |= {f"{of.name} {split}": sha256(file)} if file else {}
    return made


def _texts(files: Sequence[str]) -> dict[str, str]:
    """Hashes by the files' names. Raises `InputError` where two have the same."""
    made = {Path(file).name: sha256(Path(file)) for file in files}
    if len(made) < len(files):
        raise InputError("two of the --text files have one name: give each its own")
    return made


def _file(name: str) -> dict[str, str]:
    """Its name and hash, none for a name on the hub."""
    path = Path(name)
    return {"name": path.name, "sha256": sha256(path)} if path.is_file() else {"name": name}


def task_of(described: dict[str, Any]) -> Task:
    """The task of a run.json; of a user's own table that which it defines. KeyError, `InputError`
    or TypeError where it is damaged."""
    if described.get("data"):
        return own_task(described["data"]["texts"], described["data"]["labels"])
    if described.get("pooling"):
        return embedding_task(described["pooling"])
    return find_task(described["task"])


def _checkpoint(role: str, path: str | None) -> dict[str, str | None]:
    """Its name and its weights' hash, of one on the hub its revision instead; None where there is
    none."""
    name, hashed, revision = path, None, None
    if path is not None and Path(path).is_dir():
        source = Path(path).parent / "run.json"  # of the run that left it, if any
        name = f"{source.parent.name}/{Path(path).name}" if source.is_file() else Path(path).name
        hashed = sha256(Path(path))
    elif path is not None:
        from transformers.utils import cached_file

        revision = Path(cached_file(path, "config.json")).parent.name  # a snapshot's is its commit
    return dict(zip(ENTRIES[role], (name, hashed, revision), strict=True))


def open_run(folder: Path, description: dict[str, Any], resume: bool) -> None:
    """Start the run, or continue it: then what decides its result must be as before."""
    file = folder / "run.json"
    if resume != file.is_file():
        raise InputError(
            f"{folder} holds no run to resume: leave --resume out"
            if resume
            else f"{folder} already holds a run: add --resume, or name another --out"
        )
    if not resume:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(file, description)
        return
    check_same(folder, description)


def check_same(folder: Path, description: dict[str, Any]) -> None:
    """`InputError` where the run was started with something else, or with texts in another order:
    examples are drawn in it. What only one of them says is not compared."""
    before = read(folder)
    for name in SAME:
        if not (name in before and name in description):
            continue
        was, now = before[name], description[name]
        if json.dumps(was) != json.dumps(now):
            raise InputError(
                f"{folder} was started with {name} {was}, not {now}: "
                "continue with the same arguments, or name another folder"
            )


def finished(folder: Path, stage: str) -> dict[str, Any]:
    """run.json of a run whose stage "qat" or "ptq" is finished, with that stage and its score: what
    the exported file says of its provenance. Raises `InputError`."""
    made, scored = read(folder), metrics(folder, stage)
    score = {scored["split"]: scored["score"]} if "score" in scored else None
    return made | {"stage": stage, "score": score}


def metrics(folder: Path, stage: str) -> dict[str, Any]:
    """What the stage "qat" or "ptq" of a run wrote when it was finished. Raises `InputError`."""
    file = folder / stage / "metrics.json"
    missing = "--no-qat " if stage == "ptq" else ""
    if not file.is_file():
        raise InputError(
            f"{folder} holds no finished {stage} stage: "
            f"run qat-train {missing}--out {folder} --resume"
        )
    try:
        made: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is damaged ({error}): delete it and resume the run") from error
    return made


def read(folder: Path) -> dict[str, Any]:
    """The run's run.json. Raises `InputError`."""
    file = folder / "run.json"
    if not file.is_file():
        raise InputError(f"{folder} is no run of qat-train: it has no run.json")
    try:
        made: dict[str, Any] = json.loads(file.read_text("utf-8"))
        if not isinstance(made, dict):
            raise TypeError("it is no object")
        task_of(made)
        return made
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file} is damaged ({error}): restore it or train again") from error
