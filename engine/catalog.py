"""Models by name: a path, a packaged student, or one on the Hugging Face hub."""

from pathlib import Path

from inhibi.engine import hub
from inhibi.engine.errors import InputError

FOLDER = Path(__file__).parent / "models"


def students() -> dict[str, Path]:
    """The packaged students' files by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.onnx"))}


def find(name: str | Path) -> Path:
    """The file (or a checkpoint's folder) that `name` stands for.

    An existing path wins, then a packaged name, then a name on the hub, whose file is downloaded.
    A `Path` is a path and never asks the hub. `InputError`: no such name, or see `hub.fetch`.
    """
    path = Path(name)
    if path.exists() or isinstance(name, Path):
        return path
    packaged = students()
    if name in packaged:
        return packaged[name]
    if hub.is_name(name):
        return hub.fetch(name)
    raise InputError(
        f"there is no model file {name}: give a path, a packaged name "
        f"({', '.join(packaged) or 'none is packaged'}) or one on the hub ({hub.FORM})"
    )
