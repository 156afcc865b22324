"""`export-c`: write an integer student as C99 for microcontrollers."""

from pathlib import Path

from inhibi.engine.cli import Parser, positive
from inhibi.engine.errors import command

EXAMPLES = """\
example:
  export-c student.onnx -o student_c
  make -C student_c
  echo "a moving, funny film" | student_c/student
"""


@command
def main(argv: list[str] | None = None) -> None:
    """Entry point; `argv` defaults to the command line's arguments."""
    parser = Parser(
        "export-c",
        "Write a student's file as a C99 project: constants, kernels, tokenizer. No heap, no "
        "floating point, no library; the same bits as from the file.",
        EXAMPLES,
    )
    parser.add_argument(
        "model", metavar="FILE", help="an integer student by export-onnx, or a model's name"
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="the folder to make")
    parser.add_argument(
        "--max-tokens",
        type=positive,
        metavar="N",
        help="of a text; fewer need less memory (default: as many as the file takes)",
    )
    chosen = parser.parse_args(argv)
    from inhibi.engine.catalog import find
    from inhibi.export.c.project import project, write

    texts = project(find(chosen.model), chosen.max_tokens)
    write(texts, Path(chosen.output))
    print(f"{chosen.output}: {len(texts)} files; make -C {chosen.output} builds a program")
