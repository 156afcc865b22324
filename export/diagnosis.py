"""What is measured where accuracy may go: errors by operator, inhibition by layer, the answers.

Shapes: B sentences, N tokens of all sentences, n of one, C channels, H heads, d head width.
"""

from dataclasses import dataclass, field
from math import inf, log10

import numpy as np
from torch import Tensor

LIMIT = 127  # the largest activation


@dataclass
class Noise:
    """Energy of a signal and of what was added to it."""

    signal: float = 0.0
    noise: float = 0.0

    def add(self, goal: Tensor, made: Tensor) -> None:
        goal = goal.double()
        self.signal += float(goal.square().sum())
        self.noise += float((made - goal).square().sum())

    @property
    def db(self) -> float:
        """Signal to noise in dB, infinite without noise."""
        return 10 * log10(self.signal / self.noise) if self.noise and self.signal else inf


@dataclass
class OperatorError:
    """What one operator's integers cost; `inf` dB is no error at all.

    own: its output beside the float operator's of the same weights, given the same inputs.
    weights: the same where nothing but its weights is rounded. rounding: its output beside that of
    the same weights run without any quantizer from the ids on. student: beside that of the float
    student which the weights came from. alone: the logits' error where no other operator rounds.
    others: the logits' error where all others round. saturated: values at -127 or 127. peak:
    the largest value before it is cut to 127, in LSB. lsb: differences between the file's integers
    and training's of 0, 1, 2 and more.
    """

    own: Noise = field(default_factory=Noise)
    weights: Noise = field(default_factory=Noise)
    rounding: Noise = field(default_factory=Noise)
    student: Noise = field(default_factory=Noise)
    alone: Noise = field(default_factory=Noise)
    others: Noise = field(default_factory=Noise)
    values: int = 0
    saturated: int = 0
    squares: float = 0.0
    peak: float = 0.0
    lsb: np.ndarray = field(default_factory=lambda: np.zeros(4, int))

    def add_integers(self, trained: Tensor, exported: np.ndarray) -> None:
        """Whole numbers [N,C] of training and of the file."""
        self.values += trained.numel()
        self.saturated += int((trained.abs() >= LIMIT - 0.5).sum())
        self.squares += float(trained.double().square().sum())
        apart = np.rint(np.abs(trained.numpy() - exported)).astype(int)
        self.lsb += np.bincount(apart.clip(max=3).ravel(), minlength=4)

    @property
    def rms(self) -> float:
        """Root mean square in LSB: how much of the 8 bits is used."""
        return float((self.squares / self.values) ** 0.5)


@dataclass
class Inhibition:
    """One layer's z over all pairs of tokens, and the values that it draws to 0."""

    pairs: int = 0
    zero: int = 0
    full: int = 0
    values: int = 0
    blocked: int = 0

    def add(self, z: Tensor, v: Tensor, signed: bool) -> None:
        """z [H,n,n] and v [H,n,d] of one sentence, whole numbers."""
        self.pairs += z.numel()
        self.zero += int((z == 0).sum())
        self.full += int((z == LIMIT).sum())
        for one, values in zip(z, v.abs() if signed else v, strict=True):  # [n,n,d] stays small
            blocked = values <= one[..., None]
            self.values += blocked.numel()
            self.blocked += int(blocked.sum())


@dataclass
class Diagnosis:
    """Errors by operator and inhibition by layer (none for dot products).

    logits: [B, labels] of the float student ("student"), the trained weights without quantizers
    ("exact"), the fake-quantized student ("trained") and the file ("integers"), in float units.
    """

    operators: dict[str, OperatorError] = field(default_factory=dict)
    inhibition: dict[str, Inhibition] = field(default_factory=dict)
    logits: dict[str, np.ndarray] = field(default_factory=dict)

    def add_logits(self, **rows: np.ndarray) -> None:
        for name, more in rows.items():
            self.logits[name] = np.concatenate([*filter(len, [self.logits.get(name, ())]), more])

    def gain(self, operator: str) -> float:
        """dB by which the logits come nearer to `exact` where this operator does not round."""
        return self.operators[operator].others.db - self.operators["logits"].rounding.db

    def costliest(self) -> list[str]:
        """The operators, those first whose rounding costs the logits most."""
        return sorted(self.operators, key=self.gain, reverse=True)

    def lowest(self) -> list[str]:
        """The operators, those first that lose most of their own output."""
        return sorted(self.operators, key=lambda name: self.operators[name].own.db)
