"""The last stage: calibrate the activations' scales, then train with fake quantization."""

from dataclasses import replace

import torch
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from inhibi.kd.examples import Padding, batches
from inhibi.kd.run import Run
from inhibi.kd.shapes import same_shape
from inhibi.kd.trainers import DistillTrainer
from inhibi.kd.training import train
from inhibi.qat.student import QuantizationSettings, QuantStudent, load


def qat_stage(run: Run, teacher: PreTrainedModel, student: PreTrainedModel) -> QuantStudent:
    """Quantize the float student and distill the teacher into it once more.

    Where the teacher has another shape the hidden states to keep are the float student's.
    """
    if not run.finished("qat"):
        stage = run.recipe.qat
        extra = {
            "teacher": teacher,
            "weights": stage,
            "layers": range(student.config.num_hidden_layers),
            "source": None if same_shape(teacher.config, student.config) else student,
        }
        train(run, "qat", stage, DistillTrainer, calibrated(run, student), **extra)
    return load(run.folder / "qat")


def calibration_stage(run: Run, student: PreTrainedModel) -> QuantStudent:
    """Post-training quantization: the float student with calibrated scales, in the folder ptq."""
    if not run.finished("ptq"):
        stage = replace(run.recipe.qat, steps=0)
        train(run, "ptq", stage, DistillTrainer, calibrated(run, student))
    return load(run.folder / "ptq")


def calibrated(run: Run, student: PreTrainedModel) -> QuantStudent:
    """The quantized student before any training."""
    stage = run.recipe.qat
    settings = QuantizationSettings(stage.calibration_batches, stage.percentile)
    quantized = QuantStudent(student, settings)
    calibrate(run, quantized)
    return quantized


def calibrate(run: Run, student: QuantStudent) -> None:
    """Set every activation scale from the percentile over the first batches of the stage."""
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
    student.train()
    with torch.no_grad():
        for batch in loader:
            del batch["labels"]
            student(**batch)
