"""The command line of `infer`."""

import argparse
import sys

from inhibi.engine.cli import Parser, positive, threads
from inhibi.engine.parquet_rows import SUFFIX as PARQUET

ENGINES = ("ort", "numpy")
OF_TABLES = ("text_pair_column", "out", "resume", "encoding", "ray")

EXAMPLES = """\
examples:
  infer "a moving, funny film" "two hours I will never get back"
  infer --file in.csv --text-column review --out out.csv
  infer --file reviews.txt --json > answers.jsonl
  tail -f reviews.txt | infer -
  infer --model embed.onnx --embed --json --file sentences.txt > vectors.jsonl
  infer --model mrpc.onnx "$(printf 'He left.\\tHe went away.')"    a pair: a tab between the texts

output: one line for each text or input line, with tabs between label, probability and the text's
beginning (a regression model: between score and text). A line without an answer is reported on
standard error and leaves an empty line. --json: objects with text, label, probability (or
score), logits, tokens, truncated; or with error. --embed: the vector's int8 numbers instead of
label and probability; as JSON objects with text, vector, scale, tokens, truncated.
exit status: 0 all answered; 1 a line has no answer, or --diff found a difference; 2 no answer.
"""


def options(argv: list[str] | None) -> argparse.Namespace:
    """The parsed and checked arguments. `file` is "-" for standard input. Raises InputError."""
    parser = Parser("infer", "Classify texts with integer arithmetic only.", EXAMPLES)
    add = parser.add_argument
    add("text", nargs="*", help="a text to classify, or - to read lines from standard input")
    add("--file", metavar="FILE", help="classify every line of a UTF-8 text file")
    add("--text-column", metavar="NAME", help="--file is .csv, .tsv or .parquet with this column")
    add("--text-pair-column", metavar="NAME", help="and this one, for a model that takes pairs")
    add("--out", metavar="FILE", help="the table to write: all columns, label and probability")
    add("--resume", action="store_true", help="go on with a table that was cut off")
    add("--encoding", metavar="NAME", help="of the table (default: utf-8)")
    add("--ray", metavar="ADDRESS", help="answer a table on a Ray cluster; local: on this machine")
    add("--workers", type=positive, metavar="N", help="of --ray (default: as many as have room)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--int8", action="store_true", help="run an integer student (the default)")
    kind.add_argument("--fp32", action="store_true", help="run the float checkpoint --model DIR")
    add("--embed", action="store_true", help="print each text's embedding, int8, and no label")
    add("--model", metavar="MODEL", help="a file, or a name: sst2, owner/repo (default: sst2)")
    add("--engine", choices=ENGINES, default="ort", help="ort: fast; numpy: the readable reference")
    add("--threads", type=threads, default=0, metavar="N", help="of ort (default: all; --ray: 1)")
    add("--batch", type=positive, default=32, metavar="N", help="texts at once (default: 32)")
    add("--max-length", type=positive, metavar="N", help="tokens to read (default: all it can)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object a line")
    form.add_argument("--trace", action="store_true", help="print every tensor's shape and range")
    form.add_argument(
        "--diff", type=_two_engines, metavar="A,B", help="find the first tensor that differs"
    )
    add("--verbose", action="store_true", help="say on standard error what ran and how long")
    given, after = _split(sys.argv[1:] if argv is None else argv)
    chosen = parser.parse_intermixed_args(given)
    chosen.text += after
    _check(chosen, parser)
    if chosen.text == ["-"]:
        chosen.text, chosen.file = [], "-"
    return chosen


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """What stands before and after "--", which parse_intermixed_args does not understand."""
    cut = argv.index("--") if "--" in argv else len(argv)
    return argv[:cut], argv[cut + 1 :]


def _check(chosen: argparse.Namespace, parser: Parser) -> None:
    for name, value in vars(chosen).items():
        if value == "":
            parser.error(f"--{name.replace('_', '-')} is empty: give a value or leave it out")
    if bool(chosen.text) == bool(chosen.file):
        parser.error("give texts, or - for standard input, or --file FILE")
    if "-" in chosen.text and len(chosen.text) > 1:
        parser.error("give texts or - for standard input, not both")
    _check_table(chosen, parser)
    if chosen.fp32 and not chosen.model:
        parser.error("--fp32 needs --model DIR, the folder of a float checkpoint")
    if chosen.fp32 and (chosen.trace or chosen.diff):
        parser.error("--trace and --diff look into integer students, not into --fp32")
    if chosen.embed and (chosen.trace or chosen.diff):
        parser.error("--trace and --diff print no embeddings: leave --embed out")


def _check_table(chosen: argparse.Namespace, parser: Parser) -> None:
    parser.check_only_with(chosen, OF_TABLES, "text_column")
    parser.check_only_with(chosen, ("workers",), "ray")
    if not chosen.text_column:
        if chosen.file and chosen.file.lower().endswith((".csv", PARQUET)):
            parser.error(
                f"{chosen.file} is a table: name its column with --text-column and a file to write "
                "with --out, or give texts, one a line, in a file of another name"
            )
        return
    if not chosen.file or not chosen.out:
        parser.error("--text-column needs --file TABLE and --out TABLE")
    if chosen.json or chosen.trace or chosen.diff:
        parser.error("--json, --trace and --diff are not for tables")
    if chosen.encoding and chosen.file.lower().endswith(PARQUET):
        parser.error("--encoding is not for .parquet files: their texts are UTF-8")
    if chosen.embed:
        parser.error("--embed is not for tables: its vectors are lines (--json)")
    if chosen.ray and (chosen.fp32 or chosen.engine != "ort"):
        parser.error("--ray runs integer students on ort, no --fp32 and no other --engine")


def _two_engines(text: str) -> tuple[str, str]:
    first, _, second = text.partition(",")
    if first not in ENGINES or second not in ENGINES:
        raise argparse.ArgumentTypeError(f"{text!r} is not two of {', '.join(ENGINES)}")
    return first, second
