"""The float model that the peers run: a checkpoint, or random weights of the student's shape."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from inhibi.engine.errors import InputError
from inhibi.engine.metadata import Metadata

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAMES = ["input_ids", "attention_mask", "token_type_ids"]  # in the order of forward()
OPSET = 17


@dataclass(frozen=True)
class Teacher:
    """`trained` is false for random weights, whose predictions mean nothing."""

    model: "PreTrainedModel"
    trained: bool
    heads: int
    hidden: int


def open_teacher(folder: Path | None, student: Metadata) -> Teacher:
    """A BERT with eager attention, which exporters know how to fuse.

    `InputError` where the checkpoint's shape is not the student's: the comparison would be void.
    """
    from transformers import AutoModelForSequenceClassification

    if folder is None:
        model = _random(student)
    elif not (folder / "config.json").is_file():
        raise InputError(f"{folder} is no transformers checkpoint: it has no config.json")
    else:
        load = AutoModelForSequenceClassification.from_pretrained
        with quiet():
            model = load(folder, attn_implementation="eager")
    _expect_shape(model, student)
    config = model.config
    heads, hidden = config.num_attention_heads, config.hidden_size
    return Teacher(model.eval(), folder is not None, heads, hidden)


def export(teacher: Teacher, path: Path, masked: bool = True) -> None:
    """Write it as ONNX, any batch and length; without a mask its sentences must be of one length.

    By tracing: onnxruntime's optimizer fuses attention in such a graph, and does not in the one
    that torch's newer exporter writes.
    """
    import torch

    names = NAMES if masked else NAMES[::2]
    example = torch.ones((2, 16), dtype=torch.int64)
    axes = {0: "batch", 1: "tokens"}
    with quiet():
        torch.onnx.export(
            teacher.model,
            (),
            str(path),
            kwargs=dict.fromkeys(names, example),
            input_names=names,
            output_names=["logits"],
            dynamic_axes=dict.fromkeys(names, axes) | {"logits": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Without what exporters and quantizers warn and print about themselves."""
    import logging

    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def _random(student: Metadata) -> "PreTrainedModel":
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=student.vocabulary,
        hidden_size=student.hidden,
        num_hidden_layers=student.layers,
        num_attention_heads=student.heads,
        intermediate_size=student.intermediate,
        max_position_embeddings=student.max_tokens,
        num_labels=len(student.labels),
        attn_implementation="eager",
    )
    return BertForSequenceClassification(config)


def _expect_shape(model: "PreTrainedModel", student: Metadata) -> None:
    config = model.config
    if config.model_type != "bert":
        raise InputError(f"the teacher is a {config.model_type}: only bert is compared")
    pairs = {
        "layers": config.num_hidden_layers,
        "hidden": config.hidden_size,
        "heads": config.num_attention_heads,
        "intermediate": config.intermediate_size,
        "vocabulary": config.vocab_size,
    }
    for name, value in pairs.items():
        if value != getattr(student, name):
            raise InputError(
                f"the teacher's {name} is {value}, the student's {getattr(student, name)}: "
                "give the teacher of this student"
            )
