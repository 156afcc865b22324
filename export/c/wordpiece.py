"""What a tokenizer.json says, where it is BERT's WordPiece, the tokenizer that C has."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from inhibi.engine.errors import InputError

PREFIX = "##"  # of a piece that continues a word; '#' is punctuation, so no word has it inside
LONGEST_WORD = 1000  # C keeps a word on the stack, 4 bytes a character


@dataclass(frozen=True, slots=True)
class WordPiece:
    """A tokenizer.json with BERT's normalizer, of these options, and its splitting at punctuation.

    first, last, unknown: the ids of [CLS], [SEP] and [UNK], whatever their names.
    longest_word: characters, at most LONGEST_WORD; a longer word is unknown.
    """

    normalizer: dict[str, Any]
    vocabulary: dict[str, int]
    added: dict[str, int]  # found in the text as it stands, before everything else
    unknown: int
    first: int
    last: int
    longest_word: int


def read(tokenizer_json: str) -> WordPiece:
    """`InputError` for every other tokenizer."""
    try:
        library = Tokenizer.from_str(tokenizer_json)
    except Exception as error:  # the library raises nothing more specific
        raise InputError(f"the model's tokenizer cannot be read: {error}") from error
    parts = json.loads(library.to_str())  # every field, whichever version wrote the file
    for part, kind in (
        ("model", "WordPiece"),
        ("normalizer", "BertNormalizer"),
        ("pre_tokenizer", "BertPreTokenizer"),
    ):
        _require(_kind(parts[part]) == kind, f"its {part} is {_kind(parts[part])}, not {kind}")
    model, vocabulary = parts["model"], parts["model"]["vocab"]
    prefix, longest = model["continuing_subword_prefix"], model["max_input_chars_per_word"]
    _require(prefix == PREFIX, f"its continuing_subword_prefix is {prefix!r}, not {PREFIX!r}")
    _require(
        longest <= LONGEST_WORD,
        f"its max_input_chars_per_word is {longest}, more than {LONGEST_WORD}",
    )
    _require(model["unk_token"] in vocabulary, f"its vocabulary has no {model['unk_token']!r}")
    first, last = _special(parts["post_processor"])
    return WordPiece(
        {name: value for name, value in parts["normalizer"].items() if name != "type"},
        vocabulary,
        _added(parts["added_tokens"]),
        vocabulary[model["unk_token"]],
        first,
        last,
        longest,
    )


def _added(tokens: Sequence[dict[str, Any]]) -> dict[str, int]:
    """lstrip and rstrip take in white space, which makes no token anyway."""
    for token in tokens:
        for rule in ("single_word", "normalized"):
            _require(not token[rule], f"its added token {token['content']!r} is {rule}")
    return {token["content"]: token["id"] for token in tokens}


def _special(processor: dict[str, Any] | None) -> tuple[int, int]:
    """The ids around a text, [CLS] and [SEP]."""
    if processor and processor["type"] == "BertProcessing":
        return processor["cls"][1], processor["sep"][1]
    _require(
        _kind(processor) == "TemplateProcessing",
        f"its post_processor is {_kind(processor)}, not TemplateProcessing",
    )
    assert processor
    single, pair = (_template(processor[name]) for name in ("single", "pair"))
    first, last = (single[0][0], single[-1][0]) if single else ("", "")
    whole = [(first, 0), ("A", 0), (last, 0), ("B", 1), (last, 1)]
    ids = [processor["special_tokens"].get(name, {"ids": ()})["ids"] for name in (first, last)]
    _require(
        single == whole[:3] and pair == whole and all(len(i) == 1 for i in ids),
        "its template is not [CLS] A [SEP], [CLS] A [SEP] B [SEP]",
    )
    return ids[0][0], ids[1][0]


def _template(pieces: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    """Names and token types."""
    return [(part["id"], part["type_id"]) for piece in pieces for part in piece.values()]


def _kind(part: dict[str, Any] | None) -> str:
    return str(part["type"]) if part else "none"


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InputError(
            f"the model's tokenizer is not BERT's WordPiece: {otherwise}; "
            "take a teacher with BERT's tokenizer for C"
        )
