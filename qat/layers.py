"""The quantized student's building blocks, each computing what one operator of the file computes.

Between blocks pass Brevitas' quantized tensors: `.value` is integer * `.scale`. Shapes: B batch,
T tokens, C hidden, H heads, d head width, V rows of a table.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant_tensor import IntQuantTensor
from torch import Tensor, nn

from inhibi.engine import fixed
from inhibi.kd.attention import Inhibitor, inhibit, length_factor, manhattan, mean_over_keys
from inhibi.qat.quantizers import Bias, ClassifierWeight, Weight, round_half_up

RESIDUAL_UNIT = 64  # the sum before a layer norm counts 1/64 of the residual's scale
WIDE = 2**15 - 1
TABLE_SUM = 516  # of a channel's table multipliers: 127 * 516 < 2^16

Quantizer = Callable[[], QuantIdentity]


def quant_linear(*linears: nn.Linear, classifier: bool = False) -> QuantLinear:
    """One quantized product from linear layers of equal input, side by side."""
    weight = torch.cat([linear.weight for linear in linears]).detach()
    made = QuantLinear(
        weight.shape[1],
        weight.shape[0],
        bias=True,
        weight_quant=ClassifierWeight if classifier else Weight,
        bias_quant=Bias,
    )
    made.weight.data.copy_(weight)
    made.bias.data.copy_(torch.cat([linear.bias for linear in linears]).detach())
    return made


class QuantNorm(nn.Module):
    """AddLayerNorm: the product rounded to 1/64 of the residual's scale, added, normalized."""

    def __init__(self, norm: nn.LayerNorm, quantizer: Quantizer) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(norm.weight.data), nn.Parameter(norm.bias.data)
        self.quantizer = quantizer()

    def forward(self, x: Tensor, residual: IntQuantTensor) -> IntQuantTensor:
        unit = residual.scale / RESIDUAL_UNIT
        return self.normalize(round_half_up(x / unit).clamp(-WIDE, WIDE) * unit + residual.value)

    def normalize(self, x: Tensor) -> IntQuantTensor:
        """The norm of x [B,T,C] without rounding before it."""
        return self.quantizer(F.layer_norm(x, x.shape[-1:], self.weight, self.bias, eps=1e-12))


class QuantEmbeddings(nn.Module):
    """EmbedLayerNorm: int8 tables whose scales, one per channel, are whole multiples of one unit,
    summed exactly."""

    def __init__(self, tables: list[nn.Embedding], norm: QuantNorm) -> None:
        super().__init__()
        self.tables = nn.ParameterList([table.weight.data for table in tables])
        self.norm = norm
        scales = torch.stack([table.weight.abs().amax(0) for table in tables]).detach() / 127
        unit = scales.sum(0).max() / (TABLE_SUM - len(tables))
        self.unit: Tensor
        self.multipliers: Tensor
        self.register_buffer("unit", unit)
        # [tables, C], rounded up so that no entry is clipped: at most TABLE_SUM in all.
        self.register_buffer("multipliers", torch.ceil(scales / unit).clamp(min=1))

    def forward(self, ids: list[Tensor]) -> IntQuantTensor:
        """ids: one [B,T] or [T] for each table."""
        rows = [
            self.integers(i, F.embedding(index, table)) * (self.multipliers[i] * self.unit)
            for i, (index, table) in enumerate(zip(ids, self.tables, strict=True))
        ]
        return self.norm.normalize(torch.stack(torch.broadcast_tensors(*rows)).sum(0))

    def integers(self, i: int, rows: Tensor) -> Tensor:
        """Rows of table i as integers in [-127, 127]."""
        return round_half_up(rows / (self.multipliers[i] * self.unit)).clamp(-127, 127)


class QuantAttention(nn.Module):
    """InhibitorAttention: Q, K, V on their grids, z in whole steps of V's scale."""

    def __init__(self, inhibitor: Inhibitor, quantizer: Quantizer) -> None:
        super().__init__()
        self.inhibitor = inhibitor
        self.qk_quantizer = quantizer()
        self.v_quantizer = quantizer()
        self.quantizer = quantizer()

    def forward(self, qkv: Tensor, valid: Tensor) -> IntQuantTensor:
        """Context [B,T,C] from the product [B,T,3C] and the valid keys [B,T]."""
        channels = qkv.shape[-1] // 3
        qk = self.qk_quantizer(qkv[..., : 2 * channels])
        v = self.v_quantizer(qkv[..., 2 * channels :])
        q, k = (self._heads(x) for x in (qk.value / qk.scale).split(channels, -1))
        z = self._z(manhattan(q, k), valid, qk.scale, v.scale, q.shape[-1])
        context = inhibit(self._heads(v.value / v.scale), z, self.inhibitor.settings.signed)
        factor = length_factor(self.inhibitor.settings.n0, context, valid)
        context = context * (v.scale * self.inhibitor.beta.view(-1, 1, 1)) * factor
        return self.quantizer(context.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        """[B,T,C] -> [B,H,T,d]."""
        return x.unflatten(-1, (self.inhibitor.heads, -1)).transpose(1, 2)

    def _z(
        self, scores: Tensor, valid: Tensor, qk_scale: Tensor, v_scale: Tensor, width: int
    ) -> Tensor:
        """Whole numbers [B,H,T,T] in [0, 127], 127 (which blocks every value) for padding."""
        alpha: Tensor = self.inhibitor.alpha
        if self.inhibitor.settings.centred:
            scores = scores - round_half_up(mean_over_keys(scores, valid))
        else:
            alpha = -alpha
        factor, shift = score_parameters(
            self.inhibitor.gamma / width**0.5 * qk_scale / v_scale, alpha / v_scale
        )
        z = round_half_up(scores * factor.view(-1, 1, 1) + shift.view(-1, 1, 1)).clamp(0, 127)
        return z.masked_fill(~valid[:, None, None, :], 127)


def score_parameters(factor: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Factor and shift of the scores, [H] or [1], rounded as the file's 16-bit multipliers are;
    gradients pass straight through."""
    m, offset, s = fixed.score_multiplier_offset_shift(
        *(x.detach().double().cpu().numpy() for x in (factor, shift))
    )
    power = np.exp2(s)
    return _rounded_to(factor, m / power), _rounded_to(shift, offset / power - 0.5)


def _rounded_to(x: Tensor, exact: np.ndarray) -> Tensor:
    """The exact values forwards, the gradient of x backwards."""
    return x + (torch.from_numpy(exact).to(x) - x).detach()
