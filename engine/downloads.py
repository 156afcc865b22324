"""The user's records of what was downloaded: one JSON file for each hub name, in the user's cache
folder, so that two processes at once lose nothing of each other's."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote

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


def folder() -> Path:
    """Where the records lie: hub in $INHIBI_CACHE, $XDG_CACHE_HOME/inhibi or ~/.cache/inhibi."""
    given, shared = os.environ.get("INHIBI_CACHE"), os.environ.get("XDG_CACHE_HOME")
    cache = Path(shared) if shared else Path.home() / ".cache"
    return (Path(given) if given else cache / "inhibi") / "hub"


def record(name: str) -> Path:
    """The record of one hub name."""
    return folder() / f"{quote(name, safe='')}.json"


def read() -> dict[str, Download]:
    """The downloads by hub name. `InputError` where a record is damaged."""
    return {unquote(path.stem): _read(path) for path in sorted(folder().glob("*.json"))}


def find(name: str) -> Download | None:
    """What a name stood for, None before its first download. `InputError` where it is damaged."""
    path = record(name)
    return _read(path) if path.is_file() else None


def _read(path: Path) -> Download:
    try:
        made = Download(**json.loads(path.read_bytes()))
        if all(isinstance(value, str) for value in asdict(made).values()):
            return made
    except (TypeError, ValueError):
        pass
    raise InputError(f"{path} is damaged: delete it, and the model is downloaded anew")


def write(name: str, made: Download) -> None:
    """Keep what a name stands for. `InputError` where it cannot be written."""
    path = record(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    files.write(path, (json.dumps(asdict(made), indent=1) + "\n").encode())


def forget(name: str) -> None:
    """Drop a name, so that its next download is accepted as its first."""
    if not record(name).is_file():
        names = ", ".join(read()) or "none"
        raise InputError(f"{name} is not among the downloaded models: {names}")
    record(name).unlink()
