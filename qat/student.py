"""The quantized student: the file's graph in PyTorch, with fake quantization that can be trained.

It runs on padded batches with a mask; the file runs packed sentences. Results agree to the bit but
for float rounding: every value lies on its integer grid, every rounding is the engine's.
"""

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from brevitas.nn import QuantIdentity
from brevitas.quant_tensor import IntQuantTensor
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from inhibi.engine.errors import InputError
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.embedding import pooled
from inhibi.kd.families import LayerParts, Parts, parts
from inhibi.kd.student import attach, read_config, reading
from inhibi.qat.attention import QuantAttention, QuantDotProduct, QuantInhibitor
from inhibi.qat.layers import (
    QuantEmbeddings,
    Quantizer,
    QuantNorm,
    quant_linear,
)
from inhibi.qat.quantizers import activation, round_half_up

MEAN_PARTS = 256  # of a step, in which MeanPool counts
# see inhibi.qat.channel_scales
CHANNEL_SCALES = (
    ".residual_multiplier",
    ".residual_middle",
    ".factor",
    ".source",
    ".input_middle",
    ".output_middle",
)


@dataclass(frozen=True)
class QuantizationSettings:
    """How the activations' scales start; stands in config.json under "quantization"."""

    calibration_batches: int = 20
    percentile: float = 99.99


@dataclass
class Output:
    """Logits [B, labels], or an embedding student's vectors [B,C]; hidden states [B,T,C] after the
    embeddings and after each layer."""

    logits: Tensor
    hidden_states: list[Tensor]


class QuantLookup(nn.Module):
    """RequantizeLookup: a product, requantized, through an activation function's tables.

    Channel k [M] counts in factor[k] of the quantizers' steps, before the function and after it, so
    that the few wide channels do not cost the others their precision; the output is without its
    factor, which the weights of the product that reads it have. Steps are counted from
    input_middle[k] and from output_middle, so that both signs are used. source[k] is the float
    student's channel: those of one factor stand side by side.
    """

    def __init__(
        self, linear: nn.Linear, function: Callable[[Tensor], Tensor], quantizer: Quantizer
    ) -> None:
        super().__init__()
        self.linear = quant_linear(linear)
        self.function = function
        self.input_quantizer = quantizer()
        self.quantizer = quantizer()
        self.factor: Tensor
        self.source: Tensor
        self.input_middle: Tensor
        self.output_middle: Tensor
        self.register_buffer("factor", torch.ones(linear.out_features))
        self.register_buffer("source", torch.arange(linear.out_features))
        self.register_buffer("input_middle", torch.zeros(linear.out_features))
        self.register_buffer("output_middle", torch.zeros(()))

    def forward(self, x: IntQuantTensor) -> IntQuantTensor:
        steps = self.input_quantizer(self.linear(x) / self.factor - self.input_middle)
        made = self.activated((steps.value + self.input_middle) * self.factor)
        counted = self.quantizer(made - self.output_middle)
        return counted.set(value=counted.value + self.output_middle)

    def activated(self, x: Tensor) -> Tensor:
        """The function of x [..., M], without the channels' factors."""
        return self.function(x) / self.factor


class QuantLayer(nn.Module):
    """One transformer layer."""

    def __init__(self, layer: LayerParts, found: Parts, quantizer: Quantizer) -> None:
        super().__init__()
        self.qkv = quant_linear(layer.query, layer.key, layer.value)
        self.attention = _attention(layer, found.heads, quantizer)
        self.attention_output = quant_linear(layer.attention_output)
        self.attention_norm = QuantNorm(layer.attention_norm, quantizer)
        self.intermediate = QuantLookup(layer.intermediate, found.activation, quantizer)
        self.output = quant_linear(layer.output)
        self.output_norm = QuantNorm(layer.output_norm, quantizer)

    def forward(self, x: IntQuantTensor, valid: Tensor) -> IntQuantTensor:
        context = self.attention(self.qkv(x), valid)
        x = self.attention_norm(self.attention_output(context), x)
        return self.output_norm(self.output(self.intermediate(x)), x)


