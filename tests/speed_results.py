"""Small results as benchmarks.speed writes them: every part, one row or two of each."""

from typing import Any

from benchmarks import attention_speed, cold_start
from benchmarks.peers import openvino_peer
from benchmarks.peers.onnxruntime_peers import NAMES
from benchmarks.peers.ours import DOT_PRODUCT, OURS


def made(**models: float) -> dict[str, Any]:
    """A row's models from their milliseconds; the first is ours."""
    first = next(iter(models.values()))
    return {
        "rounds": 5,
        "models": {
            name: {"ms": ms, "ratio": ms / first, "ms_quartiles": [ms, ms], "ratio_quartiles": []}
            for name, ms in models.items()
        },
    }


def model_row(threads: int, batch: int, tokens: int) -> dict[str, Any]:
    ours = tokens / 16
    models = {OURS: ours, DOT_PRODUCT: 1.25 * ours, NAMES["fp32"]: 4 * ours}
    models |= {
        NAMES["fp32_fused"]: 5 * ours,
        NAMES["dynamic"]: 3 * ours,
        NAMES["fp32_unmasked"]: 3.5 * ours,
    }
    models |= {NAMES["static"]: 2.5 * ours, openvino_peer.NAME: 2 * ours}
    return {"threads": threads, "batch": batch, "tokens": tokens, **made(**models)}


def attention_row(tokens: int, isa: str) -> dict[str, Any]:
    times = {attention_speed.INHIBITOR: 1.0, attention_speed.DOT_PRODUCT: 1.5}
    shape = {"isa": isa, "heads": 12, "width": 64, "tokens": tokens, "threads": 1}
    return {**shape, **made(**times, **{attention_speed.ONNXRUNTIME: 3.0})}


def sentence_models(**means: float) -> dict[str, Any]:
    return {
        name: {"mean_ms": ms, "median_ms": ms / 2, "ratio": ms / 2.0, "batch": 16}
        for name, ms in means.items()
    }


def results() -> dict[str, Any]:
    sentences = sentence_models(**{OURS: 2.0, NAMES["dynamic"]: 4.0, openvino_peer.NAME: 5.0})
    lengths = (128, 256, 512, 2048)
    return {
        "machine": {
            "processor": "Example",
            "architecture": "x86_64",
            "cores": 2,
            "instructions": ["avx2", "avx512_vnni"],
            "memory_gib": 24,
            "load_average": 0.1,
        },
        "versions": {"onnxruntime": "1.31.1", "torch": "2.13.0"},
        "native": "avx512vnni",
        "quick": False,
        "teacher": "random weights",
        "data": "SST-2 validation",
        "settings": {OURS: {"threads": 1}, NAMES["dynamic"]: {"model": "dynamic", "threads": 1}},
        "errors": {NAMES["dynamic"]: 0.12},
        "accuracy": {OURS: {"accuracy": 0.882, "equal_to_fp32": 0.95}},
        "attention": [attention_row(tokens, "avx512vnni") for tokens in lengths],
        "attention_avx2": [attention_row(512, "avx2")],
        "roofline": {
            "clock_ghz": 3.5,
            "peak_cycles": {"avx512vnni": 2.0},
            "rows": [
                {
                    "isa": "avx512vnni",
                    "heads": 12,
                    "width": 64,
                    "tokens": 128,
                    "instructions": 4,
                    "peak_cycles": 2.0,
                    "cycles": 4.0,
                }
            ],
        },
        "model": [model_row(1, 1, tokens) for tokens in (32, 128, 512)] + [model_row(1, 8, 128)],
        "two_threads": {"tokens": 512, **made(two=1.0, one=1.8)},
        "sentences": [
            {
                "threads": 1,
                "alone": {"sentences": 872, "models": sentences},
                "packed": {"sentences": 218, "models": sentences},
                "from_text_ms": 2.25,
            }
        ],
        "shares": [{"tokens": 128, "ms": 8.0, "shares": {"MatMulInteger": 0.8, "Requantize": 0.2}}],
        "cold_start": {cold_start.OURS: {"seconds": 0.25, "peak_mb": 110.0}},
        "model_mb": {"inhibi": 24.0},
        "installed_mb": {"inhibi": 207.0},
    }
