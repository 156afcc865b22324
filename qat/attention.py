"""Both attentions of the quantized student, on the file's integer grids (docs/SPEC.md).

Shapes: B batch, T tokens, C hidden, H heads, d head width.
"""

import numpy as np
import torch
from brevitas.quant_tensor import IntQuantTensor
from torch import Tensor, nn

from inhibi.engine import fixed
from inhibi.kd.attention import Inhibitor, inhibit, length_factor, manhattan, mean_over_keys
from inhibi.qat.layers import Quantizer
from inhibi.qat.quantizers import round_half_up

EXP_STEP = 1 / 24  # of dot-product attention's table: exp(-255/24) is below the weights' last bit
WEIGHTS = 255  # a weight of 1


class QuantAttention(nn.Module):
    """What both share: Q and K on one grid, V on another, the context on a third."""

    def __init__(self, heads: int, quantizer: Quantizer) -> None:
        super().__init__()
        self.heads = heads
        self.qk_quantizer = quantizer()
        self.v_quantizer = quantizer()
        self.quantizer = quantizer()

    def forward(self, qkv: Tensor, valid: Tensor) -> IntQuantTensor:
        """Context [B,T,C] from the product [B,T,3C] and the valid keys [B,T]."""
        channels = qkv.shape[-1] // 3
        qk = self.qk_quantizer(qkv[..., : 2 * channels])
        return self.attend(qk, self.v_quantizer(qkv[..., 2 * channels :]), valid)

    def attend(self, qk: IntQuantTensor, v: IntQuantTensor, valid: Tensor) -> IntQuantTensor:
        """Context [B,T,C] from Q and K side by side [B,T,2C], V [B,T,C] and the valid keys."""
        q, k = self.queries_keys(qk.value / qk.scale)
        context = self.context(q, k, self.per_head(v.value / v.scale), qk.scale, v.scale, valid)
        return self.quantizer(context.transpose(1, 2).flatten(2))

    def context(
        self, q: Tensor, k: Tensor, v: Tensor, qk_scale: Tensor, v_scale: Tensor, valid: Tensor
    ) -> Tensor:
        """The float context [B,H,T,d] from whole numbers q, k, v [B,H,T,d]."""
        raise NotImplementedError

    def queries_keys(self, qk: Tensor) -> list[Tensor]:
        """Q and K [B,H,T,d] of [B,T,2C]."""
        return [self.per_head(x) for x in qk.chunk(2, -1)]

    def per_head(self, x: Tensor) -> Tensor:
        """[B,T,C] -> [B,H,T,d]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class QuantInhibitor(QuantAttention):
    """InhibitorAttention: z in whole steps of V's scale."""

    def __init__(self, inhibitor: Inhibitor, quantizer: Quantizer) -> None:
        super().__init__(inhibitor.heads, quantizer)
        self.inhibitor = inhibitor

    def context(
        self, q: Tensor, k: Tensor, v: Tensor, qk_scale: Tensor, v_scale: Tensor, valid: Tensor
    ) -> Tensor:
        z = self.z(q, k, qk_scale, v_scale, valid)
        context = inhibit(v, z, self.inhibitor.settings.signed)
        factor = length_factor(self.inhibitor.settings.n0, context, valid)
        return context * (v_scale * self.inhibitor.beta.view(-1, 1, 1)) * factor

    def z(self, q: Tensor, k: Tensor, qk_scale: Tensor, v_scale: Tensor, valid: Tensor) -> Tensor:
        """Whole numbers [B,H,T,T] in [0, 127], 127 (which blocks every value) for padding."""
        alpha: Tensor = self.inhibitor.alpha
        scores = manhattan(q, k)
        if self.inhibitor.settings.centred:
            scores = scores - round_half_up(mean_over_keys(scores, valid))
        else:
            alpha = -alpha
        factor, shift = score_parameters(
            self.inhibitor.gamma / q.shape[-1] ** 0.5 * qk_scale / v_scale, alpha / v_scale
        )
        z = round_half_up(scores * factor.view(-1, 1, 1) + shift.view(-1, 1, 1)).clamp(0, 127)
        return z.masked_fill(~valid[:, None, None, :], 127)


class QuantDotProduct(QuantAttention):
    """DotProductAttention: exponentials from a table of 16 bits, weights of 8 bits."""

    def context(
        self, q: Tensor, k: Tensor, v: Tensor, qk_scale: Tensor, v_scale: Tensor, valid: Tensor
    ) -> Tensor:
        padding = ~valid[:, None, None, :]
        scores = (q @ k.transpose(-1, -2)).masked_fill(padding, -torch.inf)
        gap = (scores.amax(-1, keepdim=True).detach() - scores).masked_fill(padding, 0)
        step = qk_scale.square() / q.shape[-1] ** 0.5 / EXP_STEP
        factor, shift = score_parameters(step.view(1), torch.zeros_like(step).view(1))
        index = round_half_up(gap * factor + shift).clamp(max=255)
        e = round_half_up(torch.exp(-index * EXP_STEP) * 65535).masked_fill(padding, 0)
        share = e / e.sum(-1, keepdim=True)
        return round_half_up(share * WEIGHTS) @ v * (v_scale / WEIGHTS)


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
