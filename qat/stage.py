"""The last stages: calibrate the scales (ptq), then train with fake quantization (qat)."""

import time
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from inhibi.kd.attention import many_answers
from inhibi.kd.examples import Padding, batches
from inhibi.kd.objectives import DistillObjective, Objective
from inhibi.kd.run import Run
from inhibi.kd.shapes import same_shape
from inhibi.kd.training import train
from inhibi.qat import channel_scales
from inhibi.qat.channel_scales import FLAT
from inhibi.qat.compensated_rounding import round_weights
from inhibi.qat.student import QuantizationSettings, QuantLookup, QuantStudent, load

ROUNDING_BATCHES = 8  # of the calibration's: each is run once for every product


def calibration_stage(run: Run, teacher: PreTrainedModel, student: PreTrainedModel) -> QuantStudent:
    """Post-training quantization: the float student with calibrated scales, in the folder ptq."""
    if not run.finished("ptq"):
        stage, start = replace(run.recipe.qat, steps=0), time.perf_counter()
        objective = Objective(calibrated(run, student))
        seconds = time.perf_counter() - start
        train(run, "ptq", stage, objective, run.embedder(teacher), seconds)
    return load(run.folder / "ptq")


def qat_stage(run: Run, teacher: PreTrainedModel, student: PreTrainedModel) -> QuantStudent:
    """Distill the teacher into the calibrated student once more.

    Where the teacher has another shape the hidden states to keep are the float student's. A
    task-agnostic student, and any whose recipe says so, is its own teacher.
    """
    if not run.finished("qat"):
        stage, embedder = run.recipe.qat, run.embedder(teacher)
        quantized = calibration_stage(run, teacher, student)
        if stage.own_teacher or run.recipe.task_agnostic:
            teacher = student
        layers = range(student.config.num_hidden_layers)
        source = None if same_shape(teacher.config, student.config) else student
        objective = DistillObjective(quantized, teacher, stage, layers, source)
        train(run, "qat", stage, objective, embedder)
    return load(run.folder / "qat")


def calibrated(run: Run, student: PreTrainedModel) -> QuantStudent:
    """The quantized student before any training: channels and activations have their scales,
    weights are rounded."""
    stage = run.recipe.qat
    settings = QuantizationSettings(stage.calibration_batches, stage.percentile)
    quantized = QuantStudent(student, settings)
    inputs = calibration_inputs(run)
    with many_answers():
        channel_scales.fold(quantized, channel_scales.find(student, inputs))
        calibrate(quantized, inputs)
        round_weights(quantized, inputs[:ROUNDING_BATCHES])
    return quantized


@torch.no_grad()
def calibrate(student: QuantStudent, inputs: Iterable[dict[str, Tensor]]) -> None:
    """Set every activation scale from the percentile over these batches.

    What an activation function reads below FLAT is counted as FLAT: it needs no steps of its own.
    Padding is counted with the tokens; batches of similar lengths have little of it.
    """
    student.train()
    lookups = [module for module in student.modules() if isinstance(module, QuantLookup)]
    hooks = [
        lookup.input_quantizer.register_forward_pre_hook(
            lambda _, x, least=FLAT / lookup.factor - lookup.input_middle: (
                torch.maximum(x[0], least),
            )
        )
        for lookup in lookups
    ]
    for batch in inputs:
        student(**batch)
    for hook in hooks:
        hook.remove()


def calibration_inputs(run: Run) -> list[dict[str, Tensor]]:
    """The first batches of the stage, without labels."""
    stage = run.recipe.qat
    examples = run.examples(stage)
    chosen = batches(
        examples.lengths(),
        stage.calibration_batches,
        stage.batch_size,
        stage.batch_tokens,
        run.recipe.seed,
    )
    loader = DataLoader(examples, batch_sampler=chosen, collate_fn=Padding(run.pad, True))
    made = list(loader)
    for batch in made:
        del batch["labels"]
    return made
