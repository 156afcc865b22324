"""What a change of the method gave, on held-back training examples, as a small JSON.

    python -m benchmarks.ablation RUN --name alignment --change "800 to 1,600 steps" \\
        -o benchmarks/results/sst2/ablations/alignment-1600.json

RUN needs no more than the stages that the trial is about. Only scores on examples held back from
training (the recipe's held_back) are taken: the validation split is for final results alone.
With --fidelity the student's answers are compared with its teacher's (`benchmarks.fidelity`).
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.fidelity import add_held_back, fidelity
from benchmarks.run_result import CHECKPOINTS, read_stages
from inhibi.engine.errors import InputError, command
from inhibi.kd.files import write_json

NAMED = (
    *("recipe", "recipe_sha256", "seed"),
    *(name for role in CHECKPOINTS.values() for name in (role, f"{role}_sha256")),
)


@command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m benchmarks.ablation`."""
    chosen = _options(argv)
    made = {"name": chosen.name, "change": chosen.change, **trial(chosen.run)}
    if chosen.fidelity:
        made["fidelity"] = fidelity(chosen.run, chosen.held_back, chosen.data_dir)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(chosen.output, made)


def trial(run: Path) -> dict[str, Any]:
    """Recipe, seed and checkpoints where the run has a run.json; its stages with score and last
    loss.

    `InputError` where no stage is finished or one was scored on other than held-back examples.
    """
    file = run / "run.json"
    described: Mapping[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    stages = {
        name: stage | {"loss": _last_loss(run / name)} for name, stage in read_stages(run).items()
    }
    if not stages:
        raise InputError(f"{run} has no finished stage: name the folder of a run of qat-train")
    for name, stage in stages.items():
        if stage["split"] != "held back":
            raise InputError(
                f"the stage {name} of {run} was scored on {stage['split']}: repeat the trial with "
                "held_back in its recipe"
            )
    return {name: described.get(name) for name in NAMED} | {"stages": stages}


def _last_loss(folder: Path) -> float | None:
    """What a finished stage logged last: a mean over some steps. None where it did not train."""
    log = json.loads((folder / "metrics.json").read_text("utf-8")).get("log", [])
    return next((entry["loss"] for entry in reversed(log) if "loss" in entry), None)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.ablation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the folder of the trial")
    add("--name", required=True, help="the part of the method, the same for trials to compare")
    add("--change", required=True, help="what this trial does, in a few words")
    add("-o", "--output", type=Path, required=True, metavar="FILE", help="the JSON to write")
    add("--fidelity", action="store_true", help="compare the student's answers with its teacher's")
    add_held_back(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
