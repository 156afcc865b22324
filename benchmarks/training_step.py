"""Seconds of one training step, inhibitor beside dot-product attention, in one process.

    python -m benchmarks.training_step --batch 32 --tokens 32

Both models are BERT with 6 layers, 384 wide, 12 heads; they take turns, so that a machine's
changing speed meets both. First the compiled attention's output and gradients are compared with
the plain formula's.
"""

import argparse
import json
import statistics
import time

import torch
from transformers import BertConfig, BertForSequenceClassification

from inhibi.kd.attention import Inhibitor, InhibitorSettings
from inhibi.kd.student import make_student


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    check_equality(chosen.batch, chosen.tokens)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    teacher = BertForSequenceClassification(config).train()
    models = {"dot_product": teacher, "inhibitor": make_student(teacher, InhibitorSettings())}
    seconds = measure(models, chosen.batch, chosen.tokens, chosen.rounds)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = [a / b for a, b in zip(seconds["inhibitor"], seconds["dot_product"], strict=True)]
    print(
        json.dumps(
            {
                "batch": chosen.batch,
                "tokens": chosen.tokens,
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
                "median_seconds": medians,
                "median_ratio": statistics.median(ratios),
                "ratios": ratios,
            },
            indent=1,
        )
    )


def measure(
    models: dict[str, torch.nn.Module], batch: int, tokens: int, rounds: int
) -> dict[str, list[float]]:
    """Seconds of forward, backward and AdamW step, after two steps of warm-up each."""
    ids = torch.randint(0, 30522, (batch, tokens))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs["labels"] = torch.randint(0, 2, (batch,))
    optimizers = {name: torch.optim.AdamW(model.parameters()) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds + 2):
        for name, model in models.items():
            started = time.perf_counter()
            model(**inputs).loss.backward()
            optimizers[name].step()
            optimizers[name].zero_grad()
            if turn >= 2:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def check_equality(batch: int, tokens: int) -> None:
    """The compiled kernels against the eager formula: context and gradients."""
    torch.manual_seed(0)
    module = Inhibitor(InhibitorSettings(), 12)
    made = []
    drawn = torch.randn(3, min(batch, 4), 12, tokens, 32)
    for stance in ("default", "force_eager"):
        leaves = [x.clone().requires_grad_() for x in drawn]
        with torch.compiler.set_stance(stance):
            context = module(*leaves, None)
            made.append((context, *torch.autograd.grad(context.square().mean(), leaves)))
    for compiled, eager in zip(*made, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-3, atol=1e-5)


if __name__ == "__main__":
    main()
