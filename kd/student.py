"""Inhibitor students: made from a teacher, saved as a normal checkpoint, loaded without loss."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)

from inhibi.engine.errors import InputError
from inhibi.kd.attention import Inhibitor, InhibitorSettings
from inhibi.kd.families import keep_layers, parts

FLOAT_STAGES = ("teacher", "align", "distill", "finetune")  # in the order in which they run

# The names of dropout in BERT's and DistilBERT's config.json.
DROPOUT = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "dropout",
    "attention_dropout",
    "seq_classif_dropout",
)


def make_student(
    teacher: PreTrainedModel,
    settings: InhibitorSettings | None,
    layers: Sequence[int] | None = None,
) -> PreTrainedModel:
    """A copy of the teacher, weights included, whose attention is the inhibitor (None: the
    teacher's own). layers: those that it takes, 0-based (None: all).

    Dropout is off: the student learns to equal a deterministic teacher. Fine-tuning turns it on
    again, see `use_dropout_of`.
    """
    student = copy.deepcopy(teacher)
    if layers is not None:
        keep_layers(student, layers)
    for name in DROPOUT:
        if hasattr(student.config, name):
            setattr(student.config, name, 0.0)
    for module in student.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    if settings is not None:
        attach(student, settings)
    return student


def use_dropout_of(teacher: PreTrainedModel, student: PreTrainedModel) -> None:
    """Dropout for fine-tuning on labels, everywhere at the teacher's rate of hidden states. The
    student's config.json, and so whatever is loaded from it, stays without."""
    config = teacher.config
    # DistilBERT's name or BERT's.
    name = "dropout" if hasattr(config, "dropout") else "hidden_dropout_prob"
    for module in student.modules():
        if isinstance(module, nn.Dropout):
            module.p = float(getattr(config, name))


def load(path: str | Path) -> PreTrainedModel:
    """The float teacher or student saved at `path`: a folder with config.json and safetensors.

    The only loader of students. A config.json with the entry "inhibitor" gives an inhibitor;
    every key must be there and none may be left over. transformers alone refuses a student's
    config.json. Raises `InputError`.
    """
    folder = Path(path)
    config = read_config(folder)
    if hasattr(config, "quantization"):
        raise InputError(f"{folder} is a quantized student: write its file with export-onnx")
    with reading(folder):
        model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
        settings = getattr(config, "inhibitor", None)
        if settings is not None:
            attach(model, InhibitorSettings(**settings))
        _fill(model, _weights(folder), folder)
    return model.eval()


def read_config(folder: Path) -> PretrainedConfig:
    """What config.json says. Raises `InputError`."""
    if not (folder / "config.json").is_file():
        stages = [str(folder / n) for n in FLOAT_STAGES if (folder / n / "config.json").is_file()]
        instead = f"; choose {' or '.join(stages)}" if stages else ""
        raise InputError(f"{folder} is no checkpoint: it has no config.json{instead}")
    with reading(folder / "config.json"):
        return AutoConfig.from_pretrained(folder)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """An error while this file or folder is read is an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # transformers', safetensors' and torch's have no common base
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is damaged or incomplete: {said}") from error


def reason(error: Exception) -> str:
    """Why transformers could not load: its own first line, where it foresaw the error."""
    if isinstance(error, OSError | ValueError) and str(error):
        return str(error).splitlines()[0]
    return f"it is damaged or incomplete ({error!r})"


def attach(model: PreTrainedModel, settings: InhibitorSettings) -> None:
    """Give every attention layer of `model` its gamma, alpha, beta and switch it to inhibition."""
    found = parts(model)
    for layer in found.layers:
        layer.attention.inhibitor = Inhibitor(settings, found.heads)
    model.config.inhibitor = asdict(settings)
    # In config.json, where transformers reads it: alone it refuses the name instead of running
    # softmax attention.
    model.config.attn_implementation = "inhibitor"
    model.set_attn_implementation("inhibitor")


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(
            f"{folder} has no .safetensors file: pickled weights (.bin, .pt) are never loaded, "
            "save the checkpoint with safetensors"
        )
    weights: dict[str, torch.Tensor] = {}
    for file in files:
        weights |= load_file(file)
    return weights


def _fill(model: PreTrainedModel, weights: dict[str, torch.Tensor], folder: Path) -> None:
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if missing or unexpected:
        named = ", ".join(
            [f"{key} missing" for key in missing] + [f"{k} unknown" for k in unexpected]
        )
        raise InputError(
            f"the weights in {folder} do not fit its config.json ({named[:200]}): "
            "it is not a complete sequence classifier of this project"
        )
