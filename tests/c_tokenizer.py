"""The C tokenizer of a tokenizer.json, compiled and called; and tokenizers to make it of."""

import ctypes
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from native_build import run
from tiny import SPECIAL
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from inhibi.engine.model import packaged
from inhibi.engine.student_file import read
from inhibi.export.c.characters import characters
from inhibi.export.c.vocabulary import sources

KERNELS = Path(__file__).parents[1] / "export" / "c" / "kernels"
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
DEFAULTS = {
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}


def compiler() -> str:
    """Skips the test where there is none."""
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not found:
        pytest.skip("no C compiler")
    return found


def compile_tokenizer(
    tokenizer_json: str, folder: Path, *options: str, extra: tuple[Path, ...] = ()
) -> Path:
    """Leaves the generated files in the folder, too."""
    for name, text in sources(tokenizer_json).items():
        (folder / name).write_text(text)
    units = [KERNELS / "tokenizer.c", KERNELS / "characters.c", folder / "vocabulary.c", *extra]
    made = folder / "tokenizer"
    includes = (f"-I{folder}", f"-I{KERNELS}")
    run(compiler(), *FLAGS, *options, *includes, *map(str, units), "-o", str(made))
    return made


class Encoder:
    """tokenizer.h's functions; they return the ids, or the status where it is an error."""

    def __init__(self, tokenizer_json: str, folder: Path) -> None:
        self.library = ctypes.CDLL(
            str(compile_tokenizer(tokenizer_json, folder, "-O1", "-shared", "-fPIC"))
        )
        wide = "uint32_t" in (folder / "model_id.h").read_text()
        self.id = ctypes.c_uint32 if wide else ctypes.c_uint16

    def __call__(self, text: bytes, capacity: int) -> list[int] | int:
        ids, count = (self.id * capacity)(), ctypes.c_size_t()
        status = self.library.tokenizer_encode(
            text, ctypes.c_size_t(len(text)), ids, ctypes.c_size_t(capacity), ctypes.byref(count)
        )
        return status or ids[: count.value]

    def pair(self, a: bytes, b: bytes, capacity: int) -> tuple[list[int], list[int]] | int:
        """Ids and token types."""
        ids, count, second = (self.id * capacity)(), ctypes.c_size_t(), ctypes.c_size_t()
        status = self.library.tokenizer_encode_pair(
            a,
            ctypes.c_size_t(len(a)),
            b,
            ctypes.c_size_t(len(b)),
            ids,
            ctypes.c_size_t(capacity),
            ctypes.byref(count),
            ctypes.byref(second),
        )
        types = [0] * second.value + [1] * (count.value - second.value)
        return status or (ids[: count.value], types)


def bert(words: Iterable[str], first_id: int = 0, **options: bool) -> str:
    """A BERT tokenizer of these words; [SEP] and [MASK] are added tokens."""
    pieces = {word: first_id + i for i, word in enumerate(dict.fromkeys([*SPECIAL, *words]))}
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(**options)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", pieces["[SEP]"]), ("[CLS]", pieces["[CLS]"])
    )
    tokenizer.add_special_tokens(["[SEP]", AddedToken("[MASK]", lstrip=True, normalized=False)])
    return str(tokenizer.to_str())


def lettered(first_id: int = 0, **options: bool) -> str:
    """A BERT tokenizer that has every character which another one becomes."""
    known = characters(**{name: options.get(name, value) for name, value in DEFAULTS.items()})
    letters = {*map(chr, range(33, 256)), *"".join(known.becomes.values())}
    pieces = [form for letter in sorted(letters) for form in (letter, f"##{letter}")]
    return bert([*pieces, "good", "goodness", "##ing", "##n", "film"], first_id, **options)


def packaged_tokenizer() -> str:
    """Of 30,522 words."""
    return read(packaged())[1].tokenizer
