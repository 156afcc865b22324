"""All cases in a C++ program: under the sanitizers, and on emulated processors."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from case import expected
from cases import CASES
from native_build import (
    CROSS_COMPILER,
    FAST,
    NATIVE,
    QEMU,
    RUNNER,
    compile_kernels,
    compiler,
    emulated,
)
from native_build import run as check
from native_cases import all_cases, write_cases

QEMU_X86 = "qemu-x86_64"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return all_cases(tmp_path_factory.mktemp("native") / "cases")


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("native") / "sanitized"
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    compile_kernels(program, compiler(), "-O1", "-g", *sanitize, extra=[RUNNER])
    return program


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("native") / "plain"
    compile_kernels(program, compiler(), *FAST, "-static", extra=[RUNNER])
    return program


@pytest.fixture(scope="module")
def aarch64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("native") / "aarch64"
    compile_kernels(program, CROSS_COMPILER, *FAST, "-static", extra=[RUNNER])
    return program


def run(*command: str | Path) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_sanitizers_find_nothing(cases: Path, sanitized: Path) -> None:
    status, names, errors = run(sanitized, cases)
    assert (status, errors) == (0, "")
    assert names.split()[-1] == "scalar"


@pytest.mark.slow
def test_the_program_sees_one_wrong_byte(sanitized: Path, tmp_path: Path) -> None:
    first, second = CASES[0], CASES[3]
    wrong = expected(second) ^ np.eye(*expected(second).shape, dtype=np.uint8)
    write_cases(tmp_path / "cases", [(first, expected(first)), (second, wrong)])
    status, _, errors = run(sanitized, tmp_path / "cases")
    assert status == 1
    assert f"differs: {second}\n" in errors
    assert run(sanitized, tmp_path / "none")[0] == 2


@pytest.mark.slow
def test_sanitizers_find_nothing_in_the_operators(tmp_path: Path) -> None:
    """The whole library, in Python: right inputs and all that is refused."""
    sanitize = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    files = sorted(map(str, NATIVE.glob("*.cpp")))
    build = ("-std=c++17", "-O1", "-g", "-fPIC", "-shared", *sanitize, *files)
    check(compiler(), *build, "-o", str(tmp_path / "libinhibi.so"))
    # The C++ library as well, whose throw the sanitizer wraps when it starts.
    names = ("libasan.so", "libstdc++.so.6")
    preload = [run(compiler(), f"-print-file-name={name}")[1].strip() for name in names]
    script = (
        "import sys, pytest, inhibi.engine; inhibi.engine.__path__.insert(0, sys.argv[1]);"
        "sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', sys.argv[2]]))"
    )
    tests = Path(__file__).with_name("test_native_operators.py")
    environment = os.environ | {"LD_PRELOAD": " ".join(preload), "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path, tests],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("clang++") is None, reason="no clang++")
def test_clang(cases: Path, tmp_path: Path) -> None:
    options = ("-Wno-unknown-warning-option", *FAST)  # those for GCC
    compile_kernels(tmp_path / "clang", "clang++", *options, extra=[RUNNER])
    assert run(tmp_path / "clang", cases)[0] == 0


@emulated
@pytest.mark.parametrize(
    ("cpu", "names"),
    [("max", ["dotprod", "neon", "scalar"]), ("cortex-a53", ["neon", "scalar"])],
)
def test_aarch64(cases: Path, aarch64: Path, cpu: str, names: list[str]) -> None:
    status, output, errors = run(QEMU, "-cpu", cpu, aarch64, cases)
    assert (status, errors) == (0, "")
    assert output.split() == names


@pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates x86-64 on x86-64 only")
@pytest.mark.skipif(shutil.which(QEMU_X86) is None, reason="run .ci/install-emulators")
@pytest.mark.parametrize(
    ("cpu", "names"), [("Haswell", ["avx2", "scalar"]), ("core2duo", ["scalar"])]
)
def test_older_x86(cases: Path, plain: Path, cpu: str, names: list[str]) -> None:
    """Nothing outside of the chosen kernels uses newer instructions."""
    status, output, errors = run(QEMU_X86, "-cpu", cpu, plain, cases)
    assert status == 0, errors  # where qemu also lists what it cannot emulate
    assert output.split() == names
