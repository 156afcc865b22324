"""Sizes on disk: models, and packages with everything that they require."""

from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ENVIRONMENTS = {
    "inhibi": ["inhibi"],
    "onnxruntime and tokenizers": ["onnxruntime", "tokenizers"],
    "OpenVINO": ["openvino"],
    "torch and transformers": ["torch", "transformers"],
}
PARTS = ("engine", "kd", "qat", "export", "eval")


def installed() -> dict[str, float]:
    """Megabytes, 10^6 bytes, of each environment that is installed, without bytecode."""
    return {
        what: sum(_size(name) for name in closure(names)) / 1e6
        for what, names in ENVIRONMENTS.items()
        if all(map(_present, names))
    }


def closure(names: Iterable[str]) -> set[str]:
    """The named distributions and all that they require here, without extras."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found or not _present(name):
            continue
        found.add(name)
        for line in distribution(name).requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)
    return found


def file_size(path: Path) -> float:
    """Megabytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def _size(name: str) -> int:
    """Bytes of a distribution's files. Of ours, an editable install does not list the sources."""
    if name == "inhibi":
        paths = {Path(p) for part in PARTS for p in import_module(f"inhibi.{part}").__path__}
        files = {file for path in paths if path.is_dir() for file in path.rglob("*")}
        files = {f for f in files if "native" not in f.parts and f.is_file()}
    else:
        listed = distribution(name).files or []
        files = {Path(str(file.locate())) for file in listed}
    return sum(f.stat().st_size for f in files if f.suffix != ".pyc" and f.is_file())


def _present(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
