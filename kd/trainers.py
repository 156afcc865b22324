"""transformers' Trainer with the project's batches and the distillation losses."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Trainer

from inhibi.kd.attention import many_answers
from inhibi.kd.examples import NO_LABEL
from inhibi.kd.families import LayerParts, parts, some_layers
from inhibi.kd.recipe import Distillation
from inhibi.kd.shapes import projections


class BatchTrainer(Trainer):
    """Trains on batches that were drawn beforehand: the same ones after a resume."""

    def __init__(self, *args: Any, train_batches: list[list[int]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.train_batches = train_batches
        self.since = time.perf_counter()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the seconds since the entry before: a resumed run's history has the time of all."""
        now = time.perf_counter()
        super().log(logs | {"seconds": now - self.since}, start_time)
        self.since = now

    def get_train_dataloader(self) -> DataLoader[Any]:
        loader = DataLoader(
            self.train_dataset, batch_sampler=self.train_batches, collate_fn=self.data_collator
        )
        return self.accelerator.prepare(loader)


class TaskTrainer(BatchTrainer):
    """Plain fine-tuning: cross entropy, or squared error for regression."""

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Tensor], *_: Any, **__: Any
    ) -> Tensor:
        labels = inputs.pop("labels")
        return task_loss(model(**inputs).logits, labels)


class AlignTrainer(BatchTrainer):
    """Layer-wise alignment: every student layer gets the teacher's own layer input, and its
    attention context shall equal the teacher's (relative squared error, summed over layers).

    Only the query, key and value projections and gamma, alpha, beta are trained. layers: the
    teacher's layers (0-based) that the student took (None: all).
    """

    def __init__(
        self,
        *args: Any,
        teacher: PreTrainedModel,
        layers: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.teacher = teacher.to(self.args.device)
        self.taken = some_layers(teacher, layers)

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Tensor], *_: Any, **__: Any
    ) -> Tensor:
        inputs.pop("labels")
        valid = inputs["attention_mask"].bool()
        with torch.no_grad(), recorded(self.taken) as (hidden, contexts):
            self.teacher(**inputs)
        found = parts(model)
        losses = [
            relative_error(layer_context(layer, x, valid, found.heads), context, valid)
            for layer, x, context in zip(found.layers, hidden, contexts, strict=True)
        ]
        return torch.stack(losses).sum()


class DistillTrainer(BatchTrainer):
    """Distillation on soft probabilities, hidden states and labels (arXiv 2503.15983, E2).

    layers: the layer (0-based) whose output each student layer is compared with, through a learned
    projection where the widths differ (arXiv 1412.6550). source: whose hidden states these are
    (None: the teacher's).
    """

    def __init__(
        self,
        *args: Any,
        teacher: PreTrainedModel,
        weights: Distillation,
        layers: Sequence[int],
        source: PreTrainedModel | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.teacher = teacher.to(self.args.device)
        self.source = source and source.to(self.args.device)
        self.weights = weights
        self.layers = layers
        made = projections((source or teacher).config, self.model.config, len(layers))
        self.projections = made.to(self.args.device)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """As transformers' Trainer. Meanwhile the projections are part of the model: they are
        trained with it, saved in its checkpoints and resumed from them."""
        self.model.projections = self.projections
        try:
            return super().train(*args, **kwargs)
        finally:
            del self.model.projections

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Tensor], *_: Any, **__: Any
    ) -> Tensor:
        labels = inputs.pop("labels")
        with torch.no_grad(), many_answers():
            goal = self.teacher(**inputs, output_hidden_states=True)
            source = (
                goal if self.source is None else self.source(**inputs, output_hidden_states=True)
            )
            states = source.hidden_states
        made = model(**inputs, output_hidden_states=True)
        valid = inputs["attention_mask"].bool()
        hidden = [
            relative_error(project(a), states[layer + 1], valid)
            for project, a, layer in zip(
                self.projections, made.hidden_states[1:], self.layers, strict=True
            )
        ]
        w = self.weights
        return (
            w.soft * soft_loss(made.logits, goal.logits, w.temperature)
            + w.hidden * torch.stack(hidden).sum()
            + w.relation * relation_loss(made.hidden_states[-1], goal.hidden_states[-1], valid)
            + w.task * task_loss(made.logits, labels)
        )


def task_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the labelled examples: cross entropy, or squared error for float labels [B]."""
    if labels.dtype.is_floating_point:
        known = labels != NO_LABEL
        return (logits.squeeze(-1) - labels)[known].square().sum() / known.sum().clamp(min=1)
    loss = F.cross_entropy(logits, labels, ignore_index=NO_LABEL, reduction="sum")
    return loss / (labels != NO_LABEL).sum().clamp(min=1)


def soft_loss(logits: Tensor, goal: Tensor, temperature: float) -> Tensor:
    """T^2 * KL(teacher || student) of the probabilities at temperature T, mean over the batch;
    for one logit (regression) the mean squared difference."""
    if logits.shape[-1] == 1:
        return (logits - goal).square().mean()
    student, teacher = (F.log_softmax(x / temperature, -1) for x in (logits, goal))
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2


def relative_error(made: Tensor, goal: Tensor, valid: Tensor) -> Tensor:
    """|made - goal|^2 / |goal|^2 over the valid tokens of [B,T,C]."""
    return (made - goal)[valid].square().sum() / goal[valid].square().sum()


def relation_loss(made: Tensor, goal: Tensor, valid: Tensor) -> Tensor:
    """Squared difference of the cosines between every two valid tokens of a sentence, relative to
    the goal's; hidden states [B,T,C], of any two widths."""
    cosines = [x @ x.transpose(1, 2) for x in (F.normalize(h, dim=-1) for h in (made, goal))]
    pairs = valid[:, :, None] & valid[:, None, :]
    return (cosines[0] - cosines[1])[pairs].square().sum() / cosines[1][pairs].square().sum()


def layer_context(layer: LayerParts, hidden: Tensor, valid: Tensor, heads: int) -> Tensor:
    """A student layer's attention context [B,T,C] for the input hidden states [B,T,C]."""
    made: Tensor = layer.attention.inhibitor(*projected(layer, hidden, heads), valid)
    return made.transpose(1, 2).flatten(2)


def projected(layer: LayerParts, hidden: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value [B,H,T,d] of the input hidden states [B,T,C]."""
    q, k, v = (
        linear(hidden).unflatten(-1, (heads, -1)).transpose(1, 2)
        for linear in (layer.query, layer.key, layer.value)
    )
    return q, k, v


@contextmanager
def recorded(layers: tuple[LayerParts, ...]) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Collects each layer's input (of the query projection) and context (of the output's)."""
    hidden: list[Tensor] = []
    contexts: list[Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda _, args, to=to: to.append(args[0]))
        for layer in layers
        for module, to in ((layer.query, hidden), (layer.attention_output, contexts))
    ]
    try:
        yield hidden, contexts
    finally:
        for hook in hooks:
            hook.remove()
