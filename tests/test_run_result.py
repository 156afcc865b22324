"""From a run's folder to its JSON, and the plan of a grid of runs."""

import json
import subprocess
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_teacher import save_data, save_record, save_teacher, tiny_bert, tiny_tokenizer

from benchmarks import experiments, run_result
from benchmarks.joined import join
from benchmarks.results_page import page
from benchmarks.scoring import agreement, unpack
from inhibi.engine.checkpoint import Checkpoint
from inhibi.engine.errors import InputError
from inhibi.engine.model import load
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.files import sha256
from inhibi.kd.recipe import FOLDER, read_recipe
from inhibi.kd.student import load as load_student
from inhibi.kd.student import make_student
from inhibi.qat.student import QuantizationSettings, QuantStudent


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose student was only calibrated."""
    folder = tmp_path_factory.mktemp("run")
    teacher = tiny_bert()
    student = make_student(teacher, InhibitorSettings())
    save_teacher(folder / "teacher", teacher)
    save_teacher(folder / "distill", student)
    for stage in ("qat", "ptq"):
        made = QuantStudent(student, QuantizationSettings(1, 100.0))
        with torch.no_grad():
            made.train()(**tiny_tokenizer()("a good film with a bad plot", return_tensors="pt"))
        (folder / stage).mkdir()
        save_teacher(folder / stage, made)  # type: ignore[arg-type]
    save_record(folder, ("teacher", "distill", "qat", "ptq"))
    record = folder / "run.json"
    base = {"student_base": "MiniLM", "student_base_sha256": "ab"}
    record.write_text(json.dumps(json.loads(record.read_text()) | base))
    return folder


def test_a_run_becomes_one_file(
    run: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_result, "FAKE_EXAMPLES", 20)  # of 64: every fourth
    file = tmp_path / "results" / "sst2" / "best-3.json"
    exported = tmp_path / "exported"
    arguments = [str(run), "-o", str(file), "--export", str(exported), "--data-dir", str(data)]
    run_result.main(arguments)
    made = json.loads(file.read_text())
    assert (made["task"], made["recipe"], made["seed"]) == ("sst2", "best", 3)
    assert {stage["device"] for stage in made["stages"].values()} == {"1 x a processor"}
    assert made["student_base"] == {"name": "MiniLM", "sha256": "ab"}
    assert [stage["seconds"] for stage in made["stages"].values()] == [30, 30, 30, None]
    shape = {"attention": "inhibitor", "layers": 2, "hidden": 16, "heads": 2, "intermediate": 32}
    assert made["architecture"] == shape
    assert made["teacher_architecture"] == shape | {"attention": "dot_product"}
    references = unpack(made["references"]["validation"])
    assert references.tolist() == [i % 2 for i in range(64)]

    models = made["models"]
    assert list(models) == ["teacher", "float", "integer", "ptq", "unquantized"]
    texts = examples(data)
    for name, path, model in (
        ("teacher", run / "teacher", Checkpoint(run / "teacher")),
        ("float", run / "distill", Checkpoint(run / "distill")),
        ("integer", exported / "qat.onnx", load(exported / "qat.onnx", "numpy")),
        ("ptq", exported / "ptq.onnx", load(exported / "ptq.onnx", "numpy")),
    ):
        found = models[name]
        answers = [model.labels.index(str(a.label)) for a in model.classify(texts)]
        assert unpack(found["sets"]["validation"]["predictions"]).tolist() == answers, name
        accuracy = float((np.array(answers) == references).mean())
        assert found["sets"]["validation"]["metrics"] == {"accuracy": pytest.approx(accuracy)}
        assert found["sha256"] == sha256(path)
    student, integers = (unpack(models[n]["sets"]["validation"]["predictions"]) for n in MODELS)
    assert models["integer"]["equal_to_float"] == (student == integers).mean()
    assert models["float"]["equal_to_float"] == 1
    # Calibrated alone: its weights are still the float student's.
    own = models["unquantized"]["sets"]["validation"]
    assert own == models["float"]["sets"]["validation"]
    assert made["fake_quantization"]["equal_predictions"] == 1
    assert made["fake_quantization"]["median_difference"] < 0.02
    weights = sum(p.numel() for p in load_student(run / "distill").parameters())
    assert models["float"]["parameters"] == models["teacher"]["parameters"] + 2 * 2 * 3 == weights
    energies = {name: model["microjoules"] for name, model in models.items()}
    assert energies["unquantized"] is None
    assert energies["integer"] == energies["ptq"] < energies["float"]
    assert 0 < energies["integer"] < energies["teacher"]
    assert made["energy"]["technology"] == "45nm"
    tokens = [answer.tokens for answer in load(exported / "qat.onnx").classify(texts)]
    assert made["energy"]["tokens"] == np.mean(tokens)
    assert "best, integers" in page(tmp_path / "results")
    assert "integer: validation accuracy" in capsys.readouterr().out


MODELS = ("float", "integer")


def examples(data: Path) -> list[str]:
    from inhibi.kd.data import find_task, load_split

    return list(load_split(find_task("sst2"), "validation", str(data))["sentence"])


def test_an_unfinished_run_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text((run / "run.json").read_text())
    with pytest.raises(SystemExit):
        run_result.main([str(tmp_path), "-o", str(tmp_path / "x.json")])
    assert "is not finished: run qat-train" in capsys.readouterr().err
    assert not (tmp_path / "x.json").exists()


def test_joined_texts_keep_label_and_length() -> None:
    texts = [f"{name} {'x ' * n}" for n in range(1, 12) for name in ("good", "bad")]
    labels = [1, 0] * 11

    def tokens(text: str) -> int:
        return len(text.split())

    made, goal = join(texts, labels, 30, tokens, 20)
    assert len(made) == len(set(made)) == 20
    assert all(27 <= tokens(text) <= 33 for text in made)
    assert goal == [0, 1] * 10
    for text, label in zip(made, goal, strict=True):
        assert ("good" in text, "bad" in text) == (label == 1, label == 0)
    assert join(texts, labels, 30, tokens, 20) == (made, goal)


def test_agreement_of_logits() -> None:
    fake = np.array([[2.0, 0.0], [0.0, 2.0]])
    found = agreement(fake, fake + np.array([[0.5, -0.5], [-0.25, -2.5]]))
    assert found == {"median_difference": 0.5, "equal_predictions": 0.5}
    assert agreement(fake[:, :1], fake[:, :1]) == {"median_difference": 0.0}


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The grid's command line for these recipes."""
    monkeypatch.delenv("INHIBI_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("checkpoint").mkdir()
    Path("checkpoint/model.safetensors").write_bytes(b"weights")

    def made(*recipes: str) -> list[str]:
        return [
            *("--task", "sst2", "--recipes", *recipes, "--seeds", "0", "1"),
            *("--teacher", "checkpoint", "--text", "wiki.parquet"),
            *("--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results")),
        ]

    return made


