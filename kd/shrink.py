"""`inhibi shrink`: a small new checkpoint with another's vocabulary, for `qat-train --student`."""

import argparse
from pathlib import Path

from inhibi.engine.cli import Parser, positive
from inhibi.engine.errors import MissingExtra, command

EXAMPLES = """\
example:
  inhibi shrink runs/cut --layers 3 --hidden 128 --heads 4 --intermediate 256 -o runs/small
  qat-train --task sst2 --teacher runs/cut --student runs/small --recipe tiny \\
    --text sentences.parquet --out runs/tiny
"""


def options(argv: list[str] | None) -> argparse.Namespace:
    """The parsed arguments. Raises `InputError`."""
    parser = Parser(
        "inhibi shrink",
        "Write a smaller BERT or DistilBERT checkpoint with the vocabulary of a given one, for\n"
        "qat-train --student. Its embeddings are the given ones on their leading principal\n"
        "directions, its other weights are new. What is not named keeps its size.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a folder or a name on the Hugging Face hub")
    add("--layers", type=positive, metavar="N", help="encoder layers")
    add("--hidden", type=positive, metavar="N", help="width")
    add("--heads", type=positive, metavar="N", help="of attention, whose width they divide")
    add("--intermediate", type=positive, metavar="N", help="width of the feed-forward layers")
    add("--tokens", type=positive, metavar="N", help="positions, the longest text")
    add("-o", "--output", required=True, metavar="DIR", help="the folder to write")
    return parser.parse_args(argv)


@command
def main(argv: list[str] | None = None) -> None:
    """Run `inhibi shrink`."""
    chosen = options(argv)
    try:
        from inhibi.kd.predict import load_tokenizer
        from inhibi.kd.pretrained import read_classifier, silence_transformers, write_checkpoint
        from inhibi.kd.smaller import Shape, smaller
    except ImportError as error:
        raise MissingExtra("train", error.name or "torch") from error
    silence_transformers()
    tokenizer = load_tokenizer(chosen.checkpoint)
    shape = Shape(chosen.layers, chosen.hidden, chosen.heads, chosen.intermediate, chosen.tokens)
    model = smaller(read_classifier(chosen.checkpoint)[0], shape)
    write_checkpoint(model, tokenizer, Path(chosen.output), chosen.checkpoint)
    print(f"{chosen.output}: {model.num_parameters():,} parameters")


if __name__ == "__main__":
    main()
