"""Writes cases and their results for tests/native/run_cases.cpp, which explains the format."""

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from case import Case
from kernels import columns, rows


def write_cases(path: Path, cases: Iterable[tuple[Case, np.ndarray]]) -> None:
    """Cases with their results."""
    path.write_bytes(b"".join(_case(case, result) for case, result in cases))


def _case(case: Case, result: np.ndarray) -> bytes:
    flags = [case.attributes.get(name, 0) for name in ("centred", "signed", "lo", "hi")]
    numbers = (rows(case), columns(case), case.attributes.get("heads", 0), *flags)
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
