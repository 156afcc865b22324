"""What `infer` reads: bytes in; texts, or the reason why there is none, out."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from inhibi.engine.errors import InputError
from inhibi.engine.text import Text

CHUNK = 2**16  # bytes read at once
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line or argument. Without a text, `problem` says why; `note` is worth a warning."""

    name: str
    text: Text | None
    problem: str = ""
    note: str = ""


def read(
    texts: Sequence[str], file: str | None, most: int, fields: int | None
) -> Iterator[list[Line]]:
    """The given texts, or the lines of `file` ("-": standard input), at most `most` at once.

    fields: see `parse`. InputError: the file cannot be read or holds nothing.
    """
    kind = "line" if file else "text"
    number = 0
    for raws in _raw(texts, file, most):
        yield [parse(raw, f"{kind} {number + i}", fields) for i, raw in enumerate(raws, 1)]
        number += len(raws)
    if not number:
        raise InputError(
            f"{'standard input' if file == '-' else file} is empty: nothing to classify"
        )


def arriving(stream: Any, most: int) -> Iterator[list[bytes]]:
    """Lines of a binary stream, without their ends, at most `most` at once, as they arrive.

    Someone who types, or a slow writer, is answered line by line; a file comes in full batches.
    Only b"\\n" ends a line, so that other tools count the same lines.
    """
    begun: list[bytes] = []  # pieces of a line that has not ended
    while chunk := stream.read1(CHUNK):
        *ended, rest = chunk.split(b"\n")
        if ended:
            ended[0] = b"".join((*begun, ended[0]))
            begun.clear()
        begun.append(rest)
        for start in range(0, len(ended), most):
            yield ended[start : start + most]
    if last := b"".join(begun):
        yield [last]


def parse(raw: bytes, name: str, fields: int | None) -> Line:
    """The text of one line; a pair's two texts have a tab between them.

    fields: 1 or 2 texts in a line; None: 2 where there is a tab.
    """
    try:
        text = raw.removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        return Line(name, None, f"is not valid UTF-8 at byte {error.start + 1}")
    if not text.strip():
        return Line(name, None, "is empty")
    parts = text.split("\t")
    if fields == 1 or (fields is None and len(parts) == 1):
        note = "has a tab, read as a space: this model takes one text a line"
        return Line(name, text, note=note if len(parts) > 1 else "")
    if len(parts) != 2:
        many = f"{len(parts)} field{'s' * (len(parts) > 1)}"
        return Line(name, None, f"has {many}: this model takes two texts with a tab between them")
    if not all(part.strip() for part in parts):
        return Line(name, None, "has an empty field: give two texts with a tab between them")
    return Line(name, (parts[0], parts[1]))


def _raw(texts: Sequence[str], file: str | None, most: int) -> Iterator[list[bytes]]:
    if file is None:
        # surrogateescape: a shell's bytes that are no UTF-8 come back as they were
        yield [text.encode("utf-8", "surrogateescape") for text in texts]
        return
    standard = file == "-"
    try:
        with nullcontext(sys.stdin.buffer) if standard else open(file, "rb") as stream:
            yield from _unmarked(arriving(stream, most))
    except OSError as error:
        name = "standard input" if standard else file
        raise InputError(f"cannot read {name}: {error.strerror}") from error


def _unmarked(batches: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
    for number, batch in enumerate(batches):
        if number == 0:
            batch[0] = batch[0].removeprefix(BYTE_ORDER_MARK)
        yield batch
