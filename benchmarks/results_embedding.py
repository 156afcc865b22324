"""The results page's section on sentence embeddings, from benchmarks/results/embedding.json."""

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import table

FLOOR = 0.02  # of Spearman's correlation, below the teacher's
NAMES = {
    "teacher": "teacher, float",
    "float": "student, float",
    "ptq": "integers, calibrated only",
    "integer": "integers",
}

HEAD = """\
## Sentence embeddings

{checkpoint} taught {pooling} embeddings to an inhibitor of its own shape on unlabelled text
(recipe {recipe}, seed {seed}). Correlations of the cosines with the {examples:,} validation scores
of STS-B; no model was trained on it. Written by `python -m benchmarks.embedding_result`.
"""


def embeddings(found: Mapping[str, Any]) -> str:
    """The whole section."""
    models = found["models"]
    rows = [
        [
            title,
            *(f"{models[name]['metrics'][m]:.4f}" for m in ("spearmanr", "pearson")),
            f"{models[name]['bytes'] / 1e6:.0f}" if "bytes" in models[name] else "",
        ]
        for name, title in NAMES.items()
    ]
    below = [models[name]["metrics"]["spearmanr"] for name in ("teacher", "integer")]
    gap = below[0] - below[1]
    floor = (
        f"Floor: the integers' Spearman at most {FLOOR} below the teacher's. Measured: {gap:.4f}, "
        f"{'reached' if gap <= FLOOR else '**not reached**'}."
    )
    head = HEAD.format(**{**found, "checkpoint": found["checkpoint"]["name"]})
    return "\n\n".join([head.strip(), table(("", "Spearman", "Pearson", "MB"), rows), floor])
