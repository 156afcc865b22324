"""`inhibi diagnose`: which operator of a student costs accuracy."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inhibi.engine.cli import Parser, positive
from inhibi.engine.errors import InputError, MissingExtra, command

if TYPE_CHECKING:
    from inhibi.engine.metadata import Metadata
    from inhibi.engine.text import Text
    from inhibi.qat.student import QuantStudent

DESCRIPTION = """\
Run the float student of a qat-train run, its fake-quantized student and the integers of the file
exported from it side by side, and show each operator's error. docs/DIAGNOSIS.md says how to read
the table."""

EXAMPLES = """\
examples:
  inhibi diagnose runs/sst2 student.onnx
  inhibi diagnose --no-qat runs/sst2 calibrated.onnx --limit 200 --json > diagnosis.json
  inhibi diagnose runs/sst2 student.onnx --file reviews.txt
"""


@command
def main(argv: list[str] | None = None) -> None:
    """Entry point; `argv` defaults to the command line's arguments."""
    chosen = _options(argv)
    try:
        from inhibi.export.side_by_side import diagnose
        from inhibi.qat.student import load
    except ImportError as error:
        raise MissingExtra("train", error.name or "torch") from error
    from inhibi.engine.model import load as load_file
    from inhibi.export.diagnosis_text import as_dict, text
    from inhibi.qat.record import finished

    run, stage = Path(chosen.run), "ptq" if chosen.no_qat else "qat"
    described = finished(run, stage)
    _check_head(run, described)
    trained = load(run / stage)
    model = load_file(chosen.model, "numpy")
    _check_origin(chosen, model.metadata, described, trained)
    name, student = _float_student(run, trained)
    texts, labels = _sentences(chosen, described["task"], model.fields)
    sentences = model.encode(texts)
    # Neighbours of similar length need little padding.
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i].ids))
    made = diagnose(trained, student, model.session, [sentences[i] for i in order])
    content: dict[str, Any] = {
        "model": str(chosen.model),
        "float_stage": name,
        "stage": stage,
        "sentences": len(sentences),
        "tokens": sum(sentence.tokens for sentence in sentences),
        **as_dict(made, labels and [labels[i] for i in order]),
    }
    print(json.dumps(content, allow_nan=False) if chosen.json else text(content))


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser("inhibi diagnose", DESCRIPTION, EXAMPLES)
    add = parser.add_argument
    add("run", metavar="RUN", help="the folder of a finished qat-train run")
    add("model", metavar="FILE", help="the file that export-onnx wrote from it")
    add("--no-qat", action="store_true", help="the student as it was calibrated")
    add("--split", default="train", metavar="NAME", help="of the run's task (default: train)")
    add("--limit", type=positive, default=64, metavar="N", help="the first N (default: 64)")
    add("--data-dir", metavar="DIR", help="folder of parquet files (default: $INHIBI_DATA)")
    add("--file", metavar="TEXTS", help="lines of this file instead, a tab between a pair's texts")
    add("--json", action="store_true", help="JSON with all numbers instead of tables")
    return parser.parse_args(argv)


def _check_head(run: Path, described: dict[str, Any]) -> None:
    """`InputError` where there are no logits to trace errors to."""
    if described.get("pooling"):
        raise InputError(f"{run} makes embeddings: diagnose is for classifiers and scores")


def _check_origin(
    chosen: argparse.Namespace,
    metadata: "Metadata",
    described: dict[str, Any],
    trained: "QuantStudent",
) -> None:
    """`InputError` where the file was not exported from this stage as it is now."""
    from inhibi.export.student import output_scale

    instead = f"export it with export-onnx {'--no-qat ' * chosen.no_qat}{chosen.run} -o FILE"
    before = metadata.provenance
    for name in sorted(described.keys() | before.keys()):
        if before.get(name) != described.get(name):
            raise InputError(
                f"{chosen.model} is of another run: its {name} is {before.get(name)}, that of "
                f"{chosen.run} is {described.get(name)}; {instead}"
            )
    if metadata.output_scale != output_scale(trained):
        raise InputError(f"{chosen.model} has other scales than {chosen.run} has now: {instead}")


def _float_student(run: Path, trained: "QuantStudent") -> "tuple[str, QuantStudent]":
    """The name of the stage that the quantized student started from, and its student, given the
    quantized one's scales of channels: it computes the same."""
    from inhibi.kd.student import FLOAT_STAGES, load
    from inhibi.qat.channel_scales import fold, folded
    from inhibi.qat.student import QuantizationSettings, QuantStudent

    for name in reversed(FLOAT_STAGES):
        if not (run / name / "metrics.json").is_file():
            continue
        model = load(run / name)
        alike = ("inhibitor", "num_hidden_layers", "hidden_size")
        if any(getattr(model.config, a, None) != getattr(trained.config, a, None) for a in alike):
            break
        student = QuantStudent(model, QuantizationSettings())
        fold(student, folded(trained))
        return name, student
    raise InputError(
        f"{run} has no float student to compare with: it needs a finished stage "
        "distill, align or finetune (dot-product attention: teacher)"
    )


def _sentences(
    chosen: argparse.Namespace, task_name: str, fields: int | None
) -> "tuple[list[Text], list[float] | None]":
    """Texts and, of a task's split, labels."""
    from inhibi.kd.data import find_task, load_split
    from inhibi.kd.examples import label_ids
    from inhibi.kd.own_data import NAME

    if chosen.file:
        return _lines(chosen.file, chosen.limit, fields), None
    if task_name == NAME:
        raise InputError("this student has a table of its own: name texts with --file")
    task = find_task(task_name)
    rows = load_split(task, chosen.split, chosen.data_dir)
    if not len(rows):
        raise InputError(f"{task.name} {chosen.split} has no examples")
    rows = rows.select(range(min(chosen.limit, len(rows))))
    return task.texts(rows), label_ids(rows, task)


def _lines(file: str, limit: int, fields: int | None) -> "list[Text]":
    from inhibi.engine.lines import read

    found: list[Text] = []
    for lines in read((), file, limit, fields):
        for line in lines[: limit - len(found)]:
            if line.text is None:
                raise InputError(f"{file}: {line.name} {line.problem}")
            found.append(line.text)
        if len(found) == limit:
            break
    return found
