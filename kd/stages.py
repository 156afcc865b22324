"""The float stages: fine-tune a teacher, align a student layer by layer, distill it."""

import sys

from torch import Tensor
from transformers import PreTrainedModel

from inhibi.kd.examples import Padding, cut
from inhibi.kd.families import freeze_embeddings, parts
from inhibi.kd.objectives import AlignObjective, DistillObjective, TaskObjective
from inhibi.kd.run import Run
from inhibi.kd.scalars import fit_scalars
from inhibi.kd.shapes import compared_layers
from inhibi.kd.student import load, make_student, use_dropout_of
from inhibi.kd.training import train

# Examples, and tokens of each, whose statistics set the initial gamma, alpha and beta (seconds).
FITTED, FITTED_TOKENS = 32, 32


def teacher_stage(run: Run, name: str) -> PreTrainedModel:
    """Fine-tune the checkpoint `name` on the task, or take it as it is where steps = 0."""
    if not run.finished("teacher"):
        stage = run.recipe.teacher
        objective = TaskObjective(run.load_teacher(name), stage.consistency)
        train(run, "teacher", stage, objective)
    return load(run.folder / "teacher")


def align_stage(run: Run, teacher: PreTrainedModel) -> PreTrainedModel:
    """Train Q, K, V, gamma, alpha, beta of a new student, layer by layer, towards the attention of
    what it is made from: the teacher, or the student's own checkpoint.

    A student with dot-product attention is its source without dropout; one that is an inhibitor
    already is passed on.
    """
    if run.inhibitor:
        done = run.finished("distill")  # which is what comes next: it reads its own student
        return run.inhibitor if done else run.first_student(teacher)
    if run.recipe.attention == "dot_product":
        source, layers = run.student_source(teacher)
        return make_student(source, None, layers).eval()
    if not run.finished("align"):
        source, layers = run.student_source(teacher)
        student = make_student(source, run.recipe.inhibitor, layers)
        if run.recipe.align.fitted:
            fit_scalars(student, source, _some_inputs(run), layers)
        for parameter in student.parameters():
            parameter.requires_grad_(False)
        for layer in parts(student).layers:
            for module in (layer.query, layer.key, layer.value, layer.attention.inhibitor):
                module.requires_grad_(True)
        objective = AlignObjective(student, source, layers)
        train(run, "align", run.recipe.align, objective, run.embedder(teacher))
    return load(run.folder / "align")


def _some_inputs(run: Run) -> dict[str, Tensor]:
    """A few of the align stage's examples, spread over its kinds of text."""
    rows = run.examples(run.recipe.align, task=not run.recipe.task_agnostic).rows
    some = [cut(row, FITTED_TOKENS) for row in rows[:: max(1, len(rows) // FITTED)][:FITTED]]
    batch = Padding(run.pad, run.task.labels is None)(some)
    del batch["labels"]
    return batch


def distill_stage(run: Run, teacher: PreTrainedModel, student: PreTrainedModel) -> PreTrainedModel:
    """Train the whole student on hidden states, soft probabilities and labels.

    With steps = 0 it is passed on, unless its task vector makes it another, and so is a
    task-agnostic one that an earlier run has distilled.
    """
    if run.distilled or not (run.recipe.distill.steps or run.student_base):
        return student
    if not run.finished("distill"):
        stage = run.recipe.distill
        layers = compared_layers(run.recipe.layers, teacher.config, student.config)
        if len(layers) < teacher.config.num_hidden_layers:
            named = ", ".join(map(str, layers))
            print(f"distill: hidden states of the teacher's layers {named}", file=sys.stderr)
        if stage.frozen_embeddings:
            freeze_embeddings(student)
        objective = DistillObjective(student, teacher, stage, layers)
        train(run, "distill", stage, objective, run.embedder(teacher))
    return load(run.folder / "distill")


def finetune_stage(run: Run, teacher: PreTrainedModel, student: PreTrainedModel) -> PreTrainedModel:
    """Fine-tune the student on labels alone, with dropout, as any encoder is; with steps = 0 it is
    passed on."""
    if not run.recipe.finetune.steps:
        return student
    if not run.finished("finetune"):
        stage = run.recipe.finetune
        use_dropout_of(teacher, student)
        train(run, "finetune", stage, TaskObjective(student, stage.consistency))
    return load(run.folder / "finetune")
