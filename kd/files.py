"""Files: their hash, and writing them whole or not at all."""

import hashlib
import json
from pathlib import Path
from typing import Any

from inhibi.engine import files


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
