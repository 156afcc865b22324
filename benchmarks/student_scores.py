"""Scores of one run's teacher, float student, fake-quantized student and integers, side by side.

    python -m benchmarks.student_scores RUN student.onnx --data-dir DIR > scores.json

Accuracy on the validation split, how well the integers agree with their own fake quantization, and
accuracy on longer texts: validation sentences of one label joined to about 32, 64 and 128 tokens.
For single-sentence classification tasks.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.joined import join
from benchmarks.scoring import agreement
from inhibi.engine import Model, load
from inhibi.eval.metrics import metrics
from inhibi.kd.data import find_task, load_split
from inhibi.kd.files import sha256
from inhibi.kd.predict import load_tokenizer, logits
from inhibi.kd.student import load as load_float
from inhibi.qat.student import load as load_quantized

LENGTHS = (32, 64, 128)
JOINED = 100

Logits = Callable[[Sequence[str]], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data-dir")
    chosen = parser.parse_args()
    student = load(chosen.model)
    task = find_task(json.loads((chosen.run / "run.json").read_text())["task"])
    rows = load_split(task, task.validation[0], chosen.data_dir)
    texts, labels = list(rows[task.columns[0]]), [int(label) for label in rows["label"]]
    print(
        json.dumps(
            {
                "task": task.name,
                "split": task.validation[0],
                "examples": len(texts),
                "model_sha256": sha256(chosen.model),
                **scores(
                    models(chosen.run, student),
                    task.name,
                    texts,
                    labels,
                    lambda text: len(student.tokenizer.encode(text).ids),
                ),
            },
            indent=1,
        )
    )


def models(run: Path, student: Model) -> dict[str, Logits]:
    """Each model's logits [B, labels] of texts."""
    tokenizer = load_tokenizer(run / "teacher")
    made: dict[str, Logits] = {}
    for name, model in {
        "teacher": load_float(run / "teacher"),
        "float_student": load_float(run / "distill"),
        "fake_quantized": load_quantized(run / "qat"),
    }.items():
        made[name] = lambda texts, model=model: logits(model, tokenizer, texts)  # type: ignore[misc]
    made["integer"] = lambda texts: student.logits(texts) * student.metadata.output_scale
    return made


def scores(
    made: dict[str, Logits],
    task: str,
    texts: list[str],
    labels: list[int],
    tokens: Callable[[str], int],
) -> dict[str, Any]:
    """Metrics of every model, agreement of the last two, accuracy on joined texts.

    tokens: how many tokens a text has.
    """
    answers = {name: model(texts) for name, model in made.items()}
    joined = {length: join(texts, labels, length, tokens, JOINED) for length in LENGTHS}
    return {
        "metrics": {
            name: metrics(task, rows.argmax(1).tolist(), labels) for name, rows in answers.items()
        },
        "agreement": agreement(answers["fake_quantized"], answers["integer"]),
        "joined": {
            str(length): {
                name: float(np.mean(model(longer).argmax(1) == np.array(goal)))
                for name, model in made.items()
                if name != "fake_quantized"
            }
            for length, (longer, goal) in joined.items()
        },
    }


if __name__ == "__main__":
    main()
