"""A diagnosis for a reader, and as JSON."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from inhibi.engine.table import render
from inhibi.export.diagnosis import Diagnosis, OperatorError

MARKED = 5  # operators

DECIBELS = ("own", "weights", "rounding", "student", "alone")
TITLES = ("operator", *DECIBELS, "gain", "", "sat.", "rms", "peak", "0", "1", "2", "3+")

MODELS = {
    "student": "float student",
    "exact": "trained weights, float",
    "trained": "trained weights, fake-quantized",
    "integers": "integers of the file",
}

LEGEND = """\
dB: signal to noise, more is better.
  own      the operator's output beside its float form's, given the same inputs; *: the 5 lowest
  weights  of it, what rounding the weights alone gives
  rounding its output beside the same weights in float from the ids on: all rounding so far
  student  its output beside the float student's
  alone    the logits beside the same weights in float where it alone rounds
  gain     dB that the logits gain where it alone does not round: #1 to #5 cost most
sat.: values at -127 or 127. rms, peak: in LSB of 127, the peak before it is cut there.
0 to 3+: LSB between training and the file."""


def as_dict(made: Diagnosis, labels: Sequence[float] | None) -> dict[str, Any]:
    """All numbers, ready for JSON: dB (null without noise), LSB, shares in [0, 1]."""
    return {
        "operators": {name: _operator(made, name) for name in made.operators},
        "costliest": made.costliest()[:MARKED],
        "lowest": made.lowest()[:MARKED],
        "inhibition": {
            name: {
                "zero": layer.zero / layer.pairs,
                "full": layer.full / layer.pairs,
                "blocked": layer.blocked / layer.values,
            }
            for name, layer in made.inhibition.items()
        },
        "answers": {name: _answers(made, name, labels) for name in MODELS},
    }


def _operator(made: Diagnosis, name: str) -> dict[str, Any]:
    error: OperatorError = made.operators[name]
    found: dict[str, Any] = {title: _finite(getattr(error, title).db) for title in DECIBELS}
    found["gain"] = _finite(made.gain(name))
    if error.values:  # the logits are not rounded to 8 bits
        found["saturated"] = error.saturated / error.values
        found["rms"], found["peak"] = error.rms, error.peak
        found["lsb"] = (error.lsb / error.values).tolist()
    return found


def _answers(made: Diagnosis, name: str, labels: Sequence[float] | None) -> dict[str, float]:
    """Accuracy where labels are at hand (regression: Pearson's correlation), and the share of
    answers that equal the float student's."""
    rows, goal = made.logits[name], made.logits["student"]
    if rows.shape[1] == 1:
        return {} if labels is None else {"pearson": _correlation(rows[:, 0], np.asarray(labels))}
    answers = rows.argmax(1)
    found = {} if labels is None else {"accuracy": float((answers == labels).mean())}
    return found | {"equal": float((answers == goal.argmax(1)).mean())}


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0, as glue-eval has it, where one of them is constant: it has none."""
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else 0.0


def _finite(db: float) -> float | None:
    return db if isfinite(db) else None


def text(content: dict[str, Any]) -> str:
    """What `inhibi diagnose` prints, of what its JSON says."""
    parts = [
        f"{content['model']}: {content['sentences']} sentences, {content['tokens']} tokens; "
        f"float student: {content['float_stage']}",
        _operators(content),
        LEGEND,
    ]
    if content["inhibition"]:
        parts.append(_inhibition(content["inhibition"]))
    return "\n\n".join([*parts, _models(content["answers"])])


def _operators(content: dict[str, Any]) -> str:
    ranks = {name: f"#{i}" for i, name in enumerate(content["costliest"], 1)}
    rows = []
    for name, found in content["operators"].items():
        mark = "*" if name in content["lowest"] else " "
        cells = [name, *(_number(found[title], 1) for title in DECIBELS)]
        cells[1] += mark
        cells += [_number(found["gain"], 2), ranks.get(name, "")]
        if "rms" in found:
            cells += [f"{found['saturated']:.2%}", f"{found['rms']:.1f}", f"{found['peak']:.0f}"]
            cells += [f"{share:.1%}" for share in found["lsb"]]
        rows.append(cells + [""] * (len(TITLES) - len(cells)))
    return render(TITLES, rows)


def _number(db: float | None, digits: int) -> str:
    return "-" if db is None else f"{db:.{digits}f}"


def _inhibition(layers: dict[str, dict[str, float]]) -> str:
    rows = [
        [name, *(f"{share:.1%}" for share in (layer["zero"], layer["full"], layer["blocked"]))]
        for name, layer in layers.items()
    ]
    table = render(("inhibition", "z = 0", "z = 127", "values blocked"), rows)
    return f"{table}\n\nz = 0 lets every value through; |v| <= z is blocked, all values by z = 127."


def _models(answers: dict[str, dict[str, float]]) -> str:
    titles = list(answers["student"])
    rows = [
        [MODELS[name], *(f"{found[title]:.2%}" for title in titles)]
        for name, found in answers.items()
    ]
    return render(("answers", *titles), rows)
