"""A scale per channel where a few channels are twenty times as wide as the others: in the layer
norms' outputs and in those of the activation function.

Channel c is written as f_c * x_c, and x_c is quantized with the tensor's one scale. What reads it
has f_c in its weights, what makes it has 1 / f_c. Moving ranges between activations and weights is
SmoothQuant's idea (arXiv 2211.10438). C channels, M of an intermediate product, L layers.

Of a norm, f_c = r_c / (median of r) with the whole numbers r_c by which the residual addition
multiplies (`QuantNorm.residual_multiplier`). Of an activation function, f_c is a power of two, and
each has a table of its own (`QuantLookup.factor`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from brevitas.nn import QuantLinear
from torch import Tensor, nn
from transformers import PreTrainedModel

from inhibi.kd.families import parts
from inhibi.qat.layers import LARGEST_MULTIPLIER, QuantNorm
from inhibi.qat.student import QuantStudent

QUANTILE = 0.999  # of |x| in a channel of a batch: its range
LEAST = 4  # r_c at least: the sum before a norm then counts a quarter of the finest channel's step
LEAST_RANGE = 3.0  # of an activation's channels: below -3 GELU is less than half a step from 0
TABLES = 4  # of one activation function at most


@dataclass(frozen=True)
class ChannelScales:
    """multipliers: r [C] of every norm but the last, in order, 2L. factors: f [M] of each layer's
    activations, in the float student's order of channels."""

    multipliers: list[Tensor]
    factors: list[Tensor]


@torch.no_grad()
def find(student: PreTrainedModel, inputs: Iterable[dict[str, Tensor]]) -> ChannelScales:
    """The scales that fit the ranges which these inputs reach.

    student: in float. inputs: what it is called with, attention_mask [B,T] among it.
    """
    found = parts(student)
    norms: list[nn.Module] = [found.embedding_norm]
    for layer in found.layers:
        norms += [layer.attention_norm, layer.output_norm]
    norms.pop()
    ranges = _ranges(student, [*norms, *(layer.intermediate for layer in found.layers)], inputs)
    return ChannelScales(
        [multipliers(r.mean(0)) for r in ranges[: len(norms)]],
        [factors(r.amax(0)) for r in ranges[len(norms) :]],
    )


def _ranges(
    student: PreTrainedModel, modules: list[nn.Module], inputs: Iterable[dict[str, Tensor]]
) -> list[Tensor]:
    """Of each module's output the channels' ranges in every batch [batches, channels]; of a
    product's, which an activation function reads, the positive ones."""
    seen: list[list[Tensor]] = [[] for _ in modules]
    hooks = [
        module.register_forward_hook(
            lambda module, __, made, to=to: to.append(
                made.relu() if isinstance(module, nn.Linear) else made.abs()
            )
        )
        for module, to in zip(modules, seen, strict=True)
    ]
    for batch in inputs:
        student(**batch)
        for values in seen:
            values[-1] = values[-1][batch["attention_mask"].bool()].quantile(QUANTILE, 0)
    for hook in hooks:
        hook.remove()
    return [torch.stack(values) for values in seen]


def multipliers(ranges: Tensor) -> Tensor:
    """r, whole numbers [C] from LEAST to 64, in proportion to a norm's ranges [C]."""
    widest = ranges.max().clamp(min=torch.finfo(ranges.dtype).tiny)
    return (LARGEST_MULTIPLIER * ranges / widest).round().clamp(LEAST, LARGEST_MULTIPLIER)


def factors(ranges: Tensor) -> Tensor:
    """f [M], powers of two from 1 to 2^(TABLES-1), the least with ranges / f within one limit,
    which is the widest channel's range / max f and at least LEAST_RANGE."""
    widest = ranges.max().clamp(min=LEAST_RANGE)
    halvings = torch.log2(widest / LEAST_RANGE).floor().clamp(max=TABLES - 1)
    limit = widest / torch.exp2(halvings)
    return torch.exp2(torch.log2(ranges / limit).ceil().clamp(min=0))


@torch.no_grad()
def fold(student: QuantStudent, scales: ChannelScales) -> None:
    """Give these scales to a student as it was made; what it computes without rounding stays.

    The last norm has no residual that reads it and keeps its one scale. Activations are to be
    calibrated afterwards.
    """
    for (norm, product, reader), r in zip(_readers(student), scales.multipliers, strict=True):
        reader.residual_multiplier.copy_(r)
        norm.weight.div_(reader.residual_factor)
        norm.bias.div_(reader.residual_factor)
        product.weight.mul_(reader.residual_factor)
    for layer, factor in zip(student.layer_list(), scales.factors, strict=True):
        lookup = layer.intermediate
        order = factor.argsort(descending=True, stable=True)
        lookup.source.copy_(order)
        lookup.factor.copy_(factor[order])
        lookup.linear.weight.copy_(lookup.linear.weight[order])
        lookup.linear.bias.copy_(lookup.linear.bias[order])
        layer.output.weight.copy_(layer.output.weight[:, order] * lookup.factor)


def folded(student: QuantStudent) -> ChannelScales:
    """The scales that a student was given."""
    norms = [reader.residual_multiplier for _, _, reader in _readers(student)]
    lookups = [layer.intermediate for layer in student.layer_list()]
    return ChannelScales(norms, [lookup.factor[lookup.source.argsort()] for lookup in lookups])


def _readers(student: QuantStudent) -> list[tuple[QuantNorm, QuantLinear, QuantNorm]]:
    """Every norm but the last, the product that reads it, and the norm that adds it as residual."""
    found = []
    norm = student.embeddings.norm
    for layer in student.layer_list():
        found.append((norm, layer.qkv, layer.attention_norm))
        found.append((layer.attention_norm, layer.intermediate.linear, layer.output_norm))
        norm = layer.output_norm
    return found
