"""From a trained quantized student to plain integers. The only part of export that needs torch."""

from typing import Any

import numpy as np
import torch
from brevitas.nn import QuantIdentity, QuantLinear
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from inhibi.engine import fixed
from inhibi.export.integers import (
    Classifier,
    DotProductAttention,
    Embeddings,
    FirstToken,
    InhibitorAttention,
    IntegerLayer,
    IntegerStudent,
    Linear,
    LookupLinear,
    MeanPool,
    Norm,
    NormLinear,
    RequantizedLinear,
)
from inhibi.export.weight_pairs import limit_pairs, pair_excess
from inhibi.kd.attention import Inhibitor
from inhibi.kd.data import Task
from inhibi.qat.attention import EXP_STEP, WEIGHTS, QuantAttention, QuantInhibitor
from inhibi.qat.layers import QuantEmbeddings, QuantNorm
from inhibi.qat.student import MEAN_PARTS, QuantLayer, QuantLookup, QuantStudent

Floats = NDArray[np.float64]

BIAS_LIMIT = 2**27 - 1
PROBLEMS = {0: "embedding", 1: "regression"}  # by the number of labels
SMALLEST_RATIO = 2.0**-22  # of scales: well above the one that a multiplier of 0 stands for


@torch.no_grad()
def integer_student(
    student: QuantStudent,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    provenance: dict[str, Any],
    temperature: float | None = None,
) -> IntegerStudent:
    """The integers of a trained student, as docs/SPEC.md defines them."""
    student.eval()
    config = student.config
    quant_layers = student.layer_list()
    attention = quant_layers[0].attention
    max_tokens = len(student.embeddings.tables[1])
    residual = [scale(student.embeddings.norm.quantizer)]
    layers = []
    for layer in quant_layers:
        layers.append(_layer(layer, residual[-1], max_tokens))
        residual.append(scale(layer.output_norm.quantizer))
    labels = () if student.pooling else tuple(config.id2label[i] for i in range(config.num_labels))
    return IntegerStudent(
        embeddings=_embeddings(student.embeddings),
        layers=tuple(layers),
        head=_head(student, residual[-1]),
        heads=attention.heads,
        max_tokens=max_tokens,
        family=config.model_type,
        problem=PROBLEMS.get(len(labels), "classification"),
        labels=labels,
        output_scale=output_scale(student),
        tokenizer=tokenizer_json(tokenizer),
        temperature=temperature,
        **_inhibition(attention),
        token_types=len(student.embeddings.tables) == 3,
        task=task.name,
        texts=len(task.columns),
        nudged_pairs=sum(
            nudged(module) for module in student.modules() if isinstance(module, QuantLinear)
        ),
        provenance=provenance,
    )


def scale(quantizer: QuantIdentity) -> float:
    """The activation scale that a quantizer has learned."""
    return float(quantizer(torch.zeros(1)).scale)


@torch.no_grad()
def output_scale(student: QuantStudent) -> float:
    """What the integer logits, or vectors, are multiplied by to be the float model's."""
    if student.pooling:
        last = student.layer_list()[-1].output_norm.quantizer
        return scale(student.mean_quantizer if student.pooling == "mean" else last)
    return scale(student.pooler.quantizer) * float(student.classifier.quant_weight().scale)


def tokenizer_json(tokenizer: PreTrainedTokenizerBase) -> str:
    """The content of tokenizer.json with padding and truncation off."""
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()
    return str(backend.to_str())


def nudged(linear: QuantLinear) -> int:
    """How many weight pairs training holds back by the pair rule."""
    weight, unit = _array(linear.weight), _array(linear.quant_weight().scale)
    rounded = np.clip(fixed.round_half_up(weight / unit), -127, 127).astype(np.int8)
    return int(np.count_nonzero(pair_excess(rounded.T)))


def _array(tensor: Tensor) -> Floats:
    return tensor.detach().double().numpy()


def _linear(
    linear: QuantLinear,
    scale_in: float,
    scale_out: Floats | float,
    middle_in: float = 0.0,
    middle_out: Floats | float = 0.0,
) -> RequantizedLinear:
    """A product of inputs with `scale_in`, requantized to `scale_out` (a number or [M]).

    The bias makes up for what is counted from a middle: the inputs, and the output (a number or
    [M]).

    A channel whose weights are nearly zero beside its bias gets a larger weight scale, so that the
    bias stays below 2^27 and the ratio of scales has a multiplier.
    """
    quantized = linear.quant_weight()
    bias = _array(linear.bias) - middle_out
    trained = _array(quantized.scale)[:, 0]
    largest = np.abs(bias + middle_in * _array(quantized.value).sum(1))
    least = np.maximum(largest / (scale_in * BIAS_LIMIT), SMALLEST_RATIO * scale_out / scale_in)
    unit = np.maximum(trained, least)
    weight = quantized.int().numpy()
    for channel in np.flatnonzero(unit > trained):
        rounded = fixed.round_half_up(_array(linear.weight[channel]) / unit[channel])
        weight[channel] = limit_pairs(rounded.astype(np.int8)[:, None])[0][:, 0]
    multiplier, shift = fixed.multiplier_shift(scale_in * unit / scale_out)
    steps = bias / (scale_in * unit) + middle_in / scale_in * weight.sum(1, dtype=np.int64)
    return RequantizedLinear(
        weight=np.ascontiguousarray(weight.T),
        bias=fixed.round_half_up(steps).astype(np.int32),
        multiplier=multiplier,
        shift=shift,
    )


def _head(student: QuantStudent, scale_in: float) -> Classifier | MeanPool | FirstToken:
    unit = output_scale(student)
    if not student.pooling:
        return Classifier(_lookup(student.pooler, scale_in), _classifier(student.classifier, unit))
    if student.pooling == "cls":
        return FirstToken()
    channels = student.config.hidden_size
    return MeanPool(*fixed.multiplier_shift(np.full(channels, scale_in / MEAN_PARTS / unit)))


