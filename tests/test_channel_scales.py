"""Scales per channel: nothing changes but the rounding, which gets better."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_quantized import batch, quantized
from tiny_teacher import tiny_bert, tiny_distilbert
from torch import Tensor
from transformers import PreTrainedModel

from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.families import parts
from inhibi.kd.losses import relative_error
from inhibi.kd.student import make_student
from inhibi.qat.channel_scales import (
    LEAST,
    LEAST_RANGE,
    TABLES,
    ActivationScales,
    activation_scales,
    factors,
    find,
    fold,
    folded,
    multipliers,
)
from inhibi.qat.operators import operators, run
from inhibi.qat.student import QuantizationSettings, QuantStudent

WIDE = 3  # the channel that is wider than the others


def uneven(make: Callable[[], PreTrainedModel]) -> PreTrainedModel:
    """A float student with one channel twenty times as wide as the others, and far from 0, in every
    norm, and one wide in every activation."""
    model = make_student(make(), InhibitorSettings()).eval()
    found = parts(model)
    with torch.no_grad():
        for layer in found.layers:
            for norm in (layer.attention_norm, layer.output_norm):
                norm.weight[WIDE] *= 20
                norm.bias[WIDE] = 30.0
            layer.intermediate.weight[:, WIDE] /= 40
            layer.intermediate.bias[WIDE] = 20.0
            layer.output.weight[:, WIDE] /= 20
        found.embedding_norm.weight[WIDE] *= 20
        found.embedding_norm.bias[WIDE] = 30.0
    return model


RANGES = st.lists(st.floats(0, 1e6, width=32, allow_subnormal=False), min_size=1, max_size=8).map(
    torch.tensor
)


@given(RANGES)
def test_multipliers_are_whole_and_the_widest_channels_is_64(ranges: Tensor) -> None:
    r = multipliers(ranges)
    assert torch.equal(r, r.round())
    assert r.min() >= LEAST
    assert r.max() == (64 if ranges.max() else LEAST)
    assert (r[ranges.argsort()].diff() >= 0).all()


@given(RANGES)
def test_factors_are_powers_of_two_that_even_the_ranges_out(ranges: Tensor) -> None:
    f = factors(ranges)
    assert set(f.tolist()) <= {2.0**i for i in range(TABLES)}
    limit = (ranges / f).max() * (1 + 1e-6)
    assert (ranges[f > 1] / (f[f > 1] / 2) > limit / 2).all()  # half would not do
    if ranges.max() > LEAST_RANGE * 2 ** (TABLES - 1):
        assert f.max() == 2 ** (TABLES - 1)
    if ranges.max() < 2 * LEAST_RANGE:
        assert (f == 1).all()


@pytest.mark.parametrize("make", [tiny_bert, tiny_distilbert])
def test_scales_follow_the_widest_channels(make: Callable[[], PreTrainedModel]) -> None:
    model = uneven(make)
    scales = find(model, [batch(), batch()])
    with torch.no_grad():
        hidden = model(**batch(), output_hidden_states=True).hidden_states
    valid = batch()["attention_mask"].bool()
    assert len(scales.norms) == 2 * (len(hidden) - 1)
    for (r, middle), state in zip(scales.norms[::2], hidden[:-1], strict=True):
        low, high = state[valid].quantile(torch.tensor([0.001, 0.999]), 0)
        assert torch.allclose(middle, (low + high) / 2)
        assert torch.equal(r, multipliers((high - low) / 2))
        assert r[WIDE] == 64
    for found in scales.activations:
        assert found.factor[WIDE] == found.factor.max() > 1


@pytest.mark.parametrize("make", [tiny_bert, tiny_distilbert])
def test_without_rounding_nothing_changes(make: Callable[[], PreTrainedModel]) -> None:
    model = uneven(make)
    student, scales = QuantStudent(model, QuantizationSettings()), find(model, [batch()])
    fold(student, scales)
    found = folded(student)
    for kept, wanted in zip(
        [*found.norms, *found.activations], [*scales.norms, *scales.activations], strict=True
    ):
        assert all(map(torch.equal, kept, wanted))
    inputs = batch()
    with torch.no_grad():
        chain = operators(
            student, student.table_ids(inputs["input_ids"]), inputs["attention_mask"].bool()
        )
        torch.testing.assert_close(run(chain, ())["logits"], model(**inputs).logits)


def test_an_activations_middles_are_those_of_its_range() -> None:
    high = torch.tensor([[1.0, 2.0, 30.0], [3.0, 0.0, 34.0]])
    factor, input_middle, output_middle = activation_scales(high, torch.relu)
    assert factor.tolist() == [1.0, 1.0, 8.0]
    assert input_middle.tolist() == [0.0, 0.0, 1.75]  # of -4 to 4, and of -4/8 to 4
    assert output_middle == 2.0


def test_wide_channels_no_longer_cost_the_others_their_precision() -> None:
    """Errors of hidden states beside the float student's, in channels of ordinary width."""
    model = uneven(lambda: tiny_bert(hidden=64, heads=4, spread=0.1))
    valid = batch()["attention_mask"].bool()
    others = torch.arange(64) != WIDE
    scales = find(model, [batch()])
    ones = torch.ones_like(scales.activations[0].factor)
    one_scale = ActivationScales(ones, torch.zeros_like(ones), torch.zeros(()))
    plain = replace(scales, activations=[one_scale] * len(scales.activations))
    with torch.no_grad():
        goal = model(**batch(), output_hidden_states=True).hidden_states
        one, norms, both = (
            quantized(model, some)(**batch()).hidden_states for some in (None, plain, scales)
        )
    for *states, state in list(zip(one, norms, both, goal, strict=True))[:-1]:
        error = [relative_error(x[..., others], state[..., others], valid) for x in states]
        assert error[1] < error[0] / 4
        assert error[2] <= error[1]
        assert relative_error(states[2][..., [WIDE]], state[..., [WIDE]], valid) < 1e-3
    assert relative_error(both[-2], goal[-2], valid) < relative_error(norms[-2], goal[-2], valid)
