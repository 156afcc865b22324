"""Examples held back from training."""

from contextlib import nullcontext
from pathlib import Path
from random import Random

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from tiny_teacher import tiny_tokenizer

from inhibi.engine.errors import InputError
from inhibi.kd.data import find_task
from inhibi.kd.held_back import LONGEST_PHRASE, hold_back, hold_back_texts, whole_texts, wholes
from inhibi.kd.recipe import Distillation, Recipe, Stage
from inhibi.kd.run import Run

SENTENCES = [f"film number {i} is fine" for i in range(40)]
PHRASES = [f"number {i} is" for i in range(40)]
SHARED = ["film", "is fine"]  # of every sentence


def examples(texts: list[str]) -> Dataset:
    return Dataset.from_dict({"sentence": texts, "label": [0] * len(texts)})


def test_sentences_are_held_back_with_the_phrases_of_their_own() -> None:
    rows = examples(SENTENCES + PHRASES + SHARED)
    kept, held = hold_back(rows, find_task("sst2"), 0.2)
    sentences = [text for text in held["sentence"] if text in SENTENCES]
    assert len(sentences) == 8
    own = [PHRASES[SENTENCES.index(text)] for text in sentences]
    assert sorted(held["sentence"]) == sorted(sentences + own)
    assert sorted([*kept["sentence"], *held["sentence"]]) == sorted(rows["sentence"])


texts = st.lists(st.sampled_from("ab "), min_size=1, max_size=9).map("".join)


@given(st.lists(texts, min_size=1, max_size=20))
def test_whole_texts_are_those_that_contain_a_text_and_are_in_no_other(rows: list[str]) -> None:
    words = [f" {' '.join(text.split())} " for text in rows]

    def inside(i: int, j: int) -> bool:
        return words[i].strip() != "" and words[i] != words[j] and words[i] in words[j]

    whole = [not any(inside(i, j) for j in range(len(rows))) for i in range(len(rows))]
    for i, found in enumerate(whole_texts(rows)):
        wanted = {words[j] for j in range(len(rows)) if whole[j] and inside(i, j)}
        assert {words[j] for j in found} == (wanted or {words[i]})
        assert len(found) == len({words[j] for j in found})
    assert wholes(rows) == [i for i in range(len(rows)) if whole[i] and words[i] not in words[:i]]


def test_equal_texts_are_held_back_together() -> None:
    rows = examples(["one and the same"] * 5 + SENTENCES[:5])
    for share in (0.2, 0.4, 0.6, 0.8):
        same = list(hold_back(rows, find_task("sst2"), share)[1]["sentence"])
        assert same.count("one and the same") in (0, 5)


def test_long_texts_are_no_phrases() -> None:
    long = " ".join(map(str, range(LONGEST_PHRASE + 1)))
    assert whole_texts([long, f"{long} end"]) == [[0], [1]]
    short = " ".join(map(str, range(LONGEST_PHRASE)))
    assert whole_texts([short, f"{short} end"]) == [[1], [1]]


@given(st.lists(st.integers(0, 30), max_size=90), st.randoms())
def test_no_held_back_text_is_learned_from(numbers: list[int], random: Random) -> None:
    texts = [f"text {number}" for number in numbers]
    learned, held = (list(rows["text"]) for rows in hold_back_texts(texts))
    assert not set(learned) & set(held)
    assert set(learned) | set(held) == set(texts)
    assert len(held) == len(set(texts)) // 10
    random.shuffle(texts)
    assert list(hold_back_texts(texts)[1]["text"]) == held


def test_a_stage_meets_whole_texts_again(tmp_path: Path) -> None:
    columns = {"sentence": [*SENTENCES[:3], *PHRASES[:2]], "label": [0, 1, 0, 1, 0]}
    rows = Dataset.from_dict(columns)
    own = {"train": rows, "validation": rows}
    run = Run(tmp_path, Recipe(), find_task("sst2"), None, (), tiny_tokenizer(), own=own)
    once = run.examples(Stage()).rows
    assert len(once) == 5
    assert run.examples(Stage(whole=2)).rows == once + 2 * once[:3]
    pairs = Run(tmp_path, Recipe(teacher=Stage(whole=1)), find_task("rte"), None, (), run.tokenizer)
    with pytest.raises(InputError, match="set whole = 0"):
        pairs._check_stages()


@pytest.mark.parametrize("entry", ["joined", "replaced", "whole"])
def test_a_task_agnostic_student_learns_from_unlabelled_texts_alone(
    entry: str, tmp_path: Path
) -> None:
    distill = Distillation(**{entry: 1})  # type: ignore[arg-type]
    for agnostic, refused in (
        (True, pytest.raises(InputError, match="on unlabelled texts alone")),
        (False, nullcontext()),
    ):
        recipe = Recipe(task_agnostic=agnostic, distill=distill)
        run = Run(tmp_path, recipe, find_task("sst2"), None, (), tiny_tokenizer())
        with refused:
            run._check_stages()


def test_the_same_examples_are_held_back_always() -> None:
    first, second = (
        hold_back(examples(SENTENCES), find_task("sst2"), 0.1)[1]["sentence"] for _ in range(2)
    )
    assert list(first) == list(second)


def test_pairs_are_held_back_one_by_one() -> None:
    second = [f"b {i}" for i in range(10)]
    rows = Dataset.from_dict({"sentence1": ["a"] * 10, "sentence2": second, "label": [0] * 10})
    kept, held = hold_back(rows, find_task("rte"), 0.3)
    assert (len(kept), len(held)) == (7, 3)


def test_equal_pairs_are_held_back_together() -> None:
    second = ["b"] * 10 + ["c"] * 10
    rows = Dataset.from_dict({"sentence1": ["a"] * 20, "sentence2": second, "label": [0] * 20})
    kept, held = hold_back(rows, find_task("rte"), 0.05)  # draws one of the twenty
    assert sorted([len(kept), len(held)]) == [10, 10]
    assert not set(kept["sentence2"]) & set(held["sentence2"])
