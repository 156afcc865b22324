"""Recipes: plain TOML files that say how a student is made. See kd/recipes/ for commented ones."""

import hashlib
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from inhibi.engine.errors import InputError
from inhibi.kd.attention import InhibitorSettings

FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Stage:
    """One training stage: AdamW with a cosine schedule, batches by length.

    steps: optimizer steps; 0 trains nothing. passes: over the examples at most, whatever `steps`
    says; 0: no limit. scalar_rate: times the learning rate for gamma, alpha and beta: a step of
    Adam moves a number by about the rate, and they are some ten times as large as weights. Their
    weight decay is times it, too.
    batch_size: examples at most; batch_tokens: padded tokens at most. texts: unlabelled texts mixed
    in, of --text files and `texts_from`. joined: texts made of joined training sentences of one
    label, mixed in. replaced: training examples of which some tokens are replaced, mixed in without
    label. whole: how many times a pass meets the texts again that are no part of another (of single
    texts). warmup: share of the steps. save_steps: steps between resumable checkpoints. bf16:
    products in bfloat16, on processors and GPUs that have it about twice as fast (others take
    float32); not for quantization-aware training, whose integers need the bits.
    """

    steps: int = 0
    passes: int = 0
    learning_rate: float = 1e-4
    scalar_rate: float = 1.0
    batch_size: int = 32
    batch_tokens: int = 2048
    warmup: float = 0.05
    weight_decay: float = 0.01
    texts: int = 0
    joined: int = 0
    replaced: int = 0
    whole: int = 0
    save_steps: int = 250
    bf16: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "batch_tokens", "save_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if self.warmup > 1:
            raise ValueError("warmup is a share of the steps, at most 1")


@dataclass(frozen=True)
class Finetuning(Stage):
    """consistency: weight of the divergence between two passes with different dropout (R-Drop,
    arXiv 2106.14448), which double a step's work; 0: one pass."""

    consistency: float = 0.0


@dataclass(frozen=True)
class Alignment(Stage):
    """fitted: gamma, alpha and beta start from the teacher's statistics (`inhibi.kd.scalars`)
    instead of the recipe's values."""

    fitted: bool = False


@dataclass(frozen=True)
class Losses(Stage):
    """Adds the losses' weights (arXiv 2503.15983, E2) and the soft probabilities' temperature.

    relation: weight of the cosines between the hidden states of a sentence's tokens (similarity
    preserving distillation, arXiv 1907.09682).
    """

    temperature: float = 2.0
    soft: float = 0.5
    hidden: float = 0.5
    relation: float = 0.0
    task: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature == 0:
            raise ValueError("temperature must be above 0")


@dataclass(frozen=True)
class Distillation(Losses):
    """frozen_embeddings: the student keeps the embeddings it begins with. Trained, the rows of rare
    words move far at each meeting, those of unmet words never, and the two drift apart."""

    frozen_embeddings: bool = False


