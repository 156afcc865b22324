"""Energy on a task's lengths, beside accuracies of results."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import result_files
from tiny_teacher import save_data

from inhibi.engine.model import load
from inhibi.eval.energy import counts, figures
from inhibi.eval.energy.cli import main
from inhibi.eval.energy.energy import Model
from inhibi.eval.energy.graph import read
from inhibi.eval.energy.memory import WEIGHTS_FROM_DRAM
from inhibi.eval.energy.variants import INTEGER_INHIBITOR
from inhibi.kd.data import find_task, load_split

Report = Callable[..., dict[str, Any]]


@pytest.fixture
def report(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """`energy-report --task sst2 --json` of the tiny student on tiny data."""
    save_data(tmp_path / "data")

    def run(*arguments: str) -> dict[str, Any]:
        data = ("--data-dir", str(tmp_path / "data"))
        main(["--model", str(tiny_model), "--task", "sst2", *data, "--json", *arguments])
        return json.loads(capsys.readouterr().out)["dataset"]

    return run


def test_energy_is_the_mean_of_the_examples(
    report: Report, tiny_model: Path, tmp_path: Path
) -> None:
    found = report()
    rows = load_split(find_task("sst2"), "validation", str(tmp_path / "data"))
    student = load(tiny_model)
    lengths = [sentence.tokens for sentence in student.encode(list(rows["sentence"]))]
    assert len(set(lengths)) > 1
    assert found["examples"] == len(lengths)
    tokens = (found["tokens"]["least"], found["tokens"]["most"], found["tokens"]["mean"])
    assert tokens == (min(lengths), max(lengths), fmean(lengths))
    table, graph = figures.load("7nm"), read(tiny_model)
    expected = fmean(
        Model.of(counts.count(graph, INTEGER_INHIBITOR, [n]), WEIGHTS_FROM_DRAM).energy(table).total
        for n in lengths
    )
    assert found["per_sentence"]["7nm"]["integer inhibitor"] == pytest.approx(expected)
    [own] = found["models"]
    labels = ("negative", "positive")
    answers = [labels.index(str(a.label)) for a in student.classify(list(rows["sentence"]))]
    accuracy = fmean(a == b for a, b in zip(answers, rows["label"], strict=True))
    assert own["accuracy"] == accuracy
    assert own["per_correct_answer"]["7nm"] == pytest.approx(expected / accuracy)


def test_results_stand_beside_the_file(report: Report, tmp_path: Path) -> None:
    runs = [
        *result_files.grid(),
        result_files.run("other", 0, {"integer": result_files.flipped()}),
    ]
    runs[-1]["architecture"]["layers"] = 12  # another shape: has no energy here
    deeper = result_files.run("deeper", 5, {"teacher": result_files.flipped()})
    deeper["teacher_architecture"]["layers"] = 12
    runs.append(deeper)
    for run in runs:
        file = tmp_path / "results" / "sst2" / f"{run['recipe']}-{run['seed']}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(run))
    found = report("--results", str(tmp_path / "results"))
    models = {model["name"]: model for model in found["models"]}
    variants = {
        "this file": "integer inhibitor",
        "teacher": "fp32 dot product",
        "e0, float": "fp32 dot product",
        "e0, integer": "integer dot product",
        "best, float": "fp32 inhibitor",
        "best, integer": "integer inhibitor",
    }
    assert {name: model["variant"] for name, model in models.items()} == variants
    assert models["e0, integer"]["accuracy"] == 7 / 8  # one wrong of 8 in both seeds
    assert models["e0, integer"]["seeds"] == 2
    assert models["teacher"]["seeds"] == 2  # of two recipes, but the same
    for model in models.values():
        for technology, energies in found["per_sentence"].items():
            assert model["per_sentence"][technology] == energies[model["variant"]]


def error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert shown.splitlines()[-1].startswith("error: ")
    return shown


def test_mistakes_are_one_line(
    report: Report, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = ("--model", str(tiny_model), "--task")
    data = ("--data-dir", str(tmp_path / "data"))
    assert "unknown task poems" in error(capsys, *task, "poems").replace("'", "")
    results = ("--results", str(tmp_path / "none"))
    assert "no results in" in error(capsys, *task, "sst2", *data, *results)
    broken = tmp_path / "broken" / "sst2" / "best-0.json"
    broken.parent.mkdir(parents=True)
    results = ("--results", str(tmp_path / "broken"))
    whole = result_files.run("best", 0, {"integer": result_files.flipped()})
    for damage in (
        {"architecture": {}},
        {"architecture": whole["architecture"] | {"attention": "foo"}},
        {"references": 7},
        {"models": 3},
    ):
        broken.write_text(json.dumps(whole | damage))
        assert "is no result of benchmarks" in error(capsys, *task, "sst2", *data, *results)
