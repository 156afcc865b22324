"""The official metrics of GLUE's tasks, computed by scikit-learn and SciPy."""

import math
import warnings
from collections.abc import Sequence

import numpy as np

from inhibi.engine.errors import MissingExtra

try:
    from scipy import stats
    from sklearn import metrics as sklearn
except ImportError as error:
    raise MissingExtra("eval", "scikit-learn") from error

CORRELATIONS = ("pearson", "spearmanr")
METRICS = {
    "cola": ("matthews_correlation",),
    "mrpc": ("accuracy", "f1"),
    "qqp": ("accuracy", "f1"),
    "stsb": CORRELATIONS,
}


MAIN = {"cola": "matthews_correlation", "mrpc": "f1", "qqp": "f1", "stsb": "pearson"}
BINS = 15


def expected_calibration_error(probabilities: Sequence[float], right: Sequence[bool]) -> float:
    """How far the probabilities of the given answers are from the share that is right, in [0, 1]:
    the mean over BINS equal bins of probability, each by its number of answers (arXiv 1706.04599,
    equation 3)."""
    p, r = np.asarray(probabilities, float), np.asarray(right, float)
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = [abs(p[bins == b].sum() - r[bins == b].sum()) for b in range(BINS)]
    return float(sum(gaps) / len(p))


def main_metric(task: str) -> str:
    """The name of the metric by which models of a task are compared."""
    return MAIN.get(task, "accuracy")


def metrics(
    task: str, predictions: Sequence[float | None], references: Sequence[float]
) -> dict[str, float]:
    """The task's metrics by name, from -1 to 1, of label ids or (STS-B) of scores."""
    names = METRICS.get(task, ("accuracy",))
    return {name: metric(name, predictions, references) for name in names}


def metric(name: str, predictions: Sequence[float | None], references: Sequence[float]) -> float:
    """One metric, from -1 to 1, of label ids or of scores.

    F1 is that of label 1, the official one. A correlation with constant predictions or of a single
    example, which has no value, is 0, as scikit-learn has it for Matthews' correlation.
    """
    if name in CORRELATIONS and len(references) < 2:
        return 0.0
    found = {
        "accuracy": lambda: sklearn.accuracy_score(references, predictions),
        "f1": lambda: sklearn.f1_score(references, predictions, zero_division=0),
        "matthews_correlation": lambda: sklearn.matthews_corrcoef(references, predictions),
        "pearson": lambda: stats.pearsonr(references, predictions).statistic,
        "spearmanr": lambda: stats.spearmanr(references, predictions).statistic,
    }
    with warnings.catch_warnings():
        # Of a constant input, for which SciPy gives nan.
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        value = float(found[name]())
    return 0.0 if math.isnan(value) else value
