"""The results page's average over tasks, against the metrics' own formulas."""

from pathlib import Path

import numpy as np
import pytest
from result_files import FEW, REFERENCES, flipped, grid, run, save

from benchmarks.accuracy import read_runs
from benchmarks.accuracy_floors import (
    AVERAGE_FLOORS,
    AVERAGED,
    FLOORS,
    Pair,
    best,
    comparator,
    teacher,
)
from benchmarks.results_average import average
from benchmarks.results_page import page


def correlation(*wrong: int) -> float:
    """Pearson's, and Matthews' of two labels."""
    return float(np.corrcoef(flipped(*wrong), REFERENCES)[0, 1])


def f1(*wrong: int) -> float:
    answers = flipped(*wrong)
    both = sum(a * r for a, r in zip(answers, REFERENCES, strict=True))
    return 2 * both / (sum(answers) + sum(REFERENCES))


def accuracy(*wrong: int) -> float:
    return 1 - len(wrong) / len(REFERENCES)


METRICS = {
    "cola": correlation,
    "mrpc": f1,
    "rte": accuracy,
    "sst2": accuracy,
    "stsb": correlation,
}


def test_the_average_is_that_of_the_main_metrics(tmp_path: Path) -> None:
    save(tmp_path, [made for task in METRICS for made in grid(task)])
    results = read_runs(tmp_path)
    mean = {
        name: [50 * (metric(*first) + metric(*second)) for metric in METRICS.values()]
        for name, first, second in (
            ("teacher", (0,), ()),
            ("best", (0,), (2, 3)),
            ("e0", (0,), (3,)),
        )
    }
    rows = average(results).splitlines()
    for title, name in (
        ("teacher, float", "teacher"),
        ("best, integers", "best"),
        ("e0, integers", "e0"),
    ):
        cells = [f"{np.mean(mean[name]):.2f}", *(f"{score:.1f}" for score in mean[name]), "2"]
        assert f"| {title} | {' | '.join(cells)} |" in rows
    below = [np.mean(mean[name]) - np.mean(mean["best"]) for name in ("teacher", "e0")]
    assert set(METRICS) == set(AVERAGED)
    measured = [floor.measure(results) for floor in AVERAGE_FLOORS]
    assert measured == pytest.approx([below[0], below[0], below[1]])
    assert (
        f"| best integers below the teacher | <= 1 points | {below[0]:.2f} points | **no**{FEW}"
        in rows
    )


def test_some_tasks_have_no_average(tmp_path: Path) -> None:
    save(tmp_path, [made for task in ("rte", "sst2", "wnli") for made in grid(task)])
    lines = page(tmp_path).splitlines()
    assert "| teacher, float |  |  |  | 93.8 | 93.8 |  |  |" in lines
    assert "| best integers below the teacher | <= 1 points |  | not measured |" in lines
    save(tmp_path / "one", grid("rte"))
    assert average(read_runs(tmp_path / "one")) == ""


def test_a_significant_loss_is_one_whose_whole_interval_is(tmp_path: Path) -> None:
    (floor,) = FLOORS["rte"]
    some = read_runs(save(tmp_path / "some", grid("rte")))  # a resample may draw the equal seed
    assert floor.measure(some["rte"]) == 0
    nothing_right = {"teacher": flipped(), "integer": flipped(*range(8))}
    always = read_runs(save(tmp_path / "always", [run("best", 0, nothing_right, "rte")]))
    assert floor.measure(always["rte"]) == 100


def test_imdbs_floor_reads_its_test_split(tmp_path: Path) -> None:
    runs = grid("rte")
    for made in runs:
        made["task"] = "imdb"
        made["references"] = {"test": made["references"]["validation"]}
        for model in made["models"].values():
            model["sets"] = {"test": model["sets"]["validation"]}
    (floor,) = FLOORS["imdb"]
    whole = read_runs(save(tmp_path / "whole", runs))["imdb"]
    assert (floor.measure(whole), floor.seeds(whole)) == (None, 0)  # of texts that were not cut
    for made in runs:
        made["max_length"] = 128
    cut = read_runs(save(tmp_path / "cut", runs))
    assert floor.measure(cut["imdb"]) == pytest.approx(12.5)
    assert floor.seeds(cut["imdb"]) == 2
    assert "Examples: test: 8. Texts are cut at 128 tokens." in page(tmp_path / "cut")


def test_a_floor_counts_the_seeds_that_both_models_have(tmp_path: Path) -> None:
    right = {name: flipped() for name in ("teacher", "float", "integer")}
    runs = [run("best", seed, right, "rte") for seed in range(3)]
    alone = {name: answers for name, answers in right.items() if name != "teacher"}
    found = read_runs(save(tmp_path, [*runs, run("e0", 0, alone, "rte")]))["rte"]
    assert Pair(best, teacher).seeds(found) == 3
    assert Pair(best, comparator).seeds(found) == 1
