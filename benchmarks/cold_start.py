"""Seconds from process start to the first answer, peak memory, and sizes.

    python -m benchmarks.cold_start FOLDER > cold_start.json

FOLDER has what `benchmarks.models.make` and `benchmarks.models.save_teacher` write. Every way to
answer is a process of its own; they take turns, and the files are in the disk's cache. This module
imports little, because a child's peak memory counts what its parent had when it was started.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TEXT = "a moving, funny film"
IDS = "[[101, 1037, 3048, 1010, 6057, 2143, 102]]"
RUNS = 7

OURS = "inhibi: infer --int8"
ONNXRUNTIME = "onnxruntime dynamic int8, ids given"
TOKENIZER = "onnxruntime dynamic int8, tokenizer"
OPENVINO = "OpenVINO int8, ids given"
TORCH = "torch fp32, transformers"

INFER = "from inhibi.engine.infer import main\nmain()"
SESSION = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
ids = numpy.array({ids}, numpy.int64)
feeds = dict(input_ids=ids, attention_mask=ids * 0 + 1, token_type_ids=ids * 0)
print(session.run(None, feeds)[0].argmax(), flush=True)
"""
ENCODED = "[tokenizers.Tokenizer.from_file(sys.argv[2]).encode(sys.argv[3]).ids]"
COMPILED = f"""
import sys, numpy, openvino
request = openvino.Core().compile_model(sys.argv[1], "CPU").create_infer_request()
ids = numpy.array({IDS}, numpy.int64)
feeds = dict(input_ids=ids, attention_mask=ids * 0 + 1, token_type_ids=ids * 0)
print(request.infer(feeds).to_tuple()[0].argmax(), flush=True)
"""
TRANSFORMERS = """
import sys, torch, transformers
tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=sys.argv[2])
model = transformers.AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
with torch.inference_mode():
    logits = model(**tokenizer(sys.argv[3], return_tensors="pt")).logits
print(int(logits.argmax()), flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=RUNS)
    chosen = parser.parse_args()
    json.dump(measure(commands(chosen.folder), chosen.runs), sys.stdout)


def commands(folder: Path) -> dict[str, list[str]]:
    """What python runs, by name."""
    dynamic, tokenizer = str(folder / "dynamic.onnx"), str(folder / "tokenizer.json")
    openvino = folder / "openvino.xml"
    given, encoded = SESSION.format(ids=IDS), "import tokenizers\n" + SESSION.format(ids=ENCODED)
    made = {
        OURS: [INFER, "--int8", "--model", str(folder / "inhibitor.onnx"), TEXT],
        ONNXRUNTIME: [given, dynamic],
        TOKENIZER: [encoded, dynamic, tokenizer, TEXT],
        TORCH: [TRANSFORMERS, str(folder / "teacher"), tokenizer, TEXT],
    }
    if openvino.exists():
        made[OPENVINO] = [COMPILED, str(openvino)]
    return made


def measure(made: Mapping[str, Sequence[str]], runs: int) -> dict[str, Any]:
    """Medians by name, of the runs after a first one that fills the disk's cache."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
    for turn in range(runs + 1):
        for name, (code, *arguments) in made.items():
            one = run([sys.executable, "-c", code, *arguments])
            if turn:
                found[name].append(one)
    return {
        name: {
            "seconds": statistics.median(seconds for seconds, _ in values),
            "peak_mb": statistics.median(peak for _, peak in values),
        }
        for name, values in found.items()
    }


def run(command: Sequence[str]) -> tuple[float, float]:
    """Seconds to the first line on standard output, and peak memory in 10^6 bytes."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        seconds = time.perf_counter() - started
        child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode or not line.strip():
        raise RuntimeError(f"no answer, exit status {child.returncode}, from: {command[2][:200]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
