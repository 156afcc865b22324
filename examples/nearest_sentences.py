"""For each sentence of a text file (one a line) print the one that is nearest in meaning.

    python examples/nearest_sentences.py sentences.txt embed.onnx

The arguments: the file, and an embedding student's file or name (docs/TRAINING.md says how to train
one). Cosines come from integer dot products of the int8 vectors; only the division by the lengths
at the end is in floats.
"""

import argparse
from pathlib import Path

import numpy as np

from inhibi.engine import load
from inhibi.engine.errors import InputError, command


def cosines(vectors: np.ndarray) -> np.ndarray:
    """float64 [B, B] from int8 [B, hidden]; 0 where a vector is all zeros."""
    wide = vectors.astype(np.int32)
    products = wide @ wide.T
    lengths = np.maximum(np.sqrt(np.diag(products)), 1)
    return products / np.outer(lengths, lengths)


@command
def main() -> None:
    parser = argparse.ArgumentParser(description="Print each sentence's nearest one.")
    parser.add_argument("file", type=Path)
    parser.add_argument("student")
    chosen = parser.parse_args()
    sentences = [line for line in chosen.file.read_text("utf-8").splitlines() if line.strip()]
    if len(sentences) < 2:
        raise InputError(f"{chosen.file} has no two sentences")
    found = cosines(load(chosen.student).embed(sentences).vectors)
    np.fill_diagonal(found, -2)  # below every cosine: none is its own neighbour
    for sentence, row in zip(sentences, found, strict=True):
        nearest = int(row.argmax())
        print(f"{row[nearest]:.3f}\t{sentence}\t{sentences[nearest]}")


if __name__ == "__main__":
    main()
