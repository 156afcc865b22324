"""Where the time of our model goes, by operator, from onnxruntime's profiler."""

import json
from collections import Counter
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
RUNS = 30
WARM_UP = 5
WITHOUT_NATIVE = 64


def measure(model: Model, path: Path) -> list[dict[str, Any]]:
    """One row a length: milliseconds of a run, and each operator's share of it, 1 thread.

    "between operators" is what a run takes beyond its nodes.
    """
    longest = model.metadata.max_tokens if isa() else WITHOUT_NATIVE
    return [_row(model, path, tokens) for tokens in TOKENS if tokens <= longest]


def _row(model: Model, path: Path, tokens: int) -> dict[str, Any]:
    feeds = pack([Sentence(random_ids(model, 1, tokens)[0])])
    if not model.metadata.token_types:
        del feeds["token_type_ids"]
    options = session_options(1)
    options.enable_profiling = True
    with TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for _ in range(WARM_UP + RUNS):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    return {"tokens": tokens, **shares(events, WARM_UP)}


def shares(events: list[dict[str, Any]], skip: int) -> dict[str, Any]:
    """Of a profile's events, without those of the first `skip` runs."""
    runs = sorted((e for e in events if e.get("name") == "model_run"), key=lambda e: e["ts"])
    begin = runs[skip]["ts"]
    total = sum(run["dur"] for run in runs[skip:])
    nodes: Counter[str] = Counter()
    for event in events:
        operator = event.get("args", {}).get("op_name")
        if operator and event["name"].endswith("_kernel_time") and event["ts"] >= begin:
            nodes[operator] += event["dur"]
    found = {name: spent / total for name, spent in nodes.most_common()}
    found["between operators"] = 1 - sum(found.values())
    return {"ms": total / len(runs[skip:]) / 1e3, "shares": found}
