"""A finished run of qat-train as one JSON: what it took, and what each of its models answers.

    python -m benchmarks.run_result RUN -o benchmarks/results/sst2/best-0.json

The float teacher and student are scored from their folders, integers from the file that
export-onnx writes, on ONNX Runtime: by the code of glue-eval, on the validation split and, for
SST-2, on sentences of it joined to 64, 128 and 256 tokens. "unquantized" are the integers' weights
with every quantizer off, "ptq" the calibrated integers. Every model's answer to every
example is kept, in the order of the split, so that models can be compared example by example.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from torch import nn

from benchmarks.joined import joined_examples
from benchmarks.machine import versions
from benchmarks.scoring import Scored, agreement, pack, score_logits, score_sets
from benchmarks.unquantized import Unquantized
from inhibi.engine.checkpoint import Checkpoint
from inhibi.engine.errors import InputError, command, say
from inhibi.engine.inspection import inspect
from inhibi.engine.model import load
from inhibi.engine.text import Text
from inhibi.eval.energy.dataset import mean_energies, variant_of
from inhibi.eval.energy.figures import load as technology
from inhibi.eval.energy.graph import read as read_graph
from inhibi.eval.energy.memory import WEIGHTS_FROM_DRAM
from inhibi.eval.examples import Examples, examples
from inhibi.export.cli import export
from inhibi.kd.attention import many_answers
from inhibi.kd.data import Task, find_task
from inhibi.kd.files import sha256, write_json
from inhibi.kd.memory import keep_freed_memory
from inhibi.kd.predict import load_tokenizer, logits
from inhibi.kd.student import FLOAT_STAGES, read_config
from inhibi.qat.record import read
from inhibi.qat.student import load as load_quantized

STAGES = (*FLOAT_STAGES, "qat", "ptq")  # the last float one that a run has is its float student
ARCHITECTURE = ("attention", "layers", "hidden", "heads", "intermediate")
TECHNOLOGY = "45nm"
# Fake quantization is slow: of larger splits, evenly spread, between half as many and these.
FAKE_EXAMPLES = 2000
INTEGERS = {"integer": "qat", "ptq": "ptq"}  # by the model's name the stage that is exported
CHECKPOINTS = {"checkpoint": "teacher", "student": "student", "student_base": "student_base"}


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.run_result`."""
    chosen = _options(argv)
    keep_freed_memory()
    with _folder(chosen.export) as folder:
        made = result(chosen.run, chosen.data_dir, chosen.max_length, folder)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(chosen.output, made)
    print(summary(made))


def result(run: Path, data_dir: str | None, max_length: int | None, folder: Path) -> dict[str, Any]:
    """The content of a run's JSON. The integer files are written to `folder` as STAGE.onnx.

    Metrics are fractions from -1 to 1. Raises `InputError` where the run is not finished.
    """
    described = read(run)
    task = find_task(described["task"])
    stages = read_stages(run)
    student = float_student(run)
    if student is None or "qat" not in stages:
        raise InputError(f"{run} is not finished: run qat-train --out {run} --resume")
    paths = {name: run / name for name in dict.fromkeys(("teacher", student)) if name in stages}
    for stage in INTEGERS.values():
        if stage in stages:
            export(run, folder / f"{stage}.onnx", stage)
            paths[stage] = folder / f"{stage}.onnx"
    integers = load(paths["qat"])
    tokenizer = integers.tokenizer
    sets, first = example_sets(task, data_dir, tokenizer), task.validation[0]
    scored = {name: _score(task, sets, path, max_length) for name, path in paths.items()}
    quantized = load_quantized(run / "qat")

    def same_weights(model: nn.Module, texts: Sequence[Text]) -> np.ndarray:
        with many_answers():
            return logits(model, load_tokenizer(run / "qat"), texts, tokenizer.length(max_length))

    rows = sets[first]
    unquantized = score_logits(task, rows, same_weights(Unquantized(quantized), rows.texts))
    scored["unquantized"] = {first: unquantized}
    some = slice(None, None, math.ceil(len(rows.texts) / FAKE_EXAMPLES))
    fake = same_weights(quantized, rows.texts[some])
    paths["unquantized"] = run / "qat"
    names = {"teacher": "teacher", "float": student, **INTEGERS, "unquantized": "unquantized"}
    made = {
        **{name: described.get(name) for name in ("task", "recipe", "recipe_sha256", "seed")},
        "max_length": max_length,
        **{name: checkpoint(described, role) for name, role in CHECKPOINTS.items()},
        **own_student(run, stages),
        "text": described.get("text"),
        "architecture": {name: getattr(integers.metadata, name) for name in ARCHITECTURE},
        "teacher_architecture": teacher_architecture(run / "teacher"),
        "versions": described.get("versions"),
        "scored_with": versions(),
        "stages": stages,
        "references": {name: pack(rows.references) for name, rows in sets.items()},
        "models": {
            name: _model(paths[which], scored[which], scored[student], first)
            for name, which in names.items()
            if which in paths
        },
        "fake_quantization": agreement(fake, scored["qat"][first].logits[some]),
    }
    lengths = [len(ids.ids) for ids in integers.encode(rows.texts, max_length)]
    estimated = microjoules(made, paths["qat"], lengths)
    for name, model in made["models"].items():
        model["microjoules"] = estimated.get(name)
    where = {"technology": TECHNOLOGY, "memory": WEIGHTS_FROM_DRAM.name}
    return made | {"energy": where | {"tokens": float(np.mean(lengths))}}


