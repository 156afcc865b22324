"""The tokenizer in C against the tokenizers library, with ==."""

import ctypes
import struct
import subprocess
from itertools import product
from pathlib import Path

import pytest
import tiny
from c_tokenizer import Encoder, compile_tokenizer, lettered, packaged_tokenizer
from hypothesis import example, given, settings
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
WORDS = ["good", "unaffable", "goodness", " ", "a" * 99, "\u00e9" * 50, "\U00010428" * 101]
SPECIAL = ["[SEP]", "[MASK]", "[MASK", "[CLS] ", "[sep]", "[[SEP]]", "\u0301", "\u2019", "\u4e2d"]
PARTS = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=8), st.sampled_from(WORDS + SPECIAL)
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


# The alphabets, the first Hangul syllables, ideographs' other forms, and musical symbols.
@pytest.mark.parametrize(
    "codes",
    [
        range(0x3400),
        range(0xAC00, 0xAD00),
        range(0xF900, 0xFB00),
        range(0x1D100, 0x1D200),
        pytest.param(range(0x110000), marks=pytest.mark.slow),
    ],
    ids=lambda codes: f"{codes[0]:X}-{codes[-1]:X}",
)
def test_every_code_point(both: Both, codes: range) -> None:
    for start in codes[::256]:
        block = [chr(c) for c in range(start, start + 256) if not 0xD800 <= c < 0xE000]
        both.same("".join(f"a{c} {c}{c}b" for c in block))


@given(LATIN_1, st.integers(3, 12) | st.just(4096))
@example("good" * 30 + "\u00e9" * 80, 4)
def test_latin_1_and_special_tokens(both: Both, text: str, capacity: int) -> None:
    both.same(text, capacity)


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
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
    if is_utf8(text):
        both.same(text.decode())
    else:
        assert both.c(text, 3) == UTF8
        assert both.c.pair(b"good", text, 5) == both.c.pair(text, b"good", 5) == UTF8


def test_the_borders_of_utf8(both: Both) -> None:
    """Each first byte with the first and last bytes that may follow one, and too many or few."""
    tails = [
        bytes(tail) for n in range(4) for tail in product(b"\x7f\x80\x8f\x90\x9f\xa0\xbf", repeat=n)
    ]
    for head, tail in product(range(0xBF, 256), tails):
        refused = both.c(bytes([head]) + tail, 9) == UTF8
        assert refused == (not is_utf8(bytes([head]) + tail))


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("argument", range(8))
def test_null_pointers_are_refused(both: Both, argument: int) -> None:
    number = ctypes.c_size_t
    single = [b"a", number(1), (both.c.id * 9)(), number(9), ctypes.byref(number())]
    pair = [*single[:2], *single, ctypes.byref(number())]
    for function, values in (("tokenizer_encode", single), ("tokenizer_encode_pair", pair)):
        if argument < len(values) and not isinstance(values[argument], number):
            values[argument] = None
            assert getattr(both.c.library, function)(*values) == NULL


def test_too_little_room_is_refused(both: Both) -> None:
    assert [both.c(b"a", capacity) for capacity in range(3)] == [CAPACITY] * 3
    assert [both.c.pair(b"a", b"b", capacity) for capacity in range(5)] == [CAPACITY] * 5


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Memory of a text and of the ids ends where they end."""
    sanitize = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    folder = tmp_path_factory.mktemp("sanitized")
    return compile_tokenizer(lettered(), folder, *sanitize, extra=(RUNNER,))


@settings(max_examples=10)
@example([(text, text, 5, alone, 0) for text in (*WORDS, *SPECIAL) for alone in (True, False)])
@given(st.lists(st.tuples(PARTS, LATIN_1, st.integers(5, 30), st.booleans(), st.integers(0, 3))))
def test_sanitizers_find_nothing(
    sanitized: Path, texts: list[tuple[str, str, int, bool, int]]
) -> None:
    """Texts cut off anywhere, also inside a character."""
    records, expected = b"", []
    library = Tokenizer(lettered(), max_tokens=100)
    for a, b, capacity, alone, cut in texts:
        second = b.encode()[: len(b.encode()) - cut]
        sizes = (capacity, len(a.encode()), ALONE if alone else len(second))
        records += struct.pack("=3I", *sizes) + a.encode() + b"" * alone + second * (not alone)
        expected.append(line(library, a.encode(), None if alone else second, capacity))
    done = subprocess.run([sanitized], input=records, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == expected


def line(library: Tokenizer, a: bytes, b: bytes | None, capacity: int) -> str:
    """What the program prints."""
    if not is_utf8(a) or not is_utf8(b or b""):
        return str(UTF8)
    text = a.decode() if b is None else (a.decode(), b.decode())
    made = library.encode(text, capacity)
    second = made.type_ids.index(1) if b is not None else None
    shown = [f"| {token}" if i == second else str(token) for i, token in enumerate(made.ids)]
    return " ".join(["0", *shown])
