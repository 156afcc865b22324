"""The readable engine: onnx's reference evaluator with the NumPy operators of `ops.py`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from inhibi.engine import ops
from inhibi.engine.errors import InputError
from inhibi.engine.metadata import Metadata

DOMAIN = "ai.inhibi"

Function = Callable[..., np.ndarray]


def _operator(domain: str, name: str, function: Function) -> type[OpRun]:
    """The class that the evaluator runs for the nodes of this name."""

    def run(self: OpRun, *inputs: np.ndarray, **attributes: int) -> tuple[np.ndarray]:
        return (function(*inputs, **attributes),)

    return type(name, (OpRun,), {"op_domain": domain, "_run": run})


OPERATORS = [
    _operator(DOMAIN, "Requantize", ops.requantize),
    _operator(DOMAIN, "RequantizeLookup", ops.requantize_lookup),
    _operator(DOMAIN, "AddLayerNorm", ops.add_layer_norm),
    _operator(DOMAIN, "EmbedLayerNorm", ops.embed_layer_norm),
    _operator(DOMAIN, "InhibitorAttention", ops.inhibitor_attention),
    _operator(DOMAIN, "DotProductAttention", ops.dot_product_attention),
    _operator(DOMAIN, "MeanPool", ops.mean_pool),
    # NumPy multiplies integer matrices without BLAS, a hundred times slower.
    _operator("", "MatMulInteger", ops.matmul_integer),
]


class Reference:
    """Runs a student file on NumPy, node by node."""

    packed_tokens = 1024  # enough to feed BLAS; the temporaries stay in a few dozen MB
    runs_on = "numpy"

    def __init__(self, path: Path) -> None:
        model = _load(path)
        self.metadata = Metadata.parse({p.key: p.value for p in model.metadata_props})
        self.metadata.check_output([output.name for output in model.graph.output])
        _check_complete(model)
        self._evaluator: Any = ReferenceEvaluator(model, new_ops=OPERATORS)
        self._names = [name for node in model.graph.node for name in node.output]

    def run(self, feeds: dict[str, np.ndarray]) -> np.ndarray:
        """The graph's output for packed sentences: see `Metadata.output`."""
        return self._evaluator.run([self.metadata.output], feeds)[0]

    def trace(self, feeds: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
        """Every node's output, in the graph's order."""
        results = self._evaluator.run(None, feeds, intermediate=True)
        return [(name, results[name]) for name in self._names]


def _load(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except Exception as error:  # protobuf's own DecodeError, or one of onnx's
        raise InputError("this is no ONNX file, or a damaged one: export it again") from error


def _check_complete(model: onnx.ModelProto) -> None:
    """A file cut off after its metadata would still run here, though on no other engine."""
    bodies = {function.name for function in model.functions}
    missing = {node.op_type for node in model.graph.node if node.domain == DOMAIN} - bodies
    if missing:
        raise InputError(f"the model lacks {', '.join(sorted(missing))}: export it again")
