"""Training with several processes, as torchrun starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_teacher import save_data, save_teacher, tiny_bert

from inhibi.kd import processes

STAGE = "steps = 6\nsave_steps = 4\nbatch_size = 8\nlearning_rate = 3e-3\n"
RECIPE = f"""
max_length = 24
held_back = 0.1
[teacher]
{STAGE}
[align]
{STAGE}
[distill]
{STAGE}
[qat]
{STAGE.replace("3e-3", "1e-4")}calibration_batches = 2
"""
# How much the losses may differ: where values are rounded, float differences grow.
STAGES = {"teacher": 1e-3, "align": 1e-3, "distill": 1e-3, "qat": 1e-2}
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    teacher = tiny_bert()
    teacher.config.hidden_dropout_prob = teacher.config.attention_probs_dropout_prob = 0.0
    save_teacher(folder / "teacher", teacher)
    save_data(folder / "data")
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


def train(inputs: Path, run: Path, *launcher: str) -> subprocess.CompletedProcess[str]:
    command = [
        *(sys.executable, *launcher, "-m", "inhibi.qat.train", "--task", "sst2"),
        *("--teacher", str(inputs / "teacher"), "--out", str(run)),
        *("--recipe", str(inputs / "recipe.toml"), "--data-dir", str(inputs / "data")),
    ]
    environment = os.environ | {"TORCH_COMPILE_DISABLE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)


def logged(run: Path, stage: str, what: str) -> float:
    """What was logged last."""
    log = json.loads((run / stage / "metrics.json").read_text())["log"]
    return next(entry[what] for entry in reversed(log) if what in entry)


@pytest.mark.slow
def test_two_processes_end_with_the_loss_of_one(inputs: Path, tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    for run, launcher in ((alone, ()), (together, TORCHRUN)):
        done = train(inputs, run, *launcher)
        assert done.returncode == 0, done.stderr[-3000:]
    # AdamW's steps do not tell the gradients' size: their norm does.
    for stage, tolerance in STAGES.items():
        for what, times in (("loss", 1), ("grad_norm", 10)):
            expected = pytest.approx(logged(alone, stage, what), rel=times * tolerance)
            assert logged(together, stage, what) == expected, (stage, what)
    assert (together / "ptq" / "model.safetensors").is_file()


@pytest.mark.slow
def test_a_mistake_ends_all_processes(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    done = train(inputs, tmp_path / "run", *TORCHRUN)
    assert done.returncode != 0
    assert "already holds a run" in done.stderr


def test_one_process_alone_is_the_first() -> None:
    assert (processes.rank(), processes.count()) == (0, 1)
    assert processes.first_does(lambda: "done") == "done"
    number = torch.tensor(3)
    assert processes.mean_of_all(number) is number
