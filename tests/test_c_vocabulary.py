"""The generated tables, and the tokenizers that have none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
from c_tokenizer import Encoder, bert, lettered, packaged_tokenizer

from inhibi.engine.errors import InputError
from inhibi.engine.text import Tokenizer
from inhibi.export.c.trie import pack
from inhibi.export.c.vocabulary import sources

Edit = Callable[[dict[str, Any]], object]


def test_the_same_text_gives_the_same_files() -> None:
    first, second = sources(lettered()), sources(lettered())
    assert list(first) == ["vocabulary.c", "vocabulary.h", "model_id.h"]
    assert first == second


def test_a_trie_is_as_its_documentation_says() -> None:
    assert pack({}, 2) == b"\x80\xff"
    assert pack({"a": 1, "abc": 258, "b": 3}, 2) == (
        b"\x50a\x01\x00\x05" + b"\xc1bc\x02\x01" + b"\xc0b\x03\x00"
    )
    assert pack({"x" * 20: 7}, 1) == b"\x9f" + b"x" * 16 + b"\x06" + b"\xc3xxxx\x07"


@pytest.mark.parametrize(
    ("largest", "type_"), [(255, "uint16_t"), (65_535, "uint16_t"), (65_536, "uint32_t")]
)
def test_an_id_is_as_wide_as_it_must_be(largest: int, type_: str, tmp_path: Path) -> None:
    words = [f"w{i:x}" for i in range(200)]
    made = bert(words, largest + 1 - len([*tiny.SPECIAL, *words]))
    assert f"typedef {type_} model_id;" in sources(made)["model_id.h"]
    text = "wc7 w0 w64 w [MASK] wc7"
    expected = Tokenizer(made, 100).encode(text).ids
    assert max(expected) == largest
    assert Encoder(made, tmp_path)(text.encode(), 100) == expected


def test_the_packaged_tokenizer_is_small() -> None:
    """Words that no text has, such as [unused0], are left out."""
    source = sources(packaged_tokenizer())["vocabulary.c"]
    assert "23694 words, 5492 pieces that continue one; 175" in source.splitlines()[0]


def edited(edit: Edit) -> str:
    made = json.loads(tiny.tokenizer_json())
    edit(made)
    return json.dumps(made)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda t: t["model"].update(unk_token="none"), "its vocabulary has no 'none'"),
        (lambda t: t["model"].update(continuing_subword_prefix="@"), "'@', not '##'"),
        (lambda t: t["model"].update(max_input_chars_per_word=1001), "1001, more than 1000"),
        (lambda t: t.update(model={"type": "BPE", "vocab": {}, "merges": []}), "model is BPE"),
        (lambda t: t.update(normalizer=None), "its normalizer is none, not BertNormalizer"),
        (lambda t: t.update(normalizer={"type": "Lowercase"}), "normalizer is Lowercase"),
        (lambda t: t.update(pre_tokenizer={"type": "Whitespace"}), "pre_tokenizer is Whitespace"),
        (lambda t: t.update(post_processor=None), "post_processor is none"),
        (lambda t: t["post_processor"]["single"].pop(), "template is not"),
        (lambda t: t["post_processor"]["single"].clear(), "template is not"),
        (lambda t: t["post_processor"]["pair"][3]["Sequence"].update(type_id=0), "template is not"),
        (lambda t: t["added_tokens"].append(added(single_word=True)), "'x' is single_word"),
        (lambda t: t["added_tokens"].append(added(normalized=True)), "'x' is normalized"),
    ],
)
def test_another_tokenizer_is_refused(edit: Edit, reason: str) -> None:
    with pytest.raises(InputError, match=r"is not BERT's WordPiece: .*; take a") as raised:
        sources(edited(edit))
    assert reason in str(raised.value)


def added(**rules: bool) -> dict[str, object]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": 9, "content": "x", "special": False, **plain, **rules}


def test_what_is_no_tokenizer_is_refused() -> None:
    with pytest.raises(InputError, match="tokenizer cannot be read"):
        sources("{}")
