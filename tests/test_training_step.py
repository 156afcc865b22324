"""benchmarks.training_step: both models take their steps; what cannot be measured is told."""

import json
import subprocess
import sys

import pytest
import torch

from benchmarks.training_step import main


@pytest.mark.slow
def test_both_models_are_timed() -> None:
    command = [sys.executable, "-m", "benchmarks.training_step", "--batch", "2", "--rounds", "3"]
    made = json.loads(subprocess.check_output([*command, "--tokens", "4", "8"], text=True))
    assert (made["batch"], made["bf16"], made["device"]) == (2, False, "cpu")
    for row, tokens in zip(made["lengths"], (4, 8), strict=True):
        assert (row["tokens"], len(row["ratios"])) == (tokens, 3)
        seconds = row["median_seconds"]
        assert set(seconds) == {"dot_product", "inhibitor"}
        assert min(*seconds.values(), row["median_ratio"]) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tokens", "8", "513"], "the models have 512 positions"),
        (["--rounds", "0"], "--rounds"),
        (["--device", "tpu"], "--device"),
        (["--device", "cuda"], "torch finds no GPU here"),
    ],
)
def test_what_cannot_be_measured_is_told(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
