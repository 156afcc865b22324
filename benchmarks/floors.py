"""What the comparison has to reach: one table, and how each figure is read from the results.

A ratio is peer / ours, medians, on a 2-core x86-64 processor with AVX-512 VNNI.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import attention_speed, cold_start
from benchmarks.peers import openvino_peer
from benchmarks.peers.onnxruntime_peers import NAMES

Results = Mapping[str, Any]

FP32 = (NAMES["fp32"], NAMES["fp32_fused"])
INT8 = (NAMES["dynamic"], NAMES["dynamic_fused"], NAMES["static"])
OPENVINO = (openvino_peer.NAME,)
UNMASKED = {
    FP32: (NAMES["fp32_unmasked"],),
    INT8: (NAMES["dynamic_unmasked"],),
    OPENVINO: (openvino_peer.UNMASKED,),
    INT8 + OPENVINO: (NAMES["dynamic_unmasked"], openvino_peer.UNMASKED),
}


ROUNDING = 1e-9


@dataclass(frozen=True)
class Floor:
    """measure: the figure, None where the results lack it. at_most: less is better. unmasked: the
    figure beside the same peers' files without a mask, which only sentences of one length can use;
    for information. seeds: how many the figure is the mean of; None where it is no such mean."""

    what: str
    target: float
    measure: Callable[[Results], float | None]
    unit: str = "x"
    at_most: bool = False
    unmasked: Callable[[Results], float | None] = lambda _: None
    seeds: Callable[[Results], int | None] = lambda _: None

    def reached(self, value: float) -> bool:
        """To the last digit but rounding's: 1.00 of at most 1 is."""
        least = value - self.target
        return least <= ROUNDING if self.at_most else least >= -ROUNDING


def _floors() -> list[Floor]:
    both = {
        "onnxruntime fp32 MultiHeadAttention": attention_speed.ONNXRUNTIME,
        "our DotProductAttention": attention_speed.DOT_PRODUCT,
    }
    fp32, ours = both
    attention = [
        *((fp32, tokens, "", target) for tokens, target in ((128, 2.7), (512, 3.0), (2048, 3.2))),
        *((ours, tokens, "", 1.0) for tokens in (128, 256, 512, 2048)),
        (fp32, 512, "avx2", 1.5),
        (ours, 512, "avx2", 1.2),
    ]
    whole = [
        *(("onnxruntime fp32", FP32, 1, *pair) for pair in ((32, 3.0), (128, 3.5), (512, 3.5))),
        *(("onnxruntime int8", INT8, 1, *pair) for pair in ((32, 1.3), (128, 1.5), (512, 2.0))),
        *(("OpenVINO int8", OPENVINO, 1, *pair) for pair in ((32, 1.2), (128, 1.3), (512, 1.3))),
        ("OpenVINO int8", OPENVINO, 8, 128, 1.1),
    ]
    return [
        *(
            Floor(
                f"attention, 12 heads of 64, T = {tokens}{f', {isa}' * bool(isa)}: {name}",
                target,
                attention_ratio(both[name], tokens, isa),
            )
            for name, tokens, isa, target in attention
        ),
        *(
            Floor(
                f"model, batch {batch}, T = {tokens}: fastest {name}",
                target,
                model_ratio(peers, batch, tokens),
                unmasked=model_ratio(UNMASKED[peers], batch, tokens),
            )
            for name, peers, batch, tokens, target in whole
        ),
        Floor(
            "sentences one at a time: fastest int8 peer",
            1.5,
            sentence_ratio(INT8 + OPENVINO),
            unmasked=sentence_ratio(UNMASKED[INT8 + OPENVINO]),
        ),
        Floor("share of MatMulInteger, T = 128", 75, product_share, "%"),
        Floor("two threads over one, T = 512", 1.7, two_threads),
        Floor("process start to answer, infer --int8", 0.35, cold("seconds"), "s", True),
        Floor("peak memory, infer --int8", 130, cold("peak_mb"), "MB", True),
    ]


def attention_ratio(name: str, tokens: int, isa: str) -> Callable[[Results], float | None]:
    """isa "": the process's own choice."""

    def measure(results: Results) -> float | None:
        rows = results.get("attention_avx2" if isa else "attention", [])
        row = find(rows, threads=1, width=64, tokens=tokens)
        return least_ratio(row, [name])

    return measure


def model_ratio(names: Iterable[str], batch: int, tokens: int) -> Callable[[Results], float | None]:
    """Of the fastest of them, with one thread."""

    def measure(results: Results) -> float | None:
        row = find(results.get("model", []), threads=1, batch=batch, tokens=tokens)
        return least_ratio(row, names)

    return measure


def sentence_ratio(names: Iterable[str]) -> Callable[[Results], float | None]:
    """Of the fastest of them, with one thread."""

    def measure(results: Results) -> float | None:
        row = find(results.get("sentences", []), threads=1)
        return least_ratio(row and row["alone"], names)

    return measure


def product_share(results: Results) -> float | None:
    row = find(results.get("shares", []), tokens=128)
    return row and 100 * row["shares"].get("MatMulInteger", 0.0)


def two_threads(results: Results) -> float | None:
    row = results.get("two_threads")
    return row["models"]["one"]["ratio"] if row and row["tokens"] == 512 else None


def cold(figure: str) -> Callable[[Results], float | None]:
    return lambda results: results.get("cold_start", {}).get(cold_start.OURS, {}).get(figure)


def find(rows: Iterable[dict[str, Any]], **values: int) -> Any:
    """The first row with these values, or None."""
    return next((r for r in rows if all(r[k] == v for k, v in values.items())), None)


def least_ratio(row: Any, names: Iterable[str]) -> float | None:
    """That of the fastest of the named models."""
    ratios = (
        [row["models"][name]["ratio"] for name in names if name in row["models"]] if row else []
    )
    return min(ratios, default=None)


FLOORS = _floors()
