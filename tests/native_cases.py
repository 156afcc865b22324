"""Writes cases and their results for tests/native/run_cases.cpp, which explains the format."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from case import Case
from cases import KERNEL_CASES
from kernels import padded
from test_kernels import attention_cases, computed, longest_sums, row_cases


def all_cases(path: Path) -> Path:
    """The file of everything that kernels take."""
    write_cases(path, ((case, computed(case)) for case in (*map(padded, KERNEL_CASES), *_more())))
    return path


def _more() -> Iterator[Case]:
    """Other widths, more queries than a task has, and beyond what 16-bit sums of bytes hold."""
    rng = np.random.default_rng(7)
    for width in (2, 13, 24, 47, 100, 300):
        yield from row_cases(2, width)
    for d in (24, 40, 72, 120):
        yield from attention_cases(rng, (19, 3), 2, d)
    yield from attention_cases(rng, (1030, 2), 1, 8)
    yield from longest_sums(8)


def write_cases(path: Path, cases: Iterable[tuple[Case, np.ndarray]]) -> None:
    """Cases with their results."""
    path.write_bytes(b"".join(_case(case, result) for case, result in cases))


def _case(case: Case, result: np.ndarray) -> bytes:
    flags = [case.attributes.get(name, 0) for name in ("centred", "signed", "lo", "hi")]
    numbers = (*result.shape, case.attributes.get("heads", 0), *flags)
    return b"".join(
        (
            _text(case.operator.encode()),
            _text(case.name.encode()),
            struct.pack("<3Q4i", *numbers),
            struct.pack("<Q", len(case.inputs)),
            *(struct.pack("<Q", x.itemsize) + _text(x.tobytes()) for x in case.inputs),
            result.tobytes(),
        )
    )


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value
