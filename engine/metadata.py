"""What a student file says about itself, beside its graph (docs/SPEC.md, "The file")."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from inhibi.engine.errors import InputError

FORMAT_VERSION = 3
PREFIX = "inhibi."
PROBLEMS = ("classification", "regression", "embedding")

_ARCHITECTURE = (
    "family",
    "attention",
    "layers",
    "hidden",
    "heads",
    "intermediate",
    "vocabulary",
    "max_tokens",
    "token_types",
    "centred",
    "signed",
    "n0",
)


@dataclass(frozen=True)
class Ratio:
    """multiplier / 2^shift."""

    multiplier: int
    shift: int

    def __float__(self) -> float:
        return self.multiplier / 2.0**self.shift


@dataclass(frozen=True)
class Metadata:
    """A student's architecture and everything else that is not arithmetic.

    `parse` and `strings` are inverse to each other; the strings are the ONNX file's metadata.
    """

    family: str
    attention: str  # inhibitor or dot_product
    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int
    max_tokens: int
    token_types: int  # rows of the table; 0 where the graph has no such input
    centred: bool
    signed: bool
    n0: float | None  # None: the papers' plain sum over keys
    task: str
    texts: int  # that one example has: 1, or 2 for a pair
    problem: str  # classification, regression or embedding
    labels: tuple[str, ...]
    output_scale: float
    probability_scale: Ratio | None  # with the fitted temperature; None: the output scale
    tokenizer: str
    accumulator_bounds: Mapping[str, int]
    nudged_pairs: int
    provenance: Mapping[str, Any]

    @property
    def shape(self) -> dict[str, Any]:
        """The architecture, by the names that the file gives it."""
        return {name: getattr(self, name) for name in _ARCHITECTURE}

    @property
    def output(self) -> str:
        """The name of the graph's output: logits int32 [B, labels], or vector uint8 [B, hidden]
        with zero point 128."""
        return "vector" if self.problem == "embedding" else "logits"

    def check_output(self, names: Sequence[str]) -> None:
        """`InputError` where the graph's outputs are others than this student has."""
        if list(names) != [self.output]:
            raise InputError(
                f"the model's metadata say {self.problem}, its graph gives {', '.join(names)}: "
                "export it again"
            )

    @classmethod
    def parse(cls, strings: Mapping[str, str]) -> "Metadata":
        """Read a file's metadata; `InputError` where it is no student or of another format."""
        texts = {k.removeprefix(PREFIX): v for k, v in strings.items() if k.startswith(PREFIX)}
        _check_version(texts)
        try:
            values = {
                **_take(json.loads(texts["architecture"]), _ARCHITECTURE),
                "task": texts["task"],
                "texts": int(texts["texts"]),
                "problem": _problem(texts["problem"]),
                "labels": tuple(json.loads(texts["labels"])),
                "output_scale": float(texts["output_scale"]),
                "probability_scale": _ratio(texts.get("probability_scale")),
                "tokenizer": texts["tokenizer"],
                "accumulator_bounds": _bounds(texts["accumulator_bounds"]),
                "nudged_pairs": int(texts["nudged_pairs"]),
                "provenance": _mapping(texts["provenance"]),
            }
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"the model's metadata are damaged or incomplete ({error}): export it again"
            ) from error
        return cls(**values)

    def strings(self) -> dict[str, str]:
        """The metadata as the file holds them: key to string."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        texts = {
            "format_version": str(FORMAT_VERSION),
            "architecture": json.dumps(_take(values, _ARCHITECTURE)),
            "task": self.task,
            "texts": str(self.texts),
            "problem": self.problem,
            "labels": json.dumps(list(self.labels)),
            "output_scale": repr(float(self.output_scale)),
            "tokenizer": self.tokenizer,
            "accumulator_bounds": json.dumps(dict(self.accumulator_bounds)),
            "nudged_pairs": str(self.nudged_pairs),
            "provenance": json.dumps(dict(self.provenance)),
        }
        if self.probability_scale:
            texts["probability_scale"] = json.dumps(asdict(self.probability_scale))
        return {PREFIX + key: text for key, text in texts.items()}


def _ratio(text: str | None) -> Ratio | None:
    """ValueError outside docs/SPEC.md's ranges."""
    if text is None:
        return None
    made = Ratio(**json.loads(text))
    known = all(type(x) is int for x in (made.multiplier, made.shift))
    if not known or not 2**23 <= made.multiplier < 2**24 or not 1 <= made.shift <= 46:
        raise ValueError(f"probability_scale is {text}")
    return made


def _problem(text: str) -> str:
    if text not in PROBLEMS:
        raise ValueError(f"problem is {text}")
    return text


def _bounds(text: str) -> dict[str, int]:
    made = _mapping(text)
    if not all(type(bound) is int for bound in made.values()):
        raise ValueError("accumulator_bounds are no whole numbers")
    return made


def _mapping(text: str) -> dict[str, Any]:
    made = json.loads(text)
    if not isinstance(made, dict):
        raise ValueError(f"{text[:40]} is no object")
    return made


def _take(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: values[name] for name in names}


def _check_version(texts: Mapping[str, str]) -> None:
    version = texts.get("format_version", "")
    if not version.isdecimal():
        raise InputError("this ONNX file is no inhibi student: make one with export-onnx")
    if int(version) != FORMAT_VERSION:
        advice = "upgrade inhibi" if int(version) > FORMAT_VERSION else "export it again"
        raise InputError(
            f"the model has format version {version}, this inhibi reads {FORMAT_VERSION}: {advice}"
        )
