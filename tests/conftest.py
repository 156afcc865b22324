"""Fixtures that many tests share."""

from pathlib import Path

import pytest
from inhibi.export.graph import build, write
from tiny import tiny_student


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a tiny random student."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    write(build(tiny_student()), path)
    return path
