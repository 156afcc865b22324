"""Students on the Hugging Face hub, by name: OWNER/REPO[@REVISION][:FILE.onnx].

The hash of a name's first download is kept in the user's cache. A name that later gives another
file is refused until it is forgotten. The files themselves lie in the hub library's own cache.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from inhibi.engine import downloads
from inhibi.engine.downloads import Download
from inhibi.engine.errors import InputError, MissingExtra, say
from inhibi.engine.files import sha256
from inhibi.engine.student_file import read

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

FORM = "owner/repo[@revision][:file.onnx]"
PART = r"[A-Za-z0-9_][\w.-]*"
# A repository never ends in .onnx here: runs/student.onnx is a mistyped path, not to be sent away.
NAME = re.compile(rf"({PART}/{PART})(?<!\.onnx)(?:@([^:@\s]+))?(?::(\S+\.onnx))?", re.ASCII)

Answer = TypeVar("Answer")


def is_name(text: str) -> bool:
    """Whether it has a hub name's form."""
    return bool(NAME.fullmatch(text))


def fetch(name: str) -> Path:
    """The file of a hub name, from the hub or, where that cannot be reached, from its cache.

    `InputError`: not to be had, none or several .onnx files, no student, or not the file that
    this name gave first. `MissingExtra`: huggingface_hub is absent.
    """
    known = downloads.find(name)
    if known is None:
        return _fetch_first(name)
    if not Path(known.path).is_file():
        say(f"{name}: {known.file} is downloaded again")
    path = _download(name, known.file)
    found = sha256(path)
    if found != known.sha256:
        raise InputError(
            f"{name} is another file than at its first download: SHA-256 {found}, not "
            f"{known.sha256} of commit {known.commit}; inhibi models --forget {name} accepts it"
        )
    return path


def _fetch_first(name: str) -> Path:
    info = _look_up(name)
    file = _choose(name, (entry.rfilename for entry in info.siblings or ()))
    say(f"{name}: {file} is downloaded from {_endpoint()}")
    path = _download(name, file)
    made = Download(
        file=file,
        commit=_plain(info.sha),
        sha256=sha256(path),
        task=_plain(read(path)[1].task),
        licence=_plain(getattr(info.card_data, "license", None)),
        path=str(path),
    )
    downloads.write(name, made)
    say(f"{name}: SHA-256 {made.sha256}, kept in {downloads.record(name)}")
    return path


def _choose(name: str, listed: Iterable[str]) -> str:
    """The file that the name gives, or the repository's only one."""
    wanted = _parts(name)[2]
    files = sorted(file for file in listed if file.endswith(".onnx") and file.isprintable())
    if wanted in files or (len(files) == 1 and not wanted):
        return wanted or files[0]
    if not files:
        raise InputError(f"{name} has no .onnx file on the hub")
    raise InputError(f"{name}: choose one of its files as in {FORM}: {', '.join(files)}")


def _look_up(name: str) -> "ModelInfo":
    """Its files, its commit and its card's metadata."""
    repo, revision, _ = _parts(name)
    hub = _library(name)
    return _ask(name, lambda: hub.HfApi().model_info(repo, revision=revision))


def _download(name: str, file: str) -> Path:
    repo, revision, _ = _parts(name)
    hub = _library(name)
    return Path(_ask(name, lambda: hub.hf_hub_download(repo, file, revision=revision)))


def _ask(name: str, question: Callable[[], Answer]) -> Answer:
    """The hub's answer. Errors of the library and of its HTTP client have no common base class."""
    from huggingface_hub import utils

    try:
        return question()
    except utils.RepositoryNotFoundError as error:
        reason = "the hub has no such repository, or it is not open to you"
        raise InputError(f"there is no model file {name}, and {reason}") from error
    except utils.RevisionNotFoundError as error:
        raise InputError(f"{name}: the hub's repository has no such revision") from error
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"there is no model file {name}, and {_endpoint()} does not give it ({reason})"
        ) from error


def _library(name: str) -> ModuleType:
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        what = f"there is no model file {name}: to download it"
        raise MissingExtra("hub", "huggingface_hub", what) from error
    return huggingface_hub


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _parts(name: str) -> tuple[str, str | None, str | None]:
    """Repository, revision and file."""
    found = NAME.fullmatch(name)
    if not found:
        raise InputError(f"{name} is no hub name: {FORM}")
    return found[1], found[2], found[3]


def _plain(text: object) -> str:
    """A stranger's text where there is one and a terminal can show it without harm."""
    return text if isinstance(text, str) and text and text.isprintable() else "unknown"
