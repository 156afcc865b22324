"""Count what a student makes of a CSV file's texts.

    python examples/classify_table.py new.csv message mine.onnx

The arguments: the table, the column of the texts, and a student's file or name (default: the
packaged one). `infer --file` writes the answers themselves, and takes tables of any size.
"""

import argparse
import csv
from collections import Counter

from inhibi.engine import load
from inhibi.engine.errors import InputError, command


@command
def main() -> None:
    parser = argparse.ArgumentParser(description="Count what a student makes of a table's texts.")
    parser.add_argument("table")
    parser.add_argument("column")
    parser.add_argument("student", nargs="?", default="sst2")
    chosen = parser.parse_args()
    with open(chosen.table, encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, restval="")
        if chosen.column not in (rows.fieldnames or ()):
            raise InputError(f"{chosen.table} has no column {chosen.column!r}")
        texts = [row[chosen.column] for row in rows]
    answers = load(chosen.student).classify(texts)
    for label, count in Counter(answer.label for answer in answers).most_common():
        print(f"{count}\t{label}")


if __name__ == "__main__":
    main()
