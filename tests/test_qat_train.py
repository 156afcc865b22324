"""`qat-train` and `export-onnx` from end to end on a tiny teacher, killed and resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from safetensors.torch import load_file, save_file
from tiny_teacher import save_data, save_teacher, tiny_bert, tiny_tokenizer
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from inhibi.engine import load
from inhibi.engine.errors import InputError
from inhibi.export import cli as export_cli
from inhibi.kd.attention import InhibitorSettings
from inhibi.kd.data import find_task
from inhibi.kd.predict import load_tokenizer, logits
from inhibi.kd.student import make_student
from inhibi.qat import record
from inhibi.qat import student as qat_student
from inhibi.qat import train as qat_train

STEPS = 12
FLOAT_STAGES = ["align", "distill", "teacher"]
RECIPE = """
max_length = 24
[teacher]
steps = 12
save_steps = 4
learning_rate = 1e-2
batch_size = 8
[align]
steps = 12
save_steps = 4
joined = 16
[distill]
steps = 12
save_steps = 4
joined = 16
scalar_rate = 10.0
[qat]
steps = 12
save_steps = 4
batch_size = 8
calibration_batches = 3
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a teacher, data and a recipe."""
    folder = tmp_path_factory.mktemp("inputs")
    save_teacher(folder / "teacher")
    save_data(folder / "data")
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


def arguments(inputs: Path, run: Path, *more: str) -> list[str]:
    return [
        *("--task", "sst2", "--teacher", str(inputs / "teacher")),
        *("--recipe", str(inputs / "recipe.toml"), "--data-dir", str(inputs / "data")),
        *("--out", str(run), *more),
    ]


def start(inputs: Path, run: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "inhibi.qat.train", *arguments(inputs, run, *more)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)


def finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors.decode()[-2000:]


@pytest.fixture(scope="module")
def run(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    finish(start(inputs, folder))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["teacher", "distill", "qat"])
def test_a_killed_run_ends_with_the_same_bits(
    stage: str, inputs: Path, run: Path, tmp_path: Path
) -> None:
    killed = start(inputs, tmp_path / "run")
    while not (tmp_path / "run" / stage / "checkpoints" / "checkpoint-8").is_dir():
        time.sleep(0.02)
        assert killed.poll() is None
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "run" / "qat" / "metrics.json").exists()
    finish(start(inputs, tmp_path / "run", "--resume"))
    for name in ("teacher", "align", "distill", "qat"):
        whole, resumed = (
            load_file(folder / name / "model.safetensors") for folder in (run, tmp_path / "run")
        )
        assert whole.keys() == resumed.keys()
        for key, value in whole.items():
            assert torch.equal(value, resumed[key]), f"{name}: {key}"


@pytest.mark.slow
def test_alignment_trains_only_the_attention(run: Path) -> None:
    teacher, align, distill = (
        load_file(run / stage / "model.safetensors") for stage in ("teacher", "align", "distill")
    )
    trained = ("query", "key", "value", "inhibitor")
    for key, value in align.items():
        moved = any(name in key for name in trained)
        assert moved == (key not in teacher or not torch.equal(value, teacher[key])), key
        assert not torch.equal(value, distill[key]), key


@pytest.mark.slow
def test_the_exported_student_answers_as_it_was_trained(run: Path, tmp_path: Path) -> None:
    export_cli.main([str(run), "-o", str(tmp_path / "student.onnx")])
    model = load(tmp_path / "student.onnx")
    texts = ["a good film", "a bad film", "the plot is not very dull", "it was cold of warm"]
    integers = model.logits(texts) * model.metadata.output_scale
    trained = logits(qat_student.load(run / "qat"), load_tokenizer(run / "qat"), texts)
    assert np.median(np.abs(integers - trained)) < 0.02 * trained.std()
    assert (integers.argmax(1) == trained.argmax(1)).all()
    assert model.metadata.labels == ("negative", "positive")
    assert model.metadata.provenance["task"] == "sst2"


@pytest.mark.slow
def test_a_run_is_not_overwritten_or_continued_with_other_arguments(
    inputs: Path, run: Path, fails: Callable[..., str]
) -> None:
    assert "add --resume" in fails(arguments(inputs, run))
    other = inputs / "other.toml"
    other.write_text(RECIPE + "# changed\n")
    changed = arguments(inputs, run, "--resume")
    changed[changed.index(str(inputs / "recipe.toml"))] = str(other)
    assert "was started with recipe_sha256" in fails(changed)
    shutil.copytree(inputs / "data", other.parent / "changed")
    file = other.parent / "changed" / "glue" / "sst2" / "train.parquet"
    parquet.write_table(parquet.read_table(file).slice(1), file)
    changed = [*arguments(inputs, run, "--resume"), "--data-dir", str(inputs / "changed")]
    assert "was started with examples" in fails(changed)


@pytest.fixture
def fails(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `qat-train`, which must end with one line and status 2; the line."""

    def run(argv: list[str]) -> str:
        with pytest.raises(SystemExit) as ended:
            qat_train.main(argv)
        assert ended.value.code == 2
        lines = capfd.readouterr().err.splitlines()
        assert len(lines) == 1
        return lines[0]

    return run


