"""Milliseconds of the attention operator alone: ours beside onnxruntime's and torch's in fp32.

    python -m benchmarks.attention_speed [--quick] > attention.json

Every model is one node; Q, K and V of one sentence stand ready, for ours as bytes side by side
[T, 3C], for onnxruntime as floats [1, T, C], for torch as floats [1, H, T, d]. The instruction set
of our kernels is chosen once in a process: INHIBI_ISA=avx2 in the environment forces one.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.attention_models import (
    Call,
    Operator,
    Shape,
    dot_product,
    floats,
    inhibitor,
    onnxruntime_call,
    our_call,
    to_bytes,
    torch_call,
)
from benchmarks.checks import FLOAT, close, equal
from benchmarks.native import isa
from benchmarks.timing import Effort, alternate, compare

INHIBITOR = "inhibi InhibitorAttention"
DOT_PRODUCT = "inhibi DotProductAttention"
ONNXRUNTIME = "onnxruntime fp32 MultiHeadAttention"
TORCH = "torch fp32 scaled_dot_product_attention"

HEADS = 12
WITHOUT_NATIVE = 64  # tokens: beyond, the operators' bodies need gigabytes
ALL_HEADS = 512  # tokens up to which every head is checked; beyond, the first and the last


EFFORT = Effort(1.2)


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    tokens: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 2048)
    widths: tuple[int, ...] = (64, 32)
    threads: tuple[int, ...] = (1, 2)
    effort: Effort = EFFORT


QUICK = Plan((32, 128), (64,), (1,), Effort(0.2, least=3, most=5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    plan = QUICK if parser.parse_args().quick else Plan(threads=(1,))
    json.dump(list(measure(plan)), sys.stdout)


def measure(plan: Plan) -> Iterator[dict[str, Any]]:
    """One row for each shape and number of threads. `WrongAnswer` before the clock starts."""
    for width in plan.widths:
        for tokens in plan.tokens:
            if tokens > WITHOUT_NATIVE and not isa():
                continue
            shape = Shape(tokens, HEADS, width)
            for threads in plan.threads:
                seconds = alternate(checked_calls(shape, threads), plan.effort)
                yield {
                    "isa": isa(),
                    "heads": HEADS,
                    "width": width,
                    "tokens": tokens,
                    "threads": threads,
                    **compare(seconds, INHIBITOR),
                }


def checked_calls(shape: Shape, threads: int) -> dict[str, Call]:
    """By name. Ours equal NumPy's, the two peers in floats agree with each other."""
    calls: dict[str, Call] = {}
    for name, operator in (INHIBITOR, inhibitor(shape)), (DOT_PRODUCT, dot_product(shape)):
        calls[name] = our_call(operator, shape, threads)
        check(name, calls[name](), operator, shape)
    calls[ONNXRUNTIME] = onnxruntime_call(shape, threads)
    calls[TORCH] = torch_call(shape, threads)
    heads = calls[TORCH]().transpose(0, 2, 1, 3).reshape(1, shape.tokens, shape.hidden)
    close(TORCH, heads, calls[ONNXRUNTIME](), FLOAT)
    return calls


def check(name: str, got: np.ndarray, operator: Operator, shape: Shape) -> None:
    """uint8 [T, C] against the definition, head by head."""
    qkv, offsets = to_bytes(floats(shape)), np.array([0, shape.tokens])
    step = 1 if shape.tokens <= ALL_HEADS else shape.heads - 1
    for head in range(0, shape.heads, step):
        columns = slice(head * shape.width, (head + 1) * shape.width)
        alone = qkv.reshape(shape.tokens, 3, -1)[:, :, columns].reshape(shape.tokens, -1)
        parts = {"score": slice(head, head + 1), "multi": columns, "shift": columns}
        inputs = [x[parts.get(n[:5], slice(None))] for n, x in operator.parameters.items()]
        want = operator.function(alone, offsets, *inputs, **operator.attributes | {"heads": 1})
        equal(name, got[:, columns], want)


if __name__ == "__main__":
    main()