def _attention(layer: LayerParts, heads: int, quantizer: Quantizer) -> QuantAttention:
    """The inhibitor where the float layer has one, else dot-product attention."""
    if hasattr(layer.attention, "inhibitor"):
        return QuantInhibitor(layer.attention.inhibitor, quantizer)
    return QuantDotProduct(heads, quantizer)


class QuantStudent(nn.Module):
    """Built from a float student, with a copy of its weights; see `load` for a saved one."""

    def __init__(self, student: PreTrainedModel, settings: QuantizationSettings) -> None:
        super().__init__()
        student = copy.deepcopy(student)  # it may go on as the teacher
        found = parts(student)

        def quantizer() -> QuantIdentity:
            return activation(settings.calibration_batches, settings.percentile)

        tables = [found.word, found.position]
        if found.token_type is not None:
            tables.append(found.token_type)
        self.embeddings = QuantEmbeddings(tables, QuantNorm(found.embedding_norm, quantizer))
        self.layers = nn.ModuleList(QuantLayer(layer, found, quantizer) for layer in found.layers)
        self.config = student.config
        self.pooling: str | None = getattr(self.config, "pooling", None)
        if self.pooling == "mean":
            self.mean_quantizer = quantizer()
        if not self.pooling:
            self.pooler = QuantLookup(found.pooler, found.pooler_activation, quantizer)
            self.classifier = quant_linear(found.classifier, classifier=True)
        self.config.quantization = asdict(settings)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        output_hidden_states: bool = True,
    ) -> Output:
        """input_ids, attention_mask, token_type_ids int64 [B,T]."""
        valid = attention_mask.bool()
        x = self.embeddings(self.table_ids(input_ids, token_type_ids))
        hidden = []
        for layer in self.layer_list():
            hidden.append(layer.attention_norm.restored(x.value))
            x = layer(x, valid)
        hidden.append(x.value)
        answer = self.vector(x, valid).value if self.pooling else self.logits(x)
        return Output(answer, hidden if output_hidden_states else [])

    def logits(self, x: IntQuantTensor) -> Tensor:
        """[B, labels] from the last hidden states [B,T,C]."""
        made: Tensor = self.classifier(self.pooler(x.set(value=x.value[:, 0])))
        return made

    def vector(self, x: IntQuantTensor, valid: Tensor) -> IntQuantTensor:
        """The embedding [B,C] from the last hidden states: MeanPool, or the first token's."""
        if self.pooling == "cls":
            return x.set(value=x.value[:, 0])
        mean = pooled(x.value / x.scale, valid, "mean")
        parts = round_half_up(mean * MEAN_PARTS) / MEAN_PARTS
        made: IntQuantTensor = self.mean_quantizer(parts * x.scale)
        return made

    def layer_list(self) -> list[QuantLayer]:
        """The layers with their own type."""
        return list(self.layers)  # type: ignore[arg-type]

    def table_ids(self, input_ids: Tensor, token_type_ids: Tensor | None = None) -> list[Tensor]:
        """What each embedding table is read with: words [B,T], positions [T], token types [B,T]
        where the model has them."""
        ids = [input_ids, torch.arange(input_ids.shape[1], device=input_ids.device)]
        if len(self.embeddings.tables) == 3:
            ids.append(torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids)
        return ids

    def save_pretrained(self, folder: str | Path) -> None:
        """Write model.safetensors and config.json."""
        self.config.save_pretrained(folder)
        weights = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(weights, Path(folder) / "model.safetensors")


def load(folder: str | Path) -> QuantStudent:
    """The quantized student saved in `folder`. Raises `InputError` where it is none or damaged."""
    folder = Path(folder)
    config = read_config(folder)
    if not hasattr(config, "quantization"):
        raise InputError(f"{folder} is no quantized student: train one with qat-train")
    with reading(folder):
        student = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
        if hasattr(config, "inhibitor"):
            attach(student, InhibitorSettings(**config.inhibitor))
        made = QuantStudent(student, QuantizationSettings(**config.quantization))
        saved = load_file(folder / "model.safetensors")
        for name in CHANNEL_SCALES:
            # Students saved before channels had such scales keep those that they start with.
            if not any(key.endswith(name) for key in saved):
                saved |= {k: v for k, v in made.state_dict().items() if k.endswith(name)}
        made.load_state_dict(saved)
    return made.eval()
