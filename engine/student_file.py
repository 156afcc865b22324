"""A student file as it lies there: for those who look into it without running it."""

from pathlib import Path
from typing import TYPE_CHECKING

from inhibi.engine.errors import InputError
from inhibi.engine.metadata import Metadata

if TYPE_CHECKING:
    import onnx


def read(path: Path) -> "tuple[onnx.ModelProto, Metadata]":
    """The file's model and what it says about itself. `InputError` where it is no student."""
    import onnx

    if not path.is_file():
        raise InputError(f"no model file {path}")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's own errors have no common base class
        raise InputError(f"{path} is no ONNX file, or a damaged one") from error
    try:
        metadata = Metadata.parse({entry.key: entry.value for entry in model.metadata_props})
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return model, metadata
