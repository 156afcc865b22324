"""The native operators in ONNX Runtime: the oracle's bytes, or one line that says what is wrong."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from attention_cases import attention
from case import Array, Case, expected
from cases import NATIVE_CASES
from onnx import numpy_helper
from test_bodies import model

from inhibi.engine.native_library import Library


def native_case(case: Case) -> bool:
    return "Attention" not in case.operator or head_width(case) % 8 == 0


def head_width(case: Case) -> int:
    return case.inputs[0].shape[1] // (3 * case.attributes["heads"])


def native_session(case: Case, library: Library) -> Any:
    return session_of(model(case), library)


def session_of(made: onnx.ModelProto, library: Library) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.register_custom_ops_library(str(library.path))
    serialized = made.SerializeToString()
    return onnxruntime.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])


def computed(case: Case, library: Library) -> Array:
    session = native_session(case, library)
    names = [x.name for x in session.get_inputs()]
    return session.run(None, dict(zip(names, case.inputs, strict=True)))[0]


@pytest.mark.parametrize("case", list(filter(native_case, NATIVE_CASES)), ids=str)
def test_an_operator_equals_the_oracle(library: Library, case: Case) -> None:
    result = computed(case, library)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, expected(case))


# What is refused.

Change = Callable[[list[Array]], object]  # of a case's inputs


def put(index: int, place: int, value: int) -> Change:
    return lambda inputs: inputs[index].put(place, value)


def cut(index: int) -> Change:
    """One value, or row, less."""
    return lambda inputs: inputs.__setitem__(index, inputs[index][:-1])


def flat(index: int) -> Change:
    return lambda inputs: inputs.__setitem__(index, inputs[index].reshape(-1))


def rows(index: int, count: int) -> Change:
    return lambda inputs: inputs.__setitem__(index, inputs[index][:count].copy())


def columns(index: int, count: int) -> Change:
    return lambda inputs: inputs.__setitem__(index, inputs[index][:, :count].copy())


REFUSED: dict[str, list[tuple[Change, str]]] = {
    "Requantize": [
        (flat(0), "acc has 1 dimensions, not 2"),
        (cut(1), "bias has . values, not "),
        (cut(2), "multiplier has"),
        (put(2, 0, 2**24), r"multiplier has a value outside -16777215\.\.16777215"),
        (put(3, 0, 0), r"shift has a value outside 1\.\.46"),
        (put(3, 0, 47), r"shift has a value outside 1\.\.46"),
    ],
    "RequantizeLookup": [
        (columns(4, 255), "table is . x 255, not . x 256"),
        (flat(4), "table has 1 dimensions, not 2"),
        (rows(4, 0), r"table has 0 rows, not 1\.\.256"),
        (cut(5), "table_index has . values, not "),
        (put(5, 0, 3), r"table_index has a value outside 0\.\.2"),
    ],
    "AddLayerNorm": [
        (cut(4), r"residual is 1 x 7, not 2 x 7"),
        (flat(4), "residual has 1 dimensions, not 2"),
        (put(3, 0, 64), "shift has a value outside"),
        (cut(5), "residual_multiplier has 6 values, not 7"),
        (put(5, 0, 0), r"residual_multiplier has a value outside 1\.\.64"),
        (put(5, 6, 65), r"residual_multiplier has a value outside 1\.\.64"),
        (put(6, 0, -(2**24)), "weight has a value outside"),
        (put(7, 0, 2**51), "norm_bias has a value outside"),
        (put(8, 0, -1), "norm_shift has a value outside"),
    ],
    "EmbedLayerNorm": [
        (put(0, 0, 50), r"input_ids has a value outside 0\.\.49"),
        (put(0, 0, -1), r"input_ids has a value outside 0\.\.49"),
        (put(1, 3, 20), r"position_ids has a value outside 0\.\.19"),
        (put(2, 3, 2), r"token_type_ids has a value outside 0\.\.1"),
        (cut(1), "position_ids has 3 values, not 4"),
        (columns(5, 6), "token_type is 2 x 6, not 2 x 7"),
        (put(6, 0, -1), r"table_multiplier has a value outside 0\.\.516"),
        (put(6, 0, 2**31 - 1), r"table_multiplier has a value outside 0\.\.516"),
        (put(6, 0, 517), r"table_multiplier has a value outside 0\.\.516"),
        (cut(6), "table_multiplier is 2 x 7, not 3 x 7"),
    ],
    "InhibitorAttention": [
        (columns(0, 63), "63 columns are not queries, keys and values of 3 heads"),
        (put(1, 0, 1), "offsets do not start at 0"),
        (put(1, 1, 0), "offsets do not increase at sentence 0"),
        (put(1, 2, 3), "offsets do not increase at sentence 1"),
        (put(1, 3, 14), "offsets end at 14, not at the 15 tokens"),
        (put(1, 3, 2**62), f"offsets end at {2**62}, not at the 15 tokens"),
        (put(1, 1, 2**62), "sentence 0 has more than 11 tokens"),
        (put(1, 1, -(2**62)), "offsets do not increase at sentence 0"),
        (lambda inputs: inputs.__setitem__(1, inputs[1][:0]), "offsets is empty"),
        (cut(2), "score_multiplier has 2 values, not 3"),
        (put(2, 0, 2**16), "score_multiplier has a value outside"),
        (put(3, 0, 2**30), "score_offset has a value outside"),
        (put(4, 0, 31), r"score_shift has a value outside 1\.\.30"),
        (put(6, 0, 0), "shift has a value outside"),
        (put(7, 1, -1), "length has a value outside"),
        (put(7, 1, 2**22 + 1), "length has a value outside"),
        (
            lambda inputs: inputs.__setitem__(7, inputs[7][:9]),
            "sentence 2 has more than 8 tokens",
        ),
        (lambda inputs: inputs.__setitem__(7, inputs[7][:0]), "has more than 0 tokens"),
    ],
    "DotProductAttention": [
        (put(2, 0, -1), "score_multiplier has a value outside 0"),
        (cut(7), "table has 255 values, not 256"),
        (put(7, 0, 0), "table starts with 0"),
        (put(3, 0, -300), r"score_offset is not half of 2\^score_shift at head 0"),
        (put(3, 2, 2**30 - 1), "at head 2"),
    ],
}


def first(operator: str) -> Case:
    """7 columns, or sentences of 5, 1 and 9 tokens and 3 heads of 8."""
    mine = (c for c in NATIVE_CASES if c.operator == operator)
    return next(c for c in mine if re.search(r"x7(-|$)|^5\+1\+9-3x8", c.name))


@pytest.mark.parametrize(
    ("operator", "change", "message"),
    [(operator, *row) for operator, rows in REFUSED.items() for row in rows],
)
def test_a_wrong_input_is_one_clear_line(
    library: Library, operator: str, change: Change, message: str
) -> None:
    case = first(operator)
    inputs = [x.copy() for x in case.inputs]
    change(inputs)
    with pytest.raises(Exception, match=f"{operator}: .*{message}"):
        computed(Case(operator, "refused", tuple(inputs), case.attributes), library)


@pytest.mark.parametrize(
    ("operator", "changes", "message"),
    [
        ("Requantize", {"lo": -128}, r"attribute lo is -128, outside -127\.\.127"),
        ("Requantize", {"lo": 5, "hi": 4}, r"attribute hi is 4, outside 5\.\.127"),
        ("AddLayerNorm", {"hi": 2**40}, "attribute hi is"),
        ("DotProductAttention", {"heads": 0}, "attribute heads is 0"),
        ("InhibitorAttention", {"centred": 2}, r"attribute centred is 2, outside 0\.\.1"),
        ("InhibitorAttention", {"signed": -1}, r"attribute signed is -1, outside 0\.\.1"),
    ],
)
def test_a_wrong_attribute_is_refused_before_anything_runs(
    library: Library, operator: str, changes: dict[str, int], message: str
) -> None:
    case = first(operator)
    attributes = case.attributes | changes
    with pytest.raises(Exception, match=f"{operator}: the {message}"):
        native_session(Case(operator, "refused", case.inputs, attributes), library)


def test_too_many_channels_are_refused(library: Library) -> None:
    case = next(c for c in NATIVE_CASES if c.operator == "AddLayerNorm" and "1024" in c.name)
    wider = tuple(np.repeat(x, 2, axis=-1) for x in case.inputs)
    with pytest.raises(Exception, match=r"AddLayerNorm: 2048 channels are outside 1\.\.1024"):
        computed(Case("AddLayerNorm", "refused", wider, case.attributes), library)


def test_too_wide_heads_are_refused(library: Library) -> None:
    case = attention(np.random.default_rng(0), (3,), 1, 136, centred=1, signed=1)
    with pytest.raises(Exception, match="heads whose width is a multiple of 8 up to 128"):
        computed(case, library)


def test_too_long_sentences_of_dot_products_are_refused(library: Library) -> None:
    case = attention(np.random.default_rng(0), (4097,), 1, 8, "DotProductAttention")
    with pytest.raises(Exception, match="sentence 0 has more than 4096 tokens"):
        computed(case, library)


def test_constant_ids_are_held_to_each_table(library: Library) -> None:
    """An initializer that was inside one run's table may lie outside the next one's."""
    case = first("EmbedLayerNorm")
    made = model(case)
    names = [x.name for x in made.graph.input]
    made.graph.initializer.append(numpy_helper.from_array(case.inputs[0], names[0]))
    del made.graph.input[0]
    session = session_of(made, library)
    feeds = dict(zip(names[1:], case.inputs[1:], strict=True))
    session.run(None, feeds)
    with pytest.raises(Exception, match=r"input_ids has a value outside 0\.\.0"):
        session.run(None, feeds | {names[3]: case.inputs[3][:1]})
