"""What `infer` makes of the bytes it reads."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhibi.engine import lines
from inhibi.engine.errors import InputError
from inhibi.engine.lines import arriving, parse, read


class Pieces:
    """A stream whose bytes arrive in given pieces, like a pipe with a slow writer."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = list(pieces)

    def read1(self, size: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


@given(st.lists(st.binary(min_size=1)), st.integers(1, 5))
def test_lines_do_not_depend_on_the_pieces_they_arrive_in(pieces: list[bytes], most: int) -> None:
    batches = list(arriving(Pieces(pieces), most))
    expected = b"".join(pieces).split(b"\n")
    if expected[-1] == b"":  # what follows the last line's end is no line
        expected.pop()
    assert [line for batch in batches for line in batch] == expected
    assert all(1 <= len(batch) <= most for batch in batches)


def test_a_line_is_given_before_the_next_one_arrives() -> None:
    stream = Pieces([b"one\ntw", b"o\nthree\nfour\n"])
    batches = arriving(stream, most=32)
    assert next(batches) == [b"one"]
    assert stream.pieces == [b"o\nthree\nfour\n"]
    assert next(batches) == [b"two", b"three", b"four"]


def test_a_long_line_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CHUNK", 7)
    stream = io.BufferedReader(io.BytesIO(b"x" * 1000 + b"\ny"))
    assert list(arriving(stream, 4)) == [[b"x" * 1000], [b"y"]]


@pytest.mark.parametrize(
    ("raw", "fields", "text"),
    [
        (b"good film", 1, "good film"),
        (b"good film\r", 1, "good film"),
        (b" a\x0bb\xe2\x80\xa8c ", None, " a\x0bb\u2028c "),
        (b"a\tb", None, ("a", "b")),
        (b"a\tb", 2, ("a", "b")),
        (b"a\tb", 1, "a\tb"),
    ],
)
def test_a_line_is_a_text_or_a_pair(raw: bytes, fields: int | None, text: object) -> None:
    line = parse(raw, "line 1", fields)
    assert line.text == text
    assert not line.problem
    assert bool(line.note) == (fields == 1 and b"\t" in raw)


@pytest.mark.parametrize(
    ("raw", "fields", "problem"),
    [
        (b"", 1, "is empty"),
        (b" \t\r", 2, "is empty"),
        (b"ab\xff", 1, "is not valid UTF-8 at byte 3"),
        (b"%PDF-1.7 \xe2\xe3", None, "is not valid UTF-8 at byte 10"),
        (b"a", 2, "has 1 field: this model takes two texts with a tab between them"),
        (b"a\tb\tc", 2, "has 3 fields: this model takes two texts with a tab between them"),
        (b"a\tb\tc", None, "has 3 fields: this model takes two texts with a tab between them"),
        (b"a\t ", 2, "has an empty field: give two texts with a tab between them"),
    ],
)
def test_a_line_without_a_text_says_why(raw: bytes, fields: int | None, problem: str) -> None:
    line = parse(raw, "line 1", fields)
    assert (line.text, line.problem) == (None, problem)


@given(st.binary(), st.sampled_from([None, 1, 2]))
def test_every_line_has_either_a_text_or_a_problem(raw: bytes, fields: int | None) -> None:
    line = parse(raw, "line 1", fields)
    assert (line.text is None) == bool(line.problem)


def test_a_file_is_read_with_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\nthree")
    found = [line for batch in read([], str(path), 2, 1) for line in batch]
    assert [(line.name, line.text) for line in found] == [
        ("line 1", "one"),
        ("line 2", None),
        ("line 3", "three"),
    ]


def test_arguments_keep_the_shell_s_bytes() -> None:
    [[good, bad]] = read(["très", "\udcff"], None, 1, 1)
    assert good.text == "très"
    assert (bad.name, bad.problem) == ("text 2", "is not valid UTF-8 at byte 1")


def test_what_cannot_be_read_is_one_mistake(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, message in [
        ("empty", "is empty"),
        ("absent", "No such file"),
        ("", "Is a directory"),
    ]:
        with pytest.raises(InputError, match=message):
            list(read([], str(tmp_path / name), 1, 1))
