"""The teacher on onnxruntime: fp32, dynamic int8, static int8."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from benchmarks.peers.peer import Call, Ids, Peer, padded, stacked

NAMES = {
    "fp32": "onnxruntime fp32",
    "fp32_fused": "onnxruntime fp32, fused",
    "fp32_unmasked": "onnxruntime fp32, no mask",
    "dynamic": "onnxruntime dynamic int8",
    "dynamic_fused": "onnxruntime dynamic int8, fused",
    "dynamic_unmasked": "onnxruntime dynamic int8, no mask",
    "static": "onnxruntime static int8",
}
HOW = {
    "fp32": "torch.onnx.export, graph optimization of the session alone",
    "fp32_fused": "onnxruntime.transformers.optimizer, model_type bert",
    "fp32_unmasked": "torch.onnx.export without attention_mask",
    "dynamic": "quantize_dynamic of the plain export, int8 weights",
    "dynamic_fused": "quantize_dynamic of the fused export, int8 weights",
    "dynamic_unmasked": "quantize_dynamic of the export without attention_mask, int8 weights",
    "static": "quantize_static, QDQ, uint8 x int8, per channel, MatMul and Gemm, MinMax",
}


def onnxruntime_peers(files: Mapping[str, Path], threads: int) -> list[Peer]:
    """One for each file of `onnxruntime_files.make_files`."""
    return [_peer(name, path, threads) for name, path in files.items()]


def _peer(name: str, path: Path, threads: int) -> Peer:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    kinds = {
        x.name: np.int64 if x.type == "tensor(int64)" else np.int32 for x in session.get_inputs()
    }

    pads = "attention_mask" in kinds

    def prepare(sentences: Sequence[Ids]) -> Call:
        arrays = padded(sentences) if pads else stacked(sentences)
        feeds = {name: arrays[name].astype(kind, copy=False) for name, kind in kinds.items()}
        return lambda: session.run(None, feeds)[0]

    settings = {"model": HOW[name], "threads": threads, "graph_optimization_level": "all"}
    return Peer(NAMES[name], prepare, settings, exact=name.startswith("fp32"), pads=pads)