def steps(arguments: list[str]) -> list[experiments.Training | experiments.Scoring]:
    return list(experiments.steps(experiments.options(arguments)))


def test_e0_comes_first_and_teaches_the_others(
    tmp_path: Path, arguments: Callable[..., list[str]]
) -> None:
    grid = steps(arguments("e2", "e1", "e0"))
    runs = ("e0-0", "e1-0", "e2-0", "e0-1", "e1-1", "e2-1")
    assert [step.name.split()[1] for step in grid[::2]] == list(runs)
    assert [step.name.split()[2] for step in grid[:2]] == ["train", "score"]
    commands = {step.name: " ".join(step.command()) for step in grid}
    assert "--teacher checkpoint" in commands["sst2 e0-0 train"]
    assert "--text" not in commands["sst2 e0-0 train"]
    shared = tmp_path / "runs" / "sst2" / "e0-1" / "teacher"
    assert f"--teacher {shared} --trained-teacher" in commands["sst2 e2-1 train"]
    assert "--teacher checkpoint --text wiki.parquet" in commands["sst2 e1-0 train"]
    distilled = tmp_path / "runs" / "sst2" / "e1-0" / "distill"
    assert f"--teacher checkpoint --student {distilled} --text" in commands["sst2 e1-1 train"]
    again = {s.name: " ".join(s.command()) for s in steps(arguments("e1", "--distilled", "other"))}
    assert "--student other" in again["sst2 e1-0 train"]
    with pytest.raises(InputError, match="add e0"):
        steps(arguments("e2"))
    with pytest.raises(InputError, match="unknown task 'sst3'"):
        steps([*arguments("e0"), "--task", "sst3"])


