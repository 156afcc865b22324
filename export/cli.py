"""`export-onnx`: write a trained student as one ONNX file of integers."""

import json
from pathlib import Path

from inhibi.engine.cli import Parser
from inhibi.engine.errors import InputError, MissingExtra, command

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
    chosen = parser.parse_args(argv)
    export(Path(chosen.run), Path(chosen.output))


def export(run: Path, output: Path) -> None:
    """Write the integer file of a finished run, whole or not at all. Raises `InputError`."""
    try:
        from inhibi.export.student import integer_student
        from inhibi.kd.predict import load_tokenizer
        from inhibi.qat.student import load
    except ImportError as error:
        raise MissingExtra("train", error.name or "torch") from error
    from inhibi.export.graph import build, write

    folder = run / "qat"
    if not (folder / "metrics.json").is_file():
        raise InputError(f"{run} holds no finished student: run qat-train --out {run} --resume")
    if not output.parent.is_dir():
        raise InputError(f"no folder {output.parent} to write {output.name} to")
    described = json.loads((run / "run.json").read_text())
    student = integer_student(load(folder), load_tokenizer(folder), described["task"], described)
    write(build(student), output)
    megabytes = output.stat().st_size / 1e6
    print(f"{output}: {megabytes:.1f} MB, {student.nudged_pairs} weight pairs held to the limit")
