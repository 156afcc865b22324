"""Files: their hash, and writing them whole or not at all: a reader never sees half of one."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from inhibi.engine.errors import InputError


def check_writable(path: Path) -> None:
    """`InputError` where a file cannot be written to `path`: to be asked before long work."""
    _check_kind(path)
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"cannot write {path}: permission denied")


def write(path: Path, content: bytes) -> None:
    """Write the file. `InputError` where it cannot be written or `path` is a folder or device."""
    _check_kind(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def sha256(path: Path) -> str:
    """Of the file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_kind(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise InputError(f"cannot write {path}: it is no file")