def _words(step: experiments.Training | experiments.Scoring) -> str:
    return " ".join(step.command())


def test_a_recipe_without_alignment_starts_from_the_distilled_student(
    tmp_path: Path, arguments: Callable[..., list[str]]
) -> None:
    grid = steps(arguments("glue/e0", "glue/best", "--distilled", "other"))
    assert [step.name.split()[1] for step in grid[::2]] == ["e0-0", "best-0", "e0-1", "best-1"]
    assert "--trained-teacher --student other --student-base checkpoint" in _words(grid[2])
    grid = steps(arguments("glue/best", "glue/e1", "glue/e0"))
    assert [step.name.split()[1] for step in grid[:6:2]] == ["e0-0", "e1-0", "best-0"]
    student = tmp_path / "runs" / "sst2" / "e1-0" / "distill"
    for best in (grid[4], grid[10]):
        assert f"--student {student} --student-base checkpoint" in _words(best)
    with pytest.raises(InputError, match=r"glue/best starts .* --distilled"):
        steps(arguments("glue/e0", "glue/best"))
    with pytest.raises(InputError, match="share a folder"):
        steps(arguments("e0", "best", "glue/best", "--distilled", "other"))


def test_each_task_agnostic_recipe_has_a_student_of_its_own(
    tmp_path: Path, arguments: Callable[..., list[str]]
) -> None:
    """And another recipe does not guess which of them to start from."""
    other = tmp_path / "other.toml"
    other.write_text((FOLDER / "e1.toml").read_text())
    commands = {step.name: _words(step) for step in steps(arguments("e1", str(other)))}
    for name in ("e1", "other"):
        assert "--student " not in commands[f"sst2 {name}-0 train"]
        first = tmp_path / "runs" / "sst2" / f"{name}-0" / "distill"
        assert f"--student {first} " in commands[f"sst2 {name}-1 train"]
    with pytest.raises(InputError, match=r"glue/best starts .* --distilled"):
        steps(arguments("e0", "glue/best", "e1", str(other)))


def test_scores_are_kept_with_the_runs_unless_named(tmp_path: Path) -> None:
    named = ["--task", "sst2", "--recipes", "e0", "--teacher", "t", "--runs", str(tmp_path)]
    assert steps(named)[1].written == tmp_path / "results" / "sst2" / "e0-0.json"


