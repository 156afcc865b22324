"""Every task of GLUE and IMDB goes the same way: trained, exported, scored; on small samples."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from tiny import WORDS
from tiny_run import train
from tiny_teacher import save_teacher

from benchmarks import run_result
from inhibi.engine import load
from inhibi.eval.glue import main as glue_eval
from inhibi.export.cli import main as export_onnx
from inhibi.kd.data import TASKS, Task

# As the packaged recipes for GLUE: examples held back, plain fine-tuning, alignment, distillation.
RECIPE = "max_length = 24\nheld_back = 0.25\n" + "".join(
    f"[{stage}]\nsteps = 3\npasses = 2\n" for stage in ("teacher", "align", "distill", "qat")
)
RECIPE = RECIPE.replace("[distill]\n", "[distill]\nreplaced = 8\n")
RECIPE += "calibration_batches = 2\nown_teacher = true\n"
EXAMPLES = 24


def save(task: Task, folder: Path) -> Path:
    """All splits of the task, with random words for texts, under the hub's column names."""
    columns: dict[str, list[object]] = {
        name: [
            " ".join(WORDS[(i + place) * k % len(WORDS)] for k in range(2, 5))
            for i in range(EXAMPLES)
        ]
        for place, name in enumerate(task.columns)
    }
    count = 0 if task.labels is None else len(task.labels)
    columns["label"] = [i % count if count else i / 5 for i in range(EXAMPLES)]
    parent = folder / "imdb" if task.name == "imdb" else folder / "glue" / task.name
    parent.mkdir(parents=True)
    for split in task.splits:
        # IMDB's test texts that stand in the training split are not scored.
        texts = {name: [f"{WORDS[0]} {x}" for x in columns[name]] for name in task.columns}
        made = columns if split == "train" else columns | texts
        parquet.write_table(pa.table(made), parent / f"{split}.parquet")
    return folder


# One of each kind: three labels, questions, regression, long texts. The others are like these.
KINDS = ("mnli", "qnli", "qqp", "stsb", "imdb")


@pytest.mark.parametrize(
    "task",
    [pytest.param(t, marks=[pytest.mark.slow] * (t.name not in KINDS)) for t in TASKS.values()],
    ids=TASKS,
)
def test_train_export_score(task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(task, tmp_path / "data")
    save_teacher(tmp_path / "teacher")
    run = train(tmp_path, tmp_path / "run", task=task.name, recipe=RECIPE)
    model = tmp_path / "student.onnx"
    export_onnx([str(run), "-o", str(model)])
    capsys.readouterr()
    data = ("--data-dir", str(tmp_path / "data"))
    glue_eval(["--task", task.name, "--model", str(model), *data, "--json"])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["split"] for result in found] == list(task.validation)
    assert {result["examples"] for result in found} == {EXAMPLES}
    scored = run_result.result(run, str(tmp_path / "data"), None, tmp_path)
    splits = scored["models"]["integer"]["sets"]
    assert list(splits) == list(task.validation)
    assert [splits[row["split"]]["metrics"] for row in found] == [row["metrics"] for row in found]
    stages = {path.parent.name for path in run.glob("*/metrics.json")}
    assert stages == {"teacher", "align", "distill", "ptq", "qat"}
    # Held back, not of the split that glue-eval scores.
    fitted = json.loads((run / "qat" / "metrics.json").read_text()).get("temperature")
    assert (load(model).metadata.probability_scale is None) == (fitted is None)
    assert (fitted is None) == (task.labels is None)
    for result in found:
        error = result["expected_calibration_error"]
        assert error is None if task.labels is None else 0 <= error <= 1
