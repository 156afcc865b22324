"""The proofs of export/bounds.py: reached by the worst input, and never passed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_student

from inhibi.engine import ops
from inhibi.engine.errors import InputError
from inhibi.export.bounds import prove
from inhibi.export.integers import Classifier, InhibitorAttention, IntegerStudent, Linear


def with_layer(student: IntegerStudent, **parts: Any) -> IntegerStudent:
    return replace(student, layers=(replace(student.layers[0], **parts), *student.layers[1:]))


@pytest.mark.parametrize("attention", ["inhibitor", "dot_product"])
def test_every_accumulating_node_has_a_bound(attention: str) -> None:
    bounds = prove(tiny_student(layers=2, attention=attention))
    layer = [
        *("qkv", "attention.scores", "attention", "attention_output", "attention_output.norm"),
        *("intermediate", "output", "output.norm"),
    ]
    names = [f"layer.{i}.{name}" for i in range(2) for name in layer]
    assert sorted(bounds) == sorted(["embeddings", "embeddings.norm", *names, "pooler", "logits"])
    assert all(0 < bound < 2**53 for bound in bounds.values())


@given(st.integers(0, 2**32 - 1))
def test_the_worst_input_of_a_product_reaches_its_bound(seed: int) -> None:
    student = tiny_student(layers=1, seed=seed)
    linear = student.layers[0].output
    wide = linear.weight.astype(int)
    worst = 128 + 127 * np.sign(wide) * np.where(linear.bias < 0, -1, 1)
    acc = ops.matmul_integer(worst.T.astype(np.uint8), linear.weight)
    reached = np.abs(np.diagonal(acc) + linear.bias.astype(int)).max()
    assert reached == prove(student)["layer.0.output"]


def test_a_bias_may_fill_the_accumulator_and_no_more() -> None:
    student = tiny_student()
    assert isinstance(student.head, Classifier)
    pooler, weight = student.head.pooler, student.head.classifier.weight
    room = 2**28 - 1 - 127 * np.abs(weight.astype(int)).sum(axis=0)

    def biased(bias: np.ndarray) -> IntegerStudent:
        return replace(student, head=Classifier(pooler, Linear(weight, bias.astype(np.int32))))

    full = biased(-room)
    assert prove(full)["logits"] == 2**28 - 1
    room[1] += 1
    with pytest.raises(InputError, match="logits's accumulator in channel 1 can reach 268435456"):
        prove(biased(room))


@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["any", "one", "two levels"]))
def test_no_input_passes_the_bound_of_a_norm(seed: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    channels = int(random.choice([2, 4, 16, 36, 256]))
    student = tiny_student(layers=1, hidden=channels, heads=2, seed=seed % 7)
    size = int(random.choice([1, 2, 40, 40_895]))
    x = random.integers(-size, size + 1, (8, channels))
    if kind == "one":  # the largest |n|: one channel far from all others
        x[:] = 0
        x[np.arange(8), random.integers(0, channels, 8)] = size
    if kind == "two levels":
        x = np.sign(x) * size
    norm = student.layers[0].output.norm
    # norm(x) with shift 1 and no clamp to speak of gives the sum before its shift, halved.
    one = np.ones(channels, np.int32)
    halved = ops._norm(x, norm.weight, norm.norm_bias, one, -(2**62), 2**62)
    bound = prove(student)["layer.0.output.norm"]
    half = 1 << (norm.norm_shift.astype(np.int64) - 1)
    assert (2 * np.abs(halved) - 1 + half).max() <= bound


def test_the_attention_bound_holds_for_every_length_and_is_reached() -> None:
    student = tiny_student(layers=1, max_tokens=40, n0=16.0)
    attention = student.layers[0].attention
    assert isinstance(attention, InhibitorAttention)
    bound = prove(student)["layer.0.attention"]
    half = 2 ** (int(attention.shift.max()) - 1)
    reached = 0
    for n in range(1, 41):
        for m in attention.multiplier.tolist():
            h = 127 * n  # all values 127 and nothing inhibited
            reached = max(reached, h * abs((m * int(attention.length[n]) + 2**14) >> 15) + half)
    assert reached == bound


def test_the_score_bound_is_reached_by_the_farthest_query_and_key() -> None:
    student = tiny_student(layers=1)
    attention, d = student.layers[0].attention, 8
    products = 254 * d * np.abs(attention.score_multiplier.astype(int))
    worst = (products + np.abs(attention.score_offset)).max()
    assert prove(student)["layer.0.attention.scores"] == worst


def test_sums_that_doubles_cannot_hold_are_refused() -> None:
    student = tiny_student(layers=1, max_tokens=100)
    attention = student.layers[0].attention
    assert isinstance(attention, InhibitorAttention)
    many = replace(attention, length=np.full(101, 2**31 - 1, np.int32))
    with pytest.raises(InputError, match=r"layer.0.attention's sum over 100 tokens can reach"):
        prove(with_layer(student, attention=many))


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("qkv", "shift", 0, "layer.0.qkv's shift holds 0"),
        ("qkv", "shift", 47, "layer.0.qkv's shift holds 47"),
        ("qkv", "multiplier", 2**24, "layer.0.qkv's multiplier holds 16777216"),
        ("qkv", "multiplier", 2**23 - 1, "layer.0.qkv's multiplier"),
        ("qkv", "weight", -128, "layer.0.qkv's weight can reach 128"),
        ("output", "residual_multiplier", 0, "output's residual_multiplier holds 0"),
        ("attention_output", "residual_multiplier", 65, "residual_multiplier holds 65"),
        ("intermediate", "table", 0, "layer.0.intermediate's table holds 0"),
        ("attention", "score_multiplier", 2**16, "score_multiplier holds 65536"),
        ("attention", "score_offset", -(2**30), "score_offset holds"),
        ("attention", "score_shift", 31, "score_shift holds 31"),
        ("attention", "length", -1, "length table holds -1"),
    ],
)
def test_a_value_outside_the_specification_is_refused(
    part: str, name: str, value: int, message: str
) -> None:
    student = tiny_student(layers=1)
    changed = getattr(student.layers[0], part)
    array = getattr(changed, name).copy()
    array.flat[-1] = value
    with pytest.raises(InputError, match=message):
        prove(with_layer(student, **{part: replace(changed, **{name: array})}))


def test_embeddings_out_of_range_are_refused() -> None:
    student = tiny_student(layers=1)
    multiplier = np.zeros((3, 32), np.int32)
    multiplier[:, 7] = [300, 200, 17]
    tables = replace(student.embeddings, table_multiplier=multiplier)
    with pytest.raises(InputError, match="embeddings's sum can reach 65659"):
        prove(replace(student, embeddings=tables))
    norm = replace(student.embeddings.norm, norm_bias=np.full(32, 2**51))
    with pytest.raises(InputError, match="embeddings's norm_bias"):
        prove(replace(student, embeddings=replace(student.embeddings, norm=norm)))


def test_heads_wider_than_16_bits_of_distance_are_refused() -> None:
    with pytest.raises(InputError, match="head width can reach 132"):
        prove(tiny_student(layers=1, hidden=132, heads=1))
