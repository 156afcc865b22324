"""A student's file as a folder of C99."""

import os
import tempfile
from importlib.resources import files
from pathlib import Path

from onnx import numpy_helper
from tokenizers import Tokenizer

from inhibi.engine.errors import InputError
from inhibi.engine.files import sha256
from inhibi.engine.metadata import Metadata
from inhibi.engine.student_file import read
from inhibi.export.c import sources, vocabulary
from inhibi.export.c.parameters import Initializers
from inhibi.export.c.program import Program, read_nodes


def program(path: Path, max_tokens: int | None = None) -> Program:
    """What the file computes, for at most max_tokens tokens (default: as many as the file takes).

    `InputError` where it is no student or takes fewer tokens.
    """
    model, metadata = read(path)
    most = metadata.max_tokens if max_tokens is None else max_tokens
    if not 1 <= most <= metadata.max_tokens:
        raise InputError(f"--max-tokens {most}: {path} takes 1 to {metadata.max_tokens}")
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return Program(read_nodes(model), Initializers(values), metadata, most)


def project(path: Path, max_tokens: int | None = None) -> dict[str, str]:
    """File name to text of the C project. Raises `InputError`."""
    made = program(path, max_tokens)
    origin = f"Made by export-c from {path.name}, SHA-256 {sha256(path)}."
    texts = vocabulary.sources(made.metadata.tokenizer)
    texts |= {
        "model.h": sources.header(made, origin),
        "model.c": sources.model(made, _separator(made.metadata)),
        "parameters.h": sources.parameters_header(made),
        **sources.parameters_files(made),
    }
    return texts | _fixed()


def write(texts: dict[str, str], folder: Path) -> None:
    """Write the project whole or not at all, into a new folder or in place of a former project.

    `InputError` where the folder holds something else or cannot be written.
    """
    _check_free(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
            new = Path(made) / "new"
            new.mkdir()
            for name, text in texts.items():
                (new / name).write_text(text, "utf-8", newline="\n")
            if folder.exists():
                os.replace(folder, Path(made) / "old")
            os.replace(new, folder)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error


def _check_free(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"cannot write {folder}: it is a file")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "model.h").is_file():
        raise InputError(f"{folder} holds files of something else: name a new folder")


def _fixed() -> dict[str, str]:
    """The kernels, the tokenizer, main.c and Makefile, which are the same for every student."""
    package = files("inhibi.export.c")
    return {
        file.name: file.read_text("utf-8")
        for folder in ("kernels", "program_files")
        for file in sorted((package / folder).iterdir(), key=lambda f: f.name)
        if file.name.endswith((".c", ".h", "Makefile"))
    }


def _separator(metadata: Metadata) -> int:
    """The id of [SEP], which `vocabulary.sources` has found."""
    return Tokenizer.from_str(metadata.tokenizer).token_to_id("[SEP]") or 0
