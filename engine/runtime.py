"""The fast engine: ONNX Runtime, on the operators' bodies of standard operators.

Importing this imports onnxruntime and never onnx; only `trace` does.
"""

import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from inhibi.engine.errors import InputError, Note
from inhibi.engine.metadata import Metadata

LONG = 256  # tokens from which the attention body's H*N*N*d temporaries hurt


class Runtime:
    """Runs a student file on ONNX Runtime. `threads` 0 lets it choose."""

    # The bodies compare every token with every other one, of whatever sentence: one at a time.
    packed_tokens = 1

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._options = path, _options(threads)
        self._session = _open(str(path), self._options)
        self.metadata = Metadata.parse(self._session.get_modelmeta().custom_metadata_map)

    def run(self, feeds: dict[str, np.ndarray]) -> np.ndarray:
        """logits int32 [B, labels] of packed sentences."""
        n = len(feeds["input_ids"])
        if n > LONG:
            warnings.warn(
                f"{n} tokens at once take seconds and gigabytes without native operators",
                Note,
                stacklevel=3,
            )
        return self._session.run(["logits"], feeds)[0]

    def trace(self, feeds: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
        """Every node's output, in the graph's order."""
        names = [output.name for output in self._traced.get_outputs()]
        return list(zip(names, self._traced.run(names, feeds), strict=True))

    @cached_property
    def _traced(self) -> Any:
        """The same graph with every node's output as an output of the graph."""
        import onnx

        model = onnx.load(self._path)
        outputs = [name for node in model.graph.node for name in node.output]
        del model.graph.output[:]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        return _open(model.SerializeToString(), self._options)


def _options(threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # failures are raised; nothing is printed beside
    # Products that cannot saturate, on processors without VNNI: our weights keep the pair rule and
    # do not need it, a file that another program made may.
    options.add_session_config_entry("session.x64quantprecision", "1")
    # The native operators' library is registered here.
    return options


def _open(model: str | bytes, options: Any) -> Any:
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions have no common class
        raise InputError(
            f"this is no ONNX file that onnxruntime can run, or a damaged one ({_line(error)})"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
