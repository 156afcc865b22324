"""`export-onnx`: write a trained student as one ONNX file of integers."""

from pathlib import Path

from inhibi.engine.cli import Parser
from inhibi.engine.errors import InputError, MissingExtra, command
from inhibi.qat.record import finished, metrics, read, task_of

EXAMPLES = """\
example:
  export-onnx runs/sst2 -o student.onnx
  infer --model student.onnx "a moving, funny film"
"""


@command
def main(argv: list[str] | None = None) -> None:
    """Entry point; `argv` defaults to the command line's arguments."""
    parser = Parser(
        "export-onnx",
        "Write the student of a qat-train run as one ONNX file of integers, tokenizer and labels "
        "inside. Refuses a student whose accumulators could overflow.",
        EXAMPLES,
    )
    parser.add_argument("run", metavar="RUN", help="the folder of a finished qat-train run")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the file to write")
    parser.add_argument(
        "--head",
        choices=("classifier", "embedding"),
        help="refuse a run with another head (the default is the one that it was trained with)",
    )
    parser.add_argument("--no-qat", action="store_true", help="the student as it was calibrated")
    chosen = parser.parse_args(argv)
    check_head(Path(chosen.run), chosen.head)
    export(Path(chosen.run), Path(chosen.output), "ptq" if chosen.no_qat else "qat")


def check_head(run: Path, head: str | None) -> None:
    """`InputError` where the run's student has another head than is asked for."""
    trained = "embedding" if task_of(read(run)).pooling else "classifier"
    if head not in (None, trained):
        raise InputError(
            f"{run} was trained with the head {trained}: train one with qat-train --head {head}"
        )


def export(run: Path, output: Path, stage: str = "qat") -> None:
    """Write the integer file of a run's stage, "qat" or "ptq", whole or not at all.

    Raises `InputError`.
    """
    described = finished(run, stage)
    task = task_of(described)
    if not output.parent.is_dir():
        raise InputError(f"no folder {output.parent} to write {output.name} to")
    try:
        from inhibi.export.student import integer_student
        from inhibi.kd.predict import load_tokenizer
        from inhibi.qat.student import load
    except ImportError as error:
        raise MissingExtra("train", error.name or "torch") from error
    from inhibi.export.graph import build, write

    folder = run / stage
    trained, tokenizer = load(folder), load_tokenizer(folder)
    try:
        temperature = metrics(run, stage).get("temperature")
        student = integer_student(trained, tokenizer, task, described, temperature)
    except ValueError as error:
        raise InputError(
            f"the student in {folder} has no integer form ({error}): if its training diverged, "
            "repeat it with a lower learning rate"
        ) from error
    write(build(student), output)
    megabytes = output.stat().st_size / 1e6
    print(f"{output}: {megabytes:.1f} MB, {student.nudged_pairs} weight pairs held to the limit")
