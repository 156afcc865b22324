"""The last stage: calibrate the activations' scales, then train with fake quantization."""

import torch
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from inhibi.kd.examples import Padding, batches
from inhibi.kd.stages import Run, train
from inhibi.kd.trainers import DistillTrainer
from inhibi.qat.student import QuantizationSettings, QuantStudent, load


def qat_stage(run: Run, teacher: PreTrainedModel, student: PreTrainedModel) -> QuantStudent:
    """Quantize the float student and distill the teacher into it once more.

    With steps = 0 the student is calibrated only (post-training quantization).
    """
    if not run.finished("qat"):
        stage = run.recipe.qat
        settings = QuantizationSettings(stage.calibration_batches, stage.percentile)
        quantized = QuantStudent(student, settings)
        calibrate(run, quantized)
        train(run, "qat", stage, DistillTrainer, quantized, teacher=teacher, weights=stage)
    return load(run.folder / "qat")


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
