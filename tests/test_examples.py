"""Batches of similar length, the same after every start; padding; texts that are cut or joined."""

from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from tiny_teacher import tiny_tokenizer

from inhibi.kd.data import find_task
from inhibi.kd.examples import NO_LABEL, Example, Padding, batches, joined, replaced, unlabelled

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 8), st.integers(1, 200), st.integers(0, 3))
def test_batches_keep_their_limits(lengths: list[int], size: int, tokens: int, seed: int) -> None:
    made = batches(lengths, 50, size, tokens, seed)
    assert len(made) == 50
    assert made == batches(lengths, 50, size, tokens, seed)
    for batch in made:
        assert 1 <= len(batch) <= size
        widest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or len(batch) * widest <= tokens


@given(LENGTHS, st.integers(1, 8))
def test_a_pass_takes_every_example_once(lengths: list[int], size: int) -> None:
    made = batches(lengths, 1000, size, 10**6, 0)
    one_pass = -(-len(lengths) // size) if len(lengths) <= 100 * size else None
    if one_pass:
        assert sorted(i for batch in made[:one_pass] for i in batch) == list(range(len(lengths)))


def test_padding() -> None:
    rows: list[Example] = [
        {"input_ids": [2, 5, 3], "token_type_ids": [0, 0, 0], "label": 1.0},
        {"input_ids": [2, 3], "token_type_ids": [0, 1], "label": float(NO_LABEL)},
    ]
    batch = Padding(pad=9, regression=False)(rows)
    assert batch["input_ids"].tolist() == [[2, 5, 3], [2, 3, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0], [0, 1, 0]]
    assert batch["labels"].tolist() == [1, NO_LABEL]


def test_unlabelled_texts_are_cut_but_end_with_the_separator() -> None:
    tokenizer = tiny_tokenizer()
    made = unlabelled(["good film " * 30] * 20, 20, tokenizer, 12, seed=0)
    lengths = [len(row["input_ids"]) for row in made]  # type: ignore[arg-type]
    assert min(lengths) >= 8
    assert max(lengths) <= 12
    assert len(set(lengths)) > 1
    ends = {row["input_ids"][-1] for row in made}  # type: ignore[index]
    assert ends == {tokenizer.sep_token_id}
    assert all(row["label"] == NO_LABEL for row in made)


def test_some_tokens_are_replaced_by_others_of_the_examples() -> None:
    pairs: list[Example] = [
        {"input_ids": [2, *range(k, k + 50), 3, 9, 3], "token_type_ids": [0] * 52 + [1] * 2}
        | {"label": 1.0}
        for k in (10, 60)
    ]
    made = replaced(pairs, 41, {2, 3}, seed=0)
    assert made == replaced(pairs, 41, {2, 3}, seed=0)
    assert made != replaced(pairs, 41, {2, 3}, seed=1)
    assert len(made) == 41
    shares, counts = [], [0, 0]
    for example in made:
        ids: list[int] = example["input_ids"]  # type: ignore[assignment]
        distances = [sum(a != b for a, b in zip(ids, p["input_ids"], strict=True)) for p in pairs]
        origin = distances.index(min(distances))
        counts[origin] += 1
        shares.append(min(distances) / 51)
        assert example["token_type_ids"] == pairs[origin]["token_type_ids"]
        assert example["label"] == NO_LABEL
        assert (ids[0], ids[51], ids[53]) == (2, 3, 3)
        assert set(ids) <= {2, 3, 9, *range(10, 110)}
    assert sorted(counts) == [20, 21]  # each as often as the others
    assert 0.2 < sum(shares) / 41 < 0.3  # from 0.1 to 0.4 each
    assert min(shares) < 0.15
    assert max(shares) > 0.33


def test_joined_texts_are_of_one_label_and_of_all_lengths() -> None:
    sentences = {"good": 1, "a great film and very warm": 1, "bad": 0}
    rows = Dataset.from_dict({"sentence": list(sentences), "label": list(sentences.values())})
    task, tokenizer = find_task("sst2"), tiny_tokenizer()
    made = joined(rows, task, 300, tokenizer, 66, 0)
    assert made == joined(rows, task, 300, tokenizer, 66, 0)
    words = [tokenizer.decode(e["input_ids"], skip_special_tokens=True).split() for e in made]
    for example, text in zip(made, words, strict=True):
        same = " ".join(s for s, label in sentences.items() if label == example["label"])
        assert set(text) <= set(same.split())
    lengths = sorted(map(len, words))
    assert 16 <= lengths[0] < 20
    assert lengths[-1] == 64
    assert 28 < lengths[150] < 40  # half of the octaves from 16 to 66
    drawn = [text for text in words if "bad" not in text]
    goods, greats = (sum(text.count(word) for text in drawn) for word in ("good", "great"))
    assert 0.1 < goods / greats < 0.25  # by their words: 1 / 6
