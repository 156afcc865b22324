"""Cycles that the inhibitor spends on a pair of 64 bytes, beside the machine's peak.

A pair is 64 channels of a query and a key: 64-byte instructions for the absolute difference and its
sum, and for the minimum of threshold and value and its sum. T tokens, H heads of width d have
H * T * T * d / 64 pairs. Clock and peak are measured with loops of C (roofline.c), where there is
a compiler.
"""

import ctypes
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PAIR_INSTRUCTIONS = {"avx512vnni": 4, "avx2": 10}  # of the definition above; no load, no z
TURNS = 9
LOOPS = 1_000_000  # of 8
SOURCE = Path(__file__).with_name("roofline.c")


def measure(rows: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
    """Clock, peak, and one row for each of the given rows with one thread."""
    rates = _rates()
    clock = rates.get("clock_ghz")
    return {
        **rates,
        "rows": [
            {
                **{key: row[key] for key in ("isa", "heads", "width", "tokens")},
                "instructions": PAIR_INSTRUCTIONS.get(row["isa"]),
                "peak_cycles": rates.get("peak_cycles", {}).get(row["isa"]),
                "cycles": clock and cycles(row, row["models"][name]["ms"], clock),
            }
            for row in rows
            if row["threads"] == 1
        ],
    }


def cycles(row: dict[str, Any], ms: float, ghz: float) -> float:
    """Cycles for a pair of 64 bytes."""
    return ms * 1e6 * ghz / (row["heads"] * row["tokens"] ** 2 * row["width"] / 64)


def _rates() -> dict[str, Any]:
    """clock_ghz, and peak_cycles of a pair by instruction set; empty without a compiler."""
    compiler = shutil.which("cc")
    if not compiler:
        return {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "roofline.so"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", SOURCE, "-o", path], check=True)
        library = ctypes.CDLL(str(path))
        clock = 8 / _seconds(library.benchmark_clock) * 1e-9
        peaks = {}
        for isa in PAIR_INSTRUCTIONS:
            loop = getattr(library, f"benchmark_peak_{isa}", None)
            if loop and loop(ctypes.c_uint64(1)):
                peaks[isa] = _seconds(loop) * clock * 1e9 / 8
    return {"clock_ghz": clock, "peak_cycles": peaks}


def _seconds(loop: Any) -> float:
    """Of one turn of the loop: the fastest of some, since nothing can make it too fast."""
    found = []
    for _ in range(TURNS):
        started = time.perf_counter()
        loop(ctypes.c_uint64(LOOPS))
        found.append(time.perf_counter() - started)
    return min(found) / LOOPS
