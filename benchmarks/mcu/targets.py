"""What a student in C is built for here, and how such a program is run."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inhibi.engine.errors import InputError

BOARD = Path(__file__).parent / "board"
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
SECONDS = 600


@dataclass(frozen=True)
class Target:
    """A compiler with its options, and the emulator's command before the program's name.

    script: the linker's, of a board; None for a program of an operating system.
    """

    name: str
    compiler: str
    options: tuple[str, ...]
    emulator: tuple[str, ...] = ()
    script: str | None = None

    @property
    def missing(self) -> list[str]:
        """Programs that are not installed."""
        needed = [self.compiler, *self.emulator[:1]]
        return [program for program in needed if not shutil.which(program)]

    def but(self, name: str, *options: str) -> "Target":
        """The same with more options."""
        return Target(name, self.compiler, (*self.options, *options), self.emulator, self.script)


def _board(name: str, machine: str, script: str, *options: str) -> Target:
    emulator = ("qemu-system-arm", "-M", machine, "-nographic", "-monitor", "none")
    semihosting = ("-semihosting-config", "enable=on,target=native", "-kernel")
    flags = (f"-mcpu={name}", "-mthumb", *options)
    return Target(name, "arm-none-eabi-gcc", flags, (*emulator, *semihosting), script)


M4 = _board("cortex-m4", "mps2-an386", "mps2.ld")
M4F = M4.but("cortex-m4f", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
M7 = _board("cortex-m7", "mps2-an500", "mps2.ld")
M33 = _board("cortex-m33", "mps3-an547", "mps3.ld")  # the board's M55 runs its code
M55 = _board("cortex-m55", "mps3-an547", "mps3.ld", "-mfloat-abi=hard")
M4_PORTABLE = M4.but("cortex-m4, portable", "-DPORTABLE_KERNELS")
SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
GCC = Target("gcc", "gcc", SANITIZED)
CLANG = Target("clang", "clang", ())
AARCH64 = Target("aarch64", "aarch64-linux-gnu-gcc", ("-static",), ("qemu-aarch64",))
RISCV64 = Target("riscv64", "riscv64-linux-gnu-gcc", ("-static",), ("qemu-riscv64",))
BOARDS = (M4, M7, M55, M4_PORTABLE)
TARGETS = (*BOARDS, M4F, M33, GCC, CLANG, AARCH64, RISCV64)


@dataclass(frozen=True)
class Program:
    """A built program and where it lies."""

    target: Target
    path: Path
    sources: tuple[Path, ...] = field(default=())

    def run(self, folder: Path, instructions: bool = False) -> str:
        """What it prints, run in `folder`. instructions: a nanosecond for each, on a board.

        `InputError` where it fails.
        """
        counting = ["-icount", "shift=0"] if instructions else []
        emulator = list(self.target.emulator)
        command = [*emulator[:1], *counting, *emulator[1:], str(self.path)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise InputError(
                f"{self.path.name} for {self.target.name} ended with {done.returncode}: "
                f"{(done.stderr or done.stdout)[-300:]}"
            )
        return done.stdout


def build(
    target: Target,
    sources: Sequence[Path],
    program: Path,
    headers: Path,
    optimize: str = "-O2",
    defines: Mapping[str, str] | None = None,
) -> Program:
    """Compile and link; `InputError` with the compiler's words where that fails."""
    linked: list[str] = []
    if target.script:
        linked = [f"-L{BOARD}", f"-T{target.script}", "--specs=rdimon.specs", "-nostartfiles"]
        linked += [str(BOARD / "startup.c"), "-lc", "-lrdimon"]
    given = [f"-D{name}={value}" for name, value in (defines or {}).items()]
    command = [target.compiler, *target.options, *WARNINGS, optimize, *given, f"-I{headers}"]
    command += [*map(str, sources), *linked, "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{program.name} for {target.name}: {done.stderr[-2000:]}")
    return Program(target, program, tuple(sources))
