"""Longer texts parted into sentences to distil on."""

from pathlib import Path

import pytest
from pyarrow import parquet, table

from benchmarks import sentences


def test_breaks_and_ends_part_texts() -> None:
    text = (
        'It was a good film, he said. "I did not think so at first!" she said.<br /><br />'
        "Too short. The dog, the cat etc. liked it a lot"
    )
    assert list(sentences.sentences([text])) == [
        "it was a good film, he said.",
        '"i did not think so at first!" she said.',
        "the dog, the cat etc. liked it a lot",
    ]


def test_a_file_of_different_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [f"This is the film number {i} of many. So short." for i in (1, 2, 3, 1)]
    file, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
    parquet.write_table(table({"text": texts}), file)
    sentences.main([str(file), "-o", str(output)])
    written = parquet.read_table(output)["text"].to_pylist()
    assert sorted(written) == [f"this is the film number {i} of many." for i in (1, 2, 3)]
    sentences.main([str(file), "-o", str(output), "--count", "2"])
    assert parquet.read_table(output)["text"].to_pylist() == written[:2]
    with pytest.raises(SystemExit):
        sentences.main([str(tmp_path / "none.parquet"), "-o", str(output)])
    assert "no text file" in capsys.readouterr().err