def test_what_another_recipe_of_the_name_made_is_not_taken(
    arguments: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    train, score, *_ = steps(arguments("e0"))
    train.written.parent.mkdir(parents=True)
    train.written.write_text("{}")
    begun = {"task": "sst2", "recipe_sha256": read_recipe("e0").sha256}
    for other in ({"recipe_sha256": "another"}, {"teacher_sha256": "another"}):
        (train.run / "run.json").write_text(json.dumps(begun | other))
        with pytest.raises(InputError, match=f"started with {next(iter(other))} another, not"):
            assert train.done
    assert not score.done
    with pytest.raises(SystemExit):
        experiments.main([*arguments("e0"), "--plan"])
    assert "name another" in capsys.readouterr().err
    score.written.parent.mkdir(parents=True)
    score.written.write_text(json.dumps({"recipe_sha256": "another"}))
    with pytest.raises(InputError, match="made by another recipe of this name: move it away"):
        assert score.done


def test_a_run_whose_teacher_is_gone_is_done_until_there_is_another(
    tmp_path: Path, arguments: Callable[..., list[str]]
) -> None:
    grid = {step.name: step for step in steps(arguments("e0", "e2"))}
    train = grid["sst2 e2-0 train"]
    train.written.parent.mkdir(parents=True)
    train.written.write_text("{}")
    begun = {"task": "sst2", "recipe_sha256": read_recipe("e2").sha256, "seed": 0}
    (train.run / "run.json").write_text(json.dumps(begun | {"teacher_sha256": "of the lost one"}))
    assert train.done
    assert not grid["sst2 e0-0 train"].done
    teacher = tmp_path / "runs" / "sst2" / "e0-0" / "teacher"
    teacher.mkdir(parents=True)
    (teacher / "model.safetensors").write_bytes(b"another")
    with pytest.raises(InputError, match="started with teacher_sha256 of the lost one, not"):
        assert train.done


def test_another_runs_score_is_made_again(arguments: Callable[..., list[str]]) -> None:
    """As where results came with the repository and the run is one's own."""
    train, score, *_ = steps(arguments("e0"))
    for stage in ("teacher", "qat"):
        (train.run / stage).mkdir(parents=True)
    save_record(train.run, ("teacher", "qat"))
    stages = run_result.read_stages(train.run)
    made = {"recipe_sha256": read_recipe("e0").sha256, "stages": stages}
    score.written.parent.mkdir(parents=True)
    score.written.write_text(json.dumps(made))
    assert score.done
    other = {name: stage | {"seconds": 1.5} for name, stage in stages.items()}
    score.written.write_text(json.dumps(made | {"stages": other}))
    assert not score.done


def test_a_score_of_another_length_is_made_again(arguments: Callable[..., list[str]]) -> None:
    train, score, *_ = steps(arguments("e0", "--max-length", "64"))
    made = {"recipe_sha256": read_recipe("e0").sha256, "stages": {}}
    score.written.parent.mkdir(parents=True)
    for length, done in ((None, False), (32, False), (64, True)):
        score.written.write_text(json.dumps(made | {"max_length": length}))
        assert score.done == done
    assert score.written.parent == train.run.parent.parent.parent / "results" / "sst2"
    assert score.command()[-2:] == ["--max-length", "64"]


def test_what_is_done_is_left_out_and_what_began_continues(
    arguments: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    grid = steps(arguments("e0"))
    first, _, second, *_ = grid
    made_by = json.dumps({"task": "sst2", "recipe_sha256": read_recipe("e0").sha256})
    for run in (first.run, second.run):
        run.mkdir(parents=True)
        (run / "run.json").write_text(made_by)
    first.written.parent.mkdir()
    first.written.write_text("{}")
    ran: list[list[str]] = []

    def fake(command: list[str]) -> Namespace:
        """The second command fails."""
        ran.append(command)
        return Namespace(returncode=len(ran) // 2)

    monkeypatch.setattr(subprocess, "run", fake)
    experiments.main([*arguments("e0"), "--plan"])
    assert not ran
    shown = capsys.readouterr().out.splitlines()
    assert shown == [f"{step.name}: {'to do' if i else 'done'}" for i, step in enumerate(grid)]
    with pytest.raises(SystemExit) as ended:
        experiments.main(arguments("e0"))
    assert ended.value.code == 2
    assert "sst2 e0-1 train failed" in capsys.readouterr().err
    assert ran == [step.command() for step in grid[1:3]]
    assert "--resume" not in ran[0]
    assert ran[1][-1] == "--resume"
