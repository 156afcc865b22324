"""Examples held back from training."""

from datasets import Dataset

from inhibi.kd.data import find_task, hold_back

SENTENCES = [f"film number {i} is fine" for i in range(40)]
PHRASES = [f"number {i} is" for i in range(40)]


def test_held_back_examples_and_their_phrases_are_not_trained_on() -> None:
    rows = Dataset.from_dict({"sentence": SENTENCES + PHRASES, "label": [0, 1] * 40})
    kept, held = hold_back(rows, find_task("sst2"), 0.2)
    assert len(held) == 16
    texts = [f" {text} " for text in held["sentence"]]
    assert not [text for text in kept["sentence"] if any(f" {text} " in one for one in texts)]
    sentences = sum(text in SENTENCES for text in held["sentence"])
    assert 0 < sentences < 16
    phrases = {text for text in PHRASES if any(f" {text} " in one for one in texts)}
    assert len(kept) == 80 - len(set(held["sentence"]) | phrases)


def test_the_same_examples_are_held_back_always() -> None:
    rows = Dataset.from_dict({"sentence": SENTENCES, "label": [0, 1] * 20})
    first, second = (hold_back(rows, find_task("sst2"), 0.1)[1]["sentence"] for _ in range(2))
    assert list(first) == list(second)


def test_pairs_are_held_back_one_by_one() -> None:
    rows = Dataset.from_dict({"sentence1": ["a"] * 10, "sentence2": ["b"] * 10, "label": [0] * 10})
    kept, held = hold_back(rows, find_task("rte"), 0.3)
    assert (len(kept), len(held)) == (7, 3)
