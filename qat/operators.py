"""A quantized student operator by operator, each with its rounding and without.

Names are those of the file's nodes (docs/SPEC.md), but that `layer.i.qkv` is two: `layer.i.qk` and
`layer.i.v`, which have a scale each.
"""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant_tensor import IntQuantTensor
from torch import Tensor

from inhibi.qat.attention import QuantAttention, QuantInhibitor
from inhibi.qat.layers import QuantEmbeddings, QuantNorm
from inhibi.qat.student import QuantLayer, QuantLookup, QuantStudent


@dataclass(frozen=True)
class Operator:
    """One node of the file. `inputs` names the operators whose outputs it takes.

    exact: from float inputs to the float output, of the same weights without any quantizer.
    quantized: from inputs on their grids to the output on its own; the logits have no quantizer.
    """

    name: str
    inputs: tuple[str, ...]
    exact: Callable[..., Tensor]
    quantized: Callable[..., Tensor | IntQuantTensor]
    quantizer: QuantIdentity | None
    middle: float = 0.0  # of the output: its integers count from there


def operators(student: QuantStudent, ids: list[Tensor], valid: Tensor) -> list[Operator]:
    """The student's operators on one batch, in the graph's order.

    ids: one [B,T] or [T] for each embedding table. valid: bool [B,T], False for padding.
    """
    embeddings = student.embeddings
    made = [
        Operator(
            x := "embeddings",
            (),
            partial(_exact_embeddings, embeddings, ids),
            partial(embeddings, ids),
            embeddings.norm.quantizer,
        )
    ]
    for i, layer in enumerate(student.layer_list()):
        made += _layer(f"layer.{i}", layer, x, valid)
        x = made[-1].name
    pooler, classifier = student.pooler, student.classifier
    return [
        *made,
        Operator(
            "pooler",
            (x,),
            lambda x: _exact_lookup(pooler, x[:, 0]),
            lambda x: pooler(x.set(value=x.value[:, 0])),
            pooler.quantizer,
        ),
        Operator("logits", ("pooler",), partial(_exact_linear, classifier), classifier, None),
    ]


def _layer(name: str, layer: QuantLayer, x: str, valid: Tensor) -> list[Operator]:
    """The operators of one layer, whose input is the operator `x`."""
    attention, cut = layer.attention, 2 * (layer.qkv.out_features // 3)
    qk, v, context, middle, wide, last = (
        f"{name}.{node}"
        for node in ("qk", "v", "attention", "attention_output", "intermediate", "output")
    )
    return [
        Operator(
            qk,
            (x,),
            lambda x: _exact_linear(layer.qkv, x)[..., :cut],
            lambda x: attention.qk_quantizer(layer.qkv(x)[..., :cut]),
            attention.qk_quantizer,
        ),
        Operator(
            v,
            (x,),
            lambda x: _exact_linear(layer.qkv, x)[..., cut:],
            lambda x: attention.v_quantizer(layer.qkv(x)[..., cut:]),
            attention.v_quantizer,
        ),
        Operator(
            context,
            (qk, v),
            lambda qk, v: _exact_attention(attention, qk, v, valid),
            lambda qk, v: attention.attend(qk, v, valid),
            attention.quantizer,
        ),
        _add_norm(middle, (context, x), layer.attention_output, layer.attention_norm),
        Operator(
            wide,
            (middle,),
            partial(_exact_lookup, layer.intermediate),
            layer.intermediate,
            layer.intermediate.quantizer,
            float(layer.intermediate.output_middle),
        ),
        _add_norm(last, (wide, middle), layer.output, layer.output_norm),
    ]


def _add_norm(name: str, inputs: tuple[str, str], linear: QuantLinear, norm: QuantNorm) -> Operator:
    return Operator(
        name,
        inputs,
        lambda x, residual: _exact_norm(norm, _exact_linear(linear, x) + norm.rescaled(residual)),
        lambda x, residual: norm(linear(x), residual),
        norm.quantizer,
    )


def _exact_linear(linear: QuantLinear, x: Tensor) -> Tensor:
    return F.linear(x, linear.weight, linear.bias)


def _exact_norm(norm: QuantNorm, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, eps=1e-12)


def _exact_lookup(lookup: QuantLookup, x: Tensor) -> Tensor:
    return lookup.activated(_exact_linear(lookup.linear, x))


def _exact_embeddings(embeddings: QuantEmbeddings, ids: list[Tensor]) -> Tensor:
    rows = [F.embedding(index, table) for index, table in zip(ids, embeddings.tables, strict=True)]
    return _exact_norm(embeddings.norm, torch.stack(torch.broadcast_tensors(*rows)).sum(0))


def _exact_attention(attention: QuantAttention, qk: Tensor, v: Tensor, valid: Tensor) -> Tensor:
    (q, k), v = attention.queries_keys(qk), attention.per_head(v)
    if isinstance(attention, QuantInhibitor):
        context = attention.inhibitor(q, k, v, valid)
    else:
        context = F.scaled_dot_product_attention(q, k, v, valid[:, None, None, :])
    return context.transpose(1, 2).flatten(2)


def run(
    chain: Sequence[Operator],
    quantized: Collection[str],
    known: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Every operator's output by name: of those in `quantized` with rounding, else without.

    Outputs in `known` are taken from there. All are values, quantized ones times their scale.
    """
    made = dict(known or {})
    quantizer = {operator.name: operator.quantizer for operator in chain}
    for operator in chain:
        if operator.name in made:
            continue
        inputs = [made[name] for name in operator.inputs]
        if operator.name not in quantized:
            made[operator.name] = operator.exact(*inputs)
            continue
        scales = [quantizer[name] for name in operator.inputs]
        out = operator.quantized(*map(_with_scale, scales, inputs))
        made[operator.name] = out.value if isinstance(out, IntQuantTensor) else out
    return made


def _with_scale(quantizer: QuantIdentity, x: Tensor) -> IntQuantTensor:
    """x as it is, with the quantizer's scale: biases and residuals are counted in it."""
    return quantizer(torch.zeros(1)).set(value=x)


def with_cached_weights(student: QuantStudent) -> QuantStudent:
    """A copy that rounds its weights once, not in every run: most of a short run's time."""
    made = copy.deepcopy(student).eval()
    for linear in made.modules():
        if isinstance(linear, QuantLinear):
            linear.weight_quant.cache_inference_quant_weight = True
    return made


@torch.no_grad()
def with_rounded_weights(student: QuantStudent) -> QuantStudent:
    """A copy whose weights and tables lie on their grids, so that its exact operators have the
    weights' rounding alone."""
    made = copy.deepcopy(student)
    for linear in made.modules():
        if isinstance(linear, QuantLinear):
            linear.weight.data = linear.quant_weight().value
    embeddings = made.embeddings
    for i, table in enumerate(embeddings.tables):
        table.data = embeddings.integers(i, table) * (embeddings.multipliers[i] * embeddings.unit)
    return made
