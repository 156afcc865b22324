"""`qat-train`: teacher, align, distill, qat; every stage resumable."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inhibi.engine.cli import Parser
from inhibi.engine.errors import MissingExtra, command

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from inhibi.kd.run import Run

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
    add(
        "--student",
        metavar="CHECKPOINT",
        help="another such checkpoint with the teacher's vocabulary, for the student's shape and "
        "first weights (default: the teacher, or those of its layers that the recipe names); or "
        "RUN/distill of a task-agnostic run, whose student is then not aligned again, nor, in a "
        "task-agnostic recipe, distilled",
    )
    add("--recipe", default="sst2", help="a TOML file or a packaged recipe's name (default: sst2)")
    add("--out", required=True, metavar="RUN", help="the run's folder")
    add("--resume", action="store_true", help="continue the run in RUN")
    add(
        "--trained-teacher",
        action="store_true",
        help="the teacher is fine-tuned for the task: leave the recipe's stage teacher out",
    )
    add("--seed", type=int, metavar="N", help="instead of the recipe's")
    add(
        "--no-qat",
        action="store_true",
        help="end with the calibrated student in RUN/ptq (post-training quantization)",
    )
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
    from inhibi.kd import processes
    from inhibi.kd.data import find_task
    from inhibi.kd.recipe import read_recipe
    from inhibi.kd.run import Run, shared_tokenizer
    from inhibi.qat.record import describe, open_run
    from inhibi.qat.stage import calibration_stage, qat_stage

    processes.join()
    task, recipe = find_task(chosen.task), read_recipe(chosen.recipe)
    if chosen.seed is not None:
        recipe = replace(recipe, seed=chosen.seed)
    if chosen.trained_teacher:
        recipe = replace(recipe, teacher=replace(recipe.teacher, steps=0))
    run = Run(
        folder=Path(chosen.out),
        recipe=recipe,
        task=task,
        data_dir=chosen.data_dir,
        texts=tuple(chosen.text),
        tokenizer=shared_tokenizer(chosen.teacher, chosen.student),
        student=chosen.student,
    )
    run.check(chosen.teacher)
    processes.first_does(lambda: open_run(run.folder, describe(chosen, recipe), chosen.resume))
    teacher, student = float_stages(run, chosen.teacher)
    if chosen.no_qat:
        calibration_stage(run, student)
        print(f"done: export-onnx --no-qat {run.folder} -o student.onnx")
    else:
        qat_stage(run, teacher, student)
        print(f"done: export-onnx {run.folder} -o student.onnx")


def float_stages(run: "Run", checkpoint: str) -> "tuple[PreTrainedModel, PreTrainedModel]":
    """The teacher and the float student."""
    from inhibi.kd.stages import align_stage, distill_stage, finetune_stage, teacher_stage

    agnostic = run.recipe.task_agnostic
    teacher = run.load_teacher(checkpoint) if agnostic else teacher_stage(run, checkpoint)
    student = distill_stage(run, teacher, align_stage(run, teacher))
    return teacher, finetune_stage(run, student)


if __name__ == "__main__":
    main()
