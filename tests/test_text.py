"""Text to token ids, against the tokenizers library's own truncation."""

import json
from itertools import product
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tiny import tokenizer_json

from inhibi.engine.errors import InputError
from inhibi.engine.text import Tokenizer

SENTENCES = (Path(__file__).parent / "sentences.txt").read_text("utf-8").splitlines()
TINY = Tokenizer(tokenizer_json(), max_tokens=40)


def library(max_length: int) -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer.from_str(tokenizer_json())
    made.enable_truncation(max_length)
    return made


def test_padding_and_truncation_of_the_file_are_cleared() -> None:
    padded = tokenizers.Tokenizer.from_str(tokenizer_json())
    padded.enable_padding(length=128)
    padded.enable_truncation(4)
    tokenizer = Tokenizer(padded.to_str(), max_tokens=40)
    assert len(tokenizer.encode("good").ids) == 3
    assert len(tokenizer.encode("good good good good").ids) == 6


def test_a_pair_has_two_token_types() -> None:
    encoded = TINY.encode(("good film", "bad"))
    assert encoded.type_ids == [0, 0, 0, 0, 1, 1]
    assert len(encoded.ids) == 6


def test_an_empty_text_is_the_special_tokens_alone() -> None:
    assert len(TINY.encode("").ids) == 2


def test_a_sentence_of_every_kind_is_encoded_as_the_library_does() -> None:
    assert len(SENTENCES) >= 200
    cut = library(40)
    for sentence in SENTENCES:
        assert TINY.encode(sentence).ids == cut.encode(sentence).ids
    assert any(TINY.encode(sentence).truncated for sentence in SENTENCES)
    assert not all(TINY.encode(sentence).truncated for sentence in SENTENCES)


@pytest.mark.parametrize("length", range(5, 12))
def test_pairs_of_all_lengths_are_cut_like_the_library_does(length: int) -> None:
    cut = library(length)
    for pair in product(["good " * n for n in range(10)], ["bad " * n for n in range(10)]):
        ours, theirs = TINY.encode(pair, length), cut.encode(*pair)
        assert (ours.ids, ours.type_ids) == (theirs.ids, theirs.type_ids)
        assert ours.truncated == bool(theirs.overflowing)


@given(st.text(), st.integers(3, 40))
def test_any_text_is_cut_like_the_library_does(text: str, length: int) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        with pytest.raises(InputError, match="valid Unicode"):
            TINY.encode(text, length)
        return
    ours, theirs = TINY.encode(text, length), library(length).encode(text)
    assert (ours.ids, ours.type_ids) == (theirs.ids, theirs.type_ids)
    assert len(ours.ids) <= length
    assert ours.truncated == bool(theirs.overflowing)


def test_whole_counts_the_tokens_before_the_cut() -> None:
    encoded = TINY.encode("good " * 100, 10)
    assert (len(encoded.ids), encoded.whole, encoded.truncated) == (10, 102, True)
    assert not TINY.encode("good " * 38).truncated


@pytest.mark.parametrize(("text", "length"), [("a", 2), ("a", 41), ("a", 0), (("a", "b"), 4)])
def test_a_length_out_of_range_is_refused(text: str | tuple[str, str], length: int) -> None:
    with pytest.raises(InputError, match=f"length {length} is out of range"):
        TINY.encode(text, length)


@pytest.mark.parametrize("text", ["\udcff", ("a", "\ud800"), ("a", "b", "c"), ()])
def test_what_is_no_text_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        TINY.encode(text)


@pytest.mark.parametrize("damaged", ["", "{}", tokenizer_json()[:-10], json.dumps([1])])
def test_a_damaged_tokenizer_is_refused(damaged: str) -> None:
    with pytest.raises(InputError, match="tokenizer cannot be read"):
        Tokenizer(damaged, 40)
