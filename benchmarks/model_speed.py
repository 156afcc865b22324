"""Milliseconds of the whole model, from token ids in arrays to logits, at fixed lengths."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.data import random_ids
from benchmarks.native import isa
from benchmarks.peers.ours import OURS
from benchmarks.peers.peer import Peer
from benchmarks.timing import Clock, Effort, alternate, compare
from inhibi.engine.model import Model

TOKENS = (16, 32, 64, 128, 256, 512)
BATCHES = (1, 8)
EFFORT = Effort(2.0)
MANY = Effort(2.0, least=3)  # of a thousand tokens and more
WITHOUT_NATIVE = 64  # tokens: beyond, the operators' bodies need gigabytes


def measure(
    model: Model,
    peers: Sequence[Peer],
    threads: int,
    tokens: Sequence[int] = TOKENS,
    batches: Sequence[int] = BATCHES,
    effort: Effort | None = None,
    clock: Clock = time.perf_counter,
) -> Iterator[dict[str, Any]]:
    """One row for each batch and length; its sentences have that length, so nobody pads."""
    longest = model.metadata.max_tokens if isa() else WITHOUT_NATIVE
    for batch in batches:
        for length in tokens:
            if length > longest or (batch * length > longest and not isa()):
                continue
            ids = random_ids(model, batch, length)
            calls = {peer.name: peer.prepare(ids) for peer in peers}
            some = effort or (MANY if batch * length > 1000 else EFFORT)
            seconds = alternate(calls, some, clock)
            yield {
                "threads": threads,
                "batch": batch,
                "tokens": length,
                **compare(seconds, OURS),
            }


def two_threads(one: Peer, two: Peer, model: Model, tokens: int = 512) -> dict[str, Any]:
    """One thread beside two; the ratio is one over two."""
    ids = random_ids(model, 1, min(tokens, model.metadata.max_tokens if isa() else WITHOUT_NATIVE))
    calls = {"two": two.prepare(ids), "one": one.prepare(ids)}
    return {"tokens": len(ids[0]), **compare(alternate(calls, EFFORT), "two")}
