"""Where the time of our model goes, by operator, from onnxruntime's profiler.

The profiler's own work lies between and within the nodes, so a run's time is taken from a session
without it, which takes turns with the profiled one; where the nodes then take more than the run,
theirs is the whole.
"""

import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime as ort

from benchmarks.data import random_ids
from benchmarks.native import isa, session_options
from benchmarks.peers.ours import Sentence
from inhibi.engine.model import Model
from inhibi.engine.session import pack

TOKENS = (32, 128, 512)
RUNS = 50
WARM_UP = 5
WITHOUT_NATIVE = 64


def measure(model: Model, path: Path) -> list[dict[str, Any]]:
    """One row a length: milliseconds of a run, and each operator's share of it, 1 thread."""
    longest = model.metadata.max_tokens if isa() else WITHOUT_NATIVE
    return [_row(model, path, tokens) for tokens in TOKENS if tokens <= longest]


def _row(model: Model, path: Path, tokens: int) -> dict[str, Any]:
    feeds = pack([Sentence(random_ids(model, 1, tokens)[0])])
    if not model.metadata.token_types:
        del feeds["token_type_ids"]
    plain, profiled = session_options(1), session_options(1)
    profiled.enable_profiling = True
    with TemporaryDirectory() as folder:
        profiled.profile_file_prefix = f"{folder}/profile"
        sessions = [
            ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            for options in (plain, profiled)
        ]
        seconds = []
        for _ in range(WARM_UP + RUNS):
            for session in sessions:
                started = time.perf_counter()
                session.run(None, feeds)
                if session is sessions[0]:
                    seconds.append(time.perf_counter() - started)
        events = json.loads(Path(sessions[1].end_profiling()).read_text())
    return {"tokens": tokens, **shares(events, seconds)}


def shares(events: Sequence[dict[str, Any]], seconds: Sequence[float]) -> dict[str, Any]:
    """From a profile's events and the seconds of as many runs without it; the first `WARM_UP` of
    both do not count. Medians over runs; "between operators" is what the operators leave."""
    runs = sorted((e for e in events if e.get("name") == "model_run"), key=lambda e: e["ts"])
    spent: list[Counter[str]] = [Counter() for _ in runs]
    for event in events:
        operator = event.get("args", {}).get("op_name")
        if operator and event["name"].endswith("_kernel_time"):
            number = sum(run["ts"] <= event["ts"] for run in runs) - 1
            spent[number][operator] += event["dur"]
    run_time = 1e6 * statistics.median(seconds[WARM_UP:])
    parts = {name: statistics.median(run[name] for run in spent[WARM_UP:]) for name in spent[-1]}
    whole = max(run_time, sum(parts.values()))
    found = {name: parts[name] / whole for name in sorted(parts, key=lambda name: -parts[name])}
    found["between operators"] = max(0.0, 1 - sum(found.values()))
    return {"ms": run_time / 1e3, "shares": found}
