"""The library of native operators: where it is, and whether this process uses it.

Environment: INHIBI_NATIVE=0 switches it off; INHIBI_ISA forces one of its instruction sets.
"""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

import inhibi.engine
from inhibi.engine.errors import InputError

NAME = "libinhibi.so"  # on macOS, too


@dataclass(frozen=True)
class Library:
    """The library, loaded. isa: what its kernels use here. saturates: whether onnxruntime's own
    u8 x s8 products may overflow on this processor."""

    path: Path
    isa: str
    saturates: bool


def find() -> Library | str:
    """The library, or why there is none to use. InputError where INHIBI_ISA is not available."""
    if os.environ.get("INHIBI_NATIVE") == "0":
        return "INHIBI_NATIVE=0"
    # An editable install has the library in site-packages and the sources in the repository.
    paths = [Path(folder) / NAME for folder in inhibi.engine.__path__]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return "inhibi was installed without its native library: pip install -v says why"
    try:
        library = ctypes.CDLL(str(path))
        return Library(path, _isa(library), bool(library.inhibi_products_saturate()))
    except (OSError, AttributeError) as error:
        return f"{path} cannot be loaded: {error}"


def _isa(library: ctypes.CDLL) -> str:
    library.inhibi_kernels.restype = ctypes.POINTER(ctypes.c_char_p)  # InhibiKernels' name is first
    library.inhibi_isas.restype = ctypes.c_char_p
    chosen = os.environ.get("INHIBI_ISA", "")
    kernels = library.inhibi_kernels(os.fsencode(chosen))
    if not kernels:
        available = ", ".join(library.inhibi_isas().decode().split())
        raise InputError(f"INHIBI_ISA={chosen} is not available here: choose one of {available}")
    return kernels[0].decode()
