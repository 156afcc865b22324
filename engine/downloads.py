"""The user's record of what was downloaded: a JSON file in the user's cache folder."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from inhibi.engine import files
from inhibi.engine.errors import InputError


@dataclass(frozen=True)
class Download:
    """What a hub name stood for at its first download."""

    file: str  # in the repository
    commit: str
    sha256: str
    task: str
    licence: str  # the model card's, or "unknown"
    path: str  # in the hub library's cache, which may have been emptied since


def record() -> Path:
    """The record's path: in $INHIBI_CACHE, $XDG_CACHE_HOME/inhibi or ~/.cache/inhibi."""
    given, shared = os.environ.get("INHIBI_CACHE"), os.environ.get("XDG_CACHE_HOME")
    folder = Path(shared) if shared else Path.home() / ".cache"
    return (Path(given) if given else folder / "inhibi") / "hub.json"


def read() -> dict[str, Download]:
    """The downloads by hub name. `InputError` where the record is damaged."""
    path = record()
    if not path.exists():
        return {}
    try:
        made = {name: Download(**entry) for name, entry in json.loads(path.read_bytes()).items()}
        if all(isinstance(value, str) for each in made.values() for value in asdict(each).values()):
            return made
    except (AttributeError, TypeError, ValueError):
        pass
    raise InputError(f"{path} is damaged: delete it, and hub models are downloaded anew")


def write(made: Mapping[str, Download]) -> None:
    """Write the record anew. `InputError` where it cannot be written."""
    path = record()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    content = {name: asdict(each) for name, each in sorted(made.items())}
    files.write(path, (json.dumps(content, indent=1) + "\n").encode())


def forget(name: str) -> None:
    """Drop a name, so that its next download is accepted as its first."""
    made = read()
    if name not in made:
        names = ", ".join(made) or "none"
        raise InputError(f"{name} is not among the downloaded models: {names}")
    del made[name]
    write(made)
