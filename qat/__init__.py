"""Quantization-aware training: Brevitas quantizers, the quantized student, `qat-train`."""
