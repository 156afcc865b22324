"""A student's file as a folder of C99."""

import os
import re
import tempfile
from importlib.resources import files
from pathlib import Path

from inhibi.engine.errors import InputError
from inhibi.engine.files import sha256
from inhibi.export.c import sources, vocabulary, wordpiece
from inhibi.export.c.header import header
from inhibi.export.c.program import Program, read_nodes
from inhibi.export.read import read

MADE = "Made by export-c from "


def program(path: Path, max_tokens: int | None = None) -> Program:
    """What the file computes, for at most max_tokens tokens (default: as many as the file takes).

    `InputError` where it is no student or takes fewer tokens.
    """
    model, metadata, values = read(path)
    most = metadata.max_tokens if max_tokens is None else max_tokens
    least = 2 * metadata.texts + 1  # [CLS], and a token and [SEP] of each text
    if not least <= most <= metadata.max_tokens:
        raise InputError(f"--max-tokens {most}: {path} takes {least} to {metadata.max_tokens}")
    if metadata.texts == 2 and metadata.token_types == 1:
        raise InputError(f"{path} is for pairs and has one type of tokens: export it again")
    if not re.fullmatch("[a-z0-9_-]+", metadata.family):
        raise InputError(f"{path} is of a family with a strange name: {metadata.family!r}")
    return Program(read_nodes(model), values, metadata, most)


def project(path: Path, max_tokens: int | None = None) -> dict[str, str]:
    """File name to text of the C project. Raises `InputError`."""
    made = program(path, max_tokens)
    name = path.name.encode("ascii", "replace").decode().replace("*/", "??")
    origin = f"{MADE}{name}, SHA-256 {sha256(path)}."
    texts = vocabulary.sources(made.metadata.tokenizer, made.metadata.vocabulary)
    separator = wordpiece.read(made.metadata.tokenizer).last
    texts |= {
        "model.h": header(made, origin),
        "model.c": sources.model(made, separator),
        "parameters.h": sources.parameters_header(made),
        **sources.parameters_files(made),
    }
    return texts | _fixed()


def write(texts: dict[str, str], folder: Path) -> None:
    """Write the project whole or not at all, into a new folder or in place of a former project.

    `InputError` where the folder holds anything else or cannot be written.
    """
    _check_free(folder, texts)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
            new, old = Path(made) / "new", Path(made) / "old"
            new.mkdir()
            for name, text in texts.items():
                (new / name).write_text(text, "utf-8", newline="\n")
            if folder.exists():
                os.replace(folder, old)
            try:
                os.replace(new, folder)
            except OSError:
                if old.exists():
                    os.replace(old, folder)
                raise
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error


def _check_free(folder: Path, texts: dict[str, str]) -> None:
    """A former project may have other layers, and what its Makefile makes."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"cannot write {folder}: it is a file")
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not found:
        return
    header = folder / "model.h"
    if not header.is_file() or MADE not in header.read_text("utf-8", "replace")[:80]:
        raise InputError(f"{folder} holds files of something else: name a new folder")
    ours = re.compile(r".*\.o|libstudent\.a|student|parameters_layer_\d+\.c")
    others = sorted(name for name in found - texts.keys() if not ours.fullmatch(name))
    if others:
        raise InputError(f"{folder / others[0]} is not of export-c: name a new folder")


def _fixed() -> dict[str, str]:
    """The kernels, the tokenizer, main.c and Makefile, which are the same for every student."""
    package = files("inhibi.export.c")
    return {
        file.name: file.read_text("utf-8")
        for folder in ("kernels", "program_files")
        for file in sorted((package / folder).iterdir(), key=lambda f: f.name)
        if file.name.endswith((".c", ".h", "Makefile"))
    }