def checkpoint(described: Mapping[str, Any], role: str) -> dict[str, str | None]:
    """Name and hash, or revision on the hub, of what a run was started with; None where there was
    none."""
    revision = described.get(f"{role}_revision")
    return {
        **{"name": described.get(role), "sha256": described.get(f"{role}_sha256")},
        **({"revision": revision} if revision else {}),
    }


def own_student(run: Path, stages: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The entry `student` of a task-agnostic run that has distilled what it fine-tunes: as in runs
    that start from the same student. Empty of other runs."""
    if not {"distill", "finetune"} <= stages.keys():
        return {}
    return {"student": {"name": f"{run.name}/distill", "sha256": sha256(run / "distill")}}


def float_student(run: Path) -> str | None:
    """The run's last finished float stage that has a student."""
    return next((name for name in reversed(FLOAT_STAGES) if read_stage(run / name)), None)


def microjoules(made: Mapping[str, Any], file: Path, lengths: Sequence[int]) -> dict[str, float]:
    """Estimated energy of one example, mean over these lengths, by model: energy-report's figures.
    Models of another shape than the file's have none."""
    graph = read_graph(file)
    found = mean_energies(graph, lengths, technology(TECHNOLOGY), WEIGHTS_FROM_DRAM)
    variants = {name: variant_of(made, name, graph) for name in made["models"]}
    return {name: found[variant] / 1e6 for name, variant in variants.items() if variant}


def teacher_architecture(folder: Path) -> dict[str, Any] | None:
    """Attention and shape of the run's own teacher; None where it has none (task-agnostic)."""
    if not folder.is_dir():
        return None
    config = read_config(folder)
    # DistilBERT's own name; transformers has the others under BERT's for both.
    intermediate = getattr(config, "intermediate_size", None) or config.hidden_dim
    return {
        "attention": "dot_product",
        "layers": config.num_hidden_layers,
        "hidden": config.hidden_size,
        "heads": config.num_attention_heads,
        "intermediate": intermediate,
    }


def example_sets(task: Task, data_dir: str | None, tokenizer: Any) -> dict[str, Examples]:
    """The validation splits, then "joined N" by its tokens."""
    sets = {split: examples(task, split, data_dir, None) for split in task.validation}
    longer = joined_examples(task, sets[task.validation[0]], tokenizer)
    return sets | {f"joined {length}": rows for length, rows in longer.items()}


def summary(made: Mapping[str, Any]) -> str:
    """One line a model."""
    return "\n".join(
        f"{name}: "
        + ", ".join(
            f"{which} "
            + " ".join(f"{metric} {value:.4f}" for metric, value in s["metrics"].items())
            for which, s in model["sets"].items()
        )
        for name, model in made["models"].items()
    )


def read_stages(run: Path) -> dict[str, dict[str, Any]]:
    """Those that are finished, by name."""
    return {name: found for name in STAGES if (found := read_stage(run / name))}


def read_stage(folder: Path) -> dict[str, Any] | None:
    """Steps, seconds, device and score of a finished stage. Seconds are None where it did not
    train."""
    file = folder / "metrics.json"
    if not file.is_file():
        return None
    metrics = json.loads(file.read_text("utf-8"))
    last = metrics.get("log", [])[-1:]
    seconds = metrics.get("seconds", last[0].get("train_runtime") if last else None)
    kept = {name: metrics.get(name) for name in ("steps", "split", "score", "device")}
    return kept | {"seconds": seconds}


def _score(
    task: Task, sets: Mapping[str, Examples], path: Path, max_length: int | None
) -> dict[str, Scored]:
    say(f"{path}")
    model = Checkpoint(path) if path.is_dir() else load(path)
    return score_sets(task, sets, model, max_length)


def _model(
    path: Path, scored: Mapping[str, Scored], student: Mapping[str, Scored], first: str
) -> dict[str, Any]:
    """The hash is that of the weights or the file; equal_to_float: share of equal labels."""
    file = path / "model.safetensors" if path.is_dir() else path
    found = scored[first]
    return {
        "sha256": sha256(path),
        "bytes": file.stat().st_size,
        "parameters": parameters(file),
        "engine": "torch" if path.is_dir() else "ort",
        "equal_to_float": found.equal(student[first]),
        "sets": {
            name: {"metrics": one.metrics, "predictions": pack(one.predictions)}
            for name, one in scored.items()
        },
    }


def parameters(file: Path) -> int:
    """Numbers that a safetensors file or a student file holds, tables of functions included."""
    if file.suffix == ".onnx":
        return int(inspect(file)["parameters"])
    return sum(weight.size for weight in load_file(file).values())


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
    else:
        with tempfile.TemporaryDirectory() as made:
            yield Path(made)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.run_result",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the folder of a finished qat-train run")
    add("-o", "--output", type=Path, required=True, metavar="FILE", help="the JSON to write")
    add("--export", type=Path, metavar="DIR", help="keep the integer files: qat.onnx, ptq.onnx")
    add("--data-dir", metavar="DIR", help="folder of GLUE (default: INHIBI_DATA, hub)")
    add("--max-length", type=int, metavar="N", help="tokens to read of each example")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