def test_mistakes_are_one_line(inputs: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    good = arguments(inputs, tmp_path / "run")

    def with_(name: str, value: str) -> list[str]:
        at = good.index(name) + 1
        return [*good[:at], value, *good[at + 1 :]]

    assert "unknown task 'sst3'" in fails(with_("--task", "sst3"))
    assert "no recipe" in fails(with_("--recipe", "none.toml"))
    assert "no tokenizer at" in fails(with_("--teacher", str(tmp_path / "nowhere")))
    bpe = Tokenizer(models.BPE(vocab={"a": 0, "<unk>": 1}, merges=[], unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=bpe, unk_token="<unk>").save_pretrained(tmp_path / "b")
    assert "only WordPiece" in fails(with_("--teacher", str(tmp_path / "b")))
    assert "no data folder" in fails(with_("--data-dir", str(tmp_path / "nowhere")))
    assert "lacks the split train of cola" in fails(with_("--task", "cola"))
    other = tmp_path / "other" / "glue" / "sst2"
    other.mkdir(parents=True)
    parquet.write_table(pa.table({"text": ["a"], "label": [1]}), other / "train.parquet")
    assert "has no column sentence" in fails(with_("--data-dir", str(tmp_path / "other")))
    assert "holds no run to resume" in fails([*good, "--resume"])
    recipe = tmp_path / "texts.toml"
    for content, message in {
        "[distill]\ntexts = 5": "name parquet files with --text",
        "max_length = 100": "the teacher has 40 positions",
        "texts_from = 'rte'\n[distill]\ntexts = 5": "texts_from = 'rte', a task of pairs",
        "texts_from = 'book'\n[distill]\ntexts = 5": "unknown task 'book'",
        "texts_from = 'imdb'\n[distill]\ntexts = 5": "lacks the split train of imdb",
    }.items():
        recipe.write_text(content)
        assert message in fails(with_("--recipe", str(recipe)))
    assert "no text file" in fails([*good, "--text", str(tmp_path / "none.parquet")])
    for seed in ("-1", "2147483648", "one"):
        assert "is no whole number from 0 to 2^31 - 1" in fails([*good, f"--seed={seed}"])
    same = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        table = pa.table({"text": [f"a film {i}" for i in range(20)]})
        parquet.write_table(table, tmp_path / folder / "train.parquet")
        same += ["--text", str(tmp_path / folder / "train.parquet")]
    assert "two of the --text files have one name" in fails([*good, *same])
    assert not (tmp_path / "run").exists()


def test_what_a_run_began_with_is_compared(tmp_path: Path) -> None:
    """The order of texts, too: examples are drawn in it. Not what an older run.json lacks."""
    found = dict.fromkeys(record.SAME) | {"text": {"a": "1", "b": "2"}}
    record.open_run(tmp_path / "run", found | {"task": "sst2"}, resume=False)
    again = found | {"task": "sst2"}
    record.open_run(tmp_path / "run", again, resume=True)
    for other in ({"text": {"b": "2", "a": "1"}}, {"seed": 1}, {"examples": {"sst2 train": "3"}}):
        with pytest.raises(InputError, match=f"was started with {next(iter(other))}"):
            record.open_run(tmp_path / "run", again | other, resume=True)
    (tmp_path / "run" / "run.json").write_text('{"task": "sst2"}')
    record.open_run(tmp_path / "run", again, resume=True)


def test_files_of_examples_are_hashed_where_they_are(inputs: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text("texts_from = 'imdb'\n")
    chosen = qat_train.options([*arguments(inputs, tmp_path), "--recipe", str(recipe)])

    def named() -> list[str]:
        made = record.describe(chosen, find_task(chosen.task), qat_train.chosen_recipe(chosen))
        return list(made["examples"])

    assert named() == ["sst2 train", "sst2 validation"]
    shutil.copytree(inputs / "data", tmp_path / "data")
    chosen.data_dir = str(tmp_path / "data")
    (tmp_path / "data" / "imdb").mkdir()
    (tmp_path / "data" / "imdb" / "train.parquet").write_bytes(b"reviews")
    assert named() == ["sst2 train", "sst2 validation", "imdb train"]


@pytest.fixture
def quantized(tmp_path: Path) -> Path:
    """The folder of a finished run whose student was never trained."""
    folder = tmp_path / "run"
    student = make_student(tiny_bert(), InhibitorSettings())
    made = qat_student.QuantStudent(student, qat_student.QuantizationSettings(1, 100.0))
    batch = tiny_tokenizer()("a good film", return_tensors="pt")
    with torch.no_grad():
        made.train()(**batch)
    made.save_pretrained(folder / "qat")
    tiny_tokenizer().save_pretrained(folder / "qat")
    (folder / "qat" / "metrics.json").write_text("{}")
    (folder / "run.json").write_text('{"task": "sst2"}')
    return folder


def test_export_mistakes_are_one_line(
    quantized: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def said(run: Path, output: Path) -> str:
        with pytest.raises(SystemExit) as ended:
            export_cli.main([str(run), "-o", str(output)])
        assert ended.value.code == 2
        [line] = capfd.readouterr().err.splitlines()
        return line

    output = tmp_path / "student.onnx"
    export_cli.main([str(quantized), "-o", str(output)])
    assert load(output).metadata.task == "sst2"
    output.unlink()
    capfd.readouterr()

    assert "no run of qat-train: it has no run.json" in said(tmp_path / "nope", output)
    assert "it is no file" in said(quantized, tmp_path)
    assert "cannot write /proc/x.onnx" in said(quantized, Path("/proc/x.onnx"))
    file = quantized / "qat" / "model.safetensors"
    weights = load_file(file)
    name = next(key for key in weights if key.endswith("beta"))
    save_file(weights | {name: weights[name] * 1e30}, file)
    assert "no integer form (a ratio of scales is not" in said(quantized, output)
    (quantized / "qat" / "config.json").write_text("{")
    assert "config.json is damaged" in said(quantized, output)
    (quantized / "qat" / "metrics.json").unlink()
    assert "holds no finished qat stage: run qat-train" in said(quantized, output)
    for damaged in ("", "[]", "{}", '{"task": "sst3"}'):
        (quantized / "run.json").write_text(damaged)
        assert "run.json is damaged" in said(quantized, output)
    assert set(tmp_path.iterdir()) == {quantized}


AGNOSTIC = """
max_length = 24
task_agnostic = true
held_back = 0.25
[align]
steps = 3
texts = 20
[distill]
steps = 3
texts = 20
soft = 0.0
task = 0.0
[finetune]
steps = 3
[qat]
steps = 2
calibration_batches = 2
"""


def small_run(inputs: Path, folder: Path, recipe: str, *more: str) -> Path:
    (folder / "recipe.toml").write_text(recipe)
    # The last --recipe counts.
    finish(start(inputs, folder / "run", "--recipe", str(folder / "recipe.toml"), *more))
    return folder / "run"


@pytest.mark.slow
def test_a_task_agnostic_student(inputs: Path, tmp_path: Path) -> None:
    """E1: no fine-tuned teacher; aligned and distilled on texts alone, then fine-tuned."""
    texts = pa.table({"text": ["a good film with a plot", "it was very cold"] * 20})
    parquet.write_table(texts, tmp_path / "texts.parquet")
    run = small_run(inputs, tmp_path, AGNOSTIC, "--text", str(tmp_path / "texts.parquet"))
    stages = sorted(path.parent.name for path in run.glob("*/metrics.json"))
    assert stages == ["align", "distill", "finetune", "ptq", "qat"]
    metrics = json.loads((run / "finetune" / "metrics.json").read_text())
    assert metrics["split"] == "held back"
    assert metrics["device"].startswith("1 x ")


@pytest.mark.slow
def test_a_float_student_is_quantized_later(inputs: Path, tmp_path: Path) -> None:
    recipe = """
max_length = 24
[distill]
steps = 2
[qat]
calibration_batches = 2
"""
    run = small_run(inputs, tmp_path, recipe, "--trained-teacher", "--float")
    assert sorted(path.parent.name for path in run.glob("*/metrics.json")) == FLOAT_STAGES
    before = {name: (run / name / "model.safetensors").read_bytes() for name in FLOAT_STAGES}
    small_run(inputs, tmp_path, recipe, "--trained-teacher", "--no-qat", "--resume")
    export_cli.main(["--no-qat", str(run), "-o", str(tmp_path / "student.onnx")])
    assert json.loads((run / "ptq" / "metrics.json").read_text())["seconds"] > 0
    for name, weights in before.items():
        assert (run / name / "model.safetensors").read_bytes() == weights


@pytest.mark.slow
def test_a_teacher_by_its_name_on_the_hub(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline, as a download leaves it in the cache; one that is not there gets one line."""
    stored, commit = tmp_path / "hub" / "models--owner--tiny", "0123456789" * 4
    shutil.copytree(inputs / "teacher", stored / "snapshots" / commit)
    (stored / "refs").mkdir()
    (stored / "refs" / "main").write_text(commit)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    recipe = "max_length = 24\n[distill]\nsteps = 2\n[qat]\ncalibration_batches = 2\n"
    named = ("--teacher", "owner/tiny", "--trained-teacher", "--no-qat")
    run = small_run(inputs, tmp_path, recipe, *named)
    taken, given = (
        load_file(folder / "model.safetensors") for folder in (run / "teacher", inputs / "teacher")
    )
    assert all(torch.equal(taken[name], value) for name, value in given.items())
    described = json.loads((run / "run.json").read_text())
    assert (described["teacher"], described["teacher_revision"]) == ("owner/tiny", commit)
    assert described["teacher_sha256"] is None
    missing = start(inputs, tmp_path / "other", *named, "--teacher", "owner/unknown")
    _, errors = missing.communicate(timeout=500)
    assert missing.returncode == 2
    last = errors.decode().splitlines()[-1]
    assert "owner/unknown" in last
    assert b"Traceback" not in errors


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--no-qat",)])
def test_a_dot_product_student(inputs: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
    """E0: the teacher itself, quantized with its own attention."""
    recipe = """
max_length = 24
attention = "dot_product"
[qat]
steps = 2
calibration_batches = 2
"""
    run = small_run(inputs, tmp_path, recipe, "--trained-teacher", "--seed", "7", *more)
    export_cli.main([str(run), "-o", str(tmp_path / "student.onnx"), *more])
    assert load(tmp_path / "student.onnx").metadata.attention == "dot_product"
    assert json.loads((run / "run.json").read_text())["seed"] == 7
