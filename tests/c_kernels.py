"""The kernels of export/c, compiled with a program that runs a file of cases: c/run_cases.c."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from case import FULL, Case, expected
from cases import CASES
from native_cases import write_cases

from benchmarks.mcu.attention import MODEL_ID, SOURCES
from benchmarks.mcu.targets import Program, Target, build

ROOT = Path(__file__).parents[1]
KERNELS = ROOT / "export" / "c" / "kernels"
RUNNER = ROOT / "tests" / "c" / "run_cases.c"


def skip_without(target: Target) -> None:
    """Skips the test where the target's compiler or emulator is not installed."""
    if target.missing:
        pytest.skip(f"no {target.missing[0]}: run .ci/install-emulators")


def compile_cases(target: Target, folder: Path, kernels: Path = KERNELS) -> Program:
    """Into `folder`, from the kernels there."""
    (folder / "model_id.h").write_text(MODEL_ID)
    sources = [RUNNER, *(kernels / f"{name}.c" for name in SOURCES)]
    loose = target.but(target.name, f"-I{kernels}")
    return build(loose, sources, folder / "run_cases", folder)


def cases_file(folder: Path) -> Path:
    """cases.bin: all cases of the full range, and products."""
    path = folder / "cases.bin"
    full = [case for case in CASES if {"lo", "hi"} <= case.attributes.keys() and _full(case)]
    write_cases(path, [*((case, expected(case)) for case in full), *_products()])
    return path


def _full(case: Case) -> bool:
    return all(case.attributes[name] == value for name, value in FULL.items())


def _products() -> Iterator[tuple[Case, np.ndarray]]:
    """x uint8 [N, K] by weight int8 [M, K] and bias, to accumulators as bytes."""
    rng = np.random.default_rng(3)
    for rows in (1, 2, 3):
        for inputs in (1, 3, 4, 8, 15, 16, 20, 33, 128):
            for outputs in (1, 2, 5):
                x = rng.integers(0, 256, (rows, inputs)).astype(np.uint8)
                weight = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
                bias = rng.integers(-(2**20), 2**20, outputs).astype(np.int32)
                acc = (x.astype(np.int32) - 128) @ weight.T.astype(np.int32) + bias
                name = f"{rows}x{inputs}x{outputs}"
                case = Case("MatMulInteger", name, (x, weight, bias), FULL)
                yield case, acc.astype("<i4").view(np.uint8)
