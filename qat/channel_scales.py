"""Scales and middles of the channels of the norms' outputs and of the activation functions, where a
few channels are twenty times as wide as the others and most lie on one side of 0.

Channel c is written as f_c * x_c + m_c, and x_c is quantized with the tensor's one scale. What
reads it has f_c in its weights and m_c in its bias, what makes it has 1 / f_c and -m_c: the file's
operators know nothing of either. Moving ranges between activations and weights is SmoothQuant's
idea (arXiv 2211.10438), the middles are Outlier Suppression+'s (arXiv 2304.09145). C channels, M of
an intermediate product, L layers.

Of a norm, f_c = r_c / (median of r) with the whole numbers r_c by which the residual addition
multiplies (`QuantNorm.residual_multiplier`), and the product that the residual is added to has m_c
in its bias. Of an activation function, f_c is a power of two, and each has a table of its own
(`QuantLookup.factor`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from brevitas.nn import QuantLinear
from torch import Tensor, nn
from transformers import PreTrainedModel

from inhibi.kd.families import parts
from inhibi.qat.layers import LARGEST_MULTIPLIER, QuantNorm
from inhibi.qat.student import QuantLookup, QuantStudent

FLAT = -4.0  # GELU, tanh and ReLU are below it what they are at it, within 0.001
QUANTILE = 0.999  # of a channel's values in a batch: its range's upper end; 0.001 is the lower
LEAST = 4  # r_c at least: the sum before a norm then counts a quarter of the finest channel's step
LEAST_RANGE = 3.0  # of an activation's channels: below -3 GELU is less than half a step from 0
TABLES = 4  # of one activation function at most


class NormScales(NamedTuple):
    """r and m [C] of a norm's output."""

    multiplier: Tensor
    middle: Tensor


class ActivationScales(NamedTuple):
    """f [M], the middle [M] of what the function reads, and that of what it makes, both without
    their factors; in the float student's order of channels."""

    factor: Tensor
    input_middle: Tensor
    output_middle: Tensor


@dataclass(frozen=True)
class ChannelScales:
    """norms: of every norm but the last, in order, 2L. activations: each layer's."""

    norms: list[NormScales]
    activations: list[ActivationScales]


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
        [norm_scales(low.mean(0), high.mean(0)) for low, high in ranges[: len(norms)]],
        [activation_scales(high.relu(), found.activation) for _, high in ranges[len(norms) :]],
    )


def _ranges(
    student: PreTrainedModel, modules: list[nn.Module], inputs: Iterable[dict[str, Tensor]]
) -> list[tuple[Tensor, Tensor]]:
    """Of each module's output both ends of the channels' ranges in every batch, each [batches,
    channels]."""
    seen: list[list[Tensor]] = [[] for _ in modules]
    hooks = [
        module.register_forward_hook(lambda _, __, made, to=to: to.append(made))
        for module, to in zip(modules, seen, strict=True)
    ]
    for batch in inputs:
        student(**batch)
        for values in seen:
            valid = values[-1][batch["attention_mask"].bool()]
            # NumPy's partition takes a fifth of the time of torch's sort.
            ends = np.quantile(valid.cpu().numpy(), (1 - QUANTILE, QUANTILE), 0)
            values[-1] = torch.from_numpy(ends).to(valid)
    for hook in hooks:
        hook.remove()
    return [torch.stack(values).unbind(1) for values in seen]  # type: ignore[misc]


def norm_scales(low: Tensor, high: Tensor) -> NormScales:
    """Those of a norm whose channels' ranges have these ends, each [C]."""
    return NormScales(multipliers((high - low) / 2), (high + low) / 2)


def activation_scales(high: Tensor, function: Callable[[Tensor], Tensor]) -> ActivationScales:
    """Those of an activation function.

    high: the upper ends of its inputs' ranges in some batches [batches, M], 0 or more. The lower
    end is FLAT.
    """
    factor = factors(high.amax(0))
    top = (high.mean(0) / factor).max()
    least = function(torch.linspace(FLAT, 0, 256)).min()
    return ActivationScales(factor, (top + FLAT / factor) / 2, (function(top) + least) / 2)


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
    for reader, (r, middle) in zip(_readers(student), scales.norms, strict=True):
        reader.norm.residual_multiplier.copy_(r)
        reader.norm.residual_middle.copy_(middle)
        factor = reader.norm.residual_factor
        reader.maker.weight.div_(factor)
        reader.maker.bias.sub_(middle).div_(factor)
        reader.product.bias.add_(reader.product.weight @ middle)
        reader.product.weight.mul_(factor)
        reader.added.bias.add_(middle)
    for layer, found in zip(student.layer_list(), scales.activations, strict=True):
        lookup = layer.intermediate
        order = found.factor.argsort(descending=True, stable=True)
        lookup.source.copy_(order)
        lookup.factor.copy_(found.factor[order])
        lookup.input_middle.copy_(found.input_middle[order])
        lookup.output_middle.copy_(found.output_middle)
        lookup.linear.weight.copy_(lookup.linear.weight[order])
        lookup.linear.bias.copy_(lookup.linear.bias[order])
        layer.output.weight.copy_(layer.output.weight[:, order] * lookup.factor)


def folded(student: QuantStudent) -> ChannelScales:
    """The scales that a student was given."""
    norms = [reader.norm for reader in _readers(student)]
    return ChannelScales(
        [NormScales(norm.residual_multiplier, norm.residual_middle) for norm in norms],
        [_activation_scales(layer.intermediate) for layer in student.layer_list()],
    )


def _activation_scales(lookup: QuantLookup) -> ActivationScales:
    order = lookup.source.argsort()
    return ActivationScales(lookup.factor[order], lookup.input_middle[order], lookup.output_middle)


class _Reader(NamedTuple):
    """What reads a norm's output: a product, and the norm that adds it as residual to what another
    product has made. maker: the norm."""

    maker: QuantNorm
    product: QuantLinear
    added: QuantLinear
    norm: QuantNorm


def _readers(student: QuantStudent) -> list[_Reader]:
    """Those of every norm but the last."""
    found = []
    maker = student.embeddings.norm
    for layer in student.layer_list():
        norm = layer.attention_norm
        found.append(_Reader(maker, layer.qkv, layer.attention_output, norm))
        found.append(_Reader(norm, layer.intermediate.linear, layer.output, layer.output_norm))
        maker = layer.output_norm
    return found
