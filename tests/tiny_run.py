"""`qat-train` in this process, on tiny checkpoints and data, in a second or two."""

from pathlib import Path

import pytest

from inhibi.kd import attention
from inhibi.qat.train import main

STAGE = "steps = 4\nsave_steps = 2\nbatch_size = 8\nlearning_rate = 1e-2\n"
RECIPE = (
    f"max_length = 24\n[align]\n{STAGE}[distill]\n{STAGE}[qat]\n{STAGE}calibration_batches = 2\n"
)


def train(inputs: Path, run: Path, *more: str, task: str = "sst2", recipe: str = RECIPE) -> Path:
    """The folder of a finished run; `inputs` has a teacher and data, the last of two equal options
    counts.

    Nothing is compiled: that takes longer than all of the training.
    """
    file = run.parent / "recipe.toml"
    file.write_text(recipe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "_compiled", lambda function: function)
        main(
            [
                *("--task", task, "--teacher", str(inputs / "teacher"), "--out", str(run)),
                *("--recipe", str(file), "--data-dir", str(inputs / "data"), *more),
            ]
        )
    return run


OWN = "max_length = 24\n" + "".join(
    f"[{stage}]\npasses = 2\nsteps = 40\nlearning_rate = 1e-2\n"
    for stage in ("teacher", "align", "distill")
)


def train_own(table: Path, teacher: Path, run: Path, *more: str, recipe: str = "") -> Path:
    """The same with a table of one's own."""
    file = table.parent / "recipe.toml"
    file.write_text(f"{recipe}{OWN}[qat]\nsteps = 2\ncalibration_batches = 2\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "_compiled", lambda function: function)
        arguments = ("--train", table, "--teacher", teacher, "--recipe", file, "--out", run)
        main([*map(str, arguments), *more])
    return run
