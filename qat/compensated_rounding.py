"""Weights rounded one input channel after the other, the error of each made up for by those still
to come: GPTQ (arXiv 2210.17323), Brevitas' implementation with the engine's pair rule."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from brevitas.quant_tensor import IntQuantTensor
from torch import Tensor, nn

from inhibi.qat.quantizers import PAIR_LIMIT, limit_pairs
from inhibi.qat.student import QuantStudent

with warnings.catch_warnings():  # of Brevitas about parts of its own
    warnings.simplefilter("ignore")
    from brevitas.graph.gptq import GPTQ, gptq_mode

LARGEST = 127
BLOCKS = 8  # in which a product's error reaches the channels that are far away


@torch.no_grad()
def round_weights(student: QuantStudent, inputs: Iterable[dict[str, Tensor]]) -> None:
    """Put every product's weights on their grid, so that its outputs for these inputs change least.

    Scales stay as they were; activations are quantized, so calibrate them before.
    """
    student.eval()
    batches = list(inputs)
    valid = [batch["attention_mask"].bool() for batch in batches]
    x = [
        student.embeddings(student.table_ids(batch["input_ids"], batch.get("token_type_ids")))
        for batch in batches
    ]
    for layer in student.layer_list():
        x = _round(layer, list(zip(x, valid, strict=True)), valid)
    if not student.pooling:
        first = [(hidden.set(value=hidden.value[:, 0]),) for hidden in x]
        _round(nn.Sequential(student.pooler, student.classifier), first, valid)


def _round(
    part: nn.Module, inputs: Sequence[tuple[Any, ...]], valid: Sequence[Tensor]
) -> list[Any]:
    """Round the weights of one part of the student, after those before it; what the part then
    makes of each batch. A part at a time, so that no product waits for the whole student to run.

    inputs: what the part is called with, for each batch. valid: the batches' keys [B,T].
    """
    with gptq_mode(
        part, create_weight_orig=False, num_blocks=BLOCKS, gptq_class=_WithinPairs, device="same"
    ) as mode:
        for _ in range(mode.num_layers):
            for given, keys in zip(inputs, valid, strict=True):
                for product in mode.gpxq_layers.values():
                    product.valid = keys
                mode.model(*given)  # as far as the product whose turn it is
            mode.update()
    del part.forward  # Brevitas leaves its own on the instance
    made = [part(*given) for given in inputs]
    for product in mode.gpxq_layers.values():
        product.layer.weight_quant.cache_inference_quant_weight = False
    return made


class _WithinPairs(GPTQ):
    """Brevitas takes scales anew from every column that it rounds; here they are those of before,
    and what they were taken from, the largest weights and pairs, is rounded as it was."""

    valid: Tensor  # [B,T], 0 for padding, of the batch that runs

    def process_input(self, inp: tuple[IntQuantTensor]) -> Tensor:
        """Padding counts nothing."""
        [x] = inp
        if x.value.dim() == 3:
            x = x.set(value=x.value * self.valid[..., None])
        made: Tensor = super().process_input((x,))
        return made

    def single_layer_update(self, *args: Any, **kwargs: Any) -> None:
        """A channel that was 0 in all inputs keeps its weights: Brevitas would set them to 0."""
        unseen = (self.H.diagonal(dim1=1, dim2=2) == 0).float()
        self.H += torch.diag_embed(unseen * torch.finfo(self.H.dtype).tiny)
        super().single_layer_update(*args, **kwargs)
        # It stays as it is now while the others are rounded: quantized once, not in every run.
        self.layer.weight_quant.cache_inference_quant_weight = True

    def get_quant_weights(self, i: int, i1: int, *_: Any, **__: Any) -> Tensor:
        """Column i1 + i of the weights [M,K], rounded: [1,M]."""
        column, weight = i1 + i, self.layer.weight.data
        if column == 0:
            self.scale = self.layer.quant_weight().scale.expand(len(weight), 1)[:, 0]
            self.kept = scale_deciding(weight / self.scale[:, None])
        rounded = torch.floor(weight[:, column] / self.scale + 0.5).clamp(-LARGEST, LARGEST)
        if column % 2:
            neighbour = torch.round(weight[:, column - 1] / self.scale)
        elif column + 1 < weight.shape[1]:
            neighbour = self.kept[:, column + 1].nan_to_num()
        else:
            neighbour = torch.zeros_like(rounded)
        room = torch.where(rounded * neighbour > 0, PAIR_LIMIT - neighbour.abs(), LARGEST)
        rounded = torch.minimum(torch.maximum(rounded, -room), room)
        kept = self.kept[:, column]
        return (torch.where(kept.isnan(), rounded, kept) * self.scale)[None]


def scale_deciding(weight: Tensor) -> Tensor:
    """The whole numbers [M,K] of the weights in units of their scale that decide it: the largest of
    a row and the pairs of one sign with the largest sum. NaN for the others."""
    even = F.pad(weight, (0, weight.shape[1] % 2))
    a, b = even[:, 0::2], even[:, 1::2]
    pairs = (a * b > 0) & ((a + b).abs() > PAIR_LIMIT - 0.01)
    decides = pairs.repeat_interleave(2, 1)[:, : weight.shape[1]] | (weight.abs() > LARGEST - 0.01)
    return torch.where(decides, limit_pairs(torch.floor(weight + 0.5)), torch.nan)
