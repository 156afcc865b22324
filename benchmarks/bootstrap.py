"""How sure a difference between two models is, in a task's main metric.

Paired percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13):
a resample draws examples with replacement, the same ones for both models and all seeds, then
seeds with replacement, and takes the mean over the seeds of student minus teacher.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inhibi.eval.metrics import main_metric

Floats = NDArray[np.float64]

RESAMPLES = 2000
BLOCK = 100  # resamples at once
SEED = 0


def differences(task: str, teacher: Floats, student: Floats, references: Floats) -> Floats:
    """Student minus teacher in each resample, [RESAMPLES].

    teacher, student: predictions [S,N] of S seeds, paired; references [N].
    """
    random = np.random.default_rng(SEED)
    seeds, metric = len(student), main_metric(task)
    made = []
    for weights in _resamples(len(references), random):
        by_seed = np.stack(
            [
                weighted(metric, b, references, weights) - weighted(metric, a, references, weights)
                for a, b in zip(teacher, student, strict=True)
            ]
        )
        drawn = random.integers(seeds, size=by_seed.shape)
        made.append(np.take_along_axis(by_seed, drawn, 0).mean(0))
    return np.concatenate(made)


def interval(samples: Floats) -> tuple[float, float]:
    """The middle 95 %."""
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(low), float(high)


def weighted(metric: str, predictions: Floats, references: Floats, weights: Floats) -> Floats:
    """The metric where example i stands weights[r, i] times, [R].

    Matthews' correlation of two labels is Pearson's. A value that does not exist is 0.
    """
    if metric == "accuracy":
        return weights @ (predictions == references) / weights.sum(1)
    if metric == "f1":
        both = weights @ (predictions * references)
        return _divide(2 * both, weights @ (predictions + references))
    return _correlation(predictions, references, weights)


def _correlation(x: Floats, y: Floats, weights: Floats) -> Floats:
    x, y = x - x.mean(), y - y.mean()  # against cancellation
    total = weights.sum(1)
    mean_x, mean_y, mean_xy = (weights @ v / total for v in (x, y, x * y))
    variance_x, variance_y = weights @ x**2 / total - mean_x**2, weights @ y**2 / total - mean_y**2
    spread = np.sqrt(np.maximum(variance_x, 0) * np.maximum(variance_y, 0))
    return _divide(mean_xy - mean_x * mean_y, np.where(spread > 1e-12, spread, 0))


def _divide(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)


def _resamples(count: int, random: np.random.Generator) -> Iterator[Floats]:
    """How often each example is drawn, [BLOCK, count]."""
    for _ in range(RESAMPLES // BLOCK):
        drawn = random.integers(count, size=(BLOCK, count))
        yield np.stack([np.bincount(row, minlength=count) for row in drawn]).astype(np.float64)
