"""A student's C project on a target: its logits, and what it takes there."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.mcu.targets import BOARD, Program, Target, build
from inhibi.export.c.project import project, write

TICK = 40  # instructions, of the boards' timer at 25 MHz


@dataclass(frozen=True)
class Used:
    """stack: bytes at most. instructions: by operator, all sentences together."""

    stack: int
    instructions: dict[str, int]


def make(student: Path, folder: Path, max_tokens: int | None = None) -> Path:
    """The student's project in C, in a new folder."""
    write(project(student, max_tokens), folder)
    return folder


def build_student(
    target: Target, source: Path, program: Path, traced: bool = False, optimize: str = "-O2"
) -> Program:
    """The program that runs sentences: board/sentences.c. traced: it counts instructions."""
    sources = [file for file in sorted(source.glob("*.c")) if file.name != "main.c"]
    defines = {"MODEL_TRACE": "1", "TICK": str(TICK)} if traced else {}
    if traced:
        target = target.but(target.name, "-Wl,--wrap=product")
    return build(target, [*sources, BOARD / "sentences.c"], program, source, optimize, defines)


def run_sentences(
    program: Program, folder: Path, sentences: Sequence[Sequence[int]], outputs: int
) -> tuple[np.ndarray, Used]:
    """Logits int32 [B, outputs] of these ids, and what they took. `folder` takes the files."""
    words = [len(sentences), *(word for ids in sentences for word in (len(ids), *ids))]
    (folder / "ids.bin").write_bytes(np.array(words, np.uint32).tobytes())
    program.run(folder, instructions=program.target.script is not None)
    logits = np.fromfile(folder / "logits.bin", np.int32).reshape(len(sentences), outputs)
    return logits, _used((folder / "used.txt").read_text())


def flash_and_ram(target: Target, source: Path, folder: Path) -> dict[str, int]:
    """Bytes of the project's objects on a target: constants and code, and static memory."""
    folder.mkdir(exist_ok=True)
    sizes = {"flash": 0, "tokenizer": 0, "ram": 0}
    for file in sorted(source.glob("*.c")):
        if file.name == "main.c":
            continue
        made = folder / f"{file.stem}.o"
        options = [*target.options, "-std=c99", "-O2", "-ffunction-sections", f"-I{source}"]
        subprocess.run([target.compiler, *options, "-c", str(file), "-o", str(made)], check=True)
        text, data, bss = _size(target, made)
        sizes["flash"] += text + data
        sizes["ram"] += data + bss
        if file.stem in ("tokenizer", "characters", "vocabulary"):
            sizes["tokenizer"] += text + data
    return sizes


def _size(target: Target, made: Path) -> tuple[int, int, int]:
    """text, data and bss."""
    tool = target.compiler.replace("gcc", "size")
    listed = subprocess.run([tool, str(made)], check=True, capture_output=True, text=True).stdout
    text, data, bss = map(int, listed.splitlines()[1].split()[:3])
    return text, data, bss


def _used(text: str) -> Used:
    lines = [line.split() for line in text.splitlines()]
    instructions = {words[1]: int(words[2]) for words in lines if words[0] == "instructions"}
    return Used(next(int(words[1]) for words in lines if words[0] == "stack"), instructions)
