"""Smaller vocabularies: the frequent rows of a checkpoint's embedding table, renumbered.

A dropped word falls to shorter pieces, as any word does that a WordPiece vocabulary lacks.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from inhibi.engine.errors import InputError
from inhibi.kd.families import parts


def count_tokens(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> Counter[str]:
    """How often each token of the vocabulary occurs in the whole texts, special tokens left out.

    Raises `InputError` where none does.
    """
    library = tokenizer.backend_tokenizer
    library.no_truncation()  # many tokenizer files cut and pad every text
    library.no_padding()
    found: Counter[int] = Counter()
    for text in texts:
        found.update(library.encode(text, add_special_tokens=False).ids)
    if not found:
        raise InputError("the texts are empty: name some with words to count")
    return Counter({library.id_to_token(token): times for token, times in found.items()})


def frequent_tokens(
    counts: Mapping[str, int],
    tokenizer: PreTrainedTokenizerBase,
    rows: int,
    seen_characters: bool = False,
) -> list[str]:
    """The `rows` tokens to keep, in the order of their old ids.

    Special and added tokens stay, and single characters (within words, too), so that no word
    becomes unknown; with `seen_characters` those alone that are ASCII or occur. Then the most
    frequent ones, of equally frequent ones those with the lower ids. Raises `InputError` where
    `rows` does not fit.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    if rows > len(vocabulary):
        raise InputError(f"the vocabulary has {len(vocabulary):,} rows: {rows:,} are more")
    occurring = set("".join(counts))
    needed = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    for token in vocabulary:
        character = token.removeprefix("##")
        seen = character.isascii() or character in occurring or not seen_characters
        if len(character) == 1 and seen:
            needed.add(token)
    if rows < len(needed):
        raise InputError(
            f"special tokens and single characters alone are {len(needed):,} rows: "
            f"{rows:,} are too few"
            + ("" if seen_characters else " (or keep --seen-characters alone)")
        )

    def priority(token: str) -> tuple[bool, int, int]:
        return token not in needed, -counts.get(token, 0), vocabulary[token]

    return sorted(sorted(vocabulary, key=priority)[:rows], key=vocabulary.__getitem__)


def cut_embeddings(model: PreTrainedModel, ids: Sequence[int]) -> None:
    """Keep these rows of a classifier's word embeddings [V,C] alone, in this order."""
    word = parts(model).word
    padding = None if word.padding_idx is None else list(ids).index(word.padding_idx)
    rows = word.weight.detach()[torch.tensor(ids)]
    model.set_input_embeddings(nn.Embedding.from_pretrained(rows, False, padding))
    model.config.vocab_size = len(ids)
    model.config.pad_token_id = padding


def cut_tokenizer(
    tokenizer: PreTrainedTokenizerBase, tokens: Sequence[str]
) -> PreTrainedTokenizerFast:
    """The tokenizer with these tokens alone, numbered in this order, all else being equal."""
    ids = {token: number for number, token in enumerate(tokens)}
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content["model"]["vocab"] = ids  # where the library finds added tokens' numbers, too
    processor = content["post_processor"] or {}
    for special in processor.get("special_tokens", {}).values():  # of a TemplateProcessing
        special["ids"] = [ids[token] for token in special["tokens"]]
    for name in {"sep", "cls"} & processor.keys():  # of a BertProcessing
        processor[name][1] = ids[processor[name][0]]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)),
        model_max_length=tokenizer.model_max_length,
        **tokenizer.special_tokens_map,
    )