@dataclass(frozen=True)
class Quantization(Losses):
    """Adds calibration: batches that set the activations' scales, and their percentile.

    own_teacher: the float student teaches instead of the teacher, so that the integers answer as
    it does.
    """

    save_steps: int = 50  # a step takes several times as long as other stages'
    own_teacher: bool = False
    calibration_batches: int = 20
    percentile: float = 99.99

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bf16:
            raise ValueError("bf16 does not hold the integers of quantization-aware training")
        if self.calibration_batches < 1:
            raise ValueError("calibration_batches must be at least 1")
        if not 0 < self.percentile <= 100:
            raise ValueError("percentile must be above 0 and at most 100")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides its data and its teacher. max_length: in tokens.

    attention: "inhibitor", or "dot_product" for a student that keeps the teacher's. held_back: the
    share of the training examples that no stage trains on (but as unlabelled texts, where
    texts_from is their own task), and every stage is scored on; with 0 stages are scored on the
    validation split. task_agnostic (E1): align and distill use the checkpoint as it came and
    unlabelled texts alone; then `finetune` trains the student on the task, and it is its own
    teacher in `qat`. layers: the teacher's layers (0-based) that the student takes or, where it has
    a checkpoint of its own, is compared with; see `inhibi.kd.shapes`. texts_from: a task with
    single texts (imdb), of whose training split the sentences are unlabelled texts besides those of
    --text files.
    """

    seed: int = 0
    max_length: int = 128
    attention: str = "inhibitor"
    held_back: float = 0.0
    task_agnostic: bool = False
    layers: tuple[int, ...] = ()
    texts_from: str = ""
    inhibitor: InhibitorSettings = field(default_factory=InhibitorSettings)
    teacher: Finetuning = field(default_factory=Finetuning)
    align: Alignment = field(default_factory=Alignment)
    distill: Distillation = field(default_factory=Distillation)
    finetune: Finetuning = field(default_factory=Finetuning)
    qat: Quantization = field(default_factory=Quantization)
    sha256: str = ""

    def __post_init__(self) -> None:
        if self.max_length < 8:
            raise ValueError("max_length must be at least 8 tokens")
        if self.attention not in ("inhibitor", "dot_product"):
            raise ValueError(f"attention is {self.attention!r}: write 'inhibitor' or 'dot_product'")
        if not 0 <= self.held_back <= 0.5:
            raise ValueError("held_back is a share of the examples, at most 0.5")
        if list(self.layers) != sorted(set(self.layers)):
            raise ValueError("layers must increase: write for example [1, 3, 5]")


TABLES: dict[str, type] = {
    "inhibitor": InhibitorSettings,
    "teacher": Finetuning,
    "align": Alignment,
    "distill": Distillation,
    "finetune": Finetuning,
    "qat": Quantization,
}


def packaged() -> dict[str, Path]:
    """The packaged recipes' files by name: "best", "glue/best"."""
    return {
        file.relative_to(FOLDER).with_suffix("").as_posix(): file for file in FOLDER.rglob("*.toml")
    }


def read_recipe(path: str | Path) -> Recipe:
    """The recipe of a TOML file, or of a packaged one by its name. Raises `InputError`."""
    file = Path(path)
    if not file.is_file():
        file = FOLDER / f"{path}.toml"
    if not file.is_file():
        names = ", ".join(sorted(packaged()))
        raise InputError(f"no recipe {path}: name a TOML file or one of {names}")
    content = file.read_bytes()
    try:
        entries = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no TOML file: {error}") from error
    made = {
        name: _make(TABLES[name], value, f"{file} [{name}]") if name in TABLES else value
        for name, value in entries.items()
    }
    return _make(Recipe, made | {"sha256": hashlib.sha256(content).hexdigest()}, str(file))


Made = TypeVar("Made")


def _make(kind: type[Made], entries: Any, where: str) -> Made:
    if not isinstance(entries, dict):
        raise InputError(f"{where} must be a table")
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in entries:
        if name not in known:
            raise InputError(
                f"{where} has the unknown entry {name!r}: known are {', '.join(known)}"
            )
    typed = {
        name: _typed(value, known[name].default, f"{where}: {name}")
        for name, value in entries.items()
    }
    try:
        return kind(**typed)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def _typed(value: Any, default: Any, where: str) -> Any:
    """A value in its default's type: TOML's 1 is a float where one is due, a list a tuple. No
    number in a recipe is negative."""
    if type(default) is float and type(value) is int:
        value = float(value)
    if isinstance(default, tuple):
        if type(value) is not list or not all(type(x) is int and x >= 0 for x in value):
            raise InputError(f"{where} must be a list of whole numbers, not {value!r}")
        return tuple(value)
    if isinstance(default, bool | int | float | str) and type(value) is not type(default):
        kind = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
        raise InputError(f"{where} must be {kind[type(default)]}, not {value!r}")
    if isinstance(value, int | float) and not 0 <= value < 2**31:
        raise InputError(f"{where} is {value!r}: it must not be negative, nor 2^31 or more")
    return value
