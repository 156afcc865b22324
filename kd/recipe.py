"""Recipes: plain TOML files that say how a student is made. See kd/recipes/ for commented ones."""

import hashlib
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from inhibi.engine.errors import InputError

FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Stage:
    """One training stage: AdamW with a cosine schedule, batches by length.

    steps: optimizer steps; 0 skips the stage. batch_size: examples at most; batch_tokens: padded
    tokens at most. texts: unlabelled texts mixed in (from --text files). joined: texts made of
    joined training sentences of one label, mixed in. warmup: share of the steps.
    save_steps: steps between resumable checkpoints.
    """

    steps: int = 0
    learning_rate: float = 1e-4
    batch_size: int = 32
    batch_tokens: int = 2048
    warmup: float = 0.05
    weight_decay: float = 0.01
    texts: int = 0
    joined: int = 0
    save_steps: int = 250


@dataclass(frozen=True)
class Distillation(Stage):
    """Adds the losses' weights (arXiv 2503.15983, E2) and the soft probabilities' temperature."""

    temperature: float = 2.0
    soft: float = 0.5
    hidden: float = 0.5
    task: float = 0.5


@dataclass(frozen=True)
class Quantization(Distillation):
    """Adds calibration: batches that set the activations' scales, and their percentile."""

    calibration_batches: int = 20
    percentile: float = 99.99


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides its data and its teacher."""

    seed: int = 0
    max_length: int = 128
    inhibitor: dict[str, Any] = field(default_factory=dict)
    teacher: Stage = field(default_factory=Stage)
    align: Stage = field(default_factory=Stage)
    distill: Distillation = field(default_factory=Distillation)
    qat: Quantization = field(default_factory=Quantization)
    sha256: str = ""


def read_recipe(path: str | Path) -> Recipe:
    """The recipe of a TOML file, or of a packaged one by its name. Raises `InputError`."""
    file = Path(path)
    if not file.is_file():
        file = FOLDER / f"{path}.toml"
    if not file.is_file():
        names = ", ".join(sorted(f.stem for f in FOLDER.glob("*.toml")))
        raise InputError(f"no recipe {path}: name a TOML file or one of {names}")
    content = file.read_bytes()
    try:
        entries = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no TOML file: {error}") from error
    stages = {"teacher": Stage, "align": Stage, "distill": Distillation, "qat": Quantization}
    made = {
        name: _make(stages[name], value, f"{file} [{name}]") if name in stages else value
        for name, value in entries.items()
    }
    return _make(Recipe, made | {"sha256": hashlib.sha256(content).hexdigest()}, str(file))


Made = TypeVar("Made")


def _make(kind: type[Made], entries: Any, where: str) -> Made:
    if not isinstance(entries, dict):
        raise InputError(f"{where} must be a table")
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name, value in entries.items():
        if name not in known:
            raise InputError(
                f"{where} has the unknown entry {name!r}: known are {', '.join(known)}"
            )
        default = known[name].default
        if type(default) in (int, float) and not isinstance(value, int | float):
            raise InputError(f"{where}: {name} must be a number, not {value!r}")
    return kind(**entries)
