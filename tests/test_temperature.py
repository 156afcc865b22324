"""Confidence: the temperature, how a file keeps it, and the calibration error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from tiny import tiny_student

from inhibi.engine import load
from inhibi.engine.errors import InputError
from inhibi.engine.inspection import inspect
from inhibi.engine.metadata import Ratio
from inhibi.eval.metrics import BINS, expected_calibration_error
from inhibi.export.graph import build, write
from inhibi.kd.temperature import WIDEST, fit_temperature

TEXTS = ["good", "bad warm", "good bad warm"]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("labels", [2, 5])
def test_the_temperature_that_answers_were_drawn_with_is_found(
    temperature: float, labels: int
) -> None:
    rng = np.random.default_rng(labels)
    logits = rng.normal(0, 3, (20000, labels))
    drawn = softmax(logits / temperature, axis=1).cumsum(1)
    answers = (rng.random((len(logits), 1)) > drawn[:, :-1]).sum(1)
    assert fit_temperature(logits, answers) == pytest.approx(temperature, rel=0.1)


def test_few_examples_make_nobody_sure() -> None:
    """All right, and far from the border: without a doubt the temperature would be the least."""
    logits, labels = np.array([[4.0, -4.0], [-4.0, 4.0]] * 3), np.array([0, 1] * 3)
    assert fit_temperature(logits, labels) > 2
    assert fit_temperature(1e3 * logits, labels) <= WIDEST
    assert fit_temperature(np.empty((0, 2)), np.empty(0)) == 1


def test_a_file_keeps_its_temperature_as_integers(tmp_path: Path) -> None:
    """Probabilities change by it, answers and logits do not."""
    plain, warm = tmp_path / "plain.onnx", tmp_path / "warm.onnx"
    student = replace(tiny_student(), output_scale=1e-3)
    write(build(student), plain)
    write(build(replace(student, temperature=2.5)), warm)
    scale = load(warm).metadata.probability_scale
    assert isinstance(scale, Ratio)
    assert 2**23 <= scale.multiplier < 2**24
    assert float(scale) == pytest.approx(1e-3 / 2.5, rel=2**-23)
    assert load(plain).metadata.probability_scale is None
    for before, after in zip(load(plain).classify(TEXTS), load(warm).classify(TEXTS), strict=True):
        assert (before.label, before.logits) == (after.label, after.logits)
        assert before.probability is not None
        odds = before.probability / (1 - before.probability)
        assert after.probability == pytest.approx(odds**0.4 / (1 + odds**0.4))


def test_no_multiplier_is_small_enough_for_some(tmp_path: Path) -> None:
    student = replace(tiny_student(), output_scale=1e-7, temperature=8.0)
    write(build(student), tmp_path / "tiny.onnx")
    assert load(tmp_path / "tiny.onnx").metadata.probability_scale is None


STRANGE = {
    "probability_scale": ["{}", "3", '{"multiplier": 0, "shift": 1}', '{"multiplier": "x"}'],
    "provenance": ["[1]", "3"],
    "accumulator_bounds": ["[]", '{"logits": "many"}'],
    "problem": ["poetry"],
}


@pytest.mark.parametrize(("key", "text"), [(k, t) for k, texts in STRANGE.items() for t in texts])
def test_a_strangers_metadata_are_refused_in_one_line(key: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "strange.onnx"
    model = build(tiny_student())
    kept = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, kept | {f"inhibi.{key}": text})
    onnx.save(model, path)
    for engine in ("ort", "numpy"):
        with pytest.raises(InputError, match="metadata are damaged"):
            load(path, engine)
    with pytest.raises(InputError, match="metadata are damaged"):
        inspect(path)


@pytest.mark.parametrize("engine", ["ort", "numpy"])
def test_metadata_of_another_output_are_refused(engine: str, tmp_path: Path) -> None:
    path = tmp_path / "strange.onnx"
    model = build(tiny_student())
    kept = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, kept | {"inhibi.problem": "embedding"})
    onnx.save(model, path)
    with pytest.raises(InputError, match="its graph gives logits"):
        load(path, engine)


def test_the_calibration_error_of_known_answers() -> None:
    assert expected_calibration_error([0.9] * 10, [True] * 9 + [False]) == pytest.approx(0)
    assert expected_calibration_error([1.0, 1.0], [True, False]) == 0.5
    # Two bins: 0.55 of which none is right, 0.95 of which all are.
    assert expected_calibration_error([0.55, 0.95, 0.95], [False, True, True]) == pytest.approx(
        (0.55 + 0.05 + 0.05) / 3
    )


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_calibration_error_is_its_definition(answers: list[tuple[float, bool]]) -> None:
    total = 0.0
    for number in range(BINS):
        some = [(p, r) for p, r in answers if min(int(p * BINS), BINS - 1) == number]
        if some:
            confidence, share = (sum(x) / len(some) for x in zip(*some, strict=True))
            total += len(some) / len(answers) * abs(confidence - share)
    found = expected_calibration_error(*zip(*answers, strict=True))
    assert found == pytest.approx(total, abs=1e-9)
