"""One loaded model under many threads for a long time: equal answers, flat memory.

    python -m benchmarks.soak --seconds 600 --threads 8

Threads classify texts of 1 to 512 tokens, in batches of 1 to 8 that are ever new, with one model.
Each answer is compared with the one that a single thread gave before. Prints JSON; the exit status
is 1 where an answer differs or memory grows. Linux alone says how much memory a process has now.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.machine import machine, versions
from inhibi.engine import cli
from inhibi.engine.errors import InputError, command
from inhibi.engine.model import Model, Prediction, load

TEXTS = 48
LARGEST = 8  # texts of a batch
WARM_UP = 256  # batches
TOLERANCE = 16.0
"""MiB that memory may grow after the warm-up. Allocators keep what threads free, and which batches
run at once differs by chance: that settles. A leak does not: at 50 texts a second for 10 minutes
this tolerance finds one of 0.6 KiB a text."""

Answered = tuple[str, Prediction]
"""A text and the answer of a single thread."""


@dataclass(frozen=True)
class Soak:
    """rss_mib: after the warm-up, then after each quarter of the time."""

    seconds: float
    threads: int
    texts: int
    differing: int
    rss_mib: list[float]

    @property
    def grown_mib(self) -> float:
        return self.rss_mib[-1] - self.rss_mib[0]

    @property
    def passed(self) -> bool:
        return self.texts > 0 and not self.differing and self.grown_mib <= TOLERANCE


def soak(model: Model, seconds: float, threads: int) -> Soak:
    """Run the threads for `seconds` after a warm-up, in which every one meets the longest texts.

    Answers of the warm-up are compared and counted, too.
    """
    work = [(text, model.classify([text])[0]) for text in make_texts(model)]
    drawn = _drawn(work, np.random.default_rng(0))
    warm = [work[-LARGEST:]] * threads + list(islice(drawn, WARM_UP))
    with ThreadPoolExecutor(threads) as pool:
        counts = list(pool.map(lambda batch: _answer(model, batch), warm))
    memory = [rss_mib()]
    for quarter in range(1, 5):
        counts.append(_spell(model, work, seconds / 4, threads, quarter))
        memory.append(rss_mib())
    answered, differing = np.sum(counts, axis=0).tolist()
    return Soak(seconds, threads, answered, differing, memory)


def make_texts(model: Model) -> list[str]:
    """Texts of 1 token to as many as the model reads, special tokens aside, evenly by logarithm."""
    random = np.random.default_rng(0)
    most = model.metadata.max_tokens - 2
    lengths = np.geomspace(1, most, TEXTS).round().astype(int)
    return [" ".join(random.choice(list("abcdefghijklmnop.,!"), n)) for n in lengths]


def _drawn(work: Sequence[Answered], random: np.random.Generator) -> Iterator[list[Answered]]:
    """Random batches of 1 to LARGEST of the texts, without end."""
    while True:
        size = random.integers(1, LARGEST + 1)
        yield [work[i] for i in random.integers(0, len(work), size)]


def rss_mib() -> float:
    """What this process has in memory now."""
    file = Path("/proc/self/statm")
    if not file.exists():
        raise InputError("this needs Linux: /proc/self/statm says how much memory is in use")
    return int(file.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _spell(
    model: Model, work: Sequence[Answered], seconds: float, threads: int, number: int
) -> tuple[int, int]:
    """Texts answered and answers that differ, by all the threads in `seconds`."""
    together = threading.Barrier(threads)

    def run(thread: int) -> np.ndarray:
        drawn = _drawn(work, np.random.default_rng([number, thread]))
        counts = np.zeros(2, np.int64)
        together.wait()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            counts += _answer(model, next(drawn))
        return counts

    with ThreadPoolExecutor(threads) as pool:
        answered, differing = sum(pool.map(run, range(threads))).tolist()
    return answered, differing


def _answer(model: Model, batch: Sequence[Answered]) -> tuple[int, int]:
    """Texts answered and answers that differ."""
    answers = model.classify([text for text, _ in batch])
    expected = [answer for _, answer in batch]
    return len(answers), sum(a != b for a, b in zip(answers, expected, strict=True))


def _seconds(text: str) -> float:
    if not 0 < float(text) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return float(text)


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.soak`."""
    parser = argparse.ArgumentParser("python -m benchmarks.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--seconds", type=_seconds, default=600, help="after the warm-up (default: 600)")
    add("--threads", type=cli.threads, default=8, help="that share the model (default: 8)")
    add("--model", type=Path, metavar="FILE", help="a student (default: the packaged one)")
    chosen = parser.parse_args(argv)
    model = load(chosen.model, threads=1)
    made = soak(model, chosen.seconds, chosen.threads)
    found = asdict(made) | {"grown_mib": made.grown_mib, "tolerance_mib": TOLERANCE}
    about = {"machine": machine(), "versions": versions(), "runs_on": model.runs_on}
    print(json.dumps(about | found | {"passed": made.passed}, indent=1))
    if not made.passed:
        sys.exit(1)


if __name__ == "__main__":
    main()
