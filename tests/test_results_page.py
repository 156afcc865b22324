"""docs/RESULTS.md: what it says follows from the JSON files."""

import json
from pathlib import Path

import pytest
from result_files import FEW, flipped, grid, run, save

from benchmarks.accuracy import difference, minutes, of, read_runs, teachers
from benchmarks.accuracy_floors import FLOORS
from benchmarks.results_page import PAGE, PLOT, RESULTS, main, page
from benchmarks.results_trials import standard_error
from benchmarks.trial_result import stages
from benchmarks.trials import described
from inhibi.engine.errors import InputError
from inhibi.kd.recipe import read_recipe


def test_the_committed_page_is_that_of_the_committed_results() -> None:
    assert PAGE.read_text("utf-8") == page(RESULTS)


def test_the_command_writes_page_and_plot(tmp_path: Path) -> None:
    save(tmp_path, [made for task in ("sst2", "cola", "rte") for made in grid(task)])
    arguments = ["--results", str(tmp_path), "--page", str(tmp_path / "page.md")]
    for plot in ("one.svg", "two.svg"):
        main([*arguments, "--plot", str(tmp_path / plot)])
    assert (tmp_path / "page.md").read_text() == page(tmp_path)
    drawn = (tmp_path / "one.svg").read_text("utf-8")
    panels = ("cola", "rte", "sst2", "joined cola", "joined rte", "joined sst2")
    assert all(drawn.count(f"<!-- {panel} -->") == 1 for panel in panels)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_rows_and_floors_follow_from_the_runs(tmp_path: Path) -> None:
    lines = page(save(tmp_path, grid())).splitlines()
    (integers,) = (line for line in lines if line.startswith("| **best, integers**"))
    cells = [cell.strip(" *") for cell in integers.split("|")[1:-1]]
    assert cells[:3] == ["best, integers", "81.25 ± 8.84", "2"]
    assert cells[3].startswith("-12.50 [")
    assert cells[4:] == ["87.5 %", "100.0 %", "81.2", "4", "80", "20.0", "1,234.5"]
    for line in (
        "| teacher, float | 93.75 ± 8.84 | 2 |  |  |  | 93.8 | 2 | 80 | 20.0 | 1,234.5 |",
        f"| teacher, float | >= 90 % | 93.75 % | yes{FEW}",
        f"| best integers below the teacher | <= 0.5 points | 12.50 points | **no**{FEW}",
        f"| the same on joined sentences, 64 tokens | <= 1 points | 12.50 points | **no**{FEW}",
        "| the same on joined sentences, 128 tokens | <= 1 points |  | not measured |",
        "| best integers below the integer dot product "
        f"| <= 0.7 points | 6.25 points | **no**{FEW}",
    ):
        assert line in lines, line
    assert "| ours, best, integers |  |  |  |  |  |  |  |  |  | 81.2 |  |  |" in lines


def test_calibration_stands_beside_training(tmp_path: Path) -> None:
    assert "to calibrated only" not in page(save(tmp_path / "without", grid()))
    made = run("best", 0, {"float": flipped(), "ptq": flipped(1, 2), "integer": flipped(1)})
    made["stages"]["ptq"] = {"steps": 0, "split": "held back", "score": {}, "seconds": 90.0}
    lines = page(save(tmp_path / "with", [made])).splitlines()
    (row,) = (line for line in lines if line.startswith("| best | +12.50 ["))
    assert row.endswith("] | 1.5 |")


def test_a_reused_students_minutes_count_for_each_seed(tmp_path: Path) -> None:
    runs = [run("e1", seed, {"float": flipped(), "integer": flipped()}) for seed in (0, 1)]
    stage = runs[0]["stages"]["distill"]
    runs[0]["stages"] = {"distill": stage | {"seconds": 600.0}, "finetune": stage}
    runs[1]["stages"] = {"finetune": stage | {"seconds": 240.0}}
    read = read_runs(save(tmp_path, runs))["sst2"]
    assert minutes(of(read, "e1", "float"), ("align", "distill", "finetune")) == 13


def test_runs_name_their_recipe_whether_it_has_changed_since_and_their_student(
    tmp_path: Path,
) -> None:
    (one, *_, best) = grid()
    now = read_recipe("e0").sha256
    made = page(save(tmp_path, [one | {"recipe_sha256": now}, best]))
    assert f"| e0 0 | `{now[:12]}` |  | teacher 100" in made
    assert "| best 1 | `cdcdcdcdcdcd` (former) | `efefefefefef` | teacher 100" in made


@pytest.mark.parametrize("what", ["recipe_sha256", "max_length", "text"])
def test_runs_of_different_experiments_are_not_averaged(what: str, tmp_path: Path) -> None:
    (one, *_) = grid()
    save(tmp_path, [one, one | {"seed": 5, what: 128}])
    with pytest.raises(InputError, match=f"sst2: e0 has runs of more than one {what}"):
        read_runs(tmp_path)


