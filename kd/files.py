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
NO_ROOM = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)))


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
    and safetensors have their own ones, torch's does not name the cause."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = next((r for r in NO_ROOM if r in str(error)), None) or _refuses(folder)
        if reason is None:
            raise
        print(file=sys.stderr)  # ends the line of a progress bar
        raise InputError(
            f"{folder}: {reason}: its finished stages and checkpoints stay; make room, then run "
            "the same command with --resume"
        ) from error


def _refuses(folder: Path) -> str | None:
    """Why nothing more can be written there; None where it can."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE))
            file.flush()
    except OSError as error:
        return error.strerror
    return None
