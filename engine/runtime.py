"""The fast engine: ONNX Runtime with the native operators, or with the bodies in the file.

Importing this imports onnxruntime and never onnx; only `trace` does.
"""

import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from inhibi.engine import native_library
from inhibi.engine.errors import InputError, Note
from inhibi.engine.metadata import Metadata
from inhibi.engine.native_library import Library

LONG = 256  # tokens from which the attention body's H*N*N*d temporaries hurt
PACKED = 1024  # tokens at once for native operators
HEAD_STEP = 8  # heads of native attention have a multiple of so many channels


class Runtime:
    """Runs a student file on ONNX Runtime. `threads` 0 lets it choose.

    runs_on: for a person, whose operators compute and, where they are the bodies, why.
    """

    packed_tokens: int
    runs_on: str

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._threads = path, threads
        self._start(native_library.find())
        width = self.metadata.hidden // self.metadata.heads
        if self._native and width % HEAD_STEP:
            self._start(f"heads of {width} channels are no multiple of {HEAD_STEP}")

    def _start(self, native: Library | str) -> None:
        """Opens the file with the native operators or, for the reason given, with the bodies."""
        self._options, native = _options(self._threads, native)
        self._native = isinstance(native, Library)
        self._session = _open(str(self._path), self._options)
        self.metadata = Metadata.parse(self._session.get_modelmeta().custom_metadata_map)
        self.metadata.check_output([output.name for output in self._session.get_outputs()])
        if isinstance(native, Library):
            self.runs_on = f"ort with native operators ({native.isa})"
            self.packed_tokens = PACKED
        else:
            self.runs_on = f"ort with standard operators, not the native library ({native})"
            # The bodies compare every token with every other one, of whatever sentence.
            self.packed_tokens = 1

    def run(self, feeds: dict[str, np.ndarray]) -> np.ndarray:
        """The graph's output for packed sentences: see `Metadata.output`. InputError where a node
        refuses them."""
        n = len(feeds["input_ids"])
        if n > LONG and not self._native:
            warnings.warn(
                f"{n} tokens at once take seconds and gigabytes without native operators",
                Note,
                stacklevel=3,
            )
        return _run(self._session, [self.metadata.output], feeds)[0]

    def trace(self, feeds: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
        """Every node's output, in the graph's order."""
        names = [output.name for output in self._traced.get_outputs()]
        return list(zip(names, _run(self._traced, names, feeds), strict=True))

    @cached_property
    def _traced(self) -> Any:
        """The same graph with every node's output as an output of the graph."""
        import onnx

        model = onnx.load(self._path)
        outputs = [name for node in model.graph.node for name in node.output]
        del model.graph.output[:]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        return _open(model.SerializeToString(), self._options)


def _options(threads: int, native: Library | str) -> tuple[Any, Library | str]:
    """A session's options, and the library that they register or why there is none."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # failures are raised; nothing is printed beside
    # Else it keeps a plan of memory for each new length and never drops one.
    options.enable_mem_pattern = False
    if isinstance(native, Library):
        try:
            options.register_custom_ops_library(str(native.path))
        except Exception as error:  # onnxruntime's own exceptions have no common class
            native = f"onnxruntime {ort.__version__} refuses it ({_line(error)})"
    if isinstance(native, str) or native.saturates:
        # Products that cannot saturate, where they might: our weights keep the pair rule and do not
        # need it, a file that another program made may. onnxruntime applies it to processors with
        # VNNI as well, whose products are exact anyhow, and there it takes longer.
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options, native


def _open(model: str | bytes, options: Any) -> Any:
    try:
        return ort.InferenceSession(
            model,
            options,
            providers=["CPUExecutionProvider"],
            # In onnxruntime 1.20 it gives two nodes of a body one name.
            disabled_optimizers=["GatherSliceToSplitFusion"],
        )
    except Exception as error:
        raise InputError(
            f"this is no ONNX file that onnxruntime can run, or a damaged one ({_line(error)})"
        ) from error


def _run(session: Any, names: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    try:
        return session.run(names, feeds)
    except Exception as error:
        raise InputError(f"onnxruntime cannot run this model: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
