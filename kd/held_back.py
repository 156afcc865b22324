"""Training examples held back, to compare recipes on without a look at the validation split."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from inhibi.kd.data import Task

if TYPE_CHECKING:
    from datasets import Dataset

# Words of the longest text that can be a phrase of another: what is longer is one of its own, and
# the search for phrases stays a matter of seconds in long reviews.
LONGEST_PHRASE = 64
TEXTS = 512  # unlabelled ones that are held back


def hold_back(rows: "Dataset", task: Task, share: float) -> "tuple[Dataset, Dataset]":
    """Training examples to learn from, and a share of them held back to compare recipes on.

    The same examples are held back whatever the run's seed. Of a task with single texts, `share` of
    the texts that are contained in no other are held back, each with its phrases: the texts that
    occur, as whole words, only in such texts. So no part of a held-back example is learned from
    that another sentence does not have as well, which is how a validation split relates to the
    training split (SST-2's lists a sentence's phrases as examples of their own). Pairs are held
    back one by one, equal ones together; one text of a pair may stand in another pair that is
    learned from, as texts of validation splits do.
    """
    if len(task.columns) > 1:
        sources = [[i] for i in range(len(rows))]
    else:
        sources = whole_texts(rows[task.columns[0]])
    wholes = sorted({whole for found in sources for whole in found})
    chosen = np.random.default_rng(0).permutation(len(wholes))[: round(share * len(wholes))]
    held_wholes = {wholes[i] for i in chosen}
    held = [i for i, found in enumerate(sources) if held_wholes.issuperset(found)]
    texts = task.texts(rows)
    same = {texts[i] for i in held}
    held = [i for i, text in enumerate(texts) if text in same]
    return rows.select(sorted(set(range(len(rows))) - set(held))), rows.select(held)


def hold_back_texts(texts: Sequence[str]) -> "tuple[Dataset, Dataset]":
    """Unlabelled texts to learn from, column `text`, and TEXTS of them (a tenth of few) to compare
    embeddings on: the same ones in whatever order they come, equal texts together."""
    from datasets import Dataset

    different = sorted(set(texts), key=lambda text: (crc32(text.encode()), text))
    held = set(different[: min(TEXTS, len(different) // 10)])
    return (
        Dataset.from_dict({"text": [text for text in texts if text not in held]}),
        Dataset.from_dict({"text": sorted(held)}),
    )


def wholes(texts: Sequence[str]) -> list[int]:
    """The numbers of the texts that are contained in no other; of equal ones the first."""
    return [i for i, found in enumerate(whole_texts(texts)) if found == [i]]


def whole_texts(texts: Sequence[str]) -> list[list[int]]:
    """For each text the texts that contain it and are contained in no other, by number of their
    first example: itself where nothing contains it."""
    words = [tuple(text.split()) for text in texts]
    first: dict[tuple[str, ...], int] = {}
    for i, text in enumerate(words):
        first.setdefault(text, i)
    containers: dict[int, set[int]] = defaultdict(set)
    for container, phrase in _contained(first):
        containers[phrase].add(container)
    return [
        sorted(c for c in containers[first[text]] if not containers[c]) or [first[text]]
        for text in words
    ]


def _contained(first: dict[tuple[str, ...], int]) -> Iterator[tuple[int, int]]:
    """Pairs of a text and a shorter one in it, by number."""
    beginnings = {
        text[:end] for text in first if len(text) <= LONGEST_PHRASE for end in range(1, len(text))
    }
    for text, number in first.items():
        for start in range(len(text)):
            for end in range(start + 1, len(text) + 1):
                span = text[start:end]
                if span in first and first[span] != number:
                    yield number, first[span]
                if span not in beginnings:
                    break
