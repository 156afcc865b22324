"""The teacher's ONNX files: plain, without a mask, fused, and quantized by onnxruntime."""

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx

from benchmarks.peers.peer import Ids, padded
from benchmarks.peers.teacher import Teacher, export, quiet

CONSTANT = {"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT}


def make_files(folder: Path, teacher: Teacher, calibration: Sequence[Ids]) -> dict[str, Path]:
    """Path by name; a file that is there already is kept."""
    names = ("fp32", "fp32_fused", "fp32_unmasked")
    plain, fused, unmasked = (folder / f"{name}.onnx" for name in names)
    makers: dict[Path, Callable[[Path], None]] = {
        plain: lambda path: export(teacher, path),
        fused: lambda path: _fuse(plain, path, teacher),
        unmasked: lambda path: export(teacher, path, masked=False),
        folder / "dynamic.onnx": lambda path: _dynamic(plain, path),
        folder / "dynamic_fused.onnx": lambda path: _dynamic(fused, path),
        folder / "dynamic_unmasked.onnx": lambda path: _dynamic(unmasked, path),
        folder / "static.onnx": lambda path: _static(plain, path, calibration),
    }
    for path, make in makers.items():
        if not path.exists():
            partial = path.with_suffix(".partial.onnx")
            with quiet():
                make(partial)
            partial.replace(path)
    return {path.stem: path for path in makers}


def _fuse(source: Path, path: Path, teacher: Teacher) -> None:
    """Embeddings, attention, GELU and layer norms as one node each."""
    from onnxruntime.transformers import optimizer

    model = optimizer.optimize_model(
        str(source), "bert", num_heads=teacher.heads, hidden_size=teacher.hidden, opt_level=0
    )
    counts = model.get_fused_operator_statistics()
    if not counts["Attention"] or not counts["EmbedLayerNormalization"]:
        raise RuntimeError(f"onnxruntime's optimizer fused too little: {counts}")
    model.save_model_to_file(str(path))


def _dynamic(source: Path, path: Path) -> None:
    """int8 weights, uint8 activations quantized at run time: onnxruntime's fastest pair."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, path, weight_type=QuantType.QInt8, extra_options=CONSTANT)


def _static(source: Path, path: Path, calibration: Sequence[Ids]) -> None:
    """Every product with constant weights, per channel; quantizing also the products within
    attention is slower and costs accuracy."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        path,
        _reader(calibration),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm"],
        extra_options=CONSTANT,
    )
    prepared.unlink()


def _reader(calibration: Sequence[Ids]):  # type: ignore[no-untyped-def]
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.feeds = (padded([sentence]) for sentence in calibration)

        def get_next(self) -> object:
            return next(self.feeds, None)

    return Reader()
