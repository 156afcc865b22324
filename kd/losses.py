"""The distillation losses. Each is a sum over a count or a size; with several processes that is the
count of all their examples, so that the mean of their gradients is that of one process."""

import torch
import torch.nn.functional as F
from torch import Tensor

from inhibi.kd import processes
from inhibi.kd.examples import NO_LABEL
from inhibi.kd.processes import mean_of_all


def task_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the labelled examples: cross entropy, or squared error for float labels [B]."""
    known = labels != NO_LABEL
    if labels.dtype.is_floating_point:
        loss = (logits.squeeze(-1) - labels)[known].square().sum()
    else:
        loss = F.cross_entropy(logits, labels, ignore_index=NO_LABEL, reduction="sum")
    return loss / mean_of_all(known.sum()).clamp(min=1 / processes.count())


def soft_loss(logits: Tensor, goal: Tensor, temperature: float) -> Tensor:
    """T^2 * KL(teacher || student) of the probabilities at temperature T, mean over the batch;
    for one logit (regression) the mean squared difference."""
    if logits.shape[-1] == 1:
        loss = (logits - goal).square().sum()
    else:
        student, teacher = (F.log_softmax(x / temperature, -1) for x in (logits, goal))
        divergence = F.kl_div(student, teacher, reduction="sum", log_target=True)
        loss = divergence * temperature**2
    return loss / mean_of_all(torch.tensor(len(logits), device=logits.device))


def consistency_loss(one: Tensor, other: Tensor) -> Tensor:
    """Mean of the divergences either way between two passes' logits (R-Drop, arXiv 2106.14448);
    for one logit (regression) the mean squared difference."""
    return (soft_loss(one, other, 1.0) + soft_loss(other, one, 1.0)) / 2


def vector_loss(made: Tensor, goal: Tensor) -> Tensor:
    """|made - goal|^2 / |goal|^2 of embeddings [B,C], over the batch."""
    return (made - goal).square().sum() / mean_of_all(goal.square().sum())


def relative_error(made: Tensor, goal: Tensor, valid: Tensor) -> Tensor:
    """|made - goal|^2 / |goal|^2 over the valid tokens of [B,T,C]."""
    return (made - goal)[valid].square().sum() / mean_of_all(goal[valid].square().sum())


def relation_loss(made: Tensor, goal: Tensor, valid: Tensor) -> Tensor:
    """Squared difference of the cosines between every two valid tokens of a sentence, relative to
    the goal's; hidden states [B,T,C], of any two widths."""
    cosines = [x @ x.transpose(1, 2) for x in (F.normalize(h, dim=-1) for h in (made, goal))]
    pairs = valid[:, :, None] & valid[:, None, :]
    difference = (cosines[0] - cosines[1])[pairs].square().sum()
    return difference / mean_of_all(cosines[1][pairs].square().sum())
