"""Pretrained checkpoints: from a folder or the hub, with a head for the task."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    logging,
)

from inhibi.engine.errors import InputError
from inhibi.kd.data import Task
from inhibi.kd.families import parts
from inhibi.kd.student import load, read_config, reason


def silence_transformers() -> None:
    """Leave only errors on standard error: what else it reports of a checkpoint, commands check."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_pretrained(name: str, task: Task, trained: bool) -> PreTrainedModel:
    """The checkpoint in float32 with a classifier whose rows are the task's labels; safetensors
    only.

    A head with the task's label names is put in the task's order. Any other is replaced by a new
    one, to be trained, or refused where the checkpoint is to be used as it is (`trained`).
    Raises `InputError`.
    """
    labels = task.labels or ("score",)
    model, own, unfit = read_classifier(name, len(labels))
    found = parts(model)
    order = _order(own, labels)
    known = task.labels is None or order is not None
    if trained and (unfit or not known):
        raise InputError(
            f"{name} has no head with the labels {', '.join(labels)}: "
            "let the recipe fine-tune it ([teacher] steps)"
        )
    if task.labels and order is not None:
        _reorder(found.classifier, order)
    _describe_head(model, task, labels)
    return model


def read_classifier(
    name: str, labels: int | None = None
) -> tuple[PreTrainedModel, list[str], bool]:
    """The checkpoint in float32, with a classifier of so many rows (None: of its own number); its
    own labels' names; and whether some weights are new, for want of fitting ones.

    Safetensors only. Raises `InputError`, also where the family is another or the attention is not
    softmax over learned positions.
    """
    try:
        config = AutoConfig.from_pretrained(name)
        if hasattr(config, "inhibitor"):
            raise InputError(f"{name} is an inhibitor student: a teacher has softmax attention")
        own = [config.id2label[i] for i in range(config.num_labels)]
        if labels is not None:
            config.num_labels = labels
        model, info = AutoModelForSequenceClassification.from_pretrained(
            name,
            config=config,
            dtype=torch.float32,  # else the file's, float16 included
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:  # transformers', safetensors' and torch's have no common base
        raise InputError(f"no checkpoint {name}: {_reason(error)}") from error
    parts(model)  # which knows the families
    if getattr(config, "position_embedding_type", "absolute") != "absolute":
        raise InputError(f"{name} has relative positions: choose one with learned positions")
    return model, own, bool(info["missing_keys"] or info["mismatched_keys"])


def _order(own: Sequence[str], labels: Sequence[str]) -> list[int] | None:
    """Where each label stands in a checkpoint's own, whatever its case; None where they differ."""
    for names, wanted in (
        (list(own), list(labels)),
        ([name.lower() for name in own], [label.lower() for label in labels]),
    ):
        if sorted(names) == sorted(wanted) and len(set(wanted)) == len(wanted):
            return [names.index(label) for label in wanted]
    return None


def is_inhibitor(name: str) -> bool:
    """Whether this is the folder of a student of this project."""
    return Path(name).is_dir() and hasattr(read_config(Path(name)), "inhibitor")


def stage_of(folder: str) -> str | None:
    """The stage that a run left in this folder."""
    file = Path(folder) / "metrics.json"
    return json.loads(file.read_text("utf-8")).get("stage") if file.is_file() else None


def load_student(folder: str, task: Task, new_head: bool) -> PreTrainedModel:
    """The float inhibitor student in `folder`, with a new classifier where one is asked for or its
    labels are not the task's. Raises `InputError`."""
    labels = task.labels or ("score",)
    model = load(folder)
    own = [model.config.id2label[i] for i in range(model.config.num_labels)]
    if new_head or own != list(labels):
        model.config.num_labels = model.num_labels = len(labels)
        model.classifier = torch.nn.Linear(model.classifier.in_features, len(labels))
        torch.nn.init.normal_(model.classifier.weight, std=model.config.initializer_range)
        torch.nn.init.zeros_(model.classifier.bias)
    _describe_head(model, task, labels)
    return model


def _describe_head(model: PreTrainedModel, task: Task, labels: Sequence[str]) -> None:
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: i for i, label in enumerate(labels)}
    model.config.problem_type = None if task.labels else "regression"
    model.config.finetuning_task = task.name
    model.config.texts = len(task.columns)
    if task.pooling:
        model.config.pooling = task.pooling


def _reason(error: Exception) -> str:
    """Why, and what to do where only safetensors are missing."""
    first = reason(error)
    if "safetensors" not in first:
        return first
    return (
        f"{first.rstrip('.')} (pickled weights, .bin, are never loaded: save the checkpoint "
        "with safetensors)"
    )


def _reorder(classifier: torch.nn.Linear, order: list[int]) -> None:
    with torch.no_grad():
        classifier.weight.copy_(classifier.weight[order].clone())
        classifier.bias.copy_(classifier.bias[order].clone())


def write_checkpoint(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, source: str
) -> None:
    """Write a checkpoint that is made from another one. Raises `InputError` where it would replace
    that one."""
    if folder.resolve() == Path(source).resolve():
        raise InputError(f"{folder} is the checkpoint that is read: name another folder to write")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder: name another one to write")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
