"""Small results as benchmarks.run_result writes them: 8 examples, joined texts of 64 tokens."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scoring import pack
from inhibi.eval.metrics import metrics

FEW = ", 2 of 3 seeds |"  # ends a floor's row: `grid` has two
REFERENCES = (0, 1, 0, 1, 1, 0, 1, 0)
SETS = ("validation", "joined 64")
SHAPE = {"layers": 2, "hidden": 32, "heads": 4, "intermediate": 48}


def flipped(*wrong: int) -> list[int]:
    """The right answers but for these examples."""
    return [1 - label if i in wrong else label for i, label in enumerate(REFERENCES)]


def model(task: str, predictions: Sequence[float], equal: float | None = 1.0) -> dict[str, Any]:
    """The same answers on both sets."""
    found = {"metrics": metrics(task, list(predictions), REFERENCES)}
    return {
        "sha256": "ab" * 32,
        "bytes": 80_000_000,
        "parameters": 20_000_000,
        "microjoules": 1234.5,
        "engine": "ort",
        "equal_to_float": equal,
        "sets": dict.fromkeys(SETS, found | {"predictions": pack(predictions)}),
    }


def run(
    recipe: str, seed: int, models: Mapping[str, Sequence[float]], task: str = "sst2"
) -> dict[str, Any]:
    """A run whose models answer so, by their names."""
    stage = {"steps": 100, "split": "held back", "score": {"accuracy": 0.9}, "seconds": 120.0}
    return {
        "task": task,
        "recipe": recipe,
        "recipe_sha256": "cd" * 32,
        "seed": seed,
        "max_length": None,
        "checkpoint": {"name": "tiny", "sha256": ""},
        "student": {"name": None, "sha256": None if recipe == "e0" else "ef" * 32},
        "architecture": {
            "attention": "dot_product" if recipe == "e0" else "inhibitor",
            **SHAPE,
        },
        "teacher_architecture": {"attention": "dot_product", **SHAPE},
        "stages": {"teacher": stage, "distill": stage, "qat": stage},
        "references": dict.fromkeys(SETS, pack(REFERENCES)),
        "models": {name: model(task, answers) for name, answers in models.items()},
        "fake_quantization": {"median_difference": 0.01, "equal_predictions": 0.998},
    }


def grid(task: str = "sst2") -> list[dict[str, Any]]:
    """E0 and best, two seeds each; best's second seed is wrong twice where its teacher never is."""
    right = flipped()
    wrong = flipped(2, 3)
    return [
        run("e0", 0, {"teacher": flipped(0), "float": flipped(0), "integer": flipped(0)}, task),
        run("e0", 1, {"teacher": right, "float": right, "integer": flipped(3)}, task),
        run(
            "best",
            0,
            dict.fromkeys(("teacher", "float", "unquantized", "integer"), flipped(0)),
            task,
        ),
        run(
            "best",
            1,
            {"teacher": right, "float": right, "unquantized": wrong, "integer": wrong},
            task,
        ),
    ]


def save(folder: Path, runs: Sequence[Mapping[str, Any]]) -> Path:
    """FOLDER/TASK/RECIPE-SEED.json."""
    for made in runs:
        file = folder / made["task"] / f"{made['recipe']}-{made['seed']}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(made))
    return folder
