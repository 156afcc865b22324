"""`inhibi cut-vocabulary`: a checkpoint with the frequent rows of its vocabulary alone."""

import argparse
from pathlib import Path

from inhibi.engine.cli import Parser, positive
from inhibi.engine.errors import MissingExtra, command

EXAMPLES = """\
examples:
  inhibi cut-vocabulary distilbert-base-uncased --task sst2 --rows 8000 -o runs/cut
  inhibi cut-vocabulary distilbert-base-uncased --train mine.csv --text-column review \\
    --label-column stars --rows 8000 -o runs/cut
"""

OF_TABLES = ("text_column", "text_pair_column", "label_column", "encoding")


def options(argv: list[str] | None) -> argparse.Namespace:
    """The parsed arguments. Raises `InputError`."""
    parser = Parser(
        "inhibi cut-vocabulary",
        "Write a BERT or DistilBERT checkpoint that keeps the most frequent rows of another's\n"
        "vocabulary alone, counted over texts. Special tokens and single characters stay, so that\n"
        "dropped words fall to shorter pieces.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a folder or a name on the Hugging Face hub")
    add("--rows", type=positive, required=True, metavar="N", help="how many to keep")
    add(
        "--seen-characters",
        action="store_true",
        help="of single characters keep those alone that are ASCII or occur in the texts",
    )
    add("-o", "--output", required=True, metavar="DIR", help="the folder to write")
    texts = parser.add_argument_group("texts to count over, as for qat-train; several kinds add up")
    add = texts.add_argument
    add("--task", help="the training texts of a GLUE task or imdb, e.g. sst2")
    add("--data-dir", metavar="DIR", help="DIR/glue/TASK/train.parquet (default: INHIBI_DATA, hub)")
    add("--text", action="append", default=[], metavar="FILE", help="parquet, column 'text'")
    add("--train", metavar="FILE", help="a table of your own")
    for name in OF_TABLES:
        add(f"--{name.replace('_', '-')}", metavar="NAME", help="of your own table")
    chosen = parser.parse_args(argv)
    if not (chosen.task or chosen.text or chosen.train):
        parser.error("name texts to count over: --task, --text or --train")
    parser.check_only_with(chosen, OF_TABLES, "train")
    return chosen


@command
def main(argv: list[str] | None = None) -> None:
    """Run `inhibi cut-vocabulary`."""
    chosen = options(argv)
    try:
        import transformers

        from inhibi.kd import vocabulary
        from inhibi.kd.predict import load_tokenizer
        from inhibi.kd.pretrained import read_classifier, silence_transformers, write_checkpoint
    except ImportError as error:
        raise MissingExtra("train", error.name or "torch") from error
    silence_transformers()
    transformers.set_seed(0)  # of the head that a plain encoder gets: the same checkpoint each time
    tokenizer = load_tokenizer(chosen.checkpoint)
    model = read_classifier(chosen.checkpoint)[0]
    counts = vocabulary.count_tokens(read_texts(chosen), tokenizer)
    tokens = vocabulary.frequent_tokens(counts, tokenizer, chosen.rows, chosen.seen_characters)
    vocabulary.cut_embeddings(model, tokenizer.convert_tokens_to_ids(tokens))
    cut = vocabulary.cut_tokenizer(tokenizer, tokens)
    write_checkpoint(model, cut, Path(chosen.output), chosen.checkpoint)
    share = sum(counts[token] for token in tokens) / counts.total()
    print(
        f"{chosen.output}: {len(tokens):,} of {len(tokenizer):,} rows, {100 * share:.1f} % of the "
        "tokens of these texts"
    )


def read_texts(chosen: argparse.Namespace) -> list[str]:
    """The texts that the options name. Raises `InputError`."""
    from inhibi.kd.data import find_task, load_split, load_texts
    from inhibi.kd.own_data import Columns, read_table

    texts = load_texts(chosen.text)
    if chosen.task:
        task = find_task(chosen.task)
        rows = load_split(task, "train", chosen.data_dir)
        texts += [text for column in task.columns for text in rows[column]]
    if chosen.train:
        names = (chosen.text_column or "text", chosen.text_pair_column)
        columns = Columns(tuple(filter(None, names)), chosen.label_column or "label")
        table = read_table(chosen.train, "train", columns, chosen.encoding or "utf-8")
        texts += [text for row in table.texts for text in row]
    return texts


if __name__ == "__main__":
    main()
