"""A finished run of `qat-train --head embedding` as one JSON: STS-B by cosines of its embeddings.

    python -m benchmarks.embedding_result RUN --teacher sentence-transformers/all-MiniLM-L6-v2

The teacher, the float student, and the integers (calibrated only, and trained) from their exported
files on ONNX Runtime: correlations with the validation split's scores.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import versions
from benchmarks.run_result import ARCHITECTURE, checkpoint, read_stage
from inhibi.engine.checkpoint import Checkpoint
from inhibi.engine.embeddings import Embeddings
from inhibi.engine.errors import InputError, command
from inhibi.engine.model import Model, load
from inhibi.eval.examples import Examples, examples
from inhibi.eval.metrics import metrics
from inhibi.export.cli import export
from inhibi.kd.data import embedding_task, find_task
from inhibi.kd.files import sha256, write_json
from inhibi.kd.predict import load_tokenizer, logits
from inhibi.kd.pretrained import load_pretrained
from inhibi.qat.record import read

RESULT = Path(__file__).parent / "results" / "embedding.json"
STAGES = ("align", "distill", "ptq", "qat")


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.embedding_result`."""
    chosen = _options(argv)
    made = result(chosen.run, chosen.teacher, chosen.data_dir)
    write_json(chosen.output, made)
    for name, model in made["models"].items():
        print(f"{name}: Spearman {model['metrics']['spearmanr']:.4f}")


def result(run: Path, teacher: str, data_dir: str | None) -> dict[str, Any]:
    """The content of the JSON. Correlations lie in [-1, 1]. Raises `InputError`."""
    described = read(run)
    if not described.get("pooling"):
        raise InputError(f"{run} has a classifier: benchmarks.run_result scores it")
    rows = examples(find_task("stsb"), "validation", data_dir, None)
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.onnx" for name in ("ptq", "qat")}
        for stage, file in files.items():
            export(run, file, stage)
        integers = {stage: load(file) for stage, file in files.items()}
        models = {
            "teacher": _teacher(teacher, described["pooling"], rows),
            "float": _scored(Checkpoint(run / "distill"), run / "distill", rows),
            "ptq": _scored(integers["ptq"], files["ptq"], rows),
            "integer": _scored(integers["qat"], files["qat"], rows),
        }
    metadata = integers["qat"].metadata
    return {
        **{name: described[name] for name in ("pooling", "recipe", "recipe_sha256", "seed")},
        "checkpoint": checkpoint(described, "teacher"),
        "student": checkpoint(described, "student"),
        "text": described["text"],
        "architecture": {name: getattr(metadata, name) for name in ARCHITECTURE},
        "versions": described["versions"],
        "scored_with": versions(),
        "stages": {name: read_stage(run / name) for name in STAGES},
        "examples": len(rows.texts),
        "models": models,
    }


def _scored(model: Model | Checkpoint, path: Path, rows: Examples) -> dict[str, Any]:
    first, second = (model.embed(list(texts)) for texts in zip(*rows.texts, strict=True))
    return _model(first, second, path, rows)


def _teacher(name: str, pooling: str, rows: Examples) -> dict[str, Any]:
    """The checkpoint as it is, without a limit of tokens below its own."""
    model, tokenizer = load_pretrained(name, embedding_task(pooling), False), load_tokenizer(name)
    first, second = (
        Embeddings(logits(model, tokenizer, texts), 1.0, [], [])
        for texts in zip(*rows.texts, strict=True)
    )
    return _model(first, second, Path(name), rows)


def _model(first: Embeddings, second: Embeddings, path: Path, rows: Examples) -> dict[str, Any]:
    cosines = first.cosines(second).tolist()
    file = path / "model.safetensors" if path.is_dir() else path
    known = {"sha256": sha256(path), "bytes": file.stat().st_size} if path.exists() else {}
    return known | {"metrics": metrics("stsb", cosines, rows.references)}


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.embedding_result",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the folder of a finished qat-train run")
    add("--teacher", required=True, metavar="NAME", help="the checkpoint that it learned from")
    add("-o", "--output", type=Path, default=RESULT, metavar="FILE", help="the JSON to write")
    add("--data-dir", metavar="DIR", help="folder of GLUE (default: INHIBI_DATA, hub)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