def test_pages_of_no_runs_and_of_one_run_are_written(tmp_path: Path) -> None:
    assert "There are no runs yet" in page(tmp_path)
    (_, _, alone, _) = grid()
    made = page(save(tmp_path, [alone]))
    assert "| teacher, float | 87.50 | 1 |" in made
    assert made.count("| not measured |") == 4


def test_a_pair_has_the_seeds_of_both_and_the_same_examples(tmp_path: Path) -> None:
    runs = read_runs(save(tmp_path, grid()[:3]))["sst2"]
    found = difference(of(runs, "best", "integer"), teachers(runs, "best"), "validation")
    assert found is not None
    assert (found.mean, found.low, found.high) == (0, 0, 0)
    assert difference(of(runs, "best", "ptq"), teachers(runs, "best"), "validation") is None
    other = run("best", 0, {"integer": flipped()}) | {"references": {"validation": "1 1"}}
    runs = read_runs(save(tmp_path, [other]))["sst2"]
    with pytest.raises(InputError, match="different examples"):
        difference(of(runs, "best", "integer"), teachers(runs, "best"), "validation")


def test_an_agnostic_students_teacher_is_that_of_e0(tmp_path: Path) -> None:
    runs = read_runs(save(tmp_path, [*grid(), run("e1", 1, {"float": flipped(5)})]))["sst2"]
    found = difference(of(runs, "e1", "float"), teachers(runs, "e1"), "validation")
    assert found is not None
    assert found.mean == -1 / 8


def test_every_floor_is_read_from_the_results(tmp_path: Path) -> None:
    runs = grid()
    for made in runs:
        for name in ("joined 128", "joined 256"):
            made["references"][name] = made["references"]["joined 64"]
            for model in made["models"].values():
                model["sets"][name] = model["sets"]["joined 64"]
    read = read_runs(save(tmp_path, runs))["sst2"]
    values = [floor.measure(read) for floor in FLOORS["sst2"]]
    assert values == pytest.approx([93.75, 12.5, 12.5, 12.5, 12.5, 0, 100, 12.5, 87.5, 6.25, 0])


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "sst2").mkdir()
    (tmp_path / "sst2" / "e0-0.json").write_text("{}")
    with pytest.raises(InputError, match=r"e0-0\.json is no result"):
        read_runs(tmp_path)


def test_trials_are_scored_on_held_back_examples_alone(tmp_path: Path) -> None:
    folder = tmp_path / "align"
    folder.mkdir()
    metrics = {"stage": "align", "steps": 800, "split": "held back", "score": {"accuracy": 0.875}}
    log = [{"loss": 2.0}, {"loss": 1.25}, {"train_runtime": 60.0}]
    (folder / "metrics.json").write_text(json.dumps(metrics | {"log": log}))
    found = stages(tmp_path)["align"]
    assert (found["loss"], found["score"]) == (1.25, {"accuracy": 0.875})
    (folder / "metrics.json").write_text(json.dumps(metrics | {"split": "validation", "log": log}))
    with pytest.raises(InputError, match="was scored on validation"):
        stages(tmp_path)
    with pytest.raises(InputError, match="has no finished stage"):
        stages(folder)


def test_a_part_of_the_method_stands_beside_the_unchanged_recipe(tmp_path: Path) -> None:
    folder = tmp_path / "sst2" / "trials"
    folder.mkdir(parents=True)
    answers = {"references": "1 0 1 0", "predictions": "1 0 1 1"}
    for name, score, equal, kept in (
        ("base", 0.75, 0.96, answers),
        ("layer", 0.5, 0.9, answers | {"predictions": "1 1 1 1"}),
        ("unsigned", 0.75, 0.9, answers),
        ("sum", 0.25, 0.95, {}),
    ):
        made = {
            **{"change": described(name), "recipe": name, "teacher": "e0-0/teacher"},
            "stages": {
                "align": {"score": {"accuracy": 0.75}},
                "distill": {"score": {"accuracy": score}},
            },
            "fidelity": {"all": {"equal": equal, "examples": 300} | kept},
        }
        (folder / f"{name}.json").write_text(json.dumps(made))
    lines = page(tmp_path).splitlines()
    first = lines.index("| unchanged | 75.00 | 75.00 |  | 96.00 |  |")
    n0, scope, signed = lines[first + 1 : first + 4]
    assert n0 == "| `[inhibitor] n0 = 0` instead of `16` | 75.00 | 25.00 | -50.00 | 95.00 |  |"
    assert "`[inhibitor] scope" in scope
    assert " | -25.00 [-75.00, +0.00] | " in scope
    assert " | +0.00 [+0.00, +0.00] | " in signed
    about = "Score: accuracy, 300 examples, standard error 2.5. Teacher: `e0-0/teacher`."
    assert about in lines


def test_the_error_of_a_correlation() -> None:
    trial = {
        "stages": {"distill": {"score": {"matthews_correlation": 0.6}}},
        "fidelity": {"all": {"examples": 400}},
    }
    # (1 - 0.36) / 20
    found = "Score: Matthews' correlation, 400 examples, standard error 3.2."
    assert standard_error(trial) == found


def test_the_committed_plot_stands_beside_the_page() -> None:
    assert PLOT.is_file() == bool(read_runs(RESULTS))
