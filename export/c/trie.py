"""Words and their ids as a trie in bytes: C finds in it the longest word that a text begins with.

A node is, in this order:
  1 byte    128: last of its siblings; 64: a word ends here; 16*(0..3): bytes of `size`;
            0..15: bytes of the label, less 1
  label     1 to 16 bytes of UTF-8; siblings differ in the first
  id        where a word ends; as many bytes as the whole vocabulary needs, lowest first
  size      bytes of all nodes below this one, lowest first; none where there are none
  children  one after the other
"""

from collections.abc import Mapping
from itertools import groupby

LAST, ENDS, SIZE, LABEL = 128, 64, 16, 16
NOTHING = bytes([LAST, 0xFF])  # no text in UTF-8 has this byte

Words = list[tuple[bytes, int]]


def pack(words: Mapping[str, int], id_bytes: int) -> bytes:
    """The trie of these words, none of them empty; less than 16 MiB, or OverflowError."""
    return _siblings(sorted((w.encode(), i) for w, i in words.items()), id_bytes) or NOTHING


def _siblings(words: Words, id_bytes: int) -> bytes:
    groups = [list(group) for _, group in groupby(words, lambda word: word[0][0])]
    return b"".join(_node(g, g is groups[-1], id_bytes) for g in groups)


def _node(words: Words, last: bool, id_bytes: int) -> bytes:
    """`words` are sorted, so what the first and the last begin with, all do."""
    label = _common(words[0][0], words[-1][0])[:LABEL]
    ends = [number for word, number in words if word == label]
    below = [(word[len(label) :], number) for word, number in words if word != label]
    children = _siblings(below, id_bytes)
    size = _minimal(len(children))
    head = LAST * last + ENDS * len(ends) + SIZE * len(size) + len(label) - 1
    ids = b"".join(number.to_bytes(id_bytes, "little") for number in ends)
    return bytes([head]) + label + ids + size + children


def _common(a: bytes, b: bytes) -> bytes:
    return a[: next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))]


def _minimal(number: int) -> bytes:
    length = (number.bit_length() + 7) // 8
    return number.to_bytes(min(length, 3), "little")
