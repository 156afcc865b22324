"""Sentences of longer texts, to distil on."""

import re
from collections.abc import Iterable

# A line break of HTML, or the end of a sentence.
BREAK = re.compile(r"<br />|(?<=[.!?]) +(?=[A-Z\"'])")
WORDS = range(6, 46)  # of a sentence that is kept


def sentences(texts: Iterable[str]) -> list[str]:
    """The different sentences of WORDS words, in the order of the texts."""
    parts = (part.strip() for text in texts for part in BREAK.split(text))
    return list(dict.fromkeys(part for part in parts if len(part.split()) in WORDS))
