"""Energy on a task's real lengths, beside accuracy: of this file and of runs that have results."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from inhibi.engine.errors import InputError
from inhibi.engine.model import Model as Student
from inhibi.eval.energy.counts import count
from inhibi.eval.energy.energy import Model
from inhibi.eval.energy.figures import Technology
from inhibi.eval.energy.graph import Graph
from inhibi.eval.energy.memory import Memory
from inhibi.eval.energy.variants import VARIANTS
from inhibi.eval.examples import Examples
from inhibi.eval.labels import label_ids
from inhibi.kd.data import Task

# The models of a run's result, and whether they are in floats.
FLOATS = {"teacher": True, "float": True, "ptq": False, "integer": False}
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
        name: _mean_energies(graph, lengths, technology, memory)
        for name, technology in technologies.items()
    }
    own = (
        "integer inhibitor" if student.metadata.attention == "inhibitor" else "integer dot product"
    )
    models = [Accuracy("this file", own, _accuracy(student, rows), 1)]
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


def _mean_energies(
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
    """The models of FOLDER/TASK/*.json (benchmarks.run_result) that have the graph's shape.

    Raises `InputError` where there is none, or one is no result.
    """
    found: dict[tuple[str, str], list[float]] = {}
    files = sorted((folder / task.name).glob("*.json"))
    if not files:
        raise InputError(
            f"no results in {folder / task.name}: write some with benchmarks.run_result"
        )
    for file in files:
        try:
            for key, accuracy in _read_result(json.loads(file.read_text("utf-8")), task, graph):
                found.setdefault(key, []).append(accuracy)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{file} is no result of benchmarks.run_result ({error!r})") from error
    return [
        Accuracy(name, variant, fmean(values), len(values))
        for (name, variant), values in found.items()
    ]


def _read_result(
    run: Mapping[str, Any], task: Task, graph: Graph
) -> Iterator[tuple[tuple[str, str], float]]:
    """Name, variant and accuracy of each of a run's models."""
    shape = run["architecture"]
    if any(shape[name] != getattr(graph.metadata, name) for name in SHAPE):
        return
    split = task.validation[0]
    right = run["references"][split].split()
    attention = shape["attention"].replace("_", " ")
    for name, floats in FLOATS.items():
        if name not in run["models"]:
            continue
        answers = run["models"][name]["sets"][split]["predictions"].split()
        accuracy = fmean(float(a) == float(b) for a, b in zip(answers, right, strict=True))
        kind = "dot product" if name == "teacher" else attention
        variant = f"{'fp32' if floats else 'integer'} {kind}"
        # One teacher is shared by the runs of a seed: it stands for them all.
        label = "teacher" if name == "teacher" else f"{run['recipe']}, {name}"
        yield (label, variant), accuracy
