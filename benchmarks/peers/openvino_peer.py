"""The teacher on OpenVINO, quantized by NNCF. Both are optional: pip install '.[bench]'."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.peers.peer import Call, Ids, Peer, padded, stacked
from benchmarks.peers.teacher import quiet

NAME = "OpenVINO int8"
UNMASKED = "OpenVINO int8, no mask"


def available() -> bool:
    """Whether both packages are installed."""
    return all(find_spec(name) for name in ("openvino", "nncf"))


def make_file(source: Path, path: Path, calibration: Sequence[Ids]) -> None:
    """Post-training quantization of an ONNX export, for transformers. Kept if there."""
    if path.exists():
        return
    with quiet():
        import nncf
        import openvino

        converted = openvino.convert_model(source)
        arrange = padded if len(converted.inputs) == 3 else stacked
        model = nncf.quantize(
            converted,
            nncf.Dataset(calibration, lambda ids: arrange([ids])),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(calibration),
        )
        openvino.save_model(model, path)


def openvino_peer(path: Path, threads: int) -> Peer:
    """One stream for the least latency. What is not int8 is float of 32 bits: left to itself,
    OpenVINO takes bf16 for it where the processor has that. It may not pin threads to cores, which
    would leave one of the others' threads without its core."""
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    request = compiled.create_infer_request()
    output = compiled.output(0)
    pads = len(compiled.inputs) == 3

    def prepare(sentences: Sequence[Ids]) -> Call:
        feeds = padded(sentences) if pads else stacked(sentences)

        def run() -> np.ndarray:
            return np.asarray(request.infer(feeds, share_inputs=True)[output])

        return run

    how = f"NNCF, model type transformer; {compiled.get_property('RUNTIME_REQUIREMENTS')}"
    name = NAME if pads else UNMASKED
    return Peer(name, prepare, {"model": how, **settings}, pads=pads)
