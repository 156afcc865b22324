"""`qat-train`: teacher, align, distill, qat; every stage resumable."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inhibi.engine.cli import Parser, seed
from inhibi.engine.errors import MissingExtra, command
from inhibi.kd.files import room_in

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from inhibi.kd.data import Task
    from inhibi.kd.recipe import Recipe
    from inhibi.kd.run import Run

DESCRIPTION = """\
Train an integer student: fine-tune a teacher on a task, align an inhibitor student with it layer by
layer, distill it, then train it with quantization. Each stage leaves a checkpoint and metrics.json
in a folder of RUN; an interrupted run continues with --resume."""

EXAMPLES = """\
examples:
  qat-train --train mine.csv --text-column review --label-column stars \\
    --teacher distilbert-base-uncased --out runs/mine
  qat-train --task sst2 --teacher distilbert-base-uncased --recipe best --out runs/sst2
  qat-train --head embedding --teacher sentence-transformers/all-MiniLM-L6-v2 \\
    --text wikipedia.parquet --out runs/embed
  export-onnx runs/sst2 -o student.onnx
"""


HEADS = ("classifier", "embedding")
POOLINGS = ("mean", "cls")
OF_TABLES = ("validation", "text_column", "text_pair_column", "label_column", "encoding")


def options(argv: list[str] | None) -> argparse.Namespace:
    """The parsed arguments. Raises InputError."""
    parser = Parser("qat-train", DESCRIPTION, EXAMPLES)
    add = parser.add_argument
    add("--task", help="a GLUE task or imdb, e.g. sst2")
    own = parser.add_argument_group("a table of your own, instead of --task")
    own.add_argument(
        "--train",
        metavar="FILE",
        help="texts and labels: .csv, .tsv, .jsonl, .parquet, or a data set's name on the hub",
    )
    own.add_argument(
        "--validation",
        metavar="FILE",
        help="others to score stages on (default: a tenth of the first, held back)",
    )
    own.add_argument("--text-column", metavar="NAME", help="default: text")
    own.add_argument("--text-pair-column", metavar="NAME", help="of a second text, for pairs")
    own.add_argument("--label-column", metavar="NAME", help="default: label")
    own.add_argument("--encoding", metavar="NAME", help="of text files (default: utf-8)")
    embedding = parser.add_argument_group("sentence embeddings, instead of --task")
    embedding.add_argument(
        "--head",
        choices=HEADS,
        help="embedding: one vector of each text, as the teacher makes it; learned from --text",
    )
    embedding.add_argument(
        "--pooling", choices=POOLINGS, help="of all tokens (mean, the default) or the first (cls)"
    )
    add(
        "--teacher",
        required=True,
        help="a BERT or DistilBERT checkpoint: a folder or a name on the Hugging Face hub",
    )
    add(
        "--student",
        metavar="CHECKPOINT",
        help="another such checkpoint with the teacher's vocabulary, for the student's shape and "
        "first weights (default: the teacher, or those of its layers that the recipe names); or "
        "RUN/distill of a task-agnostic run, whose student is then not aligned again, nor, in a "
        "task-agnostic recipe, distilled",
    )
    add(
        "--student-base",
        metavar="CHECKPOINT",
        help="the checkpoint that the distilled --student learned from: the student begins with "
        "the difference between it and the teacher, which was fine-tuned from it",
    )
    add("--recipe", help="a TOML file or a packaged recipe's name (default: default, embedding)")
    add("--out", required=True, metavar="RUN", help="the run's folder")
    add("--resume", action="store_true", help="continue the run in RUN")
    add(
        "--trained-teacher",
        action="store_true",
        help="the teacher is fine-tuned for the task: leave the recipe's stage teacher out",
    )
    add("--seed", type=seed, metavar="N", help="instead of the recipe's")
    end = parser.add_mutually_exclusive_group()
    end.add_argument(
        "--no-qat",
        action="store_true",
        help="end with the calibrated student in RUN/ptq (post-training quantization)",
    )
    end.add_argument("--float", action="store_true", help="end with the float student")
    add("--data-dir", metavar="DIR", help="DIR/glue/TASK/SPLIT.parquet (default: INHIBI_DATA, hub)")
    add(
        "--text",
        action="append",
        default=[],
        metavar="FILE",
        help="parquet file with a column 'text' for recipes that mix in such texts; repeatable",
    )
    options = parser.parse_args(argv)
    embeds = options.head == "embedding"
    if sum((options.task is not None, options.train is not None, embeds)) != 1:
        parser.error(
            "name either a task (--task), a table of your own (--train) or --head embedding"
        )
    parser.check_only_with(options, OF_TABLES, "train")
    if options.student_base and not options.student:
        parser.error("--student-base is of use with a distilled --student only")
    if options.pooling and not embeds:
        parser.error("--pooling is of use with --head embedding only")
    if embeds:
        options.pooling = options.pooling or "mean"
        options.recipe = options.recipe or "embedding"
    options.recipe = options.recipe or "default"
    return options


@command
def main(argv: list[str] | None = None) -> None:
    """Entry point; `argv` defaults to the command line's arguments."""
    chosen = options(argv)
    try:
        import brevitas  # noqa: F401

        from inhibi.kd.pretrained import silence_transformers
    except ImportError as error:
        raise MissingExtra("train", error.name or "torch") from error
    silence_transformers()
    with room_in(Path(chosen.out)):
        run_stages(chosen)


