"""Energy on a task's real lengths, beside accuracy: of this file and of runs that have results."""

import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from inhibi.engine.errors import InputError, Note
from inhibi.engine.model import Model as Student
from inhibi.eval.energy.counts import count
from inhibi.eval.energy.energy import Model
from inhibi.eval.energy.figures import Technology
from inhibi.eval.energy.graph import Graph
from inhibi.eval.energy.memory import Memory
from inhibi.eval.energy.variants import (
    FP32_DOT_PRODUCT,
    FP32_INHIBITOR,
    INTEGER_DOT_PRODUCT,
    INTEGER_INHIBITOR,
    VARIANTS,
)
from inhibi.eval.examples import Examples
from inhibi.eval.labels import label_ids
from inhibi.kd.data import Task

# The models of a run's result, and whether they are in floats.
FLOATS = {"teacher": True, "float": True, "ptq": False, "integer": False}
BY_ATTENTION = {
    ("inhibitor", True): FP32_INHIBITOR,
    ("inhibitor", False): INTEGER_INHIBITOR,
    ("dot_product", True): FP32_DOT_PRODUCT,
    ("dot_product", False): INTEGER_DOT_PRODUCT,
}
SHAPE = ("layers", "hidden", "heads", "intermediate")


@dataclass(frozen=True)
class Accuracy:
    """A model's share of right answers, mean of its seeds; `variant` is its name in VARIANTS."""

    name: str
    variant: str
    accuracy: float
    seeds: int


def on_task(
    graph: Graph,
    student: Student,
    task: Task,
    rows: Examples,
    technologies: Mapping[str, Technology],
    memory: Memory,
    results: Path | None,
) -> dict[str, Any]:
    """Mean energy in pJ of one inference of one example, and of one correct answer.

    Raises `InputError` where the task has no right answers or `results` is damaged.
    """
    if rows.labels is None:
        raise InputError(f"{task.name} has scores, no right and wrong answers: name another task")
    lengths = [sentence.tokens for sentence in student.encode(rows.texts)]
    sentence = {
        name: mean_energies(graph, lengths, technology, memory)
        for name, technology in technologies.items()
    }
    own = BY_ATTENTION[student.metadata.attention, False]
    models = [Accuracy("this file", own.name, _accuracy(student, rows), 1)]
    models += read_results(results, task, graph) if results else []
    return {
        "task": task.name,
        "examples": len(lengths),
        "tokens": {
            "least": min(lengths),
            "median": median(lengths),
            "mean": fmean(lengths),
            "most": max(lengths),
        },
        "per_sentence": sentence,
        "models": [_beside(model, sentence) for model in models],
    }


def mean_energies(
    graph: Graph, lengths: Sequence[int], technology: Technology, memory: Memory
) -> dict[str, float]:
    """By variant: the whole model, each sentence by itself."""
    often = Counter(lengths)
    return {
        variant.name: sum(
            times * Model.of(count(graph, variant, [n]), memory).energy(technology).total
            for n, times in often.items()
        )
        / len(lengths)
        for variant in VARIANTS
    }


def _accuracy(student: Student, rows: Examples) -> float:
    ids, _ = label_ids(student.labels, rows.labels or ())
    answers = [ids[str(a.label)] for a in student.classify(rows.texts)]
    return fmean(a == b for a, b in zip(answers, rows.references, strict=True))


def _beside(model: Accuracy, sentence: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    energies = {name: variants[model.variant] for name, variants in sentence.items()}
    return {
        **{name: getattr(model, name) for name in ("name", "variant", "accuracy", "seeds")},
        "per_sentence": energies,
        "per_correct_answer": {
            name: energy / model.accuracy if model.accuracy else None
            for name, energy in energies.items()
        },
    }


def read_results(folder: Path, task: Task, graph: Graph) -> list[Accuracy]:
    """The models of FOLDER/TASK/*.json (benchmarks.run_result) that have the graph's shape; a note
    says how many have not.

    Raises `InputError` where there is no file, or one is no result.
    """
    files = sorted((folder / task.name).glob("*.json"))
    if not files:
        raise InputError(
            f"no results in {folder / task.name}: write some with benchmarks.run_result"
        )
    found: dict[tuple[str, str], dict[int, float]] = {}
    others = 0
    for file in files:
        try:
            run = json.loads(file.read_text("utf-8"))
            for name, model in run["models"].items():
                variant = variant_of(run, name, graph)
                others += name in FLOATS and variant is None
                if variant:
                    # One teacher is shared by the runs of a seed: it stands for them all.
                    label = name if name == "teacher" else f"{run['recipe']}, {name}"
                    accuracy = _right(run, model, task.validation[0])
                    found.setdefault((label, variant), {})[int(run["seed"])] = accuracy
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{file} is no result of benchmarks.run_result ({error!r})") from error
    if others:
        warnings.warn(
            Note(f"{others} models of the results have another shape and are left out"),
            stacklevel=2,
        )
    return [
        Accuracy(name, variant, fmean(by_seed.values()), len(by_seed))
        for (name, variant), by_seed in found.items()
    ]


def variant_of(run: Mapping[str, Any], name: str, graph: Graph) -> str | None:
    """What a run's model is counted as; None for one of another shape, or none of FLOATS."""
    shape = run["teacher_architecture" if name == "teacher" else "architecture"]
    if name not in FLOATS or shape is None:
        return None
    if any(shape[part] != getattr(graph.metadata, part) for part in SHAPE):
        return None
    return BY_ATTENTION[shape["attention"], FLOATS[name]].name


def _right(run: Mapping[str, Any], model: Mapping[str, Any], split: str) -> float:
    """The share of right answers."""
    answers, right = model["sets"][split]["predictions"].split(), run["references"][split].split()
    return fmean(float(a) == float(b) for a, b in zip(answers, right, strict=True))
