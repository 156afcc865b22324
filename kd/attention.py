"""Inhibitor attention for PyTorch: Manhattan scores, ReLU inhibition, exact gradients.

Sources: arXiv 2310.02041 (the inhibitor), arXiv 2503.15983 (centring, the signed form).
Shapes: B batch, H heads, T tokens, d head width.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.fx.experimental._config as shape_config
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

QUERIES = 16  # computed together without gradients, so that the caches hold what is between


@dataclass(frozen=True)
class InhibitorSettings:
    """How a student inhibits; stands in its config.json under "inhibitor".

    scope: "head" or "layer", the sharing of gamma, alpha and beta. centred: Z is centred over the
    valid keys before alpha is added; else alpha is subtracted (the 2023 paper). signed: positive
    and negative values are both drawn towards 0; else (V - Z)+. n0: the context is scaled by n0/n
    for n valid keys; 0 is the papers' plain sum. gamma, alpha, beta: the initial values.
    """

    scope: str = "head"
    centred: bool = True
    signed: bool = True
    n0: float = 16.0
    gamma: float = 1.0
    alpha: float = 0.5
    beta: float = 0.3

    def __post_init__(self) -> None:
        if self.scope not in ("head", "layer"):
            raise ValueError(f"scope is {self.scope!r}: write 'head' or 'layer'")
        if not 0 <= self.n0 <= 128:  # the file's length table ends there
            raise ValueError(f"n0 is {self.n0}: it must lie in [0, 128]; beta takes any factor")


class Inhibitor(nn.Module):
    """The learned scalars of one attention layer, each [H] or [1]."""

    def __init__(self, settings: InhibitorSettings, heads: int) -> None:
        super().__init__()
        count = heads if settings.scope == "head" else 1
        self.settings = settings
        self.heads = heads
        self.gamma = nn.Parameter(torch.full((count,), settings.gamma))
        self.alpha = nn.Parameter(torch.full((count,), settings.alpha))
        self.beta = nn.Parameter(torch.full((count,), settings.beta))

    def forward(self, query: Tensor, key: Tensor, value: Tensor, valid: Tensor | None) -> Tensor:
        """Attention context [B,H,T,d] of query, key, value [B,H,T,d].

        valid: bool [B,T], False where a key is padding; such a key contributes exactly 0.
        """
        # Products may come in bfloat16; sums over d and T need the parameters' precision.
        query, key, value = (x.to(self.gamma.dtype) for x in (query, key, value))
        per_head = (-1, 1, 1)
        scores = manhattan(query, key) * (self.gamma.view(per_head) / query.shape[-1] ** 0.5)
        if self.settings.centred:
            scores = scores - mean_over_keys(scores, valid)
        shift = self.alpha.view(per_head)
        z = torch.relu(scores + shift if self.settings.centred else scores - shift)
        if valid is not None:
            z = z.masked_fill(~valid[:, None, None, :], torch.finfo(z.dtype).max)
        context = inhibit(value, z, self.settings.signed)
        return context * self.beta.view(per_head) * length_factor(self.settings.n0, value, valid)


def mean_over_keys(scores: Tensor, valid: Tensor | None) -> Tensor:
    """Mean [B,H,T,1] of scores [B,H,T,T] over the valid keys."""
    if valid is None:
        return scores.mean(-1, keepdim=True)
    weight = valid[:, None, None, :].to(scores.dtype)
    return (scores * weight).sum(-1, keepdim=True) / weight.sum(-1, keepdim=True)


def length_factor(n0: float, value: Tensor, valid: Tensor | None) -> Tensor | float:
    """n0/n for n valid keys, broadcastable to [B,H,T,d]; 1 for a plain sum (n0 = 0)."""
    if n0 == 0:
        return 1.0
    if valid is None:
        return n0 / value.shape[-2]
    return n0 / valid.sum(-1).to(value.dtype)[:, None, None, None]


def manhattan(query: Tensor, key: Tensor) -> Tensor:
    """S_ij = sum_k |q_ik - k_jk|: [B,H,T,T] from [B,H,T,d]."""
    if not _worth_compiling(query, key):
        return _in_blocks(_scores, query, key.transpose(2, 3))
    out: Tensor = _Manhattan.apply(query.flatten(0, 1), key.flatten(0, 1))
    return out.unflatten(0, query.shape[:2])


def inhibit(value: Tensor, z: Tensor, signed: bool) -> Tensor:
    """H_ik = sum_j soft-threshold(v_jk, z_ij), or sum_j (v_jk - z_ij)+ where not signed.

    value [B,H,T,d], z [B,H,T,T] >= 0; returns [B,H,T,d].
    """
    if not _worth_compiling(value, z):
        return _in_blocks(lambda some, v: _inhibit(v, some, signed), z, value)
    out: Tensor = _Inhibit.apply(value.flatten(0, 1), z.flatten(0, 1), signed)
    return out.unflatten(0, value.shape[:2])


_many = ContextVar("_many", default=False)


@contextmanager
def many_answers() -> Iterator[None]:
    """Compile inhibition without gradients too: worth it for the teacher of a training run."""
    token = _many.set(True)
    try:
        yield
    finally:
        _many.reset(token)


def _worth_compiling(*tensors: Tensor) -> bool:
    """Where gradients will be asked for, or `many_answers` are. Otherwise sentences run one by one
    and some queries at a time, uncompiled: compiling takes longer than a few answers."""
    return _many.get() or (
        torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    )


def _in_blocks(function: Callable[[Tensor, Tensor], Tensor], rows: Tensor, whole: Tensor) -> Tensor:
    """function(rows, whole) of rows [B,H,T,...], one sentence and QUERIES of its rows at a time."""
    return torch.stack(
        [
            torch.cat([function(some, every) for some in x.split(QUERIES, 1)], 1)
            for x, every in zip(rows, whole, strict=True)
        ]
    )


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """One fused broadcast and reduction: nothing of size T*T*d is stored.

    Sizes are symbols from the first call and never tied to each other because they happened to be
    equal, so that the kernels do not depend on the order in which lengths came: a resumed run
    computes the same bits.
    """
    untied = shape_config.patch(use_duck_shape=False)  # type: ignore[attr-defined]
    return untied(torch.compile(function, dynamic=True))


# Shapes below: query, key, value [G,T,d] for G = B*H groups (or the heads of one sentence),
# scores and z [G,T,T]. What is called columns is [G,d,T]: a sum over d then adds vectors of
# neighbouring keys, a sum over T those of a token's entries, and no lanes of a register are summed.
def _scores(query: Tensor, key_columns: Tensor) -> Tensor:
    return (query.unsqueeze(3) - key_columns.unsqueeze(1)).abs().sum(2)


def _scores_gradient(gradient: Tensor, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    signs = torch.sign(query.unsqueeze(2) - key.unsqueeze(1)) * gradient.unsqueeze(-1)
    return signs.sum(2), -signs.sum(1)


def _inhibit(value: Tensor, z: Tensor, signed: bool) -> Tensor:
    v, z = value.unsqueeze(1), z.unsqueeze(-1)
    return (v - torch.clamp(v, -z, z)).sum(2) if signed else torch.relu(v - z).sum(2)


def _inhibit_gradient(
    gradient: Tensor, size: Tensor, size_columns: Tensor, sign_columns: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    """size: what inhibition takes z from, |v| or v; sign: which way it draws v."""
    passes = torch.where(size.unsqueeze(1) > z.unsqueeze(3), gradient.unsqueeze(2), 0.0)
    drawn = gradient.unsqueeze(3) * sign_columns.unsqueeze(1)
    drawn = torch.where(size_columns.unsqueeze(1) > z.unsqueeze(2), drawn, 0.0)
    return passes.sum(1), -drawn.sum(2)


def _columns(x: Tensor) -> Tensor:
    """[G,d,T] from [G,T,d], laid out so."""
    return x.transpose(1, 2).contiguous()


class _Manhattan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor) -> Tensor:
        ctx.save_for_backward(query, key)
        return _compiled(_scores)(query, _columns(key))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return _compiled(_scores_gradient)(gradient.contiguous(), *ctx.saved_tensors)


class _Inhibit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, z: Tensor, signed: bool) -> Tensor:
        ctx.save_for_backward(value, z)
        ctx.signed = signed
        return _compiled(_inhibit)(value, z, signed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        value, z = ctx.saved_tensors
        size, sign = (value.abs(), value.sign()) if ctx.signed else (value, torch.ones_like(value))
        inputs = (gradient.contiguous(), size, _columns(size), _columns(sign), z)
        return *_compiled(_inhibit_gradient)(*inputs), None


def _inhibitor_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **_: Any,
) -> tuple[Tensor, None]:
    """The function that transformers calls: returns the context [B,T,H,d] and no weights."""
    valid = None if attention_mask is None else attention_mask[:, 0, 0, :]
    context = module.inhibitor(query, key, value, valid)  # type: ignore[operator]
    return context.transpose(1, 2), None


AttentionInterface.register("inhibitor", _inhibitor_attention)
AttentionMaskInterface.register("inhibitor", sdpa_mask)
