"""Token ids to run the models on: SST-2 sentences where there are data, else random ones."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inhibi.engine.model import Model

CALIBRATION = 100  # sentences, of the training split
LENGTH = 128  # tokens of a sentence at most, in calibration


@dataclass(frozen=True)
class Sentences:
    """labels and texts, of the validation split, are None for random ids."""

    calibration: list[list[int]]
    validation: list[list[int]]
    labels: list[int] | None
    texts: list[str] | None


def sentences(model: Model, folder: str | None) -> Sentences:
    """SST-2 from `folder` or INHIBI_DATA; random ids where neither is given."""
    if not (folder or os.environ.get("INHIBI_DATA")):
        return _random(model)
    from inhibi.kd.data import find_task, load_split

    task = find_task("sst2")
    train, validation = (load_split(task, split, folder) for split in ("train", "validation"))
    rows = np.random.default_rng(0).choice(len(train), CALIBRATION, replace=False)
    texts = list(validation["sentence"])
    return Sentences(
        calibration=_encode(model, [train[int(row)]["sentence"] for row in rows]),
        validation=_encode(model, texts),
        labels=list(validation["label"]),
        texts=texts,
    )


def random_ids(model: Model, batch: int, tokens: int) -> list[list[int]]:
    """`batch` sentences of `tokens` ids each."""
    random = np.random.default_rng(tokens)
    return random.integers(0, model.metadata.vocabulary, (batch, tokens)).tolist()


def _encode(model: Model, texts: Sequence[str]) -> list[list[int]]:
    longest = min(LENGTH, model.metadata.max_tokens)
    return [sentence.ids for sentence in model.encode(texts, longest)]


def _random(model: Model) -> Sentences:
    longest = min(64, model.metadata.max_tokens)
    lengths = np.random.default_rng(0).integers(3, longest, 2 * CALIBRATION)
    drawn = [random_ids(model, 1, int(n))[0] for n in lengths]
    return Sentences(drawn[:CALIBRATION], drawn[CALIBRATION:], None, None)
