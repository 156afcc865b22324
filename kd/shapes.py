"""Teachers of another shape: the teacher's layer for each of the student's, and learned projections
between their widths."""

from collections.abc import Sequence

from torch import nn
from transformers import PreTrainedConfig

from inhibi.engine.errors import InputError


def taken_layers(layers: Sequence[int], teacher: PreTrainedConfig) -> tuple[int, ...]:
    """The teacher's layers (0-based) that make the student: those of the recipe, or all.

    Raises `InputError` where the teacher has no such layer.
    """
    count = teacher.num_hidden_layers
    if layers and max(layers) >= count:
        raise InputError(
            f"the recipe's layers name layer {max(layers)}, the teacher has {count}: "
            f"choose from 0 to {count - 1}"
        )
    return tuple(layers) or tuple(range(count))


def compared_layers(
    layers: Sequence[int], teacher: PreTrainedConfig, student: PreTrainedConfig
) -> tuple[int, ...]:
    """The teacher's layer (0-based) whose output each student layer is compared with.

    That is the recipe's; where it names none an even spread that ends with the last one, TinyBERT's
    (arXiv 1909.10351): layers 1, 3, ... 11 of 12 for 6. Raises `InputError` where they do not fit.
    """
    ours, theirs = student.num_hidden_layers, teacher.num_hidden_layers
    if ours > theirs:
        raise InputError(
            f"the student has {ours} layers, the teacher {theirs}: "
            "choose a student with no more layers than its teacher"
        )
    if layers and len(layers) != ours:
        raise InputError(
            f"the recipe's layers name {len(layers)}, the student has {ours} layers: "
            "name one for each, or leave the entry out for an even spread"
        )
    spread = tuple((i + 1) * theirs // ours - 1 for i in range(ours))
    return taken_layers(layers, teacher) if layers else spread


def same_shape(teacher: PreTrainedConfig, student: PreTrainedConfig) -> bool:
    """Whether hidden states can be compared layer by layer, number by number."""
    return all(
        getattr(teacher, name) == getattr(student, name)
        for name in ("num_hidden_layers", "hidden_size")
    )


def projections(teacher: PreTrainedConfig, student: PreTrainedConfig, count: int) -> nn.ModuleList:
    """For each of `count` layers the map from the student's width to the teacher's, to be learned;
    the identity where the widths are equal."""
    ours, theirs = student.hidden_size, teacher.hidden_size
    return nn.ModuleList(
        nn.Identity() if ours == theirs else nn.Linear(ours, theirs) for _ in range(count)
    )
