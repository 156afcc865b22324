"""A float student's answers beside its teacher's, on examples held back from training."""

import json
from pathlib import Path

import pytest
import torch
from tiny_teacher import save_data, save_record, save_teacher, tiny_bert

from benchmarks import fidelity
from benchmarks.scoring import pack
from inhibi.engine.checkpoint import Checkpoint
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.data import find_task, load_split
from inhibi.kd.held_back import hold_back, wholes
from inhibi.kd.student import make_student


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    teacher = tiny_bert(seed=1)
    save_teacher(folder / "teacher", teacher)
    save_teacher(folder / "distill", make_student(teacher, InhibitorSettings()))
    save_record(folder, ("teacher", "distill"))
    return folder


def test_of_all_and_of_whole_texts(run: Path, data: Path) -> None:
    made = fidelity.fidelity(run, str(data))
    task = find_task("sst2")
    rows = hold_back(load_split(task, "train", str(data)), task, 0.5)[1]
    texts, labels = list(rows["sentence"]), torch.tensor(rows["label"])
    whole = wholes(texts)
    assert 2 < len(whole) < len(texts)
    for name, chosen in (("all", list(range(len(texts)))), ("whole", whole)):
        teacher, student = (
            torch.tensor(
                [
                    answer.logits
                    for answer in Checkpoint(run / stage).classify([texts[i] for i in chosen])
                ]
            )
            for stage in ("teacher", "distill")
        )
        goal = labels[chosen]
        divergence = torch.nn.functional.kl_div(
            student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True
        )
        assert made[name] == {
            "examples": len(chosen),
            "teacher": pytest.approx(float((teacher.argmax(1) == goal).double().mean())),
            "student": pytest.approx(float((student.argmax(1) == goal).double().mean())),
            "equal": pytest.approx(float((student.argmax(1) == teacher.argmax(1)).double().mean())),
            "divergence": pytest.approx(float(divergence), rel=1e-4),
            "references": pack(goal.tolist()),
            "predictions": pack(student.argmax(1).tolist()),
        }
    assert made["all"]["divergence"] > 0


def test_the_teacher_itself_is_equal(run: Path, data: Path, tmp_path: Path) -> None:
    for stage in ("teacher", "distill"):
        (tmp_path / stage).symlink_to(run / "teacher")
    (tmp_path / "run.json").write_text((run / "run.json").read_text())
    for found in fidelity.fidelity(tmp_path, str(data)).values():
        assert found["equal"] == 1
        assert found["divergence"] == 0
        assert found["teacher"] == found["student"]


def test_the_command_shows_them(run: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = fidelity.fidelity(run, str(data))["whole"]
    fidelity.main([str(run), "--data-dir", str(data)])
    line = f"| whole | {found['examples']} | {100 * found['teacher']:.2f} |"
    assert f"| {run.name} {line}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, "has no teacher and student yet"),
        ({"held_back": 0.0}, "train it with held_back in its recipe"),
        ({"held_back": 0.001}, "of so few examples of sst2 none is held back: raise held_back"),
        ({"task": "stsb"}, "fidelity compares labels"),
    ],
)
def test_what_cannot_be_compared_is_told(
    changed: dict[str, float | str],
    message: str,
    run: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for stage in ("teacher", "distill") if "held_back" in changed else ():
        (tmp_path / stage).symlink_to(run / stage)
    described = json.loads((run / "run.json").read_text()) | changed
    (tmp_path / "run.json").write_text(json.dumps(described))
    with pytest.raises(SystemExit):
        fidelity.main([str(tmp_path), "--data-dir", str(data)])
    assert message in capsys.readouterr().err
