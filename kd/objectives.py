"""What a stage minimizes: modules that hold the model to be trained and give a batch's loss.

With bf16 the Trainer runs `forward` in mixed precision, teachers included; the losses are computed
in full precision. A batch is what `inhibi.kd.examples.Padding` makes: input_ids, attention_mask and
token_type_ids int64 [B,T], labels [B]. Teachers are no submodules: neither trained nor saved.
"""

from collections.abc import Sequence
from typing import Any

import torch
from accelerate.utils import convert_to_fp32
from torch import Tensor, nn
from transformers import PreTrainedModel

from inhibi.kd.attention import many_answers
from inhibi.kd.contexts import layer_context, recorded
from inhibi.kd.families import parts, some_layers
from inhibi.kd.losses import (
    consistency_loss,
    relation_loss,
    relative_error,
    soft_loss,
    task_loss,
    vector_loss,
)
from inhibi.kd.predict import Answer, answer
from inhibi.kd.recipe import Losses
from inhibi.kd.shapes import projections


class Objective(nn.Module):
    """`model` is trained; `forward` gives the loss of a batch."""

    def __init__(self, model: nn.Module, *teachers: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.teachers = teachers  # in a tuple, which registers no submodules

    def to(self, *args: Any, **kwargs: Any) -> "Objective":
        """As torch's; the teachers come along."""
        for teacher in self.teachers:
            teacher.to(*args, **kwargs)
        return super().to(*args, **kwargs)


class TaskObjective(Objective):
    """Fine-tuning: cross entropy, or squared error for regression; with `consistency` two passes
    under different dropout, and the weighted divergence between them."""

    def __init__(self, model: nn.Module, consistency: float = 0.0) -> None:
        super().__init__(model)
        self.consistency = consistency

    def forward(self, labels: Tensor, **inputs: Tensor) -> Tensor:
        if not self.consistency:
            return task_loss(self._logits(inputs), labels)
        both = self._logits({name: torch.cat([x, x]) for name, x in inputs.items()})
        divergence = consistency_loss(*both.chunk(2))
        return task_loss(both, torch.cat([labels, labels])) + self.consistency * divergence

    def _logits(self, inputs: dict[str, Tensor]) -> Tensor:
        made: Tensor = convert_to_fp32(self.model(**inputs).logits)
        return made


class AlignObjective(Objective):
    """Layer-wise alignment: every student layer gets the teacher's own layer input, and its
    attention context shall equal the teacher's (relative squared error, summed over layers).

    layers: the teacher's layers (0-based) that the student took (None: all).
    """

    def __init__(
        self,
        model: PreTrainedModel,
        teacher: PreTrainedModel,
        layers: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model, teacher)
        self.taken = some_layers(teacher, layers)

    def forward(self, labels: Tensor, **inputs: Tensor) -> Tensor:
        valid = inputs["attention_mask"].bool()
        with torch.no_grad(), recorded(self.taken) as (hidden, contexts):
            self.teachers[0](**inputs)
        found = parts(self.model)
        losses = [
            relative_error(
                convert_to_fp32(layer_context(layer, x, valid, found.heads)),
                convert_to_fp32(context),
                valid,
            )
            for layer, x, context in zip(found.layers, hidden, contexts, strict=True)
        ]
        return torch.stack(losses).sum()


class DistillObjective(Objective):
    """Distillation on soft probabilities (of embeddings: the vectors), hidden states and labels
    (arXiv 2503.15983, E2).

    layers: the layer (0-based) whose output each student layer is compared with, through a learned
    projection where the widths differ (arXiv 1412.6550). source: whose hidden states these are
    (None: the teacher's).
    """

    def __init__(
        self,
        model: nn.Module,
        teacher: nn.Module,
        weights: Losses,
        layers: Sequence[int],
        source: PreTrainedModel | None = None,
    ) -> None:
        super().__init__(model, teacher, *([source] if source is not None else []))
        self.weights = weights
        self.layers = layers
        states = self.teachers[-1]
        self.projections = projections(states.config, model.config, len(layers))

    def forward(self, labels: Tensor, **inputs: Tensor) -> Tensor:
        with torch.no_grad(), many_answers():
            goals = [answer(teacher, inputs) for teacher in self.teachers]
        made = answer(self.model, inputs)
        with torch.autocast(labels.device.type, enabled=False):
            return self._loss(made, goals[0], goals[-1][1], inputs["attention_mask"].bool(), labels)

    def _loss(
        self, made: Answer, goal: Answer, states: list[Tensor], valid: Tensor, labels: Tensor
    ) -> Tensor:
        """states: the hidden states to keep to, those of `goal` or of another source."""
        hidden = [
            relative_error(project(a), states[layer + 1], valid)
            for project, a, layer in zip(self.projections, made[1][1:], self.layers, strict=True)
        ]
        w = self.weights
        loss = (
            w.soft * self._soft_loss(made[0], goal[0])
            + w.hidden * torch.stack(hidden).sum()
            + w.task * task_loss(made[0], labels)
        )
        if w.relation:
            loss = loss + w.relation * relation_loss(made[1][-1], goal[1][-1], valid)
        return loss

    def _soft_loss(self, made: Tensor, goal: Tensor) -> Tensor:
        if getattr(self.model.config, "pooling", None):
            return vector_loss(made, goal)
        return soft_loss(made, goal, self.weights.temperature)