def run_stages(chosen: argparse.Namespace) -> None:
    """All stages of a run, skipping the finished ones."""
    from inhibi.kd import processes
    from inhibi.kd.data import embedding_task, find_task
    from inhibi.kd.memory import keep_freed_memory
    from inhibi.kd.run import Run, shared_tokenizer
    from inhibi.qat.record import describe, open_run
    from inhibi.qat.stage import calibration_stage, qat_stage

    processes.join()
    keep_freed_memory()
    own = None
    if chosen.train:
        task, own = read_table(chosen)
    elif chosen.pooling:
        task = embedding_task(chosen.pooling)
    else:
        task = find_task(chosen.task)
    recipe = chosen_recipe(chosen)
    run = Run(
        folder=Path(chosen.out),
        recipe=recipe,
        task=task,
        data_dir=chosen.data_dir,
        texts=tuple(chosen.text),
        tokenizer=shared_tokenizer(chosen.teacher, chosen.student),
        student=chosen.student,
        student_base=chosen.student_base,
        own=own,
    )
    run.check(chosen.teacher)
    processes.first_does(
        lambda: open_run(run.folder, describe(chosen, task, recipe), chosen.resume)
    )
    teacher, student = float_stages(run, chosen.teacher)
    if chosen.float:
        print(f"done: qat-train --resume without --float makes integers of {run.folder}")
    elif chosen.no_qat:
        calibration_stage(run, teacher, student)
        print(f"done: export-onnx --no-qat {run.folder} -o student.onnx")
    else:
        qat_stage(run, teacher, student)
        print(f"done: export-onnx {run.folder} -o student.onnx")


def chosen_recipe(chosen: argparse.Namespace) -> "Recipe":
    """The recipe with what other options change in it. Raises `InputError`."""
    from inhibi.kd.recipe import read_recipe

    recipe = read_recipe(chosen.recipe)
    if chosen.seed is not None:
        recipe = replace(recipe, seed=chosen.seed)
    if chosen.trained_teacher:
        recipe = replace(recipe, teacher=replace(recipe.teacher, steps=0))
    return recipe


def read_table(chosen: argparse.Namespace) -> "tuple[Task, dict[str, Dataset]]":
    """The user's own task and its examples by split. Raises `InputError`."""
    from inhibi.kd.own_data import Columns, read_own

    texts = (chosen.text_column or "text", chosen.text_pair_column)
    columns = Columns(tuple(filter(None, texts)), chosen.label_column or "label")
    task, train, validation = read_own(
        chosen.train, chosen.validation, columns, chosen.encoding or "utf-8"
    )
    return task, {"train": train, "validation": validation}


def float_stages(run: "Run", checkpoint: str) -> "tuple[PreTrainedModel, PreTrainedModel]":
    """The teacher and the float student."""
    from inhibi.kd.stages import align_stage, distill_stage, finetune_stage, teacher_stage

    agnostic = run.recipe.task_agnostic
    teacher = run.load_teacher(checkpoint) if agnostic else teacher_stage(run, checkpoint)
    student = distill_stage(run, teacher, align_stage(run, teacher))
    return teacher, finetune_stage(run, teacher, student)


if __name__ == "__main__":
    main()
