"""Brevitas quantizers with the engine's rounding, ranges and pair rule (docs/SPEC.md)."""

import torch
from brevitas.nn import QuantIdentity
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFloat,
    Int32Bias,
)
from torch import Tensor, nn

PAIR_LIMIT = 128


def round_half_up(x: Tensor) -> Tensor:
    """floor(x + 1/2) forwards, the identity backwards (straight-through estimator)."""
    return x + (torch.floor(x + 0.5) - x).detach()


class RoundHalfUp(nn.Module):
    """`round_half_up` as the module that Brevitas injects."""

    def __init__(self) -> None:  # injection needs a signature without *args
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return round_half_up(x)


class RoundWithinPairs(nn.Module):
    """Rounds weights [M,K] and keeps same-sign neighbours 2k, 2k+1 within |a| + |b| <= 128.

    The twin of `inhibi.export.weight_pairs.limit_pairs`, so that training sees what is exported.
    """

    def __init__(self) -> None:  # injection needs a signature without *args
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            change = limit_pairs(torch.floor(x + 0.5)) - x
        return x + change


def limit_pairs(weight: Tensor) -> Tensor:
    """Integers [M,K] in [-128, 128] with the excess over 128 taken from both neighbours of one
    sign, half each, the odd one from the larger."""
    limited = weight.clone()
    pairs = limited[:, : weight.shape[1] // 2 * 2].unflatten(1, (-1, 2))
    # In this range neighbours of opposite signs never add up to so much.
    excess = (pairs[..., 0] + pairs[..., 1]).abs() - PAIR_LIMIT
    few = excess > 0
    changed = pairs[few]
    a, b = changed.unbind(1)
    half, odd = torch.floor(excess[few] / 2), excess[few] % 2
    a_is_larger = a.abs() >= b.abs()
    taken = torch.stack([half + odd * a_is_larger, half + odd * ~a_is_larger], 1)
    pairs[few] = changed - changed.sign() * taken
    return limited


class LargestWithinPairs(nn.Module):
    """The largest |w| of weights [M,K], of each row or (per tensor) of all, or where that is more
    127/128 of the largest |a| + |b| of two neighbours of one sign.

    A scale of 1/127 of it keeps the pair rule but for roundings. From the largest |w| alone, the
    rule takes so much from the few largest pairs that their error is most of all the weights'.
    """

    def __init__(self, stats_reduce_dim: int | None = None, keepdim: bool = False) -> None:
        super().__init__()  # the arguments that brevitas injects into its own statistics
        self.dimension = stats_reduce_dim
        self.keepdim = keepdim

    def forward(self, x: Tensor) -> Tensor:
        even = x.shape[-1] // 2 * 2
        # Neighbours of opposite signs add up to less than the larger of them: they decide nothing.
        pairs = (x[..., 0:even:2] + x[..., 1:even:2]).abs() * (127 / PAIR_LIMIT)
        both = torch.cat([x.abs(), pairs], -1)
        return both.amax() if self.dimension is None else both.amax(self.dimension, self.keepdim)


class Weight(Int8WeightPerChannelFloat):
    """int8 in [-127, 127], one scale per output channel, within the pair rule."""

    float_to_int_impl = RoundWithinPairs
    scaling_stats_impl = LargestWithinPairs


class ClassifierWeight(Int8WeightPerTensorFloat):
    """The same with one scale for all channels: the largest integer logit is the answer."""

    float_to_int_impl = RoundWithinPairs
    scaling_stats_impl = LargestWithinPairs


class Bias(Int32Bias):
    """On the accumulator's grid: the input's scale times the weight's.

    Wider than int32, so that a bias beside nearly zero weights is not clipped here: export gives
    such a channel a larger weight scale.
    """

    float_to_int_impl = RoundHalfUp
    bit_width = 48


def activation(calibration_batches: int, percentile: float) -> QuantIdentity:
    """Quantizes to [-127, 127] (uint8 with zero point 128) with one learned scale.

    The scale starts from the given percentile of |x| over the first `calibration_batches`
    forward passes in training mode.
    """

    class Activation(Int8ActPerTensorFloat):
        float_to_int_impl = RoundHalfUp
        narrow_range = True
        collect_stats_steps = calibration_batches
        high_percentile_q = percentile

    return QuantIdentity(act_quant=Activation, return_quant_tensor=True)
