"""`qat-train`: teacher, align, distill, qat; every stage resumable."""

import argparse
from pathlib import Path

from inhibi.engine.cli import Parser
from inhibi.engine.errors import MissingExtra, command

DESCRIPTION = """\
Train an integer student: fine-tune a teacher on a task, align an inhibitor student with it layer by
layer, distill it, then train it with quantization. Each stage leaves a checkpoint and metrics.json
in a folder of RUN; an interrupted run continues with --resume."""

EXAMPLES = """\
example:
  qat-train --task sst2 --teacher distilbert-base-uncased --recipe sst2 --out runs/sst2 \\
    --text wiki.parquet
  export-onnx runs/sst2 -o student.onnx
"""


def options(argv: list[str] | None) -> argparse.Namespace:
    """The parsed arguments. Raises InputError."""
    parser = Parser("qat-train", DESCRIPTION, EXAMPLES)
    add = parser.add_argument
    add("--task", required=True, help="a GLUE task or imdb, e.g. sst2")
    add(
        "--teacher",
        required=True,
        help="a BERT or DistilBERT checkpoint: a folder or a name on the Hugging Face hub",
    )
    add("--recipe", default="sst2", help="a TOML file or a packaged recipe's name (default: sst2)")
    add("--out", required=True, metavar="RUN", help="the run's folder")
    add("--resume", action="store_true", help="continue the run in RUN")
    add("--data-dir", metavar="DIR", help="DIR/glue/TASK/SPLIT.parquet (default: INHIBI_DATA, hub)")
    add(
        "--text",
        action="append",
        default=[],
        metavar="FILE",
        help="parquet file with a column 'text' for recipes that mix in such texts; repeatable",
    )
    return parser.parse_args(argv)


@command
def main(argv: list[str] | None = None) -> None:
    """Entry point; `argv` defaults to the command line's arguments."""
    chosen = options(argv)
    try:
        import brevitas  # noqa: F401
        import torch  # noqa: F401
        import transformers
    except ImportError as error:
        raise MissingExtra("train", error.name or "torch") from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    run_stages(chosen)


def run_stages(chosen: argparse.Namespace) -> None:
    """All stages of a run, skipping the finished ones."""
    from inhibi.kd.data import find_task
    from inhibi.kd.predict import load_tokenizer
    from inhibi.kd.recipe import read_recipe
    from inhibi.kd.stages import Run, align_stage, distill_stage, teacher_stage
    from inhibi.qat.record import describe, open_run
    from inhibi.qat.stage import qat_stage

    task, recipe = find_task(chosen.task), read_recipe(chosen.recipe)
    run = Run(
        folder=Path(chosen.out),
        recipe=recipe,
        task=task,
        data_dir=chosen.data_dir,
        texts=tuple(chosen.text),
        tokenizer=load_tokenizer(chosen.teacher),
    )
    run.check(chosen.teacher)
    open_run(run.folder, describe(chosen, recipe), chosen.resume)
    teacher = teacher_stage(run, chosen.teacher)
    student = align_stage(run, teacher)
    student = distill_stage(run, teacher, student)
    qat_stage(run, teacher, student)
    print(f"done: export-onnx {run.folder} -o student.onnx")


if __name__ == "__main__":
    main()
