"""Longer texts parted into sentences, and a recipe's stage that learns from them."""

from pathlib import Path

from pyarrow import parquet, table
from tiny_teacher import tiny_tokenizer

from inhibi.kd.data import find_task
from inhibi.kd.recipe import Recipe
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


def test_a_recipe_reads_those_of_another_task_besides_the_files(tmp_path: Path) -> None:
    reviews = [f"It has {i} friends. It was not the best of them all." for i in range(3)]
    (tmp_path / "imdb").mkdir()
    parquet.write_table(
        table({"text": reviews, "label": [0, 1, 0]}), tmp_path / "imdb" / "train.parquet"
    )
    parquet.write_table(table({"text": ["One of a file. Whole."]}), tmp_path / "file.parquet")
    run = Run(
        folder=tmp_path / "run",
        recipe=Recipe(texts_from="imdb"),
        task=find_task("sst2"),
        data_dir=str(tmp_path),
        texts=(str(tmp_path / "file.parquet"),),
        tokenizer=tiny_tokenizer(),
    )
    assert list(run.unlabelled[0]["text"]) == [
        "One of a file. Whole.",
        "It was not the best of them all.",
    ]
