"""How a stage trains: transformers' Trainer, resumed, scored and saved.

Each stage owns a folder of the run, leaves a normal checkpoint there (safetensors, config.json,
tokenizer) and writes metrics.json last: a folder with metrics.json is a finished stage.
"""

import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments

from inhibi.engine.errors import InputError, say
from inhibi.eval.metrics import main_metric, metric
from inhibi.kd import processes
from inhibi.kd.examples import Padding, batches, label_ids, steps_within
from inhibi.kd.files import write_json
from inhibi.kd.objectives import Objective
from inhibi.kd.predict import logits
from inhibi.kd.recipe import Stage
from inhibi.kd.run import Run
from inhibi.kd.temperature import fit_temperature
from inhibi.kd.trainer import BatchTrainer


def train(
    run: Run,
    name: str,
    stage: Stage,
    objective: Objective,
    embedder: PreTrainedModel | None = None,
    prepared: float = 0.0,
) -> None:
    """Train as `stage` says, continuing at the last complete checkpoint if there is one. Of several
    processes the first one saves and scores. embedder: whose embeddings the model shall make.
    prepared: seconds that making the model took already."""
    history = _train(run, name, stage, objective) if stage.steps else []
    seconds = prepared + sum(entry["seconds"] for entry in history)
    processes.first_does(lambda: _finish(run, name, objective.model, history, seconds, embedder))


def _train(run: Run, name: str, stage: Stage, objective: Objective) -> list[dict[str, float]]:
    """What the trainer logged."""
    folder = run.folder / name
    agnostic = run.recipe.task_agnostic and name in ("align", "distill")
    examples = run.examples(stage, task=not agnostic)
    lengths, size = examples.lengths(), (stage.batch_size, stage.batch_tokens)
    stage = replace(stage, steps=steps_within(lengths, stage.steps, stage.passes, *size))
    say(f"{name}: {stage.steps} steps")
    trainer = BatchTrainer(
        model=objective,
        args=arguments(folder, in_supported_precision(name, stage), run.recipe.seed),
        train_dataset=examples,
        data_collator=Padding(run.pad, run.task.labels is None),
        train_batches=batches(lengths, stage.steps, *size, run.recipe.seed),
        scalar_rate=stage.scalar_rate,
    )
    checkpoint = processes.first_does(lambda: last_checkpoint(folder / "checkpoints"))
    if checkpoint:
        check_weights(objective, checkpoint)
    trainer.train(resume_from_checkpoint=checkpoint)
    return trainer.state.log_history


def _finish(
    run: Run,
    name: str,
    model: nn.Module,
    history: list[dict[str, float]],
    seconds: float,
    embedder: PreTrainedModel | None,
) -> None:
    """Save the model and write metrics.json."""
    folder = run.folder / name
    save(model, run.tokenizer, folder)
    write_json(
        folder / "metrics.json",
        {
            "stage": name,
            "steps": int(history[-1]["step"]) if history else 0,
            "seconds": seconds or None,
            "device": processes.device(),
            "split": "held back" if run.held_back else run.task.validation[0],
            **validate(run, model, embedder),
            "log": history,
        },
    )


def validate(run: Run, model: nn.Module, embedder: PreTrainedModel | None = None) -> dict[str, Any]:
    """On `run.rows[1]`, cut as training texts are, the `score`: the task's main metric, Pearson's
    correlation for regression, or the mean cosine between the embeddings and the embedder's; and a
    classifier's `temperature`, where no table of results is made on these examples."""
    rows = run.rows[1]
    texts, length = run.task.texts(rows), run.recipe.max_length
    made = logits(model, run.tokenizer, texts, length)
    if embedder is not None:
        goal = logits(embedder, run.tokenizer, texts, length)
        lengths = np.linalg.norm(made, axis=1) * np.linalg.norm(goal, axis=1)
        return {"score": {"cosine": float(((made * goal).sum(1) / lengths).mean())}}
    labels = np.array(label_ids(rows, run.task))
    regression = run.task.labels is None
    answers = made[:, 0] if regression else made.argmax(-1)
    name = "pearson" if regression else main_metric(run.task.name)
    found: dict[str, Any] = {"score": {name: metric(name, answers.tolist(), labels.tolist())}}
    if not regression and (run.held_back or run.own is not None):
        found["temperature"] = fit_temperature(made, labels)
    return found


def save(model: nn.Module, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the model (its own `save_pretrained`) and the tokenizer."""
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    model.save_pretrained(folder)  # type: ignore[operator]
    tokenizer.save_pretrained(folder)


def check_weights(model: nn.Module, checkpoint: str) -> None:
    """`InputError` where the checkpoint lacks some of the model's weights: transformers would go on
    with new ones."""
    with safe_open(Path(checkpoint) / "model.safetensors", "pt") as file:
        missing = sorted(model.state_dict().keys() - set(file.keys()))
    if missing:
        raise InputError(
            f"{checkpoint} is of another version of this program (it lacks {missing[0]}): delete "
            f"{Path(checkpoint).parents[1]} to start the stage again"
        )


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end; trainer_state.json is written last."""
    for checkpoint in sorted(
        folder.glob("checkpoint-*"), key=lambda c: int(c.name.rpartition("-")[2]), reverse=True
    ):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text())
        except (OSError, ValueError):
            continue
        return str(checkpoint)
    return None


def in_supported_precision(name: str, stage: Stage) -> Stage:
    """The stage, in float32 where bfloat16 would only be emulated."""
    if not stage.bf16 or has_bfloat16():
        return stage
    say(f"note: {name} runs in float32: here bfloat16 would be emulated, and slower")
    return replace(stage, bf16=False)


def has_bfloat16() -> bool:
    """Whether the GPU, or without one the processor, has instructions for products in bfloat16:
    torch emulates them elsewhere, at a fraction of float32's speed."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if platform.machine() in ("x86_64", "AMD64"):
        return bool(torch.cpu._is_avx512_bf16_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def arguments(folder: Path, stage: Stage, seed: int) -> TrainingArguments:
    made = TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        max_steps=stage.steps,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(stage.warmup * stage.steps),
        weight_decay=stage.weight_decay,
        optim="adamw_torch_fused",
        bf16=stage.bf16,
        use_cpu=not torch.cuda.is_available(),
        save_steps=stage.save_steps,
        save_total_limit=2,
        logging_steps=min(50, stage.steps),
        seed=seed,
        report_to="none",
        disable_tqdm=False,  # the bar stays although transformers' messages are off
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    made._n_gpu = min(made.n_gpu, 1)  # several GPUs have a process each (torchrun)
    return made
