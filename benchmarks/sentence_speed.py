"""Milliseconds for each real sentence, from a list of token ids to logits.

Alone, one call after the other, as a user sends them; and all of them at hand, where everybody
batches as suits it best: ours packs them in their order, the others sort by length and pad.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.peers.ours import DOT_PRODUCT, OURS
from benchmarks.peers.peer import Ids, Peer
from benchmarks.timing import quartiles
from inhibi.engine.model import Model

BLOCKS = 8  # a round takes a block: each sentence is timed once
BATCHES = (4, 16, 64)
PACKED_STEP = 8  # packed: every 8th sentence, in `PACKED_ROUNDS` rounds
PACKED_ROUNDS = 5

Clock = Callable[[], float]


def alone(
    peers: Sequence[Peer], sentences: Sequence[Ids], clock: Clock = time.perf_counter
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Mean and median of a sentence, and the median over blocks of the ratio of their sums; and
    the label that each model gives to each sentence.

    Blocks have sentences of all lengths. All lengths must have been met before: some runtimes
    compile for each.
    """
    times: dict[str, list[list[float]]] = {peer.name: [] for peer in peers}
    answers = {peer.name: np.zeros(len(sentences), np.int64) for peer in peers}
    order = list(peers)
    for block in range(BLOCKS):
        for peer in order:
            seconds, labels = _block(peer, sentences[block::BLOCKS], clock)
            times[peer.name].append(seconds)
            answers[peer.name][block::BLOCKS] = labels
        order.reverse()
    return _summary(times), answers


def packed(
    peers: Sequence[Peer], sentences: Sequence[Ids], clock: Clock = time.perf_counter
) -> dict[str, Any]:
    """The same for all sentences in one go, of those that can."""
    some = sentences[::PACKED_STEP]
    peers = [peer for peer in peers if peer.pads]
    ready = {peer.name: _best_batches(peer, some, clock) for peer in peers}
    times: dict[str, list[list[float]]] = {peer.name: [] for peer in peers}
    order = list(peers)
    for _ in range(PACKED_ROUNDS):
        for peer in order:
            seconds = _seconds(peer, ready[peer.name], clock)
            times[peer.name].append([seconds / len(some)] * len(some))
        order.reverse()
    made = _summary(times)
    for name, batches in ready.items():
        made["models"][name]["batch"] = len(batches[0])
    return made


def from_text(model: Model, texts: Sequence[str], clock: Clock = time.perf_counter) -> float:
    """Mean milliseconds of a text alone, to its label: our tokenizer and probabilities included."""
    model.classify(texts[:1])
    started = clock()
    for text in texts:
        model.classify([text])
    return 1e3 * (clock() - started) / len(texts)


def _block(peer: Peer, sentences: Sequence[Ids], clock: Clock) -> tuple[list[float], list[np.intp]]:
    peer.logits(sentences[:1])
    seconds, labels = [], []
    for sentence in sentences:
        started = clock()
        logits = peer.logits([sentence])
        seconds.append(clock() - started)
        labels.append(logits[0].argmax())
    return seconds, labels


def _best_batches(peer: Peer, sentences: Sequence[Ids], clock: Clock) -> list[Sequence[Ids]]:
    """The batches in which this peer is fastest, of `BATCHES` sizes after sorting by length."""
    if peer.name in (OURS, DOT_PRODUCT):
        return [sentences]
    by_length = sorted(sentences, key=len)
    choices = [_slices(by_length, size) for size in BATCHES]
    for batches in choices:
        _seconds(peer, batches, clock)  # new shapes are compiled
    return min(choices, key=lambda batches: _seconds(peer, batches, clock))


def _slices(sentences: Sequence[Ids], size: int) -> list[Sequence[Ids]]:
    return [sentences[start : start + size] for start in range(0, len(sentences), size)]


def _seconds(peer: Peer, batches: Sequence[Sequence[Ids]], clock: Clock) -> float:
    started = clock()
    for batch in batches:
        peer.logits(batch)
    return clock() - started


def _summary(times: dict[str, list[list[float]]]) -> dict[str, Any]:
    """From seconds of each sentence in each block."""
    sums = {name: [sum(block) for block in blocks] for name, blocks in times.items()}
    models = {}
    for name, blocks in times.items():
        every = [seconds for block in blocks for seconds in block]
        ratios = [a / b for a, b in zip(sums[name], sums[OURS], strict=True)]
        models[name] = {
            "mean_ms": 1e3 * statistics.mean(every),
            "median_ms": 1e3 * statistics.median(every),
            "ratio": statistics.median(ratios),
            "ratio_quartiles": quartiles(ratios),
        }
    return {"sentences": len(every), "models": models}
