"""Rounding with errors made up for: nearer outputs, the same scales, the same pair rule."""

from collections.abc import Callable

import pytest
import torch
from brevitas.nn import QuantLinear
from tiny_quantized import batch, quantized
from tiny_teacher import tiny_bert, tiny_distilbert
from torch import Tensor
from transformers import PreTrainedModel

from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.student import make_student
from inhibi.qat.compensated_rounding import round_weights, scale_deciding
from inhibi.qat.operators import with_rounded_weights
from inhibi.qat.quantizers import limit_pairs
from inhibi.qat.student import QuantStudent


def products(student: QuantStudent) -> dict[str, QuantLinear]:
    return {name: m for name, m in student.named_modules() if isinstance(m, QuantLinear)}


@pytest.mark.parametrize("make", [tiny_bert, tiny_distilbert])
@pytest.mark.parametrize("settings", [InhibitorSettings(), None])
def test_weights_lie_on_the_grid_of_before(
    make: Callable[[], PreTrainedModel], settings: InhibitorSettings | None
) -> None:
    student = quantized(make_student(make(), settings))
    before = {name: p.quant_weight() for name, p in products(student).items()}
    round_weights(student, [batch()])
    for name, product in products(student).items():
        scale = before[name].scale
        torch.testing.assert_close(product.quant_weight().scale, scale)
        integers = product.weight / scale
        torch.testing.assert_close(integers, integers.round(), rtol=0, atol=1e-3)
        assert torch.equal(limit_pairs(integers.round()), integers.round())
        assert not torch.equal(integers.round(), before[name].int().float()), name


@torch.no_grad()
def test_outputs_come_nearer() -> None:
    """Of every product, for the inputs that it was rounded with: less than half of the error."""
    model = make_student(tiny_bert(hidden=64, heads=4, spread=0.1), InhibitorSettings())
    student = quantized(model)
    plain = with_rounded_weights(student)
    goal = {name: p.weight.clone() for name, p in products(student).items()}
    seen: dict[str, list[Tensor]] = {name: [] for name in goal}
    round_weights(student, [batch()])
    for name, product in products(student).items():
        product.register_forward_pre_hook(lambda _, x, to=seen[name]: to.append(x[0].value))
    student(**batch())
    for name, product in products(student).items():
        [x] = seen[name]
        error = [
            float((x @ (weight - goal[name]).T).square().sum())
            for weight in (product.weight, products(plain)[name].weight)
        ]
        assert error[0] < error[1] / 2, name


def test_what_decides_a_scale_is_kept() -> None:
    weight = torch.tensor([[127.0, 0.5, -3.0, 100.2, 27.8], [60.6, 67.4, -126.9, -1.0, 127.0]])
    nan = torch.nan
    kept = torch.tensor([[127.0, nan, nan, nan, nan], [61.0, 67.0, nan, nan, 127.0]])
    torch.testing.assert_close(scale_deciding(weight), kept, equal_nan=True)


@torch.no_grad()
def test_pairs_and_scales_hold_beside_the_largest_weight() -> None:
    """The last column but one, which all errors reach, beside a last one at the scale's end."""
    student = quantized(
        make_student(tiny_bert(hidden=64, heads=4, spread=0.1), InhibitorSettings())
    )
    product = products(student)["layers.0.qkv"]
    unit = product.weight.abs().amax(1) / 60
    product.weight[:, -1], product.weight[:, -2] = 127 * unit, 0.9 * unit
    scale = product.quant_weight().scale
    round_weights(student, [batch()])
    integers = (product.weight / scale).round()
    torch.testing.assert_close(product.quant_weight().scale, scale)
    assert torch.equal(limit_pairs(integers), integers)
    assert (integers[:, -1] == 127).all()
