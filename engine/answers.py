"""How `infer` shows an answer on standard output, and what it says on standard error."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from inhibi.engine.errors import say
from inhibi.engine.lines import Line
from inhibi.engine.text import Encoded, Text

if TYPE_CHECKING:
    from inhibi.engine.checkpoint import Checkpoint
    from inhibi.engine.model import Model, Prediction

SHOWN = 80  # characters of a text that are repeated beside its answer


@dataclass(frozen=True, slots=True)
class Embedding:
    """One text's vector: int8 numbers that times `scale` are the float student's."""

    text: Text
    vector: list[int]
    scale: float
    tokens: int
    truncated: bool

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def embed(
    model: "Model | Checkpoint", texts: Sequence[Text], max_length: int | None, batch: int
) -> list[Embedding]:
    """Each text's vector."""
    made = model.embed(texts, max_length, batch)
    rows = zip(texts, made.vectors.tolist(), made.tokens, made.truncated, strict=True)
    return [
        Embedding(text, vector, made.scale, tokens, truncated)
        for text, vector, tokens, truncated in rows
    ]


def shown(line: Line, answer: "Prediction | Embedding | None", as_json: bool) -> str:
    """One line for a person or, as JSON, for a program; an answer of None is shown as none."""
    if as_json:
        fields = answer.as_dict() if answer else {"error": f"{line.name} {line.problem}"}
        return json.dumps(fields, ensure_ascii=False)
    if answer is None:
        return ""
    if isinstance(answer, Embedding):
        return f"{' '.join(map(str, answer.vector))}\t{_beginning(answer.text)}"
    score = answer.score
    first = f"{answer.label}\t{answer.probability:.4f}" if score is None else f"{score:.4f}"
    return f"{first}\t{_beginning(answer.text)}"


def report(line: Line, read: "Prediction | Embedding | Encoded | None") -> None:
    """Say what is wrong with a line, or what was not read of it."""
    if line.text is None:
        say(f"error: {line.name} {line.problem}")
    if line.note:
        say(f"note: {line.name} {line.note}")
    if read and read.truncated:
        say(f"note: {line.name} is too long: only its first {read.tokens} tokens were read")


def _beginning(text: Text) -> str:
    """A text on one line, cut to SHOWN characters; a bar between the texts of a pair."""
    if not isinstance(text, str):
        return " | ".join(map(_beginning, text))
    line = " ".join(text[: 2 * SHOWN].split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
