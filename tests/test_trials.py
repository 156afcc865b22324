"""python -m benchmarks.trials: each changes one entry of the base, and its result is kept."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tiny_teacher import save_data, save_teacher

from benchmarks import trials
from benchmarks.results_page import page
from inhibi.engine.errors import InputError
from inhibi.kd.data import find_task, load_split
from inhibi.kd.held_back import hold_back
from inhibi.kd.recipe import read_recipe


def entries(recipe: Path) -> dict[str, Any]:
    """By table and name, without the hash."""
    made = asdict(read_recipe(recipe)) | {"sha256": ""}
    found = {}
    for table, value in made.items():
        for name, entry in (value if isinstance(value, dict) else {"": value}).items():
            found[f"{table} {name}"] = entry
    return found


@pytest.mark.parametrize("name", trials.TRIALS)
def test_a_trial_changes_one_entry(name: str, tmp_path: Path) -> None:
    text = trials.BASE.read_text("utf-8")
    (tmp_path / "changed.toml").write_text(trials.changed(text, name))
    base, changed = entries(trials.BASE), entries(tmp_path / "changed.toml")
    assert sum(base[key] != changed[key] for key in base) == (name != "base")


def test_a_line_that_a_trial_adds_is_named_alone() -> None:
    assert trials.described("scalars") == "`[distill] scalar_rate = 30` added"


def test_a_line_that_the_base_lacks_is_named() -> None:
    with pytest.raises(InputError, match="must have the line 'n0 = 16' once"):
        trials.changed("n0 = 8\n", "sum")


@pytest.mark.slow
def test_results_are_kept_and_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_teacher(tmp_path / "teacher")
    save_data(tmp_path / "data")
    base = tmp_path / "base.toml"
    base.write_text(
        'held_back = 0.2\nmax_length = 24\n[inhibitor]\nscope = "head"\n'
        "[align]\nsteps = 2\n[distill]\nsteps = 2\n"
    )
    monkeypatch.setattr(trials, "BASE", base)
    arguments = [
        *("--task", "sst2", "--teacher", str(tmp_path / "teacher"), "--only", "base", "layer"),
        *("--data-dir", str(tmp_path / "data"), "--runs", str(tmp_path / "runs")),
    ]
    trials.main(arguments)
    folder = tmp_path / "runs" / "results" / "sst2" / "trials"
    task = find_task("sst2")
    _, held = hold_back(load_split(task, "train", str(tmp_path / "data")), task, 0.2)
    made = {name: json.loads((folder / f"{name}.json").read_text()) for name in TRIED}
    for name, trial in made.items():
        assert list(trial["stages"]) == ["teacher", "align", "distill"]
        assert trial["change"] == TRIED[name]
        assert trial["fidelity"]["all"]["examples"] == len(held)
    shown = page(tmp_path / "runs" / "results")
    assert '\n| `[inhibitor] scope = "layer"` instead of `"head"` |' in shown
    assert "Teacher: `teacher`." in shown
    scalars = json.loads((tmp_path / "runs/sst2/layer/distill/config.json").read_text())
    assert scalars["inhibitor"]["scope"] == "layer"
    capsys.readouterr()
    trials.main(arguments)
    assert capsys.readouterr().out == "base: done\nlayer: done\n"
    base.write_text(base.read_text().replace("steps = 2", "steps = 3", 1))
    with pytest.raises(SystemExit):
        trials.main(arguments)
    assert "is of another recipe or another teacher" in capsys.readouterr().err


TRIED = {"base": "unchanged", "layer": '`[inhibitor] scope = "layer"` instead of `"head"`'}
