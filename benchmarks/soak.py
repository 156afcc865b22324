"""One loaded model under many threads for a long time: equal answers, flat memory.

    python -m benchmarks.soak --seconds 600 --threads 8

Threads classify texts of 1 to 512 tokens, in batches of 1 to 8, with one model. Each answer is
compared with the one that a single thread gave before. Prints JSON; the exit status is 1 where an
answer differs or memory grows. Linux alone says how much memory a process has now.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import machine, versions
from inhibi.engine.errors import InputError, command
from inhibi.engine.model import Model, Prediction, load

TEXTS = 48
LARGEST = 8  # texts of a batch
BATCHES = 256
TOLERANCE = 16.0
"""MiB that memory may grow after the warm-up. Allocators keep what threads free, and which batches
run at once differs by chance: that settles. A leak does not: at 50 texts a second for 10 minutes
this tolerance finds one of 0.6 KiB a text."""

Batch = list[tuple[str, Prediction]]
"""Texts and the answers of a single thread."""


@dataclass(frozen=True)
class Soak:
    """rss_mib: after the warm-up, then after each quarter of the time."""

    seconds: float
    threads: int
    batches: int
    texts: int
    differing: int
    rss_mib: list[float]

    @property
    def grown_mib(self) -> float:
        return self.rss_mib[-1] - self.rss_mib[0]

    @property
    def passed(self) -> bool:
        return self.texts > 0 and not self.differing and self.grown_mib <= TOLERANCE


def soak(model: Model, seconds: float, threads: int, batches: int = BATCHES) -> Soak:
    """Run the threads for `seconds` after a warm-up: every batch twice, the longest first.

    Answers of the warm-up are compared and counted, too. batches: how many different ones there
    are. They come again and again, because each new shape costs some KiB that are kept.
    """
    work = make_batches(model, batches)
    with ThreadPoolExecutor(threads) as pool:
        counts = list(pool.map(lambda batch: _answer(model, batch), [*work, *work]))
    memory = [rss_mib()]
    for quarter in range(4):
        counts.append(_spell(model, work, seconds / 4, threads, quarter))
        memory.append(rss_mib())
    answered, differing = np.sum(counts, axis=0).tolist()
    return Soak(seconds, threads, batches, answered, differing, memory)


def make_texts(model: Model) -> list[str]:
    """Texts of 1 token to as many as the model reads, special tokens aside, evenly by logarithm."""
    random = np.random.default_rng(0)
    most = model.metadata.max_tokens - 2
    lengths = np.geomspace(1, most, TEXTS).round().astype(int)
    return [" ".join(random.choice(list("abcdefghijklmnop.,!"), n)) for n in lengths]


def make_batches(model: Model, count: int) -> list[Batch]:
    """Random batches of 1 to LARGEST of the texts, after one of the longest."""
    texts = make_texts(model)
    answered = [(text, model.classify([text])[0]) for text in texts]
    random = np.random.default_rng(0)
    sizes = random.integers(1, LARGEST + 1, count - 1)
    drawn = [[answered[i] for i in random.integers(0, TEXTS, size)] for size in sizes]
    return [answered[-LARGEST:], *drawn]


def rss_mib() -> float:
    """What this process has in memory now."""
    file = Path("/proc/self/statm")
    if not file.exists():
        raise InputError("this needs Linux: /proc/self/statm says how much memory is in use")
    return int(file.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _spell(
    model: Model, work: Sequence[Batch], seconds: float, threads: int, number: int
) -> tuple[int, int]:
    """Texts answered and answers that differ, by all the threads in `seconds`."""
    together = threading.Barrier(threads)

    def run(thread: int) -> np.ndarray:
        random = np.random.default_rng([number, thread])
        counts = np.zeros(2, np.int64)
        together.wait()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            counts += _answer(model, work[random.integers(0, len(work))])
        return counts

    with ThreadPoolExecutor(threads) as pool:
        answered, differing = sum(pool.map(run, range(threads))).tolist()
    return answered, differing


def _answer(model: Model, batch: Batch) -> tuple[int, int]:
    """Texts answered and answers that differ."""
    answers = model.classify([text for text, _ in batch])
    expected = [answer for _, answer in batch]
    return len(answers), sum(a != b for a, b in zip(answers, expected, strict=True))


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.soak`."""
    parser = argparse.ArgumentParser("python -m benchmarks.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--seconds", type=float, default=600, help="after the warm-up (default: 600)")
    add("--threads", type=int, default=8, help="that share the model (default: 8)")
    add("--batches", type=int, default=BATCHES, help=f"different ones (default: {BATCHES})")
    add("--model", type=Path, metavar="FILE", help="a student (default: the packaged one)")
    chosen = parser.parse_args(argv)
    model = load(chosen.model, threads=1)
    made = soak(model, chosen.seconds, chosen.threads, chosen.batches)
    found = asdict(made) | {"grown_mib": made.grown_mib, "tolerance_mib": TOLERANCE}
    about = {"machine": machine(), "versions": versions(), "runs_on": model.runs_on}
    print(json.dumps(about | found | {"passed": made.passed}, indent=1))
    if not made.passed:
        sys.exit(1)


if __name__ == "__main__":
    main()
