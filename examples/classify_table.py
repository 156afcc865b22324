"""Count what a student makes of a CSV file's texts.

    python examples/classify_table.py new.csv message mine.onnx

The arguments: the table, the column of the texts, and a student's file or name (default: the
packaged one). `infer --file` writes the answers themselves, and takes tables of any size.
"""

import csv
import sys
from collections import Counter

from inhibi.engine import load


def main(table: str, column: str, student: str = "sst2") -> None:
    with open(table, encoding="utf-8-sig", newline="") as file:
        texts = [row[column] for row in csv.DictReader(file)]
    answers = load(student).classify(texts)
    for label, count in Counter(answer.label for answer in answers).most_common():
        print(f"{count}\t{label}")


if __name__ == "__main__":
    main(*sys.argv[1:])
