"""Answers are checked before anything is timed: a wrong model is no peer."""

import numpy as np

from inhibi.engine.errors import InputError

FLOAT = 1e-3  # largest root mean square error of fp32, relative to the values
INT8 = 0.35  # of 8-bit weights and activations, after post-training quantization


class WrongAnswer(InputError):
    """A model's answers are not those that it must give."""


def equal(name: str, got: np.ndarray, want: np.ndarray) -> None:
    """Our engines: bit for bit. `WrongAnswer` counts the differences."""
    if got.shape != want.shape:
        raise WrongAnswer(f"{name} gives {got.shape}, not {want.shape}")
    if different := int(np.count_nonzero(got != want)):
        raise WrongAnswer(f"{name}: {different} of {want.size} values differ from the definition")


def close(name: str, got: np.ndarray, want: np.ndarray, limit: float) -> float:
    """Peers in floats: the relative error, `WrongAnswer` where it is above `limit`."""
    if got.shape != want.shape:
        raise WrongAnswer(f"{name} gives {got.shape}, not {want.shape}")
    error = float(np.sqrt(np.mean((got - want) ** 2) / np.mean(want**2)))
    if not error <= limit:  # NaN, too
        raise WrongAnswer(f"{name} is off by {error:.2g} of the values, at most {limit:g} may be")
    return error
