"""Files: their hash, and writing them whole or not at all."""

import errno
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inhibi.engine import files
from inhibi.engine.errors import InputError

PROBE = 2**20  # bytes
NO_ROOM = {code: os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}


def write_json(file: Path, content: Any) -> None:
    """Write whole or not at all."""
    files.write(file, (json.dumps(content, indent=1) + "\n").encode())


def sha256(path: Path) -> str:
    """Of a file, or of a checkpoint's weights (all safetensors of the folder, by name)."""
    if not path.is_dir():
        return files.sha256(path)
    digest = hashlib.sha256()
    for file in sorted(path.glob("*.safetensors")):
        with file.open("rb") as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """An error while a run writes into a full folder is an `InputError`, whatever its kind: torch
    and safetensors have their own ones, torch's does not name the cause. Others stay as they are,
    and so do those of before the folder was made or of a file elsewhere."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not folder.is_dir() or _is_elsewhere(error, folder):
            raise
        reason = next((r for r in NO_ROOM.values() if r in str(error)), None) or _refuses(folder)
        if reason is None:
            raise
        print(file=sys.stderr)  # ends the line of a progress bar
        raise InputError(
            f"{folder}: {reason}: its finished stages and checkpoints stay; make room, then run "
            "the same command with --resume"
        ) from error


def _is_elsewhere(error: Exception, folder: Path) -> bool:
    """Whether the error names a file outside the folder."""
    name = error.filename if isinstance(error, OSError) else None
    return isinstance(name, str) and not Path(name).resolve().is_relative_to(folder.resolve())


def _refuses(folder: Path) -> str | None:
    """Why there is no room for more; None where there is."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE))
            file.flush()
    except OSError as error:
        return NO_ROOM.get(error.errno or 0)
    return None
