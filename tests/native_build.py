"""Builds the kernels of engine/native, without onnxruntime's operators, as a test wants them."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

NATIVE = Path(__file__).parents[1] / "engine" / "native"
OPERATORS = ("operator", "register")  # what the sources for onnxruntime begin with
# GCC warns about its own AVX-512 header (bug 105593).
GCC = ("-Wno-uninitialized", "-Wno-maybe-uninitialized")
FLAGS = ("-std=c++17", "-Wall", "-Wextra", "-Werror", *GCC)
FAST = ("-O3", "-fno-trapping-math")  # as CMake builds them


def sources(folder: Path = NATIVE) -> list[Path]:
    return sorted(p for p in folder.glob("*.cpp") if not p.name.startswith(OPERATORS))


def compile_kernels(
    output: Path, compiler: str, *options: str, extra: Sequence[Path] = (), folder: Path = NATIVE
) -> None:
    """Compiles each source on its own and links them; `extra` sources come on top."""
    objects = []
    for source in (*sources(folder), *extra):
        objects.append(output.with_name(f"{output.name}-{source.stem}.o"))
        run(compiler, *FLAGS, *options, f"-I{folder}", "-c", str(source), "-o", str(objects[-1]))
    run(compiler, *options, *map(str, objects), "-o", str(output))


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def compiler() -> str | None:
    return shutil.which("g++") or shutil.which("c++")
