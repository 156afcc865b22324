"""The tokenizer in C against the tokenizers library, with ==."""

import struct
import subprocess
from itertools import product
from pathlib import Path

import pytest
import tiny
from c_tokenizer import Encoder, compile_tokenizer, lettered, packaged_tokenizer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from inhibi.engine.text import Tokenizer

SENTENCES = (Path(__file__).parent / "sentences.txt").read_text("utf-8").splitlines()
RUNNER = Path(__file__).parent / "c" / "encode_records.c"
ALONE = 2**32 - 1
NULL, CAPACITY, UTF8 = -1, -2, -3

TOKENIZERS = {
    "packaged": packaged_tokenizer,
    "tiny": tiny.tokenizer_json,
    "lettered": lettered,
    "cased": lambda: lettered(lowercase=False),
    "accents kept": lambda: lettered(strip_accents=False),
    "unclean, wide ids": lambda: lettered(
        70_000, clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False
    ),
}

# Words that are found, cut into pieces, unknown, special or too long, and all of Latin-1.
PARTS = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=8),
    st.sampled_from(["good", "unaffable", "goodness", " ", "a" * 99, "é" * 50, "[SEP]", "[MASK]"]),
    st.sampled_from(["[MASK", "[CLS] ", "[sep]", "[PAD]", "[[SEP]]", "\u0301", "\u2019", "中"]),
)
LATIN_1 = st.lists(PARTS, max_size=12).map("".join)


class Both:
    """C and library. `same` asserts that they are equal."""

    def __init__(self, tokenizer_json: str, folder: Path) -> None:
        self.c = Encoder(tokenizer_json, folder)
        self.library = Tokenizer(tokenizer_json, max_tokens=10**6)

    def same(self, text: str, capacity: int = 4096) -> None:
        assert self.c(text.encode(), capacity) == self.library.encode(text, capacity).ids

    def same_pair(self, a: str, b: str, capacity: int) -> None:
        expected = self.library.encode((a, b), capacity)
        found = self.c.pair(a.encode(), b.encode(), capacity)
        assert found == (expected.ids, expected.type_ids)


@pytest.fixture(scope="module", params=TOKENIZERS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(TOKENIZERS[request.param](), tmp_path_factory.mktemp("tokenizer"))


def test_sentences_of_every_kind(both: Both) -> None:
    for sentence in SENTENCES:
        both.same(sentence)
        both.same(sentence, 20)


def test_every_character_of_latin_1(both: Both) -> None:
    for code in range(256):
        c = chr(code)
        both.same(c)
        both.same(f"a{c}b good{c} {c}film {c}{c} \u00e9{c}\u0301")


def test_every_character_of_the_first_planes(both: Both) -> None:
    """With a space and without, the one before the other's neighbour."""
    for start in range(0, 0x20000, 256):
        codes = [c for c in range(start, start + 256) if not 0xD800 <= c < 0xE000]
        both.same("".join(f"a{chr(c)} {chr(c)}{chr(c)}b" for c in codes))


@pytest.mark.slow
def test_every_code_point(both: Both) -> None:
    for start in range(0, 0x110000, 256):
        codes = [c for c in range(start, start + 256) if not 0xD800 <= c < 0xE000]
        both.same("".join(f" a{chr(c)}b" for c in codes))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LATIN_1, st.integers(3, 12) | st.just(4096))
@example("good" * 30 + "\u00e9" * 80, 4)
def test_latin_1_and_special_tokens(both: Both, text: str, capacity: int) -> None:
    both.same(text, capacity)


@given(st.text(), st.text(st.characters(categories=["L", "M", "P", "Z", "C"], exclude_categories=["Cs"])))
def test_any_text(both: Both, a: str, b: str) -> None:
    both.same(a)
    both.same_pair(b, a, 12)


@pytest.mark.parametrize("length", [99, 100, 101, 102, 1000])
@pytest.mark.parametrize("letter", ["a", "\u00e9", "e\u0301", "\u4e2d", "\U00010428", "\uac01"])
def test_a_word_of_more_than_100_characters_is_unknown(
    both: Both, letter: str, length: int
) -> None:
    both.same(letter * length)
    both.same(f"good {letter * length} good", 50)
    both.same("a" + letter * (length - 1) + "\u0301" + "!")


@pytest.mark.parametrize("capacity", range(3, 16))
def test_a_text_is_cut_at_its_end(both: Both, capacity: int) -> None:
    """Also inside a word, and inside one that turns out to be unknown."""
    for text in ("", "good", "good film goodness", "goodinga " * 4, "a good filmgoodq\u2603 [SEP]"):
        both.same(text, capacity)


@pytest.mark.parametrize("capacity", range(5, 15))
def test_of_a_pair_the_longer_text_is_cut_first(both: Both, capacity: int) -> None:
    for lengths in product(range(10), range(10)):
        a, b = ("good " * lengths[0], "film" * lengths[1])
        both.same_pair(a, b, capacity)
    both.same_pair(SENTENCES[0], SENTENCES[1], capacity)


@given(st.binary(max_size=12) | LATIN_1.map(str.encode), st.data())
def test_what_is_no_utf8_is_refused(both: Both, text: bytes, data: st.DataObject) -> None:
    text = text[: data.draw(st.integers(0, len(text)))]
    try:
        expected: int | list[int] = both.library.encode(text.decode(), 4096).ids
    except UnicodeDecodeError:
        expected = UTF8
    assert both.c(text, 4096) == expected
    if expected == UTF8:
        assert both.c.pair(b"good", text, 5) == both.c.pair(text, b"good", 5) == UTF8


@pytest.mark.parametrize("head", range(0x80, 0x100))
def test_every_first_byte_of_utf8(both: Both, head: int) -> None:
    for rest in (b"", b"\x80", b"\xbf\xbf", b"\x80\x80", b"\x9f\xbf", b"\xa0\x80", b"\x8f\xbf\xbf"):
        for more in (b"", b"\x80", b" "):
            text = bytes([head]) + rest + more
            try:
                text.decode()
            except UnicodeDecodeError:
                assert both.c(text, 9) == UTF8
            else:
                both.same(text.decode(), 9)
