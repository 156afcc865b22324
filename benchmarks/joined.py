"""Longer texts of known label: validation sentences of one label joined to about a length."""

import random
from collections.abc import Callable, Sequence

from inhibi.engine.text import Text, Tokenizer
from inhibi.eval.examples import Examples
from inhibi.kd.data import Task

LENGTHS = (64, 128, 256)  # tokens
TEXTS = 400  # of each length
TASKS = ("sst2",)  # a label that sentences keep when they are joined
SLACK = 0.1  # of the length
SEED = 0

Count = Callable[[str], int]


def joined_examples(
    task: Task, rows: Examples, tokenizer: Tokenizer, lengths: Sequence[int] = LENGTHS
) -> dict[int, Examples]:
    """By length, of those that the tokenizer does not cut; nothing for other tasks.

    They depend on the examples and the tokenizer alone: all models of a task get the same texts.
    """
    if task.name not in TASKS or rows.labels is None:
        return {}

    def tokens(text: str) -> int:
        return tokenizer.encode(text).whole

    fitting = [n for n in lengths if (1 + SLACK) * n < tokenizer.max_tokens]
    return {n: _examples(rows, n, tokens) for n in fitting}


def _examples(rows: Examples, length: int, tokens: Count) -> Examples:
    labels = [int(label) for label in rows.references]
    texts, goal = join([str(text) for text in rows.texts], labels, length, tokens, TEXTS)
    made: list[Text] = list(texts)
    return Examples(made, [float(label) for label in goal], rows.labels, [])


def join(
    texts: Sequence[str], labels: Sequence[int], length: int, tokens: Count, count: int
) -> tuple[list[str], list[int]]:
    """`count` texts of `length` tokens give or take a tenth, and their labels, in turns.

    tokens: how many tokens a text has, markers included.
    """
    draw = random.Random(SEED)
    names = sorted(set(labels))
    same = {
        name: [t.strip() for t, label in zip(texts, labels, strict=True) if label == name]
        for name in names
    }
    made: list[str] = []
    while len(made) < count:
        sentences = same[names[len(made) % len(names)]]
        text = draw.choice(sentences)
        while tokens(text) < (1 - SLACK) * length:
            text += " " + draw.choice(sentences)
        if tokens(text) <= (1 + SLACK) * length:
            made.append(text)
    return made, [names[i % len(names)] for i in range(count)]
