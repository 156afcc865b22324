"""Measures the parts of benchmarks.speed, one after the other."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import attention_speed, model_speed, models, sentence_speed, shares, sizes
from benchmarks.data import Sentences, sentences
from benchmarks.machine import machine, versions
from benchmarks.native import isa
from benchmarks.peers.ours import OURS, our_peer
from benchmarks.peers.peer import Peer
from benchmarks.roofline import measure as roofline
from benchmarks.timing import Effort
from inhibi.engine.errors import say
from inhibi.engine.files import sha256
from inhibi.engine.model import Model, load

ROOT = Path(__file__).parent.parent
PARTS = ("attention", "model", "sentences", "shares", "cold")
BRIEF = Effort(0.3, least=3, most=5)
BRIEF_TOKENS = (32, 128)
BRIEF_SENTENCES = 64


@dataclass(frozen=True)
class Wanted:
    """What to measure. teacher None: random weights; data_dir None: INHIBI_DATA or random ids."""

    model: Path
    teacher: Path | None
    data_dir: str | None
    parts: Sequence[str] = PARTS
    quick: bool = False

    @property
    def threads(self) -> tuple[int, ...]:
        return (1,) if self.quick else (1, 2)


def measure(wanted: Wanted, folder: Path) -> dict[str, Any]:
    """All that is wanted, as speed.json has it; `folder` takes the models' files."""
    model = load(wanted.model, threads=1)
    data = sentences(model, wanted.data_dir)
    results: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "native": isa(),
        "quick": wanted.quick,
        "student_sha256": sha256(wanted.model),
        "teacher": "a fine-tuned checkpoint" if wanted.teacher else "random weights",
        "data": "SST-2 validation" if data.labels else "random",
    }
    if "attention" in wanted.parts:
        results |= _attention(wanted.quick)
    if {"model", "sentences", "cold"} & set(wanted.parts):
        say("exporting and quantizing the peers")
        files = models.make(folder, wanted.model, model.metadata, wanted.teacher, data)
        if {"model", "sentences"} & set(wanted.parts):
            results |= _models(wanted, model, files, data)
    if "shares" in wanted.parts:
        say("profiling")
        results["shares"] = shares.measure(model, wanted.model)
    if "cold" in wanted.parts:
        results |= _cold(wanted.quick, folder)
    return results


def _attention(quick: bool) -> dict[str, Any]:
    say("attention alone")
    plan = attention_speed.QUICK if quick else attention_speed.Plan()
    rows = list(attention_speed.measure(plan))
    made: dict[str, Any] = {"attention": rows}
    if isa().startswith("avx512"):
        say("attention alone, AVX2 forced")
        module = ["benchmarks.attention_speed", *["--quick"] * quick]
        made["attention_avx2"] = _child(module, INHIBI_ISA="avx2")
    every = [*rows, *made.get("attention_avx2", [])]
    return made | {"roofline": roofline(every, attention_speed.INHIBITOR)}


def _models(wanted: Wanted, model: Model, files: models.Files, data: Sentences) -> dict[str, Any]:
    """With one thread, then with two. A peer's answers do not depend on that, but are checked."""
    made: dict[str, Any] = {"model": [], "sentences": []}
    for threads in wanted.threads:
        peers = models.open_all(files, threads)
        say(f"{len(peers)} models with {threads} thread{'s' * (threads > 1)}")
        errors = models.check(peers, files, data)
        if threads == 1:
            made["errors"] = errors
            made["settings"] = {peer.name: peer.settings for peer in peers}
        if "model" in wanted.parts:
            say("whole models")
            brief = (BRIEF_TOKENS, (1,), BRIEF) if wanted.quick else ()
            made["model"] += model_speed.measure(model, peers, threads, *brief)
        if "sentences" in wanted.parts:
            say("sentences")
            row, answers = _sentences(wanted, peers, data, threads)
            made["sentences"].append(row)
            if data.labels and threads == 1 and not wanted.quick:
                made["accuracy"] = models.scores(answers, data.labels)
    if "model" in wanted.parts and not wanted.quick:
        one, two = (our_peer(OURS, files.student, n) for n in (1, 2))
        made["two_threads"] = model_speed.two_threads(one, two, model)
    return made


def _sentences(
    wanted: Wanted, peers: Sequence[Peer], data: Sentences, threads: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    some = slice(BRIEF_SENTENCES if wanted.quick else None)
    lengths = {len(sentence): sentence for sentence in data.validation[some]}
    for peer in peers:
        for sentence in lengths.values():
            peer.logits([sentence])  # some compile for each length
    alone, answers = sentence_speed.alone(peers, data.validation[some])
    packed = sentence_speed.packed(peers, data.validation[some])
    made = {"threads": threads, "alone": alone, "packed": packed}
    if data.texts:
        model = load(wanted.model, threads=threads)
        made["from_text_ms"] = sentence_speed.from_text(model, data.texts[some])
    return made, answers


def _cold(quick: bool, folder: Path) -> dict[str, Any]:
    say("cold starts")
    runs = ["--runs", "3"] if quick else []
    return {
        "cold_start": _child(["benchmarks.cold_start", str(folder), *runs]),
        "model_mb": {
            "inhibi": sizes.file_size(folder / "inhibitor.onnx"),
            "onnxruntime dynamic int8": sizes.file_size(folder / "dynamic.onnx"),
            "torch fp32": sizes.file_size(folder / "teacher" / "model.safetensors"),
        },
        "installed_mb": sizes.installed(),
    }


def _child(module: Sequence[str], **environment: str) -> Any:
    """What `python -m module` prints as JSON."""
    ran = subprocess.run(
        [sys.executable, "-m", *module],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(ran.stdout)
