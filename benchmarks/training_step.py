"""Seconds of one training step, inhibitor beside dot-product attention, in one process.

    python -m benchmarks.training_step --batch 32 --tokens 32 128
    python -m benchmarks.training_step --device cuda --bf16 --batch 64 --tokens 128 512

Both models are BERT with 6 layers, 384 wide, 12 heads; they take turns, so that a machine's
changing speed meets both. First the compiled attention's output and gradients are compared with
the plain formula's. What a step needs of a GPU's memory beside the models stands there, too.
"""

import argparse
import json
import statistics
import time
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification

from inhibi.engine.cli import positive
from inhibi.engine.errors import InputError, command
from inhibi.kd.attention import Inhibitor, InhibitorSettings
from inhibi.kd.student import make_student

WARM_UP = 2  # steps
POSITIONS = 512  # of the models


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.training_step`."""
    chosen = options(argv)
    if chosen.device == "cuda" and not torch.cuda.is_available():
        raise InputError("torch finds no GPU here: leave out --device cuda")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        max_position_embeddings=POSITIONS,
    )
    teacher = BertForSequenceClassification(config).train()
    student = make_student(teacher, InhibitorSettings())
    models = {"dot_product": teacher.to(chosen.device), "inhibitor": student.to(chosen.device)}
    described = {
        "device": torch.cuda.get_device_name() if chosen.device == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "batch": chosen.batch,
        "bf16": chosen.bf16,
    }
    rows = []
    for tokens in chosen.tokens:
        check_equality(chosen.batch, tokens, chosen.device)
        rows.append(row(models, chosen, tokens))
    print(json.dumps(described | {"lengths": rows}, indent=1))


def options(argv: list[str] | None) -> argparse.Namespace:
    """The parsed arguments."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.training_step",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--batch", type=positive, default=32)
    add("--tokens", type=positive, nargs="+", default=[32], help=f"of a text, up to {POSITIONS}")
    add("--rounds", type=positive, default=9)
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--bf16", action="store_true", help="products in bfloat16, as a recipe's bf16 = true")
    chosen = parser.parse_args(argv)
    if max(chosen.tokens) > POSITIONS:
        parser.error(f"--tokens: the models have {POSITIONS} positions")
    return chosen


def row(models: dict[str, Any], chosen: argparse.Namespace, tokens: int) -> dict[str, Any]:
    """Both models at one length: median seconds and their ratios, turn by turn."""
    seconds, megabytes = measure(models, chosen, tokens)
    ratios = [a / b for a, b in zip(seconds["inhibitor"], seconds["dot_product"], strict=True)]
    return {
        "tokens": tokens,
        "median_seconds": {name: statistics.median(values) for name, values in seconds.items()},
        "median_ratio": statistics.median(ratios),
        "ratios": ratios,
        **({"peak_megabytes": megabytes} if megabytes else {}),
    }


def measure(
    models: dict[str, Any], chosen: argparse.Namespace, tokens: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of forward, backward and AdamW step, after WARM_UP steps of each; and on a GPU the
    megabytes that a step needs beside the models."""
    device = torch.device(chosen.device)
    ids = torch.randint(0, 30522, (chosen.batch, tokens), device=device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs["labels"] = torch.randint(0, 2, (chosen.batch,), device=device)
    optimizers = {
        name: torch.optim.AdamW(model.parameters(), fused=True) for name, model in models.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in models}
    megabytes: dict[str, float] = {}
    for turn in range(chosen.rounds + WARM_UP):
        for name, model in models.items():
            synchronize(device)
            held = start_counting(device)
            started = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=chosen.bf16):
                loss = model(**inputs).loss
            loss.backward()
            optimizers[name].step()
            optimizers[name].zero_grad()
            synchronize(device)
            if turn >= WARM_UP:
                seconds[name].append(time.perf_counter() - started)
                if device.type == "cuda":
                    megabytes[name] = (torch.cuda.max_memory_allocated() - held) / 1e6
    return seconds, megabytes


def synchronize(device: torch.device) -> None:
    """Wait for a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def start_counting(device: torch.device) -> int:
    """The bytes that a GPU holds now; its largest memory counts from here."""
    if device.type != "cuda":
        return 0
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def check_equality(batch: int, tokens: int, device: str) -> None:
    """The compiled kernels against the eager formula: context and gradients."""
    torch.manual_seed(0)
    module = Inhibitor(InhibitorSettings(), 12).to(device)
    made = []
    drawn = torch.randn(3, min(batch, 4), 12, tokens, 32, device=device)
    for stance in ("default", "force_eager"):
        leaves = [x.clone().requires_grad_() for x in drawn]
        with torch.compiler.set_stance(stance):
            context = module(*leaves, None)
            made.append((context, *torch.autograd.grad(context.square().mean(), leaves)))
    for compiled, eager in zip(*made, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-3, atol=1e-5)


if __name__ == "__main__":
    main()
