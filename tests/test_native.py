"""All cases in a C++ program: under the sanitizers, and on emulated aarch64 processors."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from case import Case, expected
from cases import CASES
from kernels import supported
from native_build import FAST, compile_kernels, compiler
from native_cases import write_cases
from test_kernels import attention_cases, computed, longest_sums, row_cases

RUNNER = Path(__file__).parent / "native" / "run_cases.cpp"
AARCH64 = "aarch64-linux-gnu-g++"
QEMU = "qemu-aarch64"

emulated = pytest.mark.skipif(
    not (shutil.which(AARCH64) and shutil.which(QEMU)),
    reason=f"no {AARCH64} or no {QEMU}: run .ci/install-emulators",
)


def more() -> Iterator[Case]:
    """Other widths, beyond one task's queries, and beyond what 16-bit sums of bytes hold."""
    rng = np.random.default_rng(7)
    for width in (2, 13, 24, 47, 100, 300):
        yield from row_cases(2, width)
    for d in (24, 40, 72, 120):
        yield from attention_cases(rng, (19, 3), 2, d)
    yield from attention_cases(rng, (700, 2), 1, 8)
    yield from longest_sums(8)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("native") / "cases"
    answers = [(case, expected(case)) for case in filter(supported, CASES)]
    write_cases(path, [*answers, *((case, computed(case)) for case in more())])
    return path


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (native := compiler()):
        pytest.skip("no C++ compiler")
    program = tmp_path_factory.mktemp("native") / "sanitized"
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    compile_kernels(program, native, "-O1", "-g", *sanitize, extra=[RUNNER])
    return program


@pytest.fixture(scope="module")
def aarch64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("native") / "aarch64"
    compile_kernels(program, AARCH64, *FAST, "-static", extra=[RUNNER])
    return program


def run(*command: str | Path) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


def test_sanitizers_find_nothing(cases: Path, sanitized: Path) -> None:
    status, names, errors = run(sanitized, cases)
    assert (status, errors) == (0, "")
    assert names.split()[-1] == "scalar"


def test_the_program_sees_one_wrong_byte(sanitized: Path, tmp_path: Path) -> None:
    first, second = CASES[0], CASES[3]
    wrong = expected(second) ^ np.eye(*expected(second).shape, dtype=np.uint8)
    write_cases(tmp_path / "cases", [(first, expected(first)), (second, wrong)])
    status, _, errors = run(sanitized, tmp_path / "cases")
    assert status == 1
    assert f"differs: {second}\n" in errors
    assert run(sanitized, tmp_path / "none")[0] == 2


@emulated
@pytest.mark.parametrize(
    ("cpu", "names"),
    [("max", ["dotprod", "neon", "scalar"]), ("cortex-a53", ["neon", "scalar"])],
)
def test_aarch64(cases: Path, aarch64: Path, cpu: str, names: list[str]) -> None:
    status, output, errors = run(QEMU, "-cpu", cpu, aarch64, cases)
    assert (status, errors) == (0, "")
    assert output.split() == names
