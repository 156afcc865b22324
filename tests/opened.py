"""Sessions of every engine, whatever the environment of the tests says."""

from pathlib import Path

import pytest

from inhibi.engine.session import Session, open_session

ENGINES = ("numpy", "ort", "bodies")  # ort with the native operators where they are, and without


def opened(path: Path, engine: str, threads: int = 1, isa: str = "") -> Session:
    """`isa` forces an instruction set of the native operators."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INHIBI_NATIVE", "0" if engine == "bodies" else "1")
        patch.setenv("INHIBI_ISA", isa)
        return open_session(path, "numpy" if engine == "numpy" else "ort", threads)
