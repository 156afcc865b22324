"""The speed comparison's page, and the parts that are measured in other ways."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from speed_results import results

from benchmarks import cold_start, sizes
from benchmarks.floors import FLOORS
from benchmarks.report import report
from benchmarks.roofline import cycles
from benchmarks.shares import WARM_UP, shares
from benchmarks.speed import PAGE, RESULTS, main
from inhibi.engine.files import sha256
from inhibi.engine.model import packaged


def test_page_is_a_function_of_the_results() -> None:
    page = report(json.loads(json.dumps(results())))
    lines = page.splitlines()
    for line in (
        "| attention, 12 heads of 64, T = 512: our DotProductAttention | >= 1 x "
        "| 1.50 x | yes |  |",
        "| model, batch 1, T = 32: fastest onnxruntime fp32 | >= 3 x | 4.00 x | yes | 3.50 x |",
        "| model, batch 1, T = 512: fastest onnxruntime int8 | >= 2 x | 2.50 x | yes |  |",
        "| attention, 12 heads of 64, T = 2048: onnxruntime fp32 MultiHeadAttention | >= 3.2 x "
        "| 3.00 x | **no** |  |",
        "| peak memory, infer --int8 | <= 130 MB | 110.00 MB | yes |  |",
        "| **inhibi int8, inhibitor** | **2** | **8** | **32** | 88.2 % | 95.0 % |",
        "| inhibi int8, dot product | 2.5 (1.25) | 10 (1.25) | 40 (1.25) |  |  |",
        "| onnxruntime dynamic int8 | 4 (2.00) | 2.00 | 4 (2.00) | 16 |",
        "| avx512vnni | 12 x 64 | 128 | 4.00 | 4 | 2.00 | 50 % |",
        "| MatMulInteger | 80.0 % |",
    ):
        assert line in lines, line
    assert report(results()) == page


def test_page_of_few_results_leaves_out_the_rest() -> None:
    few = {key: results()[key] for key in ("machine", "versions", "native", "quick", "teacher")}
    page = report(few)
    assert "Student: **not the one that is packaged now**." in page
    assert "Student: the packaged one." in report(few | {"student_sha256": sha256(packaged())})
    assert page.count("not measured") == len(FLOORS)
    assert "## The whole model" not in page


def test_every_floor_is_read_from_the_results() -> None:
    values = [floor.measure(results()) for floor in FLOORS]
    assert None not in values
    assert len({floor.what for floor in FLOORS}) == len(FLOORS) == 24


def test_committed_page_is_the_committed_results() -> None:
    assert PAGE.read_text() == report(json.loads(RESULTS.read_text()))


def test_shares_leave_out_the_first_runs_and_the_profilers_own_time() -> None:
    def run(begin: int, product: int, rest: int) -> list[dict[str, Any]]:
        nodes = [("MatMulInteger", product), ("Add", rest), ("MatMulInteger", product)]
        return [
            {"name": "model_run", "ts": begin, "dur": 200},
            *(
                {"name": f"{n}_kernel_time", "ts": begin + i, "dur": dur, "args": {"op_name": n}}
                for i, (n, dur) in enumerate(nodes)
            ),
        ]

    first = [event for i in range(WARM_UP) for event in run(1000 * i, 1, 99)]
    counted = [*run(10_000, 30, 15), *run(11_000, 40, 10), *run(12_000, 37, 500)]
    seconds = [1.0] * WARM_UP + [100e-6, 90e-6, 120e-6]
    found = shares([*reversed(counted), *first], seconds)
    assert found["shares"] == pytest.approx(
        {"MatMulInteger": 0.74, "Add": 0.15, "between operators": 0.11}
    )
    assert found["ms"] == pytest.approx(0.1)
    slow = shares([*counted, *first], [50e-6] * len(seconds))
    assert slow["shares"] == pytest.approx(
        {"MatMulInteger": 74 / 89, "Add": 15 / 89, "between operators": 0}
    )


def test_cycles_of_a_pair() -> None:
    row = {"heads": 12, "tokens": 100, "width": 32}
    assert cycles(row, ms=0.06, ghz=2.0) == pytest.approx(2)


def test_cold_start_times_real_processes(tiny_model: Path) -> None:
    found = cold_start.measure(
        {cold_start.OURS: [cold_start.INFER, "--model", str(tiny_model), "good film"]}, 1
    )
    assert found[cold_start.OURS]["seconds"] > 0
    # No upper bound: here the parent is pytest, whose own memory counts.
    assert found[cold_start.OURS]["peak_mb"] > 20


def test_cold_start_refuses_a_process_without_an_answer() -> None:
    for code in ("pass", "print(1, flush=True); raise SystemExit(3)"):
        with pytest.raises(RuntimeError, match="no answer"):
            cold_start.run([sys.executable, "-c", code])


def test_sizes_follow_what_is_required() -> None:
    found = sizes.closure(["inhibi"])
    assert {"numpy", "onnxruntime", "tokenizers"} <= found
    assert not {"torch", "brevitas"} & found
    assert sizes.installed()["inhibi"] > 50


def test_command_prints_what_was_asked_for(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--model", str(tiny_model), "--only", "shares"])
    page = capsys.readouterr().out
    assert "| MatMulInteger |" in page
    assert "## Cold start" not in page
