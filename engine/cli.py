"""The `inhibi` command: one name for all the others, each loaded only when it is asked for."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import inhibi
from inhibi.engine.errors import InputError, command

COMMANDS = {
    "infer": ("inhibi.engine.infer", "classify texts with an integer student"),
    "qat-train": (
        "inhibi.qat.train",
        "distil a teacher into an inhibitor student, train it for int8",
    ),
    "cut-vocabulary": (
        "inhibi.kd.cut_vocabulary",
        "keep a checkpoint's most frequent vocabulary rows alone",
    ),
    "shrink": ("inhibi.kd.shrink", "make a small checkpoint with another one's vocabulary"),
    "export-onnx": ("inhibi.export.cli", "write a trained student as one ONNX file of integers"),
    "export-c": ("inhibi.export.c.cli", "write a student as C for microcontrollers"),
    "models": ("inhibi.engine.listing", "list the models at hand: packaged and downloaded"),
    "inspect": ("inhibi.engine.inspection", "say what a student file is"),
    "diagnose": ("inhibi.export.diagnose", "show which operator of a student costs accuracy"),
    "glue-eval": ("inhibi.eval.glue", "score a student or a checkpoint on GLUE and IMDB"),
    "energy-report": ("inhibi.eval.energy.cli", "count operations and bytes, estimate energy"),
}

MOST_THREADS = 1024


class Parser(argparse.ArgumentParser):
    """An argument parser that reports a mistake in one line and has --version."""

    def __init__(self, prog: str, description: str, epilog: str = "", usage: str | None = None):
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument("--version", action="version", version=f"inhibi {inhibi.__version__}")

    def check_only_with(
        self, options: argparse.Namespace, names: Sequence[str], needed: str
    ) -> None:
        """`InputError` where one of these options is given without the one that it belongs to."""
        for name in names:
            if getattr(options, name) and not getattr(options, needed):
                given, other = (f"--{option.replace('_', '-')}" for option in (name, needed))
                self.error(f"{given} is of use with {other} only")

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def positive(text: str) -> int:
    """The type of an argument that is a whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def seed(text: str) -> int:
    """The type of --seed: what torch, NumPy and Python all take."""
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 2^31 - 1")
    return int(text)


def threads(text: str) -> int:
    """The type of --threads."""
    count = positive(text)
    if count > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text} is more than {MOST_THREADS}")
    return count


@command
def main(argv: list[str] | None = None) -> None:
    """Run `inhibi COMMAND ...`. Its own mistakes and the command's end with 1 line, status 2."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in COMMANDS:
        import_module(COMMANDS[name][0]).main(rest)
        return
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items())
    parser = Parser(
        "inhibi",
        "Integer transformers without dot products.",
        f"commands:\n{listed}\n\nSee inhibi COMMAND --help.",
        usage="inhibi COMMAND ...",
    )
    if name.startswith("-"):
        parser.parse_args([name])
    parser.error(f"unknown command {name!r}: choose one of {', '.join(COMMANDS)}")
