"""What students in C need on microcontrollers: flash, RAM, stack, instructions.

    python -m benchmarks.mcu.figures MODEL [-o FILE]

Runs the student, and the same one with integer dot-product attention, on emulated boards, after
comparing its logits with the NumPy engine's by ==. Instructions are counted by the emulator and the
same in every run. Prints JSON; `python -m benchmarks.mcu.page` writes docs/MCU.md from it.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mcu.attention import attention_instructions
from benchmarks.mcu.students import build_student, flash_and_ram, make, run_sentences
from benchmarks.mcu.targets import BOARDS, Target
from benchmarks.peers.ours import Sentence, make_dot_product
from inhibi.engine import files
from inhibi.engine.catalog import find
from inhibi.engine.cli import Parser
from inhibi.engine.errors import InputError, command
from inhibi.engine.metadata import Metadata
from inhibi.engine.session import open_session

TOKENS = (16, 32, 64)
PRODUCTS = "product"  # what board/sentences.c calls the matrix kernels


def measure(student: Path, folder: Path) -> dict[str, Any]:
    """Everything about a student's file. `InputError` where logits differ or a tool is missing."""
    missing = {program for target in BOARDS for program in target.missing}
    if missing:
        raise InputError(f"no {', '.join(sorted(missing))}: run .ci/install-emulators")
    rival = folder / "dot_product.onnx"
    make_dot_product(student, rival)
    metadata = open_session(student, "numpy").metadata
    return {
        "model": student.name,
        "sha256": files.sha256(student),
        "architecture": _shape(metadata),
        "boards": {
            target.name: {
                "inhibitor": _figures(target, student, folder),
                "dot_product": _figures(target, rival, folder),
                "attention": attention_instructions(target, folder),
            }
            for target in BOARDS
        },
    }


def _shape(metadata: Metadata) -> dict[str, int]:
    names = ("layers", "hidden", "heads", "intermediate", "vocabulary", "max_tokens")
    return {name: value for name, value in asdict(metadata).items() if name in names}


def _figures(target: Target, student: Path, folder: Path) -> dict[str, Any]:
    place = Path(tempfile.mkdtemp(dir=folder))
    session = open_session(student, "numpy")
    outputs = len(session.metadata.labels)
    source = make(student, place / "c")
    program = build_student(target, source, place / "program", traced=True)
    instructions: dict[str, Mapping[str, int]] = {}
    stack = 0
    for tokens in TOKENS:
        ids = np.random.default_rng(tokens).integers(0, session.metadata.vocabulary, tokens)
        got, used = run_sentences(program, place, [ids.tolist()], outputs)
        if not np.array_equal(got, session.logits([Sentence(ids.tolist())])):
            raise InputError(f"{student.name} gives other logits on {target.name}")
        instructions[str(tokens)] = used.instructions
        stack = max(stack, used.stack)
    return {
        **flash_and_ram(target, source, place / "objects"),
        "stack": stack,
        "instructions": instructions,
    }


@command
def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = Parser(
        "python -m benchmarks.mcu.figures",
        "What a student in C needs on emulated microcontrollers.",
        "example:\n  python -m benchmarks.mcu.figures -o benchmarks/results/mcu.json\n",
    )
    parser.add_argument("model", nargs="?", type=Path, help="a student's file (default: tiny)")
    parser.add_argument("-o", "--output", type=Path, help="the file to write (default: print)")
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(chosen.model or find("tiny"), Path(folder))
    text = json.dumps(found, indent=1) + "\n"
    if chosen.output:
        files.write(chosen.output, text.encode())
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
