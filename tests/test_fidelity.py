"""A float student's answers beside its teacher's, on examples held back from training."""

import json
from pathlib import Path

import pytest
import torch
from tiny_teacher import save_data, save_record, save_teacher, tiny_bert

from benchmarks import ablation, fidelity
from benchmarks.results_page import page
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
    made = fidelity.fidelity(run, 0.5, str(data))
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
        }
    assert made["all"]["divergence"] > 0


def test_the_teacher_itself_is_equal(run: Path, data: Path, tmp_path: Path) -> None:
    for stage in ("teacher", "distill"):
        (tmp_path / stage).symlink_to(run / "teacher")
    (tmp_path / "run.json").write_text((run / "run.json").read_text())
    for found in fidelity.fidelity(tmp_path, 0.5, str(data)).values():
        assert found["equal"] == 1
        assert found["divergence"] == 0
        assert found["teacher"] == found["student"]


def test_the_page_has_them(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "sst2" / "ablations" / "one.json"
    held = ["--held-back", "0.5", "--data-dir", str(data)]
    named = ["--name", "distill", "--change", "longer", "-o", str(output)]
    ablation.main([str(run), *named, "--fidelity", *held])
    found = json.loads(output.read_text())["fidelity"]["whole"]
    line = f"| whole | {found['examples']} | {100 * found['teacher']:.2f} |"
    assert f"| longer {line}" in page(tmp_path)
    fidelity.main([str(run), *held])
    assert f"| {run.name} {line}" in capsys.readouterr().out


def test_what_cannot_be_compared_is_told(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text((run / "run.json").read_text())
    with pytest.raises(SystemExit):
        fidelity.main([str(tmp_path), "--data-dir", str(data)])
    assert "has no teacher and student yet" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        fidelity.main([str(run), "--data-dir", str(data), "--held-back", "0"])
    assert "name a larger --held-back" in capsys.readouterr().err
    (tmp_path / "run.json").write_text(json.dumps({"task": "stsb"}))
    with pytest.raises(SystemExit):
        fidelity.main([str(tmp_path)])
    assert "fidelity compares labels" in capsys.readouterr().err
