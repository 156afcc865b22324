"""The quantized student's building blocks, each computing what one operator of the file computes.

Values are real numbers on an integer grid: x = integer * scale. Shapes: B batch, T tokens,
C hidden, H heads, d head width, V rows of a table.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from brevitas.nn import QuantIdentity, QuantLinear
from inhibi.kd.attention import Inhibitor, inhibit, length_factor, manhattan, mean_over_keys
from inhibi.qat.quantizers import ClassifierWeight, Weight, round_half_up
from torch import Tensor, nn

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
    )
    made.weight.data.copy_(weight)
    made.bias.data.copy_(torch.cat([linear.bias for linear in linears]).detach())
    return made


def quantize(quantizer: QuantIdentity, x: Tensor) -> tuple[Tensor, Tensor]:
    """The quantized x and its scale."""
    made = quantizer(x)
    return made.value, made.scale


class QuantNorm(nn.Module):
    """AddLayerNorm: the product rounded to 1/64 of the residual's scale, added, normalized."""

    def __init__(self, norm: nn.LayerNorm, quantizer: Quantizer) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(norm.weight.data), nn.Parameter(norm.bias.data)
        self.quantizer = quantizer()

    def forward(self, x: Tensor, residual: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        unit = scale / RESIDUAL_UNIT
        x = round_half_up(x / unit).clamp(-WIDE, WIDE) * unit + residual
        return self.normalize(x)

    def normalize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The norm of x [B,T,C] without rounding before it, and its scale."""
        return quantize(
            self.quantizer, F.layer_norm(x, x.shape[-1:], self.weight, self.bias, eps=1e-12)
        )


class QuantEmbeddings(nn.Module):
    """EmbedLayerNorm: int8 tables whose scales, one per channel, are whole multiples of one unit,
    summed exactly."""

    def __init__(self, tables: list[nn.Embedding], norm: QuantNorm) -> None:
        super().__init__()
        self.tables = nn.ParameterList([table.weight.data for table in tables])
        self.norm = norm
        scales = torch.stack([table.weight.abs().amax(0) for table in tables]).detach() / 127
        unit = scales.sum(0).max() / (TABLE_SUM - len(tables))
        self.register_buffer("unit", unit)
        # [tables, C], rounded up so that no entry is clipped: at most TABLE_SUM in all.
        self.register_buffer("multipliers", torch.ceil(scales / unit).clamp(min=1))

    def forward(self, ids: list[Tensor]) -> tuple[Tensor, Tensor]:
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

    def forward(self, qkv: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Context [B,T,C] and its scale, from the product [B,T,3C] and valid keys [B,T]."""
        channels = qkv.shape[-1] // 3
        qk, qk_scale = quantize(self.qk_quantizer, qkv[..., : 2 * channels])
        v, v_scale = quantize(self.v_quantizer, qkv[..., 2 * channels :])
        q, k = qk.split(channels, -1)
        context = self._inhibit(*(self._heads(x) for x in (q, k, v)), qk_scale, v_scale, valid)
        return quantize(self.quantizer, context.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        """[B,T,C] -> [B,H,T,d]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    @property
    def heads(self) -> int:
        return self.inhibitor.heads

    def _inhibit(
        self, q: Tensor, k: Tensor, v: Tensor, qk_scale: Tensor, v_scale: Tensor, valid: Tensor
    ) -> Tensor:
        gamma, alpha, beta = (
            x.view(-1, 1, 1)
            for x in (self.inhibitor.gamma, self.inhibitor.alpha, self.inhibitor.beta)
        )
        settings = self.inhibitor.settings
        scores = manhattan(q / qk_scale, k / qk_scale)
        if settings.centred:
            scores = scores - round_half_up(mean_over_keys(scores, valid))
            shift = alpha / v_scale
        else:
            shift = -alpha / v_scale
        factor = gamma / q.shape[-1] ** 0.5 * qk_scale / v_scale
        z = round_half_up(scores * factor + shift).clamp(0, 127)
        z = z.masked_fill(~valid[:, None, None, :], 127)
        context = inhibit(v / v_scale, z, settings.signed)
        return context * (v_scale * beta) * length_factor(settings.n0, v, valid)