def _classifier(linear: QuantLinear, unit: float) -> Linear:
    """The classifier, whose weights share one scale; `unit` is the logits'."""
    quantized = linear.quant_weight()
    bias = fixed.round_half_up(_array(linear.bias) / unit)
    weight = np.ascontiguousarray(quantized.int().numpy().T)
    return Linear(weight, bias.astype(np.int32))


def _lookup(lookup: QuantLookup, scale_in: float) -> LookupLinear:
    factor = _array(lookup.factor)
    product = _linear(
        lookup.linear,
        scale_in,
        scale(lookup.input_quantizer) * factor,
        middle_out=_array(lookup.input_middle) * factor,
    )
    _, first, index = np.unique(factor, return_index=True, return_inverse=True)
    return LookupLinear(
        product.weight,
        product.bias,
        product.multiplier,
        product.shift,
        np.stack([_table(lookup, int(channel)) for channel in first]),
        index.astype(np.uint8),
    )


def _table(lookup: QuantLookup, channel: int) -> np.ndarray:
    """What the function makes of each of a channel's 256 inputs: `QuantLookup.forward`."""
    factor = float(lookup.factor[channel])
    steps = (torch.arange(256, dtype=torch.float64) - 128) * scale(lookup.input_quantizer)
    made = lookup.function((steps + float(lookup.input_middle[channel])) * factor).numpy() / factor
    counted = fixed.round_half_up((made - float(lookup.output_middle)) / scale(lookup.quantizer))
    return (np.clip(counted, -127, 127) + 128).astype(np.uint8)


def _norm(norm: QuantNorm) -> Norm:
    return Norm(
        *fixed.norm_parameters(_array(norm.weight), _array(norm.bias), scale(norm.quantizer))
    )


def _norm_linear(
    linear: QuantLinear, norm: QuantNorm, scale_in: float, residual: float, middle_in: float = 0.0
) -> NormLinear:
    unit = residual / float(norm.residual_multiplier.median())
    product = _linear(linear, scale_in, unit, middle_in)
    return NormLinear(
        product.weight,
        product.bias,
        product.multiplier,
        product.shift,
        _array(norm.residual_multiplier).astype(np.int32),
        _norm(norm),
    )


def _embeddings(embeddings: QuantEmbeddings) -> Embeddings:
    tables = [
        embeddings.integers(i, table).numpy().astype(np.int8)
        for i, table in enumerate(embeddings.tables)
    ]
    multipliers = embeddings.multipliers.numpy().astype(np.int32)
    if len(tables) == 2:  # no token types: one row of zeros
        tables.append(np.zeros_like(tables[0][:1]))
        multipliers = np.append(multipliers, np.zeros_like(multipliers[:1]), axis=0)
    word, position, token_type = tables
    return Embeddings(word, position, token_type, multipliers, _norm(embeddings.norm))


def _layer(layer: QuantLayer, residual: float, max_tokens: int) -> IntegerLayer:
    attention = layer.attention
    channels = layer.qkv.out_features // 3
    qk, v = scale(attention.qk_quantizer), scale(attention.v_quantizer)
    middle = scale(layer.attention_norm.quantizer)
    return IntegerLayer(
        qkv=_linear(layer.qkv, residual, np.repeat([qk, qk, v], channels)),
        attention=_attention(attention, channels, max_tokens),
        attention_output=_norm_linear(
            layer.attention_output, layer.attention_norm, scale(attention.quantizer), residual
        ),
        intermediate=_lookup(layer.intermediate, middle),
        output=_norm_linear(
            layer.output,
            layer.output_norm,
            scale(layer.intermediate.quantizer),
            middle,
            float(layer.intermediate.output_middle),
        ),
    )


def _inhibition(attention: QuantAttention) -> dict[str, Any]:
    """What the file says of inhibition; nothing for dot products."""
    if not isinstance(attention, QuantInhibitor):
        return {}
    settings = attention.inhibitor.settings
    return {"centred": settings.centred, "signed": settings.signed, "n0": settings.n0 or None}


def _attention(
    attention: QuantAttention, channels: int, max_tokens: int
) -> InhibitorAttention | DotProductAttention:
    qk, v, out = (
        scale(q) for q in (attention.qk_quantizer, attention.v_quantizer, attention.quantizer)
    )
    width = channels // attention.heads
    if isinstance(attention, QuantInhibitor):
        return _inhibitor(attention.inhibitor, width, max_tokens, qk, v, out)
    factor = np.full(attention.heads, qk**2 / np.sqrt(width) / EXP_STEP)
    return DotProductAttention(
        *fixed.score_multiplier_offset_shift(factor, np.zeros_like(factor)),
        *fixed.multiplier_shift(np.full(channels, v / WEIGHTS / out)),
        table=fixed.exp_table(EXP_STEP),
    )


def _inhibitor(
    inhibitor: Inhibitor, width: int, max_tokens: int, qk: float, v: float, out: float
) -> InhibitorAttention:
    gamma, alpha, beta = (
        np.broadcast_to(_array(x), inhibitor.heads)
        for x in (inhibitor.gamma, inhibitor.alpha, inhibitor.beta)
    )
    settings = inhibitor.settings
    return InhibitorAttention(
        *fixed.score_multiplier_offset_shift(
            gamma / np.sqrt(width) * qk / v, (alpha if settings.centred else -alpha) / v
        ),
        *fixed.multiplier_shift(np.repeat(beta * v / out, width)),
        length=fixed.length_table(max_tokens, settings.n0 or None),
    )
