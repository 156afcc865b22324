"""Fixtures that many tests share."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings
from tiny import tiny_student

from inhibi.engine import native_library
from inhibi.engine.native_library import Library
from inhibi.export.graph import build, write

COMPILER = os.environ.get("CXX") or shutil.which("c++") or shutil.which("clang++")

settings.register_profile("any_machine", deadline=None)  # a busy machine is no failure
settings.load_profile("any_machine")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a tiny random student."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.onnx"
    write(build(tiny_student()), path)
    return path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data-dir", default=os.environ.get("INHIBI_DATA"), help="folder of GLUE")


@pytest.fixture
def data_dir(request: pytest.FixtureRequest) -> str:
    """The folder of real data, for tests marked `data`."""
    folder = request.config.getoption("--data-dir")
    if not folder:
        pytest.skip("no --data-dir and no INHIBI_DATA")
    return str(folder)


@pytest.fixture(scope="session")
def library() -> Library:
    """Only where no compiler could have built it may it be absent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("INHIBI_NATIVE", raising=False)
        patch.delenv("INHIBI_ISA", raising=False)
        found = native_library.find()
    if isinstance(found, str):
        if COMPILER:
            pytest.fail(f"{found}, though there is {COMPILER}: install again with pip install -v")
        pytest.skip(found)
    return found
