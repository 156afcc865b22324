"""Batches of similar length, the same after every start; padding; texts that are cut or joined."""

from hypothesis import given
from hypothesis import strategies as st
from tiny_teacher import tiny_tokenizer

from inhibi.kd.examples import NO_LABEL, Example, Padding, batches, unlabelled

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
