"""How sure a classifier may be: one temperature that makes its probabilities honest."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

WIDEST = 8.0  # the temperature is sought between its inverse and it


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The T with which softmax(logits / T) predicts these labels best: least cross entropy on
    examples that were not trained on (temperature scaling, arXiv 1706.04599).

    logits [N, K], labels [N]. Each label counts 1 - 1/(N + 2), the rest is spread evenly, so that a
    few examples that are all answered right do not make T small (Platt, 1999). No examples: 1.
    """
    count, labels_in_all = logits.shape
    if not count:
        return 1.0
    doubt = 1 / (count + 2)
    goal = np.full(logits.shape, doubt / labels_in_all)
    goal[np.arange(count), labels.astype(int)] += 1 - doubt

    def cross_entropy(log_t: float) -> float:
        return float(-(goal * log_softmax(logits / np.exp(log_t), axis=1)).sum() / count)

    bounds = (-np.log(WIDEST), np.log(WIDEST))
    return float(np.exp(minimize_scalar(cross_entropy, bounds=bounds, method="bounded").x))
