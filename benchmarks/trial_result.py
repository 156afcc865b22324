"""A trial of the method as a small JSON: scores on held-back training examples, and answers there.

The validation split is for final results alone.
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.fidelity import fidelity
from benchmarks.run_result import CHECKPOINTS, read_stages
from inhibi.engine.errors import InputError
from inhibi.qat.record import read

NAMED = (
    *("recipe", "recipe_sha256", "seed"),
    *(name for role in CHECKPOINTS.values() for name in (role, f"{role}_sha256")),
)


def result(run: Path, change: str, data_dir: str | None) -> dict[str, Any]:
    """Recipe, seed and checkpoints of a run; its stages with score and last loss; its student's
    answers beside its teacher's (`benchmarks.fidelity`).

    change: what the trial does, in a few words. `InputError` where no stage is finished or one was
    scored on other than held-back examples.
    """
    described = {name: read(run).get(name) for name in NAMED}
    found = {"stages": stages(run), "fidelity": fidelity(run, data_dir)}
    return {"change": change, **described, **found}


def stages(run: Path) -> dict[str, dict[str, Any]]:
    """A run's finished stages by name, with their last loss. Raises `InputError`."""
    made = {
        name: stage | {"loss": _last_loss(run / name)} for name, stage in read_stages(run).items()
    }
    if not made:
        raise InputError(f"{run} has no finished stage: name the folder of a run of qat-train")
    for name, stage in made.items():
        if stage["split"] != "held back":
            raise InputError(
                f"the stage {name} of {run} was scored on {stage['split']}: repeat the trial with "
                "held_back in its recipe"
            )
    return made


def _last_loss(folder: Path) -> float | None:
    """What a finished stage logged last: a mean over some steps. None where it did not train."""
    log = json.loads((folder / "metrics.json").read_text("utf-8")).get("log", [])
    return next((entry["loss"] for entry in reversed(log) if "loss" in entry), None)
