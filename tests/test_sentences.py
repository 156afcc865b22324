"""Longer texts parted into sentences, and a recipe's stage that learns from them."""

from pathlib import Path

import pytest
from pyarrow import parquet, table
from tiny_teacher import tiny_tokenizer

from inhibi.engine.errors import InputError
from inhibi.kd.data import find_task
from inhibi.kd.recipe import Distillation, Recipe
from inhibi.kd.run import Run
from inhibi.kd.sentences import sentences


def test_breaks_and_ends_part_texts() -> None:
    text = (
        'It was a good film, he said. "I did not think so at first!" she said.<br /><br />'
        "Too short. The dog, the cat etc. liked it a lot"
    )
    assert sentences([text]) == [
        "It was a good film, he said.",
        '"I did not think so at first!" she said.',
        "The dog, the cat etc. liked it a lot",
    ]


def test_each_is_kept_once() -> None:
    texts = [f"This is the film number {i} of many. So short." for i in (1, 2, 3, 1)]
    assert sentences(texts) == [f"This is the film number {i} of many." for i in (1, 2, 3)]


def mixing(texts: int, folder: Path) -> Run:
    """A run that distills on so many texts, of IMDB in `folder` and of a file there."""
    parquet.write_table(table({"text": ["One of a file. Whole."]}), folder / "file.parquet")
    return Run(
        folder=folder / "run",
        recipe=Recipe(texts_from="imdb", distill=Distillation(texts=texts)),
        task=find_task("sst2"),
        data_dir=str(folder),
        texts=(str(folder / "file.parquet"),),
        tokenizer=tiny_tokenizer(),
    )


def test_a_recipe_reads_those_of_another_task_besides_the_files(tmp_path: Path) -> None:
    reviews = [f"It has {i} friends. It was not the best of them all." for i in range(3)]
    (tmp_path / "imdb").mkdir()
    parquet.write_table(
        table({"text": reviews, "label": [0, 1, 0]}), tmp_path / "imdb" / "train.parquet"
    )
    assert list(mixing(5, tmp_path).unlabelled[0]["text"]) == [
        "One of a file. Whole.",
        "It was not the best of them all.",
    ]


def test_no_other_task_is_read_for_stages_without_texts(tmp_path: Path) -> None:
    assert list(mixing(0, tmp_path).unlabelled[0]["text"]) == ["One of a file. Whole."]
    with pytest.raises(InputError, match="lacks the split train of imdb"):
        _ = mixing(5, tmp_path).unlabelled
