"""The paired bootstrap against cases whose answer is known, and weighted metrics."""

import numpy as np
import pytest

from benchmarks.bootstrap import RESAMPLES, differences, interval, weighted
from inhibi.eval.metrics import main_metric, metrics

DRAW = np.random.default_rng(1)
REFERENCES = DRAW.integers(2, size=60).astype(float)
PREDICTIONS = np.where(DRAW.random(60) < 0.8, REFERENCES, 1 - REFERENCES)


@pytest.mark.parametrize("task", ["sst2", "cola", "mrpc", "stsb"])
def test_a_weight_is_a_repetition(task: str) -> None:
    metric = main_metric(task)
    predictions, references = PREDICTIONS, REFERENCES
    if task == "stsb":
        references = REFERENCES + DRAW.random(60)
        predictions = 5 * references + DRAW.normal(size=60)
    weights = DRAW.integers(3, size=(4, 60)).astype(float)
    found = weighted(metric, predictions, references, weights)
    for value, row in zip(found, weights.astype(int), strict=True):
        repeated = metrics(task, np.repeat(predictions, row), np.repeat(references, row))
        assert value == pytest.approx(repeated[metric], abs=1e-12)


@pytest.mark.parametrize("metric", ["matthews_correlation", "f1"])
def test_a_metric_without_a_value_is_0(metric: str) -> None:
    none = np.zeros(5)
    assert weighted(metric, none, none, np.ones((1, 5))).tolist() == [0]


def test_the_interval_of_a_known_proportion() -> None:
    """One seed, the student wrong on 40 of 400 examples, the teacher on none: the difference is a
    mean of 400 draws with deviation sqrt(0.1 * 0.9 / 400), nearly normal."""
    references = np.ones(400)
    student = references.copy()
    student[:40] = 0
    samples = differences("sst2", references[None], student[None], references)
    deviation = (0.1 * 0.9 / 400) ** 0.5
    low, high = interval(samples)
    assert samples.shape == (RESAMPLES,)
    assert samples.mean() == pytest.approx(-0.1, abs=0.1 * deviation)
    assert low == pytest.approx(-0.1 - 1.96 * deviation, abs=0.2 * deviation)
    assert high == pytest.approx(-0.1 + 1.96 * deviation, abs=0.2 * deviation)


def test_pairs_share_their_examples() -> None:
    """Equal answers differ in no resample, however wrong they are."""
    answers = np.stack([PREDICTIONS, 1 - PREDICTIONS])
    assert not differences("cola", answers, answers, REFERENCES).any()


def test_seeds_are_drawn_too() -> None:
    """One seed equals its teacher, the other is always wrong: a resample of two seeds has none,
    one or both of the second kind."""
    right = np.ones((2, 50))
    student = np.stack([np.ones(50), np.zeros(50)])
    samples = differences("sst2", right, student, np.ones(50))
    values, counts = np.unique(samples, return_counts=True)
    assert values.tolist() == [-1, -0.5, 0]
    assert counts / RESAMPLES == pytest.approx([0.25, 0.5, 0.25], abs=0.05)


def test_the_same_data_give_the_same_interval() -> None:
    a = differences("sst2", REFERENCES[None], PREDICTIONS[None], REFERENCES)
    b = differences("sst2", REFERENCES[None], PREDICTIONS[None], REFERENCES)
    assert (a == b).all()
