"""From texts to batches of token ids: tokenization, batches by length, padding."""

import random
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from inhibi.engine.errors import InputError
from inhibi.kd.data import Task

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

NO_LABEL = -100
SHORTEST_JOINED = 16  # words
REPLACED = (0.1, 0.4)  # shares of an example's tokens
POOL = 100  # batches that are sorted by length together

Example = dict[str, list[int] | float]


class Examples(TorchDataset[Example]):
    """Token ids and labels, one dict an example; unlabelled texts carry the label NO_LABEL."""

    def __init__(self, rows: list[Example]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        return self.rows[index]

    def lengths(self) -> list[int]:
        """Tokens of each example."""
        return [len(_ids(row)) for row in self.rows]


def labelled(
    rows: "Dataset", task: Task, tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[Example]:
    """The examples of a task's split, cut at `max_length` tokens."""
    texts = [list(rows[column]) for column in task.columns]
    encoded = tokenizer(*texts, truncation=True, max_length=max_length)
    return _examples(encoded, label_ids(rows, task))


def label_ids(rows: "Dataset", task: Task) -> list[float]:
    """Ids in the task's order of labels, by name where the data carry names; scores as they are.

    Raises `InputError` where the names are others.
    """
    names = getattr(rows.features["label"], "names", None)
    labels = [float(label) for label in rows["label"]]
    if names is None or task.labels is None or tuple(names) == task.labels:
        return labels
    if set(names) != set(task.labels):
        raise InputError(
            f"{task.name} has the labels {', '.join(task.labels)}, the data have {', '.join(names)}"
        )
    return [float(task.labels.index(names[int(label)])) for label in labels]


def unlabelled(
    texts: list[str],
    count: int,
    tokenizer: "PreTrainedTokenizerBase",
    max_length: int,
    seed: int,
) -> list[Example]:
    """`count` of the texts, each cut at a length drawn between 8 and `max_length` tokens."""
    draw = random.Random(seed)
    chosen = draw.sample(texts, min(count, len(texts)))
    encoded = tokenizer(chosen, truncation=True, max_length=max_length)
    examples = _examples(encoded, [float(NO_LABEL)] * len(chosen))
    return [cut(example, draw.randint(8, max_length)) for example in examples]


def joined(
    rows: "Dataset",
    task: Task,
    count: int,
    tokenizer: "PreTrainedTokenizerBase",
    max_length: int,
    seed: int,
) -> list[Example]:
    """`count` longer texts made of training texts of one label, so that a student meets every
    length.

    Target lengths are spread evenly over octaves, from SHORTEST_JOINED words to `max_length`
    tokens. A training text is drawn as often as it is long: sentences more often than phrases.
    """
    draw = random.Random(seed)
    by_label: dict[float, list[str]] = {}
    for text, label in zip(rows[task.columns[0]], label_ids(rows, task), strict=True):
        by_label.setdefault(label, []).append(text.strip())
    words = {
        label: list(accumulate(len(text.split()) for text in same))
        for label, same in by_label.items()
    }
    texts, labels = [], []
    for _ in range(count):
        label = draw.choice(sorted(by_label))
        goal = SHORTEST_JOINED * (max_length / SHORTEST_JOINED) ** draw.random()
        text = ""
        while len(text.split()) < goal:
            text += " " + draw.choices(by_label[label], cum_weights=words[label])[0]
        texts.append(text.strip())
        labels.append(label)
    return _examples(tokenizer(texts, truncation=True, max_length=max_length), labels)


def replaced(
    examples: Sequence[Example], count: int, special: Collection[int], seed: int
) -> list[Example]:
    """`count` of the examples with a share of their tokens, drawn from REPLACED, replaced by tokens
    of any of them; without label: only a teacher knows what they mean now.

    special: ids that stay and replace none. After TinyBERT's data augmentation (arXiv 1909.10351),
    which draws words from a language model.
    """
    draw = random.Random(seed)
    tokens = [i for example in examples for i in _ids(example) if i not in special]
    all_of_them = range(len(examples))
    order = [
        i
        for _ in range(count // len(examples) + 1)
        for i in draw.sample(all_of_them, len(all_of_them))
    ]
    made = []
    for i in order[:count]:
        share = draw.uniform(*REPLACED)
        ids = [
            x if x in special or draw.random() >= share else draw.choice(tokens)
            for x in _ids(examples[i])
        ]
        made.append(examples[i] | {"input_ids": ids, "label": float(NO_LABEL)})
    return made


def _ids(example: Example) -> list[int]:
    return example["input_ids"]  # type: ignore[return-value]


def cut(example: Example, length: int) -> Example:
    """The first tokens and the last one ([SEP])."""
    return {
        name: value
        if isinstance(value, float) or len(value) <= length
        else [*value[: length - 1], value[-1]]
        for name, value in example.items()
    }


def _examples(encoded: "dict[str, list[list[int]]]", labels: list[float]) -> list[Example]:
    names = [name for name in ("input_ids", "token_type_ids") if name in encoded]
    columns = [encoded[name] for name in names]
    return [
        {**dict(zip(names, values, strict=True)), "label": label}
        for *values, label in zip(*columns, labels, strict=True)
    ]


def batches(
    lengths: Sequence[int], steps: int, batch_size: int, batch_tokens: int, seed: int
) -> list[list[int]]:
    """`steps` lists of example numbers of similar length, passing over the data as often as needed.

    A batch holds at most `batch_size` examples and about `batch_tokens` padded tokens. All
    randomness comes from `seed`: a resumed run sees the same batches.
    """
    if not lengths:
        raise ValueError("no examples")
    draw = random.Random(seed)
    made: list[list[int]] = []
    while len(made) < steps:
        made += _pass(lengths, batch_size, batch_tokens, draw)
    return made[:steps]


def steps_within(
    lengths: Sequence[int], steps: int, passes: int, batch_size: int, batch_tokens: int
) -> int:
    """`steps`, or as many as `passes` over the data have where that is fewer (0: no limit)."""
    if not passes:
        return steps
    return min(steps, passes * len(_pass(lengths, batch_size, batch_tokens, random.Random(0))))


def _pass(
    lengths: Sequence[int], batch_size: int, batch_tokens: int, draw: random.Random
) -> list[list[int]]:
    order = list(range(len(lengths)))
    draw.shuffle(order)
    pool = POOL * batch_size
    made = [
        batch
        for start in range(0, len(order), pool)
        for batch in _cut_batches(
            sorted(order[start : start + pool], key=lambda i: lengths[i]),
            lengths,
            batch_size,
            batch_tokens,
        )
    ]
    draw.shuffle(made)
    return made


def _cut_batches(
    order: list[int], lengths: Sequence[int], batch_size: int, batch_tokens: int
) -> Iterator[list[int]]:
    batch: list[int] = []
    for i in order:
        if batch and (len(batch) == batch_size or (len(batch) + 1) * lengths[i] > batch_tokens):
            yield batch
            batch = []
        batch.append(i)
    yield batch


class Padding:
    """Collates examples into tensors [B,T], padded to the longest, with mask and labels."""

    def __init__(self, pad: int, regression: bool) -> None:
        self.pad = pad
        self.label_type = torch.float32 if regression else torch.int64

    def __call__(self, examples: list[Example]) -> dict[str, Tensor]:
        ids = [_ids(example) for example in examples]
        width = max(len(row) for row in ids)
        batch = {
            "input_ids": _padded(ids, width, self.pad),
            "attention_mask": _padded([[1] * len(row) for row in ids], width, 0),
            "labels": torch.tensor([e["label"] for e in examples]).to(self.label_type),
        }
        if "token_type_ids" in examples[0]:
            batch["token_type_ids"] = _padded([e["token_type_ids"] for e in examples], width, 0)
        return batch


def _padded(rows: Sequence[list[int] | float], width: int, fill: int) -> Tensor:
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows])  # type: ignore[misc,arg-type]
