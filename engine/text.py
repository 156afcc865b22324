"""From text to token ids, by the tokenizer that the model file carries."""

from dataclasses import dataclass

from inhibi.engine.errors import InputError

Text = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text, or pair of texts, as the model reads it.

    ids, type_ids: n token ids and token types with the special tokens, n <= max_length.
    whole: how many tokens the text would have if nothing were cut off.
    """

    ids: list[int]
    type_ids: list[int]
    whole: int

    @property
    def tokens(self) -> int:
        return len(self.ids)

    @property
    def truncated(self) -> bool:
        return self.whole > self.tokens


class Tokenizer:
    """A tokenizer.json with its padding and truncation cleared. Safe from several threads.

    Many tokenizer files pad every text to 128 tokens. Sentences are packed here, so padding would
    only be computed; truncation is done in `encode`, because setting it would change the shared
    tokenizer.
    """

    def __init__(self, tokenizer_json: str, max_tokens: int) -> None:
        from tokenizers import Tokenizer as Library

        try:
            self._library = Library.from_str(tokenizer_json)
        except Exception as error:  # the library raises nothing more specific
            raise InputError(f"the model's tokenizer cannot be read: {error}") from error
        self._library.no_padding()
        self._library.no_truncation()
        self.max_tokens = max_tokens

    def encode(self, text: Text, max_length: int | None = None) -> Encoded:
        """Token ids of a text or a pair, special tokens included ('good' gives 3).

        At most max_length tokens (default and most: max_tokens) are kept, of a pair by shortening
        the longer text first, as `transformers` does in training. An empty text gives the special
        tokens alone. InputError: a length out of range, or a text that is no valid Unicode.
        """
        parts = [self._encode_alone(part) for part in _texts(text)]
        special = self._library.num_special_tokens_to_add(len(parts) == 2)
        whole = special + sum(len(part) for part in parts)
        room = self.length(max_length, special + len(parts)) - special
        for part, length in zip(parts, _longest_first([len(p) for p in parts], room), strict=True):
            part.truncate(length)
        encoding = self._library.post_process(*parts)
        return Encoded(encoding.ids, encoding.type_ids, whole)

    def length(self, max_length: int | None, least: int = 3) -> int:
        """max_length, or max_tokens for None. InputError outside least..max_tokens."""
        if max_length is None:
            return self.max_tokens
        if not least <= max_length <= self.max_tokens:
            raise InputError(
                f"maximum length {max_length} is out of range: "
                f"this model reads {least} to {self.max_tokens} tokens"
            )
        return max_length

    def _encode_alone(self, text: str):  # type: ignore[no-untyped-def]  # the library has no types
        try:
            return self._library.encode(text, add_special_tokens=False)
        except TypeError as error:  # not a str, or one with lone surrogates
            raise InputError("a text must be a string of valid Unicode") from error


def _texts(text: Text) -> tuple[str, ...]:
    texts = (text,) if isinstance(text, str) else tuple(text)
    if len(texts) not in (1, 2):
        raise InputError(f"a text must be a string or a pair of strings, not {len(texts)}")
    return texts


def _longest_first(lengths: list[int], room: int) -> list[int]:
    """How many tokens of each of 1 or 2 texts to keep so that at most `room` remain.

    The tokenizers library's own rule: only the longer text is cut while that is enough, else
    both to half, the odd token to the longer one (to the second when they are equal).
    """
    if sum(lengths) <= room:
        return lengths
    if len(lengths) == 1:
        return [room]
    shorter = min(room // 2, *lengths)
    kept = [shorter, room - shorter]
    return kept[::-1] if lengths[0] > lengths[1] else kept
