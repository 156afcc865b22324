"""Sentences of longer texts as unlabelled texts to distil on: the column `text` of a parquet file.

    python -m benchmarks.sentences imdb/train.parquet -o sentences.parquet

Breaks (`<br />`) and ends of sentences part the texts. Sentences are in lower case, as SST-2's, and
each is kept once; which ones are chosen depends on the file alone.
"""

import argparse
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from inhibi.engine.errors import command
from inhibi.kd.data import import_datasets, load_texts

BREAK = re.compile(r"<br />|(?<=[.!?]) +(?=[A-Z\"'])")
WORDS = range(6, 46)  # of a sentence that is kept
SEED = 0


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.sentences`."""
    chosen = _options(argv)
    found = list(sentences(load_texts(chosen.files)))
    random.Random(SEED).shuffle(found)
    kept = list(dict.fromkeys(found))[: chosen.count]
    import_datasets().Dataset.from_dict({"text": kept}).to_parquet(str(chosen.output))
    print(f"{chosen.output}: {len(kept):,} sentences")


def sentences(texts: Iterable[str]) -> Iterator[str]:
    """Of WORDS words, in lower case, in the order of the texts."""
    for text in texts:
        for part in BREAK.split(text):
            if len(part.split()) in WORDS:
                yield part.strip().lower()


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.sentences",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="parquet files with a column text")
    add("-o", "--output", type=Path, required=True, metavar="FILE", help="the parquet to write")
    add("--count", type=int, default=80_000, metavar="N", help="sentences at most (80,000)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
