"""Initial gamma, alpha and beta from the teacher's own statistics.

Shapes: B batch, H heads, T tokens, C hidden, d head width.
"""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inhibi.kd.attention import Inhibitor, manhattan, mean_over_keys
from inhibi.kd.contexts import projected, recorded
from inhibi.kd.families import parts, some_layers

# Tried for every head, in units of the values' root mean square (z inhibits values): the deviation
# of the scores' part of z, and alpha.
SPREADS = (0.25, 0.5, 1.0, 2.0, 4.0)
SHIFTS = (0.0, 0.25, 0.5, 1.0, 2.0)


@torch.no_grad()
def fit_scalars(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    batch: dict[str, Tensor],
    layers: Sequence[int] | None = None,
) -> None:
    """Set every layer's gamma, alpha and beta to those of a grid whose attention context comes
    nearest to the teacher's, given the teacher's own layer input; beta by least squares.

    batch: the teacher's inputs, with attention_mask [B,T]. layers: the teacher's layers (0-based)
    that the student took (None: all).
    """
    with recorded(some_layers(teacher, layers)) as (hidden, contexts):
        teacher(**batch)
    valid = batch["attention_mask"].bool()
    found = parts(student)
    for layer, x, context in zip(found.layers, hidden, contexts, strict=True):
        goal = context.unflatten(-1, (found.heads, -1)).transpose(1, 2)
        _fit(layer.attention.inhibitor, *projected(layer, x, found.heads), goal, valid)


def _fit(
    inhibitor: Inhibitor, q: Tensor, k: Tensor, v: Tensor, goal: Tensor, valid: Tensor
) -> None:
    """One layer; q, k, v and the goal are [B,H,T,d]."""
    scores = manhattan(q, k) / q.shape[-1] ** 0.5
    if inhibitor.settings.centred:
        scores = scores - mean_over_keys(scores, valid)
    rows = valid[:, None, :, None]
    value = _rms(v, rows, inhibitor)
    score = _rms(scores, rows & valid[:, None, None, :], inhibitor)
    least = torch.full_like(value, torch.inf)
    best: tuple[Tensor, ...] = (least, least, least)
    for spread, shift in product(SPREADS, SHIFTS):
        gamma, alpha = spread * value / score, shift * value
        _set(inhibitor, gamma, alpha, torch.ones_like(value))
        made = inhibitor(q, k, v, valid)
        dot, square = (_sum(made * x, rows, inhibitor) for x in (goal, made))
        # Not below a little, so that every head adds something.
        beta = (dot / square.clamp(min=1e-12)).clamp(min=1e-3)
        error = beta * beta * square - 2 * beta * dot  # and the goal's square, of all the same
        tried = (gamma, alpha, beta)
        best = tuple(torch.where(error < least, a, b) for a, b in zip(tried, best, strict=True))
        least = torch.minimum(error, least)
    _set(inhibitor, *best)


def _set(inhibitor: Inhibitor, *values: Tensor) -> None:
    for scalar, value in zip(
        (inhibitor.gamma, inhibitor.alpha, inhibitor.beta), values, strict=True
    ):
        scalar.copy_(value)


def _sum(x: Tensor, mask: Tensor, inhibitor: Inhibitor) -> Tensor:
    """Sum of x [B,H,T,n] where the mask holds: [H], or [1] where heads share their scalars."""
    per_head = (x * mask).sum((0, 2, 3))
    return per_head if len(inhibitor.beta) > 1 else per_head.sum(0, keepdim=True)


def _rms(x: Tensor, mask: Tensor, inhibitor: Inhibitor) -> Tensor:
    count = _sum(torch.ones_like(x), mask, inhibitor)
    return (_sum(x.square(), mask, inhibitor) / count).sqrt()
