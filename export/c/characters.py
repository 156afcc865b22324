"""What BERT's tokenizer makes of each code point, as the tokenizers library itself shows it.

Neither the normalizer (clean, space ideographs, decompose, drop accents, lower-case) nor the
splitting at punctuation looks at neighbours, so a table of code points says everything but the
order of spacing marks behind one another (such as U+302E), which decomposition sorts. C needs of it
what can change an id: where words end, and letters of the vocabulary.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

# Every plane with something in it, save the third: that has letters only, which stay as they are.
ASSIGNED = (
    range(0xD800),
    range(0xE000, 0x30000),
    range(0xE0000, 0xE1000),
    range(0xF0000, 0x110000),
)
BLOCK = 4096
HANGUL, JAMO = range(0xAC00, 0xD7A4), range(0x1100, 0x1200)  # syllables, and letters
LONGEST_MAPPED = 2048


class Kind(IntEnum):
    """What becomes of a run's code points; the numbers are kernels/characters.c's."""

    DROPPED = 0
    SPACE = 1
    ISOLATED = 2  # a word of its own
    HANGUL = 3  # two or three letters, which are computed
    SAME = 4  # all become one and the same code point
    SHIFTED = 5  # they become as many consecutive ones
    EXPANDED = 6  # one that becomes several


@dataclass(frozen=True, slots=True)
class Characters:
    """becomes: what a code point turns into: "" is nothing, " " ends a word; itself where absent.
    isolated: code points that are a word of their own, and so is what they become."""

    becomes: dict[int, str]
    isolated: frozenset[int]

    def reachable(self, word: str) -> bool:
        """Whether some text has this word. What a character becomes stays as it is."""
        codes = [ord(character) for character in word]
        return self.becomes.keys().isdisjoint(codes) and (
            len(codes) == 1 or self.isolated.isdisjoint(codes)
        )


class Run(NamedTuple):
    """`length` code points from `first`; `target` is a code point, or a place in the expansions."""

    first: int
    length: int
    kind: Kind
    target: int = 0

    @property
    def packed(self) -> tuple[int, int]:
        """Two uint32: 21 bits of first and 11 of length - 1, 21 bits of target and 3 of kind.
        A kind without target has its length - 1 in the target's place."""
        if self.kind < Kind.SAME:
            return self.first << 11, self.length - 1 << 3 | self.kind
        return self.first << 11 | self.length - 1, self.target << 3 | self.kind


@lru_cache
def characters(**options: Any) -> Characters:
    """Of a BertNormalizer with these options and a BertPreTokenizer. Takes a second."""
    texts = _normalized(BertNormalizer(**options))
    marks, spaces = _split(sorted(set().union(*texts.values())))
    becomes, isolated = {}, set()
    for code, spaced in texts.items():
        text = " " if spaced in spaces else spaced.strip(" ")
        if text in marks or text not in (" ", spaced):
            isolated.add(code)
        if text == " " or text != chr(code):
            becomes[code] = text
    return Characters(becomes, frozenset(isolated))


def _normalized(normalizer: BertNormalizer) -> dict[int, str]:
    """What the normalizer makes of each code point."""
    made: dict[int, str] = {}
    blocks = (codes[i : i + BLOCK] for codes in ASSIGNED for i in range(0, len(codes), BLOCK))
    for codes in blocks:
        # Between bars, which nothing else turns into; '!' stands for the bar among them.
        apart = normalizer.normalize_str("|".join(map(chr, codes)).replace("|||", "|!|"))
        made.update(zip(codes, apart.split("|"), strict=True))
    return {**made, ord("|"): "|"}


def _split(letters: Sequence[str]) -> tuple[Set[str], Set[str]]:
    """Which of them the pre-tokenizer makes words of their own, and which it leaves out."""
    words: set[str] = set()
    for start in range(0, len(letters), BLOCK):
        apart = "a" + "a".join(letters[start : start + BLOCK]) + "a"
        words.update(word for word, _ in BertPreTokenizer().pre_tokenize_str(apart))
    return {word for word in words if len(word) == 1} - {"a"}, set(letters) - set("".join(words))


def runs(known: Characters, used: Set[str]) -> tuple[list[Run], str]:
    """The runs, in order, and the expansions, each with a NUL behind it.

    `used` are the characters of the vocabulary. A letter that becomes one outside makes its word
    unknown; if the vocabulary has not the letter itself, it does so unchanged, too, and needs no
    place in a table.
    """
    made: list[Run] = []
    expansions = ""
    for code, kind, text in _outcomes(known, used):
        target = ord(text) if kind is Kind.SAME else len(expansions)
        if made and (longer := _joined(made[-1], code, kind, target)):
            made[-1] = longer
        else:
            made.append(Run(code, 1, kind, target if kind >= Kind.SAME else 0))
        if kind is Kind.EXPANDED:
            expansions += f"{text}\0"
    return made, expansions


def _outcomes(known: Characters, used: Set[str]) -> Iterator[tuple[int, Kind, str]]:
    """What C has to do with each code point that is more than a letter that stays as it is."""
    hangul = not used.isdisjoint(map(chr, JAMO))
    for code in sorted(known.becomes.keys() | known.isolated):
        text = known.becomes.get(code)
        if text == "":
            yield code, Kind.DROPPED, text
        elif text == " ":
            yield code, Kind.SPACE, text
        elif text and len(text) > 1 and code in HANGUL:
            if hangul:
                yield code, Kind.HANGUL, text
        elif text and (chr(code) in used or used >= set(text)):
            yield code, Kind.SAME if len(text) == 1 else Kind.EXPANDED, text
        elif code in known.isolated:
            yield code, Kind.ISOLATED, ""


def _joined(run: Run, code: int, kind: Kind, target: int) -> Run | None:
    """The run with this code point at its end, if it is one."""
    if code != run.first + run.length:
        return None
    if kind < Kind.SAME:
        return _longer(run, kind) if kind is run.kind else None
    if kind is Kind.SAME and run.length < LONGEST_MAPPED:
        for whole, expected in ((Kind.SAME, run.target), (Kind.SHIFTED, run.target + run.length)):
            open_yet = run.kind is whole or (run.kind is Kind.SAME and run.length == 1)
            if open_yet and target == expected:
                return _longer(run, whole)
    return None


def _longer(run: Run, kind: Kind) -> Run:
    return Run(run.first, run.length + 1, kind, run.target)
