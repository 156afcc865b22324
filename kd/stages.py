"""The float stages: fine-tune a teacher, align a student layer by layer, distill it.

Each stage owns a folder of the run, leaves a normal checkpoint there (safetensors, config.json,
tokenizer) and writes metrics.json last: a folder with metrics.json is a finished stage.
"""

import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainingArguments,
    set_seed,
)

from inhibi.engine.errors import InputError
from inhibi.kd.data import Task, hold_back, load_split, load_texts
from inhibi.kd.examples import (
    Example,
    Examples,
    Padding,
    batches,
    joined,
    label_ids,
    labelled,
    unlabelled,
)
from inhibi.kd.families import parts
from inhibi.kd.files import write_json
from inhibi.kd.predict import logits
from inhibi.kd.recipe import Recipe, Stage
from inhibi.kd.scalars import fit_scalars
from inhibi.kd.student import load, make_student
from inhibi.kd.teacher import load_teacher
from inhibi.kd.trainers import AlignTrainer, BatchTrainer, DistillTrainer, TaskTrainer

if TYPE_CHECKING:
    from datasets import Dataset


FITTED = 32  # examples whose statistics set the initial gamma, alpha and beta


@dataclass(frozen=True)
class Run:
    """One run of `qat-train`: its folder, recipe, task and data."""

    folder: Path
    recipe: Recipe
    task: Task
    data_dir: str | None
    texts: tuple[str, ...]
    tokenizer: PreTrainedTokenizerBase

    def finished(self, stage: str) -> bool:
        """Whether this stage's metrics are written."""
        return (self.folder / stage / "metrics.json").is_file()

    @property
    def pad(self) -> int:
        """The id that fills a batch."""
        return int(self.tokenizer.pad_token_id)

    def check(self, teacher: str) -> None:
        """`InputError` where the recipe, the data or the teacher do not fit: before any work."""
        for split in ("train", self.task.validation[0]):
            label_ids(load_split(self.task, split, self.data_dir), self.task)
        r = self.recipe
        for stage in (r.teacher, r.align, r.distill, r.finetune, r.qat):
            if stage.joined and (len(self.task.columns) > 1 or self.task.labels is None):
                raise InputError(
                    f"the recipe joins sentences, which {self.task.name} does not allow: "
                    "set joined = 0 (it needs single sentences with labels)"
                )
            if stage.texts and not self.texts:
                raise InputError(
                    "the recipe mixes in unlabelled texts: name parquet files with --text, "
                    "or set texts = 0 in a recipe of your own"
                )
        load_texts(list(self.texts))
        if r.task_agnostic and not (r.align.texts and r.distill.texts):
            raise InputError("a task-agnostic recipe needs texts in [align] and [distill]")
        if not self.finished("teacher"):
            positions = parts(self.load_teacher(teacher)).position.num_embeddings
            if r.max_length > positions:
                raise InputError(
                    f"the recipe's max_length is {r.max_length}, the teacher has {positions} "
                    "positions: lower max_length"
                )

    def load_teacher(self, name: str) -> PreTrainedModel:
        """The checkpoint to fine-tune, or the fine-tuned one where the recipe has no steps."""
        set_seed(self.recipe.seed)  # a new head's weights
        new = self.recipe.teacher.steps > 0 or self.recipe.task_agnostic
        return load_teacher(name, self.task, trained=not new)

    @cached_property
    def rows(self) -> "tuple[Dataset, Dataset]":
        """The examples to train on and those to score stages on."""
        train = load_split(self.task, "train", self.data_dir)
        if self.recipe.held_back:
            return hold_back(train, self.task, self.recipe.held_back)
        return train, load_split(self.task, self.task.validation[0], self.data_dir)

    def examples(self, stage: Stage, task: bool = True) -> Examples:
        """The training examples of a stage: the task's and joined ones (`task`), unlabelled
        texts."""
        rows = self.rows[0]
        length, seed = self.recipe.max_length, self.recipe.seed
        made: list[Example] = []
        if task:
            made += labelled(rows, self.task, self.tokenizer, length)
        if stage.joined:
            made += joined(rows, self.task, stage.joined, self.tokenizer, length, seed)
        if stage.texts:
            texts = load_texts(list(self.texts))
            made += unlabelled(texts, stage.texts, self.tokenizer, length, seed)
        return Examples(made)


