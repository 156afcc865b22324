"""The quantized student's building blocks, each computing what one operator of the file computes.

Between blocks pass Brevitas' quantized tensors: `.value` is integer * `.scale`. Shapes: B batch,
T tokens, C hidden, H heads, d head width, V rows of a table.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant_tensor import IntQuantTensor
from torch import Tensor, nn

from inhibi.qat.quantizers import Bias, ClassifierWeight, Weight, round_half_up

LARGEST_MULTIPLIER = 64  # of a residual's channel
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
    """AddLayerNorm: the product rounded to a fraction of the residual's scale, plus the residual,
    of which a step in channel c counts residual_multiplier[c] such units (1..64), normalized."""

    def __init__(self, norm: nn.LayerNorm, quantizer: Quantizer) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(norm.weight.data), nn.Parameter(norm.bias.data)
        self.quantizer = quantizer()
        self.residual_multiplier: Tensor
        self.register_buffer(
            "residual_multiplier", torch.full_like(norm.weight, LARGEST_MULTIPLIER)
        )
        # What the residual's channels [C] lack: it stands in the biases of what reads them.
        self.residual_middle: Tensor
        self.register_buffer("residual_middle", torch.zeros_like(norm.weight))

    def forward(self, x: Tensor, residual: IntQuantTensor) -> IntQuantTensor:
        unit = residual.scale / self.residual_multiplier.median()
        branch = round_half_up(x / unit).clamp(-WIDE, WIDE) * unit
        return self.normalize(branch + self.rescaled(residual.value))

    def rescaled(self, residual: Tensor) -> Tensor:
        """The residual [B,T,C] with its channels' scales."""
        return residual * self.residual_factor

    def restored(self, residual: Tensor) -> Tensor:
        """The residual [B,T,C] as the float student has it, but for rounding."""
        return self.rescaled(residual) + self.residual_middle

    @property
    def residual_factor(self) -> Tensor:
        """What the residual's channels [C] are multiplied with: 1 in most."""
        return self.residual_multiplier / self.residual_multiplier.median()

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
