"""The cases notice every mistake that tests/native_mutations.py makes in the native kernels."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from case import expected
from cases import CASES
from native_build import (
    CROSS_COMPILER,
    NATIVE,
    QEMU,
    RUNNER,
    compile_kernels,
    compile_source,
    compiler,
    emulated,
    run,
)
from native_cases import all_cases, write_cases
from native_mutations import AARCH64, X86, Mutation

pytestmark = pytest.mark.slow


class Build:
    """A program of all cases, with objects that mutants take the place of."""

    def __init__(self, folder: Path, compiler: str, options: list[str], run: list[str]) -> None:
        self._folder, self._compiler, self._options, self._run = folder, compiler, options, run
        program = folder / "right"
        self._objects = compile_kernels(program, compiler, *options, extra=[RUNNER])
        write_cases(folder / "one", [(CASES[0], expected(CASES[0]))])
        self._isas = self._start(program, folder / "one").stdout.split()

    def check(self, mutation: Mutation, cases: Path) -> None:
        """Fails unless the mutant is found wrong, and where it should be."""
        if not any(isa.startswith(mutation.isa) for isa in self._isas):
            pytest.skip(f"this machine has no {mutation.isa}")
        done = self._start(self._mutant(mutation), cases)
        assert done.returncode == 1, "nothing differs"
        assert done.stderr.startswith(mutation.isa)

    def _mutant(self, mutation: Mutation) -> Path:
        sources, program = self._folder / "sources", self._folder / "mutant"
        shutil.copytree(NATIVE, sources, dirs_exist_ok=True)
        text = sources / (mutation.text or f"{mutation.source}.cpp")
        assert mutation.old in text.read_text(), "this mutation has lost its place"
        text.write_text(text.read_text().replace(mutation.old, mutation.new))
        source, options = sources / f"{mutation.source}.cpp", (*self._options, "-w")
        mutant = compile_source(source, self._folder, self._compiler, *options, folder=sources)
        objects = [mutant if o.name == mutant.name else o for o in self._objects]
        run(self._compiler, *self._options, *map(str, objects), "-o", str(program))
        return program

    def _start(self, program: Path, cases: Path) -> subprocess.CompletedProcess[str]:
        command = [*self._run, str(program), str(cases)]
        return subprocess.run(command, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return all_cases(tmp_path_factory.mktemp("native") / "cases")


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return Build(tmp_path_factory.mktemp("mutants"), compiler(), ["-O1"], [])


@pytest.fixture(scope="module")
def cross(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder, run = tmp_path_factory.mktemp("mutants"), [QEMU, "-cpu", "max"]
    return Build(folder, CROSS_COMPILER, ["-O1", "-static"], run)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="mutants of x86-64's kernels")
@pytest.mark.parametrize("mutation", X86, ids=str)
def test_x86(native: Build, cases: Path, mutation: Mutation) -> None:
    native.check(mutation, cases)


@emulated
@pytest.mark.parametrize("mutation", AARCH64, ids=str)
def test_aarch64(cross: Build, cases: Path, mutation: Mutation) -> None:
    cross.check(mutation, cases)
