"""Our native operators for sessions of the benchmarks' own."""

import onnxruntime as ort

from inhibi.engine.native_library import Library, find


def isa() -> str:
    """The instruction set of our kernels, "" without the native library."""
    found = find()
    return found.isa if isinstance(found, Library) else ""


def session_options(threads: int) -> ort.SessionOptions:
    """With the native operators where they are; every operator has a body to fall back to."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    found = find()
    if isinstance(found, Library):
        options.register_custom_ops_library(str(found.path))
    return options
