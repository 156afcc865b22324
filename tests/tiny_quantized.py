"""Tiny students, quantized and calibrated on a few texts."""

from collections.abc import Sequence

from tiny_teacher import tiny_tokenizer
from torch import Tensor
from transformers import PreTrainedModel

from inhibi.qat.channel_scales import ChannelScales, fold
from inhibi.qat.stage import calibrate
from inhibi.qat.student import QuantizationSettings, QuantStudent

TEXTS = ["a good film", "the plot is not very dull but it was cold", "warm and great", "bad"]


def batch(texts: Sequence[str] = TEXTS) -> dict[str, Tensor]:
    """One batch of these texts."""
    return dict(tiny_tokenizer()(list(texts), padding=True, return_tensors="pt"))


def quantized(model: PreTrainedModel, scales: ChannelScales | None = None) -> QuantStudent:
    """Calibrated on the texts; with these scales of channels, or with one for all."""
    made = QuantStudent(model, QuantizationSettings(calibration_batches=2, percentile=100.0))
    if scales is not None:
        fold(made, scales)
    calibrate(made, [batch()] * 3)  # the last takes over what the first two have found
    return made.eval()
