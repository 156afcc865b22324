"""Builds the kernels of engine/native, without onnxruntime's operators, as a test wants them."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[1] / "engine" / "native"
RUNNER = Path(__file__).parent / "native" / "run_cases.cpp"
OPERATORS = ("operator", "register")  # what the sources for onnxruntime begin with
# GCC warns about its own AVX-512 header (bug 105593).
GCC = ("-Wno-uninitialized", "-Wno-maybe-uninitialized")
FLAGS = ("-std=c++17", "-Wall", "-Wextra", "-Werror", *GCC)
FAST = ("-O3", "-fno-trapping-math")  # as CMake builds them

CROSS_COMPILER, QEMU = "aarch64-linux-gnu-g++", "qemu-aarch64"
emulated = pytest.mark.skipif(
    not (shutil.which(CROSS_COMPILER) and shutil.which(QEMU)),
    reason=f"no {CROSS_COMPILER} or no {QEMU}: run .ci/install-emulators",
)


def sources(folder: Path = NATIVE) -> list[Path]:
    return sorted(p for p in folder.glob("*.cpp") if not p.name.startswith(OPERATORS))


def compile_kernels(
    output: Path, compiler: str, *options: str, extra: Sequence[Path] = (), folder: Path = NATIVE
) -> list[Path]:
    """Compiles each source on its own, `extra` sources on top, and links them. Returns the objects,
    whose names are their sources'."""
    parts = output.with_name(f"{output.name}-objects")
    parts.mkdir()
    for source in (*sources(folder), *extra):
        compile_source(source, parts, compiler, *options, folder=folder)
    objects = sorted(parts.iterdir())
    run(compiler, *options, *map(str, objects), "-o", str(output))
    return objects


def compile_source(
    source: Path, into: Path, compiler: str, *options: str, folder: Path = NATIVE
) -> Path:
    output = into / f"{source.stem}.o"
    run(compiler, *FLAGS, *options, f"-I{folder}", "-c", str(source), "-o", str(output))
    return output


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def compiler() -> str:
    """Skips the test where there is none."""
    found = shutil.which("g++") or shutil.which("c++")
    if not found:
        pytest.skip("no C++ compiler")
    return found