def teacher_stage(run: Run, name: str) -> PreTrainedModel:
    """Fine-tune the checkpoint `name` on the task, or take it as it is where steps = 0."""
    if not run.finished("teacher"):
        train(run, "teacher", run.recipe.teacher, TaskTrainer, run.load_teacher(name))
    return load(run.folder / "teacher")


def align_stage(run: Run, teacher: PreTrainedModel) -> PreTrainedModel:
    """Train Q, K, V, gamma, alpha, beta of a new student, layer by layer.

    A student with dot-product attention is the teacher without its dropout.
    """
    if run.recipe.attention == "dot_product":
        return make_student(teacher, None).eval()
    if not run.finished("align"):
        student = make_student(teacher, run.recipe.inhibitor)
        if run.recipe.align.fitted:
            fit_scalars(student, teacher, _some_inputs(run))
        for parameter in student.parameters():
            parameter.requires_grad_(False)
        for layer in parts(student).layers:
            for module in (layer.query, layer.key, layer.value, layer.attention.inhibitor):
                module.requires_grad_(True)
        train(run, "align", run.recipe.align, AlignTrainer, student, teacher=teacher)
    return load(run.folder / "align")


def _some_inputs(run: Run) -> dict[str, Tensor]:
    """A few of the align stage's examples, spread over its kinds of text."""
    rows = run.examples(run.recipe.align, task=not run.recipe.task_agnostic).rows
    batch = Padding(run.pad, run.task.labels is None)(rows[:: max(1, len(rows) // FITTED)][:FITTED])
    del batch["labels"]
    return batch


def distill_stage(run: Run, teacher: PreTrainedModel, student: PreTrainedModel) -> PreTrainedModel:
    """Train the whole student on hidden states, soft probabilities and labels.

    With steps = 0 it is passed on.
    """
    if not run.recipe.distill.steps:
        return student
    if not run.finished("distill"):
        stage = run.recipe.distill
        train(run, "distill", stage, DistillTrainer, student, teacher=teacher, weights=stage)
    return load(run.folder / "distill")


def finetune_stage(run: Run, student: PreTrainedModel) -> PreTrainedModel:
    """Fine-tune the student on labels alone; with steps = 0 it is passed on."""
    if not run.recipe.finetune.steps:
        return student
    if not run.finished("finetune"):
        train(run, "finetune", run.recipe.finetune, TaskTrainer, student)
    return load(run.folder / "finetune")


def train(
    run: Run,
    name: str,
    stage: Stage,
    trainer_class: type[BatchTrainer],
    model: nn.Module,
    **extra: Any,
) -> None:
    """Train `model` as `stage` says, continuing at the last complete checkpoint if there is one."""
    folder = run.folder / name
    print(f"{name}: {stage.steps} steps", file=sys.stderr)
    history: list[dict[str, float]] = []
    if stage.steps:
        agnostic = run.recipe.task_agnostic and name in ("align", "distill")
        examples = run.examples(stage, task=not agnostic)
        lengths = examples.lengths()
        trainer = trainer_class(
            model=model,
            args=_arguments(folder, stage, run.recipe.seed),
            train_dataset=examples,
            data_collator=Padding(run.pad, run.task.labels is None),
            train_batches=batches(
                lengths, stage.steps, stage.batch_size, stage.batch_tokens, run.recipe.seed
            ),
            **extra,
        )
        trainer.train(resume_from_checkpoint=last_checkpoint(folder / "checkpoints"))
        history = trainer.state.log_history
    save(model, run.tokenizer, folder)
    write_json(
        folder / "metrics.json",
        {
            "stage": name,
            "steps": stage.steps,
            "split": "held back" if run.recipe.held_back else run.task.validation[0],
            "score": validate(run, model),
            "log": history,
        },
    )


def validate(run: Run, model: nn.Module) -> dict[str, float]:
    """Accuracy, or Pearson's correlation for regression, on `run.rows[1]`."""
    rows = run.rows[1]
    made = logits(model, run.tokenizer, run.task.texts(rows))
    labels = np.array(label_ids(rows, run.task))
    if run.task.labels is None:
        return {"pearson": float(np.corrcoef(made[:, 0], labels)[0, 1])}
    return {"accuracy": float((made.argmax(-1) == labels).mean())}


def save(model: nn.Module, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the model (its own `save_pretrained`) and the tokenizer."""
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    model.save_pretrained(folder)  # type: ignore[operator]
    tokenizer.save_pretrained(folder)


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


def _arguments(folder: Path, stage: Stage, seed: int) -> TrainingArguments:
    return TrainingArguments(
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
