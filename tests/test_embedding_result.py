"""The results page's section on embeddings."""

import json
from pathlib import Path

import pytest

from benchmarks.results_embedding import FLOOR
from benchmarks.results_page import page


def result(gap: float) -> dict[str, object]:
    """A file of benchmarks.embedding_result whose integers lie so far below the teacher."""
    scores = {"teacher": 0.9, "float": 0.89, "ptq": 0.88, "integer": 0.9 - gap}
    return {
        **{"pooling": "mean", "recipe": "embedding", "seed": 0, "examples": 1500},
        "checkpoint": {"name": "some-teacher", "sha256": "0"},
        "models": {
            name: {"bytes": 24e6, "metrics": {"spearmanr": value, "pearson": value - 0.01}}
            for name, value in scores.items()
        },
    }


@pytest.mark.parametrize(
    ("gap", "said"), [(FLOOR - 0.001, ", reached."), (FLOOR + 0.001, "**not reached**")]
)
def test_the_floor_is_that_of_the_integers(gap: float, said: str, tmp_path: Path) -> None:
    (tmp_path / "embedding.json").write_text(json.dumps(result(gap)))
    section = page(tmp_path).split("## Sentence embeddings")[1].split("\n## ")[0]
    assert said in section
    assert f"| integers | {0.9 - gap:.4f} | {0.89 - gap:.4f} | 24 |" in section
    assert "1,500 validation scores" in section


def test_without_the_file_there_is_no_section(tmp_path: Path) -> None:
    assert "Sentence embeddings" not in page(tmp_path)
